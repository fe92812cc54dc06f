# The reparametrised normal of variational autoencoders, and its divergence from the standard one: forwards and
# backwards. (Kingma and Welling, "Auto-encoding variational Bayes", 2014, section 2.4 and appendix B.)
cimport numpy as np

from .lanes cimport f32x, f64x, fma, magnitude, real, splat, where_less
from .loops.chunks cimport CHUNK, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.maps cimport map3, map3_to_2
from .loops.reductions cimport Pair, sum_either, sum_row, take, wide
from .loops.threads cimport join_threads, thread_count
from .loops.ufuncs cimport elementwise
from .math.exponential cimport exp, expm1

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

join_threads()


cdef inline real sample(real mu, real logvar, real eps) noexcept nogil:
    # mu + exp(logvar / 2) eps
    return fma(exp(logvar * splat(mu, 0.5)), eps, mu)


cdef inline real sample_backward(real grad, real logvar, real eps) noexcept nogil:
    # with respect to logvar; with respect to mu it is the gradient arriving
    return grad * eps * (exp(logvar * splat(grad, 0.5)) * splat(grad, 0.5))


cdef inline real exp_minus_tangent(real x) noexcept nogil:
    # e^x - 1 - x, which is x^2 / 2 times the sum over k of 2 x^k / (k + 2)! where its terms would cancel
    cdef real series = splat(x, 1.0), one = splat(x, 1.0)
    cdef int k, last = 12 if real is f32x else 20  # the first term left out is below 2^-28 (2^-63) of the sum at 1
    for k in range(last, 2, -1):
        series = fma(series, x * splat(x, 1.0 / k), one)
    return where_less(magnitude(x), one, x * x * (series * splat(x, 0.5)), expm1(x) - x)


cdef inline real divergence(real mu, real logvar) noexcept nogil:
    # of one dimension: (mu^2 + e^logvar - 1 - logvar) / 2
    return fma(mu, mu, exp_minus_tangent(logvar)) * splat(mu, 0.5)


cdef inline real divergence_backward(real grad, real mu, real logvar, real* grad_logvar) noexcept nogil:
    grad_logvar[0] = grad * (expm1(logvar) * splat(mu, 0.5))
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


cdef void reparameterize_float32(const float* mu, const float* logvar, const float* eps, float* z,
                                 Py_ssize_t n) noexcept nogil:
    map3(sample[f32x], <const f32x*>mu, <const f32x*>logvar, <const f32x*>eps, <f32x*>z, n)


cdef void reparameterize_backward_float32(const float* grad, const float* logvar, const float* eps, float* grad_logvar,
                                          Py_ssize_t n) noexcept nogil:
    map3(sample_backward[f32x], <const f32x*>grad, <const f32x*>logvar, <const f32x*>eps, <f32x*>grad_logvar, n)


cdef void kl_standard_normal_backward_float32(const float* grad, const float* mu, const float* logvar, float* grad_mu,
                                              float* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3_to_2(divergence_backward[f32x], <const f32x*>grad, <const f32x*>mu, <const f32x*>logvar, <f32x*>grad_mu,
              <f32x*>grad_logvar, n)


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
    map3(sample[f64x], <const f64x*>mu, <const f64x*>logvar, <const f64x*>eps, <f64x*>z, n)


cdef void reparameterize_backward_float64(const double* grad, const double* logvar, const double* eps,
                                          double* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3(sample_backward[f64x], <const f64x*>grad, <const f64x*>logvar, <const f64x*>eps, <f64x*>grad_logvar, n)


cdef void kl_standard_normal_backward_float64(const double* grad, const double* mu, const double* logvar,
                                              double* grad_mu, double* grad_logvar, Py_ssize_t n) noexcept nogil:
    map3_to_2(divergence_backward[f64x], <const f64x*>grad, <const f64x*>mu, <const f64x*>logvar, <f64x*>grad_mu,
              <f64x*>grad_logvar, n)


cdef void kl_standard_normal_float64(const double* mu, const double* logvar, double* y, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    cdef Divergence own = Divergence(mu, logvar, y, rows, n, rows, WIDE)
    divergence_rows(&own, 0, 0)
