# Losses of numbers that have been picked by their class, and the weights of classes. A part of point_losses.pyx.

ctypedef fused number:
    float
    double

cdef struct Weights:
    # of each class, where they stand; NULL where there are none
    const void* at
    Dtype dtype


cdef inline Dtype dtype_of(np.ndarray x) noexcept:
    # of floats
    if np.PyArray_ITEMSIZE(x) == 2:
        return FLOAT16 if np.PyArray_TYPE(x) == NPY_HALF else BFLOAT16
    return FLOAT32 if np.PyArray_ITEMSIZE(x) == 4 else FLOAT64


cdef inline Weights weights_in(np.ndarray weight) noexcept:
    cdef Weights weights = Weights(NULL, dtype_of(weight))
    if np.PyArray_SIZE(weight) > 0:
        weights.at = np.PyArray_DATA(weight)
    return weights


cdef struct Places:
    # where the rows of an array stand: groups of rows side by side, and how many elements lie from one group, from one
    # row of a group and from one class of a row to the next
    Py_ssize_t width
    Py_ssize_t group
    Py_ssize_t row
    Py_ssize_t each


cdef Places places_in(np.ndarray x, int axis):
    # of an array that C has laid out
    cdef Py_ssize_t inner = 1, classes = np.PyArray_DIM(x, axis)
    cdef int k
    for k in range(axis + 1, np.PyArray_NDIM(x)):
        inner *= np.PyArray_DIM(x, k)
    if inner == 1:
        return Places(max(np.PyArray_SIZE(x) // max(classes, 1), <Py_ssize_t>1), 0, classes, 1)
    return Places(inner, classes * inner, 1, inner)


cdef inline Py_ssize_t class_of(int64_t asked) noexcept nogil:
    # the first class where a row is ignored, so that what is read is there
    return asked if asked >= 0 else 0


# Weights of 16 bits are looked up by a call, not in each of the loops: they stay so only beside few rows of 16 bits.
ctypedef double (*weight_function)(Weights weights, Py_ssize_t k) noexcept nogil


cdef double short_weight(Weights weights, Py_ssize_t k) noexcept nogil:
    return number_at(weights.dtype, weights.at, k)


cdef inline double weight_of(Weights weights, Py_ssize_t k, bint shorts) noexcept nogil:
    # where there may be `shorts`
    if weights.dtype == FLOAT32:
        return (<const float*>weights.at)[k]
    if weights.dtype == FLOAT64 or not shorts:
        return (<const double*>weights.at)[k]
    return (<weight_function>called(<void*>short_weight))(weights, k)


cdef inline double weighed_by(double product, Weights weights, Py_ssize_t k, bint shorts) noexcept nogil:
    return product * weight_of(weights, k, shorts) if weights.at != NULL else product


cdef inline void weigh_picked(Dtype dtype, const void* x, Places of, const int64_t* asked, Weights weights,
                              double scale, Dtype to, void* losses, Py_ssize_t rows) noexcept nogil:
    # -scale weight[target] x[target] of every row, 0 where it is ignored
    cdef Py_ssize_t group = 0, first = 0, j, k
    cdef double loss
    while first < rows:
        for j in range(first, first + of.width):
            k, loss = asked[j], 0.0
            if k >= 0:
                loss = weighed_by(-scale * number_at(dtype, x, group + k * of.each + (j - first) * of.row), weights, k,
                                  True)
            if to == FLOAT32:
                (<float*>losses)[j] = <float>loss
            else:
                put_number(to, losses, j, loss)
        first += of.width
        group += of.group


cdef void weigh(Dtype dtype, const void* x, Places of, const int64_t* asked, Weights weights, double scale, Dtype to,
                void* losses, Py_ssize_t rows) noexcept nogil:
    # to float64, or of float32 and bfloat16 to their own dtype
    if dtype == FLOAT64:
        weigh_picked(FLOAT64, x, of, asked, weights, scale, FLOAT64, losses, rows)
    elif dtype == FLOAT16:
        weigh_picked(FLOAT16, x, of, asked, weights, scale, FLOAT64, losses, rows)
    elif dtype == FLOAT32 and to == FLOAT32:
        weigh_picked(FLOAT32, x, of, asked, weights, scale, FLOAT32, losses, rows)
    elif dtype == FLOAT32:
        weigh_picked(FLOAT32, x, of, asked, weights, scale, FLOAT64, losses, rows)
    elif to == BFLOAT16:
        weigh_picked(BFLOAT16, x, of, asked, weights, scale, BFLOAT16, losses, rows)
    else:
        weigh_picked(BFLOAT16, x, of, asked, weights, scale, FLOAT64, losses, rows)


def losses_of(x, np.ndarray target, np.ndarray weight, double scale, int axis, bint picked, bint each):
    """-scale weight[target] x[target] of every row along an axis, 0 where the row is ignored, in float64, or in the
    dtype of `x` where `each` is wanted and that is float32 or bfloat16. Where it is `picked`, `x` is a number for all
    rows, or an array of one for each, of float32 or float64; otherwise None where `x` is not laid out by C. The weight
    is of floats and laid out by C, the target int64, which fits; a weight of nothing stands for ones."""
    cdef Places of
    cdef np.ndarray found
    cdef Py_ssize_t rows = np.PyArray_SIZE(target)
    cdef Dtype dtype = FLOAT64, to = FLOAT64
    cdef double number
    cdef const void* numbers = &number
    if type(x) is float:
        number, of = x, Places(rows, 0, 0, 0)
    elif picked:
        x = np.PyArray_FROMANY(x, np.PyArray_TYPE(x), 0, 0, np.NPY_ARRAY_CARRAY_RO)
        of = Places(rows, 0, 0 if np.PyArray_SIZE(x) == 1 else 1, 0)
    elif not np.PyArray_ISCARRAY_RO(x):
        return None
    else:
        of = places_in(x, axis)
    if type(x) is not float:
        numbers = np.PyArray_DATA(x)
        dtype = dtype_of(x)
        to = dtype if each and dtype != FLOAT16 else FLOAT64
    found = np.PyArray_EMPTY(np.PyArray_NDIM(target), np.PyArray_DIMS(target),
                             np.NPY_DOUBLE if to == FLOAT64 else np.PyArray_TYPE(x), 0)
    weigh(dtype, numbers, of, <const int64_t*>np.PyArray_DATA(target), weights_in(weight), scale, to,
          np.PyArray_DATA(found), rows)
    return found


cdef void put_slopes(number* group, Places of, const double* grad, Py_ssize_t step, const int64_t* asked,
                     Weights weights, double scale, Py_ssize_t left) noexcept nogil:
    # -scale weight[target] grad where the target of a row is; 0 where it is ignored, in the first of its classes
    cdef Py_ssize_t j, k
    cdef double slope
    while left > 0:
        for j in range(of.width):
            k = class_of(asked[j])
            slope = weighed_by(-scale * grad[j * step], weights, k, False)
            group[k * of.each + j * of.row] = <number>(slope if asked[j] >= 0 else 0.0)
        grad += of.width * step
        asked += of.width
        left -= of.width
        group += of.group


cdef void put_values(int16_t* group, Places of, const int16_t* values, Py_ssize_t step, const int64_t* asked,
                     Py_ssize_t left) noexcept nogil:
    # the same of slopes that are there
    cdef Py_ssize_t j
    while left > 0:
        for j in range(of.width):
            group[class_of(asked[j]) * of.each + j * of.row] = values[j * step] if asked[j] >= 0 else 0
        values += of.width * step
        asked += of.width
        left -= of.width
        group += of.group


def slopes_of(np.ndarray y, np.ndarray target, grad, np.ndarray weight, double scale, int axis):
    """Zeros in `y` but where the target picks, along an axis, which gets -scale weight[target] grad. `grad` is a number
    for all rows, or a float64 array of one for each. Where `y` has 16 bits it is a number, without weights, or an array
    of these products, rounded to its dtype; otherwise the weight is of float32 or float64. Arrays are laid out by C,
    and the target is int64 and fits."""
    cdef np.ndarray values
    cdef int16_t slope
    cdef const void* numbers = &slope
    cdef char* to = np.PyArray_BYTES(y)
    cdef const int64_t* asked = <const int64_t*>np.PyArray_DATA(target)
    cdef Places of = places_in(y, axis)
    cdef Weights weights = weights_in(weight)
    cdef Py_ssize_t rows = np.PyArray_SIZE(target), step = 0
    cdef double number
    memset(to, 0, np.PyArray_NBYTES(y))
    if np.PyArray_SIZE(y) == 0:
        return
    if type(grad) is float:
        number = grad
        if np.PyArray_ITEMSIZE(y) == 2:
            put_number(dtype_of(y), &slope, 0, -scale * number)
        else:
            numbers = &number
    else:
        values = np.PyArray_FROMANY(grad, np.PyArray_TYPE(grad), 0, 0, np.NPY_ARRAY_CARRAY_RO)
        numbers, step = np.PyArray_DATA(values), 1
    if np.PyArray_ITEMSIZE(y) == 8:
        put_slopes(<double*>to, of, <const double*>numbers, step, asked, weights, scale, rows)
    elif np.PyArray_ITEMSIZE(y) == 4:
        put_slopes(<float*>to, of, <const double*>numbers, step, asked, weights, scale, rows)
    else:
        put_values(<int16_t*>to, of, <const int16_t*>numbers, step, asked, rows)


cdef void take_weights(Weights weights, const int64_t* classes, Py_ssize_t n, double* of_row,
                       double* most) noexcept nogil:
    # the weight of every row, 0 where it is ignored, and how large one of them is at most
    cdef double size, own = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        size = 0.0
        if classes[i] >= 0:
            size = weight_of(weights, classes[i], True)
        of_row[i] = size
        size = fabs(size)
        own = size if size > own else own
    most[0] = own


cdef double sum_of(const double* values, Py_ssize_t n) noexcept nogil:
    return sum_values(<const f64x*>values, n, 1)


def weighed(np.ndarray target, np.ndarray weight):
    """Of a mean, which divides by the weights that the target picks: the weights and that sum, NaN where none of those
    picked is another number than 0. All weights have been multiplied by a power of two, which does not change the mean,
    where the picked ones are so large or small that their sum or its inverse is beyond the range. `target` is int64,
    the weight of floats, and both are laid out by C."""
    cdef Py_ssize_t i, n = np.PyArray_SIZE(target)
    cdef np.ndarray found = np.PyArray_EMPTY(1, [n], np.NPY_DOUBLE, 0), scaled
    cdef double* of_row = <double*>np.PyArray_DATA(found)
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Weights weights = weights_in(weight)
    cdef double most = 0.0, sum
    cdef int exponent
    cdef Dtype to
    if np.PyArray_SIZE(weight) == 0:  # so that every row is ignored
        memset(of_row, 0, n * sizeof(double))
    else:
        take_weights(weights, classes, n, of_row, &most)
    if 2.0**-64 <= most < 2.0**64 or most == 0.0 or most == INFINITY:
        sum = sum_of(of_row, n)
        return weight, sum if sum != 0.0 or most != 0.0 else sum / most  # 0 / 0, whose NaN has the processor's sign
    frexp(most, &exponent)
    to = FLOAT64 if weights.dtype == FLOAT64 else FLOAT32
    scaled = np.PyArray_EMPTY(1, np.PyArray_DIMS(weight), np.NPY_DOUBLE if to == FLOAT64 else np.NPY_FLOAT, 0)
    for i in range(np.PyArray_SIZE(scaled)):
        put_number(to, np.PyArray_DATA(scaled), i, ldexp(weight_of(weights, i, True), -exponent))
    return weighed(target, scaled)


def count_of(np.ndarray target):
    """How many rows are not ignored, as a float. `target` is int64 and laid out by C."""
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Py_ssize_t i, count = 0
    for i in range(np.PyArray_SIZE(target)):
        count += classes[i] >= 0
    return <double>count
