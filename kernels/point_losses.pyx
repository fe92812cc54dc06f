# Losses of numbers that have been picked by their class, and the weights of classes that means divide by; losses of
# pairs of numbers, each, their sum, and their gradient. What a target may be is checked in pylib/functions/losses.py;
# cross-entropy is losses.pyx.
from libc.math cimport INFINITY, fabs, frexp, ldexp
from libc.stdint cimport int16_t, int64_t, uint16_t
from libc.string cimport memset

cimport numpy as np

cdef extern from "numpy/arrayobject.h":
    const int NPY_HALF

from .lanes cimport (
    F32_LANES, any_less, at_least, at_most, called, f32x, f64x, fma, magnitude, real, splat, splat_f64, where_less,
)
from .loops.dtypes cimport BFLOAT16, FLOAT16, FLOAT32, FLOAT64, Dtype, number_at, put_number
from .loops.operations cimport BFLOAT16_ROWS, FLOAT16_ROWS, Operands, along_axis, taking_shorts
from .loops.reductions cimport (
    FOLD, FOLDED_PARTS, FOLDED_SUMS, FOLDED_TERMS, Pair, add_fold, add_folds, fill, first_lanes, fold_element,
    map_block, map_in_pairs, map_row, row_context, store_short_part, sum_block, sum_row, sum_values, take, take_of,
    tree, wide,
)
from .loops.registers cimport skip
from .math.exponential cimport far_out, largest, least_normal
from .math.logistic cimport sigmoids
from .points.sigmoid cimport times_logistic
from .points.softplus cimport softpluses

np.import_array()
np.import_ufunc()

include "parts/point_losses_picked.pxi"


include "parts/point_losses_pairs.pxi"


# A loss of logits in float64 is long, and called rather than copied to the places of each loop that need it; so is a
# slope far out.
ctypedef f64x (*entropy_function)(f64x x, f64x target, f64x yes_weight, const Pairs* own) noexcept nogil
ctypedef real (*far_slope_function)(real x, real target, real y, const Pairs* own, Py_ssize_t i,
                                    Py_ssize_t n) noexcept nogil


cdef f64x entropy_of(f64x x, f64x target, f64x yes_weight, const Pairs* own) noexcept nogil:
    return value_of(x, target, yes_weight, own, LOGITS, False)


cdef inline f64x wide_value(f64x x, f64x target, f64x yes_weight, const Pairs* own, Kind kind,
                            bint widened) noexcept nogil:
    if kind == LOGITS:
        return (<entropy_function>called(<void*>entropy_of))(x, target, yes_weight, own)
    return value_of(x, target, yes_weight, own, kind, widened)


cdef inline real value(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n, Kind kind) noexcept nogil:
    cdef const Pairs* own = <const Pairs*>context
    cdef real x = take_of(own.dtype, <const real*>own.x, i, n)
    cdef real target = take_of(own.dtype, <const real*>own.target, i, n)
    cdef real yes_weight = each(like, own.yes_weight, x, i, n), found
    if real is f64x:
        found = wide_value(x, target, yes_weight, own, kind, False)
    else:
        found = value_of(x, target, yes_weight, own, kind, own.dtype == FLOAT16)
    if kind == LOGITS and own.weight != NULL:
        return unless_zero(take(<const real*>own.weight, i, n), found)
    return found


cdef inline real square(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return value(like, context, i, n, MSE)


cdef inline real distance(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return value(like, context, i, n, L1)


cdef inline real huber(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return value(like, context, i, n, HUBER)


cdef inline real entropy(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return value(like, context, i, n, LOGITS)


cdef inline f64x wide_each(const real* like, const void* values, f64x none, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return wide(<const real*>values, i, n) if values != NULL else none


cdef inline void add_value(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n, f64x* sums,
                           Kind kind) noexcept nogil:
    cdef const Pairs* own = <const Pairs*>context
    cdef f64x x = wide(<const real*>own.x, i, n), size, found
    if real is f32x and kind == HUBER:
        # value_of, whose product is added at once
        size = magnitude(x - wide(<const real*>own.target, i, n))
        found = at_most(size, splat_f64(own.delta))
        sums[0] = fma(first_lanes(found, n), fma(found, splat_f64(-0.5), size), sums[0])
        return
    found = wide_value(x, wide(<const real*>own.target, i, n), wide_each(like, own.yes_weight, x, i, n), own, kind,
                       real is f32x)
    if kind == LOGITS and own.weight != NULL:
        found = unless_zero(wide(<const real*>own.weight, i, n), found)
    sums[0] = sums[0] + first_lanes(found, n)


cdef inline void add_square(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    add_value(like, context, i, n, sums, MSE)


cdef inline void add_distance(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                              f64x* sums) noexcept nogil:
    add_value(like, context, i, n, sums, L1)


cdef inline void add_huber(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    add_value(like, context, i, n, sums, HUBER)


cdef inline void add_entropy(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    add_value(like, context, i, n, sums, LOGITS)


cdef inline void fold_entropy(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    sums[0] = sums[0] + value(like, context, i, n, LOGITS)


cdef inline real times_grad(real found, const Pairs* own, Py_ssize_t i, Py_ssize_t n, Kind kind) noexcept nogil:
    cdef real grad
    if own.grad == NULL:
        return found * splat(found, own.scale) * splat(found, own.power)
    # the order keeps every step from overflowing
    grad = take(<const real*>own.grad, i, n)
    if kind != MSE:
        return found * grad
    return where_less(splat(found, 1.0), magnitude(found), found * (grad + grad), (found + found) * grad)


cdef real far_slope(real x, real target, real y, const Pairs* own, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # times_grad of the slope of logits that are far out: the gradient multiplies before a sigmoid has lost bits as a
    # subnormal number. `y`, which had them lost, where those products are beyond the range or subnormal themselves:
    # then the smaller sigmoid adds nothing.
    cdef real grad, found, size
    if own.grad == NULL:
        grad = splat(x, own.scale) * splat(x, own.power)
    else:
        grad = take(<const real*>own.grad, i, n)
    size = magnitude(grad)
    if own.weight != NULL:
        grad = grad * take(<const real*>own.weight, i, n)
        size = at_most(size, magnitude(grad))
    found = times_logistic(grad * (splat(x, 1.0) - target), x, splat(x, 0.0)) - times_logistic(
        grad * yes_of(target, each(&x, own.yes_weight, x, i, n), own), -x, splat(x, 0.0))
    return where_less(size, least_normal(x), y, where_less(magnitude(found), splat(x, INFINITY), found, y))


cdef inline real slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n, Kind kind) noexcept nogil:
    cdef const Pairs* own = <const Pairs*>context
    cdef real x = take_of(own.dtype, <const real*>own.x, i, n), half, far
    cdef real target = take_of(own.dtype, <const real*>own.target, i, n)
    cdef real found = slope_of(x, target, each(like, own.yes_weight, x, i, n), own, kind)
    if kind == LOGITS and own.weight != NULL:
        found = unless_zero(take(<const real*>own.weight, i, n), found)
    cdef real y = times_grad(found, own, i, n, kind)
    if kind == MSE and any_less(largest(x), magnitude(found)):
        half = times_grad(splat(x, 0.5) * x - splat(x, 0.5) * target, own, i, n, kind)
        y = where_less(largest(x), magnitude(found), half + half, y)
    if kind == LOGITS and any_less(far_out(x), magnitude(x)):
        far = (<far_slope_function>called(<void*>far_slope[real]))(x, target, y, own, i, n)
        y = where_less(far_out(x), magnitude(x), far, y)
    return y


cdef inline real square_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope(like, context, i, n, MSE)


cdef inline real distance_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope(like, context, i, n, L1)


cdef inline real huber_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope(like, context, i, n, HUBER)


cdef inline real entropy_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return slope(like, context, i, n, LOGITS)


include "parts/point_losses_blocks.pxi"


cdef inline void set_scale(Pairs* row, double scale, int of_scale) noexcept nogil:
    # by what slopes are multiplied: scale * 2^of_scale, and twice that for mse, since slope_of gives half of its slope
    cdef int exponent, part
    row.scale, row.power = scale, 2.0 if row.kind == MSE else 1.0
    if 0.0 < fabs(scale) < INFINITY:
        row.scale = 2.0 * frexp(scale, &exponent)  # from 1 to 2
        exponent += of_scale + (row.kind == MSE) - 1
        part = (exponent - (exponent < 0)) // 2  # rounded down: of a product below 1 no factor is above it
        row.scale, row.power = ldexp(row.scale, part), ldexp(1.0, exponent - part)


cdef inline Pairs pair_of(const void* x, const void* target, const void* grad, Kind kind, double delta) noexcept nogil:
    # of plain vectors, without weights
    cdef Pairs row = Pairs(x, target, NULL, NULL, grad, kind, delta, 1.0, 1.0, FLOAT32)
    set_scale(&row, 1.0, 0)
    return row


cdef inline Pairs pairs_of(void** p, int manner) noexcept nogil:
    # x, target, weight, yes_weight, kind, delta
    return Pairs(p[0], p[1], p[2], p[3], NULL, <Kind><int>(<double*>p[4])[0], (<double*>p[5])[0], 1.0, 1.0,
                 BFLOAT16 if manner & BFLOAT16_ROWS else FLOAT16 if manner & FLOAT16_ROWS else FLOAT32)


cdef void values_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # ... -> losses
    cdef Pairs row
    cdef Py_ssize_t r
    for r in range(rows):
        row = pairs_of(p[r], manner)
        map_row(value_block[real], <real*>p[r][6], &row, n, threads)


cdef void sums_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                      int manner) noexcept nogil:
    # ... -> the sum of the losses
    cdef Pairs row
    cdef Py_ssize_t r
    for r in range(rows):
        row = pairs_of(p[r], manner)
        (<double*>p[r][6])[0] = sum_row(sum_of_block[real], like, &row, n, threads).first


cdef void slopes_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                        int manner) noexcept nogil:
    # ..., grad, scale, its exponent -> grad_x
    cdef Pairs row
    cdef Py_ssize_t r
    for r in range(rows):
        row = pairs_of(p[r], manner)
        row.grad = p[r][6]
        set_scale(&row, (<double*>p[r][7])[0], <int>(<double*>p[r][8])[0])
        map_row(slope_block[real], <real*>p[r][9], &row, n, threads)


cdef object pair_losses():
    return along_axis(b"pair_losses", <void*>values_kernel[f32x], <void*>values_kernel[f64x], b"rrvvss", b"r",
                      b"x, target, weight, yes_weight, kind, delta -> losses")


cdef object pair_losses_backward():
    return along_axis(
        b"pair_losses_backward", <void*>slopes_kernel[f32x], <void*>slopes_kernel[f64x], b"rrvvssvss", b"r",
        b"x, target, weight, yes_weight, kind, delta, grad, scale, its exponent -> grad_x")


# Those of logits are long, and take rows of 16 bits by way of tiles
pair_losses_gufunc = taking_shorts(pair_losses())
pair_losses_backward_gufunc = taking_shorts(pair_losses_backward())
entropies_gufunc = pair_losses()
entropies_backward_gufunc = pair_losses_backward()
sum_of_pair_losses_gufunc = along_axis(
    b"sum_of_pair_losses", <void*>sums_kernel[f32x], <void*>sums_kernel[f64x], b"rrvvss", b"s",
    b"x, target, weight, yes_weight, kind, delta -> the sum of the losses")


cdef void mse_float32(const float* x, const float* target, float* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, MSE, 0.0)
    map_row(value_block[f32x], <f32x*>y, &row, n, 1)


cdef void mse_backward_float32(const float* grad, const float* x, const float* target, float* grad_x,
                               Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, MSE, 0.0)
    map_row(slope_block[f32x], <f32x*>grad_x, &row, n, 1)


cdef void l1_float32(const float* x, const float* target, float* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, L1, 0.0)
    map_row(value_block[f32x], <f32x*>y, &row, n, 1)


cdef void l1_backward_float32(const float* grad, const float* x, const float* target, float* grad_x,
                              Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, L1, 0.0)
    map_row(slope_block[f32x], <f32x*>grad_x, &row, n, 1)


cdef void huber_float32(const float* x, const float* target, double delta, float* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, HUBER, delta)
    map_row(value_block[f32x], <f32x*>y, &row, n, 1)


cdef void huber_backward_float32(const float* grad, const float* x, const float* target, double delta, float* grad_x,
                                 Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, HUBER, delta)
    map_row(slope_block[f32x], <f32x*>grad_x, &row, n, 1)


cdef void binary_cross_entropy_with_logits_float32(const float* x, const float* target, float* y,
                                                   Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, LOGITS, 1.0)
    map_row(value_block[f32x], <f32x*>y, &row, n, 1)


cdef void binary_cross_entropy_with_logits_backward_float32(const float* grad, const float* x, const float* target,
                                                            float* grad_x, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, LOGITS, 1.0)
    map_row(slope_block[f32x], <f32x*>grad_x, &row, n, 1)


# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.

cdef void mse_float64(const double* x, const double* target, double* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, MSE, 0.0)
    map_row(value_block[f64x], <f64x*>y, &row, n, 1)


cdef void mse_backward_float64(const double* grad, const double* x, const double* target, double* grad_x,
                               Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, MSE, 0.0)
    map_row(slope_block[f64x], <f64x*>grad_x, &row, n, 1)


cdef void l1_float64(const double* x, const double* target, double* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, L1, 0.0)
    map_row(value_block[f64x], <f64x*>y, &row, n, 1)


cdef void l1_backward_float64(const double* grad, const double* x, const double* target, double* grad_x,
                              Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, L1, 0.0)
    map_row(slope_block[f64x], <f64x*>grad_x, &row, n, 1)


cdef void huber_float64(const double* x, const double* target, double delta, double* y, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, HUBER, delta)
    map_row(value_block[f64x], <f64x*>y, &row, n, 1)


cdef void huber_backward_float64(const double* grad, const double* x, const double* target, double delta,
                                 double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, HUBER, delta)
    map_row(slope_block[f64x], <f64x*>grad_x, &row, n, 1)


cdef void binary_cross_entropy_with_logits_float64(const double* x, const double* target, double* y,
                                                   Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, NULL, LOGITS, 1.0)
    map_row(value_block[f64x], <f64x*>y, &row, n, 1)


cdef void binary_cross_entropy_with_logits_backward_float64(const double* grad, const double* x, const double* target,
                                                            double* grad_x, Py_ssize_t n) noexcept nogil:
    cdef Pairs row = pair_of(x, target, grad, LOGITS, 1.0)
    map_row(slope_block[f64x], <f64x*>grad_x, &row, n, 1)
