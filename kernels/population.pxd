# Evaluating genomes, for those who cimport: one network with LOG4-like codes over one batch in tiles.
# A tile holds 64 batch rows, feature by feature: x[tile][feature][row], zeros behind the last row.


# the tiles of x[rows][features]; tiles has ceil(rows / 64) * 64 * features elements
cdef void tile_float32(const float* x, float* tiles, Py_ssize_t rows, Py_ssize_t features) noexcept nogil
