# IEEE-754 taken apart: ufuncs of fields, classes, ULPs and neighbours, of rounding into a format and back; and counts.
#
# Here are the kernels, their registration from the description of a format, and the C interface of ieee754.pxd. The
# functions of one register stand in formats/codes.pxd, the loops in formats/loops.pxd; names, defaults and errors in
# pylib/.
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
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
from .loops.numbers cimport (
    OF_INT64, OF_UINT8, OF_UINT16, OF_UINT32, OF_UINT64, Numbers, join_numbers, numbers_in, numbers_out,
)
from .loops.threads cimport join_threads, run_chunks, thread_count
from .loops.dtypes cimport UINT8, UINT16, UINT32, UINT64, size_of
from .loops.shared cimport join_shared
from .loops.ufuncs cimport MAX_OPERANDS, Registration, for_good, span, ufunc_of

from . import describe_format

np.import_array()
np.import_ufunc()
join_threads()
join_numbers()
join_shared(NULL)

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


cdef Py_ssize_t lanes_of(int width) noexcept nogil:
    return F64_LANES if width == 8 else F32_LANES


cdef Registration registration_of(str function, description, wide_format=None, str rounding="nearest",
                                  bint saturate=False) except *:
    # the kernel, its operands, and its constants, which live as long as the process
    cdef Registration registration
    cdef Format* f
    cdef Conversion* c
    cdef int k = 0
    wide_size = 0 if wide_format is None else wide_format.code_size
    if wide_format is None:
        f = <Format*>for_good(sizeof(Format))
        f[0] = format_of(description)
        registration.context = f
    else:
        c = <Conversion*>for_good(sizeof(Conversion))
        c[0] = constants_of(description, wide_format, rounding, saturate)
        registration.context = c
    registration.kernel = <void*><size_t>KERNELS[wide_size, description.code_size][function]
    registration.n_in = SIGNATURES[function].index(">")
    registration.n_out = len(SIGNATURES[function]) - 1 - registration.n_in
    registration.lanes = lanes_of(4)
    for width, _ in operands_of(function, description, 0, wide_format):
        registration.dtypes[k] = {1: UINT8, 2: UINT16, 4: UINT32, 8: UINT64}[width]
        if width == 8:
            registration.lanes = lanes_of(8)
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


include "parts/ieee754_blocks.pxi"


cdef void add_counts(const code* codes, Py_ssize_t n, int64_t* counts, Py_ssize_t n_counts) noexcept nogil:
    # four tables side by side, so that equal neighbours need not wait for each other
    cdef int64_t[4][1 << 12] tables
    cdef Py_ssize_t i, k
    for k in range(n_counts):
        tables[0][k] = tables[1][k] = tables[2][k] = tables[3][k] = 0
    for i in range(n):
        tables[i & 3][codes[i]] += 1
    for k in range(n_counts):
        counts[k] += tables[0][k] + tables[1][k] + tables[2][k] + tables[3][k]


def count(np.ndarray codes not None, counts):
    """Add to counts[k] how many of the codes, of one to eight bytes, are k."""
    cdef int size = np.PyArray_ITEMSIZE(codes)
    cdef Numbers given = numbers_in(codes, OF_UINT8 if size == 1 else OF_UINT16 if size == 2 else
                                    OF_UINT32 if size == 4 else OF_UINT64, 1)
    cdef Numbers bins = numbers_out(counts, OF_INT64, 1)
    cdef int64_t* counted = <int64_t*>bins.at
    if bins.shape[0] > 1 << 12:
        raise ValueError(f"counts has {bins.shape[0]} entries; expected at most {1 << 12}")
    with nogil:
        if size == 1:
            add_counts(<const uint8_t*>given.at, given.shape[0], counted, bins.shape[0])
        elif size == 2:
            add_counts(<const uint16_t*>given.at, given.shape[0], counted, bins.shape[0])
        elif size == 4:
            add_counts(<const uint32_t*>given.at, given.shape[0], counted, bins.shape[0])
        else:
            add_counts(<const uint64_t*>given.at, given.shape[0], counted, bins.shape[0])


include "parts/ieee754_doors.pxi"
