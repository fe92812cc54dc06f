# The losses of rows whose targets are classes, and their slopes, from the logarithms of the sums: a register of rows at
# a time. A part of losses.pyx.

cdef inline f64x loss_of(f64x top, f64x log_rest, f64x logit, f64x sum, f64x weight, double smoothing, double z_loss,
                         Py_ssize_t n) noexcept nogil:
    # The losses of rows, whose logits have these sums; with smoothing they have no weights. Where a factor is 0, its
    # product is left out, since the other factor may be infinite
    cdef f64x log_sum = top + log_rest, loss = splat_f64(0.0), zero = splat_f64(0.0)
    if smoothing != 1.0:
        loss = zero + where_less(magnitude(weight), splat_f64(5e-324), zero,
                                 splat_f64(1.0 - smoothing) * weight * ((top - logit) + log_rest))
    if z_loss != 0.0:
        loss = loss + weight * splat_f64(z_loss) * log_sum * log_sum
    if smoothing != 0.0:
        loss = loss + splat_f64(smoothing) * ((top - sum / splat_f64(n)) + log_rest)
    return loss


cdef inline f64x slopes_at_target(f64x p, f64x missed, f64x log_sum, f64x inverse, f64x weight, f64x scale,
                                  double smoothing, double z_loss, Py_ssize_t n, f64x* factor) noexcept nogil:
    # the gradients of rows at their targets, whose probabilities are p and 1 - missed, and what makes exponentials the
    # gradient elsewhere, but for an offset
    cdef f64x pull = splat_f64(2.0 * z_loss) * log_sum
    factor[0] = weight * (splat_f64(1.0) + pull) * scale * inverse
    return weight * (splat_f64(smoothing) - missed + (pull * p - splat_f64(smoothing / n))) * scale


cdef void answer(Answers* own, Py_ssize_t count, double smoothing, double z_loss, Py_ssize_t n, bint with_loss,
                 bint with_grad) noexcept nogil:
    # the losses of rows of one smoothing and z-loss, and what makes exponentials the gradient
    cdef f64x top, rest, log = splat_f64(0.0), logit, weight, scale, inverse_sum, inverse, p, factor
    cdef Py_ssize_t r = 0
    while r < count:
        top, rest = load_f64(own.top + r), load_f64(own.rest + r)
        logit, weight = load_f64(own.logit + r), load_f64(own.weight + r)
        if with_loss or z_loss != 0.0:
            log = load_f64(own.log + r)
        if with_loss:
            store_f64(own.loss + r, loss_of(top, log, logit, load_f64(own.sum + r) if smoothing != 0.0 else top, weight,
                                            smoothing, z_loss, n))
        if with_grad:
            scale = load_f64(own.scale + r)
            inverse_sum = splat_f64(1.0) / (splat_f64(1.0) + rest)
            inverse = power2(-load_f64(own.raised + r)) * (load_f64(own.inverse + r) * inverse_sum)
            p = load_f64(own.exponential + r) * inverse
            store_f64(own.at_target + r, slopes_at_target(
                p, where_less(logit, top, splat_f64(1.0) - p, rest * inverse_sum), top + log, inverse, weight, scale,
                smoothing, z_loss, n, &factor))
            store_f64(own.factor + r, factor)
            store_f64(own.offset + r, splat_f64(-(smoothing / n)) * scale)
        r += F64_LANES


cdef void answer_rows(const real* like, const Exponents* rows, const Question* questions, const double* sums,
                      Py_ssize_t count, Py_ssize_t n, int threads) noexcept nogil:
    # the losses of rows of one smoothing and z-loss and, where they are asked for, the gradients
    cdef Answers own
    cdef Slope own_slope
    cdef Py_ssize_t r, k
    cdef bint with_grad = rows[0].y != NULL
    for k in range(SHORT_ROWS):  # registers are full of rows
        r = min(k, count - 1)
        own.top[k], own.rest[k], own.log[k] = rows[r].top, rows[r].rest, rows[r].log_rest
        own.logit[k], own.weight[k], own.sum[k] = questions[r].logit, questions[r].factor, sums[r]
        if with_grad:
            own.inverse[k] = rows[r].inverse if fabs(rows[r].top) < INFINITY else INFINITY - INFINITY
            own.scale[k], own.raised[k] = rows[r].scale, rows[r].raised
            own.exponential[k] = element(<const real*>rows[r].y, questions[r].target)
    answer(&own, count, questions[0].label_smoothing, questions[0].z_loss, n, True, with_grad)
    for r in range(count):
        if questions[r].loss != NULL:
            questions[r].loss[0] = own.loss[r]
        if with_grad:
            own_slope = Slope(rows[r].y, own.factor[r], own.offset[r])
            if n <= SHORT:
                map_short(slope[real], <real*>rows[r].y, &own_slope, n)
            else:
                map_row(slope_block[real], <real*>rows[r].y, &own_slope, n, threads)
            if fabs(rows[r].top) < INFINITY:
                put_element(<real*>rows[r].y, questions[r].target, own.at_target[r])
