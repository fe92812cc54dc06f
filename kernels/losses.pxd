# Cross-entropy for those who cimport it: contiguous rows of n logits, one target a row, from 0 to n - 1; a row
# whose target is below 0 is ignored: its loss and its gradient are 0.
#
# One loss a row, in float64. grad may be NULL; it is scaled by `scale`. One thread; the caller's floating-point flags
# may be raised.
from libc.stdint cimport int64_t

cdef void cross_entropy_float32(const float* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, float* grad, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void cross_entropy_float64(const double* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, double* grad, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil
