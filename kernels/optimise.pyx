# Optimisers' steps, in place and in one pass over any number of arrays, and the norm of all gradients. What a step is
# made of is decided and checked in Python; arrays come here as they are, or the call says that it cannot take them.
cimport numpy as np
from libc.math cimport ldexp, sqrt
from libc.stdint cimport uintptr_t
from libc.stdlib cimport free, malloc, qsort

from .lanes cimport f32x, f64x, fma, magnitude, real, splat, splat_f64, square_root, store_f64
from .loops.chunks cimport CHUNK, chunks_of, each_chunk
from .loops.registers cimport lanes, skip, store, store_part
from .loops.reductions cimport Pair, sum_block, sum_row, take, wide
from .loops.threads cimport join_threads, thread_count
from .math.exponential cimport expm1
from .math.logarithm cimport log1p

np.import_array()

cdef enum:
    OPERANDS = 4  # the parameters, their gradients, and up to two arrays of what the optimiser remembers
    COEFFICIENTS = 8
    MOST_LANES = 8  # of float64, of any level

# Coefficients of a step by their places, each a number in every lane.
cdef enum:  # of SGD
    LR = 0
    MOMENTUM = 1
    TAKEN = 2  # 1 - dampening
    DECAY = 3
    LOOKAHEAD = 4  # the momentum, of Nesterov's

cdef enum:  # of AdamW
    KEPT = 0  # 1 - lr * weight_decay
    RATE = 1  # lr / (1 - beta1^step)
    BETA1_REST = 2  # twice 1 - beta1
    BETA2 = 3
    BETA2_REST = 4
    UNBIASED = 5  # 1 / sqrt(1 - beta2^step)
    EPS = 6
    HALF = 7

cdef enum Kind:
    SGD
    SGD_MOMENTUM
    SGD_NESTEROV
    ADAMW
    SCALING

cdef struct Group:
    void* p[OPERANDS]
    Py_ssize_t n
    Py_ssize_t first_chunk
    bint narrow

cdef struct Step:
    Group* groups
    int count
    Py_ssize_t chunks
    Kind kind
    double c[COEFFICIENTS]

cdef struct Powers:
    const void* x
    double p
    double scale

cdef struct Range:
    uintptr_t start
    uintptr_t stop
    bint is_written

join_threads()


cdef inline real sgd_point(real param, real grad, real* velocity, const real* c, bint remembers) noexcept nogil:
    # g = grad + decay p;  v = momentum v + (1 - dampening) g;  p - lr (g + momentum v where Nesterov's, else v)
    cdef real g = fma(c[DECAY], param, grad)
    if not remembers:
        return fma(-c[LR], g, param)
    velocity[0] = fma(c[MOMENTUM], velocity[0], c[TAKEN] * g)
    return fma(-c[LR], velocity[0], param)


cdef inline real nesterov_point(real param, real grad, real* velocity, const real* c) noexcept nogil:
    cdef real g = fma(c[DECAY], param, grad)
    velocity[0] = fma(c[MOMENTUM], velocity[0], c[TAKEN] * g)
    return fma(-c[LR], fma(c[LOOKAHEAD], velocity[0], g), param)


cdef inline real adamw_point(real param, real grad, real* first, real* second, const real* c) noexcept nogil:
    # m = b1 m + (1 - b1) g;  v = b2 v + (1 - b2) g^2;  p (1 - lr decay) - lr m' / (sqrt(v') + eps), m' and v' without
    # the bias of a start at 0. (Loshchilov and Hutter, "Decoupled weight decay regularization", 2019.)
    # The difference of g and m is taken of their halves, lest it be beyond the range; c has twice 1 - b1.
    first[0] = fma(c[BETA1_REST], fma(c[HALF], grad, -(c[HALF] * first[0])), first[0])
    second[0] = fma(c[BETA2], second[0], c[BETA2_REST] * grad * grad)
    return fma(param, c[KEPT], -(c[RATE] * first[0] / fma(square_root(second[0]), c[UNBIASED], c[EPS])))


cdef inline void put(real* y, real x, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    if n == lanes(y):
        store(<real*>skip(y, i), x)
    else:
        store_part(<real*>skip(y, i), x, n)


# The kind is a constant in every loop, so that none of them asks for it at every register.

cdef inline void step_some(Kind kind, real** p, const real* c, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # n elements from the i-th on, a register at most
    cdef real param, grad, first = splat(c[0], 0.0), second = splat(c[0], 0.0)
    cdef real result
    param = take(p[0], i, n)
    if kind == SCALING:
        result = param * c[0] * c[1]
    else:
        grad = take(p[1], i, n)
        if kind == ADAMW:
            first, second = take(p[2], i, n), take(p[3], i, n)
            result = adamw_point(param, grad, &first, &second, c)
            put(p[3], second, i, n)
            put(p[2], first, i, n)
        elif kind == SGD:
            result = sgd_point(param, grad, &first, c, False)
        else:
            first = take(p[2], i, n)
            if kind == SGD_NESTEROV:
                result = nesterov_point(param, grad, &first, c)
            else:
                result = sgd_point(param, grad, &first, c, True)
            put(p[2], first, i, n)
    put(p[0], result, i, n)


cdef inline void step_all(Kind kind, real** p, const real* c, Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t i = 0, whole = n - n % lanes(c)
    while i < whole:
        step_some(kind, p, c, i, lanes(c))
        i += lanes(c)
    if i < n:
        step_some(kind, p, c, i, n - i)


cdef inline void step_span(const real* like, const Step* step, const Group* group, Py_ssize_t start,
                           Py_ssize_t n) noexcept nogil:
    cdef real c[COEFFICIENTS]
    cdef real* p[OPERANDS]
    cdef int k
    for k in range(COEFFICIENTS):
        c[k] = splat(c[k], step.c[k])
    for k in range(OPERANDS):
        p[k] = <real*>skip(<const real*>group.p[k], start)
    if step.kind == ADAMW:
        step_all(ADAMW, p, c, n)
    elif step.kind == SGD:
        step_all(SGD, p, c, n)
    elif step.kind == SGD_MOMENTUM:
        step_all(SGD_MOMENTUM, p, c, n)
    elif step.kind == SGD_NESTEROV:
        step_all(SGD_NESTEROV, p, c, n)
    else:
        step_all(SCALING, p, c, n)


cdef void step_chunk(void* context, Py_ssize_t k, int thread) noexcept nogil:
    cdef const Step* step = <const Step*>context
    cdef const Group* group
    cdef int low = 0, high = step.count, middle
    cdef Py_ssize_t start
    while high - low > 1:  # the last array whose first chunk is not after this one
        middle = (low + high) // 2
        if step.groups[middle].first_chunk <= k:
            low = middle
        else:
            high = middle
    group = &step.groups[low]
    start = (k - group.first_chunk) * CHUNK
    if group.narrow:
        step_span(<const f32x*>NULL, step, group, start, min(<Py_ssize_t>CHUNK, group.n - start))
    else:
        step_span(<const f64x*>NULL, step, group, start, min(<Py_ssize_t>CHUNK, group.n - start))


cdef int compare(const void* a, const void* b) noexcept nogil:
    return 1 if (<const Range*>a).start > (<const Range*>b).start else -1


cdef inline bint overlap(Range* ranges, int count) noexcept nogil:
    # whether what is written shares memory with anything else
    cdef int k
    cdef uintptr_t written = 0, read = 0
    qsort(ranges, count, sizeof(Range), compare)
    for k in range(count):
        if ranges[k].start < written or (ranges[k].is_written and ranges[k].start < read):
            return True
        if ranges[k].is_written:
            written = max(written, ranges[k].stop)
        else:
            read = max(read, ranges[k].stop)
    return False


cdef bint plain(object x, object like, bint written) except -1:
    # whether a step can take an array as it lies in memory, beside its parameters
    cdef np.ndarray array, param
    if not np.PyArray_CheckExact(x) or not np.PyArray_CheckExact(like):
        return False
    array, param = x, like
    if np.PyArray_TYPE(param) != np.NPY_FLOAT and np.PyArray_TYPE(param) != np.NPY_DOUBLE:
        return False
    return (np.PyArray_TYPE(array) == np.PyArray_TYPE(param) and np.PyArray_SAMESHAPE(array, param)
            and (np.PyArray_ISCARRAY(array) if written else np.PyArray_ISCARRAY_RO(array)))


cdef bint gathered(Step* step, Range* ranges, tuple operands) except -1:
    # The arrays of a step; False where one cannot be taken, or one that is written shares memory with another. A
    # gradient may be what it changes, element for element.
    cdef int k, j, found = 0, kinds = <int>len(operands)
    cdef np.ndarray array
    cdef Group* group
    step.chunks = 0
    for k in range(step.count):
        group = &step.groups[k]
        group.first_chunk = step.chunks
        for j in range(kinds):
            if not plain(operands[j][k], operands[0][k], j != 1):
                return False
            array = operands[j][k]
            group.p[j] = np.PyArray_DATA(array)
        for j in range(kinds, OPERANDS):
            group.p[j] = NULL
        for j in range(kinds):
            array = operands[j][k]
            if np.PyArray_SIZE(array) == 0 or (j == 1 and group.p[1] in (group.p[0], group.p[2], group.p[3])):
                continue
            ranges[found].start = <uintptr_t>group.p[j]
            ranges[found].stop = ranges[found].start + np.PyArray_NBYTES(array)
            ranges[found].is_written = j != 1
            found += 1
        array = operands[0][k]
        group.n = np.PyArray_SIZE(array)
        group.narrow = np.PyArray_TYPE(array) == np.NPY_FLOAT
        step.chunks += chunks_of(group.n)
    return not overlap(ranges, found)


cdef bint taken(Step* step, tuple operands) except -1:
    # the step of these lists of arrays, all of one length; whether it was done
    cdef Range* ranges
    cdef bint done = False
    step.count = <int>len(operands[0])
    step.groups = <Group*>malloc((step.count + 1) * sizeof(Group))
    ranges = <Range*>malloc((step.count + 1) * OPERANDS * sizeof(Range))
    try:
        if step.groups == NULL or ranges == NULL:
            raise MemoryError(f"no memory for a list of {step.count} arrays, "
                              f"{(step.count + 1) * (sizeof(Group) + OPERANDS * sizeof(Range))} bytes")
        done = gathered(step, ranges, operands)
        if done:
            with nogil:
                each_chunk(step_chunk, step, step.chunks, thread_count[0])
    finally:
        free(ranges)
        free(step.groups)
    return done


cdef double unbiased(double beta, double step) noexcept nogil:
    # 1 - beta^step, without cancellation where beta is near 1
    cdef double values[MOST_LANES]
    store_f64(values, expm1(splat_f64(step) * log1p(splat_f64(beta - 1.0))))
    return -values[0]


cdef void set_sgd(Step* step, bint remembers, double lr, double momentum, double dampening, bint nesterov,
                  double weight_decay) noexcept nogil:
    step.kind = SGD if not remembers else SGD_NESTEROV if nesterov and momentum != 0.0 else SGD_MOMENTUM
    step.c[LR], step.c[MOMENTUM], step.c[TAKEN] = lr, momentum, 1.0 - dampening
    step.c[DECAY], step.c[LOOKAHEAD] = weight_decay, momentum
    step.c[5] = step.c[6] = step.c[7] = 0.0


cdef void set_adamw(Step* step, double step_number, double lr, double beta1, double beta2, double eps,
                    double weight_decay) noexcept nogil:
    step.kind = ADAMW
    step.c[KEPT], step.c[RATE] = 1.0 - lr * weight_decay, lr / unbiased(beta1, step_number)
    step.c[BETA1_REST], step.c[BETA2], step.c[BETA2_REST] = 2.0 * (1.0 - beta1), beta2, 1.0 - beta2
    step.c[UNBIASED], step.c[EPS], step.c[HALF] = 1.0 / sqrt(unbiased(beta2, step_number)), eps, 0.5


def sgd(tuple operands, double lr, double momentum, double dampening, bint nesterov, double weight_decay):
    """A step of lists of parameters, gradients and, with momentum, velocities; whether all could be taken."""
    cdef Step step
    set_sgd(&step, len(operands) > 2, lr, momentum, dampening, nesterov, weight_decay)
    return taken(&step, operands)


def adamw(tuple operands, double step_number, double lr, double beta1, double beta2, double eps, double weight_decay):
    """A step of lists of parameters, gradients, and means of gradients and of their squares; whether all could be
    taken."""
    cdef Step step
    set_adamw(&step, step_number, lr, beta1, beta2, eps, weight_decay)
    return taken(&step, operands)


def scale(list arrays, double factor, int exponent):
    """arrays *= factor * 2**exponent, by two factors where one may have no digits; whether all could be taken."""
    cdef Step step
    cdef int k, part = exponent // 2 if exponent < -100 else 0
    step.kind = SCALING
    for k in range(COEFFICIENTS):
        step.c[k] = ldexp(factor, exponent - part)
    step.c[1] = ldexp(1.0, part)
    return taken(&step, (arrays,))


cdef inline void add_power(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                           f64x* sums) noexcept nogil:
    cdef const Powers* own = <const Powers*>context
    cdef f64x x = magnitude(wide(<const real*>own.x, i, n) * splat_f64(own.scale))
    sums[0] = sums[0] + (x * x if own.p == 2.0 else x)


cdef Pair powers(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Powers own = (<const Powers*>context)[0]
    return sum_block(add_power[real], 1, like, &own, start, n)


cdef double sum_powers_float32(const float* x, double p, double scale, Py_ssize_t n) noexcept nogil:
    cdef Powers own = Powers(x, p, scale)
    return sum_row(powers[f32x], <const f32x*>NULL, &own, n, 1).first


def sum_powers(np.ndarray x, double p, double scale):
    """The sum of |scale * x| (p = 1) or of its squares (p = 2), of a C-contiguous array of float32 or float64."""
    cdef Powers own = Powers(np.PyArray_DATA(x), p, scale)
    cdef Py_ssize_t n = np.PyArray_SIZE(x)
    cdef int most = thread_count[0] if n >= 16 * CHUNK else 1
    if np.PyArray_TYPE(x) == np.NPY_FLOAT:
        return sum_row(powers[f32x], <const f32x*>NULL, &own, n, most).first
    return sum_row(powers[f64x], <const f64x*>NULL, &own, n, most).first


cdef inline void step_one(const real* like, Step* step, void* param, const void* grad, void* first, void* second,
                          Py_ssize_t n) noexcept nogil:
    cdef Group group
    group.p[0], group.p[1], group.p[2], group.p[3], group.n = param, <void*>grad, first, second, n
    step_span(like, step, &group, 0, n)


cdef void sgd_step_float32(float* param, const float* grad, float* velocity, double lr, double momentum,
                           double dampening, bint nesterov, double weight_decay, Py_ssize_t n) noexcept nogil:
    cdef Step step
    set_sgd(&step, velocity != NULL, lr, momentum, dampening, nesterov, weight_decay)
    step_one(<const f32x*>NULL, &step, param, grad, velocity, NULL, n)


cdef void adamw_step_float32(float* param, const float* grad, float* first, float* second, double step, double lr,
                             double beta1, double beta2, double eps, double weight_decay,
                             Py_ssize_t n) noexcept nogil:
    cdef Step own
    set_adamw(&own, step, lr, beta1, beta2, eps, weight_decay)
    step_one(<const f32x*>NULL, &own, param, grad, first, second, n)


# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.

cdef double sum_powers_float64(const double* x, double p, double scale, Py_ssize_t n) noexcept nogil:
    cdef Powers own = Powers(x, p, scale)
    return sum_row(powers[f64x], <const f64x*>NULL, &own, n, 1).first


cdef void sgd_step_float64(double* param, const double* grad, double* velocity, double lr, double momentum,
                           double dampening, bint nesterov, double weight_decay, Py_ssize_t n) noexcept nogil:
    cdef Step step
    set_sgd(&step, velocity != NULL, lr, momentum, dampening, nesterov, weight_decay)
    step_one(<const f64x*>NULL, &step, param, grad, velocity, NULL, n)


cdef void adamw_step_float64(double* param, const double* grad, double* first, double* second, double step, double lr,
                             double beta1, double beta2, double eps, double weight_decay, Py_ssize_t n) noexcept nogil:
    cdef Step own
    set_adamw(&own, step, lr, beta1, beta2, eps, weight_decay)
    step_one(<const f64x*>NULL, &own, param, grad, first, second, n)
