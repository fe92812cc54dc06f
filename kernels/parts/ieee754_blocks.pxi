# Blocks of numbers along the last axis that share a scale. A part of ieee754.pyx.

cdef struct BlockFormat:
    Conversion element
    Conversion scale
    bint powers  # whether a scale is a power of two
    int64_t largest_exponent  # of an element
    Py_ssize_t block  # how many numbers share a scale; the last of a row may have fewer


cdef struct Blocks:
    const void* x  # numbers, or where they go
    uint8_t* codes
    uint8_t* scales
    Py_ssize_t n  # of a row
    Py_ssize_t block
    Py_ssize_t in_row
    Py_ssize_t count  # of blocks
    const Conversion* c  # to the format of the elements
    const Conversion* to_scale  # to that of the scales where it is no power of two, else NULL
    int64_t largest_exponent
    double tensor_scale


cdef BlockFormat block_format_of(element, scale, wide_format, str rounding, Py_ssize_t block) except *:
    cdef BlockFormat f
    f.element = constants_of(element, wide_format, rounding, True)
    f.scale = constants_of(scale, wide_format, "nearest", True)
    f.powers, f.largest_exponent, f.block = scale.mantissa_bits == 0, element.largest_exponent, block
    return f


cdef Blocks blocks_of(const BlockFormat* f, const void* x, const uint8_t* codes, const uint8_t* scales,
                      double tensor_scale, Py_ssize_t rows, Py_ssize_t n, bint encoding) noexcept nogil:
    cdef Blocks b
    b.x, b.codes, b.scales, b.n, b.block = x, <uint8_t*>codes, <uint8_t*>scales, n, f.block
    b.in_row = (n + f.block - 1) // f.block
    b.count = rows * b.in_row
    b.c, b.largest_exponent, b.tensor_scale = &f.element, f.largest_exponent, tensor_scale
    b.to_scale = NULL if encoding and f.powers else &f.scale
    return b


cdef inline Py_ssize_t start_of(const Blocks* b, Py_ssize_t k) noexcept nogil:
    return k // b.in_row * b.n + k % b.in_row * b.block


cdef inline Py_ssize_t size_of_block(const Blocks* b, Py_ssize_t k) noexcept nogil:
    return min(b.block, b.n - k % b.in_row * b.block)


cdef inline double number_of(uint64_t bits, wide like) noexcept nogil:
    cdef double value
    cdef float narrow
    cdef uint32_t narrow_bits = <uint32_t>bits
    if wide is uint64_t:
        memcpy(&value, &bits, 8)
        return value
    else:
        memcpy(&narrow, &narrow_bits, 4)
        return narrow


cdef inline uint64_t bits_of(double value, wide like) noexcept nogil:
    # rounded to the precision of the numbers
    cdef float narrow = <float>value
    cdef uint64_t bits
    cdef uint32_t narrow_bits
    if wide is uint64_t:
        memcpy(&bits, &value, 8)
        return bits
    else:
        memcpy(&narrow_bits, &narrow, 4)
        return narrow_bits


cdef inline uint8_t shared_power(uint64_t top, const Blocks* b, uint64_t* factor, wide like) noexcept nogil:
    # The scale of OCP Microscaling 1.0, section 6.3, as its code: the largest power of two up to the largest magnitude,
    # over that of the elements; and one over it. Of a subnormal it is below all scales.
    cdef int64_t bias = 1023 if wide is uint64_t else 127, bits = b.c.mantissa_bits, power
    power = <int64_t>(top >> <uint64_t>bits) - bias - b.largest_exponent
    power = min(max(power, <int64_t>-127), <int64_t>127)
    # 2^-127, one over the largest scale, is subnormal in float32
    factor[0] = <uint64_t>(bias - power) << <uint64_t>bits if bias > power else <uint64_t>1 << <uint64_t>(bits - 1)
    return <uint8_t>(power + 127)


cdef inline uint8_t shared_number(uint64_t top, const Blocks* b, uint64_t* factor, wide like) noexcept nogil:
    # The scale of NVFP4 as its code: the largest magnitude over 6 and over the tensor's scale, rounded to e4m3, but no
    # less than its smallest normal number; and one over both scales. Each step is rounded to the numbers' precision,
    # as torchao's is.
    cdef wide scale
    cdef uint8_t code_of_scale
    cdef double share = number_of(bits_of(number_of(top, like) / 6.0, like), like) / b.tensor_scale
    scale = <wide>bits_of(min(max(number_of(bits_of(share, like), like), 0.015625), 448.0), like)
    if wide is uint64_t:
        encode_times(&scale, &code_of_scale, 1, splat_u64(bits_of(1.0, like)), b.to_scale)
        decode_times(&code_of_scale, &scale, 1, splat_u64(bits_of(1.0, like)), b.to_scale)
    else:
        encode_times(&scale, &code_of_scale, 1, splat_u32(<uint32_t>bits_of(1.0, like)), b.to_scale)
        decode_times(&code_of_scale, &scale, 1, splat_u32(<uint32_t>bits_of(1.0, like)), b.to_scale)
    factor[0] = bits_of(number_of(bits_of(1.0 / b.tensor_scale, like), like) / number_of(scale, like), like)
    return code_of_scale


cdef inline void encode_blocks(const Blocks* b, Py_ssize_t first, Py_ssize_t last, wide like) noexcept nogil:
    cdef const wide* x
    cdef uint8_t* y
    cdef Py_ssize_t k, n
    cdef uint64_t top, factor = 0
    cdef Conversion c = b.c[0]
    for k in range(first, last):
        x, y, n = <const wide*>b.x + start_of(b, k), b.codes + start_of(b, k), size_of_block(b, k)
        if wide is uint64_t:
            top = largest_magnitude(x, n, &c, splat_u64(0))
        else:
            top = largest_magnitude(x, n, &c, splat_u32(0))
        if top >= <uint64_t>c.infinity:  # the scale is NaN, and so is all of the block
            b.scales[k] = 0xFF if b.to_scale == NULL else 0x7F
            memset(y, 0, n)
            continue
        b.scales[k] = shared_power(top, b, &factor, like) if b.to_scale == NULL else (
            shared_number(top, b, &factor, like))
        if wide is uint64_t:
            encode_times(x, y, n, splat_u64(factor), &c)
        else:
            encode_times(x, y, n, splat_u32(<uint32_t>factor), &c)


cdef inline void decode_blocks(const Blocks* b, Py_ssize_t first, Py_ssize_t last, wide like) noexcept nogil:
    cdef const uint8_t* x
    cdef wide* y
    cdef wide scale
    cdef Py_ssize_t k, n
    cdef uint64_t factor
    cdef Conversion c = b.c[0]
    for k in range(first, last):
        x, y, n = b.codes + start_of(b, k), <wide*>b.x + start_of(b, k), size_of_block(b, k)
        if wide is uint64_t:
            decode_times(b.scales + k, &scale, 1, splat_u64(bits_of(1.0, like)), b.to_scale)
            factor = bits_of(number_of(scale, like) * b.tensor_scale, like)
            decode_times(x, y, n, splat_u64(factor), &c)
        else:
            decode_times(b.scales + k, &scale, 1, splat_u32(<uint32_t>bits_of(1.0, like)), b.to_scale)
            factor = bits_of(number_of(scale, like) * b.tensor_scale, like)
            decode_times(x, y, n, splat_u32(<uint32_t>factor), &c)


cdef inline void blocks_of_chunk(const Blocks* b, Py_ssize_t chunk, bint encoding, wide like) noexcept nogil:
    cdef environment callers = enter_environment()
    if encoding:
        encode_blocks(b, chunk * BLOCKS, min(b.count, (chunk + 1) * BLOCKS), like)
    else:
        decode_blocks(b, chunk * BLOCKS, min(b.count, (chunk + 1) * BLOCKS), like)
    leave_environment(callers)


cdef void encode_chunk_float32(void* work, Py_ssize_t chunk, int thread) noexcept nogil:
    blocks_of_chunk(<const Blocks*>work, chunk, True, <uint32_t>0)


cdef void encode_chunk_float64(void* work, Py_ssize_t chunk, int thread) noexcept nogil:
    blocks_of_chunk(<const Blocks*>work, chunk, True, <uint64_t>0)


cdef void decode_chunk_float32(void* work, Py_ssize_t chunk, int thread) noexcept nogil:
    blocks_of_chunk(<const Blocks*>work, chunk, False, <uint32_t>0)


cdef void decode_chunk_float64(void* work, Py_ssize_t chunk, int thread) noexcept nogil:
    blocks_of_chunk(<const Blocks*>work, chunk, False, <uint64_t>0)


def on_blocks(np.ndarray x, np.ndarray codes, np.ndarray scales, Py_ssize_t block, element, scale, wide_format,
              str rounding, double tensor_scale, bint encoding):
    """Numbers to the codes and scales of their blocks along the last axis, or back. All three arrays are C-contiguous,
    x of float32 or float64, which is `wide_format`, the others of uint8, and they fit."""
    cdef BlockFormat f = block_format_of(element, scale, wide_format, rounding, block)
    cdef Py_ssize_t n = np.PyArray_DIM(x, np.PyArray_NDIM(x) - 1)
    cdef Blocks b = blocks_of(&f, np.PyArray_DATA(x), <const uint8_t*>np.PyArray_DATA(codes),
                              <const uint8_t*>np.PyArray_DATA(scales), tensor_scale, np.PyArray_SIZE(x) // n, n,
                              encoding)
    cdef bint narrow = np.PyArray_TYPE(x) == np.NPY_FLOAT
    cdef int threads = thread_count[0] if np.PyArray_SIZE(x) >= 1 << 15 else 1
    with nogil:
        if encoding and narrow:
            run_chunks(encode_chunk_float32, &b, (b.count + BLOCKS - 1) // BLOCKS, threads)
        elif encoding:
            run_chunks(encode_chunk_float64, &b, (b.count + BLOCKS - 1) // BLOCKS, threads)
        elif narrow:
            run_chunks(decode_chunk_float32, &b, (b.count + BLOCKS - 1) // BLOCKS, threads)
        else:
            run_chunks(decode_chunk_float64, &b, (b.count + BLOCKS - 1) // BLOCKS, threads)
