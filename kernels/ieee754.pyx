# IEEE-754 taken apart: ufuncs of fields, classes, ULPs and neighbours, of rounding into a format and back; and counts.
#
# Here are the kernels, their registration from the description of a format, and the C interface of ieee754.pxd. The
# functions of one register stand in formats/codes.pxd, the loops in formats/loops.pxd; names, defaults and errors in
# pylib/.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy, memset

cimport numpy as np

from .formats.blocks cimport decode_times, encode_times, largest_magnitude
from .formats.codes cimport (
    Conversion, Format, class_of, directed_of, distance_of, error_of, exact_integer_of, loss_of, nearest_of,
    next_down_of, next_up_of, power_of, stochastic_of, ulp_of, wide_of, word,
)
from .formats.descriptions cimport conversion_of, format_of
from .formats.loops cimport (
    code, from_machine_format, load, map_codes, put_together, store, take_apart, to_machine_format,
)
from .lanes cimport (
    F32_LANES, F64_LANES, enter_environment, environment, leave_environment, splat_u32, splat_u64, u32x, u64x,
)
from .loops.threads cimport join_threads, run_chunks, thread_count
from .loops.dtypes cimport UINT8, UINT16, UINT32, UINT64, size_of
from .loops.ufuncs cimport MAX_OPERANDS, Registration, span, ufunc_of

from . import describe_format

np.import_array()
np.import_ufunc()
join_threads()

cdef enum:
    BLOCKS = 512  # of a chunk that threads share

ctypedef fused wide:
    uint32_t
    uint64_t


# The kernels. They run by whole registers: of 32-bit lanes, or of 64-bit ones where an operand is as wide.

cdef void decompose(const code* x, uint8_t* sign, void* exponent, code* mantissa, Py_ssize_t n,
                    const Format* f) noexcept nogil:
    if code is uint64_t:
        take_apart(x, sign, <uint16_t*>exponent, mantissa, n, f, splat_u64(0))
    else:
        take_apart(x, sign, <uint8_t*>exponent, mantissa, n, f, splat_u32(0))


cdef void compose(const uint8_t* sign, const void* exponent, const code* mantissa, code* y, Py_ssize_t n,
                  const Format* f) noexcept nogil:
    if code is uint64_t:
        put_together(sign, <const uint16_t*>exponent, mantissa, y, n, f, splat_u64(0))
    else:
        put_together(sign, <const uint8_t*>exponent, mantissa, y, n, f, splat_u32(0))


cdef void classify(const code* x, uint8_t* y, Py_ssize_t n, const Format* f) noexcept nogil:
    map_codes(class_of[u32x], class_of[u64x], x, y, n, f)


cdef void ulp(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    map_codes(ulp_of[u32x], ulp_of[u64x], x, y, n, f)


cdef void next_up(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    map_codes(next_up_of[u32x], next_up_of[u64x], x, y, n, f)


cdef void next_down(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    map_codes(next_down_of[u32x], next_down_of[u64x], x, y, n, f)


cdef void is_exact_integer(const code* x, uint8_t* y, Py_ssize_t n, const Format* f) noexcept nogil:
    map_codes(exact_integer_of[u32x], exact_integer_of[u64x], x, y, n, f)


cdef void ulp_distance(const code* a, const code* b, uint64_t* y, Py_ssize_t n, const Format* t) noexcept nogil:
    cdef Format f = t[0]
    cdef u64x like = splat_u64(0)
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, distance_of(load(a + i, like), load(b + i, like), &f))
        i += F64_LANES


cdef void encode(const wide* x, code* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if c.machine_format:
        to_machine_format(<const float*>x, <uint16_t*>y, n, c.machine_format == 8)
    elif c.powers:
        map_codes(power_of[u32x], power_of[u64x], x, y, n, c)
    elif c.directed:
        map_codes(directed_of[u32x], directed_of[u64x], x, y, n, c)
    else:
        map_codes(nearest_of[u32x], nearest_of[u64x], x, y, n, c)


cdef void decode(const code* x, wide* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if c.machine_format:
        from_machine_format(<const uint16_t*>x, <float*>y, n, c.machine_format == 8)
    else:
        map_codes(wide_of[u32x], wide_of[u64x], x, y, n, c)


cdef inline word rounded_and_back(word x, const Conversion* c) noexcept nogil:
    if c.powers:
        return error_of(x, power_of(x, c), c)
    if c.directed:
        return error_of(x, directed_of(x, c), c)
    return error_of(x, nearest_of(x, c), c)


cdef void rounding_error(const wide* x, wide* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    map_codes(rounded_and_back[u32x], rounded_and_back[u64x], x, y, n, c)


cdef void encode_stochastic(const wide* x, const uint32_t* noise, code* y, Py_ssize_t n,
                            const Conversion* t) noexcept nogil:
    cdef Conversion c = t[0]
    cdef u32x narrow_like = splat_u32(0)
    cdef u64x wide_like = splat_u64(0), upper_half = splat_u64(32)
    cdef Py_ssize_t i = 0
    while i < n:
        if wide is uint64_t:
            store(y + i, stochastic_of(load(x + i, wide_like), load(noise + i, wide_like) << upper_half, &c))
            i += F64_LANES
        else:
            store(y + i, stochastic_of(load(x + i, narrow_like), load(noise + i, narrow_like), &c))
            i += F32_LANES


cdef void classify_loss(const wide* x, uint8_t* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    map_codes(loss_of[u32x], loss_of[u64x], x, y, n, c)


# Registration: from the description of a format, one of pylib/formats.py, to its ufuncs.

# c is a code, or a number of that format; m a mantissa; e an exponent field; w a wide number; b uint8; ? bool;
# n uint32; q int64
SIGNATURES = {
    "decompose": "c>bem", "compose": "bem>c", "classify": "c>b", "ulp": "c>c", "next_up": "c>c", "next_down": "c>c",
    "is_exact_integer": "c>?", "ulp_distance": "cc>q", "encode": "w>c", "decode": "c>w", "rounding_error": "w>w",
    "encode_stochastic": "wn>c", "classify_loss": "w>b",
}
UNSIGNED = {1: np.NPY_UINT8, 2: np.NPY_UINT16, 4: np.NPY_UINT32, 8: np.NPY_UINT64}


cdef dict kernels_on(code like):
    # the kernels that see codes of one type
    return {
        "decompose": <size_t>&decompose[code], "compose": <size_t>&compose[code],
        "classify": <size_t>&classify[code], "ulp": <size_t>&ulp[code], "next_up": <size_t>&next_up[code],
        "next_down": <size_t>&next_down[code], "is_exact_integer": <size_t>&is_exact_integer[code],
        "ulp_distance": <size_t>&ulp_distance[code],
    }


cdef dict conversions_on(code like, wide wide_like):
    # the kernels between codes of one type and numbers of another
    return {
        "encode": <size_t>&encode[wide, code], "encode_stochastic": <size_t>&encode_stochastic[wide, code],
        "decode": <size_t>&decode[code, wide], "rounding_error": <size_t>&rounding_error[wide],
        "classify_loss": <size_t>&classify_loss[wide],
    }


# by the bytes of a wide number, 0 where there is none, and of a code
KERNELS = {
    (0, 1): kernels_on(<uint8_t>0), (0, 2): kernels_on(<uint16_t>0),
    (0, 4): kernels_on(<uint32_t>0), (0, 8): kernels_on(<uint64_t>0),
    (4, 1): conversions_on(<uint8_t>0, <uint32_t>0), (4, 2): conversions_on(<uint16_t>0, <uint32_t>0),
    (4, 4): conversions_on(<uint32_t>0, <uint32_t>0),
    (8, 1): conversions_on(<uint8_t>0, <uint64_t>0), (8, 2): conversions_on(<uint16_t>0, <uint64_t>0),
    (8, 4): conversions_on(<uint32_t>0, <uint64_t>0), (8, 8): conversions_on(<uint64_t>0, <uint64_t>0),
}


cdef list operands_of(str function, description, int number, wide_format):
    # (bytes, NumPy's type number) of each operand; `number` is what c has
    cdef int size = description.code_size, exponent_size = description.exponent_dtype.itemsize
    kinds = {
        "c": (size, number), "m": (size, UNSIGNED[size]), "e": (exponent_size, UNSIGNED[exponent_size]),
        "b": (1, np.NPY_UINT8), "?": (1, np.NPY_BOOL), "n": (4, np.NPY_UINT32), "q": (8, np.NPY_INT64),
        "w": wide_format and (wide_format.code_size, wide_format.native.num),
    }
    return [kinds[kind] for kind in SIGNATURES[function].replace(">", "")]


cdef Conversion constants_of(description, wide_format, str rounding, bint saturate) except *:
    # not inline: one copy of the code for all callers
    return conversion_of(description, wide_format, rounding, saturate)


cdef Registration registration_of(str function, description, wide_format=None, str rounding="nearest",
                                  bint saturate=False) except *:
    # the kernel, its operands, and its constants, which live as long as the process
    cdef Registration registration
    cdef Format* f
    cdef Conversion* c
    cdef int k = 0
    wide_size = 0 if wide_format is None else wide_format.code_size
    if wide_format is None:
        f = <Format*>malloc(sizeof(Format))
        f[0] = format_of(description)
        registration.context = f
    else:
        c = <Conversion*>malloc(sizeof(Conversion))
        c[0] = constants_of(description, wide_format, rounding, saturate)
        registration.context = c
    registration.kernel = <void*><size_t>KERNELS[wide_size, description.code_size][function]
    registration.n_in = SIGNATURES[function].index(">")
    registration.n_out = len(SIGNATURES[function]) - 1 - registration.n_in
    registration.lanes = F32_LANES
    for width, _ in operands_of(function, description, 0, wide_format):
        registration.dtypes[k] = {1: UINT8, 2: UINT16, 4: UINT32, 8: UINT64}[width]
        if width == 8:
            registration.lanes = F64_LANES
        k += 1
    return registration


def of_formats(str function, str name, list descriptions):
    """A ufunc with a loop for each (description, type number of its numbers or codes)."""
    cdef Registration[24] registrations
    cdef int[24 * MAX_OPERANDS] types
    cdef int r = 0, k = 0
    for description, number in descriptions:
        registrations[r] = registration_of(function, description)
        r += 1
        for _, types[k] in operands_of(function, description, number, None):
            k += 1
    return ufunc_of(name.encode(), b"", registrations, types, r)


def of_conversions(str function, str name, description, wide_formats, str rounding, bint saturate):
    """A ufunc with a loop for each wide format, between it and the one described."""
    cdef Registration[2] registrations
    cdef int[2 * MAX_OPERANDS] types
    cdef int r = 0, k = 0
    for wide_format in wide_formats:
        registrations[r] = registration_of(function, description, wide_format, rounding, saturate)
        r += 1
        for _, types[k] in operands_of(function, description, UNSIGNED[description.code_size], wide_format):
            k += 1
    return ufunc_of(name.encode(), b"", registrations, types, r)


def to_odd(x):
    """Integers of 64 bits as float64, and the remainder of each, both in the shape of x; None for both where float64
    holds all of them. What it does not hold is rounded to odd at its lowest eleven bits: cut off there, with the
    twelfth set where one of them was. A second rounding gives the same from that as from the integer."""
    cdef bint signed = x.dtype.kind == "i"
    cdef np.ndarray integers = np.PyArray_FROMANY(
        x, np.NPY_INT64 if signed else np.NPY_UINT64, 0, 0, np.NPY_ARRAY_CARRAY_RO)
    cdef const uint64_t* taken = <const uint64_t*>np.PyArray_DATA(integers)
    cdef Py_ssize_t i, n = np.PyArray_SIZE(integers)
    cdef np.ndarray near, rest
    cdef double* near_of
    cdef double* rest_of
    cdef uint64_t size, odd
    cdef bint negative, all_held = True
    for i in range(n):
        negative = signed and taken[i] >> 63
        size = 0 - taken[i] if negative else taken[i]
        all_held = all_held and size <= <uint64_t>1 << 53
    if all_held:
        return None, None
    near = np.PyArray_EMPTY(np.PyArray_NDIM(integers), np.PyArray_DIMS(integers), np.NPY_DOUBLE, 0)
    rest = np.PyArray_EMPTY(np.PyArray_NDIM(integers), np.PyArray_DIMS(integers), np.NPY_DOUBLE, 0)
    near_of, rest_of = <double*>np.PyArray_DATA(near), <double*>np.PyArray_DATA(rest)
    for i in range(n):
        negative = signed and taken[i] >> 63
        size = odd = 0 - taken[i] if negative else taken[i]
        if size > <uint64_t>1 << 53:
            odd = size & ~<uint64_t>2047 | <uint64_t>((size & 2047) != 0) << 11
        rest_of[i] = <double><int64_t>(size - odd)
        near_of[i] = <double>odd
        if negative:
            near_of[i], rest_of[i] = -near_of[i], -rest_of[i]
    return near, rest


# Blocks of numbers along the last axis that share a scale.

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


def count(const code[::1] codes, int64_t[::1] counts):
    """Add to counts[k] how many of the codes are k."""
    # four tables side by side, so that equal neighbours need not wait for each other
    cdef int64_t[4][1 << 12] tables
    cdef Py_ssize_t i, k, n = codes.shape[0], n_counts = counts.shape[0]
    if n_counts > 1 << 12:
        raise ValueError(f"counts has {n_counts} entries; expected at most {1 << 12}")
    with nogil:
        for k in range(n_counts):
            tables[0][k] = tables[1][k] = tables[2][k] = tables[3][k] = 0
        for i in range(n):
            tables[i & 3][codes[i]] += 1
        for k in range(n_counts):
            counts[k] += tables[0][k] + tables[1][k] + tables[2][k] + tables[3][k]


# The C interface: the same kernels, each with its registration.

cdef Registration registration_between(str function, str narrow) except *:
    # of a function between float32 and a format of that name
    return registration_of(function, describe_format(narrow), describe_format("binary32"))


cdef void run(const Registration* registration, const void* a, const void* b, const void* c, const void* d,
              Py_ssize_t n) noexcept nogil:
    # on contiguous operands of n elements, NULL behind the last
    cdef char* operands[MAX_OPERANDS]
    cdef np.npy_intp[MAX_OPERANDS] steps
    cdef int k
    operands[0], operands[1], operands[2], operands[3] = <char*>a, <char*>b, <char*>c, <char*>d
    for k in range(registration.n_in + registration.n_out):
        steps[k] = size_of(registration.dtypes[k])
    span(registration, operands, steps, 0, n)


cdef Registration decompose32 = registration_of("decompose", describe_format("binary32"))
cdef Registration compose32 = registration_of("compose", describe_format("binary32"))
cdef Registration classify32 = registration_of("classify", describe_format("binary32"))
cdef Registration ulp32 = registration_of("ulp", describe_format("binary32"))

cdef void decompose_float32(const float* x, uint8_t* sign, uint8_t* exponent, uint32_t* mantissa,
                            Py_ssize_t n) noexcept nogil:
    run(&decompose32, x, sign, exponent, mantissa, n)

cdef void compose_float32(const uint8_t* sign, const uint8_t* exponent, const uint32_t* mantissa, float* y,
                          Py_ssize_t n) noexcept nogil:
    run(&compose32, sign, exponent, mantissa, y, n)

cdef void classify_float32(const float* x, uint8_t* classes, Py_ssize_t n) noexcept nogil:
    run(&classify32, x, classes, NULL, NULL, n)

cdef void ulp_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&ulp32, x, y, NULL, NULL, n)


cdef Registration decompose64 = registration_of("decompose", describe_format("binary64"))
cdef Registration compose64 = registration_of("compose", describe_format("binary64"))
cdef Registration classify64 = registration_of("classify", describe_format("binary64"))
cdef Registration ulp64 = registration_of("ulp", describe_format("binary64"))

cdef void decompose_float64(const double* x, uint8_t* sign, uint16_t* exponent, uint64_t* mantissa,
                            Py_ssize_t n) noexcept nogil:
    run(&decompose64, x, sign, exponent, mantissa, n)

cdef void compose_float64(const uint8_t* sign, const uint16_t* exponent, const uint64_t* mantissa, double* y,
                          Py_ssize_t n) noexcept nogil:
    run(&compose64, sign, exponent, mantissa, y, n)

cdef void classify_float64(const double* x, uint8_t* classes, Py_ssize_t n) noexcept nogil:
    run(&classify64, x, classes, NULL, NULL, n)

cdef void ulp_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&ulp64, x, y, NULL, NULL, n)


cdef Registration encode_binary16 = registration_between("encode", "binary16")
cdef Registration decode_binary16 = registration_between("decode", "binary16")

cdef void encode_binary16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_binary16, x, codes, NULL, NULL, n)

cdef void decode_binary16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_binary16, codes, y, NULL, NULL, n)


cdef Registration encode_bfloat16 = registration_between("encode", "bfloat16")
cdef Registration decode_bfloat16 = registration_between("decode", "bfloat16")

cdef void encode_bfloat16_float32(const float* x, uint16_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_bfloat16, x, codes, NULL, NULL, n)

cdef void decode_bfloat16_float32(const uint16_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_bfloat16, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e5m2 = registration_between("encode", "float8_e5m2")
cdef Registration decode_float8_e5m2 = registration_between("decode", "float8_e5m2")

cdef void encode_float8_e5m2_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e5m2, x, codes, NULL, NULL, n)

cdef void decode_float8_e5m2_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e5m2, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3fn = registration_between("encode", "float8_e4m3fn")
cdef Registration decode_float8_e4m3fn = registration_between("decode", "float8_e4m3fn")

cdef void encode_float8_e4m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3fn, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3fn, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e8m0fnu = registration_between("encode", "float8_e8m0fnu")
cdef Registration decode_float8_e8m0fnu = registration_between("decode", "float8_e8m0fnu")

cdef void encode_float8_e8m0fnu_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e8m0fnu, x, codes, NULL, NULL, n)

cdef void decode_float8_e8m0fnu_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e8m0fnu, codes, y, NULL, NULL, n)


cdef Registration encode_float6_e3m2fn = registration_between("encode", "float6_e3m2fn")
cdef Registration decode_float6_e3m2fn = registration_between("decode", "float6_e3m2fn")

cdef void encode_float6_e3m2fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float6_e3m2fn, x, codes, NULL, NULL, n)

cdef void decode_float6_e3m2fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float6_e3m2fn, codes, y, NULL, NULL, n)


cdef Registration encode_float6_e2m3fn = registration_between("encode", "float6_e2m3fn")
cdef Registration decode_float6_e2m3fn = registration_between("decode", "float6_e2m3fn")

cdef void encode_float6_e2m3fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float6_e2m3fn, x, codes, NULL, NULL, n)

cdef void decode_float6_e2m3fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float6_e2m3fn, codes, y, NULL, NULL, n)


cdef Registration encode_float4_e2m1fn = registration_between("encode", "float4_e2m1fn")
cdef Registration decode_float4_e2m1fn = registration_between("decode", "float4_e2m1fn")

cdef void encode_float4_e2m1fn_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float4_e2m1fn, x, codes, NULL, NULL, n)

cdef void decode_float4_e2m1fn_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float4_e2m1fn, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e5m2fnuz = registration_between("encode", "float8_e5m2fnuz")
cdef Registration decode_float8_e5m2fnuz = registration_between("decode", "float8_e5m2fnuz")

cdef void encode_float8_e5m2fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e5m2fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e5m2fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e5m2fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3fnuz = registration_between("encode", "float8_e4m3fnuz")
cdef Registration decode_float8_e4m3fnuz = registration_between("decode", "float8_e4m3fnuz")

cdef void encode_float8_e4m3fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3b11fnuz = registration_between("encode", "float8_e4m3b11fnuz")
cdef Registration decode_float8_e4m3b11fnuz = registration_between("decode", "float8_e4m3b11fnuz")

cdef void encode_float8_e4m3b11fnuz_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3b11fnuz, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3b11fnuz_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3b11fnuz, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e4m3 = registration_between("encode", "float8_e4m3")
cdef Registration decode_float8_e4m3 = registration_between("decode", "float8_e4m3")

cdef void encode_float8_e4m3_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e4m3, x, codes, NULL, NULL, n)

cdef void decode_float8_e4m3_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e4m3, codes, y, NULL, NULL, n)


cdef Registration encode_float8_e3m4 = registration_between("encode", "float8_e3m4")
cdef Registration decode_float8_e3m4 = registration_between("decode", "float8_e3m4")

cdef void encode_float8_e3m4_float32(const float* x, uint8_t* codes, Py_ssize_t n) noexcept nogil:
    run(&encode_float8_e3m4, x, codes, NULL, NULL, n)

cdef void decode_float8_e3m4_float32(const uint8_t* codes, float* y, Py_ssize_t n) noexcept nogil:
    run(&decode_float8_e3m4, codes, y, NULL, NULL, n)


# Neighbours, differences and whole numbers of float32 and float64.

cdef Registration next_up32 = registration_of("next_up", describe_format("binary32"))
cdef Registration next_down32 = registration_of("next_down", describe_format("binary32"))
cdef Registration ulp_distance32 = registration_of("ulp_distance", describe_format("binary32"))
cdef Registration is_exact_integer32 = registration_of("is_exact_integer", describe_format("binary32"))

cdef void next_up_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&next_up32, x, y, NULL, NULL, n)

cdef void next_down_float32(const float* x, float* y, Py_ssize_t n) noexcept nogil:
    run(&next_down32, x, y, NULL, NULL, n)

cdef void ulp_distance_float32(const float* a, const float* b, int64_t* distance, Py_ssize_t n) noexcept nogil:
    run(&ulp_distance32, a, b, distance, NULL, n)

cdef void is_exact_integer_float32(const float* x, uint8_t* exact, Py_ssize_t n) noexcept nogil:
    run(&is_exact_integer32, x, exact, NULL, NULL, n)


cdef Registration next_up64 = registration_of("next_up", describe_format("binary64"))
cdef Registration next_down64 = registration_of("next_down", describe_format("binary64"))
cdef Registration ulp_distance64 = registration_of("ulp_distance", describe_format("binary64"))
cdef Registration is_exact_integer64 = registration_of("is_exact_integer", describe_format("binary64"))

cdef void next_up_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&next_up64, x, y, NULL, NULL, n)

cdef void next_down_float64(const double* x, double* y, Py_ssize_t n) noexcept nogil:
    run(&next_down64, x, y, NULL, NULL, n)

cdef void ulp_distance_float64(const double* a, const double* b, int64_t* distance, Py_ssize_t n) noexcept nogil:
    run(&ulp_distance64, a, b, distance, NULL, n)

cdef void is_exact_integer_float64(const double* x, uint8_t* exact, Py_ssize_t n) noexcept nogil:
    run(&is_exact_integer64, x, exact, NULL, NULL, n)


# Blocks that share a scale: rows of them, chunk after chunk on the caller's thread.

cdef BlockFormat block_format_between(str element, str scale, Py_ssize_t block) except *:
    return block_format_of(describe_format(element), describe_format(scale), describe_format("binary32"), "nearest",
                           block)


cdef void encode_rows(const BlockFormat* f, const float* x, float tensor_scale, uint8_t* codes, uint8_t* scales,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Blocks b = blocks_of(f, x, codes, scales, tensor_scale, rows, n, True)
    cdef Py_ssize_t chunk
    for chunk in range((b.count + BLOCKS - 1) // BLOCKS):
        encode_chunk_float32(&b, chunk, 0)


cdef void decode_rows(const BlockFormat* f, const uint8_t* codes, const uint8_t* scales, float tensor_scale, float* y,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Blocks b = blocks_of(f, y, codes, scales, tensor_scale, rows, n, False)
    cdef Py_ssize_t chunk
    for chunk in range((b.count + BLOCKS - 1) // BLOCKS):
        decode_chunk_float32(&b, chunk, 0)


cdef BlockFormat mxfp8_e5m2 = block_format_between("float8_e5m2", "float8_e8m0fnu", 32)

cdef void encode_mxfp8_e5m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp8_e5m2, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp8_e5m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp8_e5m2, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp8_e4m3 = block_format_between("float8_e4m3fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp8_e4m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp8_e4m3, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp8_e4m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp8_e4m3, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp6_e3m2 = block_format_between("float6_e3m2fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp6_e3m2_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp6_e3m2, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp6_e3m2_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp6_e3m2, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp6_e2m3 = block_format_between("float6_e2m3fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp6_e2m3_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp6_e2m3, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp6_e2m3_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp6_e2m3, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxfp4 = block_format_between("float4_e2m1fn", "float8_e8m0fnu", 32)

cdef void encode_mxfp4_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    encode_rows(&mxfp4, x, 1.0, codes, scales, rows, n)

cdef void decode_mxfp4_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    decode_rows(&mxfp4, codes, scales, 1.0, y, rows, n)


cdef BlockFormat mxint8 = block_format_between("mxint8", "float8_e8m0fnu", 32)

cdef void encode_mxint8_float32(const float* x, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    encode_rows(&mxint8, x, 1.0, codes, scales, rows, n)

cdef void decode_mxint8_float32(const uint8_t* codes, const uint8_t* scales, float* y, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    decode_rows(&mxint8, codes, scales, 1.0, y, rows, n)


cdef BlockFormat nvfp4 = block_format_between("float4_e2m1fn", "float8_e4m3fn", 16)

cdef void encode_nvfp4_float32(const float* x, float tensor_scale, uint8_t* codes, uint8_t* scales, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    encode_rows(&nvfp4, x, tensor_scale, codes, scales, rows, n)

cdef void decode_nvfp4_float32(const uint8_t* codes, const uint8_t* scales, float tensor_scale, float* y,
                               Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    decode_rows(&nvfp4, codes, scales, tensor_scale, y, rows, n)

cdef float nvfp4_scale_float32(const float* x, Py_ssize_t n) noexcept nogil:
    # among the bits of finite magnitudes the largest number has the largest
    cdef environment callers = enter_environment()
    cdef uint32_t magnitude, top = 0
    cdef float scale
    cdef Py_ssize_t i
    for i in range(n):
        magnitude = (<const uint32_t*>x)[i] & <uint32_t>0x7FFFFFFF
        if magnitude < <uint32_t>0x7F800000:
            top = max(top, magnitude)
    scale = <float>(number_of(top, <uint32_t>0) / 2688.0)  # the largest element times the largest scale of a block
    if scale == 0.0:
        scale = 1.0
    leave_environment(callers)
    return scale
