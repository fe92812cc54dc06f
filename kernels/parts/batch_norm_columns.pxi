# Batch norm where an example holds one number of each channel: x is (examples, channels), a channel a column. Registers
# hold neighbouring channels, and rows are read as they stand in memory: for the statistics once, or twice where the
# first examples gave a poor guess of the means, and once for the map. The formulas are those of batch_norm.pyx.
#
# A few rows are added in the precision of the computation, and those sums in float64, where the rounding errors of
# float64 are kept (additions of equal numbers all round the same way); a channel where float32 overflows, or its
# squares vanish, is added in float64. A channel near the ends of the exponent range is multiplied by a power of two,
# its scale, and its mean and rstd are then those of x * scale. What is done for one channel changes no bit of another,
# but perhaps the last one of float64, whose chunks end in another order where a channel has a scale.
# A chunk adds its rows in order, and the chunks, which the shape alone sets, are added in order: the number of threads
# changes no bit.

cdef enum:
    GUESSED = 32  # means are guessed from so many examples at the start
    CHUNK_ROWS = 64  # at least, of float64 twice as many
    MOST_VECTORS = 8
    MOST_OPERANDS = 12

# Why the variance of a channel is computed again.
cdef enum:
    POOR = 1  # its deviations were taken from a number too far from its mean
    LOST = 2  # its squares overflowed or vanished in float32

# What is known of each channel, as vectors in the precision of the computation.
cdef enum:
    MEAN
    MEAN_REST  # the rounding error of the mean
    RSTD
    SCALE
    WEIGHT
    BIAS
    GRAD_MEAN
    GRAD_NORMED_MEAN

cdef struct Matrix:
    # of any dtype and stride
    char* data
    Py_ssize_t step
    Py_ssize_t stride

cdef struct Vectors:
    const void* of[MOST_VECTORS]

cdef struct Example:
    const void* grad
    const void* x
    Vectors known
    Dtype dtype  # of grad and x

cdef struct Problem

cdef struct Block:
    # Examples at equal distances. A block of none stands for the rows that a kernel is given.
    const Problem* problem
    char* x
    char* grad
    char* y
    Py_ssize_t x_step
    Py_ssize_t grad_step
    Py_ssize_t y_step
    Py_ssize_t rows

cdef struct Problem:
    Pass work  # over the examples
    Py_ssize_t channels
    Py_ssize_t repeat  # neighbours of which the same is known, as vectors of one number for all of them say
    Vectors known
    char* again  # of each channel: POOR, LOST, or 0 where its sums will do
    const void* scale  # NULL where every scale is 1
    bint folded  # whether few rows are added in float32
    bint stands  # whether kernels can take rows where they stand
    Dtype dtype  # of the rows that kernels are given
    Block blocks[CHUNKS]  # of each chunk

ctypedef bint (*columns_kernel)(const void* like, const Operation* operation, char** args, Py_ssize_t examples,
                                Py_ssize_t channels, const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil

cdef pass_function run_rows = row_machine().run_pass


# Problems.

cdef inline void set_known(const real* like, const Problem* problem, int what, Py_ssize_t i,
                           double value) noexcept nogil:
    if real is f32x:
        (<float*>problem.known.of[what])[i] = <float>value
    else:
        (<double*>problem.known.of[what])[i] = value


cdef inline void know_one(const real* like, const Problem* problem, int what, Py_ssize_t i,
                          double value) noexcept nogil:
    # of the i-th of those that the vectors tell apart; what is written behind its neighbours is overwritten by the next
    cdef real* y = <real*>skip(<const real*>problem.known.of[what], i * problem.repeat)
    cdef Py_ssize_t j = 0
    if problem.repeat == 1:
        set_known(like, problem, what, i, value)
        return
    while j < problem.repeat:
        store(<real*>skip(<const real*>y, j), splat(load(<const real*>y), value))
        j += lanes(like)


cdef void know(const real* like, const Problem* problem, int what, const char* values,
               Py_ssize_t step) noexcept nogil:
    # a vector of float64
    cdef Py_ssize_t i
    if problem.repeat == 1 and step == sizeof(double):
        narrow_numbers(real is f64x, <void*>problem.known.of[what], <const double*>values, problem.channels)
        return
    for i in range(problem.channels // problem.repeat):
        know_one(like, problem, what, i, (<const double*>(values + i * step))[0])


cdef void know_mean(const real* like, const Problem* problem, const char* values,
                    Py_ssize_t step) noexcept nogil:
    cdef Py_ssize_t i
    cdef double mean
    for i in range(problem.channels // problem.repeat):
        mean = (<const double*>(values + i * step))[0]
        know_one(like, problem, MEAN, i, mean)
        know_one(like, problem, MEAN_REST, i, mean - rounded(like, mean))


cdef inline Matrix matrix(char* data, const np.npy_intp* steps) noexcept nogil:
    return Matrix(data, steps[0], steps[1])


cdef inline Operand operand(char kind, Matrix matrix, Py_ssize_t offset) noexcept nogil:
    return Operand(kind, matrix.data, 0, matrix.step, matrix.stride, 0, False, offset)


cdef bint begin_columns(const Operation* operation, group_kernel kernel, Problem* problem, Matrix grad, Matrix x,
                        Matrix y, Py_ssize_t examples, Py_ssize_t channels, const char* scale, Py_ssize_t scale_step,
                        Py_ssize_t repeat) noexcept nogil:
    # Whether there is memory for a problem: its pass over x and, where there is one, grad, to y or to sums; and the
    # vectors of its channels.
    cdef Pass* work = &problem.work
    cdef Matrix none = Matrix(NULL, 0, 0), own = Matrix(<char*>problem.blocks, 0, 0)
    cdef Py_ssize_t size = whole((channels + PADDING) * (8 if operation.dtype == FLOAT64 else 4), LINE), i
    cdef bint rescued = False
    memset(work, 0, sizeof(Pass))  # it has no kernel but this one, and nothing that goes with others
    work.kernel, work.dtype, work.n_in, work.group = kernel, operation.dtype, 3, GROUP
    work.batches, work.rows, work.q, work.n, work.flat = 1, examples, examples, channels, True
    work.of[0] = operand(c'r', x, 0)
    work.of[1] = operand(c'r' if grad.data != NULL else c'c', grad, 0)
    work.of[2] = operand(c'c', own, 0)
    if y.data != NULL:
        work.of[3], work.operands = operand(c'r', y, 0), 4
    else:
        work.of[3], work.of[4] = operand(c'a', none, 0), operand(c'a', none, channels)
        work.operands, work.n_sums = 5, 2 * channels
        if operation.dtype == FLOAT64:  # and their rounding errors
            work.n_exact, work.n_sums = 2 * channels, 4 * channels
    for i in range(channels // repeat):
        rescued = rescued or (<const double*>(scale + i * scale_step))[0] != 1.0
    work.of[0].tiled = rescued  # where its numbers can be scaled
    problem.channels, problem.folded, problem.scale, problem.repeat = channels, False, NULL, repeat
    problem.stands = not rescued
    for i in range(work.operands):
        problem.stands = problem.stands and (work.of[i].kind != c'r' or work.of[i].stride == size_of(work.dtype))
    if work.n_exact > 0 and not problem.stands:  # the sums of a tile that is not full, and how many rows it has
        work.n_sums += work.n_exact + 1
    lay_out(work)
    set_chunks(work, CHUNKS, CHUNK_ROWS if work.n_exact == 0 else 2 * CHUNK_ROWS, 1 if work.n_exact == 0 else TILE)
    set_workers(work, operation.threads[0], False)
    if not has_memory(work, MOST_VECTORS * size + channels, NULL, 0):
        return False
    for i in range(MOST_VECTORS):
        problem.known.of[i] = work.more + i * size
    problem.again = work.more + MOST_VECTORS * size
    if rescued:
        if operation.dtype == FLOAT64:
            know(<const f64x*>NULL, problem, SCALE, scale, scale_step)
        else:
            know(<const f32x*>NULL, problem, SCALE, scale, scale_step)
        problem.scale = problem.known.of[SCALE]
    return True


cdef void run_columns(Problem* problem) noexcept nogil:
    # Rows where they stand are taken by chunks, each of which is one row to the row machine. Rows of 16-bit elements
    # pass through tiles where they are added in float64, which is seldom.
    cdef Pass work = problem.work
    cdef Block* block = problem.blocks
    cdef Py_ssize_t k, first
    cdef bint standing = problem.stands and (
        not is_short(work.dtype) or problem.folded or work.n_sums == 0)
    problem.dtype = work.dtype if standing or work.dtype == FLOAT64 else FLOAT32
    block.problem, block.rows = problem, 0
    if standing:
        for k in range(work.chunks):
            first = k * work.chunk
            block = problem.blocks + k
            block.problem, block.rows = problem, min(work.chunk, work.rows - first)
            block.x_step, block.grad_step, block.y_step = work.of[0].step_q, work.of[1].step_q, work.of[3].step_q
            block.x, block.grad = work.of[0].data + first * block.x_step, work.of[1].data + first * block.grad_step
            block.y = work.of[3].data + first * block.y_step
        work.of[2].step_q = sizeof(Block)
        work.rows = work.q = work.chunks
        work.chunk = 1
        for k in range(work.operands):
            work.of[k].tiled = False
    run_rows(&work)


cdef void add_all(Problem* problem, bint folded) noexcept nogil:
    # the two sums of every channel
    cdef double* sums = problem.work.sums
    cdef Py_ssize_t i = 0, count = problem.work.n_exact, n
    cdef f64x lost, sum
    problem.folded = folded
    run_columns(problem)
    while i < count:
        n = min(count - i, <Py_ssize_t>F64_LANES)
        sum, lost = wide(<const f64x*>sums, i, n), splat_f64(0.0)
        if not problem.stands:
            sum = two_sum(sum, wide(<const f64x*>sums, 2 * count + i, n), &lost)
        lost = lost + wide(<const f64x*>sums, count + i, n)
        put_lanes(sums + i, n, end_losses(sum, lost))
        i += n


# The kernels.

cdef bint column_moments_kernel(const real* like, const Operation* operation, char** args, Py_ssize_t examples,
                                Py_ssize_t channels, const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil:
    # x, scale -> mean, variance of x * scale. Deviations are taken from a guess of the mean, and where that costs a
    # bit, from the mean; where squares leave float32, all is float64.
    cdef Problem problem
    cdef Matrix none = Matrix(NULL, 0, 0)
    cdef Py_ssize_t i
    cdef bint any_lost = False
    if not begin_columns(operation, <group_kernel>deviations_kernel[real], &problem, none,
                         matrix(args[0], steps), none, examples, channels, args[1], steps[2], repeat):
        return False
    guess_means(like, &problem, examples)
    average_all(&problem, True, examples)
    if judge(like, &problem, False):
        tell(like, &problem, 0, args[2], steps[3], args[3], steps[4])
        for i in range(channels):
            set_known(like, &problem, MEAN, i, found_mean(like, &problem, i))
        average_all(&problem, True, examples)
        tell(like, &problem, POOR, args[2], steps[3], args[3], steps[4])
        judge(like, &problem, True)
    else:
        tell(like, &problem, 0, args[2], steps[3], args[3], steps[4])
    for i in range(channels):
        any_lost = any_lost or problem.again[i] == LOST
        set_known(like, &problem, MEAN, i, 0.0)
    if any_lost:
        average_all(&problem, False, examples)
        for i in range(channels):
            set_known(like, &problem, MEAN, i, found_mean(like, &problem, i))
        average_all(&problem, False, examples)
        tell(like, &problem, LOST, args[2], steps[3], args[3], steps[4])
    free(problem.work.memory)
    return True


cdef bint column_affine_kernel(const real* like, const Operation* operation, char** args, Py_ssize_t examples,
                               Py_ssize_t channels, const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil:
    # x, mean, rstd, scale, weight, bias -> y
    cdef Problem problem
    if not begin_columns(operation, <group_kernel>affine_rows[real], &problem, Matrix(NULL, 0, 0),
                         matrix(args[0], steps), matrix(args[6], steps + 7), examples, channels, args[3], steps[4],
                         repeat):
        return False
    know_mean(like, &problem, args[1], steps[2])
    know(like, &problem, RSTD, args[2], steps[3])
    know(like, &problem, WEIGHT, args[4], steps[5])
    know(like, &problem, BIAS, args[5], steps[6])
    run_columns(&problem)
    free(problem.work.memory)
    return True


cdef bint column_sums_kernel(const real* like, const Operation* operation, char** args, Py_ssize_t examples,
                             Py_ssize_t channels, const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil:
    # grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)
    cdef Problem problem
    cdef const double* sums
    cdef Py_ssize_t i
    cdef bint any_lost = False
    if not begin_columns(operation, <group_kernel>gradients_kernel[real], &problem, matrix(args[0], steps),
                         matrix(args[1], steps + 2), Matrix(NULL, 0, 0), examples, channels, args[4], steps[6], repeat):
        return False
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5])
    add_all(&problem, True)
    sums = problem.work.sums
    for i in range(channels):
        (<double*>(args[5] + i * steps[7]))[0] = sums[i]
        (<double*>(args[6] + i * steps[8]))[0] = sums[channels + i]
        problem.again[i] = 0
        if real is f32x:
            problem.again[i] = not (fabs(sums[i]) < INFINITY and fabs(sums[channels + i]) < INFINITY)
            any_lost = any_lost or problem.again[i] != 0
    if any_lost:
        add_all(&problem, False)
        for i in range(channels):
            if problem.again[i]:
                (<double*>(args[5] + i * steps[7]))[0] = sums[i]
                (<double*>(args[6] + i * steps[8]))[0] = sums[channels + i]
    free(problem.work.memory)
    return True


cdef bint column_slope_kernel(const real* like, const Operation* operation, char** args, Py_ssize_t examples,
                              Py_ssize_t channels, const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil:
    # grad, x, mean, rstd, scale, weight, mean(grad), mean(grad * normed) -> grad_x
    cdef Problem problem
    cdef Py_ssize_t i
    if not begin_columns(operation, <group_kernel>slope_rows[real], &problem, matrix(args[0], steps),
                         matrix(args[1], steps + 2), matrix(args[8], steps + 10), examples, channels,
                         args[4], steps[6], repeat):
        return False
    know_mean(like, &problem, args[2], steps[4])
    know(like, &problem, RSTD, args[3], steps[5])
    know(like, &problem, WEIGHT, args[5], steps[7])
    know(like, &problem, GRAD_MEAN, args[6], steps[8])
    know(like, &problem, GRAD_NORMED_MEAN, args[7], steps[9])
    if problem.scale != NULL:
        for i in range(channels):  # rstd is that of x * scale: the weight brings the scale back
            set_known(like, &problem, WEIGHT, i, element(<const real*>problem.known.of[WEIGHT], i)
                      * element(<const real*>problem.known.of[SCALE], i))
    run_columns(&problem)
    free(problem.work.memory)
    return True


cdef bint columns_of(const Operation* operation, char** args, Py_ssize_t examples, Py_ssize_t channels,
                     const np.npy_intp* steps, Py_ssize_t repeat) noexcept nogil:
    # one matrix; a vector has a number for each `repeat` neighbours
    cdef environment callers = enter_environment()
    cdef bint done = (<columns_kernel>operation.kernel)(NULL, operation, args, examples, channels, steps, repeat)
    leave_environment(callers)
    return done


# The gufuncs.

cdef bint columns(const Operation* operation, char** args, const np.npy_intp* dims,
                  const np.npy_intp* steps) noexcept nogil:
    cdef char* at[MOST_OPERANDS]
    cdef Py_ssize_t outer
    cdef bint done = True
    cdef int k
    for outer in range(dims[0]):
        for k in range(operation.operands):
            at[k] = args[k] + outer * steps[k]
        done = done and columns_of(operation, at, dims[1], dims[2], steps + operation.operands, 1)
    return done


cdef object of_columns(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc):
    return on_matrices(name, float32, float64, kinds_in, kinds_out, doc, <void*>columns, <void*>columns)


column_moments_gufunc = of_columns(
    b"column_moments", <void*>column_moments_kernel[f32x], <void*>column_moments_kernel[f64x], b"ms", b"ss",
    b"x, scale -> mean, variance")
column_affine_gufunc = of_columns(
    b"column_affine", <void*>column_affine_kernel[f32x], <void*>column_affine_kernel[f64x], b"msssss", b"m",
    b"x, mean, rstd, scale, weight, bias -> y")
column_sums_gufunc = of_columns(
    b"column_sums", <void*>column_sums_kernel[f32x], <void*>column_sums_kernel[f64x], b"mmsss", b"ss",
    b"grad, x, mean, rstd, scale -> sum(grad), sum(grad * normed)")
column_slope_gufunc = of_columns(
    b"column_slope", <void*>column_slope_kernel[f32x], <void*>column_slope_kernel[f64x], b"mmssssss", b"m",
    b"grad, x, mean, rstd, scale, weight, mean(grad), mean(grad * normed) -> grad_x")
