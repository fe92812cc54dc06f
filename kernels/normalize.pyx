# normalize: a row divided by its length, the sum of magnitudes (p = 1), the square root of the sum of squares (p = 2)
# or the length of any other p (rowwise/lengths.pxd), and the gradient. And a row whose pairs of elements are turned
# (rotary embedding), with the tables of cosines and sines. Which rows, dtypes and strides is loops/rows.pxd; the order
# of sums is loops/reductions.pxd.
from libc.math cimport INFINITY, fabs, ldexp, sqrt
from libc.string cimport memcpy

cimport numpy as np

import numpy as np

from .lanes cimport (
    F64_LANES, enter_environment, environment, f32x, f64x, fma, leave_environment, load_part_f64, magnitude, real,
    splat, splat_f64, store_f64, where_less, with_sign,
)
from .loops.maps cimport put_part, take_part
from .loops.registers cimport itemsize, lanes, load, skip, store, store_part, zip_high, zip_low
from .loops.reductions cimport Pair, first_lanes, map_block, map_row, row_context, sum_block, sum_row, take, wide
from .loops.dtypes cimport FLOAT32, FLOAT64
from .loops.operations cimport Operands, Operation, RowMachine, along_axis, operations_of, row_machine
from .rowwise.lengths cimport (
    NOTHING, PowerLength, find_length, lacking, lost_by_square_root, one_over, power_length_of,
    power_slopes_block, scale_beside,
)
from .math.draws cimport turn

np.import_array()
np.import_ufunc()

cdef const RowMachine* machine = row_machine()

cdef struct Length:
    const void* grad
    const void* x
    double p
    double scale  # the power of two that the row is multiplied by: 1 but for rows near the ends of the exponent range
    double inverse  # one over the length of the scaled row
    double rest  # of float64, how much is lacking of that, as a part of it
    double pull  # backward: how much of the row's direction is subtracted from the gradient


cdef inline void add_power(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Length* length = <const Length*>context
    cdef f64x x = magnitude(wide(<const real*>length.x, i, n) * splat_f64(length.scale))
    if length.p == 2.0:
        x = x * x
    sums[0] = sums[0] + x


cdef inline void add_grad(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                          f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>(<const Length*>context).x, i, n) * splat_f64((<const Length*>context).scale)
    cdef f64x grad = wide(<const real*>(<const Length*>context).grad, i, n)
    sums[0] = sums[0] + (x * first_lanes(splat_f64((<const Length*>context).inverse), n)) * grad


cdef Pair powers(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>context)[0]
    return sum_block(add_power[real], 1, like, &own, start, n)


cdef Pair grads(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Length own = (<const Length*>context)[0]
    return sum_block(add_grad[real], 1, like, &own, start, n)


cdef inline real over_length(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Length*>context).x, i, n)
    return x * splat(x, (<const Length*>context).scale) * splat(x, (<const Length*>context).inverse)


cdef inline real slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - along * pull) / length, along = x / length (p = 2) or the sign of x (p = 1)
    cdef const Length* length = <const Length*>context
    cdef real x = take(<const real*>length.x, i, n), grad = take(<const real*>length.grad, i, n)
    cdef real zero = splat(x, 0.0), along
    if length.p == 2.0:
        along = x * splat(x, length.scale) * splat(x, length.inverse)
    else:
        along = where_less(zero, magnitude(x), with_sign(splat(x, 1.0), x), x)
    return fma(-along, splat(x, length.pull), grad) * splat(x, length.inverse) * splat(x, length.scale)


cdef void over_length_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(over_length[real], y, context, start, n, False)


cdef void slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(slope[real], y, context, start, n, False)


cdef inline bint measure(const real* like, Length* length, double eps, Py_ssize_t n, int threads) noexcept nogil:
    # sets scale and inverse; whether the row is at least eps long
    cdef double total, square, least = -100 if real is f32x else -900, most = 100 if real is f32x else 900
    cdef bint reaches
    length.scale = 1.0
    total = sum_row(powers[real], like, length, n, threads).first
    if not (ldexp(1.0, <int>least) <= total and total <= ldexp(1.0, <int>most)):
        if real is f32x:
            length.scale = ldexp(1.0, 60) if total < 1.0 else ldexp(1.0, -60)
        else:
            length.scale = ldexp(1.0, 600) if total < 1.0 else ldexp(1.0, -600)
        total = sum_row(powers[real], like, length, n, threads).first
    square, total = total, sqrt(total) if length.p == 2.0 else total
    reaches = total >= eps * length.scale
    if total < eps * length.scale:
        length.scale = scale_beside(like, length.scale, eps)
        total = eps * length.scale
    length.inverse = one_over(like, total)
    if real is f64x and reaches and length.grad != NULL:
        length.rest = lacking(length.inverse, total, lost_by_square_root(total, square) if length.p == 2.0 else 0.0)
    return reaches


cdef bint measure_any(const real* like, Length* length, PowerLength* power, double eps, Py_ssize_t n,
                      int threads) noexcept nogil:
    # the same of any p
    power[0] = power_length_of(length.grad, length.x, length.p)
    find_length(like, power, n, threads)
    if power.length < eps * power.scale:
        power.measure = NOTHING  # the length is eps, which has no slope
        power.scale = scale_beside(like, power.scale, eps)
        power.length = eps * power.scale
    length.scale = power.scale
    length.inverse = power.inverse = one_over(like, power.length)
    if real is f64x:
        length.rest = lacking(length.inverse, power.length, power.lost)
    return power.measure != NOTHING


cdef inline void find_pull(const real* like, Length* length, int inverses, Py_ssize_t n, int threads) noexcept nogil:
    # What the inverse lacks of float64 is made good here for all places that multiply by it beside the pull.
    length.pull = sum_row(grads[real], like, length, n, threads).first
    if real is f64x and fabs(length.pull * length.rest) < INFINITY:
        length.pull += length.pull * (inverses * length.rest)


cdef void forward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                         int manner) noexcept nogil:
    # x, p, eps -> y
    cdef Length length
    cdef PowerLength power
    cdef Py_ssize_t r
    for r in range(rows):
        length = Length(NULL, p[r][0], (<double*>p[r][1])[0], 1.0, 0.0, 0.0, 0.0)
        if length.p == 1.0 or length.p == 2.0:
            measure(like, &length, (<double*>p[r][2])[0], n, threads)
        else:
            measure_any(like, &length, &power, (<double*>p[r][2])[0], n, threads)
        map_row(over_length_block[real], <real*>p[r][3], &length, n, threads)


cdef void backward_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                          int manner) noexcept nogil:
    # grad, x, p, eps -> grad_x
    cdef Length length
    cdef PowerLength power
    cdef Py_ssize_t r
    for r in range(rows):
        length = Length(p[r][0], p[r][1], (<double*>p[r][2])[0], 1.0, 0.0, 0.0, 0.0)
        if length.p != 1.0 and length.p != 2.0:
            if measure_any(like, &length, &power, (<double*>p[r][3])[0], n, threads):
                find_pull(like, &length, 1, n, threads)
                power.pull = length.pull
            map_row(power_slopes_block[real], <real*>p[r][4], &power, n, threads)
            continue
        if measure(like, &length, (<double*>p[r][3])[0], n, threads):
            find_pull(like, &length, 2 if length.p == 2.0 else 1, n, threads)
        map_row(slope_block[real], <real*>p[r][4], &length, n, threads)


normalize_gufunc = along_axis(b"normalize", <void*>forward_kernel[f32x], <void*>forward_kernel[f64x], b"rss", b"r",
                              b"x, p, eps -> x / max(length, eps)")
normalize_backward_gufunc = along_axis(
    b"normalize_backward", <void*>backward_kernel[f32x], <void*>backward_kernel[f64x], b"rrss", b"r",
    b"grad, x, p, eps -> grad_x")


# Rotary embedding (Su et al., 2021, https://arxiv.org/abs/2104.09864): each pair (a, b) of a row is turned to
# (a cos - b sin, a sin + b cos). The pairs are neighbours, or element i of the first half and of the second.

cdef inline void part_neighbours(real* pair) noexcept nogil:
    # a0 b0 a1 b1 ... in two registers to the a in one and the b in the other: after as many perfect shuffles as bring
    # all back but one
    cdef Py_ssize_t width = lanes(pair)
    cdef real low
    while width > 1:
        low = zip_low(pair[0], pair[1])
        pair[1] = zip_high(pair[0], pair[1])
        pair[0] = low
        width //= 2


cdef inline void turn_pairs(const real* x, const real* other, const real* cosines, const real* sines, real sign,
                            real* y, real* other_y, Py_ssize_t n, bint neighbours) noexcept nogil:
    # n pairs, a register of them at most. Where they are neighbours, `other` is not looked at
    cdef real pair[2]
    cdef real turned[2]
    cdef real cosine = take(cosines, 0, n), sine = take(sines, 0, n) * sign
    cdef bint whole = n == lanes(x)
    if neighbours:
        if whole:
            pair[0], pair[1] = load(x), load(skip(x, n))
        else:
            take_part(pair, x, 2 * n)
        part_neighbours(pair)
    else:
        pair[0], pair[1] = take(x, 0, n), take(other, 0, n)
    turned[0] = fma(pair[0], cosine, -(pair[1] * sine))
    turned[1] = fma(pair[0], sine, pair[1] * cosine)
    if neighbours:
        pair[0] = zip_low(turned[0], turned[1])
        pair[1] = zip_high(turned[0], turned[1])
        if whole:
            store(y, pair[0])
            store(<real*>skip(y, n), pair[1])
        else:
            put_part(y, pair, 2 * n)
    elif whole:
        store(y, turned[0])
        store(other_y, turned[1])
    else:
        store_part(y, turned[0], n)
        store_part(other_y, turned[1], n)


cdef inline void turn_row(const real* x, const real* cosines, const real* sines, real sign, real* y, Py_ssize_t pairs,
                          bint neighbours) noexcept nogil:
    cdef Py_ssize_t i = 0, width = lanes(x), at
    while i < pairs:
        at = 2 * i if neighbours else i
        if i + width <= pairs:
            turn_pairs(skip(x, at), skip(x, i + pairs), skip(cosines, i), skip(sines, i), sign, <real*>skip(y, at),
                       <real*>skip(y, i + pairs), width, neighbours)
        else:
            turn_pairs(skip(x, at), skip(x, i + pairs), skip(cosines, i), skip(sines, i), sign, <real*>skip(y, at),
                       <real*>skip(y, i + pairs), pairs - i, neighbours)
        i += width


cdef void rotary_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # x, cosines, sines, sign of the sines, how many pairs, whether they are neighbours -> y; behind them y is x
    cdef Py_ssize_t r, pairs, width = itemsize(like)
    cdef real zero = splat(zero, 0.0), sign
    for r in range(rows):
        pairs = <Py_ssize_t>(<double*>p[r][4])[0]
        sign = splat(zero, (<double*>p[r][3])[0])
        if (<double*>p[r][5])[0] != 0.0:
            turn_row(<const real*>p[r][0], <const real*>p[r][1], <const real*>p[r][2], sign, <real*>p[r][6], pairs,
                     True)
        else:
            turn_row(<const real*>p[r][0], <const real*>p[r][1], <const real*>p[r][2], sign, <real*>p[r][6], pairs,
                     False)
        if p[r][0] != p[r][6]:
            memcpy(<char*>p[r][6] + 2 * pairs * width, <char*>p[r][0] + 2 * pairs * width, (n - 2 * pairs) * width)


rotary_gufunc = along_axis(
    b"rotary_embedding", <void*>rotary_kernel[f32x], <void*>rotary_kernel[f64x], b"rvvsss", b"r",
    b"x, cos, sin, sign, pairs, neighbours -> the pairs turned")


cdef inline void tables_of(double position, const double* high, const double* low, char* cosines, char* sines,
                           Py_ssize_t n, bint narrow) noexcept nogil:
    # The whole turns of position * high are taken off exactly; what its rounding lost, and low, are added after.
    cdef f64x at = splat_f64(position), turns = load_part_f64(high, n), product, rest, whole, cosine, sine
    cdef f64x rounding = splat_f64(6755399441055744.0)  # 1.5 * 2^52, whose sums are rounded to whole numbers
    cdef double found[16]
    cdef Py_ssize_t i
    product = at * turns
    rest = fma(at, load_part_f64(low, n), fma(at, turns, -product))
    whole = (product + rounding) - rounding
    whole = where_less(product, whole, whole - splat_f64(1.0), whole)
    turn(<const f64x*>NULL, (product - whole) + rest, &cosine, &sine)
    store_f64(found, cosine)
    store_f64(found + 8, sine)
    for i in range(n):
        if narrow:
            (<float*>cosines)[i], (<float*>sines)[i] = <float>found[i], <float>found[8 + i]
        else:
            (<double*>cosines)[i], (<double*>sines)[i] = found[i], found[8 + i]


cdef void each_table(const double* positions, Py_ssize_t count, const double* high, const double* low,
                     Py_ssize_t pairs, char* cosines, char* sines, bint narrow) noexcept nogil:
    cdef Py_ssize_t k, i, width = 4 if narrow else 8
    cdef environment callers = enter_environment()
    for k in range(count):
        i = 0
        while i < pairs:
            tables_of(positions[k], high + i, low + i, cosines + (k * pairs + i) * width,
                      sines + (k * pairs + i) * width, min(F64_LANES, pairs - i), narrow)
            i += F64_LANES
    leave_environment(callers)


def rotary_tables(positions, high, low, bint narrow):
    """Cosines and sines of positions, an array of float64, times angles, given in turns as high + low, arrays of
    float64; in float32 where `narrow`. Each of the shape of the positions, and the angles behind that."""
    cdef np.ndarray at = np.PyArray_FROMANY(positions, np.NPY_DOUBLE, 0, 0, np.NPY_ARRAY_CARRAY_RO)
    cdef np.ndarray turns = np.PyArray_FROMANY(high, np.NPY_DOUBLE, 1, 1, np.NPY_ARRAY_CARRAY_RO)
    cdef np.ndarray rest = np.PyArray_FROMANY(low, np.NPY_DOUBLE, 1, 1, np.NPY_ARRAY_CARRAY_RO)
    cdef Py_ssize_t count = np.PyArray_SIZE(at), pairs = np.PyArray_SIZE(turns)
    cdef object shape = (<object>at).shape + (pairs,), dtype = "f4" if narrow else "f8"
    cdef np.ndarray cosines = np.empty(shape, dtype), sines = np.empty(shape, dtype)
    if np.PyArray_SIZE(rest) != pairs:
        raise ValueError(f"rotary_tables: {pairs} angles and {np.PyArray_SIZE(rest)} remainders; expected as many")
    cdef const double* p = <const double*>np.PyArray_DATA(at)
    cdef const double* t = <const double*>np.PyArray_DATA(turns)
    cdef const double* t_low = <const double*>np.PyArray_DATA(rest)
    cdef char* cosine_at = np.PyArray_BYTES(cosines)
    cdef char* sine_at = np.PyArray_BYTES(sines)
    with nogil:
        each_table(p, count, t, t_low, pairs, cosine_at, sine_at, narrow)
    return cosines, sines


def length(np.ndarray x, double p):
    """The length of all elements of x, C-contiguous float32 or float64, as one row: sum(|x|^p)^(1/p) of any p."""
    cdef PowerLength row = power_length_of(NULL, np.PyArray_DATA(x), p)
    if np.PyArray_TYPE(x) == np.NPY_FLOAT:
        find_length(<const f32x*>NULL, &row, np.PyArray_SIZE(x), 1)
    else:
        find_length(<const f64x*>NULL, &row, np.PyArray_SIZE(x), 1)
    return row.length / row.scale


# Through the row machine, for those who call from C.

cdef const Operation* of_normalize = operations_of(normalize_gufunc)
cdef const Operation* of_normalize_backward = operations_of(normalize_backward_gufunc)


cdef bint normalize_float32(const float* x, double p, double eps, float* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil:
    return machine.call(of_normalize, FLOAT32, [x, &p, &eps, y], 1 << 1 | 1 << 2, rows, n)


cdef bint normalize_float64(const double* x, double p, double eps, double* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil:
    return machine.call(of_normalize, FLOAT64, [x, &p, &eps, y], 1 << 1 | 1 << 2, rows, n)


cdef bint normalize_backward_float32(const float* grad, const float* x, double p, double eps, float* grad_x,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_normalize_backward, FLOAT32, [grad, x, &p, &eps, grad_x], 1 << 2 | 1 << 3, rows, n)


cdef bint normalize_backward_float64(const double* grad, const double* x, double p, double eps, double* grad_x,
                                     Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_normalize_backward, FLOAT64, [grad, x, &p, &eps, grad_x], 1 << 2 | 1 << 3, rows, n)


cdef inline void turned_rows(const real* like, const char* x, const char* cosines, const char* sines, double sign,
                             double interleaved, char* y, Py_ssize_t rows, Py_ssize_t n,
                             Py_ssize_t pairs) noexcept nogil:
    cdef Operands p[1]
    cdef double count = <double>pairs
    cdef Py_ssize_t r, row = n * itemsize(like), table = pairs * itemsize(like)
    p[0][3], p[0][4], p[0][5] = <char*>&sign, <char*>&count, <char*>&interleaved
    for r in range(rows):
        p[0][0], p[0][6] = <char*>x + r * row, y + r * row
        p[0][1], p[0][2] = <char*>cosines + r * table, <char*>sines + r * table
        rotary_kernel(like, p, 1, n, 1, 0)


cdef void rotary_embedding_float32(const float* x, const float* cosines, const float* sines, bint interleaved, float* y,
                                   Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs) noexcept nogil:
    turned_rows(<const f32x*>NULL, <const char*>x, <const char*>cosines, <const char*>sines, 1.0, interleaved, <char*>y,
                rows, n, pairs)


cdef void rotary_embedding_float64(const double* x, const double* cosines, const double* sines, bint interleaved,
                                   double* y, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t pairs) noexcept nogil:
    turned_rows(<const f64x*>NULL, <const char*>x, <const char*>cosines, <const char*>sines, 1.0, interleaved, <char*>y,
                rows, n, pairs)


cdef void rotary_embedding_backward_float32(const float* grad, const float* cosines, const float* sines,
                                            bint interleaved, float* grad_x, Py_ssize_t rows, Py_ssize_t n,
                                            Py_ssize_t pairs) noexcept nogil:
    turned_rows(<const f32x*>NULL, <const char*>grad, <const char*>cosines, <const char*>sines, -1.0, interleaved,
                <char*>grad_x, rows, n, pairs)


cdef void rotary_embedding_backward_float64(const double* grad, const double* cosines, const double* sines,
                                            bint interleaved, double* grad_x, Py_ssize_t rows, Py_ssize_t n,
                                            Py_ssize_t pairs) noexcept nogil:
    turned_rows(<const f64x*>NULL, <const char*>grad, <const char*>cosines, <const char*>sines, -1.0, interleaved,
                <char*>grad_x, rows, n, pairs)
