# The reparametrised normal of variational autoencoders, and its divergence from the standard one: forwards and
# backwards. (Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4 and appendix B.)
cimport numpy as np
from libc.math cimport INFINITY

from .lanes cimport (
    all_less, any_less, at_least, at_most, called, exponent, f32x, f64x, fma, magnitude, pick, real, scale2, splat,
    where_less, with_sign,
)
from .loops.chunks cimport CHUNK, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.maps cimport map3, map3_to_2
from .loops.registers cimport lanes, skip, store, store_part
from .loops.reductions cimport Pair, element, sum_either, sum_row, take, wide
from .loops.threads cimport join_threads, thread_count
from .loops.shared cimport join_shared
from .loops.ufuncs cimport elementwise
from .math.exponential cimport (
    exp, exp_parts, expm1_parts, expm1_rest, far_out, largest, least_normal, ln2, minus_ln2, nearest_sum, power2_of_sum,
    whole,
)

np.import_array()
np.import_ufunc()

cdef struct Latent:
    const void* mu
    const void* logvar

cdef struct Divergence:
    const void* mu
    const void* logvar
    void* y
    Py_ssize_t rows
    Py_ssize_t n
    Py_ssize_t rows_of_chunk
    bint narrow

cdef struct Slopes:
    const void* grad  # one for each row, or one
    const void* mu
    const void* logvar
    void* grad_mu
    void* grad_logvar
    Py_ssize_t rows
    Py_ssize_t n
    Py_ssize_t rows_of_chunk
    bint narrow
    bint each_row

join_threads()
join_shared(NULL)


cdef inline real apart(real x, real* n) noexcept nogil:
    # x / 2^n, between 1 and 2 in magnitude; 0 and what is not finite stay as they are
    cdef real most = splat(x, 1100.0)
    n[0] = at_most(at_least(exponent(x), -most), most)
    return scale2(x, -n[0])


cdef inline real far_product(real a, real b, real x, double factor) noexcept nogil:
    # factor a b e^x for a power of two. The powers of two of all numbers come last and are added, so that nothing
    # leaves the range, and no bit is lost before the result is rounded to a subnormal number.
    cdef real rest, sum, a_n, b_n, end = pick(x, 300.0, 2200.0)
    cdef real r = exp_parts(at_most(at_least(x, -end), end), &rest, &sum)
    cdef real product = apart(a, &a_n) * apart(b, &b_n) * (splat(x, 1.0) + (r + rest))
    return scale2(product * splat(x, factor), whole(sum) + (a_n + b_n))


cdef inline real sample(real mu, real logvar, real eps) noexcept nogil:
    # mu + exp(logvar / 2) eps. The exponential of an infinity is exact.
    cdef real half = logvar * splat(mu, 0.5), away = magnitude(half), y = fma(exp(half), eps, mu)
    if any_less(far_out(mu), away):
        away = where_less(away, splat(mu, INFINITY), away, splat(mu, 0.0))
        y = where_less(far_out(mu), away, far_product(eps, splat(mu, 1.0), half, 1.0) + mu, y)
    return y


cdef inline real sample_backward(real grad, real logvar, real eps) noexcept nogil:
    # with respect to logvar; with respect to mu it is the gradient arriving
    cdef real half = logvar * splat(grad, 0.5), product = grad * eps, size = magnitude(product), away, far
    cdef real y = product * (exp(half) * splat(grad, 0.5))
    if not all_less(magnitude(half), far_out(grad)) or any_less(size, least_normal(grad)) or any_less(
            largest(grad), size):
        far = far_product(grad, eps, half, 0.5)
        away = magnitude(half)
        away = where_less(away, splat(grad, INFINITY), away, splat(grad, 0.0))
        y = where_less(far_out(grad), away, far, y)
        y = where_less(size, least_normal(grad), far, where_less(largest(grad), size, far, y))
    return y


cdef inline real near(real like) noexcept nogil:
    # The exponential is taken in one way below it in magnitude, and in another beyond: there, on the left, e^x is
    # nothing beside 1.
    return pick(like, 20.0, 40.0)


cdef inline real half_exp_parts(real x, real* n, real* r, real* rest) noexcept nogil:
    # e^x / 2 = power (1 + r + rest), returning power, for |x| < near; x = n ln2(x) + r exactly. In float32 the steps of
    # expm1_rest's polynomial are taken in pairs, and of r alone: what r_low would add to it is 0.3 ULP at most.
    cdef real r_low, square, first, second, third, sum = nearest_sum(x, 1.4426950408889634)
    n[0] = whole(sum)
    r[0] = minus_ln2(x, n[0], &r_low)
    if real is f32x:
        square = r[0] * r[0]
        first = fma(r[0], splat(x, 0.1666666716337204), splat(x, 0.5))
        second = fma(r[0], splat(x, 0.00833317730575800), splat(x, 0.041666511446237564))
        third = fma(r[0], splat(x, 0.00019972329027950764), splat(x, 0.0013930501881986856))
        rest[0] = fma(square, fma(fma(third, square, second), square, first), r_low)
    else:
        rest[0] = expm1_rest(r[0], r_low)
    return power2_of_sum(sum, -1)


cdef inline real half_exp_far(real x) noexcept nogil:
    # e^x / 2 for x from near on: infinite only where half is beyond the range, not where e^x is
    cdef real rest, sum, end = pick(x, 89.5, 710.5)
    cdef real r = expm1_parts(at_most(at_least(x, near(x)), end), &rest, &sum)
    cdef real power = power2_of_sum(sum, -2)  # of n up to 129 (1025) a normal number
    cdef real quarter = fma(power, r + rest, power)
    return where_less(end, x, splat(x, INFINITY), quarter + quarter)


cdef real divergence_far(real x, real y) noexcept nogil:
    # y where |x| < near, (e^x - 1 - x) / 2 elsewhere
    cdef real line = fma(at_most(x, pick(x, 128.0, 1024.0)), splat(x, -0.5), splat(x, -0.5))
    return where_less(magnitude(x), near(x), y, where_less(x, splat(x, 0.0), line, half_exp_far(x) + line))


cdef real slope_far(real x, real y) noexcept nogil:
    # y where |x| < near, (e^x - 1) / 2 elsewhere
    return where_less(magnitude(x), near(x), y, where_less(x, splat(x, 0.0), splat(x, -0.5), half_exp_far(x)))


cdef inline real divergence(real mu, real logvar) noexcept nogil:
    # Of one dimension: (mu^2 + e^logvar - 1 - logvar) / 2. Where logvar is n ln 2 + r, and half of its exponential is
    # power (1 + r + rest), the second part is start (1 + r) - n ln 2 / 2 + power rest, start being power - 1/2. What
    # cancels in the first sums is exact.
    cdef real n, r, rest, half = splat(mu, 0.5)
    cdef real power = half_exp_parts(logvar, &n, &r, &rest)
    cdef real start = power - half
    cdef real y = fma(power, rest, fma(start, r, fma(n, ln2(mu) * -half, start)))
    if not all_less(magnitude(logvar), near(logvar)):  # seldom, and so called, not copied to here
        y = (<real (*)(real, real) noexcept nogil>called(<void*>divergence_far[real]))(logvar, y)
    return fma(mu * half, mu, y)


cdef inline real divergence_backward(real grad, real mu, real logvar, real* grad_logvar) noexcept nogil:
    cdef real n, r, rest
    cdef real power = half_exp_parts(logvar, &n, &r, &rest)
    cdef real start = power - splat(mu, 0.5)
    cdef real y = fma(power, r, start)
    y = with_sign(y + fma(power, rest, fma(power, r, start - y)), logvar)  # the sign of -0 too
    if not all_less(magnitude(logvar), near(logvar)):
        y = (<real (*)(real, real) noexcept nogil>called(<void*>slope_far[real]))(logvar, y)
    grad_logvar[0] = grad * y
    return grad * mu


cdef inline void fold_divergence(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                 f32x* sums) noexcept nogil:
    cdef const Latent* own = <const Latent*>context
    # what is not there is 0, whose divergence is 0
    sums[0] = sums[0] + divergence(take(<const f32x*>own.mu, i, n), take(<const f32x*>own.logvar, i, n))


cdef inline void add_divergence(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                                f64x* sums) noexcept nogil:
    cdef const Latent* own = <const Latent*>context
    sums[0] = sums[0] + divergence(wide(<const real*>own.mu, i, n), wide(<const real*>own.logvar, i, n))


cdef Pair divergence_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Latent own = (<const Latent*>context)[0]
    return sum_either(fold_divergence, add_divergence[real], 1, like, &own, start, n)


cdef void divergence_rows(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Divergence* own = <const Divergence*>context
    cdef Py_ssize_t row, stop = min(own.rows, (k + 1) * own.rows_of_chunk)
    cdef Latent latent
    for row in range(k * own.rows_of_chunk, stop):
        if own.narrow:
            latent = Latent(<const float*>own.mu + row * own.n, <const float*>own.logvar + row * own.n)
            (<float*>own.y)[row] = <float>sum_row(divergence_block[f32x], <const f32x*>NULL, &latent, own.n, 1).first
        else:
            latent = Latent(<const double*>own.mu + row * own.n, <const double*>own.logvar + row * own.n)
            (<double*>own.y)[row] = sum_row(divergence_block[f64x], <const f64x*>NULL, &latent, own.n, 1).first


cdef inline void slopes_some(const real* mu, const Slopes* own, Py_ssize_t k) noexcept nogil:
    cdef const real* logvar = <const real*>own.logvar
    cdef real* grad_mu = <real*>own.grad_mu
    cdef real* grad_logvar = <real*>own.grad_logvar
    cdef real grad, of_mu, of_logvar
    cdef Py_ssize_t row, at, left
    for row in range(k * own.rows_of_chunk, min(own.rows, (k + 1) * own.rows_of_chunk)):
        grad = splat(grad, element(<const real*>own.grad, row if own.each_row else 0))
        at, left = row * own.n, own.n
        while left > 0:
            of_mu = divergence_backward(grad, take(mu, at, min(left, lanes(mu))),
                                        take(logvar, at, min(left, lanes(mu))), &of_logvar)
            if left < lanes(mu):
                store_part(<real*>skip(grad_mu, at), of_mu, left)
                store_part(<real*>skip(grad_logvar, at), of_logvar, left)
            else:
                store(<real*>skip(grad_mu, at), of_mu)
                store(<real*>skip(grad_logvar, at), of_logvar)
            at += lanes(mu)
            left -= lanes(mu)


cdef void slopes_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Slopes* own = <const Slopes*>context
    if own.narrow:
        slopes_some(<const f32x*>own.mu, own, k)
    else:
        slopes_some(<const f64x*>own.mu, own, k)


def kl_standard_normal_backward(np.ndarray grad, np.ndarray mu, np.ndarray logvar, np.ndarray grad_mu,
                                np.ndarray grad_logvar):
    """grad_mu and grad_logvar[rows, n] of mu and logvar[rows, n], and of a gradient for each row or one for all; all
    C-contiguous and float32, or all float64."""
    cdef Slopes own
    own.n = np.PyArray_DIM(mu, np.PyArray_NDIM(mu) - 1)
    own.rows = np.PyArray_SIZE(mu) // own.n if own.n else 0
    own.each_row = np.PyArray_NDIM(grad) > 0
    own.grad, own.mu, own.logvar = np.PyArray_DATA(grad), np.PyArray_DATA(mu), np.PyArray_DATA(logvar)
    own.grad_mu, own.grad_logvar = np.PyArray_DATA(grad_mu), np.PyArray_DATA(grad_logvar)
    own.narrow = np.PyArray_TYPE(mu) == np.NPY_FLOAT
    own.rows_of_chunk = max(1, CHUNK // max(1, own.n))
    with nogil:
        each_chunk(slopes_chunk, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])


cdef void reparameterize_float32(const float* mu, const float* logvar, const float* eps, float* z,
                                 Py_ssize_t n) noexcept nogil:
    map3(sample[f32x], <void*>reparameterize_float32, <const f32x*>mu, <const f32x*>logvar, <const f32x*>eps, <f32x*>z,
         n)


cdef void reparameterize_backward_float32(const float* grad, const float* logvar, const float* eps, float* grad_logvar,
                                          Py_ssize_t n) noexcept nogil:
    map3(sample_backward[f32x], <void*>reparameterize_backward_float32, <const f32x*>grad, <const f32x*>logvar,
         <const f32x*>eps, <f32x*>grad_logvar, n)


cdef void kl_standard_normal_backward_float32(const float* grad, const float* mu, const float* logvar, float* grad_mu,
                                              float* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3_to_2(divergence_backward[f32x], <void*>kl_standard_normal_backward_float32, <const f32x*>grad, <const f32x*>mu,
              <const f32x*>logvar, <f32x*>grad_mu, <f32x*>grad_logvar, n)


reparameterize_ufunc = elementwise(
    b"reparameterize", <void*>reparameterize_float32, <void*>reparameterize_float64, 3)
reparameterize_backward_ufunc = elementwise(
    b"reparameterize_backward", <void*>reparameterize_backward_float32, <void*>reparameterize_backward_float64, 3)
kl_standard_normal_backward_ufunc = elementwise(
    b"kl_standard_normal_backward", <void*>kl_standard_normal_backward_float32,
    <void*>kl_standard_normal_backward_float64, 3, 2)


cdef void kl_standard_normal_float32(const float* mu, const float* logvar, float* y, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    cdef Divergence own = Divergence(mu, logvar, y, rows, n, rows, NARROW)
    divergence_rows(&own, 0, 0)


def kl_standard_normal(np.ndarray mu, np.ndarray logvar, np.ndarray y):
    """y[rows] = the divergence of mu[rows, n] and logvar[rows, n]; all C-contiguous and float32, or all float64."""
    cdef Divergence own
    own.rows = np.PyArray_SIZE(y)
    own.n = np.PyArray_SIZE(mu) // own.rows if own.rows else 0
    own.mu, own.logvar, own.y = np.PyArray_DATA(mu), np.PyArray_DATA(logvar), np.PyArray_DATA(y)
    own.narrow = np.PyArray_TYPE(mu) == np.NPY_FLOAT
    own.rows_of_chunk = max(1, CHUNK // max(1, own.n))
    with nogil:
        each_chunk(divergence_rows, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])


# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.

cdef void reparameterize_float64(const double* mu, const double* logvar, const double* eps, double* z,
                                 Py_ssize_t n) noexcept nogil:
    map3(sample[f64x], <void*>reparameterize_float64, <const f64x*>mu, <const f64x*>logvar, <const f64x*>eps, <f64x*>z,
         n)


cdef void reparameterize_backward_float64(const double* grad, const double* logvar, const double* eps,
                                          double* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3(sample_backward[f64x], <void*>reparameterize_backward_float64, <const f64x*>grad, <const f64x*>logvar,
         <const f64x*>eps, <f64x*>grad_logvar, n)


cdef void kl_standard_normal_backward_float64(const double* grad, const double* mu, const double* logvar,
                                              double* grad_mu, double* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3_to_2(divergence_backward[f64x], <void*>kl_standard_normal_backward_float64, <const f64x*>grad, <const f64x*>mu,
              <const f64x*>logvar, <f64x*>grad_mu, <f64x*>grad_logvar, n)


cdef void kl_standard_normal_float64(const double* mu, const double* logvar, double* y, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    cdef Divergence own = Divergence(mu, logvar, y, rows, n, rows, WIDE)
    divergence_rows(&own, 0, 0)
