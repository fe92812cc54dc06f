# Rows of softmax_backward, many in one call. A part of softmax.pyx.

cdef enum:
    BRIEF = 64  # elements of a row, up to which the kernel of short rows serves them


cdef inline double slopes_beside_products(f32x* grad_x, const Gradient* own, const Gradient* after,
                                          Py_ssize_t n) noexcept nogil:
    # The gradients of one row, from its end to their first register boundary, and meanwhile the sum of the row after
    # it, from that row's start on: so results and operands are fetched from an outer cache at the same time, and hardly
    # a load meets a recent store, wherever the arrays stand in a page. What stands before that boundary, and behind the
    # last whole register, is computed first, as in map_from.
    cdef f64x sums[FOLDED_SUMS]
    cdef const float* grad = <const float*>after.grad
    cdef const float* y = <const float*>after.x
    cdef Py_ssize_t width = lanes(grad_x), done = 0, place
    cdef Py_ssize_t part = head(grad_x, n), i = part + (n - part) // width * width
    cdef f32x value, next_value, first = softmax_slope(grad_x, own, 0, width)
    cdef f32x last = softmax_slope(grad_x, own, n - width, width)
    cdef int k
    fill_registers(sums, FOLDED_SUMS, 0.0)
    while i - part >= FOLD * FOLDED_PARTS:
        fold_products_f32(grad + done, y + done, sums)
        done += FOLD * FOLDED_PARTS
        i -= FOLD * FOLDED_PARTS
        for k in range(FOLD * FOLDED_PARTS // (2 * width)):
            place = i + 2 * k * width
            value = softmax_slope(grad_x, own, place, width)
            next_value = softmax_slope(grad_x, own, place + width, width)
            store(<f32x*>skip(grad_x, place), value)
            store(<f32x*>skip(grad_x, place + width), next_value)
    while i > part:
        i -= width
        store(<f32x*>skip(grad_x, i), softmax_slope(grad_x, own, i, width))
    store(grad_x, first)
    store(<f32x*>skip(grad_x, n - width), last)
    add_products(fold_grad_y, grad, y, after, done, n, sums)
    return tree(sums, FOLDED_SUMS, 1)


cdef inline Py_ssize_t backward_rows_beside_sums(char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                                 Py_ssize_t n) noexcept nogil:
    # All rows but the last, each beside the sum of the next one; how many. It pays where two rows of each operand take
    # less than half of the first-level cache, and all rows more than it, but none is in memory, and in the place of an
    # operand alone: other places may have left the caches since the last call, and are fetched faster in order.
    cdef Gradient own = Gradient(at[0], at[1], 0.0, 0.0, 1.0, False, False), after = own
    cdef const char* sign = at[2]
    cdef char* grad_x = at[3]
    cdef Py_ssize_t _r
    own.value = product_block(fold_grad_y, <const float*>own.grad, <const float*>own.x, &own, 0, n).first
    for _r in range(rows - 1):
        own.sign = (<const double*>sign)[0]
        after.grad, after.x = <const char*>own.grad + steps[0], <const char*>own.x + steps[1]
        after.value = slopes_beside_products(<f32x*>grad_x, &own, &after, n)
        own, sign, grad_x = after, sign + steps[2], grad_x + steps[3]
    return rows - 1


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
    if real is f32x:
        if n > BRIEF and 10 * n * itemsize(like) <= GROUP_BYTES < 3 * rows * n * itemsize(like) and (
                at[3] == at[0] or at[3] == at[1]) and not manner & (STREAMED | FROM_MEMORY | BFLOAT16_ROWS):
            return backward_rows_beside_sums(at, steps, rows, n)
    if n * itemsize(like) <= SHORT_BYTES or n > BLOCK or manner & (STREAMED | FROM_MEMORY | BFLOAT16_ROWS):
        return -1
    if real is f32x and from_the_end(at[3], at[0], at[1]):
        backward_rows(like, at, steps, rows, n, True, False)
    else:
        backward_rows(like, at, steps, rows, n, False, alike)
    return rows
