# Many genomes over one batch: decode, forward pass and loss fused, tile by tile, so that nothing but codes and losses
# goes through memory. Lanes are batch rows: a weight is broadcast, and softmax needs no sum across lanes.
# Codes and their operators are genome.pyx; what to evolve, and how, is decided in Python.
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_Import, PyCapsule_IsValid
from cython.parallel cimport parallel, prange, threadid
from libc.math cimport INFINITY
from libc.stdint cimport uint8_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .elementary cimport exp, log1p
from .lanes cimport (
    F32_LANES, REGISTERS, at_least_f32, enter_environment, environment, f32x, fma_f32, leave_environment, load_f32,
    lookup16_f32, codes_u32, splat_f32, store_f32, where_less_f32,
)

cdef enum:
    ROWS = 64  # batch rows in a tile
    OUTPUTS = 6  # outputs that share a pass over their inputs: with 4 registers of rows each, 24 accumulators
    DRAINED = 64  # tiles whose losses are added up in float32 before they join the sum in float64

# What is asked of the last layer.
cdef enum Goal:
    CROSS_ENTROPY = 0
    ACCURACY = 1
    SQUARED_ERROR = 2
    LOGITS = 3

# What follows each layer but the last; NULL is relu, done in registers.
ctypedef void (*Activation)(const float*, float*, Py_ssize_t) noexcept nogil

cdef const char* ACTIVATION = b"void (float const *, float *, Py_ssize_t)"

cdef const int* thread_count = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)


cdef void tile_float32(const float* x, float* tiles, Py_ssize_t rows, Py_ssize_t features) noexcept nogil:
    cdef Py_ssize_t tile, feature, row, count = (rows + ROWS - 1) // ROWS
    memset(tiles, 0, count * ROWS * features * sizeof(float))
    for tile in range(count):
        for feature in range(features):
            for row in range(min(ROWS, rows - tile * ROWS)):
                tiles[(tile * features + feature) * ROWS + row] = x[(tile * ROWS + row) * features + feature]


cdef inline void dense(const float* x, const float* weights, Py_ssize_t inputs, float* y, bint rectified,
                       int outputs, int registers) noexcept nogil:
    # y[outputs][ROWS] = weights[outputs][inputs] @ x[inputs][ROWS], for the rows of a few registers. Both counts are
    # constants where this is inlined, so that the sums never leave their registers.
    cdef f32x sums[OUTPUTS][4]
    cdef f32x column[4]
    cdef f32x weight
    cdef Py_ssize_t _k
    cdef int i, j
    for i in range(outputs):
        for j in range(registers):
            sums[i][j] = splat_f32(0.0)
    for _k in range(inputs):
        for j in range(registers):
            column[j] = load_f32(x + j * F32_LANES)
        for i in range(outputs):
            weight = splat_f32(weights[i * inputs])
            for j in range(registers):
                sums[i][j] = fma_f32(weight, column[j], sums[i][j])
        x += ROWS
        weights += 1
    for i in range(outputs):
        for j in range(registers):
            if rectified:
                sums[i][j] = at_least_f32(sums[i][j], splat_f32(0.0))
            store_f32(y + i * ROWS + j * F32_LANES, sums[i][j])


cdef inline void few(const float* x, const float* weights, Py_ssize_t inputs, float* y, bint rectified,
                     Py_ssize_t outputs, int registers) noexcept nogil:
    if outputs == 6:
        dense(x, weights, inputs, y, rectified, 6, registers)
    elif outputs == 5:
        dense(x, weights, inputs, y, rectified, 5, registers)
    elif outputs == 4:
        dense(x, weights, inputs, y, rectified, 4, registers)
    elif outputs == 3:
        dense(x, weights, inputs, y, rectified, 3, registers)
    elif outputs == 2:
        dense(x, weights, inputs, y, rectified, 2, registers)
    else:
        dense(x, weights, inputs, y, rectified, 1, registers)


cdef void layer(const float* x, const float* weights, Py_ssize_t inputs, float* y, Py_ssize_t outputs,
                bint rectified) noexcept nogil:
    # One layer over one tile: outputs in passes of nearly equal size, six at most.
    cdef Py_ssize_t passes = (outputs + OUTPUTS - 1) // OUTPUTS, turn, start, stop, row = 0
    while row < ROWS:
        for turn in range(passes):
            start = turn * outputs // passes
            stop = (turn + 1) * outputs // passes
            if REGISTERS == 32:
                few(x + row, weights + start * inputs, inputs, y + start * ROWS + row, rectified, stop - start, 4)
            else:
                few(x + row, weights + start * inputs, inputs, y + start * ROWS + row, rectified, stop - start, 2)
        row += F32_LANES * (4 if REGISTERS == 32 else 2)


cdef inline f32x cross_entropy(const float* z, Py_ssize_t classes, f32x target) noexcept nogil:
    # log(sum(exp(z))) - z[target], for one register of rows
    cdef f32x top = load_f32(z), picked = load_f32(z), total = splat_f32(0.0), logit
    cdef Py_ssize_t c
    for c in range(1, classes):
        logit = load_f32(z + c * ROWS)
        top = at_least_f32(top, logit)
        picked = where_less_f32(target, splat_f32(<float>c), picked, logit)
    for c in range(classes):
        total = total + exp(load_f32(z + c * ROWS) - top)
    # the largest logit's own term makes total at least 1
    return log1p(total - splat_f32(1.0)) + (top - picked)


cdef inline f32x correct(const float* z, Py_ssize_t classes, f32x target) noexcept nogil:
    # 1 where the first largest logit is the target's
    cdef f32x top = load_f32(z), found = splat_f32(0.0), logit
    cdef Py_ssize_t c
    for c in range(1, classes):
        logit = load_f32(z + c * ROWS)
        found = where_less_f32(top, logit, splat_f32(<float>c), found)
        top = at_least_f32(top, logit)
    found = where_less_f32(found, target, splat_f32(0.0), where_less_f32(target, found, splat_f32(0.0), splat_f32(1.0)))
    return where_less_f32(top, splat_f32(INFINITY), found, where_less_f32(splat_f32(0.0), top, found, splat_f32(0.0)))


cdef inline f32x squared_error(const float* z, const float* target, Py_ssize_t outputs) noexcept nogil:
    # sum((z - target)^2) over outputs
    cdef f32x total = splat_f32(0.0), apart
    cdef Py_ssize_t c
    for c in range(outputs):
        apart = load_f32(z + c * ROWS) - load_f32(target + c * ROWS)
        total = fma_f32(apart, apart, total)
    return total


cdef double drained(float* sums) noexcept nogil:
    # the 64 sums as one, by halves; they start again from zero
    cdef double tree[ROWS]
    cdef Py_ssize_t i, half = ROWS // 2
    for i in range(ROWS):
        tree[i] = sums[i]
        sums[i] = 0.0
    while half > 0:
        for i in range(half):
            tree[i] += tree[i + half]
        half //= 2
    return tree[0]


cdef double evaluate(const float* tiles, Py_ssize_t rows, const float* target, const Py_ssize_t* sizes,
                     Py_ssize_t layers, Activation activation, const float* weights, float* front, float* back,
                     Goal goal, float* logits) noexcept nogil:
    # One decoded genome over all tiles: the sum of what the goal asks, over rows.
    cdef float sums[ROWS]
    cdef const float* x
    cdef const float* w
    cdef float* y
    cdef double total = 0.0
    cdef Py_ssize_t tile, k, row, c, outputs = sizes[layers], part
    cdef f32x value
    memset(sums, 0, sizeof(sums))
    for tile in range((rows + ROWS - 1) // ROWS):
        x = tiles + tile * ROWS * sizes[0]
        w = weights
        y = front
        for k in range(layers):
            y = front if k % 2 == 0 else back
            layer(x, w, sizes[k], y, sizes[k + 1], k + 1 < layers and activation == NULL)
            if k + 1 < layers and activation != NULL:
                activation(y, y, sizes[k + 1] * ROWS)
            w += sizes[k] * sizes[k + 1]
            x = y
        part = min(ROWS, rows - tile * ROWS)
        if goal == LOGITS:
            for row in range(part):
                for c in range(outputs):
                    logits[(tile * ROWS + row) * outputs + c] = y[c * ROWS + row]
            continue
        row = 0
        while row < ROWS:
            if goal == CROSS_ENTROPY:
                value = cross_entropy(y + row, outputs, load_f32(target + tile * ROWS + row))
            elif goal == SQUARED_ERROR:
                value = squared_error(y + row, target + tile * ROWS * outputs + row, outputs)
            else:
                value = correct(y + row, outputs, load_f32(target + tile * ROWS + row))
            if row + F32_LANES > part:
                value = first_lanes(value, part - row)
            store_f32(sums + row, load_f32(sums + row) + value)
            row += F32_LANES
        if tile % DRAINED == DRAINED - 1:
            total += drained(sums)
    return total + drained(sums)


cdef inline f32x first_lanes(f32x x, Py_ssize_t n) noexcept nogil:
    # zeros from lane n on
    cdef float part[16]
    cdef Py_ssize_t i
    store_f32(part, x)
    for i in range(max(n, 0), F32_LANES):
        part[i] = 0.0
    return load_f32(part)


cdef void decode(const uint8_t* genome, const float* levels, float* weights, Py_ssize_t n) noexcept nogil:
    # weights has room for whole registers, and the genome's last bytes are read from a copy
    cdef uint8_t last[16]
    cdef Py_ssize_t i = 0, whole = n // 16 * 16
    while i < whole:
        store_f32(weights + i, lookup16_f32(levels, codes_u32(genome, i)))
        i += F32_LANES
    memset(last, 0, sizeof(last))
    memcpy(last, genome + i // 2, (n + 1) // 2 - i // 2)
    while i < n:
        store_f32(weights + i, lookup16_f32(levels, codes_u32(last, i - whole)))
        i += F32_LANES


def tile(const float[:, ::1] x, float[:, :, ::1] tiles):
    """Lay a batch out for evaluation: x[rows, features] as tiles[ceil(rows / 64), features, 64]."""
    if x.shape[0] > 0 and x.shape[1] > 0:
        with nogil:
            tile_float32(&x[0, 0], &tiles[0, 0, 0], x.shape[0], x.shape[1])


def is_activation(kernel):
    """Whether a kernel of the C interface is a function of one element, which may follow a layer."""
    return PyCapsule_IsValid(kernel, ACTIVATION) != 0


def evaluate_population(const uint8_t[:, ::1] genomes, const float[:, :, ::1] tiles, Py_ssize_t rows,
                        const float[::1] target, const Py_ssize_t[::1] sizes, object kernel, const float[::1] levels,
                        int goal, double[::1] results, float[:, :, ::1] logits):
    """Evaluate each genome: results[i] is a sum over rows; logits is filled if they are the goal.

    target has a class for each row of each tile, or [tiles, outputs, 64] values; kernel is an activation, or None for
    relu.
    """
    cdef Activation activation = NULL if kernel is None else <Activation>PyCapsule_GetPointer(kernel, ACTIVATION)
    cdef Py_ssize_t i, k, layers = sizes.shape[0] - 1, n = 0, widest = 1, scratch_size, size = genomes.shape[0]
    cdef int threads = thread_count[0]
    cdef environment callers
    cdef float* scratch
    cdef float* own
    for k in range(layers):
        n += sizes[k] * sizes[k + 1]
        widest = max(widest, sizes[k + 1])
    if size == 0 or rows == 0 or n == 0:
        return
    # for each thread its weights, with room for a last register, and two layers of a tile, on cache lines
    scratch_size = (n + 31) // 16 * 16 + 2 * widest * ROWS
    scratch = <float*>malloc((threads * scratch_size + 16) * sizeof(float))
    if scratch == NULL:
        raise MemoryError
    with nogil, parallel(num_threads=threads):
        own = <float*>((<uintptr_t>scratch + 63) // 64 * 64) + threadid() * scratch_size
        callers = enter_environment()
        for i in prange(size, schedule="dynamic"):
            decode(&genomes[i, 0], &levels[0], own, n)
            results[i] = evaluate(
                &tiles[0, 0, 0], rows, &target[0], &sizes[0], layers, activation, own,
                own + scratch_size - 2 * widest * ROWS, own + scratch_size - widest * ROWS, <Goal>goal,
                &logits[i, 0, 0] if goal == LOGITS else NULL)
        leave_environment(callers)
    free(scratch)
