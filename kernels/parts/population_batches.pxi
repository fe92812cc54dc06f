# A batch laid out for evaluation, in tiles of 64 rows. A part of population.pyx.

cdef void tile_float32(const float* x, float* tiles, Py_ssize_t rows, Py_ssize_t features) noexcept nogil:
    cdef Py_ssize_t tile, feature, row, count = (rows + ROWS - 1) // ROWS
    memset(tiles, 0, count * ROWS * features * sizeof(float))
    for tile in range(count):
        for feature in range(features):
            for row in range(min(ROWS, rows - tile * ROWS)):
                tiles[(tile * features + feature) * ROWS + row] = x[(tile * ROWS + row) * features + feature]


def tile(x, tiles):
    """Lay a batch out for evaluation: x[rows, features] as tiles[ceil(rows / 64), features, 64]."""
    cdef Numbers given = numbers_in(x, OF_FLOAT32, 2), made = numbers_out(tiles, OF_FLOAT32, 3)
    with nogil:
        tile_float32(<const float*>given.at, <float*>made.at, given.shape[0], given.shape[1])


cdef double unit_of_float32(const float* x, Py_ssize_t n) noexcept nogil:
    cdef double unit = 2.0 ** 60, largest = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        largest = max(largest, fabs(x[i]))
        if not fabs(x[i]) < INFINITY:
            return 0.0
        while rint(x[i] / unit) * unit != x[i]:
            unit *= 0.5
        if largest > 32767 * unit:
            return 0.0
    return unit


def unit_of(x):
    """Find the largest power of two, 2^60 at most, that all are multiples of, none beyond 32767 times; 0 for none."""
    cdef Numbers given = numbers_in(x, OF_FLOAT32, 2)
    return unit_of_float32(<const float*>given.at, given.shape[0] * given.shape[1])


cdef int64_t tile_words(const float* x, double unit, int in_word, uint32_t* tiles, Py_ssize_t rows,
                        Py_ssize_t features, Py_ssize_t words) noexcept nogil:
    cdef Py_ssize_t row, k
    cdef int bits = 32 // in_word
    cdef uint32_t mask = (1u << bits) - 1
    cdef int16_t number
    cdef int64_t reach = 0, total
    memset(tiles, 0, (rows + ROWS - 1) // ROWS * words * ROWS * sizeof(uint32_t))
    for row in range(rows):
        total = 0
        for k in range(features):
            number = <int16_t>(x[row * features + k] / unit)
            total += number if number > 0 else -number
            tiles[(row // ROWS * words + k // in_word) * ROWS + row % ROWS] |= (
                (<uint32_t>number & mask) << bits * (k % in_word))
        reach = max(reach, total)
    return reach


def tile_whole(x, double unit, int in_word, tiles):
    """Lay a batch out in units, in words of two int16 or four uint8: tiles[ceil(rows / 64), words, 64], the first low.

    Returns the largest sum of a row's magnitudes.
    """
    cdef Numbers given = numbers_in(x, OF_FLOAT32, 2), made = numbers_out(tiles, OF_UINT32, 3)
    cdef int64_t reach = 0
    if given.shape[0] > 0 and given.shape[1] > 0:
        with nogil:
            reach = tile_words(<const float*>given.at, unit, in_word, <uint32_t*>made.at, given.shape[0],
                               given.shape[1], made.shape[1])
    return reach


cdef void shuffle_words(const uint32_t* tiles, Py_ssize_t count, Py_ssize_t words, const Py_ssize_t* order,
                        Py_ssize_t n, uint32_t* shuffled) noexcept nogil:
    cdef Py_ssize_t tile, k, row, part
    cdef const uint32_t* rows[ROWS]
    memset(shuffled, 0, count * words * ROWS * sizeof(uint32_t))
    for tile in range(count):
        part = min(ROWS, n - tile * ROWS)
        for row in range(part):
            rows[row] = tiles + order[tile * ROWS + row] // ROWS * words * ROWS + order[tile * ROWS + row] % ROWS
        for k in range(words):
            for row in range(part):
                shuffled[(tile * words + k) * ROWS + row] = rows[row][k * ROWS]


def shuffle(tiles, order, shuffled):
    """Lay the rows of a batch out in another order."""
    cdef Numbers given = numbers_in(tiles, OF_UINT32, 3), ordered = numbers_in(order, OF_INDEX, 1)
    cdef Numbers made = numbers_out(shuffled, OF_UINT32, 3)
    if given.shape[0] > 0 and given.shape[1] > 0:
        with nogil:
            shuffle_words(<const uint32_t*>given.at, given.shape[0], given.shape[1], <const Py_ssize_t*>ordered.at,
                          ordered.shape[0], <uint32_t*>made.at)
