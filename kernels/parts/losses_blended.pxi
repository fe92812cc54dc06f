# Losses of rows whose classes have weights, or whose targets are probabilities: their sums and slopes. A part of
# losses.pyx.

# The loss of a row is a sum over its classes, blend[c] (log(sum) - logits[c] + z_loss log(sum)^2), where
#     blend[c] = weight[c] (kept wanted[c] + spread),
# kept = 1 - label_smoothing, wanted are the target's probabilities, and spread = label_smoothing / classes. Where the
# target is a class, `wanted` would be zeros and a single one: kept is 0 then, and the target's own term,
# (1 - label_smoothing) weight[target], is added apart.

cdef struct Blend:
    const void* x
    const void* wanted
    const void* weight
    double kept
    double spread
    double top

cdef struct BlendedSlope:
    Blend blend
    double factor
    double scale


cdef struct Blended:
    # of one row
    double blend  # of all classes together
    double weight  # of the target
    double kept  # what the target has of its weight
    double all
    double pull  # of the z-loss


cdef inline real blended(real wanted, real weight, const Blend* row, Py_ssize_t n) noexcept nogil:
    return first_lanes(fma(wanted, splat(wanted, row.kept), splat(wanted, row.spread)) * weight, n)


cdef inline f64x wide_or(const real* x, Py_ssize_t i, Py_ssize_t n, double value) noexcept nogil:
    if x == NULL:
        return splat_f64(value)
    return wide(x, i, n)


cdef inline real take_or(const real* x, Py_ssize_t i, Py_ssize_t n, double value) noexcept nogil:
    cdef real like[1]
    if x == NULL:
        return splat(like[0], value)
    return take(x, i, n)


cdef inline void add_share(f64x share, f64x below, f64x* sums) noexcept nogil:
    # of a class, whose logit is so far below the largest; where its blend is 0 it leaves out the logit, which may be
    # infinite
    sums[0] = sums[0] + share
    sums[1] = sums[1] + where_less(magnitude(share), splat_f64(5e-324), splat_f64(0.0), share * below)


cdef inline void add_blend(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Blend* own = <const Blend*>context
    add_share(blended(wide_or(<const real*>own.wanted, i, n, 0.0), wide_or(<const real*>own.weight, i, n, 1.0), own, n),
              splat_f64(own.top) - wide(<const real*>own.x, i, n), sums)


cdef inline bint is_wanted_alone(const Blend* own) noexcept nogil:
    # probabilities without weights and smoothing, whose blend they are
    return own.wanted != NULL and own.weight == NULL and own.kept == 1.0 and own.spread == 0.0


cdef inline void add_wanted(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    # add_blend of these
    cdef const Blend* own = <const Blend*>context
    add_share(wide(<const real*>own.wanted, i, n), splat_f64(own.top) - wide(<const real*>own.x, i, n), sums)


cdef void add_blends(const real* like, const Blend* row, Py_ssize_t start, Py_ssize_t n, f64x* parts) noexcept nogil:
    # the last registers of both sums, where short rows have theirs
    cdef f64x sums[2 * SUMS]
    cdef Blend own = Blend(row.x, row.wanted, row.weight, row.kept, row.spread, row.top)
    if is_wanted_alone(&own):
        add_terms(add_wanted[real], 2, like, &own, start, n, sums)
    else:
        add_terms(add_blend[real], 2, like, &own, start, n, sums)
    parts[0], parts[SHORT_ROWS] = halved(sums, SUMS, 2), halved(sums + 1, SUMS, 2)


cdef Pair blend_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef f64x parts[SHORT_ROWS + 1]
    add_blends(like, <const Blend*>context, start, n, parts)
    return Pair(sum_f64(parts[0]), sum_f64(parts[SHORT_ROWS]))


cdef inline real blended_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef const BlendedSlope* own = <const BlendedSlope*>context
    cdef real x = take(<const real*>own.blend.x, i, n)
    cdef real share = blended(take_or(<const real*>own.blend.wanted, i, n, 0.0),
                              take_or(<const real*>own.blend.weight, i, n, 1.0), &own.blend, n)
    return fma(x, splat(x, own.factor), share * splat(x, -own.scale))


cdef void blended_slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(blended_slope[real], y, context, start, n, False)


cdef inline Blend blend_of(const void* x, const Question* asked, double top, Py_ssize_t n) noexcept nogil:
    return Blend(x, asked.wanted, asked.weight, 1.0 - asked.label_smoothing if asked.wanted != NULL else 0.0,
                 asked.label_smoothing / n, top)


cdef inline bint is_blended(const Question* asked) noexcept nogil:
    # weights alone are a factor of a row
    return asked.wanted != NULL or (asked.weight != NULL and asked.label_smoothing != 0.0)
