# When to stop: the halting distribution of PonderNet with its loss and gradient, in float64 and in log space, and the
# halting of adaptive computation time, ACT. A row holds the steps of one input.
# (Banino, Balaguer, Blundell, "PonderNet: learning to ponder", 2021. Graves, "Adaptive computation time for recurrent
# neural networks", 2016.)
cimport numpy as np
from libc.stdint cimport int64_t

from .lanes cimport F64_LANES, at_most, f32x, f64x, fma, magnitude, real, splat_f64, store_f64, where_less
from .loops.chunks cimport CHUNK, each_chunk
from .loops.dtypes cimport NARROW, WIDE
from .loops.reductions cimport element, put_element, put_wide, sum_values, wide
from .loops.side_by_side cimport gather, scatter
from .loops.threads cimport join_threads, thread_count
from .math.exponential cimport exp, ln2, nearest_sum, raised_by, whole
from .math.logarithm cimport log1p

np.import_array()

cdef enum:
    STEPS = 64  # whose logarithms are taken at once

cdef extern from *:
    """
    static const double INVERSE_FACTORIALS[12] = {1, 1, 1.0 / 2, 1.0 / 6, 1.0 / 24, 1.0 / 120, 1.0 / 720, 1.0 / 5040,
        1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800};
    static const double TWO_BY_ODD[12] = {2, 2.0 / 3, 2.0 / 5, 2.0 / 7, 2.0 / 9, 2.0 / 11, 2.0 / 13, 2.0 / 15, 2.0 / 17,
        2.0 / 19, 2.0 / 21, 2.0 / 23};
    """
    const double INVERSE_FACTORIALS[12]
    const double TWO_BY_ODD[12]

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
    # Some steps of rows side by side, a row a lane: the logits and in the end their gradients, the losses of the steps,
    # lambda, the probability of halting there, and what a step adds to the loss.
    f64x z[STEPS]
    f64x losses[STEPS]
    f64x halt[STEPS]
    f64x p[STEPS]
    f64x log_p[STEPS]
    f64x term[STEPS]

cdef struct Step:
    f64x halt
    f64x stay
    f64x log_halt
    f64x log_stay

cdef struct Going:
    # the probability of having come so far without halting
    f64x p
    f64x log_p

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


cdef inline f64x of_degree_eleven(f64x x, const double* c) noexcept nogil:
    # the polynomial of these coefficients, in fours (Estrin): by Horner's scheme, more than twice as many steps have to
    # wait for one another
    cdef f64x square = x * x, fourth = square * square
    cdef f64x fours[3]
    cdef int k
    for k in range(3):
        fours[k] = fma(fma(splat_f64(c[4 * k + 3]), x, splat_f64(c[4 * k + 2])), square,
                       fma(splat_f64(c[4 * k + 1]), x, splat_f64(c[4 * k])))
    return fma(fma(fours[2], fourth, fours[1]), fourth, fours[0])


cdef inline f64x exp_minus(const real* like, f64x a) noexcept nogil:
    # e^-a for a from 0 on. For results in float32 by the Taylor series of what is left of a beside n ln 2: what is left
    # out is below 2^-47, and 0 stands for what is below 2^-1009.
    cdef f64x end = splat_f64(700.0), b, sum, r
    if real is f32x:
        b = at_most(a, end)
        sum = nearest_sum(b, -1.4426950408889634)
        r = -fma(whole(sum), ln2(b), b)
        return where_less(end, a, splat_f64(0.0), raised_by(of_degree_eleven(r, INVERSE_FACTORIALS), sum))
    else:
        return exp(-a)


cdef inline f64x log_one_plus(f64x s) noexcept nogil:
    # log(1 + e) of s = e / (2 + e) for e from 0 to 1: twice the area hyperbolic tangent of s by its Taylor series. What
    # is left out is below 2^-42 of it.
    return of_degree_eleven(s * s, TWO_BY_ODD) * s


cdef inline Step halting(const real* like, f64x x, bint logs) noexcept nogil:
    # lambda = 1 / (1 + e^-x) and 1 - lambda, from e^-|x|, so that the smaller does not cancel; and their logarithms:
    # the smaller of 0 and x, or of 0 and -x, less log(1 + e^-|x|)
    cdef Step step
    cdef f64x e = exp_minus(like, magnitude(x)), rest, larger, smaller, inverse, zero = splat_f64(0.0)
    cdef f64x below = e + splat_f64(1.0), more = e + splat_f64(2.0)
    if real is f32x and logs:
        # one division for both quotients
        inverse = splat_f64(1.0) / (below * more)
        larger = inverse * more
        rest = log_one_plus(e * (inverse * below))
    else:
        larger = splat_f64(1.0) / below
        rest = log1p(e) if logs else zero
    smaller = e * larger
    step.halt, step.stay = where_less(x, zero, smaller, larger), where_less(x, zero, larger, smaller)
    step.log_halt, step.log_stay = at_most(x, zero) - rest, at_most(-x, zero) - rest
    return step


cdef void distributed(const real* z, const Pondering* own, Py_ssize_t row, Py_ssize_t first, bint logs, Going* going,
                      Block* block) noexcept nogil:
    # The probabilities of the steps of one block, from that of getting there, which becomes that of going on. A product
    # of float64 underflows where a probability does; the logarithms do not.
    cdef Py_ssize_t i, count = min(<Py_ssize_t>STEPS, own.n - first)
    cdef Step step
    cdef f64x p, log_p, g, zero = splat_f64(0.0), beta = splat_f64(own.beta)
    gather(z, own.rows, own.n, row, first, count, block.z)
    if own.losses != NULL:
        gather(<const real*>own.losses, own.rows, own.n, row, first, count, block.losses)
    for i in range(count):
        step = halting(z, block.z[i], logs)
        if first + i == own.n - 1:
            step.halt, step.log_halt = splat_f64(1.0), zero  # the last step takes the rest
        block.halt[i] = step.halt
        p = going.p * step.halt
        going.p = going.p * step.stay
        block.p[i] = p * splat_f64(own.scale)
        if logs:
            log_p = going.log_p + step.log_halt
            going.log_p = going.log_p + step.log_stay
            block.log_p[i] = log_p
            if own.losses != NULL:
                # p (l + beta (log p - log q)), 0 in the limit of p = 0
                g = block.losses[i] + beta * (log_p - splat_f64(own.log_prior + (first + i) * own.log_rest))
                block.term[i] = where_less(zero, p, p * g, p)


cdef inline Going from_start() noexcept nogil:
    return Going(splat_f64(1.0), splat_f64(0.0))


cdef inline void ponder_rows(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # As many rows as a register has lanes, forward over blocks of steps, then back over them: the gradient of a step
    # asks for the sum of those after it.
    cdef Py_ssize_t first = 0, count, i
    cdef Block block
    cdef Going going = from_start()
    cdef f64x after = splat_f64(0.0), loss = splat_f64(0.0), scale = splat_f64(own.scale)
    cdef bint logs = own.log_p != NULL or own.losses != NULL
    while first < own.n:
        distributed(z, own, row, first, logs, &going, &block)
        count = min(<Py_ssize_t>STEPS, own.n - first)
        if own.log_p != NULL:
            scatter(block.log_p, own.rows, own.n, row, first, count, <real*>own.log_p)
        if own.p != NULL:
            scatter(block.p, own.rows, own.n, row, first, count, <real*>own.p)
        if own.losses != NULL:
            for i in range(count):
                loss = loss + block.term[i]
        first += STEPS
    if own.loss != NULL:
        put_wide(<f64x*>own.loss, row, min(own.rows - row, <Py_ssize_t>F64_LANES), loss)
    if own.grad_logits == NULL:
        return
    first -= STEPS
    while first >= 0:
        count = min(<Py_ssize_t>STEPS, own.n - first)
        if own.n > STEPS:  # of shorter rows the only block is still there
            going = before(z, own, row, first)
            distributed(z, own, row, first, True, &going, &block)
        for i in range(count - 1, -1, -1):
            after = after + block.term[i]
            block.z[i] = (block.term[i] - block.halt[i] * after) * scale
        if first + count == own.n:
            block.z[count - 1] = splat_f64(0.0)
        scatter(block.z, own.rows, own.n, row, first, count, <real*>own.grad_logits)
        first -= STEPS


cdef inline Going before(const real* z, const Pondering* own, Py_ssize_t row, Py_ssize_t first) noexcept nogil:
    # the probability that no step before this one halts
    cdef Block block
    cdef Going going = from_start()
    cdef Py_ssize_t start = 0
    while start < first:
        distributed(z, own, row, start, True, &going, &block)
        start += STEPS
    return going


cdef inline void sample_rows(const real* z, const Pondering* own, Py_ssize_t row) noexcept nogil:
    # The first step after which the probability of still going on is below u. It only falls, so that the steps before
    # it are those where it is not.
    cdef Py_ssize_t first = 0, count = 0, i, some = min(own.rows - row, <Py_ssize_t>F64_LANES)
    cdef f64x z_of[STEPS]
    cdef double steps[F64_LANES]
    cdef f64x stayed = splat_f64(0.0), taken = splat_f64(0.0), one = splat_f64(1.0), zero = splat_f64(0.0)
    cdef f64x log_u = wide(<const f64x*>own.log_u, row, some)
    while first < own.n:
        count = min(<Py_ssize_t>STEPS, own.n - first)
        gather(z, own.rows, own.n, row, first, count, z_of)
        for i in range(count):
            stayed = stayed + halting(z, z_of[i], True).log_stay
            taken = taken + where_less(stayed, log_u, zero, one)
        first += STEPS
    store_f64(steps, at_most(taken, splat_f64(own.n - 1)))
    for i in range(some):
        own.steps[row + i] = <int64_t>steps[i]


cdef inline void ponder_some(const real* z, const Pondering* own, Py_ssize_t k) noexcept nogil:
    cdef Py_ssize_t row = k * own.rows_of_chunk, stop = min(own.rows, (k + 1) * own.rows_of_chunk)
    while row < stop:
        if own.steps != NULL:
            sample_rows(z, own, row)
        else:
            ponder_rows(z, own, row)
        row += F64_LANES


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
        if total != total:
            before = total  # a NaN that was met is no probability, and nothing is known of what remains
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


cdef Py_ssize_t rows_of_chunk(Py_ssize_t n) noexcept nogil:
    # a chunk is whole registers of rows
    return (CHUNK // 4 // n // F64_LANES + 1) * F64_LANES


def ponder(np.ndarray logits, losses, log_p, p, grad_logits, loss, log_u, steps, double beta, double log_prior,
           double log_rest, double scale=1.0):
    """Halting distribution, loss and gradient, or sampled steps, of logits[rows, n]; what is None is not asked for.

    All are C-contiguous and of the dtype of the logits, float32 or float64; loss and log_u, a number for each row, are
    float64, and steps int64. What is written to p and grad_logits is multiplied by `scale`. Returned is the sum of the
    rows' losses, in one order.
    """
    cdef Pondering own
    cdef double total
    own.n = np.PyArray_DIM(logits, 1)
    own.rows = np.PyArray_DIM(logits, 0)
    own.logits, own.losses = np.PyArray_DATA(logits), data_of(losses)
    own.log_p, own.p, own.grad_logits = data_of(log_p), data_of(p), data_of(grad_logits)
    own.loss, own.log_u, own.steps = <double*>data_of(loss), <double*>data_of(log_u), <int64_t*>data_of(steps)
    own.narrow = np.PyArray_TYPE(logits) == np.NPY_FLOAT
    own.rows_of_chunk = rows_of_chunk(own.n)
    own.beta, own.log_prior, own.log_rest, own.scale = beta, log_prior, log_rest, scale
    with nogil:
        each_chunk(ponder_chunk, &own, (own.rows + own.rows_of_chunk - 1) // own.rows_of_chunk, thread_count[0])
        total = sum_values(<const f64x*>own.loss, own.rows, 1) if own.loss != NULL else 0.0
    return total


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
