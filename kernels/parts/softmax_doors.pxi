# The functions that C code calls. A part of softmax.pyx, which has the kernels.

cdef Logarithms logarithms = Logarithms(logs_of(<const f32x*>NULL), logs_of(<const f64x*>NULL))
shared_logarithms = PyCapsule_New(&logarithms, "lanewise.kernels.softmax.shared_logarithms", NULL)  # for losses.pyx


cdef inline void contiguous(group_kernel kernel, short_kernel shorts, const real* x, real* y, Py_ssize_t rows,
                            Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>y]
    cdef Py_ssize_t* steps = [row, row]
    run_groups(kernel, shorts, at, steps, 2, group_of(rows, n, itemsize(x), 2), rows, n, itemsize(x), 1, 0)


cdef void softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f32x], <short_kernel>short_softmax_kernel[f32x],
               <const f32x*>x, <f32x*>y, rows, n)


cdef void softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>softmax_kernel[f64x], <short_kernel>short_softmax_kernel[f64x],
               <const f64x*>x, <f64x*>y, rows, n)


cdef void log_softmax_float32(const float* x, float* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f32x], <short_kernel>short_log_softmax_kernel,
               <const f32x*>x, <f32x*>y, rows, n)


cdef void log_softmax_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    contiguous(<group_kernel>log_softmax_kernel[f64x], <short_kernel>turned_log_softmax_kernel,
               <const f64x*>x, <f64x*>y, rows, n)


# Through the row machine, as NumPy calls them, for those who call from C.

cdef const Operation* of_softmax = operations_of(softmax_gufunc)
cdef const Operation* of_log_softmax = operations_of(log_softmax_gufunc)
cdef const Operation* of_softmax_backward = operations_of(softmax_backward_gufunc)
cdef const Operation* of_log_softmax_backward = operations_of(log_softmax_backward_gufunc)
cdef const Operation* of_logsumexp = operations_of(logsumexp_gufunc)
cdef const Operation* of_scaled_softmax = operations_of(scaled_softmax_gufunc)
cdef const Operation* of_masked_softmax = operations_of(masked_softmax_gufunc)
cdef const Operation* of_masked_softmax_where = operations_of(masked_softmax_where_gufunc)
cdef double plain_sign = 1.0


cdef bint softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_bfloat16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, BFLOAT16, [x, y], 0, rows, n)


cdef bint log_softmax_float16(const uint16_t* x, uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax, FLOAT16, [x, y], 0, rows, n)


cdef bint softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT32, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT64, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, BFLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                   Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT16, [grad, y, &plain_sign, grad_x], 1 << 2, rows, n)


cdef bint log_softmax_backward_float32(const float* grad, const float* y, float* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT32, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float64(const double* grad, const double* y, double* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT64, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                        Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, BFLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint log_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, uint16_t* grad_x, Py_ssize_t rows,
                                       Py_ssize_t n) noexcept nogil:
    return machine.call(of_log_softmax_backward, FLOAT16, [grad, y, grad_x], 0, rows, n)


cdef bint logsumexp_float32(const float* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT32, [x, y], 0, rows, n)


cdef bint logsumexp_float64(const double* x, double* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT64, [x, y], 0, rows, n)


cdef bint logsumexp_window_float64(double* x, Py_ssize_t n, double* y, void* data) noexcept nogil:
    return machine.call(of_logsumexp, FLOAT64, [x, y], 0, 1, n)


cdef bint logsumexp_backward_float32(const double* grad, const float* x, float* grad_x, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    return machine.call(of_scaled_softmax, FLOAT32, [x, grad, grad_x], 0, rows, n)


cdef bint logsumexp_backward_float64(const double* grad, const double* x, double* grad_x, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    return machine.call(of_scaled_softmax, FLOAT64, [x, grad, grad_x], 0, rows, n)


cdef bint masked_rows(Dtype dtype, const void* x, const uint8_t* mask, const double* counts, double scale, void* y,
                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef double all_of_them = <double>n
    cdef bint alike = counts == NULL
    if alike:
        counts = &all_of_them
    if mask == NULL:
        return machine.call(of_masked_softmax, dtype, [x, &scale, counts, y], 1 << 1 | alike << 2, rows, n)
    return machine.call(of_masked_softmax_where, dtype, [x, mask, &scale, counts, y], 1 << 2 | alike << 3, rows, n)


cdef bint masked_softmax_float32(const float* x, const uint8_t* mask, const double* counts, double scale, float* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT32, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_float64(const double* x, const uint8_t* mask, const double* counts, double scale, double* y,
                                 Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT64, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_bfloat16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                  uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(BFLOAT16, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_float16(const uint16_t* x, const uint8_t* mask, const double* counts, double scale,
                                 uint16_t* y, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return masked_rows(FLOAT16, x, mask, counts, scale, y, rows, n)


cdef bint masked_softmax_backward_float32(const float* grad, const float* y, double scale, float* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT32, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_float64(const double* grad, const double* y, double scale, double* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT64, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_bfloat16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, BFLOAT16, [grad, y, &scale, grad_x], 1 << 2, rows, n)


cdef bint masked_softmax_backward_float16(const uint16_t* grad, const uint16_t* y, double scale, uint16_t* grad_x,
                                          Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_softmax_backward, FLOAT16, [grad, y, &scale, grad_x], 1 << 2, rows, n)
