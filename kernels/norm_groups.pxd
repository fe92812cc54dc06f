# Gradients of a few rows of rms_norm or layer_norm: the sums of each row, then the gradients of x, and what the rows
# add to those of weight and bias. The order of sums along a row is reductions.pxd; which rows, of what arrays, and the
# sums over groups are norms_backward.pyx.
from libc.math cimport ldexp

from .lanes cimport F64_LANES, f32x, f64x, fma, real, splat, splat_f64, store_f64
from .loops cimport lanes, skip, store, store_part
from .reductions cimport Pair, fold_block, map_row, sum_block, sum_row, take, wide

cdef enum:
    GROUP = 4  # rows that share one addition to the gradient of weight

cdef struct Group:
    # up to GROUP rows: normed = (x * scale - mean - mean_rest) * rstd, and
    # grad_x = (grad * weight - grad_mean - normed * grad_normed_mean) * rstd * scale
    const void* weight
    void* grad_weight  # NULL where nobody wants it
    void* grad_bias
    bint alone  # whether these have the row's precision and this group's sums are all; otherwise they add up float64
    Py_ssize_t rows
    Py_ssize_t n
    const void* grad[GROUP]
    const void* x[GROUP]
    void* grad_x[GROUP]
    double mean[GROUP]
    double mean_rest[GROUP]
    double rstd[GROUP]
    double scale[GROUP]
    double grad_mean[GROUP]
    double grad_normed_mean[GROUP]
    bint ordinary  # whether every scale is 1
    bint centred


cdef inline void add_terms(const real* like, const void* group_, Py_ssize_t i, Py_ssize_t n, f64x* grads,
                           f64x* grads_normed) noexcept nogil:
    # grad * weight, and that times normed, of the group's first row
    cdef const Group* group = <const Group*>group_
    cdef f64x grad = wide(<const real*>group.grad[0], i, n)
    cdef f64x x = wide(<const real*>group.x[0], i, n) * splat_f64(group.scale[0])
    if group.weight != NULL:
        grad = grad * wide(<const real*>group.weight, i, n)
    if group.centred:
        x = (x - splat_f64(group.mean[0])) - splat_f64(group.mean_rest[0])
        grads[0] = grads[0] + grad
    grads_normed[0] = grads_normed[0] + grad * (x * splat_f64(group.rstd[0]))


cdef inline real normed_of(const real* like, const Group* group, Py_ssize_t r, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    # x - mean is exact where they are close, and mean_rest is half its last bit at most
    cdef real x = take(<const real*>group.x[r], i, n), rstd = splat(x, group.rstd[r])
    x = x * splat(x, group.scale[r])
    if group.centred:
        return fma(x - splat(x, group.mean[r]), rstd, splat(x, -group.mean_rest[r]) * rstd)
    return x * rstd


cdef inline void fold_terms(const f32x* like, const void* group_, Py_ssize_t i, Py_ssize_t n, f32x* grads,
                            f32x* grads_normed) noexcept nogil:
    # the same in float32
    cdef const Group* group = <const Group*>group_
    cdef f32x grad = take(<const f32x*>group.grad[0], i, n), x = normed_of(like, group, 0, i, n)
    if group.weight != NULL:
        grad = grad * take(<const f32x*>group.weight, i, n)
    if group.centred:
        grads[0] = grads[0] + grad
    grads_normed[0] = fma(grad, x, grads_normed[0])


cdef inline Pair terms(const real* like, const void* group, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Group own = (<const Group*>group)[0]
    if real is f32x:
        if own.ordinary:
            own.scale[0] = 1.0  # known to the compiler, which leaves the product out
            return fold_block(fold_terms, True, &own, start, n)
    return sum_block(add_terms[real], like, &own, start, n)


cdef inline void add_wide(double* sums, real x, Py_ssize_t n) noexcept nogil:
    # the first n lanes, as float64
    cdef double part[16]
    cdef Py_ssize_t i = 0
    store(<real*>part, x)
    while i < lanes(<const real*>part):
        if n == lanes(<const real*>part):
            store_f64(sums + i, wide(<const f64x*>(sums + i), 0, F64_LANES) + wide(<const real*>part, i, F64_LANES))
        i += F64_LANES
    if n < lanes(<const real*>part):
        for i in range(n):
            if real is f32x:
                sums[i] += (<float*>part)[i]
            else:
                sums[i] += part[i]


cdef inline void keep_sum(void* sums, bint alone, real x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # what a group adds to the elements i to i + n of a gradient: to 0 where it is alone, which a -0 does not survive
    cdef const real* y = skip(<const real*>sums, i)
    if not alone:
        add_wide(<double*>sums + i, x, n)
    elif n == lanes(y):
        store(<real*>y, x + splat(x, 0.0))
    else:
        store_part(<real*>y, x + splat(x, 0.0), n)


cdef inline void gradients(const real* like, const Group* group, Py_ssize_t rows, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    # the elements i to i + n of every row's gradient, and what they add to the gradients of weight and bias
    cdef real weight, grad, normed, grad_weight, grad_bias
    cdef Py_ssize_t r
    weight = take(<const real*>(group.weight if group.weight != NULL else group.x[0]), i, n)
    grad_weight = splat(weight, 0.0)
    grad_bias = grad_weight
    for r in range(rows):
        grad = take(<const real*>group.grad[r], i, n)
        normed = normed_of(like, group, r, i, n)
        grad_weight = fma(grad, normed, grad_weight)
        grad_bias = grad_bias + grad
        if group.weight != NULL:
            grad = grad * weight
        if group.centred:
            grad = grad - splat(grad, group.grad_mean[r])
        grad = fma(-normed, splat(grad, group.grad_normed_mean[r]), grad)
        grad = grad * splat(grad, group.rstd[r] * group.scale[r]) if group.ordinary else (
            grad * splat(grad, group.rstd[r]) * splat(grad, group.scale[r]))
        if n == lanes(like):
            store(<real*>skip(<const real*>group.grad_x[r], i), grad)
        else:
            store_part(<real*>skip(<const real*>group.grad_x[r], i), grad, n)
    if group.grad_weight != NULL:
        keep_sum(group.grad_weight, group.alone, grad_weight, i, n)
    if group.grad_bias != NULL:
        keep_sum(group.grad_bias, group.alone, grad_bias, i, n)


cdef inline Py_ssize_t whole_registers(const real* like, const Group* group, Py_ssize_t rows, Py_ssize_t i,
                                       Py_ssize_t stop) noexcept nogil:
    # where they end
    while i + lanes(like) <= stop:
        gradients(like, group, rows, i, lanes(like))
        i += lanes(like)
    return i


cdef inline void gradients_block(real* like, const void* group, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # for a whole group and for a row alone, the compiler knows how many rows there are, and that no scale is wanted
    cdef Group own = (<const Group*>group)[0]
    cdef Py_ssize_t i = start, stop = start + n, r
    if own.ordinary:
        for r in range(GROUP):
            own.scale[r] = 1.0
    if own.ordinary and own.rows == GROUP:
        i = whole_registers(like, &own, GROUP, i, stop)
    elif own.ordinary and own.rows == 1:
        i = whole_registers(like, &own, 1, i, stop)
    else:
        i = whole_registers(like, &own, own.rows, i, stop)
    if i < stop:
        gradients(like, &own, own.rows, i, stop - i)


cdef inline void group_backward(const real* like, Group* group, int threads) noexcept nogil:
    # the sums of each row, then the gradients of all
    cdef Group row
    cdef Pair sums
    cdef Py_ssize_t r
    for r in range(group.rows):
        row = group[0]
        row.grad[0], row.x[0] = group.grad[r], group.x[r]
        row.mean[0], row.mean_rest[0] = group.mean[r], group.mean_rest[r]
        row.rstd[0], row.scale[0] = group.rstd[r], group.scale[r]
        sums = sum_row(terms[real], like, &row, group.n, threads)
        group.grad_mean[r] = sums.first / group.n
        group.grad_normed_mean[r] = sums.second / group.n
    map_row(gradients_block[real], <real*>like, group, group.n, threads)


cdef inline void set_statistics(const real* like, Group* group, Py_ssize_t r, double mean,
                                double rstd) noexcept nogil:
    # near the ends of the exponent range the row is scaled, as it was forward
    cdef double scale = 1.0
    if real is f32x:
        if rstd < ldexp(1.0, -100):
            scale = ldexp(1.0, -60)
        elif rstd > ldexp(1.0, 100):
            scale = ldexp(1.0, 100)
    group.scale[r] = scale
    group.ordinary = scale == 1.0 and (r == 0 or group.ordinary)
    group.rstd[r] = rstd / scale
    if real is f32x:
        group.mean[r] = <float>(mean * scale)
    else:
        group.mean[r] = mean * scale
    group.mean_rest[r] = mean * scale - group.mean[r]
