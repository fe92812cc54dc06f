# Halting for those who cimport it: contiguous rows of n steps, on one thread. Nothing is checked: n is 1 or more.
from libc.stdint cimport int64_t

# PonderNet: the logarithm of the probability to halt at each step, and the probability; either may be NULL
cdef void halting_distribution_float32(const float* logits, float* log_p, float* p, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil
cdef void halting_distribution_float64(const double* logits, double* log_p, double* p, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil

# The loss of each row with the losses of its steps, and what the gradients of its sum are made of: grad_logits, and p,
# that of the steps' losses. log_prior is the logarithm of the prior's first step, log_rest what each further step adds:
# of prior q, log(q) - log(1 - (1 - q)^n) and log(1 - q). loss, or p and grad_logits, may be NULL.
cdef void ponder_loss_float32(const float* logits, const float* step_losses, double log_prior, double log_rest,
                              double beta, double* loss, float* p, float* grad_logits, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil
cdef void ponder_loss_float64(const double* logits, const double* step_losses, double log_prior, double log_rest,
                              double beta, double* loss, double* p, double* grad_logits, Py_ssize_t rows,
                              Py_ssize_t n) noexcept nogil

# the step, from 0, at which each row halts where log_u holds the logarithm of a uniform number in (0, 1]
cdef void sample_halting_float32(const float* logits, const double* log_u, int64_t* steps, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil
cdef void sample_halting_float64(const double* logits, const double* log_u, int64_t* steps, Py_ssize_t rows,
                                 Py_ssize_t n) noexcept nogil

# ACT: weights of the steps, and of each row the remainder, the ponder cost and how many steps are taken
cdef void act_halting_float32(const float* h, double eps, float* weights, float* remainder, float* cost,
                              int64_t* steps, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
cdef void act_halting_float64(const double* h, double eps, double* weights, double* remainder, double* cost,
                              int64_t* steps, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
