# Losses of rows whose classes have weights, or whose targets are probabilities: their sums and slopes. A part of
# losses.pyx.

# The loss of a row is a sum over its classes, blend[c] (log(sum) - logits[c] + z_loss log(sum)^2), where
#     blend[c] = weight[c] (kept wanted[c] + spread),
# kept = 1 - label_smoothing, wanted are the target's probabilities, and spread = label_smoothing / classes. Where the
# target is a class, `wanted` would be zeros and a single one: kept is 0 then, and the target's own term,
# (1 - label_smoothing) weight[target], is added apart.

cdef struct Blend:
    const void* x  # NULL where a gradient alone is asked for
    const void* wanted
    const void* weight
    double kept
    double spread
    double top

cdef struct BlendedSlope:
    Blend blend
    double factor
    double scale


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
              splat_f64(own.top) - wide_or(<const real*>own.x, i, n, own.top), sums)


cdef inline bint is_wanted_alone(const Blend* own) noexcept nogil:
    # probabilities without weights and smoothing, whose blend they are
    return own.wanted != NULL and own.weight == NULL and own.kept == 1.0 and own.spread == 0.0


cdef inline void add_wanted(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    # add_blend of these
    cdef const Blend* own = <const Blend*>context
    add_share(wide(<const real*>own.wanted, i, n), splat_f64(own.top) - wide(<const real*>own.x, i, n), sums)


cdef void add_blends(const real* like, const Blend* row, Py_ssize_t start, Py_ssize_t n, f64x* parts) noexcept nogil:
    # the last registers of both sums, where short rows have theirs; without logits the second is not asked for
    cdef f64x sums[2 * SUMS]
    cdef f64x losses[2 * FOLDED_SUMS]
    cdef Blend own = Blend(row.x, row.wanted, row.weight, row.kept, row.spread, row.top)
    if is_wanted_alone(&own) and own.x == NULL:
        add_terms(add_element[real], 1, like, own.wanted, start, n, sums, losses)
        parts[0] = last_part(like, sums, losses, 1, parts + 2 * SHORT_ROWS)
        parts[SHORT_ROWS] = parts[3 * SHORT_ROWS] = splat_f64(0.0)
        return
    if is_wanted_alone(&own):
        add_terms(add_wanted[real], 2, like, &own, start, n, sums, losses)
    else:
        add_terms(add_blend[real], 2, like, &own, start, n, sums, losses)
    parts[0] = last_part(like, sums, losses, 2, parts + 2 * SHORT_ROWS)
    parts[SHORT_ROWS] = last_part(like, sums + 1, losses + 1, 2, parts + 3 * SHORT_ROWS)


cdef Pair blend_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef f64x parts[3 * SHORT_ROWS + 1]
    add_blends(like, <const Blend*>context, start, n, parts)
    return Pair(last_total(like, parts[0], parts[2 * SHORT_ROWS]),
                last_total(like, parts[SHORT_ROWS], parts[3 * SHORT_ROWS]))


cdef inline real blended_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef const BlendedSlope* own = <const BlendedSlope*>context
    cdef real x = take(<const real*>own.blend.x, i, n)
    cdef real share = blended(take_or(<const real*>own.blend.wanted, i, n, 0.0),
                              take_or(<const real*>own.blend.weight, i, n, 1.0), &own.blend, n)
    return fma(x, splat(x, own.factor), share * splat(x, -own.scale))


cdef inline f32x wanted_slope(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # the same of float32 where blends are what is wanted, whose -0 they have as 0
    cdef const BlendedSlope* own = <const BlendedSlope*>context
    cdef f32x x = take(<const f32x*>own.blend.x, i, n)
    cdef f32x share = take(<const f32x*>own.blend.wanted, i, n) + splat(x, 0.0)
    return fma(x, splat(x, own.factor), share * splat(x, -own.scale))


cdef void blended_slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef BlendedSlope own = (<const BlendedSlope*>context)[0]  # which the compiler knows that nothing writes to
    map_block(blended_slope[real], y, &own, start, n, False)


cdef void short_blended_slopes(real* y, const BlendedSlope* slope, Py_ssize_t n) noexcept nogil:
    cdef BlendedSlope own = slope[0]
    map_short(blended_slope[real], y, &own, n)


cdef inline void put_blended(real* grad, const BlendedSlope* slope, Py_ssize_t n, int threads) noexcept nogil:
    cdef Slope plain = Slope(slope.blend.x, slope.factor, 0.0)
    if slope.blend.wanted == NULL and slope.blend.spread == 0.0:
        map_row(slope_block[real], grad, &plain, n, threads)
    elif n <= SHORT:
        short_blended_slopes(grad, slope, n)
    else:
        map_row(blended_slope_block[real], grad, slope, n, threads)


cdef inline Blend blend_of(const void* x, const Question* asked, double top, Py_ssize_t n) noexcept nogil:
    return Blend(x, asked.wanted, asked.weight, 1.0 - asked.label_smoothing if asked.wanted != NULL else 0.0,
                 asked.label_smoothing / n, top)


cdef inline bint is_blended(const Question* asked) noexcept nogil:
    # weights alone are a factor of a row
    return asked.wanted != NULL or (asked.weight != NULL and asked.label_smoothing != 0.0)


cdef inline double kept_of(const Question* asked) noexcept nogil:
    # what a target that is a class has of its weight besides its blend
    return 1.0 - asked.label_smoothing if asked.wanted == NULL else 0.0


cdef inline f64x blended_loss(f64x top, f64x log_rest, f64x logit, f64x weight, f64x blend, f64x distance, double kept,
                              double z_loss) noexcept nogil:
    # The losses of rows, from their sums of blend and of blend (top - logits). Where a target has nothing besides, its
    # product is left out, since its distance may be infinite
    cdef f64x log_sum = top + log_rest, target = splat_f64(kept) * weight, loss = distance + blend * log_rest
    loss = where_less(magnitude(target), splat_f64(5e-324), loss, loss + target * ((top - logit) + log_rest))
    if z_loss != 0.0:
        loss = loss + (blend + target) * splat_f64(z_loss) * log_sum * log_sum
    return loss


cdef inline f64x blended_slopes(f64x stored, f64x top, f64x rest, f64x log_sum, f64x logit, f64x weight, f64x blend,
                                f64x inverse, f64x scale, double kept, double spread, double z_loss,
                                f64x* factor) noexcept nogil:
    # the gradients of rows at their targets, whose exponentials are `stored`, and what makes exponentials the gradient
    # elsewhere, but for the blends; 1 / (1 + rest) and `inverse` make them probabilities
    cdef f64x target = splat_f64(kept) * weight, all = blend + target, pull = splat_f64(2.0 * z_loss) * log_sum
    cdef f64x inverse_sum = splat_f64(1.0) / (splat_f64(1.0) + rest), whole = inverse * inverse_sum, p = stored * whole
    factor[0] = all * (splat_f64(1.0) + pull) * scale * whole
    return scale * (blend * p - target * where_less(logit, top, splat_f64(1.0) - p, rest * inverse_sum)
                    - weight * splat_f64(spread) + all * pull * p)


cdef void answer_blends(Answers* own, Py_ssize_t first, double kept, double spread, double z_loss, bint with_loss,
                        bint with_grad) noexcept nogil:
    # the losses of SHORT_ROWS rows whose classes have blends, and what makes exponentials the gradient
    cdef f64x top, log = splat_f64(0.0), logit, weight, blend, factor
    cdef Py_ssize_t r = first
    while r < first + SHORT_ROWS:
        top, logit, weight = load_f64(own.top + r), load_f64(own.logit + r), load_f64(own.weight + r)
        blend = load_f64(own.sum + r)
        if with_loss or z_loss != 0.0:
            log = load_f64(own.log + r)
        if with_loss:
            store_f64(own.loss + r, blended_loss(top, log, logit, weight, blend, load_f64(own.distance + r), kept,
                                                 z_loss))
        if with_grad:
            store_f64(own.at_target + r, blended_slopes(
                load_f64(own.exponential + r), top, load_f64(own.rest + r), top + log, logit, weight, blend,
                power2(-load_f64(own.raised + r)) * load_f64(own.inverse + r), load_f64(own.scale + r), kept, spread,
                z_loss, &factor))
            store_f64(own.factor + r, factor)
        r += F64_LANES


cdef inline void answer_blended(const real* like, const Exponents* row, real* grad, const Question* asked, Pair blend,
                                Py_ssize_t n, int threads) noexcept nogil:
    # of a row, in every lane, from its two sums: of blend, and of blend (top - logits)
    cdef BlendedSlope slope = BlendedSlope(blend_of(row.y, asked, row.top, n), 0.0, row.scale)
    cdef bint finite = fabs(row.top) < INFINITY
    cdef f64x top = splat_f64(row.top), log = splat_f64(row.log_rest), logit = splat_f64(asked.logit)
    cdef f64x weight = splat_f64(asked.factor), first = splat_f64(blend.first), factor
    cdef double[REGISTER] found
    if asked.loss != NULL:
        store_f64(found, blended_loss(top, log, logit, weight, first, splat_f64(blend.second), kept_of(asked),
                                      asked.z_loss))
        asked.loss[0] = found[0] if row.top == row.top else row.top
    if grad == NULL:
        return
    weight = blended_slopes(
        splat_f64(element(<const real*>row.y, asked.target) if asked.wanted == NULL else 0.0), top,
        splat_f64(row.rest if finite else 0.0), top + log, logit, weight, first,
        splat_f64(ldexp(row.inverse, -row.raised) if finite else INFINITY - INFINITY), splat_f64(row.scale),
        kept_of(asked), slope.blend.spread, asked.z_loss, &factor)
    store_f64(found, factor)
    slope.factor = found[0]
    put_blended(grad, &slope, n, threads)
    if asked.wanted == NULL and finite:
        store_f64(found, weight)
        put_element(grad, asked.target, found[0])
