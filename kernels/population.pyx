# Many genomes over one batch: decode, forward pass and loss fused, tile by tile, so that nothing but codes and losses
# goes through memory. Lanes are batch rows: a weight is broadcast, and softmax needs no sum across lanes. The first
# layer, which is most of the work, is computed in integers where they give the same bits.
# Codes and their operators are genome.pyx; what to evolve, and how, is decided in Python.
from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid
from libc.math cimport INFINITY, fabs, rint
from libc.stdint cimport int16_t, int64_t, uint8_t, uint16_t, uint32_t, uintptr_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from .lanes cimport (
    BYTES_ARE_FAST, F32_LANES, F64_LANES, REGISTERS, add_products_i16, add_products_u8, at_least_f32, codes_u32, f32x,
    f64x, fma_f32, load_f32, load_part_f32, load_u32, lookup16_f32, round_i32_f32, splat_f32, splat_u32, store_f32,
    store_part_f32, u32x, where_less_f32, wide_f32,
)
from .loops.numbers cimport (
    OF_FLOAT32, OF_FLOAT64, OF_INDEX, OF_INT16, OF_UINT8, OF_UINT32, Numbers, join_numbers, numbers_in, numbers_out,
)
from .loops.reductions cimport first_lanes, tree
from .loops.threads cimport join_threads, run_chunks, thread_count
from .math.exponential cimport exp
from .math.logarithm cimport log1p

cdef enum:
    ROWS = 64  # batch rows in a tile, of which Python has to know
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

join_threads()
join_numbers()

TILE_ROWS = ROWS


cdef int most_in_word() noexcept nogil:
    return 4 if BYTES_ARE_FAST else 2


MOST_IN_WORD = most_in_word()  # whole numbers that a word of a batch may have


include "parts/population_batches.pxi"
include "parts/population_layers.pxi"


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
    # the sum of all ROWS sums, added by halves; the sums are set to zero again
    cdef f64x parts[ROWS]
    cdef int k
    for k in range(ROWS // F64_LANES):
        parts[k] = wide_f32(sums + k * F64_LANES)
    memset(sums, 0, ROWS * sizeof(float))
    return tree(parts, ROWS // F64_LANES, 1)


cdef double evaluate(const uint32_t* tiles, Py_ssize_t elements, Py_ssize_t rows, const float* target,
                     const Py_ssize_t* sizes, Py_ssize_t layers, Activation activation, const float* weights,
                     const Rest** rests, float unit, const Affine* affines, float* front, float* back, Goal goal,
                     float* logits) noexcept nogil:
    # One decoded genome over all tiles of [elements][ROWS]: the sum of what the goal asks, over rows.
    cdef float sums[ROWS]
    cdef const float* w
    cdef const Affine* affine
    cdef float* x
    cdef float* y
    cdef double total = 0.0
    cdef Py_ssize_t tile, k, row, c, outputs = sizes[layers], part
    cdef bint rectified
    cdef f32x value
    memset(sums, 0, sizeof(sums))
    for tile in range((rows + ROWS - 1) // ROWS):
        part = min(ROWS, rows - tile * ROWS)
        w = weights
        affine = affines
        x = back
        y = front
        for k in range(layers):
            rectified = k + 1 < layers and activation == NULL
            if k > 0:
                layer(<const f32x*>x, <const f32x*>w, NULL, sizes[k], 1.0, affine, y, sizes[k + 1], rectified, part)
            elif unit == 0.0:
                layer(<const f32x*>(tiles + tile * elements * ROWS), <const f32x*>w, NULL, elements, 1.0, affine, y,
                      sizes[1], rectified, part)
            else:
                layer(<const u32x*>(tiles + tile * elements * ROWS), <const u32x*>w, rests, elements, unit, affine, y,
                      sizes[1], rectified, part)
            if k + 1 < layers:
                if activation != NULL:
                    activation(y, y, sizes[k + 1] * ROWS)
                w += sizes[k] * sizes[k + 1]
                affine += sizes[k + 1]
                x, y = y, x
        if goal == LOGITS:
            for row in range(part):
                for c in range(outputs):
                    logits[(tile * ROWS + row) * outputs + c] = y[c * ROWS + row]
            continue
        row = 0
        while row < part:
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


include "parts/population_decoding.pxi"


def is_activation(kernel):
    """Whether a kernel of the C interface is a function of one element, which may follow a layer."""
    return PyCapsule_IsValid(kernel, ACTIVATION) != 0


cdef struct Evaluation:
    # of a whole population, a genome a chunk
    const uint8_t* genomes
    Py_ssize_t genome_bytes
    const uint32_t* tiles
    Py_ssize_t elements
    Py_ssize_t rows
    const float* target
    const Py_ssize_t* sizes
    Py_ssize_t layers
    Py_ssize_t widest
    Py_ssize_t n
    Py_ssize_t skipped  # weights of the first layer that are not decoded to floats
    Py_ssize_t rests  # floats of the scratch that the rests of the first layer's weights take; 0 if it is not in quads
    Activation activation
    const float* levels
    const uint32_t* table
    float unit
    const Affine* affines
    const Py_ssize_t* groups
    const float* group_scales  # NULL where no layer has groups
    Goal goal
    double* results
    float* logits
    Py_ssize_t genome_logits
    # each thread's weights, with room for a last register, rests, and two layers of a tile, on cache lines
    float* scratch
    Py_ssize_t scratch_size


cdef void evaluate_genome(void* context, Py_ssize_t i, int thread) noexcept nogil:
    cdef const Evaluation* of = <const Evaluation*>context
    cdef const uint8_t* genome = of.genomes + i * of.genome_bytes
    cdef float* own = of.scratch + thread * of.scratch_size
    cdef float* front = own + of.scratch_size - of.widest * ROWS
    cdef float* back = front - of.widest * ROWS
    cdef const Rest** rests = <const Rest**>(back - of.rests) if of.rests else NULL
    decode(genome + of.skipped // 2, of.levels, own + of.skipped, of.n - of.skipped)
    if BYTES_ARE_FAST and of.rests:  # in their place, which is no smaller
        decode_quads(genome, of.genome_bytes - 1, of.table, of.sizes[0], of.sizes[1], <uint32_t*>own, rests)
    elif of.unit != 0.0:
        decode_pairs(genome, of.genome_bytes - 1, of.table, of.sizes[0], of.sizes[1], <uint32_t*>own)
    if of.group_scales != NULL:
        scale_groups(own, of.group_scales, of.groups, of.sizes, of.layers)
    of.results[i] = evaluate(of.tiles, of.elements, of.rows, of.target, of.sizes, of.layers, of.activation, own, rests,
                             of.unit, of.affines, back, front, of.goal,
                             of.logits + i * of.genome_logits if of.goal == LOGITS else NULL)


def evaluate_population(genomes, tiles, Py_ssize_t rows, target, sizes, kernel, levels, whole_levels, int in_word,
                        float unit, affines, groups, group_scales, int goal, results, logits):
    """Evaluate each genome: results[i] is a sum over rows; logits is filled if they are the goal.

    tiles are the bits of float32, as from `tile`; or, with a unit other than 0, words of two or four whole numbers as
    from `tile_whole`, for the first layer to be computed in integers. The unit is then that of the products of x and
    whole_levels, the levels as integers, of which words of four take those from -256 to 254. Where no sum of such
    products' magnitudes exceeds 2^24, float32 holds every partial sum in any order without rounding, and so the bits
    are the same; the first layer's scales times the unit are to be normal numbers of float32 too, or 0.
    affines has for each output of each layer what its sum is multiplied by and what is then added. groups has for each
    layer how many weights of a row share one of the group_scales, and 0 where none do, as in a first layer of words.
    target has a class for each row of each tile, or [tiles, outputs, 64] values; kernel is an activation, or None for
    relu.
    """
    cdef Activation activation = NULL if kernel is None else <Activation>PyCapsule_GetPointer(kernel, ACTIVATION)
    cdef Numbers own = numbers_in(genomes, OF_UINT8, 2), tiled = numbers_in(tiles, OF_UINT32, 3)
    cdef Numbers wanted = numbers_in(target, OF_FLOAT32, 1), widths = numbers_in(sizes, OF_INDEX, 1)
    cdef Numbers level = numbers_in(levels, OF_FLOAT32, 1), whole = numbers_in(whole_levels, OF_INT16, 1)
    cdef Numbers affine = numbers_in(affines, OF_FLOAT32, 2), grouped = numbers_in(groups, OF_INDEX, 1)
    cdef Numbers scale = numbers_in(group_scales, OF_FLOAT32, 1)
    cdef Numbers found = numbers_out(results, OF_FLOAT64, 1), outputs = numbers_out(logits, OF_FLOAT32, 3)
    cdef const Py_ssize_t* width = <const Py_ssize_t*>widths.at
    cdef const int16_t* whole_level = <const int16_t*>whole.at
    cdef Py_ssize_t k, layers = widths.shape[0] - 1, n = 0, widest = 1, scratch_size, size = own.shape[0]
    cdef Py_ssize_t skipped = 0, rests = 0
    cdef int threads = min(thread_count[0], size)
    cdef uint32_t table[256]
    cdef Evaluation of
    cdef float* scratch
    if unit != 0.0 and in_word > most_in_word():
        raise ValueError(f"a word of the batch has {in_word} numbers; at this level it can have {most_in_word()}")
    for k in range(layers):
        n += width[k] * width[k + 1]
        widest = max(widest, width[k + 1])
    if size == 0 or rows == 0 or n == 0:
        return
    if unit != 0.0:
        skipped = width[0] * width[1] // 16 * 16  # weights of the first layer, as whole registers
        if in_word == 4:
            rests = (width[1] * (tiled.shape[1] + 1) * 2 + 2 + 15) // 16 * 16
        for k in range(256):
            if rests:
                table[k] = two_bytes(whole_level[k & 15], whole_level[k >> 4])
            else:
                table[k] = <uint16_t>whole_level[k & 15] | <uint32_t><uint16_t>whole_level[k >> 4] << 16
    scratch_size = (n + 31) // 16 * 16 + rests + 2 * widest * ROWS
    scratch = <float*>malloc((threads * scratch_size + 16) * sizeof(float))
    if scratch == NULL:
        raise MemoryError(f"no memory for decoded genomes, {(threads * scratch_size + 16) * sizeof(float)} bytes")
    of = Evaluation(
        <const uint8_t*>own.at, own.shape[1], <const uint32_t*>tiled.at, tiled.shape[1], rows,
        <const float*>wanted.at, width, layers, widest, n, skipped, rests, activation, <const float*>level.at,
        &table[0], unit, <const Affine*>affine.at, <const Py_ssize_t*>grouped.at,
        NULL, <Goal>goal, <double*>found.at, <float*>outputs.at, rows * width[layers],
        <float*>((<uintptr_t>scratch + 63) // 64 * 64), scratch_size)
    if scale.shape[0]:
        of.group_scales = <const float*>scale.at
    with nogil:
        run_chunks(evaluate_genome, &of, size, threads)
    free(scratch)
