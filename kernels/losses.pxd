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

# The sum of the losses, in the one order of lanewise.cross_entropy, divided by what a mean is divided by: how many rows
# count, or the sum of their weights (which this gives too, with a divisor of 1); 1 for reduction="sum"
cdef double mean_loss_float64(const double* losses, double divisor, Py_ssize_t n) noexcept nogil
