# Batch norm of plain arrays: C-contiguous, of any dtype that it computes, and vectors of any of these. Everything
# between the checks and the results is done in one call, because in small shapes it costs more than the sums. A part of
# batch_norm.pyx. What is anything else, and what is in error, gives None, and channel_norms.py goes its longer way: the
# bits are the same.

cdef enum:
    NUMBERS = 8  # vectors of float64 that a call keeps of its channels
    # A short segment is mapped as columns: each example is one row, and a channel's numbers are repeated for each of
    # its elements. That pays up to so many elements of a segment, and from so many examples on; but where these stand
    # nearly whole pages apart, so that a tile has few rows (of 16 bits: one), only for what is shorter than a line. So
    # many columns are taken at a time that what is known of them stays in the second-level cache.
    MOST_REPEATED = 256
    MOST_COLUMNS = 8192
    FEWEST_EXAMPLES = 8

# what functions without Python objects call, of all dtypes
cdef const Operation* column_moments = operations_of(column_moments_gufunc)
cdef const Operation* column_sums = operations_of(column_sums_gufunc)
cdef const Operation* column_affines = operations_of(column_affine_gufunc)
cdef const Operation* column_slopes = operations_of(column_slope_gufunc)
cdef int bfloat16 = bfloat16_number() or NPY_HALF  # NumPy's number of its type, where there is one

cdef struct Layout:
    # how x lies in memory, and the operations of its dtype
    Dtype dtype
    Py_ssize_t width
    Py_ssize_t batch
    Py_ssize_t channels
    Py_ssize_t size
    bint columns  # whether segments are single elements, whose sums go by columns
    const Operation* statistics  # by columns: the moments, or the sums of gradients
    const Operation* mapped
    const Operation* mapped_columns


cdef const Operation* of_dtype(const Operation* operation, Dtype dtype) noexcept nogil:
    while operation.dtype != dtype:
        operation += 1
    return operation


cdef const Operation* for_dtype(object gufunc, Dtype dtype):
    return of_dtype(operations_of(gufunc), dtype)


cdef bint is_plain(object values):
    # whether it is an array of floats as C lays them out
    return np.PyArray_CheckExact(values) and np.PyArray_ISCARRAY_RO(<np.ndarray>values) and (
        np.PyArray_TYPE(<np.ndarray>values) in (np.NPY_FLOAT, np.NPY_DOUBLE, NPY_HALF, bfloat16))


cdef Dtype dtype_of(object values):
    # of such an array
    cdef int number = np.PyArray_TYPE(<np.ndarray>values)
    return FLOAT32 if number == np.NPY_FLOAT else FLOAT64 if number == np.NPY_DOUBLE else (
        FLOAT16 if number == NPY_HALF else BFLOAT16)


cdef bint describe(Layout* layout, object x, object statistics, object mapped, object mapped_columns):
    # whether x is plain and of something
    cdef int k
    if not is_plain(x) or np.PyArray_NDIM(<np.ndarray>x) < 2 or np.PyArray_SIZE(x) == 0:
        return False
    layout.dtype = dtype_of(x)
    layout.width = size_of(layout.dtype)
    layout.batch, layout.channels, layout.size = np.PyArray_DIM(x, 0), np.PyArray_DIM(x, 1), 1
    for k in range(2, np.PyArray_NDIM(<np.ndarray>x)):
        layout.size *= np.PyArray_DIM(x, k)
    layout.columns = layout.size == 1
    layout.statistics = for_dtype(statistics, layout.dtype)
    layout.mapped, layout.mapped_columns = for_dtype(mapped, layout.dtype), for_dtype(mapped_columns, layout.dtype)
    return True


cdef bint is_vector(object values, const Layout* layout):
    # whether it is a plain vector with a number for each channel
    return is_plain(values) and np.PyArray_NDIM(<np.ndarray>values) == 1 and (
        np.PyArray_DIM(values, 0) == layout.channels)


cdef inline double number_at(const void* data, bint doubles, Py_ssize_t i) noexcept nogil:
    # of an array of float64, or of float32
    return element(<const f64x*>data, i) if doubles else element(<const f32x*>data, i)


cdef inline void put_number(void* data, bint doubles, Py_ssize_t i, double value) noexcept nogil:
    if doubles:
        put_element(<f64x*>data, i, value)
    else:
        put_element(<f32x*>data, i, value)


cdef bint has_doubles(object values):
    return np.PyArray_TYPE(<np.ndarray>values) == np.NPY_DOUBLE


cdef void take_vector(double* numbers, object values, double default, const Layout* layout):
    if values is None:
        fill_numbers(numbers, default, layout.channels)
    else:
        widen_numbers(dtype_of(values), numbers, np.PyArray_BYTES(<np.ndarray>values), layout.channels)


cdef object place_for(object out, object x):
    # where results go: `out`, or new memory; None where `out` is not plain
    if out is None:
        return np.PyArray_EMPTY(np.PyArray_NDIM(<np.ndarray>x), np.PyArray_DIMS(<np.ndarray>x),
                                np.PyArray_TYPE(<np.ndarray>x), 0)
    return out if is_like(out, x) and np.PyArray_ISWRITEABLE(<np.ndarray>out) and takes_place(out, x) else None


cdef bint over_examples(const Layout* layout, const Operation* operation, char** args) noexcept nogil:
    # whether there was memory for an operation on all of x. Of segments, each example gives numbers of its own.
    cdef np.npy_intp dims[3]
    cdef np.npy_intp steps[3 * MAX_ROW_OPERANDS]
    cdef char* own[MAX_ROW_OPERANDS]
    cdef Py_ssize_t example, row = layout.size * layout.width
    cdef int k, within = operation.operands
    cdef bint by_columns = operation.kinds[0] == c'm'
    for k in range(operation.operands):
        steps[k] = 0
        if operation.kinds[k] == c'm':
            steps[within], steps[within + 1] = layout.channels * layout.width, layout.width
            within += 2
        elif by_columns and operation.kinds[k] == c's':
            steps[within] = sizeof(double)
            within += 1
        elif operation.kinds[k] == c'r':
            steps[k], steps[within] = row, layout.width
            within += 1
        else:
            steps[k] = sizeof(double)
    if by_columns:
        dims[0], dims[1], dims[2] = 1, layout.batch, layout.channels
        return (<loop_function>operation.loop)(operation, args, dims, steps)
    for example in range(layout.batch):
        for k in range(operation.operands):
            own[k] = args[k]
            if operation.kinds[k] == c'r' or k >= operation.n_in:
                own[k] += example * layout.channels * steps[k]
        dims[0], dims[1] = layout.channels, layout.size
        if not (<loop_function>operation.loop)(operation, own, dims, steps):
            return False
    return True


cdef bint map_repeated(const Layout* layout, char** args) noexcept nogil:
    # whether there was memory for the map of short segments as columns, some channels at a time
    cdef const Operation* operation = layout.mapped_columns
    cdef Py_ssize_t together = max(1, MOST_COLUMNS // layout.size), step = layout.width * layout.size, c = 0, count
    cdef char* own[MAX_ROW_OPERANDS]
    cdef np.npy_intp steps[2 * MAX_ROW_OPERANDS]
    cdef int k, within
    cdef bint done = True
    while c < layout.channels and done:
        count, within = min(together, layout.channels - c), 0
        for k in range(operation.operands):
            own[k] = args[k] + c * (step if operation.kinds[k] == c'm' else <Py_ssize_t>sizeof(double))
            steps[within] = sizeof(double)
            if operation.kinds[k] == c'm':
                steps[within], steps[within + 1] = layout.channels * step, layout.width
                within += 1
            within += 1
        done = columns_of(operation, own, layout.batch, count * layout.size, steps, layout.size)
        c += count
    return done


cdef bint map_examples(const Layout* layout, char** args, const double* scale) noexcept nogil:
    # Whether there was memory for the map of all of x. Short segments are mapped as columns, but only where all scales
    # are 1: a product with another scale may be rounded otherwise by columns than by segments.
    cdef Py_ssize_t c, segment = layout.size * layout.width
    cdef bint rescued = False
    if layout.columns:
        return over_examples(layout, layout.mapped_columns, args)
    for c in range(layout.channels):
        rescued = rescued or scale[c] != 1.0
    if not rescued and layout.batch >= FEWEST_EXAMPLES and layout.size <= MOST_REPEATED and (
            segment < LINE or rows_apart(layout.channels * segment) >= (2 if is_short(layout.dtype) else TILE)):
        return map_repeated(layout, args)
    if rescued or not (is_short(layout.dtype) or layout.size <= BLOCK):
        return over_examples(layout, layout.mapped, args)
    map_segments(layout.dtype, layout.mapped.n_in > 6, args, layout.batch, layout.channels, layout.size,
                 thread_count[0])
    return True


cdef int no_memory_for_rows(str name, const Layout* layout) except -1:
    cdef Py_ssize_t n = layout.channels if layout.columns else layout.size
    no_memory(name, f"copies of rows of {n} elements", n * (8 if layout.dtype == FLOAT64 else 4))


cdef double* memory_of(const Layout* layout) except NULL:
    # for vectors of the channels
    cdef Py_ssize_t size = sizeof(double) * layout.channels * NUMBERS
    cdef double* memory = <double*>malloc(size)
    if memory == NULL:
        no_memory("batch_norm", "the statistics of channels", size)
    return memory


cdef inline double blend(double kept, double batch, double momentum, double factor) noexcept nogil:
    return (1.0 - momentum) * kept + momentum * (batch * factor)


cdef void put_blended(object running, const double* batch, double momentum, double factor, const Layout* layout):
    # running statistics of either precision after a batch
    cdef Py_ssize_t c
    cdef char* data
    cdef bint doubles
    if running is None:
        return
    data, doubles = np.PyArray_BYTES(<np.ndarray>running), has_doubles(running)
    for c in range(layout.channels):
        put_number(data, doubles, c, blend(number_at(data, doubles, c), batch[c], momentum, factor))


cdef bint can_be_updated(object running, const Layout* layout, object out):
    return running is None or (
        is_vector(running, layout) and not is_short(dtype_of(running)) and np.PyArray_ISWRITEABLE(<np.ndarray>running)
        and not meet(running, out))


def forward_at_once(x, running_mean, running_var, weight, bias, bint training, momentum, eps, out):
    """batch_norm of plain arrays: the result, mean and rstd. None of anything else, and where channels have a scale."""
    cdef Layout layout
    cdef object y, mean, rstd
    cdef double* numbers
    cdef double* n[6]
    cdef char* args[7]
    cdef double added, share, factor
    cdef Py_ssize_t c, count
    cdef bint done = True, rescued = False
    if type(momentum) is not float or type(eps) is not float or (
            not describe(&layout, x, column_moments_gufunc, affine_gufunc, column_affine_gufunc)):
        return None
    share, added, count = momentum, eps, layout.batch * layout.size
    if not (0.0 <= share <= 1.0 and 0.0 <= added < INFINITY) or not (weight is None or is_vector(weight, &layout)) or (
            not (bias is None or is_vector(bias, &layout))):
        return None
    y = place_for(out, x)
    if y is None:
        return None
    if training:
        if count == 1 or not can_be_updated(running_mean, &layout, y) or (
                not can_be_updated(running_var, &layout, y)) or meet(running_mean, running_var):
            return None
    elif running_mean is None or running_var is None or not is_vector(running_mean, &layout) or (
            not is_vector(running_var, &layout)):
        return None
    mean = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, np.NPY_DOUBLE, 0)
    rstd = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, np.NPY_DOUBLE, 0)
    numbers = memory_of(&layout)
    for c in range(6):  # mean, rstd, scale, weight, bias, variance
        n[c] = numbers + c * layout.channels
    take_vector(n[2], None, 1.0, &layout)
    take_vector(n[3], weight, 1.0, &layout)
    take_vector(n[4], bias, 0.0, &layout)
    args[0] = np.PyArray_BYTES(<np.ndarray>x)
    if training:
        args[1], args[2], args[3] = <char*>n[2], <char*>n[0], <char*>n[5]
        with nogil:
            if layout.columns:
                done = over_examples(&layout, layout.statistics, args)
            else:
                sums_of_plain(layout.dtype, NULL, args[0], NULL, NULL, n[2], n[0], n[5], layout.batch,
                              layout.channels, layout.size, thread_count[0])
    else:
        take_vector(n[0], running_mean, 0.0, &layout)
        take_vector(n[5], running_var, 0.0, &layout)
    for c in range(layout.channels if done else 0):
        if training and layout.dtype == FLOAT64 and scale_of(n[0][c], n[5][c], added) != 1.0:
            rescued = True
            break
        n[1][c] = rstd_from(n[5][c], 1.0, added)
        (<double*>np.PyArray_DATA(mean))[c], (<double*>np.PyArray_DATA(rstd))[c] = n[0][c], n[1][c]
        n[2][c] = 1.0
        settle_in(layout.dtype == FLOAT64, n[0] + c, n[1] + c, n[2] + c)
    if done and not rescued:
        for c in range(5):
            args[1 + c] = <char*>n[c]
        args[6] = np.PyArray_BYTES(<np.ndarray>y)
        with nogil:
            done = map_examples(&layout, args, n[2])
    if done and training and not rescued:
        factor = count / <double>max(count - 1, <Py_ssize_t>1)
        put_blended(running_mean, <const double*>np.PyArray_DATA(mean), share, 1.0, &layout)
        put_blended(running_var, n[5], share, factor, &layout)
    free(numbers)
    if not done:
        no_memory_for_rows("batch_norm", &layout)
    return None if rescued else (y, mean, rstd)


cdef void set_inference(double** n, Py_ssize_t channels) noexcept nogil:
    # Numbers of channels, by which affine makes of a gradient that of x: grad * rstd * weight. No mean is subtracted,
    # unless it is none, which makes the results NaN; and a bias of -0 changes no product, be it 0. A weight takes up
    # the scale, unless their product may be beyond float32.
    cdef double product
    cdef Py_ssize_t c
    for c in range(channels):
        product = n[3][c] * n[2][c]
        if n[3][c] == 0.0 or 1e-30 < fabs(product) < 1e30:
            n[3][c], n[2][c] = product, 1.0
        n[0][c], n[6][c] = n[0][c] - n[0][c], -0.0


cdef int set_slopes(bint training, char** args, double** n, Py_ssize_t channels, void* grad_x) noexcept nogil:
    # the operands that the gradient of x is made of, after grad and, in training, x; where the result stands in them
    cdef int k
    if training:
        args[5], args[6], args[7], args[8] = <char*>n[3], <char*>n[6], <char*>n[7], <char*>grad_x
        return 8
    set_inference(n, channels)
    for k in range(4):
        args[1 + k] = <char*>n[k]
    args[5], args[6] = <char*>n[6], <char*>grad_x
    return 6


def backward_at_once(grad, x, weight, mean, rstd, bint training, out):
    """batch_norm_backward of plain arrays: gradients of x, weight and bias. None of anything else."""
    cdef Layout layout
    cdef object grad_x, grad_weight, grad_bias
    cdef double* numbers
    cdef double* n[NUMBERS]
    cdef void* sums[2]
    cdef double count
    cdef char* args[9]
    cdef Py_ssize_t c
    cdef int of_weight
    cdef bint done = True
    if not describe(&layout, x, column_sums_gufunc, slope_gufunc if training else affine_gufunc,
                    column_slope_gufunc if training else column_affine_gufunc) or (
            not is_like(grad, x)) or (not is_vector(mean, &layout) or not is_vector(rstd, &layout)) or (
            not (weight is None or is_vector(weight, &layout))):
        return None
    grad_x = place_for(out, x)
    if grad_x is None or not takes_place(grad_x, grad):
        return None
    count = layout.batch * layout.size if training else INFINITY
    of_weight = np.NPY_DOUBLE if layout.dtype == FLOAT64 else np.NPY_FLOAT
    grad_weight = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, of_weight, 0)
    grad_bias = np.PyArray_EMPTY(1, np.PyArray_DIMS(x) + 1, of_weight, 0)
    sums[0], sums[1] = np.PyArray_DATA(grad_bias), np.PyArray_DATA(grad_weight)
    numbers = memory_of(&layout)
    for c in range(NUMBERS):  # mean, rstd, scale, weight, the sums of grad and of grad * normed, and their averages
        n[c] = numbers + c * layout.channels
    take_vector(n[0], mean, 0.0, &layout)
    take_vector(n[1], rstd, 0.0, &layout)
    take_vector(n[2], None, 1.0, &layout)
    take_vector(n[3], weight, 1.0, &layout)
    for c in range(layout.channels):
        settle_in(layout.dtype == FLOAT64, n[0] + c, n[1] + c, n[2] + c)
    args[0], args[1] = np.PyArray_BYTES(<np.ndarray>grad), np.PyArray_BYTES(<np.ndarray>x)
    args[2], args[3], args[4], args[5], args[6] = <char*>n[0], <char*>n[1], <char*>n[2], <char*>n[4], <char*>n[5]
    with nogil:
        if layout.columns:
            done = over_examples(&layout, layout.statistics, args)
        else:
            sums_of_plain(layout.dtype, args[0], args[1], n[0], n[1], n[2], n[4], n[5], layout.batch, layout.channels,
                          layout.size, thread_count[0])
        average_numbers(n[6], n[4], count, layout.channels)
        average_numbers(n[7], n[5], count, layout.channels)
        set_slopes(training, args, n, layout.channels, np.PyArray_DATA(<np.ndarray>grad_x))
        done = done and map_examples(&layout, args, n[2])
    if done:
        narrow_numbers(layout.dtype == FLOAT64, sums[0], n[4], layout.channels)
        narrow_numbers(layout.dtype == FLOAT64, sums[1], n[5], layout.channels)
    free(numbers)
    if not done:
        no_memory_for_rows("batch_norm_backward", &layout)
    return grad_x, grad_weight, grad_bias
