# When to stop: the halting distribution of PonderNet with its loss and gradient, in log space and in float64, and the
# halting of adaptive computation time, ACT. A row holds the steps of one input.
# (Banino, Balaguer, Blundell, "PonderNet: learning to ponder", 2021. Graves, "Adaptive computation time for recurrent
# neural networks", 2016.)
cimport numpy as np
from libc.stdint cimport int64_t

from .lanes cimport F64_LANES, at_most, f32x, f64x, load_f64, magnitude, real, splat_f64, store_f64
from .loops.chunks cimport CHUNK, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.reductions cimport wide
from .loops.threads cimport join_threads, thread_count
from .math.exponential cimport exp
from .math.logarithm cimport log1p

np.import_array()

cdef enum:
    STEPS = 64  # whose logarithms are taken at once

cdef struct Pondering:
    const void* logits
    const void* losses  # of each step; NULL where only the distribution is asked for
    void* log_p
    void* p
    void* grad_logits
    double* loss  # of each row
    const double* log_u  # of each row, logarithms of uniform numbers that the rows' steps are sampled with
    int64_t* steps
    Py_ssize_t rows
    Py_ssize_t n
    Py_ssize_t rows_of_chunk
    bint narrow
    double beta
    double log_prior  # log q of the first step, and what each further step adds
    double log_rest

cdef struct Adapting:
    const void* h
    void* weights
    void* remainder
    void* cost
    int64_t* steps
    Py_ssize_t rows
    Py_ssize_t n
    Py_ssize_t rows_of_chunk
    bint narrow
    double enough  # 1 - eps

join_threads()


cdef inline double element(const real* x, Py_ssize_t i) noexcept nogil:
    if real is f32x:
        return (<const float*>x)[i]
    else:
        return (<const double*>x)[i]


cdef inline void put(const real* like, void* y, Py_ssize_t i, double value) noexcept nogil:
    if y == NULL:
        return
    if real is f32x:
        (<float*>y)[i] = <float>value
    else:
        (<double*>y)[i] = value


cdef inline void log_parts(const real* z, Py_ssize_t n, double* log_halt, double* log_stay) noexcept nogil:
    # log sigmoid(z) and log sigmoid(-z): the smaller of 0 and z, or of 0 and -z, less log(1 + e^-|z|)
    cdef Py_ssize_t i = 0
    cdef f64x x, rest, zero = splat_f64(0.0)
    while i < n:
        x = wide(z, i, min(<Py_ssize_t>F64_LANES, n - i))
        rest = log1p(exp(-magnitude(x)))
        store_f64(log_halt + i, at_most(x, zero) - rest)
        store_f64(log_stay + i, at_most(-x, zero) - rest)
        i += F64_LANES


cdef inline void exponentials(double* x, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0
    while i < n:
        store_f64(x + i, exp(load_f64(x + i)))
        i += F64_LANES


cdef inline void ponder_row(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # Forward over blocks of steps, then back over them: the gradient of a step asks for the sum of those after it.
    cdef Py_ssize_t n = own.n, first, count, i, place = row * n
    cdef double log_halt[STEPS]
    cdef double log_stay[STEPS]
    cdef double log_p[STEPS]
    cdef double p[STEPS]
    cdef double stayed = 0.0, after = 0.0, loss = 0.0, term, g, kept
    cdef const real* losses = <const real*>own.losses
    first = 0
    while first < n:
        count = min(<Py_ssize_t>STEPS, n - first)
        log_parts(skip_row(z, place + first), count, log_halt, log_stay)
        for i in range(count):
            log_p[i] = stayed + (log_halt[i] if first + i < n - 1 else 0.0)
            stayed += log_stay[i]
            p[i] = log_p[i]
        exponentials(p, count)
        for i in range(count):
            put(z, own.log_p, place + first + i, log_p[i])
            put(z, own.p, place + first + i, p[i])
            if losses != NULL:
                loss += weighed(own, losses, place, first + i, log_p[i], p[i])
        first += STEPS
    if own.loss != NULL:
        own.loss[row] = loss
    if own.grad_logits == NULL:
        return
    # back: `stayed` is unwound by computing the block's forward again from what stood before it
    first = (n - 1) // STEPS * STEPS
    while first >= 0:
        count = min(<Py_ssize_t>STEPS, n - first)
        kept = log_before(z, own, place, first)
        log_parts(skip_row(z, place + first), count, log_halt, log_stay)
        for i in range(count):
            log_p[i] = kept + (log_halt[i] if first + i < n - 1 else 0.0)
            kept += log_stay[i]
            p[i] = log_p[i]
        exponentials(p, count)
        exponentials(log_halt, count)
        for i in range(count - 1, -1, -1):
            term = weighed(own, losses, place, first + i, log_p[i], p[i])
            after += term
            g = term - log_halt[i] * after if first + i < n - 1 else 0.0
            put(z, own.grad_logits, place + first + i, g)
        first -= STEPS


cdef inline double weighed(const Pondering* own, const real* losses, Py_ssize_t place, Py_ssize_t step, double log_p,
                           double p) noexcept nogil:
    # p (l + beta (log p - log q)), 0 in the limit of p = 0
    if p == 0.0:
        return 0.0
    return p * (element(losses, place + step)
                + own.beta * (log_p - (own.log_prior + step * own.log_rest)))


cdef inline const real* skip_row(const real* x, Py_ssize_t i) noexcept nogil:
    if real is f32x:
        return <const real*>(<const float*>x + i)
    else:
        return <const real*>(<const double*>x + i)


cdef inline double log_before(const real* z, const Pondering* own, Py_ssize_t place, Py_ssize_t first) noexcept nogil:
    # the logarithm of the probability that no step before this one halts
    cdef double log_halt[STEPS]
    cdef double log_stay[STEPS]
    cdef double stayed = 0.0
    cdef Py_ssize_t block = 0, i
    while block < first:
        log_parts(skip_row(z, place + block), STEPS, log_halt, log_stay)
        for i in range(STEPS):
            stayed += log_stay[i]
        block += STEPS
    return stayed


cdef inline void sample_row(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # the first step after which the probability of still going on is below u
    cdef Py_ssize_t first = 0, count, i
    cdef double log_halt[STEPS]
    cdef double log_stay[STEPS]
    cdef double stayed = 0.0
    own.steps[row] = own.n - 1
    while first < own.n:
        count = min(<Py_ssize_t>STEPS, own.n - first)
        log_parts(skip_row(z, row * own.n + first), count, log_halt, log_stay)
        for i in range(count):
            stayed += log_stay[i]
            if stayed < own.log_u[row]:
                own.steps[row] = first + i
                return
        first += STEPS


cdef inline void ponder_some(const real* z, const Pondering* own, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t row
    for row in range(k * own.rows_of_chunk, min(own.rows, (k + 1) * own.rows_of_chunk)):
        if own.steps != NULL:
            sample_row(z, own, row)
        else:
            ponder_row(z, own, row)


cdef void ponder_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Pondering* own = <const Pondering*>context
    if own.narrow:
        ponder_some(<const f32x*>own.logits, own, k)
    else:
        ponder_some(<const f64x*>own.logits, own, k)


cdef inline void adapt_some(const real* h, const Adapting* own, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t row, i, last, place
    cdef double total, before
    for row in range(k * own.rows_of_chunk, min(own.rows, (k + 1) * own.rows_of_chunk)):
        place = row * own.n
        total, before, last = 0.0, 0.0, own.n - 1
        for i in range(own.n):
            before = total
            total += element(h, place + i)
            if not total < own.enough:
                last = i
                break
        for i in range(own.n):
            put(h, own.weights, place + i, element(h, place + i) if i < last else 1.0 - before if i == last else 0.0)
        own.steps[row] = last + 1
        put(h, own.remainder, row, 1.0 - before)
        put(h, own.cost, row, (last + 1) + (1.0 - before))


cdef void adapt_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Adapting* own = <const Adapting*>context
    if own.narrow:
        adapt_some(<const f32x*>own.h, own, k)
    else:
        adapt_some(<const f64x*>own.h, own, k)


cdef void* data_of(object array) except? NULL:
    return NULL if array is None else np.PyArray_DATA(<np.ndarray>array)


def ponder(np.ndarray logits, losses, log_p, p, grad_logits, loss, log_u, steps, double beta, double log_prior,
           double log_rest):
    """Halting distribution, loss and gradient, or sampled steps, of logits[rows, n]; what is None is not asked for.

    All are C-contiguous and of the dtype of the logits, float32 or float64; loss and log_u, a number for each row, are
    float64, and steps int64.
    """
    cdef Pondering own
    own.n = np.PyArray_DIM(logits, 1)
    own.rows = np.PyArray_DIM(logits, 0)
    own.logits, own.losses = np.PyArray_DATA(logits), data_of(losses)
    own.log_p, own.p, own.grad_logits = data_of(log_p), data_of(p), data_of(grad_logits)
    own.loss, own.log_u, own.steps = <double*>data_of(loss), <double*>data_of(log_u), <int64_t*>data_of(steps)
    own.narrow = np.PyArray_TYPE(logits) == np.NPY_FLOAT
    own.rows_of_chunk = max(1, CHUNK // 4 // own.n)
    own.beta, own.log_prior, own.log_rest = beta, log_prior, log_rest
    with nogil:
        each_chunk(ponder_chunk, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])


def adapt(np.ndarray h, np.ndarray weights, np.ndarray remainder, np.ndarray cost, np.ndarray steps, double enough):
    """Weights, remainder, cost and number of steps of halting probabilities h[rows, n], as `ponder` takes arrays."""
    cdef Adapting own
    own.n = np.PyArray_DIM(h, 1)
    own.rows = np.PyArray_DIM(h, 0)
    own.h, own.weights, own.remainder = np.PyArray_DATA(h), np.PyArray_DATA(weights), np.PyArray_DATA(remainder)
    own.cost, own.steps = np.PyArray_DATA(cost), <int64_t*>np.PyArray_DATA(steps)
    own.narrow = np.PyArray_TYPE(h) == np.NPY_FLOAT
    own.rows_of_chunk = max(1, CHUNK // own.n)
    own.enough = enough
    with nogil:
        each_chunk(adapt_chunk, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])


cdef Pondering pondering(const void* logits, Py_ssize_t rows, Py_ssize_t n, bint narrow) noexcept nogil:
    # of all rows at once, where nothing else is asked for
    cdef Pondering own
    own.logits, own.rows, own.n, own.rows_of_chunk, own.narrow = logits, rows, n, rows, narrow
    own.losses = own.log_p = own.p = own.grad_logits = NULL
    own.loss, own.log_u, own.steps = NULL, NULL, NULL
    own.beta = own.log_prior = own.log_rest = 0.0
    return own


cdef void halting_distribution_float32(const float* logits, float* log_p, float* p, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, NARROW)
    own.log_p, own.p = log_p, p
    ponder_chunk(&own, 0, 0)


cdef void ponder_loss_float32(const float* logits, const float* step_losses, double log_prior, double log_rest,
                              double beta, double* loss, float* p, float* grad_logits, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, NARROW)
    own.losses, own.loss, own.p, own.grad_logits = step_losses, loss, p, grad_logits
    own.log_prior, own.log_rest, own.beta = log_prior, log_rest, beta
    ponder_chunk(&own, 0, 0)


cdef void sample_halting_float32(const float* logits, const double* log_u, int64_t* steps, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, NARROW)
    own.log_u, own.steps = log_u, steps
    ponder_chunk(&own, 0, 0)


cdef void act_halting_float32(const float* h, double eps, float* weights, float* remainder, float* cost,
                              int64_t* steps, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Adapting own = Adapting(h, weights, remainder, cost, steps, rows, n, rows, NARROW, 1.0 - eps)
    adapt_chunk(&own, 0, 0)


# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.

cdef void halting_distribution_float64(const double* logits, double* log_p, double* p, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, WIDE)
    own.log_p, own.p = log_p, p
    ponder_chunk(&own, 0, 0)


cdef void ponder_loss_float64(const double* logits, const double* step_losses, double log_prior, double log_rest,
                              double beta, double* loss, double* p, double* grad_logits, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, WIDE)
    own.losses, own.loss, own.p, own.grad_logits = step_losses, loss, p, grad_logits
    own.log_prior, own.log_rest, own.beta = log_prior, log_rest, beta
    ponder_chunk(&own, 0, 0)


cdef void sample_halting_float64(const double* logits, const double* log_u, int64_t* steps, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil:
    cdef Pondering own = pondering(logits, rows, n, WIDE)
    own.log_u, own.steps = log_u, steps
    ponder_chunk(&own, 0, 0)


cdef void act_halting_float64(const double* h, double eps, double* weights, double* remainder, double* cost,
                              int64_t* steps, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef Adapting own = Adapting(h, weights, remainder, cost, steps, rows, n, rows, WIDE, 1.0 - eps)
    adapt_chunk(&own, 0, 0)
