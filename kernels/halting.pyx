# When to stop: the halting distribution of PonderNet with its loss and gradient, in float64 and in log space, and the
# halting of adaptive computation time, ACT. A row holds the steps of one input.
# (Banino, Balaguer, Blundell, "PonderNet: learning to ponder", 2021. Graves, "Adaptive computation time for recurrent
# neural networks", 2016.)
cimport numpy as np
from libc.stdint cimport int64_t

from .lanes cimport F64_LANES, at_most, f32x, f64x, fma, magnitude, real, splat_f64, store_f64, where_less
from .loops.chunks cimport CHUNK, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.reductions cimport element, put_element, wide
from .loops.registers cimport skip
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
    double scale  # of what is written to p and grad_logits
    double beta
    double log_prior  # log q of the first step, and what each further step adds
    double log_rest

cdef struct Block:
    # some steps of a row: lambda, 1 - lambda, the probability of halting there, and what a step adds to the loss
    double halt[STEPS]
    double stay[STEPS]
    double log_halt[STEPS]
    double log_stay[STEPS]
    double p[STEPS]
    double log_p[STEPS]
    double term[STEPS]

cdef struct Going:
    # the probability of having come so far without halting
    double p
    double log_p

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


cdef inline f64x log_one_plus(const real* like, f64x e) noexcept nogil:
    # log(1 + e) for e from 0 to 1. For results in float32 it is twice the area hyperbolic tangent of s = e / (2 + e) by
    # its Taylor series: what is left out is below 2^-42 of it.
    cdef f64x s, square, total
    cdef int k
    if real is f32x:
        s = e / (e + splat_f64(2.0))
        square = s * s
        total = splat_f64(2.0 / 23)
        for k in range(21, 0, -2):
            total = fma(total, square, splat_f64(2.0 / k))
        return total * s
    else:
        return log1p(e)


cdef inline void parts(const real* z, Py_ssize_t n, bint logs, Block* block) noexcept nogil:
    # lambda = 1 / (1 + e^-z) and 1 - lambda, from e^-|z|, so that the smaller does not cancel; and their logarithms:
    # the smaller of 0 and z, or of 0 and -z, less log(1 + e^-|z|)
    cdef Py_ssize_t i = 0
    cdef f64x x, e, rest, larger, smaller, zero = splat_f64(0.0), one = splat_f64(1.0)
    while i < n:
        x = wide(z, i, min(<Py_ssize_t>F64_LANES, n - i))
        e = exp(-magnitude(x))
        larger = one / (one + e)
        smaller = e * larger
        store_f64(block.halt + i, where_less(x, zero, smaller, larger))
        store_f64(block.stay + i, where_less(x, zero, larger, smaller))
        if logs:
            rest = log_one_plus(z, e)
            store_f64(block.log_halt + i, at_most(x, zero) - rest)
            store_f64(block.log_stay + i, at_most(-x, zero) - rest)
        i += F64_LANES


cdef inline Going distributed(const real* z, const Pondering* own, Py_ssize_t row, Py_ssize_t first, bint logs,
                              Going going, Block* block) noexcept nogil:
    # The probabilities of the steps of one block, from that of getting there; returns that of going on. A product of
    # float64 underflows where a probability does; the logarithms do not.
    cdef Py_ssize_t i, step, count = min(<Py_ssize_t>STEPS, own.n - first), place = row * own.n + first
    cdef const real* losses = <const real*>own.losses
    parts(skip(z, place), count, logs, block)
    if first + count == own.n:
        block.halt[count - 1], block.log_halt[count - 1] = 1.0, 0.0  # the last step takes the rest
    for i in range(count):
        block.p[i] = going.p * block.halt[i]
        going.p *= block.stay[i]
        if logs:
            block.log_p[i] = going.log_p + block.log_halt[i]
            going.log_p += block.log_stay[i]
        if losses != NULL:
            # p (l + beta (log p - log q)), 0 in the limit of p = 0
            step = first + i
            block.term[i] = 0.0 if block.p[i] == 0.0 else block.p[i] * (
                element(losses, place + i) + own.beta * (block.log_p[i] - (own.log_prior + step * own.log_rest)))
    return going


cdef inline void ponder_row(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # Forward over blocks of steps, then back over them: the gradient of a step asks for the sum of those after it.
    cdef Py_ssize_t first = 0, count, i, place
    cdef Block block
    cdef Going going = Going(1.0, 0.0)
    cdef double after = 0.0, loss = 0.0
    cdef bint logs = own.log_p != NULL or own.losses != NULL
    while first < own.n:
        going = distributed(z, own, row, first, logs, going, &block)
        count, place = min(<Py_ssize_t>STEPS, own.n - first), row * own.n + first
        for i in range(count):
            if own.log_p != NULL:
                put_element(<real*>own.log_p, place + i, block.log_p[i])
            if own.p != NULL:
                put_element(<real*>own.p, place + i, block.p[i] * own.scale)
            if own.losses != NULL:
                loss += block.term[i]
        first += STEPS
    if own.loss != NULL:
        own.loss[row] = loss
    if own.grad_logits == NULL:
        return
    first -= STEPS
    while first >= 0:
        count, place = min(<Py_ssize_t>STEPS, own.n - first), row * own.n + first
        if own.n > STEPS:  # of a shorter row the only block is still there
            distributed(z, own, row, first, True, before(z, own, row, first), &block)
        for i in range(count - 1, -1, -1):
            after += block.term[i]
            put_element(<real*>own.grad_logits, place + i,
                        (block.term[i] - block.halt[i] * after) * own.scale if first + i < own.n - 1 else 0.0)
        first -= STEPS


cdef inline Going before(const real* z, const Pondering* own, Py_ssize_t row, Py_ssize_t first) noexcept nogil:
    # the probability that no step before this one halts
    cdef Block block
    cdef Going going = Going(1.0, 0.0)
    cdef Py_ssize_t start = 0
    while start < first:
        going = distributed(z, own, row, start, True, going, &block)
        start += STEPS
    return going


cdef inline void sample_row(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # the first step after which the probability of still going on is below u
    cdef Py_ssize_t first = 0, count, i
    cdef Block block
    cdef double stayed = 0.0
    own.steps[row] = own.n - 1
    while first < own.n:
        count = min(<Py_ssize_t>STEPS, own.n - first)
        parts(skip(z, row * own.n + first), count, True, &block)
        for i in range(count):
            stayed += block.log_stay[i]
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
            put_element(<real*>own.weights, place + i,
                        element(h, place + i) if i < last else 1.0 - before if i == last else 0.0)
        own.steps[row] = last + 1
        put_element(<real*>own.remainder, row, 1.0 - before)
        put_element(<real*>own.cost, row, (last + 1) + (1.0 - before))


cdef void adapt_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Adapting* own = <const Adapting*>context
    if own.narrow:
        adapt_some(<const f32x*>own.h, own, k)
    else:
        adapt_some(<const f64x*>own.h, own, k)


cdef void* data_of(object array) except? NULL:
    return NULL if array is None else np.PyArray_DATA(<np.ndarray>array)


def ponder(np.ndarray logits, losses, log_p, p, grad_logits, loss, log_u, steps, double beta, double log_prior,
           double log_rest, double scale=1.0):
    """Halting distribution, loss and gradient, or sampled steps, of logits[rows, n]; what is None is not asked for.

    All are C-contiguous and of the dtype of the logits, float32 or float64; loss and log_u, a number for each row, are
    float64, and steps int64. What is written to p and grad_logits is multiplied by `scale`.
    """
    cdef Pondering own
    own.n = np.PyArray_DIM(logits, 1)
    own.rows = np.PyArray_DIM(logits, 0)
    own.logits, own.losses = np.PyArray_DATA(logits), data_of(losses)
    own.log_p, own.p, own.grad_logits = data_of(log_p), data_of(p), data_of(grad_logits)
    own.loss, own.log_u, own.steps = <double*>data_of(loss), <double*>data_of(log_u), <int64_t*>data_of(steps)
    own.narrow = np.PyArray_TYPE(logits) == np.NPY_FLOAT
    own.rows_of_chunk = max(1, CHUNK // 4 // own.n)
    own.beta, own.log_prior, own.log_rest, own.scale = beta, log_prior, log_rest, scale
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
    own.beta, own.log_prior, own.log_rest, own.scale = 0.0, 0.0, 0.0, 1.0
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
