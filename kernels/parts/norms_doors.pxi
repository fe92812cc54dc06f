# The functions that C code calls. A part of norms.pyx, which has the kernels. Float32 and float64 rows that are
# contiguous are given to the kernels; other dtypes and the gradients go through the row machine.

cdef inline void rms_norm(const real* x, const real* weight, double eps, real* y, double* rstd, Py_ssize_t rows,
                          Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>&eps, <char*>y, <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, row, <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>rms_kernel[real], <short_kernel>short_rms_kernel[real], at, steps, 5,
               group_of(rows, n, itemsize(x), 2), rows, n, itemsize(x), 1, 0)


cdef inline void layer_norm(const real* x, const real* weight, const real* bias, double eps, real* y, double* mean,
                            double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cdef double unused
    cdef Py_ssize_t row = n * itemsize(x)
    cdef char** at = [<char*>x, <char*>weight, <char*>bias, <char*>&eps, <char*>y,
                      <char*>(mean if mean != NULL else &unused), <char*>(rstd if rstd != NULL else &unused)]
    cdef Py_ssize_t* steps = [row, 0, 0, 0, row, <Py_ssize_t>sizeof(double) if mean != NULL else 0,
                              <Py_ssize_t>sizeof(double) if rstd != NULL else 0]
    run_groups(<group_kernel>layer_kernel[real], <short_kernel>short_layer_kernel[real], at, steps, 7,
               group_of(rows, n, itemsize(x), 2), rows, n, itemsize(x), 1, 0)


cdef void rms_norm_float32(const float* x, const float* weight, double eps, float* y, double* rstd, Py_ssize_t rows,
                           Py_ssize_t n) noexcept nogil:
    rms_norm(<const f32x*>x, <const f32x*>weight, eps, <f32x*>y, rstd, rows, n)


cdef void rms_norm_float64(const double* x, const double* weight, double eps, double* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    rms_norm(<const f64x*>x, <const f64x*>weight, eps, <f64x*>y, rstd, rows, n)


cdef void layer_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(<const f32x*>x, <const f32x*>weight, <const f32x*>bias, eps, <f32x*>y, mean, rstd, rows, n)


cdef void layer_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    layer_norm(<const f64x*>x, <const f64x*>weight, <const f64x*>bias, eps, <f64x*>y, mean, rstd, rows, n)


# Through the row machine, as NumPy calls them, for those who call from C.

cdef const Operation* of_rms_norm = operations_of(rms_norm_gufunc)
cdef const Operation* of_layer_norm = operations_of(layer_norm_gufunc)
cdef const Operation* of_add_rms_norm = operations_of(add_rms_norm_gufunc)
cdef const Operation* of_rms_norm_backward = operations_of(rms_norm_backward_gufunc)
cdef const Operation* of_layer_norm_backward = operations_of(layer_norm_backward_gufunc)


cdef bint rms_norm_bfloat16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                            Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm, BFLOAT16, [x, weight, &eps, y, rstd], 1 << 2, rows, n)


cdef bint rms_norm_float16(const uint16_t* x, const uint16_t* weight, double eps, uint16_t* y, double* rstd,
                           Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm, FLOAT16, [x, weight, &eps, y, rstd], 1 << 2, rows, n)


cdef bint layer_norm_bfloat16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm, BFLOAT16, [x, weight, bias, &eps, y, mean, rstd], 1 << 3, rows, n)


cdef bint layer_norm_float16(const uint16_t* x, const uint16_t* weight, const uint16_t* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm, FLOAT16, [x, weight, bias, &eps, y, mean, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float32(const float* x, const float* residual, const float* weight, double eps, float* y,
                               float* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT32, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float64(const double* x, const double* residual, const double* weight, double eps, double* y,
                               double* new_residual, double* rstd, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT64, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_bfloat16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                                uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, BFLOAT16, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint add_rms_norm_float16(const uint16_t* x, const uint16_t* residual, const uint16_t* weight, double eps,
                               uint16_t* y, uint16_t* new_residual, double* rstd, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil:
    return machine.call(of_add_rms_norm, FLOAT16, [x, residual, weight, &eps, y, new_residual, rstd], 1 << 3, rows, n)


cdef bint rms_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* rstd,
                                    float* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT32, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* rstd,
                                    double* grad_x, double* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT64, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                     const double* rstd, uint16_t* grad_x, float* grad_weight, Py_ssize_t rows,
                                     Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, BFLOAT16, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint rms_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight, const double* rstd,
                                    uint16_t* grad_x, float* grad_weight, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_rms_norm_backward, FLOAT16, [grad, x, weight, rstd, grad_x, grad_weight], 0, rows, n)


cdef bint layer_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT32,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT64,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                       const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                       float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, BFLOAT16,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef bint layer_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const uint16_t* weight,
                                      const double* mean, const double* rstd, uint16_t* grad_x, float* grad_weight,
                                      float* grad_bias, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    return machine.call(of_layer_norm_backward, FLOAT16,
                        [grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias], 0, rows, n)


cdef inline void repeat_each(const real* values, Py_ssize_t times, Py_ssize_t n, real* row) noexcept nogil:
    # row[n], in which each value stands `times` times, one after the other
    cdef Py_ssize_t i = 0, k
    cdef double value
    if times == 1:
        memcpy(row, values, n * itemsize(values))
        return
    while i < n:
        value = element(values, i // times)
        for k in range(times):
            put_element(row, i + k, value)
        i += times


cdef bint group_norm(Dtype dtype, const void* x, const void* weight, const void* bias, double eps, void* y,
                     double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                     Py_ssize_t groups) noexcept nogil:
    cdef Dtype computed = FLOAT64 if dtype == FLOAT64 else FLOAT32
    cdef GroupNorm all
    all.dtype, all.x, all.y, all.mean, all.rstd = dtype, <const char*>x, <char*>y, mean, rstd
    all.eps, all.groups, all.size = eps, groups, size
    return group_norm_of(&all, weight, computed, bias, computed, batch, channels, 1)


cdef bint group_norm_float32(const float* x, const float* weight, const float* bias, double eps, float* y, double* mean,
                             double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return group_norm(FLOAT32, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


cdef bint group_norm_float64(const double* x, const double* weight, const double* bias, double eps, double* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return group_norm(FLOAT64, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


cdef bint group_norm_bfloat16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                              double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                              Py_ssize_t groups) noexcept nogil:
    return group_norm(BFLOAT16, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


cdef bint group_norm_float16(const uint16_t* x, const float* weight, const float* bias, double eps, uint16_t* y,
                             double* mean, double* rstd, Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                             Py_ssize_t groups) noexcept nogil:
    return group_norm(FLOAT16, x, weight, bias, eps, y, mean, rstd, batch, channels, size, groups)


cdef inline double total_of(const real* values, Py_ssize_t n) noexcept nogil:
    return element(values, 0) if n == 1 else sum_values(values, n, 1)


cdef int one_thread = 1


cdef bint group_norm_backward(Dtype dtype, const void* grad, const void* x, const real* weight, const double* mean,
                              const double* rstd, void* grad_x, real* grad_weight, real* grad_bias, Py_ssize_t batch,
                              Py_ssize_t channels, Py_ssize_t size, Py_ssize_t groups,
                              const int* threads) noexcept nogil:
    # where channels have one element, each group is a layer norm over the batch, whose weights are a row that all
    # examples share; the sums over a row's place are then those of a channel
    cdef const Operation* found = of_layer_norm_backward
    cdef Operation operation
    cdef Py_ssize_t n = channels // max(groups, 1) * size, width = size_of(dtype), row = n * width, c
    cdef Py_ssize_t all = groups * row
    cdef Py_ssize_t wide = itemsize(weight), vector = n * wide, vectors = groups * vector
    cdef char* memory
    cdef char** at = [<char*>grad, <char*>x, NULL, <char*>mean, <char*>rstd, <char*>grad_x, NULL, NULL]
    cdef np.npy_intp* dims = [groups, batch, 1, n, n if weight != NULL else 0]
    cdef np.npy_intp* steps = [row, row, vector, 8, 8, row, vector, vector,  # from group to group
                               all, 0, width, all, 0, width, wide, groups * 8, 0, groups * 8, 0, all, 0, width,
                               wide, wide]
    if size >= SEGMENT and batch * channels > 0:
        return segments_backward(dtype, grad, x, weight, mean, rstd, grad_x, grad_weight, grad_bias, batch, channels,
                                 size, groups, threads[0])
    memory = <char*>malloc(3 * vectors + 1)
    if memory == NULL:
        return False
    at[6], at[7] = memory, memory + vectors
    while found.dtype != dtype:
        found += 1
    operation, operation.threads = found[0], threads
    if weight != NULL:
        repeat_each(weight, size, groups * n, <real*>(memory + 2 * vectors))
        at[2] = memory + 2 * vectors
    if not (<loop_function>operation.loop)(&operation, at, dims, steps):
        free(memory)
        return False
    for c in range(channels):
        put_sum(grad_weight, c, total_of(skip(<const real*>memory, c * size), size))
        put_sum(grad_bias, c, total_of(skip(<const real*>(memory + vectors), c * size), size))
    free(memory)
    return True


cdef bint group_norm_backward_float32(const float* grad, const float* x, const float* weight, const double* mean,
                                      const double* rstd, float* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(FLOAT32, grad, x, <const f32x*>weight, mean, rstd, grad_x, <f32x*>grad_weight,
                               <f32x*>grad_bias, batch, channels, size, groups, &one_thread)


cdef bint group_norm_backward_float64(const double* grad, const double* x, const double* weight, const double* mean,
                                      const double* rstd, double* grad_x, double* grad_weight, double* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(FLOAT64, grad, x, <const f64x*>weight, mean, rstd, grad_x, <f64x*>grad_weight,
                               <f64x*>grad_bias, batch, channels, size, groups, &one_thread)


cdef bint group_norm_backward_bfloat16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                       const double* rstd, uint16_t* grad_x, float* grad_weight, float* grad_bias,
                                       Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                       Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(BFLOAT16, grad, x, <const f32x*>weight, mean, rstd, grad_x, <f32x*>grad_weight,
                               <f32x*>grad_bias, batch, channels, size, groups, &one_thread)


cdef bint group_norm_backward_float16(const uint16_t* grad, const uint16_t* x, const float* weight, const double* mean,
                                      const double* rstd, uint16_t* grad_x, float* grad_weight, float* grad_bias,
                                      Py_ssize_t batch, Py_ssize_t channels, Py_ssize_t size,
                                      Py_ssize_t groups) noexcept nogil:
    return group_norm_backward(FLOAT16, grad, x, <const f32x*>weight, mean, rstd, grad_x, <f32x*>grad_weight,
                               <f32x*>grad_bias, batch, channels, size, groups, &one_thread)
