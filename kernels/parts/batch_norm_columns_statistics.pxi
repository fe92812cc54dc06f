# Means and variances of columns, from the sums of their deviations. A part of batch_norm.pyx.

cdef void average_all(Problem* problem, bint folded, Py_ssize_t examples) noexcept nogil:
    # the averages of both sums over so many examples, divided register by register: a division takes as long as
    # all else that is done for a channel
    cdef double* sums = problem.work.sums
    cdef Py_ssize_t i = 0, count = 2 * problem.channels
    add_all(problem, folded)
    while i + F64_LANES <= count:
        store_f64(sums + i, load_f64(sums + i) / splat_f64(examples))
        i += F64_LANES
    while i < count:
        sums[i] /= examples
        i += 1


cdef inline double found_mean(const real* like, const Problem* problem, Py_ssize_t i) noexcept nogil:
    # from the average deviation
    return element(<const real*>problem.known.of[MEAN], i) + problem.work.sums[i]


cdef inline bint has_vanished(const Problem* problem, Py_ssize_t i) noexcept nogil:
    # Whether a channel whose deviations and squares are all 0 in float32 may differ from a constant one after all. Near
    # a mean of 2^-50 or more, neighbouring numbers differ by 2^-74 or more, and float32 holds the square of that. A
    # mean of 0 may be the mean of zeros, or of numbers too small.
    cdef float mean = (<const float*>problem.known.of[MEAN])[i]
    cdef const Operand* x = &problem.work.of[0]
    cdef const char* code
    cdef Py_ssize_t example
    if mean != 0.0:
        return fabs(mean) < ldexp(1.0, -50)
    for example in range(problem.work.rows):
        code = x.data + example * x.step_q + i * x.stride
        if ((<const uint32_t*>code)[0] << 1 if problem.work.dtype == FLOAT32 else
                <uint32_t>(<const uint16_t*>code)[0] << 17) != 0:
            return True
    return False


cdef bint judge(const real* like, const Problem* problem, bint final) noexcept nogil:
    # Which channels' averages have lost digits; whether any is POOR. A poor channel is summed a second time, from the
    # mean that the first sum found, and then no more.
    cdef Py_ssize_t i
    cdef double apart, square
    cdef bint any_poor = False
    for i in range(problem.channels):
        if final and problem.again[i] != POOR:
            continue
        apart, square = problem.work.sums[i], problem.work.sums[problem.channels + i]
        problem.again[i] = POOR if apart * apart > 0.5 * square and not final else 0
        if real is f32x:
            if not ldexp(1.0, -60) < square < ldexp(1.0, 100) and (
                    not apart == square == 0.0 or has_vanished(problem, i)):
                problem.again[i] = LOST
        any_poor = any_poor or problem.again[i] == POOR
    return any_poor


cdef void tell(const real* like, const Problem* problem, int which, char* mean, Py_ssize_t mean_step,
               char* variance, Py_ssize_t variance_step) noexcept nogil:
    # writes mean and variance of the channels that have been summed for this reason
    cdef Py_ssize_t i
    cdef double apart
    for i in range(problem.channels):
        if problem.again[i] == which:
            apart = problem.work.sums[i]
            (<double*>(mean + i * mean_step))[0] = found_mean(like, problem, i)
            (<double*>(variance + i * variance_step))[0] = problem.work.sums[problem.channels + i] - apart * apart


cdef inline void guess_means(const real* like, Problem* problem, Py_ssize_t examples) noexcept nogil:
    # from the first few examples, by their deviations from the very first
    cdef Pass whole_work = problem.work
    cdef real* mean = <real*>problem.known.of[MEAN]
    cdef Py_ssize_t i, few = min(examples, <Py_ssize_t>GUESSED)
    for i in range(problem.channels):
        set_known(like, problem, MEAN, i, 0.0)
    if examples > 0:
        take_row(problem.work.dtype, mean, problem.work.of[0].data, problem.work.of[0].stride, problem.channels)
        scale_row(like, problem, mean)
    problem.work.rows = problem.work.chunk = few
    problem.work.chunks = problem.work.workers = 1
    average_all(problem, False, few)
    problem.work = whole_work
    for i in range(problem.channels):
        set_known(like, problem, MEAN, i, found_mean(like, problem, i))
