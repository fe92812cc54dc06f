# IEEE-754 taken apart: ufuncs of fields, classes, ULPs and neighbours, of rounding into a format and back; and counts.
#
# Here are the loops over arrays of codes and their registration, from a description of the format. What is done to
# one register stands in formats.pxd; names, defaults and errors in pylib/ieee754.py.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.stdlib cimport malloc

cimport numpy as np

from .formats cimport (
    Conversion, Format, class_of, code_of, directed_of, distance_of, error_of, exact_integer_of,
    exponent_of, loss_of, mantissa_of, nearest_of, next_down_of, next_up_of, power_of, sign_of, stochastic_of,
    ulp_of, wide_of, word,
)
from .lanes cimport (
    F32_LANES, F64_LANES, bits_f32, load_bfloat16, load_f32, load_float16, load_u32, load_u64, narrow_u32_u8,
    narrow_u32_u16, narrow_u64_u8, narrow_u64_u16, narrow_u64_u32, splat_u32, splat_u64, store_bfloat16,
    store_f32, store_float16, store_u32, store_u64, u32x, u64x, where_less_i32, widen_u8_u32, widen_u8_u64,
    widen_u16_u32, widen_u16_u64, widen_u32_u64,
)
from .ufuncs cimport MAX_OPERANDS, UINT8, UINT16, UINT32, UINT64, Row, thread_count, ufunc_of_rows

np.import_array()
np.import_ufunc()

ctypedef fused code:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused result:
    uint8_t
    uint16_t
    uint32_t
    uint64_t

ctypedef fused wide:
    uint32_t
    uint64_t

ctypedef fused told:
    Format
    Conversion


cdef inline Py_ssize_t lanes(word like) noexcept nogil:
    if word is u32x:
        return F32_LANES
    else:
        return F64_LANES


cdef inline word load(const code* p, word like) noexcept nogil:
    # a register of codes, each in a lane of `like`'s width, which holds it
    if word is u32x:
        if code is uint8_t:
            return widen_u8_u32(p)
        elif code is uint16_t:
            return widen_u16_u32(p)
        else:
            return load_u32(<const uint32_t*>p)
    else:
        if code is uint8_t:
            return widen_u8_u64(p)
        elif code is uint16_t:
            return widen_u16_u64(p)
        elif code is uint32_t:
            return widen_u32_u64(p)
        else:
            return load_u64(p)


cdef inline void store(result* p, word x) noexcept nogil:
    if word is u32x:
        if result is uint8_t:
            narrow_u32_u8(p, x)
        elif result is uint16_t:
            narrow_u32_u16(p, x)
        else:
            store_u32(<uint32_t*>p, x)
    else:
        if result is uint8_t:
            narrow_u64_u8(p, x)
        elif result is uint16_t:
            narrow_u64_u16(p, x)
        elif result is uint32_t:
            narrow_u64_u32(p, x)
        else:
            store_u64(p, x)


# The loops run by whole registers. What a function is told is copied first, since for all C knows the results might
# overwrite it. `like` carries the register type to a function that has no register yet.

cdef inline void map1(word (*f)(word, const told*) noexcept nogil, const code* x, result* y, Py_ssize_t n,
                      const told* t, word like) noexcept nogil:
    # y = f(x)
    cdef told here = t[0]
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, f(load(x + i, like), &here))
        i += lanes(like)


cdef inline void take_apart(const code* x, uint8_t* sign, result* exponent, code* mantissa, Py_ssize_t n,
                            const Format* t, word like) noexcept nogil:
    cdef Format f = t[0]
    cdef Py_ssize_t i = 0
    cdef word here
    while i < n:
        here = load(x + i, like)
        store(sign + i, sign_of(here, &f))
        store(exponent + i, exponent_of(here, &f))
        store(mantissa + i, mantissa_of(here, &f))
        i += lanes(like)


cdef inline void put_together(const uint8_t* sign, const result* exponent, const code* mantissa, code* y,
                              Py_ssize_t n, const Format* t, word like) noexcept nogil:
    cdef Format f = t[0]
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, code_of(load(sign + i, like), load(exponent + i, like), load(mantissa + i, like), &f))
        i += lanes(like)


# The kernels: one register type for codes of up to 32 bits, the other for those of 64.

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
    if code is uint64_t:
        map1(class_of[u64x], x, y, n, f, splat_u64(0))
    else:
        map1(class_of[u32x], x, y, n, f, splat_u32(0))


cdef void ulp(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    if code is uint64_t:
        map1(ulp_of[u64x], x, y, n, f, splat_u64(0))
    else:
        map1(ulp_of[u32x], x, y, n, f, splat_u32(0))


cdef void next_up(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    if code is uint64_t:
        map1(next_up_of[u64x], x, y, n, f, splat_u64(0))
    else:
        map1(next_up_of[u32x], x, y, n, f, splat_u32(0))


cdef void next_down(const code* x, code* y, Py_ssize_t n, const Format* f) noexcept nogil:
    if code is uint64_t:
        map1(next_down_of[u64x], x, y, n, f, splat_u64(0))
    else:
        map1(next_down_of[u32x], x, y, n, f, splat_u32(0))


cdef void is_exact_integer(const code* x, uint8_t* y, Py_ssize_t n, const Format* f) noexcept nogil:
    if code is uint64_t:
        map1(exact_integer_of[u64x], x, y, n, f, splat_u64(0))
    else:
        map1(exact_integer_of[u32x], x, y, n, f, splat_u32(0))


cdef void ulp_distance(const code* a, const code* b, uint64_t* y, Py_ssize_t n, const Format* t) noexcept nogil:
    cdef Format f = t[0]
    cdef u64x like = splat_u64(0)
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, distance_of(load(a + i, like), load(b + i, like), &f))
        i += F64_LANES


cdef inline void to_machine_format(const float* x, uint16_t* y, Py_ssize_t n, bint bfloat) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i < n:
        if bfloat:
            store_bfloat16(y + i, load_f32(x + i))
        else:
            store_float16(y + i, load_f32(x + i))
        i += F32_LANES


cdef inline void from_machine_format(const uint16_t* x, float* y, Py_ssize_t n, bint bfloat) noexcept nogil:
    # a load makes binary16's NaNs quiet, but not bfloat16's
    cdef u32x magnitude = splat_u32(0x7FFFFFFF), infinity = splat_u32(0x7F800000), quiet = splat_u32(0x00400000), bits
    cdef Py_ssize_t i = 0
    while i < n:
        if bfloat:
            bits = bits_f32(load_bfloat16(x + i))
            store_u32(<uint32_t*>y + i, where_less_i32(infinity, bits & magnitude, bits | quiet, bits))
        else:
            store_f32(y + i, load_float16(x + i))
        i += F32_LANES


cdef void encode(const wide* x, code* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if c.machine_format:
        to_machine_format(<const float*>x, <uint16_t*>y, n, c.machine_format == 8)
    elif c.f.sign == 0:
        if wide is uint64_t:
            map1(power_of[u64x], x, y, n, c, splat_u64(0))
        else:
            map1(power_of[u32x], x, y, n, c, splat_u32(0))
    elif c.directed:
        if wide is uint64_t:
            map1(directed_of[u64x], x, y, n, c, splat_u64(0))
        else:
            map1(directed_of[u32x], x, y, n, c, splat_u32(0))
    elif wide is uint64_t:
        map1(nearest_of[u64x], x, y, n, c, splat_u64(0))
    else:
        map1(nearest_of[u32x], x, y, n, c, splat_u32(0))


cdef void decode(const code* x, wide* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if c.machine_format:
        from_machine_format(<const uint16_t*>x, <float*>y, n, c.machine_format == 8)
    elif wide is uint64_t:
        map1(wide_of[u64x], x, y, n, c, splat_u64(0))
    else:
        map1(wide_of[u32x], x, y, n, c, splat_u32(0))


cdef inline word rounded_and_back(word x, const Conversion* c) noexcept nogil:
    if c.f.sign == 0:
        return error_of(x, power_of(x, c), c)
    if c.directed:
        return error_of(x, directed_of(x, c), c)
    return error_of(x, nearest_of(x, c), c)


cdef void rounding_error(const wide* x, wide* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if wide is uint64_t:
        map1(rounded_and_back[u64x], x, y, n, c, splat_u64(0))
    else:
        map1(rounded_and_back[u32x], x, y, n, c, splat_u32(0))


cdef void encode_stochastic(const wide* x, const uint32_t* noise, code* y, Py_ssize_t n,
                            const Conversion* t) noexcept nogil:
    cdef Conversion c = t[0]
    cdef u64x upper_half = splat_u64(32)
    cdef Py_ssize_t i = 0
    while i < n:
        if wide is uint64_t:
            store(y + i, stochastic_of(load_u64(x + i), widen_u32_u64(noise + i) << upper_half, &c))
            i += F64_LANES
        else:
            store(y + i, stochastic_of(load_u32(x + i), load_u32(noise + i), &c))
            i += F32_LANES


cdef void pack(const uint8_t* low, const uint8_t* high, uint8_t* y, Py_ssize_t n) noexcept nogil:
    cdef u32x like = splat_u32(0), nibble = splat_u32(15)
    cdef Py_ssize_t i = 0
    while i < n:
        store(y + i, (load(low + i, like) & nibble) | ((load(high + i, like) & nibble) << splat_u32(4)))
        i += F32_LANES


cdef void unpack(const uint8_t* x, uint8_t* low, uint8_t* high, Py_ssize_t n) noexcept nogil:
    cdef u32x like = splat_u32(0)
    cdef Py_ssize_t i = 0
    while i < n:
        store(high + i, load(x + i, like) >> splat_u32(4))
        store(low + i, load(x + i, like) & splat_u32(15))
        i += F32_LANES


cdef void classify_loss(const wide* x, uint8_t* y, Py_ssize_t n, const Conversion* c) noexcept nogil:
    if wide is uint64_t:
        map1(loss_of[u64x], x, y, n, c, splat_u64(0))
    else:
        map1(loss_of[u32x], x, y, n, c, splat_u32(0))


# Registration: from the description of a format, any object with pylib/ieee754.py's attributes, to its ufuncs.

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


cdef size_t kernel_for(str function, int size, int wide_size) except 0:
    cdef dict kernels
    if wide_size == 0:
        kernels = (kernels_on(<uint8_t>0) if size == 1 else kernels_on(<uint16_t>0) if size == 2
                   else kernels_on(<uint32_t>0) if size == 4 else kernels_on(<uint64_t>0))
    elif wide_size == 4:
        kernels = (conversions_on(<uint8_t>0, <uint32_t>0) if size == 1 else conversions_on(<uint16_t>0, <uint32_t>0)
                   if size == 2 else conversions_on(<uint32_t>0, <uint32_t>0))
    else:
        kernels = (conversions_on(<uint8_t>0, <uint64_t>0) if size == 1 else conversions_on(<uint16_t>0, <uint64_t>0)
                   if size == 2 else conversions_on(<uint32_t>0, <uint64_t>0) if size == 4
                   else conversions_on(<uint64_t>0, <uint64_t>0))
    return kernels[function]


cdef Format format_of(description) except *:
    cdef Format f
    cdef bint none_above = description.infinity_code is None
    f.exponent_bits = description.exponent_bits
    f.mantissa_bits = description.mantissa_bits
    f.sign_place = f.exponent_bits + f.mantissa_bits
    f.sign = <uint64_t>description.signed << f.sign_place
    f.magnitude = (<uint64_t>1 << f.sign_place) - 1
    f.exponent_field = (<uint64_t>1 << f.exponent_bits) - 1
    f.mantissa_field = (<uint64_t>1 << f.mantissa_bits) - 1
    f.first_exponent = description.has_subnormals
    f.zero = 0 if description.has_subnormals else -1
    f.last_subnormal = f.mantissa_field if description.has_subnormals else -1
    f.largest = description.largest_code
    f.infinity = f.largest if none_above else description.infinity_code
    f.nan = f.sign if description.nan_code is None else description.nan_code
    f.last_signaling = f.infinity if none_above else f.nan - 1
    f.payload = 0 if none_above else f.mantissa_field
    f.one = <uint64_t>description.bias << f.mantissa_bits
    f.exact_limit = description.exact_limit_code
    return f


cdef Conversion conversion_of(description, wide_format, str rounding, bint saturate) except *:
    # every constant of a conversion, from exact integers of Python; the names are those of Conversion's fields
    cdef Conversion c
    cdef int64_t finite, infinite, beyond
    bits, wide_bits = description.mantissa_bits, wide_format.mantissa_bits
    shift = wide_bits - bits
    first = description.has_subnormals - description.bias + wide_format.bias
    c.f = format_of(description)
    c.shift = shift
    c.sign_shift = wide_format.width - 1 - c.f.sign_place
    c.rebias = (wide_format.bias - description.bias) << wide_bits
    c.magnitude = (1 << (wide_format.width - 1)) - 1
    c.infinity = wide_format.infinity_code
    c.nan = wide_format.nan_code
    c.mantissa_field = (1 << wide_bits) - 1
    c.mantissa_bits = wide_bits
    c.smallest_exponent = first
    # binary32 has 2^-127, e8m0's smallest, as a subnormal
    c.smallest_normal = first << wide_bits if first > 0 else 1 << (wide_bits - 1)
    c.leading = c.smallest_normal if description.has_subnormals else 0
    c.subnormals_below = 0 if c.rebias == 0 else c.smallest_normal
    c.magic = (first + shift) << wide_bits
    c.directed = rounding != "nearest"
    c.half = (1 << (shift - 1)) - 1 if shift else 0
    c.odd = shift > 0
    c.positive_up = -1 if rounding == "up" else 0
    c.negative_up = -1 if rounding == "down" else 0
    c.tie = 0
    if not description.signed:
        # a format of powers of two: a tie goes up, since a significand that is always 1 is always odd
        c.subnormals_below = (first + 1) << wide_bits
        c.half = c.half + 1 if rounding == "nearest" else c.mantissa_field if rounding == "up" else 0
        c.tie = c.subnormals_below
        if rounding == "nearest":
            c.tie = c.smallest_normal + (c.subnormals_below - c.smallest_normal) // 2
        elif rounding == "up":
            c.tie = c.smallest_normal + 1
    finite = description.largest_code
    infinite = beyond = finite
    if not saturate and description.nan_code is not None:
        infinite = beyond = finite + 1
    c.positive_limit = finite if rounding in ("zero", "down") else beyond
    c.negative_limit = finite if rounding in ("zero", "up") else beyond
    c.infinite = infinite
    # the processor itself rounds binary32 into these two as is asked for here
    c.machine_format = 0
    if rounding == "nearest" and not saturate and wide_format.width == 32 and description.specials == "ieee":
        if (description.exponent_bits, bits, description.bias) == (5, 10, 15):
            c.machine_format = 16
        elif (description.exponent_bits, bits, description.bias) == (8, 7, 127):
            c.machine_format = 8
    return c


cdef int fill_row(Row* row, int* types, str function, description, int number, wide_format) except -1:
    # one row: kernel and operands; `number` is NumPy's type number of what c stands for
    cdef int size = description.code_size, wide_size = 0 if wide_format is None else wide_format.code_size, k = 0
    cdef int width
    inputs, outputs = SIGNATURES[function].split(">")
    row.kernel = <void*>kernel_for(function, size, wide_size)
    row.lanes = F64_LANES if 8 in (size, wide_size) or function == "ulp_distance" else F32_LANES
    row.n_in, row.n_out = len(inputs), len(outputs)
    row.threads = thread_count()
    for kind in inputs + outputs:
        width = {"c": size, "m": size, "b": 1, "?": 1, "e": 1 if description.exponent_bits <= 8 else 2, "q": 8, "n": 4,
                 "w": wide_size}[kind]
        row.dtypes[k] = UINT8 if width == 1 else UINT16 if width == 2 else UINT32 if width == 4 else UINT64
        types[k] = (number if kind == "c" else np.NPY_BOOL if kind == "?" else np.NPY_INT64 if kind == "q"
                    else (np.NPY_FLOAT if wide_size == 4 else np.NPY_DOUBLE) if kind == "w" else UNSIGNED[width])
        k += 1
    return 0


def of_formats(str function, str name, str doc, list descriptions):
    """A ufunc with a loop for each (description, type number of its numbers or codes)."""
    cdef int n_rows = len(descriptions), r
    cdef Row[16] rows
    cdef int[16 * MAX_OPERANDS] types
    cdef Format* formats = <Format*>malloc(n_rows * sizeof(Format))
    cdef int operands = len(SIGNATURES[function]) - 1
    for r in range(n_rows):
        description, number = descriptions[r]
        formats[r] = format_of(description)
        fill_row(&rows[r], types + r * operands, function, description, number, None)
        rows[r].told = &formats[r]
    return ufunc_of_rows(name.encode(), doc.encode(), rows, types, n_rows)


def of_conversions(str function, str name, str doc, description, wide_formats, str rounding="nearest",
                   bint saturate=False):
    """A ufunc with a loop for each wide format, between it and the one described."""
    cdef int n_rows = len(wide_formats), r
    cdef Row[2] rows
    cdef int[2 * MAX_OPERANDS] types
    cdef Conversion* conversions = <Conversion*>malloc(n_rows * sizeof(Conversion))
    cdef int operands = len(SIGNATURES[function]) - 1
    for r in range(n_rows):
        conversions[r] = conversion_of(description, wide_formats[r], rounding, saturate)
        fill_row(&rows[r], types + r * operands, function, description, UNSIGNED[description.code_size],
                 wide_formats[r])
        rows[r].told = &conversions[r]
    return ufunc_of_rows(name.encode(), doc.encode(), rows, types, n_rows)


cdef object of_bytes(bytes name, bytes doc, void* kernel, int n_in, int n_out):
    cdef Row row
    cdef int[3] types = [np.NPY_UINT8, np.NPY_UINT8, np.NPY_UINT8]
    row.kernel, row.told, row.lanes = kernel, NULL, F32_LANES
    row.n_in, row.n_out = n_in, n_out
    row.dtypes = [UINT8, UINT8, UINT8, UINT8, UINT8]
    row.threads = thread_count()
    return ufunc_of_rows(name, doc, &row, types, 1)


pack_pairs = of_bytes(b"pack_pairs", b"Two 4-bit codes in a byte, the first in its low half.", <void*>pack, 2, 1)
unpack_pairs = of_bytes(b"unpack_pairs", b"A byte's low half and its high half.", <void*>unpack, 1, 2)


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
