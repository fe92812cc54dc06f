# Examples as rows of all channels: their sums, and their maps. A part of batch_norm.pyx.
#
# Rows are taken some at a time, register by register of channels, so that what is known of a channel and its sums is
# loaded once for all of them.

# The terms of two sums, and the maps. Terms of float64 are added times 1, or with a product, since the pipes that only
# add are busier than those that multiply.

cdef inline void add_deviation(const real* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                               f64x* sums) noexcept nogil:
    cdef f64x x = wide(<const real*>one.x, i, n) - wide(<const real*>one.known.of[MEAN], i, n)
    sums[0] = add_product_f64(x, splat_f64(1.0), sums[0])
    sums[1] = fma(x, x, sums[1]) if real is f64x else sums[1] + x * x


cdef inline void add_gradient(const real* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                              f64x* sums) noexcept nogil:
    # grad and grad * normed
    cdef f64x grad = wide(<const real*>one.grad, i, n)
    cdef f64x x = wide(<const real*>one.x, i, n) - wide(<const real*>one.known.of[MEAN], i, n)
    x = x - wide(<const real*>one.known.of[MEAN_REST], i, n)
    sums[0] = add_product_f64(grad, splat_f64(1.0), sums[0])
    x = x * wide(<const real*>one.known.of[RSTD], i, n)
    sums[1] = fma(grad, x, sums[1]) if real is f64x else sums[1] + grad * x


cdef inline real known(const real* like, const Example* one, int what, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return take(<const real*>one.known.of[what], i, n)


cdef inline real centred_x(const real* like, const Example* one, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take_of(one.dtype, <const real*>one.x, i, n) - known(like, one, MEAN, i, n)
    return x - known(like, one, MEAN_REST, i, n)


cdef inline void fold_deviation(const f32x* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                                f32x* sums) noexcept nogil:
    cdef f32x x = take_of(one.dtype, <const f32x*>one.x, i, n) - known(like, one, MEAN, i, n)
    sums[0] = sums[0] + x
    sums[1] = fma(x, x, sums[1])


cdef inline void fold_gradient(const f32x* like, const Example* one, Py_ssize_t i, Py_ssize_t n,
                               f32x* sums) noexcept nogil:
    cdef f32x grad = take_of(one.dtype, <const f32x*>one.grad, i, n), x = centred_x(like, one, i, n)
    sums[0] = sums[0] + grad
    sums[1] = fma(grad, x * known(like, one, RSTD, i, n), sums[1])


cdef inline real column_affine(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (x - mean) * rstd * weight + bias
    cdef const Example* one = <const Example*>context
    cdef real x = centred_x(like, one, i, n)
    return fma(x * known(like, one, RSTD, i, n), known(like, one, WEIGHT, i, n), known(like, one, BIAS, i, n))


cdef inline real column_slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # (grad - grad_mean - normed * grad_normed_mean) * rstd * weight
    cdef const Example* one = <const Example*>context
    cdef real x = centred_x(like, one, i, n)
    cdef real grad = take_of(one.dtype, <const real*>one.grad, i, n) - known(like, one, GRAD_MEAN, i, n)
    cdef real rstd = known(like, one, RSTD, i, n)
    grad = fma(-(x * rstd), known(like, one, GRAD_NORMED_MEAN, i, n), grad)
    return grad * rstd * known(like, one, WEIGHT, i, n)


# Blocks.

cdef inline void scale_row(const real* like, const Problem* problem, void* x) noexcept nogil:
    # in its tile, by the channels' scales if there are any
    cdef Py_ssize_t i
    for i in range(problem.channels if problem.scale != NULL else 0):
        if real is f32x:
            (<float*>x)[i] *= (<const float*>problem.scale)[i]
        else:
            (<double*>x)[i] *= (<const double*>problem.scale)[i]


cdef inline Py_ssize_t step_of(Operands* p, Py_ssize_t rows, int k) noexcept nogil:
    return <char*>p[1][k] - <char*>p[0][k] if rows > 1 else 0


cdef inline Block block_of(const real* like, Operands* p, Py_ssize_t rows) noexcept nogil:
    # x, grad, block, y: the block, or these rows where it has none
    cdef Block block = (<const Block*>p[0][2])[0]
    cdef Py_ssize_t r
    if block.rows == 0:
        block.x, block.grad, block.y, block.rows = <char*>p[0][0], <char*>p[0][1], <char*>p[0][3], rows
        block.x_step, block.grad_step, block.y_step = step_of(p, rows, 0), step_of(p, rows, 1), step_of(p, rows, 3)
        for r in range(rows):
            scale_row(like, block.problem, p[r][0])
    return block


cdef inline void point_to(const Block* block, Py_ssize_t r, Example* one) noexcept nogil:
    one.x, one.grad = block.x + r * block.x_step, block.grad + r * block.grad_step


# Sums.

cdef inline void put_lanes(double* y, Py_ssize_t n, f64x x) noexcept nogil:
    if n == F64_LANES:
        store_f64(y, x)
    else:
        store_part_f64(y, x, n)


cdef inline void add_part(
        void (*add)(const real*, const Example*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        const Block* block, Example* one, Py_ssize_t start, Py_ssize_t stop, bint begun, double* own,
        double* totals, Py_ssize_t channels, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    # Of the channels i to i + n, of the rows start to stop, to their own sums, of float64 by GROUP rows; or, where
    # `totals` are given, these to the totals, behind which their rounding errors are.
    cdef f64x sums[2]
    cdef f64x terms[2]
    cdef f64x lost
    cdef Py_ssize_t r
    cdef int k
    sums[0] = sums[1] = splat_f64(0.0)
    if begun:
        sums[0], sums[1] = wide(<const f64x*>own, i, n), wide(<const f64x*>own, channels + i, n)
    while real is f64x and start < stop:
        terms[0] = terms[1] = splat_f64(0.0)
        if start + GROUP <= stop:
            for k in range(GROUP):
                point_to(block, start + k, one)
                add(like, one, i, n, terms)
        else:
            for r in range(start, stop):
                point_to(block, r, one)
                add(like, one, i, n, terms)
        sums[0], sums[1] = sums[0] + terms[0], sums[1] + terms[1]
        start += GROUP
    for r in range(start, stop):
        point_to(block, r, one)
        add(like, one, i, n, sums)
    if totals == NULL:
        put_lanes(own + i, n, sums[0])
        put_lanes(own + channels + i, n, sums[1])
        return
    for k in range(2):
        sums[k] = two_sum(wide(<const f64x*>totals, i, n), sums[k], &lost)
        put_lanes(totals + i, n, sums[k])
        lost = lost + wide(<const f64x*>totals, 2 * channels + i, n)
        put_lanes(totals + 2 * channels + i, n, lost)
        if begun:
            put_lanes(own + i, n, splat_f64(0.0))
        totals, own = totals + channels, own + channels


cdef inline Py_ssize_t lanes_in(int half, Py_ssize_t n) noexcept nogil:
    # how many of n numbers are in a half of a register
    return max(<Py_ssize_t>0, min(n - half * F64_LANES, <Py_ssize_t>F64_LANES))


cdef inline void fold_part(
        void (*fold)(const f32x*, const Example*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, const Block* block,
        Example* one, Py_ssize_t start, Py_ssize_t stop, double* first, double* second, Py_ssize_t i,
        Py_ssize_t n) noexcept nogil:
    # the same, where GROUP rows are added in float32
    cdef f64x sums[2 * HALVES]
    cdef f32x own[2]
    cdef double* at[2]
    cdef Py_ssize_t group, r, part
    cdef int k, half
    at[0], at[1] = first + i, second + i
    for k in range(2):
        for half in range(HALVES):
            sums[k * HALVES + half] = wide(<const f64x*>at[k], half * F64_LANES, lanes_in(half, n))
    while start < stop:
        own[0] = own[1] = splat_f32(0.0)
        group = min(stop - start, <Py_ssize_t>GROUP)
        if group == GROUP and n == F32_LANES:  # which the compiler then knows; what has fewer lanes is seldom
            for r in range(GROUP):
                point_to(block, start + r, one)
                fold(NULL, one, i, n, own)
        else:
            for r in range(any_count(group)):
                point_to(block, start + r, one)
                fold(NULL, one, i, n, own)
        add_widened(own[0], sums, False)
        add_widened(own[1], sums + HALVES, False)
        start += GROUP
    for k in range(2):
        for half in range(HALVES):
            part = lanes_in(half, n)
            if part == F64_LANES:
                store_f64(at[k] + half * F64_LANES, sums[k * HALVES + half])
            else:
                store_part_f64(at[k] + half * F64_LANES, sums[k * HALVES + half], part)


cdef inline void fold_rows(
        void (*fold)(const f32x*, const Example*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil, Dtype dtype,
        const Block* block, Example one, double* first, double* second, Py_ssize_t channels) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, i
    one.dtype = dtype
    while start < block.rows:
        stop, i = min(start + TILE, block.rows), 0
        while i + F32_LANES <= channels:
            fold_part(fold, block, &one, start, stop, first, second, i, F32_LANES)
            i += F32_LANES
        if i < channels:  # fewer than all lanes, as the compiler sees by the minimum
            fold_part(fold, block, &one, start, stop, first, second, i, min(channels - i, <Py_ssize_t>F32_LANES - 1))
        start = stop


cdef inline void add_rows(
        void (*fold)(const f32x*, const Example*, Py_ssize_t, Py_ssize_t, f32x*) noexcept nogil,
        void (*add)(const real*, const Example*, Py_ssize_t, Py_ssize_t, f64x*) noexcept nogil, const real* like,
        Operands* p, Py_ssize_t rows, Py_ssize_t channels) noexcept nogil:
    # x, grad, block -> two sums
    cdef double* first = <double*>p[0][3]
    cdef double* second = <double*>p[0][4]
    cdef double* own = first
    cdef double* totals
    cdef Block block = block_of(like, p, rows)
    cdef const Problem* problem = block.problem
    cdef Example one
    cdef Py_ssize_t start = 0, stop, i, taken = 0
    cdef bint begun = True, standing = (<const Block*>p[0][2]).rows > 0
    one.known = problem.known
    if real is f32x and problem.folded:
        if problem.dtype == BFLOAT16:
            fold_rows(fold, BFLOAT16, &block, one, first, second, channels)
        elif problem.dtype == FLOAT16:
            fold_rows(fold, FLOAT16, &block, one, first, second, channels)
        else:
            fold_rows(fold, FLOAT32, &block, one, first, second, channels)
        return
    if real is f64x and not standing:  # the rows of a tile come by several calls
        own = first + 4 * channels
        taken = <Py_ssize_t>own[2 * channels]
    while start < block.rows:
        stop, i = min(start + TILE - taken, block.rows), 0
        if real is f64x:
            begun = taken > 0
        taken = (taken + stop - start) % TILE
        totals = first if real is f64x and (taken == 0 or standing) else NULL
        while i + F64_LANES <= channels:
            add_part(add, like, &block, &one, start, stop, begun, own, totals, channels, i, F64_LANES)
            i += F64_LANES
        if i < channels:
            add_part(add, like, &block, &one, start, stop, begun, own, totals, channels, i,
                     min(channels - i, <Py_ssize_t>F64_LANES - 1))
        start = stop
    if real is f64x and not standing:
        own[2 * channels] = taken


cdef void deviations_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                            int manner) noexcept nogil:
    add_rows(fold_deviation, add_deviation[real], like, p, rows, n)


cdef void gradients_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                           int manner) noexcept nogil:
    add_rows(fold_gradient, add_gradient[real], like, p, rows, n)


# Maps. A unit is what is written at a time: a register, or two of them as 16-bit elements. What is known of its
# channels is held in registers for a tile of rows.

cdef inline Py_ssize_t unit_of(Dtype dtype, const real* like) noexcept nogil:
    return lanes(like) * (2 if is_short(dtype) else 1)


cdef inline void hold(const real* like, const Problem* problem, Dtype dtype, Py_ssize_t i, Example* one,
                      real* held) noexcept nogil:
    cdef int k
    for k in range(MOST_VECTORS):
        held[2 * k] = load(skip(<const real*>problem.known.of[k], i))
        if is_short(dtype):
            held[2 * k + 1] = load(skip(<const real*>problem.known.of[k], i + lanes(like)))
        one.known.of[k] = held + 2 * k


cdef inline void map_unit(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const real* like, const Block* block, Example* one, Py_ssize_t r, Py_ssize_t i,
                          real* values) noexcept nogil:
    # of the channels that are held, from the i-th on
    one.x = block.x + r * block.x_step + i * size_of(one.dtype)
    one.grad = block.grad + r * block.grad_step + i * size_of(one.dtype)
    values[0] = point(NULL, one, 0, lanes(like))
    if is_short(one.dtype):
        values[1] = point(NULL, one, lanes(like), lanes(like))


cdef inline void put_unit(const Block* block, Dtype dtype, Py_ssize_t r, Py_ssize_t i, const real* values,
                          bint streamed) noexcept nogil:
    cdef char* y = block.y + r * block.y_step
    if real is f32x:
        if is_short(dtype):
            store_short_pair(dtype, <uint16_t*>y + i, values[0], values[1])
            return
    if streamed:
        stream(<real*>skip(<const real*>y, i), values[0])
    else:
        store(<real*>skip(<const real*>y, i), values[0])


cdef inline void map_few(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                         const real* like, const Block* block, Dtype dtype, Py_ssize_t n) noexcept nogil:
    # less than a unit of channels
    cdef Example one
    cdef Py_ssize_t r
    one.known, one.dtype = block.problem.known, dtype
    for r in range(block.rows if n > 0 else 0):
        point_to(block, r, &one)
        if real is f32x and is_short(dtype):
            map_shorts(dtype, point, <uint16_t*>(block.y + r * block.y_step), &one, 0, n)
        else:
            store_part(<real*>(block.y + r * block.y_step), point(NULL, &one, 0, n), n)


cdef inline void map_tile(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const real* like, const Block* block, Dtype dtype, Py_ssize_t start, Py_ssize_t stop,
                          Py_ssize_t n, bint streamed) noexcept nogil:
    # The rows start to stop, from a register's boundary on where all have it at one place. The ends are whole units,
    # which overlap with others: they are computed first, since y may be where x is, and written last.
    cdef Py_ssize_t unit = unit_of(dtype, like), i = 0, r
    cdef Py_ssize_t at[2]
    cdef real edges[4 * TILE]
    cdef real held[2 * MOST_VECTORS]
    cdef real values[2]
    cdef Example one
    cdef int k
    one.dtype = dtype
    if not is_short(dtype) and block.y_step % <Py_ssize_t>sizeof(real) == 0:
        i = head(<const real*>block.y, n)
    at[0], at[1] = 0 if i else -1, n - unit if (n - i) % unit else -1
    for k in range(any_count(2)):
        if at[k] >= 0:
            hold(like, block.problem, dtype, at[k], &one, held)
            for r in range(start, stop):
                map_unit(point, like, block, &one, r, at[k], edges + 2 * (k * TILE + r - start))
    streamed = streamed and (<uintptr_t>block.y + i * size_of(dtype)) % sizeof(real) == 0 and (
        block.y_step % <Py_ssize_t>sizeof(real) == 0 and (
            ends_lines(<Py_ssize_t>block.y | block.y_step, n * size_of(dtype))))
    while i + unit <= n:
        hold(like, block.problem, dtype, i, &one, held)
        for r in range(start, stop):
            map_unit(point, like, block, &one, r, i, values)
            put_unit(block, dtype, r, i, values, streamed)
        i += unit
    for k in range(any_count(2)):
        for r in range(start, stop if at[k] >= 0 else start):
            put_unit(block, dtype, r, at[k], edges + 2 * (k * TILE + r - start), False)


cdef Py_ssize_t rows_apart(Py_ssize_t step) noexcept nogil:
    # How many rows a tile has. A load waits for a recent store whose address differs from its own by whole pages.
    cdef Py_ssize_t rows = 1
    while rows < any_count(TILE) and LINE <= rows * step % PAGE <= PAGE - LINE:
        rows += 1
    return rows


cdef inline void map_block_of(Dtype dtype,
                              real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                              const real* like, const Block* block, Py_ssize_t n, bint streamed) noexcept nogil:
    cdef Py_ssize_t start = 0, stop, together = rows_apart(block.y_step)
    if n < unit_of(dtype, like):
        map_few(point, like, block, dtype, n)
        return
    while start < block.rows:
        stop = min(start + together, block.rows)
        map_tile(point, like, block, dtype, start, stop, n, streamed)
        start = stop


cdef inline void map_rows(real (*point)(const real*, const void*, Py_ssize_t, Py_ssize_t) noexcept nogil,
                          const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int manner) noexcept nogil:
    # x, grad, block -> y
    cdef Block block = block_of(like, p, rows)
    cdef bint streamed = manner & STREAMED
    if real is f32x:
        if block.problem.dtype == BFLOAT16:
            map_block_of(BFLOAT16, point, like, &block, n, False)
        elif block.problem.dtype == FLOAT16:
            map_block_of(FLOAT16, point, like, &block, n, False)
        else:
            map_block_of(FLOAT32, point, like, &block, n, streamed)
    else:
        map_block_of(FLOAT64, point, like, &block, n, streamed)


cdef void affine_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                      int manner) noexcept nogil:
    map_rows(column_affine[real], like, p, rows, n, manner)


cdef void slope_rows(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                     int manner) noexcept nogil:
    map_rows(column_slope[real], like, p, rows, n, manner)
