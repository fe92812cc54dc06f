# A few rows of rms_norm or layer_norm, backward: what is known of each row, and the sums along it that gradients need.
# The gradients are norm_groups.pxd; the order of sums along a row is loops/reductions.pxd.
from ..lanes cimport f32x, f64x, fma, real, splat_f32, splat_f64
from ..loops.operations cimport GROUP
from ..loops.reductions cimport Pair, first_lanes, long_fold_block, rounded, sum_block, take, wide
from .exponent_range cimport statistics_scale

cdef enum Known:
    # what is known of each row of a group in the row's precision
    SCALE
    MEAN
    MEAN_REST  # times -rstd
    RSTD
    GRAD_MEAN  # negated, as the next
    GRAD_NORMED_MEAN
    WEIGHT  # where it is one number for a row
    KNOWN  # how many these are

cdef struct Group:
    # up to GROUP rows: normed = (x * scale - mean - mean_rest) * rstd, and
    # grad_x = (grad * weight - grad_mean - normed * grad_normed_mean) * rstd * scale
    const void* weight
    void* grad_weight  # NULL where nobody wants it
    void* grad_bias
    bint from_memory  # whether no cache holds all rows
    bint streamed  # whether grad_x is written past the caches
    bint alone  # whether sums over rows begin with this group; otherwise it adds to those of other groups
    Py_ssize_t rows
    Py_ssize_t at  # the row that is being summed
    Py_ssize_t first  # the rows of which gradients are computed now
    Py_ssize_t count
    Py_ssize_t together  # how many of them are written together, where a weight's gradient is wanted
    void* carried  # what the rows before have added, of a tile's columns and of the parts of a register that may stand
    # before and behind. NULL where no sums are carried, or all rows come at once: threads may share these, and each
    # block has its place
    Py_ssize_t n
    const void* grad[GROUP]
    const void* x[GROUP]
    void* grad_x[GROUP]
    double mean[GROUP]
    double mean_rest[GROUP]
    double rstd[GROUP]
    double scale[GROUP]
    double known[KNOWN * GROUP]  # [what * GROUP + row], of rows of float64
    float known_f32[KNOWN * GROUP]
    bint ordinary  # whether every scale is 1
    bint centred


# What is known is narrowed once. A block that did it would do it anew in every loop, since narrowing can set a
# floating-point flag, which forbids the compiler to do it earlier.

cdef inline void know(const real* like, Group* group, Known what, Py_ssize_t r, double value) noexcept nogil:
    if real is f32x:
        group.known_f32[what * GROUP + r] = <float>value
    else:
        group.known[what * GROUP + r] = value


cdef inline real known(const real* like, const Group* group, Known what, Py_ssize_t r) noexcept nogil:
    if real is f32x:
        return splat_f32(group.known_f32[what * GROUP + r])
    else:
        return splat_f64(group.known[what * GROUP + r])


cdef inline void know_rest(const real* like, Group* group, Py_ssize_t r) noexcept nogil:
    if real is f32x:
        group.known_f32[MEAN_REST * GROUP + r] = <float>-group.mean_rest[r] * group.known_f32[RSTD * GROUP + r]
    else:
        group.known[MEAN_REST * GROUP + r] = -group.mean_rest[r] * group.known[RSTD * GROUP + r]


cdef inline void take_first(Group* row, const Group* group, Py_ssize_t r) noexcept nogil:
    # what the sums of that row need, as the first of a group of its own
    row.weight, row.centred = group.weight, group.centred
    row.grad[0], row.x[0] = group.grad[r], group.x[r]
    row.mean[0], row.mean_rest[0] = group.mean[r], group.mean_rest[r]
    row.rstd[0], row.scale[0] = group.rstd[r], group.scale[r]


cdef inline void add_terms_of(const real* like, const Group* group, f64x grad, Py_ssize_t i, Py_ssize_t n,
                              f64x* sums) noexcept nogil:
    # of grad, which is weighted already, and the group's first row
    cdef f64x x = wide(<const real*>group.x[0], i, n) * splat_f64(group.scale[0])
    if group.centred:
        x = (x - splat_f64(group.mean[0])) - splat_f64(group.mean_rest[0])
        sums[1] = sums[1] + grad
    # the mean is taken from lanes without an element too: what is left there must not meet an infinite rstd
    sums[0] = sums[0] + grad * first_lanes(x * splat_f64(group.rstd[0]), n)


cdef inline void add_terms(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    # grad * weight * normed and, where rows are centred, grad * weight, of the group's first row
    cdef const Group* group = <const Group*>context
    cdef f64x grad = wide(<const real*>group.grad[0], i, n)
    if group.weight != NULL:
        grad = grad * wide(<const real*>group.weight, i, n)
    add_terms_of(like, group, grad, i, n, sums)


cdef inline void add_deviation(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                               f64x* sums) noexcept nogil:
    cdef const Group* group = <const Group*>context
    cdef f64x x = wide(<const real*>group.x[0], i, n) * splat_f64(group.scale[0])
    sums[0] = sums[0] + (x - first_lanes(splat_f64(group.mean[0]), n))


cdef inline Pair deviations(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Group own
    take_first(&own, <const Group*>context, (<const Group*>context).at)
    return sum_block(add_deviation[real], 1, like, &own, start, n)


cdef inline real normed_of(real x, bint centred, real mean, real rest, real rstd) noexcept nogil:
    # (x - mean) rstd + rest, where rest is -mean_rest rstd: x - mean is exact where they are close
    return fma(x - mean, rstd, rest) if centred else x * rstd


cdef struct Terms:
    # an ordinary row of a group, in float32
    const f32x* grad
    const f32x* x
    const f32x* weight
    f32x mean
    f32x mean_rest
    f32x rstd


cdef inline Terms terms_of(const Group* group, Py_ssize_t r) noexcept nogil:
    cdef const f32x* like = NULL
    cdef Terms row
    row.grad, row.x, row.weight = <const f32x*>group.grad[r], <const f32x*>group.x[r], <const f32x*>group.weight
    row.mean, row.rstd = known(like, group, MEAN, r), known(like, group, RSTD, r)
    row.mean_rest = known(like, group, MEAN_REST, r)
    return row


cdef inline void fold_term(const void* context, bint centred, bint weighted, Py_ssize_t i, Py_ssize_t n,
                           f32x* sums) noexcept nogil:
    # as add_terms, in float32
    cdef const Terms* row = <const Terms*>context
    cdef f32x grad = take(row.grad, i, n)
    cdef f32x normed = normed_of(take(row.x, i, n), centred, row.mean, row.mean_rest, row.rstd)
    if weighted:
        grad = grad * take(row.weight, i, n)
    if centred:
        sums[1] = sums[1] + grad
    sums[0] = fma(grad, first_lanes(normed, n), sums[0])


cdef inline void fold_layer_terms(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                  f32x* sums) noexcept nogil:
    fold_term(context, True, False, i, n, sums)


cdef inline void fold_weighted_layer_terms(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                           f32x* sums) noexcept nogil:
    fold_term(context, True, True, i, n, sums)


cdef inline void fold_rms_terms(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                f32x* sums) noexcept nogil:
    fold_term(context, False, False, i, n, sums)


cdef inline void fold_weighted_rms_terms(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                         f32x* sums) noexcept nogil:
    fold_term(context, False, True, i, n, sums)


cdef inline Pair terms(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef const Group* group = <const Group*>context
    cdef Terms row
    cdef Group own
    if real is f32x:
        if group.scale[group.at] == 1.0:
            row = terms_of(group, group.at)
            if group.centred and row.weight != NULL:
                return long_fold_block(fold_weighted_layer_terms, 2, &row, start, n)
            if group.centred:
                return long_fold_block(fold_layer_terms, 2, &row, start, n)
            if row.weight != NULL:
                return long_fold_block(fold_weighted_rms_terms, 1, &row, start, n)
            return long_fold_block(fold_rms_terms, 1, &row, start, n)
    take_first(&own, group, group.at)
    return sum_block(add_terms[real], 2, like, &own, start, n)


cdef inline void set_statistics(const real* like, Group* group, Py_ssize_t r, double mean,
                                double rstd) noexcept nogil:
    # near the ends of the exponent range the row is scaled, as it was forward
    cdef double scale = statistics_scale(like, mean, rstd)
    group.scale[r] = scale
    group.ordinary = scale == 1.0 and (r == 0 or group.ordinary)
    group.rstd[r] = rstd / scale
    group.mean[r] = rounded(like, mean * scale)
    group.mean_rest[r] = mean * scale - group.mean[r]
    know(like, group, SCALE, r, scale)
    know(like, group, MEAN, r, group.mean[r])
    know(like, group, RSTD, r, group.rstd[r])
    know_rest(like, group, r)
