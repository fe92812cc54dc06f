# Losses of numbers that have been picked by their class, and the weights of classes. A part of point_losses.pyx.

ctypedef fused number:
    float
    double

ctypedef fused element_of:
    # what is moved, by its size
    int16_t
    int32_t
    int64_t


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


cdef void weigh_picked(number like, const void* x, Places of, np.ndarray target, Weights weights, double scale,
                       double* losses) noexcept:
    # -scale weight[target] x[target] of every row, 0 where it is ignored
    cdef const number* group = <const number*>x
    cdef const int64_t* asked = <const int64_t*>np.PyArray_DATA(target)
    cdef bint plain = weights.narrow == NULL and weights.wide == NULL
    cdef Py_ssize_t j, left = np.PyArray_SIZE(target)
    while left > 0:
        if plain:  # a loop that does not ask for weights
            for j in range(of.width):
                losses[j] = -scale * group[asked[j] * of.each + j * of.row] if asked[j] >= 0 else 0.0
        else:
            for j in range(of.width):
                losses[j] = -scale * group[asked[j] * of.each + j * of.row] * weight_of(weights, asked[j]) if (
                    asked[j] >= 0) else 0.0
        losses += of.width
        asked += of.width
        left -= of.width
        group += of.group


def losses_of(np.ndarray x, np.ndarray target, np.ndarray weight, double scale, int axis, bint picked):
    """-scale weight[target] x[target] of every row along an axis, 0 where the row is ignored, in float64. Where it is
    `picked`, `x` has one number for each row, or one for all; otherwise None where `x` is not laid out by C or has 16
    bits. The weight is of float32 or float64 and laid out by C, the target int64, which fits; a weight of nothing
    stands for ones."""
    cdef Places of
    cdef np.ndarray found
    cdef Weights weights = weights_in(weight)
    if picked:
        x = np.PyArray_FROMANY(x, np.PyArray_TYPE(x), 0, 0, np.NPY_ARRAY_CARRAY_RO)
        of = Places(np.PyArray_SIZE(target), 0, 0 if np.PyArray_SIZE(x) == 1 else 1, 0)
    elif np.PyArray_ITEMSIZE(x) == 2 or not np.PyArray_ISCARRAY_RO(x):
        return None
    else:
        of = places_in(x, axis)
    found = np.PyArray_EMPTY(np.PyArray_NDIM(target), np.PyArray_DIMS(target), np.NPY_DOUBLE, 0)
    if np.PyArray_TYPE(x) == np.NPY_DOUBLE:
        weigh_picked(<double>0.0, np.PyArray_DATA(x), of, target, weights, scale, <double*>np.PyArray_DATA(found))
    else:
        weigh_picked(<float>0.0, np.PyArray_DATA(x), of, target, weights, scale, <double*>np.PyArray_DATA(found))
    return found


cdef inline void place_values(element_of like, char* y, Places of, const char* values, const int64_t* asked,
                              Py_ssize_t left) noexcept nogil:
    cdef element_of* group = <element_of*>y
    cdef const element_of* value = <const element_of*>values
    cdef Py_ssize_t j
    while left > 0:
        for j in range(of.width):
            if asked[j] >= 0:
                group[asked[j] * of.each + j * of.row] = value[j]
        value += of.width
        asked += of.width
        left -= of.width
        group += of.group


def placed(np.ndarray y, np.ndarray target, np.ndarray values, int axis):
    """Zeros in `y` but where the target picks, along an axis, which gets the values. All are laid out by C, the target
    is int64 and fits, and the values have the dtype of `y`."""
    cdef char* to = np.PyArray_BYTES(y)
    cdef const char* value = np.PyArray_BYTES(values)
    cdef const int64_t* asked = <const int64_t*>np.PyArray_DATA(target)
    cdef Places of = places_in(y, axis)
    memset(to, 0, np.PyArray_NBYTES(y))
    if np.PyArray_ITEMSIZE(y) == 8:
        place_values(<int64_t>0, to, of, value, asked, np.PyArray_SIZE(target))
    elif np.PyArray_ITEMSIZE(y) == 4:
        place_values(<int32_t>0, to, of, value, asked, np.PyArray_SIZE(target))
    else:
        place_values(<int16_t>0, to, of, value, asked, np.PyArray_SIZE(target))


cdef bint take_weights(const number* weights, np.ndarray target, double* of_row, double* most) noexcept:
    # the weight of every row, 0 where it is ignored, and how large one of them is at most; whether one is not 0
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef double size, own = 0.0
    cdef bint some = False
    cdef Py_ssize_t i
    for i in range(np.PyArray_SIZE(target)):
        of_row[i] = size = weights[classes[i]] if classes[i] >= 0 else 0.0
        some |= size != 0.0
        size = fabs(size)
        own = size if size > own else own
    most[0] = own
    return some


def weights_of(np.ndarray target, np.ndarray weight):
    """Of a mean, which divides by the weights that the target picks: the weights, that of every row, 0 where it is
    ignored, and whether any of these is another number. All weights have been multiplied by a power of two, which does
    not change the mean, where the picked ones are so large or small that their sum or its inverse is beyond the range.
    `target` is int64, the weight of float32 or float64, and both are laid out by C."""
    cdef np.ndarray found = np.PyArray_EMPTY(1, [np.PyArray_SIZE(target)], np.NPY_DOUBLE, 0), scaled
    cdef double* of_row = <double*>np.PyArray_DATA(found)
    cdef Weights weights = weights_in(weight)
    cdef double most = 0.0
    cdef bint some
    cdef Py_ssize_t i
    cdef int exponent
    if weights.narrow != NULL:
        some = take_weights(weights.narrow, target, of_row, &most)
    else:
        some = take_weights(weights.wide, target, of_row, &most)
    if 2.0**-64 <= most < 2.0**64 or most == 0.0 or most == INFINITY:
        return weight, found, some
    frexp(most, &exponent)
    scaled = np.PyArray_NewCopy(weight, np.NPY_CORDER)
    for i in range(np.PyArray_SIZE(scaled)):
        if weights.narrow != NULL:
            (<float*>np.PyArray_DATA(scaled))[i] = <float>ldexp(weights.narrow[i], -exponent)
        else:
            (<double*>np.PyArray_DATA(scaled))[i] = ldexp(weights.wide[i], -exponent)
    return weights_of(target, scaled)


def count_of(np.ndarray target):
    """How many rows are not ignored, as a float. `target` is int64 and laid out by C."""
    cdef const int64_t* classes = <const int64_t*>np.PyArray_DATA(target)
    cdef Py_ssize_t i, count = 0
    for i in range(np.PyArray_SIZE(target)):
        count += classes[i] >= 0
    return <double>count
