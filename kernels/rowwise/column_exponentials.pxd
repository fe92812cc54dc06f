# exponentials.pxd for neighbouring rows, a row in each lane: the same exponentials and logarithms to the last bit, of
# rows whose exponents are x itself and finite. Where a row is of another kind, a function says False and writes
# nothing.
from libc.math cimport INFINITY

from ..lanes cimport (
    F32_LANES, F64_LANES, all_less, any_less, at_least, at_most, f32x, f64x, fma, magnitude, power2, real, splat,
    splat_f64, where_less,
)
from ..loops.columns cimport (
    APART, HALVES, MOST_HALVES, MOST_LANES, add_columns, add_widened, halve, halves, narrowed, sum_columns, wide_halves,
)
from ..loops.operations cimport MOST_REGISTERS
from ..loops.reductions cimport FOLD, FOLDED_PARTS, PARTS, fill
from ..loops.registers cimport lanes, load, skip, store
from ..math.exponential cimport nearest, nearest_sum, power2_of_sum, raised_by
from ..math.logarithm cimport log1p
from .exact_logarithms cimport EXACT_BELOW, exact_column_log
from .exponential_parts cimport (
    MANY, add_to_three, exp_parts_of, exp_rest_of, put_parts_below, term_below, wide_exponential,
)
from .exponentials cimport (
    FEW, NEARLY_SMALL, SMALL, SUMS_BELOW, below_of, exactly, inverse_halves, inverse_of, log_of_rests, log_rest_halves,
    rest_of_sums,
)
from .exponents cimport LARGEST_TOP, exponents_of, least_below, raised_by_scale

cdef enum:
    REGISTER = 8  # float64 numbers that any register fits in

cdef struct Columns:
    const char* x
    Py_ssize_t stride  # from one element of a row to the next
    Py_ssize_t apart  # from one register of rows to the next
    void* y  # where exponentials go, a register for each element and row; NULL where only their sum is wanted
    int raised  # exponentials are multiplied by 2^raised
    const f64x* scales  # or what follows from the scale of each row, which is finite, where this is not NULL
    int half  # which half of the lanes is taken as float64, of rows of float32
    # a register each:
    double[REGISTER] top
    double[REGISTER] power  # what e^x is multiplied by, beside 2^n of it
    double[REGISTER] least  # an exponent below this gives 0 after scaling


cdef inline Columns columns_of(const real* like, const char* x, Py_ssize_t stride, void* y,
                               double scale) noexcept nogil:
    cdef Columns own
    own.x, own.stride, own.apart, own.y, own.half, own.scales = x, stride, sizeof(real), y, 0, NULL
    own.raised = exponents_of(like, NULL, NULL, 1.0, scale).raised
    return own


cdef inline Columns register_of(const real* like, const Columns* columns, int k, Py_ssize_t n) noexcept nogil:
    # the k-th register of them
    cdef Columns own = columns[0]
    own.x += k * own.apart
    if own.y != NULL:
        own.y = <void*>skip(<const real*>own.y, k * n * lanes(like))
    if own.scales != NULL:
        own.scales += k * halves(like)
    return own


cdef inline bint set_scales(const real* like, Columns* own, const f64x* scales, int count) noexcept nogil:
    # lets each row have a scale; False where one is so large that its factor may be infinite, or NaN
    cdef int k
    for k in range(count):
        if not all_less(magnitude(scales[k]), splat_f64(1e30 if real is f32x else 1e300)):
            return False
    own.scales = scales
    return True


cdef inline f64x raised_of(const real* like, const Columns* own, int half) noexcept nogil:
    # `raised` of half of the lanes
    return splat_f64(own.raised) if own.scales == NULL else raised_by_scale(like, own.scales[half])


cdef inline f64x least_below_of(const real* like, f64x raised) noexcept nogil:
    # least_below
    return (raised + splat_f64(124.0 if real is f32x else 1020.0)) * splat_f64(0.6931471805599453)


cdef inline void set_tops(real top, Columns* own) noexcept nogil:
    # what follows from the largest of each row
    cdef real sum = nearest_sum(-top, 1.4426950408889634)
    cdef f64x powers[MOST_HALVES]
    cdef f64x below[MOST_HALVES]
    cdef int half
    store(<real*>own.top, top)
    if own.scales == NULL:
        store(<real*>own.power, power2_of_sum(sum, own.raised))
        store(<real*>own.least, top - splat(top, least_below(&top, own.raised)))
        return
    for half in range(halves(&top)):
        below[half] = raised_of(&top, own, half)
        powers[half] = power2(below[half])
        below[half] = least_below_of(&top, below[half])
    store(<real*>own.power, raised_by(narrowed(&top, powers), sum))
    store(<real*>own.least, top - narrowed(&top, below))


cdef inline real least_of_zeros(const real* like, const Columns* own) noexcept nogil:
    # least_of_zero, so that zeros of a negative scale have the sign that they have in rows
    cdef f64x raised[MOST_HALVES]
    cdef real top_n = nearest(load(<const real*>own.top), 1.4426950408889634), more = splat(top_n, own.raised)
    cdef int half
    if own.scales != NULL:
        for half in range(halves(like)):
            raised[half] = raised_of(like, own, half)
        more = narrowed(like, raised)
    return (top_n - (more + splat(more, 127.0 if real is f32x else 1023.0))) * splat(more, 0.6931471805599453)


cdef inline bint find_column_tops(const real* like, const Columns* columns, Columns* own, int registers,
                                  Py_ssize_t n) noexcept nogil:
    # Sets out each register of them. False where the largest of a row is beyond what is computed without a shift; a NaN
    # may be passed over. An element of all registers is read before the next, since they are neighbours in memory.
    cdef real best[MOST_REGISTERS]
    cdef const char* x = columns.x
    cdef Py_ssize_t _i
    cdef int r
    for r in range(registers):
        best[r] = splat(best[r], -INFINITY)
    for _i in range(n):
        for r in range(registers):
            best[r] = at_least(load(<const real*>(x + r * columns.apart)), best[r])
        x += columns.stride
    for r in range(registers):
        own[r] = register_of(like, columns, r, n)
        if not all_less(magnitude(best[r]), splat(best[r], LARGEST_TOP)):
            return False
        set_tops(best[r], &own[r])
    return True


cdef inline void add_column(const real* like, const void* context, Py_ssize_t i, real* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef real x = load(<const real*>(own.x + i * own.stride)), sum
    cdef real p = exp_rest_of(x, load(<const real*>own.least), &sum), power = raised_by(
        load(<const real*>own.power), sum)
    p = fma(p, power, power)
    store(<real*>skip(<const real*>own.y, i * lanes(like)), p)
    sums[0] = sums[0] + p


cdef inline void add_column_below(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef f64x x = load(<const f64x*>(own.x + i * own.stride)), rest, sum
    cdef f64x r = exp_parts_of(x, load(<const f64x*>own.least), &rest, &sum), power = raised_by(
        load(<const f64x*>own.power), sum)
    if own.y != NULL:
        store(<f64x*>skip(<const f64x*>own.y, i * F64_LANES), fma(r + rest, power, power))
    add_to_three(r, rest, power, x, load(<const f64x*>own.top), F64_LANES, sums)


cdef inline f32x column_below(const Columns* own, f32x top, f32x least, f32x power, Py_ssize_t i, f32x* count,
                              f32x* error, f32x* exponential) noexcept nogil:
    # below_at of a register of rows, with the rounding error of its term alone
    cdef f32x x = load(<const f32x*>(own.x + i * own.stride)), rest, sum
    cdef f32x p = exp_parts_of(x, least, &rest, &sum) + rest
    power = raised_by(power, sum)
    exponential[0] = fma(p, power, power)
    count[0] = where_less(x, top, count[0] + splat(x, 1.0), count[0])
    return term_below(x, top, p, power, error)


cdef inline void sum_columns_below(bint closer, const Columns* columns, Py_ssize_t listed, Py_ssize_t n, f64x* below,
                                   f64x* equal) noexcept nogil:
    # sum_below of a register of rows of n elements: of the first `listed`, where the others are the largest. What is
    # added in float32 are the terms, or their rounding errors alone.
    cdef Columns own = columns[0]
    cdef f32x errors[APART]
    cdef f64x sums[MOST_HALVES * APART]
    cdef f64x[MOST_HALVES] total, wide, other
    cdef f32x[2] terms, lost, exponentials
    cdef f32x top = load(<const f32x*>own.top), power = load(<const f32x*>own.power), least = least_of_zeros(&top, &own)
    cdef f32x ones = splat(top, 0.0), none = splat(top, -0.0), first, second
    cdef Py_ssize_t i, k, parts = min(listed, <Py_ssize_t>APART)
    cdef int half, j, both
    for k in range(parts):
        first = second = none
        fill(total, HALVES, 0.0)
        i = k
        while i < listed:
            both = i + APART < listed
            if both:  # side by side, since neither waits for the other
                for j in range(2):
                    terms[j] = column_below(&own, top, least, power, i + j * APART, &ones, &lost[j], &exponentials[j])
            else:
                terms[0] = column_below(&own, top, least, power, i, &ones, &lost[0], &exponentials[0])
                terms[1] = lost[1] = none
            first = first + (lost[0] if closer else terms[0])
            second = second + (lost[1] if closer else terms[1])
            if own.y != NULL:
                store(<f32x*>skip(<const f32x*>own.y, i * F32_LANES), exponentials[0])
                if both:
                    store(<f32x*>skip(<const f32x*>own.y, (i + APART) * F32_LANES), exponentials[1])
            i += FOLDED_PARTS
            if closer:
                wide_halves(terms[0], wide)
                wide_halves(terms[1], other)
                for half in range(HALVES):
                    total[half] = total[half] + (wide[half] + other[half])
            elif (i - k) % (FOLD * FOLDED_PARTS) == 0 or i >= listed:
                wide_halves(first + second, wide)
                first = second = none
                for half in range(HALVES):
                    total[half] = total[half] + wide[half]
        for half in range(HALVES):
            sums[k * HALVES + half] = total[half]
        errors[k] = first + second
    if closer:
        halve(errors, parts, APART, 1)
        add_widened(errors[0], sums, False)
    halve(sums, parts, APART, HALVES)
    for half in range(HALVES):
        below[half] = sums[half]
    wide_halves(splat(top, n) - ones, equal)


cdef inline bint put_lesser(const Columns* own, Py_ssize_t n, f32x* lesser) noexcept nogil:
    # The elements of a register of rows without one of the largest, of rows of two or three: whose sum is the same in
    # any order. False where one is NaN.
    cdef f32x a = load(<const f32x*>own.x), b = load(<const f32x*>(own.x + own.stride)), c, sum = a + b
    lesser[0] = at_most(a, b)
    if n == 3:
        c = load(<const f32x*>(own.x + 2 * own.stride))
        sum = sum + c
        a = at_least(a, b)
        lesser[1] = at_most(a, c)
    return all_less(sum, splat(sum, INFINITY))


cdef inline bint column_softmax(const real* like, const Columns* columns, int registers, Py_ssize_t n,
                                f64x* scales) noexcept nogil:
    # every exponential, and the scale of each row, or 1, over its sum
    cdef Columns own[MOST_REGISTERS]
    cdef int k
    if not find_column_tops(like, columns, own, registers, n):
        return False
    for k in range(registers if columns.scales != NULL else 0):
        store(<real*>own[k].least, least_of_zeros(like, &own[k]))
    for k in range(registers):
        sum_columns(add_column[f32x], add_column[f64x], 1, 0, like, &own[k], n, scales + k * halves(like))
    for k in range(registers * halves(like)):
        if not all_less(scales[k], splat_f64(INFINITY)):  # where a NaN was passed over
            return False
        scales[k] = (splat_f64(1.0) if columns.scales == NULL else columns.scales[k]) / scales[k]
    return True


cdef inline f32x put_column_below(const Columns* own, f32x top, Py_ssize_t i, float* parts) noexcept nogil:
    # for wide_exponential, of a register of rows; gives 1 where an element is the largest, else 0
    cdef f32x least = load(<const f32x*>own.least), x = load(<const f32x*>(own.x + i * own.stride)), rest, sum
    cdef f32x r = exp_parts_of(x, least, &rest, &sum), power = raised_by(load(<const f32x*>own.power), sum)
    if own.y != NULL:
        store(<f32x*>skip(<const f32x*>own.y, i * F32_LANES), fma(r + rest, power, power))
    put_parts_below(x, least, top, r, rest, power, parts)
    return where_less(x, top, splat(x, 0.0), splat(x, 1.0))


cdef inline void sum_columns_wide(const Columns* own, Py_ssize_t n, f64x* below, f64x* equal) noexcept nogil:
    # the same with exact exponentials, in the order of sum_terms
    cdef float[3 * MANY] parts
    cdef f64x sums[MOST_HALVES * PARTS]
    cdef f64x* at
    cdef f32x top = load(<const f32x*>own.top), tops = splat(top, 0.0)
    cdef Py_ssize_t i
    cdef int half
    for i in range(n):
        tops = tops + put_column_below(own, top, i, parts)
        at = sums + i % PARTS * HALVES
        for half in range(HALVES):
            if i < PARTS:
                at[half] = wide_exponential(parts + half * F64_LANES)
            else:
                at[half] = at[half] + wide_exponential(parts + half * F64_LANES)
    halve(sums, min(n, <Py_ssize_t>PARTS), PARTS, HALVES)
    for half in range(HALVES):
        below[half] = sums[half]
    wide_halves(tops, equal)


cdef inline void sum_small_columns(Columns* own, Py_ssize_t n, const f64x* lowered, const f64x* tops,
                                   const f64x* inverses, f64x* rests, double near) noexcept nogil:
    # the small sums of a register of rows of float32 whose largest is no farther from 0 than `near`, in float64
    cdef f64x below[MOST_HALVES]
    cdef f64x equal[MOST_HALVES]
    cdef f64x most[MOST_HALVES]
    cdef int half, small = 0
    for half in range(HALVES):
        most[half] = where_less(magnitude(tops[half]), splat_f64(near), splat_f64(SMALL), splat_f64(0.0))
        most[half] = where_less(magnitude(tops[half] + splat_f64(0.5)), splat_f64(1.5), splat_f64(NEARLY_SMALL),
                                most[half])
        small |= any_less(rests[half], most[half])
    if small:
        own.y = NULL  # where exponentials are already
        sum_columns_wide(own, n, below, equal)
        for half in range(HALVES):
            rests[half] = where_less(
                rests[half], most[half], rest_of_sums(below[half], equal[half], lowered[half], inverses[half]),
                rests[half])


cdef inline void set_inverses(const real* like, const Columns* own, f64x* inverses) noexcept nogil:
    # in float64
    cdef f64x tops[MOST_HALVES]
    cdef f64x exponents[MOST_HALVES]
    cdef int half
    wide_halves(load(<const real*>own.top), tops)
    wide_halves(nearest(load(<const real*>own.top), 1.4426950408889634), exponents)
    for half in range(halves(like)):
        inverses[half] = inverse_of(tops[half], exponents[half])


cdef inline bint column_rests(const real* like, const Columns* columns, int registers, Py_ssize_t n, f64x* tops,
                              f64x* inverses, f64x* rests, double near) noexcept nogil:
    # find_tops, and what find_logs takes the logarithm of: the largest of each row, and the sum relative to it. Small
    # sums are exact as in find_logs.
    cdef Columns own[MOST_REGISTERS]
    cdef f64x totals[SUMS_BELOW]
    cdef f64x below[MOST_LANES]
    cdef f64x equal[MOST_LANES]
    cdef f64x lowered[MOST_LANES]
    cdef f32x lesser[2]
    cdef Py_ssize_t listed = n
    cdef f64x lower = power2(splat_f64(-columns.raised))
    cdef int k, half, first, count = halves(like)
    if not find_column_tops(like, columns, own, registers, n):
        return False
    for k in range(registers):
        first = k * count
        wide_halves(load(<const real*>own[k].top), tops + first)
        for half in range(count):
            lowered[first + half] = lower if columns.scales == NULL else power2(-raised_of(like, &own[k], half))
        if real is f32x:
            if exactly(like, near):
                set_inverses(like, &own[k], inverses + first)
            else:
                inverse_halves(load(<const f32x*>own[k].top), inverses + first)
        else:
            set_inverses(like, &own[k], inverses + first)
    for k in range(registers):
        first = k * count
        if real is f32x:
            if exactly(like, near) and n <= FEW:
                sum_columns_wide(&own[k], n, below + first, equal + first)
                continue
            if columns.y == NULL and (n == 2 or n == 3) and not exactly(like, near):
                if not put_lesser(&own[k], n, lesser):
                    return False
                own[k].x, own[k].stride, listed = <const char*>lesser, sizeof(f32x), n - 1
            sum_columns_below(near == INFINITY, &own[k], listed, n, below + first, equal + first)
        else:
            add_columns(add_column_below, SUMS_BELOW, 1, &own[k], n, totals)
            below[k], equal[k] = below_of(totals, 1), totals[2]
    for k in range(registers * count):
        rests[k] = rest_of_sums(below[k], equal[k], lowered[k], inverses[k])
        if not all_less(rests[k], splat_f64(INFINITY)):
            return False
    if real is f32x:
        for k in range(registers if exactly(like, near) and n > FEW else 0):
            first = k * count
            sum_small_columns(&own[k], n, lowered + first, tops + first, inverses + first, rests + first, near)
    return True


cdef inline bint column_logs(const real* like, const Columns* columns, int registers, Py_ssize_t n, f64x* tops,
                             f64x* inverses, f64x* rests, f64x* logs, double near) noexcept nogil:
    # find_tops, and find_logs where the logarithms are wanted; of an infinite `near` rows have no scales
    cdef Columns own
    cdef f64x most = splat_f64(EXACT_BELOW), lowered = power2(splat_f64(-columns.raised))
    cdef int k
    if not column_rests(like, columns, registers, n, tops, inverses, rests, near):
        return False
    for k in range(registers if logs != NULL else 0):
        if real is f32x:
            if near == INFINITY:
                wide_halves(log_of_rests(rests + k * HALVES), logs + k * HALVES)
            else:
                log_rest_halves(rests + k * HALVES, logs + k * HALVES)
        else:
            logs[k] = log1p(rests[k])
            if near == INFINITY and any_less(rests[k], most):
                own = register_of(like, columns, k, n)
                set_tops(tops[k], &own)
                logs[k] = where_less(rests[k], most, exact_column_log(
                    own.x, own.stride, tops[k], load(<const f64x*>own.least), load(<const f64x*>own.power), lowered,
                    n), logs[k])
    return True
