# The logarithms of sums of exponentials of neighbouring rows, a row in each lane: those of exponentials.pxd to the last
# bit. Where a row is of a kind that column_exponentials.pxd has not, a function says False and writes nothing.
from libc.math cimport INFINITY
from libc.stdint cimport uintptr_t

from ..lanes cimport (
    F32_LANES, F64_LANES, all_less, any_less, called, f32x, f64x, fma, magnitude, power2, real,
    splat, splat_f32, splat_f64, where_less,
)
from ..loops.columns cimport (
    APART, HALVES, MOST_HALVES, MOST_LANES, add_columns, add_widened, halve, halves, narrowed, wide_halves,
)
from ..loops.operations cimport MOST_REGISTERS
from ..loops.partial_sums cimport prefetch
from ..loops.reductions cimport FOLD, FOLDED_PARTS, PARTS, fill
from ..loops.registers cimport load, skip, store
from ..math.exponential cimport nearest, raised_by
from ..math.logarithm cimport log1p
from .column_exponentials cimport (
    Columns, find_column_tops, largest_columns, more_of, raised_of, set_register, set_tops,
)
from .exact_logarithms cimport EXACT_BELOW, exact_below, exact_column_log
from .exponential_parts cimport (
    FEW, MANY, add_to_three, exp_parts_of, power_of, put_parts_below, start_of_powers, term_below, wide_exponential,
)
from .exponentials cimport (
    NEARLY_SMALL, SMALL, SUMS_BELOW, below_of, exactly, inverse_halves, inverse_of, is_few, log_of_rests,
    log_rest_halves, rest_of_sums,
)
from .exponents cimport least_of_zeros
from .few_exponentials cimport FEW_SUMS, FOUND, REST, add_below_few, few_log, few_rest, start_of_few, widen_found


cdef inline void add_column_below(const f64x* like, const void* context, Py_ssize_t i, f64x* sums) noexcept nogil:
    cdef const Columns* own = <const Columns*>context
    cdef f64x x = load(<const f64x*>(own.x + i * own.stride)), rest, sum
    cdef f64x r = exp_parts_of(x, load(<const f64x*>own.least), &rest, &sum), power = raised_by(
        load(<const f64x*>own.power), sum)
    if own.y != NULL:
        store(<f64x*>skip(<const f64x*>own.y, i * F64_LANES), fma(r + rest, power, power))
    add_to_three(r, rest, power, x, load(<const f64x*>own.top), F64_LANES, sums)


cdef inline f32x starts_of_powers(const Columns* own) noexcept nogil:
    # start_of_powers of each row
    return more_of(<const f32x*>NULL, own) + splat_f32(start_of_powers(0))


cdef inline f32x column_below(const Columns* own, f32x top, f32x least, f32x start, Py_ssize_t i, f32x* count,
                              f32x* error, f32x* exponential) noexcept nogil:
    # below_at of a register of rows, with the rounding error of its term alone
    cdef f32x x = load(<const f32x*>(own.x + i * own.stride)), p, power = power_of(x, least, start, &p)
    exponential[0] = fma(p, power, power)
    count[0] = where_less(x, top, count[0] + splat(x, 1.0), count[0])
    return term_below(x, top, p, power, error)


cdef inline void sum_columns_below(bint closer, const Columns* columns, Py_ssize_t n, f64x* below,
                                   f64x* equal) noexcept nogil:
    # sum_below (sums_below.pxd) of a register of rows. What is added in float32 are the terms, or their rounding errors
    # alone.
    cdef Columns own = columns[0]
    cdef f32x errors[APART]
    cdef f64x sums[MOST_HALVES * APART]
    cdef f64x[MOST_HALVES] total, wide, other
    cdef f32x[2] terms, lost, exponentials
    cdef f32x top = load(<const f32x*>own.top), start = starts_of_powers(&own)
    cdef f32x least = least_of_zeros(more_of(<const f32x*>NULL, &own))
    cdef f32x ones = splat(top, 0.0), none = splat(top, -0.0), first, second
    cdef Py_ssize_t i, k, parts = min(n, <Py_ssize_t>APART)
    cdef int half, j, both
    own.y = NULL if closer else own.y  # as it is, which the compiler then knows
    for k in range(parts):
        first = second = none
        fill(total, HALVES, 0.0)
        i = k
        while i < n:
            both = i + APART < n
            if closer and own.ahead > 0:
                prefetch(<uintptr_t>own.x + i * own.stride + own.ahead)
                if both:
                    prefetch(<uintptr_t>own.x + (i + APART) * own.stride + own.ahead)
            if both:  # side by side, since neither waits for the other
                for j in range(2):
                    terms[j] = column_below(&own, top, least, start, i + j * APART, &ones, &lost[j], &exponentials[j])
            else:
                terms[0] = column_below(&own, top, least, start, i, &ones, &lost[0], &exponentials[0])
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
            elif (i - k) % (FOLD * FOLDED_PARTS) == 0 or i >= n:
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


cdef inline f32x put_column_below(const Columns* own, f32x top, Py_ssize_t i, float* parts) noexcept nogil:
    # for wide_exponential, of a register of rows; gives 1 where an element is the largest, else 0
    cdef f32x least = load(<const f32x*>own.least), x = load(<const f32x*>(own.x + i * own.stride)), rest, sum
    cdef f32x r = exp_parts_of(x, least, &rest, &sum), power = raised_by(load(<const f32x*>own.power), sum)
    if own.y != NULL:
        store(<f32x*>skip(<const f32x*>own.y, i * F32_LANES), fma(r + rest, power, power))
    put_parts_below(x, least, top, r, rest, power, parts)
    return where_less(x, top, splat(x, 0.0), splat(x, 1.0))


ctypedef void (*wide_function)(const Columns* own, Py_ssize_t n, f64x* below, f64x* equal) noexcept nogil


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
        # called, since it is rare and stands there for few elements already
        (<wide_function>called(<void*>sum_columns_wide))(own, n, below, equal)
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


cdef inline bint column_rests(const real* like, const Columns* columns, Columns* own, int registers, Py_ssize_t n,
                              f64x* tops, f64x* inverses, f64x* rests, double near) noexcept nogil:
    # find_tops, and what find_logs takes the logarithm of: the largest of each row, and the sum relative to it. Small
    # sums are exact as in find_logs.
    cdef f64x totals[SUMS_BELOW]
    cdef f64x below[MOST_LANES]
    cdef f64x equal[MOST_LANES]
    cdef f64x lowered[MOST_LANES]
    cdef f64x lower = power2(splat_f64(-columns.raised))
    cdef int k, half, first, count = halves(like)
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
            if near == INFINITY:
                sum_columns_below(True, &own[k], n, below + first, equal + first)
            else:
                sum_columns_below(False, &own[k], n, below + first, equal + first)
        else:
            add_columns(add_column_below, SUMS_BELOW, 1, True, &own[k], n, totals)
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


cdef inline bint put_lesser(const char* x, Py_ssize_t stride, f32x top, Py_ssize_t n, f32x* lesser) noexcept nogil:
    # the elements of a register of rows but one of the largest, in order, of rows of two or three; False where one is
    # NaN
    cdef f32x a = load(<const f32x*>x), b = load(<const f32x*>(x + stride)), c, sum = a + b
    lesser[0] = where_less(a, top, a, b)
    if n == 3:
        c = load(<const f32x*>(x + 2 * stride))
        sum = sum + c
        lesser[1] = where_less(c, top, c, where_less(a, top, b, top))
    return all_less(sum, splat(sum, INFINITY))


cdef inline f32x count_largest(const char* x, Py_ssize_t stride, f32x top, Py_ssize_t n) noexcept nogil:
    # how many elements are the largest of their row
    cdef f32x count = splat_f32(0.0)
    cdef Py_ssize_t i
    for i in range(n):
        count = where_less(load(<const f32x*>(x + i * stride)), top, count, count + splat_f32(1.0))
    return count


cdef inline void set_few(const Columns* columns, int k, f32x top, f32x second, f32x* least, f32x* start,
                         f32x* above) noexcept nogil:
    # what follows from the largest of the k-th register of rows
    cdef Columns own
    set_register(<const f32x*>NULL, columns, k, 0, &own)
    set_tops(top, &own)
    start[0], least[0] = starts_of_powers(&own), least_of_zeros(more_of(<const f32x*>NULL, &own))
    above[0] = start_of_few(second, least[0], load(<const f32x*>own.power))


cdef inline void add_few_column(const char* x, void* y, Py_ssize_t i, f32x top, f32x least, f32x start,
                                f32x* sums) noexcept nogil:
    cdef f32x p, value = load(<const f32x*>x), power = power_of(value, least, start, &p)
    if y != NULL:
        store(<f32x*>skip(<const f32x*>y, i * F32_LANES), fma(p, power, power))
    add_below_few(p, where_less(value, top, power, splat_f32(0.0)), sums)


cdef inline f32x lowered_of(const Columns* columns, int k) noexcept nogil:
    # 2^-raised of the k-th register of rows
    cdef Columns own
    cdef f64x raised[MOST_HALVES]
    cdef int half
    set_register(<const f32x*>NULL, columns, k, 0, &own)
    for half in range(HALVES):
        raised[half] = power2(-raised_of(<const f32x*>NULL, &own, half))
    return narrowed(<const f32x*>NULL, raised)


cdef inline bint any_few_columns(const Columns* columns, int registers, Py_ssize_t n, bint logged, f32x* tops,
                                 f32x* equal, f32x* found) noexcept nogil:
    # two registers at a time, so that one does not wait for the other
    cdef f32x seconds[MOST_REGISTERS]
    cdef f32x above[MOST_REGISTERS]
    cdef f32x sums[MOST_REGISTERS * FEW_SUMS]
    cdef f32x lesser[4]
    cdef f32x one[FOUND]
    cdef f32x two[FOUND]
    cdef f32x least, least_2, start, start_2, lowered = power2(splat_f32(-columns.raised)), lowered_2 = lowered
    cdef bint left_out = columns.y == NULL and (n == 2 or n == 3)  # one of the largest
    cdef Py_ssize_t i, stride = columns.stride
    cdef const char* x
    cdef const char* x_2
    cdef int k, j
    if not largest_columns(<const f32x*>NULL, columns, registers, n, tops, seconds):
        return False
    for k in range(registers):
        equal[k] = splat_f32(1.0)
        if not all_less(seconds[k], tops[k]):
            equal[k] = count_largest(columns.x + k * columns.apart, stride, tops[k], n)
    for k in range(0, registers, 2):
        j = min(k + 1, registers - 1)
        set_few(columns, k, tops[k], seconds[k], &least, &start, &above[k])
        set_few(columns, j, tops[j], seconds[j], &least_2, &start_2, &above[j])
        one[0], one[1], two[0], two[1] = above[k], splat_f32(0.0), above[j], splat_f32(0.0)
        x, x_2 = columns.x + k * columns.apart, columns.x + j * columns.apart
        if left_out:
            if not (put_lesser(x, columns.stride, tops[k], n, lesser) and (
                    put_lesser(x_2, columns.stride, tops[j], n, lesser + 2))):
                return False
            x, x_2, stride = <const char*>lesser, <const char*>(lesser + 2), sizeof(f32x)
        for i in range((n - left_out) if columns.y == NULL else 0):
            add_few_column(x, NULL, i, tops[k], least, start, one)
            add_few_column(x_2, NULL, i, tops[j], least_2, start_2, two)
            x, x_2 = x + stride, x_2 + stride
        for i in range(0 if columns.y == NULL else n):
            add_few_column(x, <void*>skip(<const f32x*>columns.y, k * n * F32_LANES), i, tops[k], least, start, one)
            add_few_column(x_2, <void*>skip(<const f32x*>columns.y, j * n * F32_LANES), i, tops[j], least_2, start_2,
                           two)
            x, x_2 = x + stride, x_2 + stride
        for i in range(FEW_SUMS):
            sums[k * FEW_SUMS + i], sums[j * FEW_SUMS + i] = one[i], two[i]
    for k in range(0, registers, 2):
        j = min(k + 1, registers - 1)
        if columns.scales != NULL:
            lowered, lowered_2 = lowered_of(columns, k), lowered_of(columns, j)
        few_rest(tops[k], above[k], sums + k * FEW_SUMS, lowered, one)
        few_rest(tops[j], above[j], sums + j * FEW_SUMS, lowered_2, two)
        if logged:
            few_log(equal[k], one)
            few_log(equal[j], two)
        if not all_less(one[REST] + two[REST], splat_f32(INFINITY)):
            return False
        for i in range(FOUND):
            found[k * FOUND + i], found[j * FOUND + i] = one[i], two[i]
    return True


ctypedef bint (*few_function)(const Columns* columns, int registers, Py_ssize_t n, bint logged, f32x* tops,
                              f32x* equal, f32x* found) noexcept nogil


cdef inline bint few_columns(const Columns* columns, int registers, Py_ssize_t n, bint logged, f32x* tops, f32x* equal,
                             f32x* found) noexcept nogil:
    # find_few_logs: of each register of rows the largest, how many elements are, and what few_rest and, if `logged`,
    # few_log find. Compiled once for all that call it.
    return (<few_function>called(<void*>any_few_columns))(columns, registers, n, logged, tops, equal, found)


cdef inline bint column_logs(const real* like, const Columns* columns, int registers, Py_ssize_t n, f64x* tops,
                             f64x* inverses, f64x* rests, f64x* logs, double near, bint logs_alone) noexcept nogil:
    # find_tops, and find_logs where the logarithms are wanted, which may be all that is. Of an infinite `near` rows
    # have no scales.
    cdef Columns own[MOST_REGISTERS]
    cdef f64x most, log, lowered = power2(splat_f64(-columns.raised))
    cdef f32x top[MOST_REGISTERS]
    cdef f32x equal[MOST_REGISTERS]
    cdef f32x found[MOST_REGISTERS * FOUND]
    cdef int k, first
    cdef bint exact = False  # whether all logarithms are, since no sum of so few elements is larger
    if real is f32x:
        if is_few(like, near, n):
            if not few_columns(columns, registers, n, logs != NULL, top, equal, found):
                return False
            for k in range(registers):
                first = k * HALVES
                wide_halves(top[k], tops + first)
                widen_found(found + k * FOUND, equal[k], near == INFINITY, NULL if logs_alone else inverses + first,
                            rests + first, logs + first if logs != NULL else NULL)
            return True
    else:
        exact = logs_alone and near == INFINITY and n <= EXACT_BELOW
    if not find_column_tops(like, columns, own, registers, n):
        return False
    if not exact and not column_rests(like, columns, own, registers, n, tops, inverses, rests, near):
        return False
    for k in range(registers if logs != NULL else 0):
        if real is f32x:
            if near == INFINITY:
                wide_halves(log_of_rests(rests + k * HALVES), logs + k * HALVES)
            else:
                log_rest_halves(rests + k * HALVES, logs + k * HALVES)
        else:
            if exact:
                tops[k], rests[k] = load(<const f64x*>own[k].top), splat_f64(0.0)
            else:
                logs[k] = log1p(rests[k])
            most = exact_below(near, tops[k])
            if near > 0.0 and any_less(rests[k], most):
                log = exact_column_log(own[k].x, own[k].stride, tops[k], load(<const f64x*>own[k].least),
                                       load(<const f64x*>own[k].power), lowered, n)
                if exact and not all_less(log, splat_f64(INFINITY)):  # where a NaN was passed over
                    return False
                logs[k] = log if exact else where_less(rests[k], most, log, logs[k])
    return True
