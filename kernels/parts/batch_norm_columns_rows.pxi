# A few examples, as rows of all channels: their sums, and their maps. A part of batch_norm.pyx.

# The terms of two sums, and the maps.

cdef inline void add_deviation(const real* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                               f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>one.x, i, n) - wide(<const real*>one.known.of[MEAN], i, n)
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void add_gradient(const real* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                              f64x* sums) noexcept nogil:
    # grad and grad * normed
    cdef f64x grad = wide(<const real*>one.grad, i, n)
    cdef f64x x = wide(<const real*>one.x, i, n) - wide(<const real*>one.known.of[MEAN], i, n)
    x = x - wide(<const real*>one.known.of[MEAN_REST], i, n)
    sums[0] = sums[0] + grad
    sums[1] = sums[1] + grad * (x * wide(<const real*>one.known.of[RSTD], i, n))


cdef inline real known(const real* like, const Example* one, int what, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return take(<const real*>one.known.of[what], i, n)


cdef inline void fold_deviation(const f32x* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                                f32x* sums) noexcept nogil:
    cdef f32x x = take(<const f32x*>one.x, i, n) - known(like, one, MEAN, i, n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


cdef inline void fold_gradient(const f32x* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    cdef f32x grad = take(<const f32x*>one.grad, i, n)
    cdef f32x x = (take(<const f32x*>one.x, i, n) - known(like, one, MEAN, i, n)) - known(like, one, MEAN_REST, i, n)
    sums[0] = sums[0] + grad
    sums[1] = fma(grad, x * known(like, one, RSTD, i, n), sums[1])


cdef inline real column_affine(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef const Example* one = <const Example*>context
    cdef real x = (take(<const real*>one.x, i, n) - known(like, one, MEAN, i, n)) - known(like, one, MEAN_REST, i, n)
    return fma(x * known(like, one, RSTD, i, n), known(like, one, WEIGHT, i, n), known(like, one, BIAS, i, n))


cdef inline real column_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef const Example* one = <const Example*>context
    cdef real x = (take(<const real*>one.x, i, n) - known(like, one, MEAN, i, n)) - known(like, one, MEAN_REST, i, n)
    cdef real grad = take(<const real*>one.grad, i, n) - known(like, one, GRAD_MEAN, i, n)
    cdef real rstd = known(like, one, RSTD, i, n)
    grad = fma(-(x * rstd), known(like, one, GRAD_NORMED_MEAN, i, n), grad)
    return grad * rstd * known(like, one, WEIGHT, i, n)


cdef inline const void* scaled(const real* like, const Problem* problem, void* x) noexcept nogil:
    # a row, which has been multiplied in its tile by the channels' scales if there are any
    cdef Py_ssize_t i
    if problem.scale != NULL:
        for i in range(problem.channels):
            if real is f32x:
                (<float*>x)[i] *= (<const float*>problem.scale)[i]
            else:
                (<double*>x)[i] *= (<const double*>problem.scale)[i]
    return x


# A few rows: their sums, and their maps.

cdef inline void add_part(
        void (*add)(const real*, const Example*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Example* examples, Py_ssize_t count, double* first, double* second, Py_ssize_t i,
        Py_ssize_t n) noexcept nogil:
    # of the channels i to i + n
    cdef f64x sums[2]
    cdef Py_ssize_t r
    sums[0], sums[1] = wide(<const f64x*>first, i, n), wide(<const f64x*>second, i, n)
    for r in range(count):
        add(like, &examples[r], i, n, sums)
    if n == F64_LANES:
        store_f64(first + i, sums[0])
        store_f64(second + i, sums[1])
    else:
        store_part_f64(first + i, sums[0], n)
        store_part_f64(second + i, sums[1], n)


cdef inline void fold_part(
        void (*fold)(const f32x*, const Example*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        const Example* examples, Py_ssize_t count, double* first, double* second, Py_ssize_t i,
        Py_ssize_t n) noexcept nogil:
    cdef f32x sums[2]
    cdef Py_ssize_t r
    sums[0] = sums[1] = splat_f32(0.0)
    for r in range(count):
        fold(NULL, &examples[r], i, n, sums)
    add_wide(first + i, sums[0], n)
    add_wide(second + i, sums[1], n)


cdef inline void add_rows(
        void (*fold)(const f32x*, const Example*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const Example*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        Operands* p, Py_ssize_t count, Py_ssize_t channels) noexcept nogil:
    # x, grad, problem -> two sums
    cdef const Problem* problem = <const Problem*>p[0][2]
    cdef double* first = <double*>p[0][3]
    cdef double* second = <double*>p[0][4]
    cdef Example examples[GROUP]
    cdef Py_ssize_t i = 0, r
    for r in range(count):
        examples[r].x, examples[r].grad, examples[r].known = scaled(like, problem, p[r][0]), p[r][1], problem.known
    if real is f32x and problem.folded:
        while count == GROUP and i + F32_LANES <= channels:  # which the compiler then knows
            fold_part(fold, examples, GROUP, first, second, i, F32_LANES)
            i += F32_LANES
        while i < channels:
            fold_part(fold, examples, any_count(count), first, second, i, min(channels - i, <Py_ssize_t>F32_LANES))
            i += F32_LANES
        return
    while i + F64_LANES <= channels:
        add_part(add, like, examples, any_count(count), first, second, i, F64_LANES)
        i += F64_LANES
    if i < channels:
        add_part(add, like, examples, any_count(count), first, second, i, channels - i)


cdef void deviations_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                            int manner) noexcept nogil:
    add_rows(fold_deviation, add_deviation[real], like, p, rows, n)


cdef void gradients_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                           int manner) noexcept nogil:
    add_rows(fold_gradient, add_gradient[real], like, p, rows, n)


cdef inline void map_rows(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int manner) noexcept nogil:
    # x, grad, problem -> y
    cdef const Problem* problem = <const Problem*>p[0][2]
    cdef Example one, other
    cdef Py_ssize_t r = 0
    one.known, one.streamed = problem.known, manner & STREAMED
    while r < rows:
        one.x, one.grad = scaled(like, problem, p[r][0]), p[r][1]
        if r + 1 < rows:
            other = one
            other.x, other.grad = scaled(like, problem, p[r + 1][0]), p[r + 1][1]
            map_pair(point, <real*>p[r][3], &one, <real*>p[r + 1][3], &other, n, one.streamed)
        else:
            map_block(point, <real*>p[r][3], &one, 0, n, one.streamed)
        r += 2


cdef void affine_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                      int manner) noexcept nogil:
    map_rows(column_affine[real], like, p, rows, n, manner)


cdef void slope_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                     int manner) noexcept nogil:
    map_rows(column_slope[real], like, p, rows, n, manner)
