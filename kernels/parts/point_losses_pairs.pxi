# Losses of pairs of numbers and their slopes, on one register each. A part of point_losses.pyx.

cdef enum Kind:
    # in the order of _KINDS in pylib/functions/point_losses.py
    MSE
    L1
    HUBER
    LOGITS

cdef struct Pairs:
    const void* x
    const void* target
    const void* weight  # of each loss of logits, or NULL
    const void* yes_weight  # of logits: what the target is multiplied by, or NULL
    const void* grad  # arriving at each loss, or NULL
    Kind kind
    double delta  # of huber; of logits what the losses are multiplied by
    double scale
    double power  # a power of two by which slopes are multiplied after `scale`: float32 may not hold the product of
    # both. The 2 in the slope of mse is in it.
    Dtype dtype  # of x, target and results


cdef inline real unless_zero(real factor, real value) noexcept nogil:
    # factor * value, 0 where the factor is, for value may be infinite
    return where_less(magnitude(factor), splat(factor, 5e-324 if real is f64x else 1e-45), splat(factor, 0.0),
                      factor * value)


cdef inline real yes_of(real target, real weight, const Pairs* row) noexcept nogil:
    return target * weight if row.yes_weight != NULL else target


# The kind is a constant in every loop, so that none of them asks for it at every register.

cdef inline real value_of(real x, real target, real yes_weight, const Pairs* row, Kind kind,
                          bint widened) noexcept nogil:
    # mse d^2, l1 |d|, huber d^2 / 2 up to delta and delta (|d| - delta / 2) from there on, d = x - target; of logits
    # yes_weight target log(1 + e^-x) + (1 - target) log(1 + e^x), no part of which cancels. No difference of numbers
    # that were float32, and are `widened`, is beyond the range.
    cdef real d = x - target, size = magnitude(d), delta = splat(x, row.delta), found, far, half = splat(x, 0.5)
    if kind == MSE:
        return d * d
    if kind == L1:
        return size
    if kind == HUBER:
        found = at_most(size, delta)
        found = found * fma(found, -half, size)
        # where the difference is beyond the range, half of it, and so of the loss, is not
        if not widened and any_less(largest(x), size):
            far = delta * (magnitude(half * x - half * target) - splat(x, 0.25) * delta)
            found = where_less(largest(x), size, where_less(delta, size, far + far, size), found)
        return found
    found = softpluses(x, &far)
    return unless_zero(delta * yes_of(target, yes_weight, row), far) + unless_zero(
        delta * (splat(x, 1.0) - target), found)


cdef inline real slope_of(real x, real target, real yes_weight, const Pairs* row, Kind kind) noexcept nogil:
    # of mse half of the slope, whose 2 is multiplied last (Pairs.power)
    cdef real d = x - target, zero = splat(x, 0.0), one = splat(x, 1.0), yes, no
    if kind == MSE:
        return d
    if kind == L1:
        return where_less(zero, d, one, where_less(d, zero, -one, d))
    if kind == HUBER:
        return at_least(at_most(d, splat(x, row.delta)), splat(x, -row.delta))
    yes = sigmoids(x, &no)
    return (one - target) * yes - yes_of(target, yes_weight, row) * no


cdef inline real each(const real* like, const void* values, real none, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # elements of a vector, or `none` where there is no vector
    return take(<const real*>values, i, n) if values != NULL else none
