# Two rows of rms_norm or layer_norm with a weight, backward, in float32: the sums along both rows, and what they add to
# the gradients of weight and bias. All of these need the normed rows and the gradient that arrives, which are read here
# once for all of them. The order of sums along a row is loops/reductions.pxd; the gradients of x are norm_groups.pxd.
from ..lanes cimport f32x, fma, real, splat
from ..loops.registers cimport lanes, skip, store, store_part
from ..loops.reductions cimport first_lanes, long_fold_terms, take
from .norm_terms cimport GRAD_MEAN, GRAD_NORMED_MEAN, Group, Terms, know, normed_of, terms_of

cdef struct Rows:
    Terms first
    Terms second
    f32x* grad_weight
    f32x* grad_bias
    bint alone  # whether both sums begin with these rows


cdef inline void keep_sum(void* sums, bint alone, real x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # what a group adds to the elements i to i + n of a gradient: to 0 where it is alone, which a -0 does not survive
    cdef const real* y = <const real*>sums
    x = x + (splat(x, 0.0) if alone else take(y, i, n))
    if n == lanes(y):
        store(<real*>skip(y, i), x)
    else:
        store_part(<real*>skip(y, i), x, n)


cdef inline void fold_row(const Terms* row, f32x weight, bint centred, bint first, Py_ssize_t i, Py_ssize_t n,
                          f32x* sums, f32x* columns) noexcept nogil:
    # fold_term of norm_terms.pxd, and what the row adds to the gradients of weight and bias
    cdef f32x grad = take(row.grad, i, n)
    cdef f32x normed = normed_of(take(row.x, i, n), centred, row.mean, row.mean_rest, row.rstd)
    columns[0] = grad * normed if first else fma(grad, normed, columns[0])
    columns[1] = grad if first else columns[1] + grad
    grad = grad * weight
    if centred:
        sums[1] = sums[1] + grad
    sums[0] = fma(grad, first_lanes(normed, n), sums[0])


cdef inline void fold_pair(const void* context, bint centred, Py_ssize_t i, Py_ssize_t n, f32x* sums) noexcept nogil:
    cdef const Rows* rows = <const Rows*>context
    cdef f32x weight = take(rows.first.weight, i, n)
    cdef f32x columns[2]
    fold_row(&rows.first, weight, centred, True, i, n, sums, columns)
    fold_row(&rows.second, weight, centred, False, i, n, sums + (2 if centred else 1), columns)
    keep_sum(rows.grad_weight, rows.alone, columns[0], i, n)
    if centred and rows.grad_bias != NULL:
        keep_sum(rows.grad_bias, rows.alone, columns[1], i, n)


cdef inline void fold_layer_pair(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                 f32x* sums) noexcept nogil:
    fold_pair(context, True, i, n, sums)


cdef inline void fold_rms_pair(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    fold_pair(context, False, i, n, sums)


cdef inline void pair_sums(const f32x* like, Group* group, Py_ssize_t r) noexcept nogil:
    # of the rows r and r + 1, which are ordinary, and one block long at most
    cdef Rows rows
    cdef double totals[4]
    rows.first, rows.second = terms_of(group, r), terms_of(group, r + 1)
    rows.grad_weight, rows.grad_bias = <f32x*>group.grad_weight, <f32x*>group.grad_bias
    rows.alone = group.alone and r == 0
    if group.centred:
        long_fold_terms(fold_layer_pair, 4, &rows, 0, group.n, totals)
        know(like, group, GRAD_NORMED_MEAN, r + 1, -totals[2] / group.n)
        know(like, group, GRAD_MEAN, r, -totals[1] / group.n)
        know(like, group, GRAD_MEAN, r + 1, -totals[3] / group.n)
    else:
        long_fold_terms(fold_rms_pair, 2, &rows, 0, group.n, totals)
        know(like, group, GRAD_NORMED_MEAN, r + 1, -totals[1] / group.n)
    know(like, group, GRAD_NORMED_MEAN, r, -totals[0] / group.n)
