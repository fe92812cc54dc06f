# Rows of softmax_backward, many in one call. A part of softmax.pyx.

cdef inline void backward_rows(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows, Py_ssize_t n,
                               bint backwards, bint alike) noexcept nogil:
    # Rows of one block, two at a time as long as the first-level cache keeps them until they are written. Where grad
    # and y stand alike, whole registers begin at their boundaries.
    cdef Gradient own = Gradient(NULL, NULL, 0.0, 0.0, 1.0, False, False)
    cdef const char* grad = at[0]
    cdef const char* y = at[1]
    cdef const char* sign = at[2]
    cdef char* grad_x = at[3]
    cdef Py_ssize_t grad_step = steps[0], y_step = steps[1], sign_step = steps[2], out_step = steps[3], row = 0, k
    cdef Py_ssize_t together = 1 if 6 * n * itemsize(like) > GROUP_BYTES else 2
    cdef double[2] totals
    while row < rows:
        together = min(together, rows - row)
        for k in range(together):
            own.grad, own.x = grad + k * grad_step, y + k * y_step
            if real is f32x:
                totals[k] = product_block(fold_grad_y, <const float*>own.grad, <const float*>own.x, &own, 0, n).first
            else:
                totals[k] = sum_block(add_grad_y, 1, like, &own, 0, n).first
        for k in range(together):
            own.grad, own.x, own.value, own.sign = grad, y, totals[k], (<const double*>sign)[0]
            map_from(softmax_slope[real], <real*>grad_x, y if alike else grad_x, backwards, &own, 0, n, False)
            grad, y, sign, grad_x = grad + grad_step, y + y_step, sign + sign_step, grad_x + out_step
        row += together


cdef Py_ssize_t softmax_backward_all_rows(const real* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                          Py_ssize_t n, int manner) noexcept nogil:
    # what suits the places of the first row is done for all, which are short
    cdef bint alike = (<uintptr_t>at[0] ^ <uintptr_t>at[1]) % (LINE // 2) == 0
    if n * itemsize(like) <= SHORT_BYTES or n > BLOCK or manner & (STREAMED | FROM_MEMORY | BFLOAT16_ROWS):
        return -1
    if real is f32x and from_the_end(at[3], at[0], at[1]):
        backward_rows(like, at, steps, rows, n, True, False)
    else:
        backward_rows(like, at, steps, rows, n, False, alike)
    return rows
