# One layer over one tile of 64 rows. A part of population.pyx.

# What a layer multiplies and adds: float32, or words of two or four whole numbers whose sums are exact.
ctypedef fused terms:
    f32x
    u32x


cdef inline terms load(const terms* p) noexcept nogil:
    if terms is f32x:
        return load_f32(<const float*>p)
    else:
        return load_u32(<const uint32_t*>p)


cdef inline void add_products(const terms* weight, const terms* column, terms* sums, bint quads) noexcept nogil:
    # one weight, or one word of them, for two registers of rows
    if terms is f32x:
        sums[0] = fma_f32(splat_f32((<const float*>weight)[0]), column[0], sums[0])
        sums[1] = fma_f32(splat_f32((<const float*>weight)[0]), column[1], sums[1])
    elif quads:
        add_products_u8(<const uint32_t*>weight, column, sums)
    else:
        add_products_i16(<const uint32_t*>weight, column, sums)


# What becomes of an output's sum: sum * scale + bias, rounded once. With 1 and -0 it is the sum, to the bit.
cdef struct Affine:
    float scale
    float bias


# What is left of four weights that are too large for bytes with signs: LOG4 has 128, which is 127 and 1. One quad in
# four has such a weight, so these few follow all others, an output's after another's.
cdef struct Rest:
    uint32_t place  # which quad of the inputs
    uint32_t weights


cdef inline const terms* element(const terms* p, Py_ssize_t i) noexcept nogil:
    # pointers to `terms` are to float32 or uint32 in memory, each of them a lane
    return <const terms*>(<const float*>p + i)


cdef inline terms zeros(const terms* _p) noexcept nogil:
    if terms is f32x:
        return splat_f32(0.0)
    else:
        return splat_u32(0)


cdef inline f32x as_floats(terms x) noexcept nogil:
    if terms is f32x:
        return x
    else:
        return round_i32_f32(x)


cdef inline void add_rests(const uint32_t* x, const Rest* rest, const Rest* end, u32x* sums,
                           int registers) noexcept nogil:
    cdef u32x column[4]
    cdef int j
    while rest < end:
        for j in range(registers):
            column[j] = load_u32(x + <Py_ssize_t>rest.place * ROWS + j * F32_LANES)
        for j in range(0, registers, 2):
            add_products_u8(&rest.weights, &column[j], &sums[j])
        rest += 1


cdef inline void dense(const terms* x, const terms* weights, const Rest** rests, Py_ssize_t inputs, float unit,
                       const Affine* affine, float* y, bint rectified, int outputs, int registers,
                       bint quads) noexcept nogil:
    # y[outputs][ROWS] = weights[outputs][inputs] @ x[inputs][ROWS], scaled and biased, for the rows of a few registers.
    # Times a unit, which is a power of two, a scale is not rounded.
    # The last three are constants where this is inlined, so that the sums never leave their registers.
    cdef terms sums[OUTPUTS][4]
    cdef terms column[4]
    cdef f32x value
    cdef Py_ssize_t k
    cdef int i, j
    for i in range(outputs):
        for j in range(registers):
            sums[i][j] = zeros(x)
    for k in range(inputs):
        for j in range(registers):
            column[j] = load(element(x, k * ROWS + j * F32_LANES))
        for i in range(outputs):
            for j in range(0, registers, 2):
                add_products(element(weights, i * inputs + k), &column[j], &sums[i][j], quads)
    if terms is u32x:
        if quads:  # not in a loop, which would keep the sums in memory
            add_rests(<const uint32_t*>x, rests[0], rests[1], sums[0], registers)
            if outputs > 1:
                add_rests(<const uint32_t*>x, rests[1], rests[2], sums[1], registers)
            if outputs > 2:
                add_rests(<const uint32_t*>x, rests[2], rests[3], sums[2], registers)
            if outputs > 3:
                add_rests(<const uint32_t*>x, rests[3], rests[4], sums[3], registers)
            if outputs > 4:
                add_rests(<const uint32_t*>x, rests[4], rests[5], sums[4], registers)
            if outputs > 5:
                add_rests(<const uint32_t*>x, rests[5], rests[6], sums[5], registers)
    for i in range(outputs):
        for j in range(registers):
            value = fma_f32(as_floats(sums[i][j]), splat_f32(affine[i].scale * unit), splat_f32(affine[i].bias))
            if rectified:
                value = at_least_f32(value, splat_f32(0.0))
            store_f32(y + i * ROWS + j * F32_LANES, value)


cdef inline void few(const terms* x, const terms* weights, const Rest** rests, Py_ssize_t inputs, float unit,
                     const Affine* affine, float* y, bint rectified, Py_ssize_t outputs, int registers,
                     bint quads) noexcept nogil:
    if outputs == 6:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 6, registers, quads)
    elif outputs == 5:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 5, registers, quads)
    elif outputs == 4:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 4, registers, quads)
    elif outputs == 3:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 3, registers, quads)
    elif outputs == 2:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 2, registers, quads)
    else:
        dense(x, weights, rests, inputs, unit, affine, y, rectified, 1, registers, quads)


cdef inline void few_rows(const terms* x, const terms* weights, const Rest** rests, Py_ssize_t inputs, float unit,
                          const Affine* affine, float* y, bint rectified, Py_ssize_t outputs, Py_ssize_t rows,
                          bint quads) noexcept nogil:
    if REGISTERS == 32 and rows > 2 * F32_LANES:
        few(x, weights, rests, inputs, unit, affine, y, rectified, outputs, 4, quads)
    else:
        few(x, weights, rests, inputs, unit, affine, y, rectified, outputs, 2, quads)


cdef void layer(const terms* x, const terms* weights, const Rest** rests, Py_ssize_t inputs, float unit,
                const Affine* affine, float* y, Py_ssize_t outputs, bint rectified, Py_ssize_t rows) noexcept nogil:
    # One layer over one tile, as far as it has rows: outputs in passes of nearly equal size, six at most. `inputs`
    # counts elements of x, which are quads where there are `rests`: those of output i end where those of i + 1 begin.
    cdef Py_ssize_t passes = (outputs + OUTPUTS - 1) // OUTPUTS, turn, start, stop, row = 0
    cdef const terms* w
    while row < rows:
        for turn in range(passes):
            start = turn * outputs // passes
            stop = (turn + 1) * outputs // passes
            w = element(weights, start * inputs)
            if terms is u32x and BYTES_ARE_FAST and rests != NULL:
                few_rows(element(x, row), w, rests + start, inputs, unit, affine + start, y + start * ROWS + row,
                         rectified, stop - start, rows - row, True)
            else:
                few_rows(element(x, row), w, NULL, inputs, unit, affine + start, y + start * ROWS + row, rectified,
                         stop - start, rows - row, False)
        row += F32_LANES * (4 if REGISTERS == 32 else 2)
