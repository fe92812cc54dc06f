# The sum of the exponentials of a row of float32 below its largest, and how many these are: for exponentials.pxd, and
# for short_exponentials.pxd of several rows in one call.
from ..lanes cimport (
    F32_LANES, F64_LANES, called, f32x, f64x, fma, splat, splat_f32, splat_f64, store_f32, store_part_f32, sum_f64,
    where_less, wide_f32,
)
from ..loops.operations cimport MOST_SHORT
from ..loops.reductions cimport (
    BLOCK, FOLD, FOLDED_PARTS, FOLDED_SUMS, FOLDED_TERMS, Pair, end_fold, fill, first_lanes, halved, take,
)
from .exponential_parts cimport power_of, start_of_powers, term_below
from .exponents cimport Exponents, least_of_zero

cdef extern from *:
    """
    enum { TOGETHER = FOLDED_TERMS == 1 ? 2 : 1 };
    """
    const int TOGETHER  # times FOLDED_PARTS exponentials are computed side by side


cdef struct PlainRow:
    # a row of float32 without sign or shift
    const float* x
    float* y  # where the exponentials go, or NULL
    f32x top  # its largest element
    f32x least  # an exponential of less is 0
    f32x start  # of powers


cdef struct PlainRows:
    # such rows at equal distances, up to MOST_SHORT
    const char* x
    Py_ssize_t step
    char* y
    Py_ssize_t y_step
    float[MOST_SHORT] top
    float[MOST_SHORT] least
    float[MOST_SHORT] start


cdef inline void put_below(const PlainRow* own, f32x y, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # where that is asked for
    if own.y != NULL:
        if n == F32_LANES:
            store_f32(own.y + i, y)
        else:
            store_part_f32(own.y + i, y, n)


cdef inline f32x below_at(const PlainRow* own, Py_ssize_t i, Py_ssize_t n, f32x* count, f32x* errors,
                          f32x* exponential) noexcept nogil:
    # an exponential, which the caller stores where there are several TOGETHER; what it adds to the sum without the
    # largest, to the rounding errors of those terms, and to how many there are
    cdef f32x p, error, x = take(<const f32x*>own.x, i, n), power = power_of(x, own.least, own.start, &p)
    exponential[0] = fma(p, power, power)
    if TOGETHER == 1:
        put_below(own, exponential[0], i, n)
    count[0] = where_less(x, own.top, count[0] + first_lanes(splat(x, 1.0), n), count[0])
    p = first_lanes(term_below(x, own.top, p, power, &error), n)
    errors[0] = errors[0] + first_lanes(error, n)
    return p


cdef inline void add_terms_below(bint closer, f32x* terms, bint ends, f32x* folded, f64x* below) noexcept nogil:
    # FOLDED_PARTS terms: as fold_terms adds them, where they may end a fold, or, if `closer`, each as float64, the
    # first half and the second to one partial sum each
    cdef float values[FOLDED_PARTS]
    cdef int k
    if not closer:
        for k in range(FOLDED_TERMS):
            folded[k] = folded[k] + terms[k]
        if ends:
            end_fold(1, folded, below)
            fill(folded, FOLDED_TERMS, -0.0)
        return
    for k in range(FOLDED_TERMS):
        store_f32(values + k * F32_LANES, terms[k])
    for k in range(FOLDED_SUMS):
        below[k] = below[k] + (wide_f32(values + k * F64_LANES)
                               + wide_f32(values + FOLDED_PARTS // 2 + k * F64_LANES))


cdef inline void sum_below(bint closer, const PlainRow* own, Py_ssize_t n, f64x* below, f64x* count) noexcept nogil:
    # Of a row of float32: FOLDED_SUMS registers of partial sums of the exponentials below the largest, and of how many
    # these are. If `closer`, no sum is rounded to float32, and the rounding errors of the exponentials are in it too.
    # Two registers or more are computed side by side, since they do not wait for each other.
    cdef f32x terms[TOGETHER * FOLDED_TERMS]
    cdef f32x exponentials[TOGETHER * FOLDED_TERMS]
    cdef f32x folded[FOLDED_TERMS]
    cdef f32x ones[FOLDED_TERMS]
    cdef f32x errors[FOLDED_TERMS]
    cdef float lost[FOLDED_PARTS]
    cdef Py_ssize_t i = 0, left
    cdef int k, parts = FOLDED_PARTS
    cdef bint ends
    fill(below, FOLDED_SUMS, 0.0)
    fill(count, FOLDED_SUMS, 0.0)
    fill(folded, FOLDED_TERMS, -0.0)
    fill(ones, FOLDED_TERMS, 0.0)
    fill(errors, FOLDED_TERMS, 0.0)
    while i + TOGETHER * FOLDED_PARTS <= n:
        for k in range(TOGETHER * FOLDED_TERMS):
            terms[k] = below_at(own, i + k * F32_LANES, F32_LANES, &ones[k % FOLDED_TERMS], &errors[k % FOLDED_TERMS],
                                &exponentials[k])
        for k in range(TOGETHER):
            ends = k == 1 if TOGETHER == FOLD else i % (FOLD * FOLDED_PARTS) != 0
            add_terms_below(closer, terms + k * FOLDED_TERMS, ends, folded, below)
        if TOGETHER > 1 and own.y != NULL:
            for k in range(TOGETHER * FOLDED_TERMS):
                put_below(own, exponentials[k], i + k * F32_LANES, F32_LANES)
        i += TOGETHER * FOLDED_PARTS
    while i < n:
        for k in range(FOLDED_TERMS):
            left = n - i - k * F32_LANES
            terms[k] = splat_f32(0.0)
            if left > 0:
                left = min(left, <Py_ssize_t>F32_LANES)
                terms[k] = below_at(own, i + k * F32_LANES, left, &ones[k], &errors[k], exponentials)
                if TOGETHER > 1:
                    put_below(own, exponentials[0], i + k * F32_LANES, left)
        ends = i % (FOLD * FOLDED_PARTS) != 0
        add_terms_below(closer, terms, ends, folded, below)
        i += FOLDED_PARTS
    if closer:
        for k in range(FOLDED_TERMS):
            store_f32(lost + k * F32_LANES, errors[k])
        while parts > 1:
            parts //= 2
            for k in range(parts):
                lost[k] += lost[k + parts]
        below[0] = below[0] + first_lanes(splat_f64(lost[0]), 1)
    else:
        end_fold(1, folded, below)
    end_fold(1, ones, count)


ctypedef void (*below_function)(bint closer, const PlainRows* rows, Py_ssize_t first, Py_ssize_t count, Py_ssize_t n,
                                f64x* below, f64x* ones) noexcept nogil


cdef inline void sums_below(bint closer, const PlainRows* rows, Py_ssize_t first, Py_ssize_t count, Py_ssize_t n,
                            f64x* below, f64x* ones) noexcept nogil:
    # the last register of each sum of some rows; compiled once for all that call it
    (<below_function>called(<void*>sum_rows_below))(closer, rows, first, count, n, below, ones)


cdef inline void sum_rows_below(bint closer, const PlainRows* rows, Py_ssize_t first, Py_ssize_t count, Py_ssize_t n,
                                f64x* below, f64x* ones) noexcept nogil:
    cdef Py_ssize_t r
    if closer:
        for r in range(count):
            sum_row_below(True, rows, first + r, n, &below[r], &ones[r])
    else:
        for r in range(count):
            sum_row_below(False, rows, first + r, n, &below[r], &ones[r])


cdef inline void sum_row_below(bint closer, const PlainRows* rows, Py_ssize_t r, Py_ssize_t n, f64x* below,
                               f64x* ones) noexcept nogil:
    cdef f64x terms[FOLDED_SUMS]
    cdef f64x counts[FOLDED_SUMS]
    cdef PlainRow own
    own.x, own.y = <const float*>(rows.x + r * rows.step), NULL
    if not closer and rows.y != NULL:  # closer sums have no exponentials to store, which the compiler then knows
        own.y = <float*>(rows.y + r * rows.y_step)
    own.top, own.least, own.start = splat_f32(rows.top[r]), splat_f32(rows.least[r]), splat_f32(rows.start[r])
    sum_below(closer, &own, n, terms, counts)
    below[0], ones[0] = halved(terms, FOLDED_SUMS, 1), halved(counts, FOLDED_SUMS, 1)


cdef inline Pair sum_of_below(bint closer, const Exponents* row, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # of a row of float32, the sum without the largest, and how many are the largest. A row with a shift, which hardly
    # any has, is copied without it
    cdef float[BLOCK] exponents
    cdef f64x below[1]
    cdef f64x ones[1]
    cdef PlainRows own
    cdef Py_ssize_t i
    own.x, own.step, own.y, own.y_step = <const char*>row.x + start * sizeof(float), 0, NULL, 0
    if row.y != NULL:
        own.y = <char*>row.y + start * sizeof(float)
    if row.shift != 0.0:
        for i in range(n):
            exponents[i] = (<const float*>own.x)[i] - <float>row.shift
        own.x = <const char*>exponents
    own.top[0], own.least[0] = <float>(row.top - row.shift), <float>least_of_zero(<const f32x*>NULL, row.more)
    own.start[0] = <float>start_of_powers(row.more)
    sums_below(closer, &own, 0, 1, n, below, ones)
    return Pair(sum_f64(below[0]), n - sum_f64(ones[0]))
