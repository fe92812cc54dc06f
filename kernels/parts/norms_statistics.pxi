# The statistics of a row: their terms, added in float64, where no float32 overflows. A part of norms.pyx.

cdef inline void add_value(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    sums[0] = sums[0] + wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)


cdef inline void add_square(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    if real is f32x:
        sums[0] = add_product_f64(x, x, sums[0])
    else:
        sums[0] = sums[0] + x * x


cdef inline void add_centred(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f64x* sums) noexcept nogil:
    cdef const Norm* norm = <const Norm*>context
    cdef f64x x = wide(<const real*>norm.x, i, n) * splat_f64(norm.scale)
    if real is f32x:
        x = x - first_lanes(splat_f64(norm.mean), n)
    else:
        x = plus(x, first_lanes(splat_f64(-norm.mean), n))
    sums[0] = sums[0] + x
    sums[1] = sums[1] + x * x


cdef inline void fold_square(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f32x* sums) noexcept nogil:
    cdef f32x x = take(<const f32x*>(<const Norm*>context).x, i, n)
    sums[0] = fma(x, x, sums[0])


cdef inline void fold_centred_of(Dtype dtype, const Norm* norm, Py_ssize_t i, Py_ssize_t n,
                                 f32x* sums) noexcept nogil:
    cdef f32x x = take_of(dtype, <const f32x*>norm.x, i, n) - first_lanes(splat_f32(<float>norm.mean), n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


cdef inline void fold_centred(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                              f32x* sums) noexcept nogil:
    fold_centred_of(FLOAT32, <const Norm*>context, i, n, sums)


cdef inline void fold_centred_bfloat16(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                       f32x* sums) noexcept nogil:
    fold_centred_of(BFLOAT16, <const Norm*>context, i, n, sums)


cdef inline void fold_centred_float16(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                      f32x* sums) noexcept nogil:
    fold_centred_of(FLOAT16, <const Norm*>context, i, n, sums)


# The ordinary row. The compiler knows that the scale is 1 and leaves the product out.

cdef Pair squares(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    return sum_either(fold_square, add_square[real], 1, like, &norm, start, n)


cdef Pair centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the sums of deviations and of their squares
    cdef Norm norm = (<const Norm*>context)[0]
    norm.scale = 1.0
    return sum_either(fold_centred, add_centred[real], 2, like, &norm, start, n)


# The row near the ends of the exponent range.

cdef Pair scaled_values(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_long_block(add_value[real], 1, like, &norm, start, n)


cdef Pair scaled_squares(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_long_block(add_square[real], 1, like, &norm, start, n)


cdef Pair scaled_centred(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Norm norm = (<const Norm*>context)[0]
    return sum_long_block(add_centred[real], 2, like, &norm, start, n)


cdef Pair block_moments(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # The mean and the sum of centred squares of a block in one pass: deviations are taken from the block's first
    # element. That is at most sqrt(BLOCK) standard deviations from the mean, so the difference below loses at most 12
    # bits of 53.
    cdef Norm norm = (<const Norm*>context)[0]
    cdef Pair sums
    norm.mean = element(<const real*>norm.x, start) * norm.scale if n > 0 else 0.0
    sums = sum_block(add_centred[real], 2, like, &norm, start, n)
    return Pair(norm.mean + sums.first / n, sums.second - sums.first * sums.first / n)


cdef inline Pair merge_moments(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    # Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979
    cdef double apart = b.first - a.first, n = a_size + b_size
    return Pair(a.first + apart * (b_size / n), a.second + b.second + apart * apart * (a_size * (b_size / n)))


# The statistics of a row.

cdef void find_rms_rstd(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef double square
    norm.scale = 1.0
    square = sum_row(squares[real], like, norm, n, threads).first / n
    if ordinary(like, square):
        norm.rstd = 1.0 / sqrt(square + norm.eps)
        return
    norm.scale = rescue_scale(like, square, 0.0, norm.eps)
    square = sum_row(scaled_squares[real], like, norm, n, threads).first / n
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, square)


cdef inline void find_mean(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    # the first of two passes
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, n, threads) / n)


cdef inline void guess_mean(const real* like, Norm* norm) noexcept nogil:
    # Chan, Golub and LeVeque, "Algorithms for computing the sample variance", 1983: shifted data
    norm.scale = 1.0
    norm.mean = rounded(like, fold_values(<const real*>norm.x, GUESSED, 1) / GUESSED)


cdef inline double centred_square(
        const real* like, Norm* norm, Py_ssize_t n, int threads, bint guess,
        Pair (*block)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil) noexcept nogil:
    # The variance, in the pass that takes deviations from the mean as it is known so far. The mean of these deviations
    # is what was missing. Where a guess was off by more than a third of a standard deviation, the squares have lost
    # digits: the guess is corrected, and the pass taken again.
    cdef Pair sums = sum_row(block, like, norm, n, threads)
    cdef double apart = sums.first / n
    if guess and apart * apart > sums.second / n * 0.125:
        norm.mean = rounded(like, norm.mean + apart)
        sums = sum_row(block, like, norm, n, threads)
        apart, guess = sums.first / n, False
    if guess:
        split_mean(like, norm, norm.mean, apart)
    else:
        norm.mean_rest = apart  # which holds the rounding errors of the deviations too
    return sums.second / n - apart * apart


cdef inline void find_layer_rstd(const real* like, Norm* norm, double square, Py_ssize_t n, int threads) noexcept nogil:
    # rstd of the row times norm.scale
    cdef Pair sums
    if ordinary(like, square):
        norm.rstd = 1.0 / sqrt(square + norm.eps)
        return
    norm.scale = rescue_scale(like, square, norm.mean, norm.eps)
    norm.mean = sum_row(scaled_values[real], like, norm, n, threads).first / n
    sums = sum_row(scaled_centred[real], like, norm, n, threads)
    sums.first /= n
    split_mean(like, norm, norm.mean, sums.first)
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, sums.second / n - sums.first * sums.first)


cdef inline void find_one_pass_rstd(const real* like, Norm* norm, Py_ssize_t n, int threads) noexcept nogil:
    cdef Pair moments
    norm.scale = 1.0
    moments = merge_row(block_moments[real], merge_moments, like, norm, n, threads)
    if not ordinary(like, moments.second / n):
        norm.scale = rescue_scale(like, moments.second / n, moments.first, norm.eps)
        moments = merge_row(block_moments[real], merge_moments, like, norm, n, threads)
    split_mean(like, norm, moments.first, 0.0)
    norm.rstd = reciprocal_square_root(norm.eps, norm.scale, moments.second / n)


cdef inline double lost(const real* like, double value) noexcept nogil:
    # the rounding error of a value in the row's precision
    return value - rounded(like, value)


cdef inline void split_mean(const real* like, Norm* norm, double mean, double rest) noexcept nogil:
    # mean + rest as a number of the row's precision and a remainder: with both, x - mean is right to the last bit or
    # two, even where x and the mean are nearly the same
    norm.mean = rounded(like, mean + rest)
    norm.mean_rest = (mean - norm.mean) + rest
    if norm.mean_rest != norm.mean_rest:  # its negative is added: of an infinite row it has the sign of all other NaNs
        norm.mean_rest = fabs(norm.mean_rest)
