# Short rows, eight at a time, for the same bits. A part of norms.pyx, which has the kernels of one row at a time.

cdef inline bint short_rstds(const real* like, const double* squares, const char* eps, Py_ssize_t eps_step,
                             double* rstds) noexcept nogil:
    # whether rows of these mean squares are ordinary; and if so, their 1 / sqrt(square + eps)
    cdef f64x own = splat_f64((<const double*>eps)[0])
    cdef int k = 0
    if eps_step != 0:
        take_numbers(eps, eps_step, rstds)
    while k < SHORT_ROWS:
        if not all_ordinary(like, load_f64(squares + k)):
            return False
        if eps_step != 0:
            own = load_f64(rstds + k)
        store_f64(rstds + k, splat_f64(1.0) / square_root_f64(load_f64(squares + k) + own))
        k += F64_LANES
    return True


cdef inline bint short_rms(const real* like, const char* x, Py_ssize_t step, const char* eps, Py_ssize_t eps_step,
                           Py_ssize_t n, double* rstds) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] squares
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        norm.x = x + r * step
        sum_short(fold_square, add_square[real], 1, like, &norm, n, parts + r)
    short_means(like, parts, 1, n, squares)
    return short_rstds(like, squares, eps, eps_step, rstds)


cdef bint short_layer(const real* like, const char* x, Py_ssize_t step, const char* eps, Py_ssize_t eps_step,
                      Py_ssize_t n, double* means, double* rests, double* rstds) noexcept nogil:
    # as guess_mean or find_mean, centred_square and find_layer_rstd, where every guess is good
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef f64x[4 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] squares
    cdef f64x apart, square
    cdef Py_ssize_t r, first = min(n, <Py_ssize_t>GUESSED)
    for r in range(SHORT_ROWS):
        sum_short(fold_element, add_element[real], 1, like, x + r * step, first, parts + r)
    short_means(like, parts, 1, first, means)
    for r in range(SHORT_ROWS):
        means[r] = rounded(like, means[r])
        norm.x, norm.mean = x + r * step, means[r]
        sum_short(fold_centred, add_centred[real], 2, like, &norm, n, parts + r)
    short_means(like, parts, 2, n, rests)
    short_means(like, parts + SHORT_ROWS, 2, n, squares)
    r = 0
    while r < SHORT_ROWS:
        apart, square = load_f64(rests + r), load_f64(squares + r)
        if n > GUESSED and not all_less_f64(apart * apart, square * splat_f64(0.125)):
            return False
        store_f64(squares + r, square - apart * apart)
        r += F64_LANES
    if not short_rstds(like, squares, eps, eps_step, rstds):
        return False
    for r in range(SHORT_ROWS if n > GUESSED else 0):
        norm.mean_rest = rests[r]
        split_mean(like, &norm, means[r], norm.mean_rest)
        means[r], rests[r] = norm.mean, norm.mean_rest
    return True


cdef bint short_rms_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                           int manner) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef double[SHORT_ROWS] rstds
    cdef const char* x = at[0]
    cdef const char* weight = at[1]
    cdef char* y = at[3]
    cdef Py_ssize_t x_step = steps[0], weight_step = steps[1], y_step = steps[3], r
    if not short_rms(like, x, x_step, at[2], steps[2], n, rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.weight, norm.rstd = x + r * x_step, weight + r * weight_step, rstds[r]
        map_short(rms_point[real], y + r * y_step, &norm, n)
    put_numbers(rstds, at[4], steps[4])
    return True


cdef inline void fold_sum_square(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                 f32x* sums) noexcept nogil:
    cdef f32x x = sum_point(<const f32x*>NULL, context, i, n)
    sums[0] = fma(x, x, sums[0])


cdef inline void add_sum_square(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                f64x* sums) noexcept nogil:
    cdef f64x x = sum_point(<const f64x*>NULL, context, i, n)
    sums[0] = sums[0] + x * x


cdef bint short_add_rms_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                               int manner) noexcept nogil:
    # x + residual is written, which may be where residual is, once all rows are known to be ordinary
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef f64x[2 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] squares
    cdef double[SHORT_ROWS] rstds
    cdef const char* x = at[0]
    cdef const char* residual = at[1]
    cdef const char* weight = at[2]
    cdef char* y = at[4]
    cdef char* sums = at[5]
    cdef Py_ssize_t x_step = steps[0], residual_step = steps[1], weight_step = steps[2], y_step = steps[4], r
    cdef Py_ssize_t sums_step = steps[5]
    for r in range(SHORT_ROWS):
        norm.x, norm.bias = x + r * x_step, residual + r * residual_step
        if real is f32x:
            fold_short(fold_sum_square, 1, &norm, n, parts + r)
        else:
            add_short(add_sum_square, 1, like, &norm, n, parts + r)
    short_means(like, parts, 1, n, squares)
    if not short_rstds(like, squares, at[3], steps[3], rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.bias = x + r * x_step, residual + r * residual_step
        map_short(sum_point[real], sums + r * sums_step, &norm, n)
        norm.x, norm.weight, norm.rstd = sums + r * sums_step, weight + r * weight_step, rstds[r]
        map_short(rms_point[real], y + r * y_step, &norm, n)
    put_numbers(rstds, at[6], steps[6])
    return True


cdef bint short_rms_stats_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                 int manner) noexcept nogil:
    cdef double[SHORT_ROWS] rstds
    if not short_rms(like, at[0], steps[0], at[1], steps[1], n, rstds):
        return False
    put_numbers(rstds, at[2], steps[2])
    return True


cdef inline void put_means(double* means, const double* rests, char* at, Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t r
    for r in range(SHORT_ROWS):
        means[r] += rests[r]
    put_numbers(means, at, step)


cdef bint short_layer_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                             int manner) noexcept nogil:
    cdef Norm norm = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False)
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] rstds
    cdef const char* x = at[0]
    cdef const char* weight = at[1]
    cdef const char* bias = at[2]
    cdef char* y = at[4]
    cdef Py_ssize_t x_step = steps[0], weight_step = steps[1], bias_step = steps[2], y_step = steps[4], r
    if n > GUESSED or not short_layer(like, x, x_step, at[3], steps[3], n, means, rests, rstds):
        return False
    for r in range(SHORT_ROWS):
        norm.x, norm.weight, norm.bias = x + r * x_step, weight + r * weight_step, bias + r * bias_step
        norm.mean, norm.mean_rest, norm.rstd = means[r], rests[r], rstds[r]
        map_short(layer_point[real], y + r * y_step, &norm, n)
    put_means(means, rests, at[5], steps[5])
    put_numbers(rstds, at[6], steps[6])
    return True


cdef Py_ssize_t layer_all_rows(const f32x* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                               int manner) noexcept nogil:
    # SHORT_ROWS longer rows at a time, as long as all are ordinary and their guesses good. They are written from the
    # last one on, which the first-level cache still holds, and in pairs whose registers begin at boundaries of both.
    cdef Norm one = Norm(NULL, NULL, NULL, NULL, 0.0, 0.0, 0.0, 0.0, 1.0, False), other = one
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] rstds
    cdef const char* x = at[0]
    cdef const f32x* weight = <const f32x*>at[1]
    cdef const f32x* bias = <const f32x*>at[2]
    cdef const char* eps = at[3]
    cdef char* y = at[4]
    cdef Py_ssize_t x_step = steps[0], eps_step = steps[3], y_step = steps[4], row = 0, r, pair, apart = 1
    if n <= GUESSED or n > MOST_LAYER or manner & FROM_MEMORY or weight == NULL or bias == NULL or steps[1] or steps[2]:
        return -1
    if y_step % sizeof(f32x) == sizeof(f32x) // 2:
        apart = 2
    while row + SHORT_ROWS <= rows and short_layer(like, x, x_step, eps, eps_step, n, means, rests, rstds):
        pair = SHORT_ROWS // 2
        while pair > 0:
            pair -= 1
            r = 2 * pair - pair % 2 if apart == 2 else 2 * pair
            one.x, one.mean, one.mean_rest, one.rstd = x + r * x_step, means[r], rests[r], rstds[r]
            one.y, one.weight, one.bias = y + r * y_step, weight, bias
            r += apart
            other.x, other.mean, other.mean_rest, other.rstd = x + r * x_step, means[r], rests[r], rstds[r]
            other.y, other.weight, other.bias = y + r * y_step, weight, bias
            map_pair(layer_point[f32x], <f32x*>one.y, &one, <f32x*>other.y, &other, n, False)
        put_means(means, rests, at[5] + row * steps[5], steps[5])
        put_numbers(rstds, at[6] + row * steps[6], steps[6])
        x, eps, y = x + SHORT_ROWS * x_step, eps + SHORT_ROWS * eps_step, y + SHORT_ROWS * y_step
        row += SHORT_ROWS
    return row


cdef bint short_layer_stats_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                   int manner) noexcept nogil:
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef double[SHORT_ROWS] rstds
    if n > GUESSED or not short_layer(like, at[0], steps[0], at[1], steps[1], n, means, rests, rstds):
        return False
    put_means(means, rests, at[2], steps[2])
    put_numbers(rstds, at[3], steps[3])
    return True


cdef inline const double* numbers_of_rows(const char* at, Py_ssize_t step, double* values) noexcept nogil:
    # one float64 of each row, where they stand if they are neighbours: a register is not loaded from eight fresh stores
    if step == sizeof(double):
        return <const double*>at
    take_numbers(at, step, values)
    return values


cdef inline bint narrow_statistics(const double* means, const double* rstds, double ends, float* mean, float* rest,
                                   float* rstd) noexcept nogil:
    # set_statistics of SHORT_ROWS rows of float32, and whether all of them are between 1 / ends and ends
    cdef f64x own, exact, most = splat_f64(ends)
    cdef Py_ssize_t k = 0
    while k < SHORT_ROWS:
        own, exact = load_f64(rstds + k), splat_f64(0.0)
        if means != NULL:
            exact = load_f64(means + k)
        if not (all_less_f64(splat_f64(1.0 / ends), own) and all_less_f64(own, most)
                and all_less_f64(magnitude_f64(exact), most)):
            return False
        narrow_f64_f32(rstd + k, own)
        narrow_f64_f32(mean + k, exact)
        # the product of two float32 is exact in float64, and so rounded once
        narrow_f64_f32(rest + k, -(exact - wide_f32(mean + k)))  # -0 where nothing is left, as set_statistics has it
        narrow_f64_f32(rest + k, wide_f32(rest + k) * wide_f32(rstd + k))
        k += F64_LANES
    return True


cdef inline bint short_statistics(Group* groups, const double* means, const double* rstds) noexcept nogil:
    # the same of rows of groups, and whether all of them are ordinary, and not at the ends of what is
    cdef float[SHORT_ROWS] mean
    cdef float[SHORT_ROWS] rest
    cdef float[SHORT_ROWS] rstd
    cdef Py_ssize_t k
    if not narrow_statistics(means, rstds, ldexp(1.0, 100), mean, rest, rstd):
        return False
    for k in range(SHORT_GROUPS):
        groups[k].scale[0] = groups[k].scale[1] = groups[k].scale[2] = groups[k].scale[3] = 1.0
        memcpy(&groups[k].known_f32[MEAN * GROUP], mean + k * GROUP, GROUP * sizeof(float))
        memcpy(&groups[k].known_f32[MEAN_REST * GROUP], rest + k * GROUP, GROUP * sizeof(float))
        memcpy(&groups[k].known_f32[RSTD * GROUP], rstd + k * GROUP, GROUP * sizeof(float))
    return True


cdef inline bint short_backward(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n, int manner,
                                bint centred) noexcept nogil:
    cdef Group[SHORT_GROUPS] groups
    cdef double[SHORT_ROWS] own_means
    cdef double[SHORT_ROWS] own_rstds
    cdef int rstd = 4 if centred else 3
    cdef const double* rstds = numbers_of_rows(at[rstd], steps[rstd], own_rstds)
    cdef const double* means = numbers_of_rows(at[3], steps[3], own_means) if centred else NULL
    cdef Group* group
    cdef Py_ssize_t r, k
    if real is f32x:
        if not short_statistics(groups, means, rstds):
            return False
    else:
        for r in range(any_count(SHORT_ROWS)):
            set_statistics(like, &groups[r // GROUP], r % GROUP, means[r] if centred else 0.0, rstds[r])
            if groups[r // GROUP].scale[r % GROUP] != 1.0:
                return False
    for r in range(SHORT_GROUPS):
        group = &groups[r]
        group.weight, group.grad_weight, group.grad_bias = at[2], at[rstd + 2], at[rstd + 3] if centred else NULL
        group.alone = r == 0 and manner & BEGINS
        group.rows, group.n, group.centred, group.ordinary = GROUP, n, centred, True
        group.from_memory, group.streamed = manner & FROM_MEMORY, False
        for k in range(GROUP):
            group.grad[k] = at[0] + (r * GROUP + k) * steps[0]
            group.x[k] = at[1] + (r * GROUP + k) * steps[1]
            group.grad_x[k] = at[rstd + 1] + (r * GROUP + k) * steps[rstd + 1]
    short_groups_backward(like, groups, n, centred)
    return True


cdef bint short_rms_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                    int manner) noexcept nogil:
    return short_backward(like, at, steps, n, manner, False)


cdef bint short_layer_backward_kernel(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                                      int manner) noexcept nogil:
    return short_backward(like, at, steps, n, manner, True)
