# Losses of numbers that have been picked by their class, and the weights of classes. A part of point_losses.pyx.

ctypedef fused number:
    float
    double


cdef struct Weights:
    # of each class, of either precision; NULL of both where there are none
    const float* narrow
    const double* wide


cdef inline double weight_of(Weights weights, Py_ssize_t i) noexcept nogil:
    return weights.narrow[i] if weights.narrow != NULL else weights.wide[i] if weights.wide != NULL else 1.0


cdef inline Weights weights_in(np.ndarray weight) noexcept:
    if np.PyArray_SIZE(weight) == 0:
        return Weights(NULL, NULL)
    if np.PyArray_TYPE(weight) == np.NPY_FLOAT:
        return Weights(<const float*>np.PyArray_DATA(weight), NULL)
    return Weights(NULL, <const double*>np.PyArray_DATA(weight))


cdef void weigh_picked(number like, const void* x, np.ndarray target, Weights weights, double scale, double* losses,
                       Py_ssize_t classes, Py_ssize_t inner, Py_ssize_t step) noexcept:
    # -scale weight[target] x[target] of every row, 0 where it is ignored: of rows beside one another, `inner` of them,
    # whose classes are `step` elements apart
    cdef const number* row = <const number*>x
    cdef const int64_t* asked = <const int64_t*>np.PyArray_DATA(target)
    cdef Py_ssize_t i = 0, j, count = np.PyArray_SIZE(target)
    while i < count:
        for j in range(inner):
            losses[i] = 0.0
            if asked[i] >= 0:
                losses[i] = -scale * row[asked[i] * step + j] * weight_of(weights, asked[i])
            i += 1
        row += classes * inner


def losses_of(np.ndarray x, np.ndarray target, np.ndarray weight, double scale, int axis, bint picked):
    """-scale weight[target] x[target] of every row along an axis, 0 where the row is ignored, in float64; where it is
    `picked`, a row of x has that one class alone. `x` and the weight are of float32 or float64 and laid out by C, the
    target int64, which fits; a weight of nothing stands for ones."""
    cdef Py_ssize_t inner = inner_of(x, axis)
    cdef np.ndarray found = np.PyArray_EMPTY(np.PyArray_NDIM(target), np.PyArray_DIMS(target), np.NPY_DOUBLE, 0)
    cdef double* losses = <double*>np.PyArray_DATA(found)
    cdef Weights weights = weights_in(weight)
    if np.PyArray_TYPE(x) == np.NPY_DOUBLE:
        weigh_picked(<double>0.0, np.PyArray_DATA(x), target, weights, scale, losses, np.PyArray_DIM(x, axis), inner,
                     0 if picked else inner)
    else:
        weigh_picked(<float>0.0, np.PyArray_DATA(x), target, weights, scale, losses, np.PyArray_DIM(x, axis), inner,
                     0 if picked else inner)
    return found


def placed(np.ndarray y, np.ndarray target, np.ndarray values, int axis):
    """Zeros in `y` but where the target picks, along an axis, which gets the values. All are laid out by C, the target
    is int64 and fits, and the values have the dtype of `y`."""
    cdef char* row = np.PyArray_BYTES(y)
    cdef const char* value = np.PyArray_BYTES(values)
    cdef const int64_t* asked = <const int64_t*>np.PyArray_DATA(target)
    cdef Py_ssize_t inner = inner_of(y, axis), size = np.PyArray_ITEMSIZE(y), i = 0, j
    memset(row, 0, np.PyArray_NBYTES(y))
    while i < np.PyArray_SIZE(target):
        for j in range(inner):
            if asked[i] >= 0:
                memcpy(row + (asked[i] * inner + j) * size, value + i * size, size)
            i += 1
        row += np.PyArray_DIM(y, axis) * inner * size


cdef Py_ssize_t inner_of(np.ndarray x, int axis):
    # how many elements lie between two neighbours along an axis
    cdef Py_ssize_t inner = 1
    cdef int k
    for k in range(axis + 1, np.PyArray_NDIM(x)):
        inner *= np.PyArray_DIM(x, k)
    return inner


def weights_of(np.ndarray target, np.ndarray weight):
    """The weight of every row, for a mean: that of its class, 0 where the row is ignored. `target` is int64, the weight
    of float32 or float64, and both are laid out by C."""
    cdef np.ndarray found = np.PyArray_EMPTY(1, [np.PyArray_SIZE(target)], np.NPY_DOUBLE, 0)
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Weights weights = weights_in(weight)
    cdef double* of_row = <double*>np.PyArray_DATA(found)
    cdef Py_ssize_t i
    for i in range(np.PyArray_SIZE(target)):
        of_row[i] = 0.0 if classes[i] < 0 else weight_of(weights, classes[i])
    return found


def of_moderate_size(np.ndarray target, np.ndarray weight):
    """The weights of a mean, which divides by those that the target picks: all of them times a power of two, which does
    not change the mean, where the picked ones are so large or small that their sum or their inverse is beyond the
    range. `target` is int64, the weight of float32 or float64, and both are laid out by C."""
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Weights weights = weights_in(weight)
    cdef np.ndarray found
    cdef double most = 0.0
    cdef Py_ssize_t i
    cdef int exponent
    for i in range(np.PyArray_SIZE(target)):
        if classes[i] >= 0 and fabs(weight_of(weights, classes[i])) > most:
            most = fabs(weight_of(weights, classes[i]))
    if 2.0**-64 <= most < 2.0**64 or most == 0.0 or most == INFINITY:
        return weight
    frexp(most, &exponent)
    found = np.PyArray_NewCopy(weight, np.NPY_CORDER)
    for i in range(np.PyArray_SIZE(found)):
        if weights.narrow != NULL:
            (<float*>np.PyArray_DATA(found))[i] = <float>ldexp(weights.narrow[i], -exponent)
        else:
            (<double*>np.PyArray_DATA(found))[i] = ldexp(weights.wide[i], -exponent)
    return found


def count_of(np.ndarray target):
    """How many rows are not ignored, as a float. `target` is int64 and laid out by C."""
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Py_ssize_t i, count = 0
    for i in range(np.PyArray_SIZE(target)):
        count += classes[i] >= 0
    return <double>count
