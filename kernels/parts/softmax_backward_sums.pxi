# The sums along a row that gradients need. A part of softmax.pyx.

cdef inline void add_grad_y(const f64x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                            f64x* sums) noexcept nogil:
    cdef const Gradient* own = <const Gradient*>context
    sums[0] = sums[0] + take(<const f64x*>own.grad, i, n) * take(<const f64x*>own.x, i, n)


cdef inline void fold_grad_y(const f32x* like, const void* context, Py_ssize_t i, Py_ssize_t n,
                             f32x* sums) noexcept nogil:
    cdef const Gradient* own = <const Gradient*>context
    cdef f32x grad = take_either(own.bfloat16, <const f32x*>own.grad, i, n)
    sums[0] = fma(grad, take_either(own.bfloat16, <const f32x*>own.x, i, n), sums[0])


cdef Pair grad_y_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    cdef Gradient own = (<const Gradient*>context)[0]
    if real is f32x:
        if own.bfloat16:
            own.bfloat16 = True
            return fold_block(fold_grad_y, 1, &own, start, n)
        own.bfloat16 = False
        return product_block(fold_grad_y, <const float*>own.grad, <const float*>own.x, &own, start, n)
    else:
        return sum_block(add_grad_y, 1, like, &own, start, n)


cdef Pair grad_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # of the gradients that arrive; bfloat16 in pieces that are widened first
    cdef const Gradient* own = <const Gradient*>context
    cdef float[PIECE] piece
    cdef f64x sums[SUMS]
    cdef Py_ssize_t i = 0, size
    if real is f64x:
        return sum_block(add_element[real], 1, like, own.grad, start, n)
    else:
        if not own.bfloat16:
            return sum_block(add_element[real], 1, like, own.grad, start, n)
        while i == 0 or i < n:
            size = min(n - i, <Py_ssize_t>PIECE)
            take_row(BFLOAT16, <f32x*>piece, <const char*>(<const uint16_t*>own.grad + start + i), 2, size)
            if i == 0:
                add_plain_terms(add_element[f32x], 1, like, piece, 0, size, sums)
            else:
                add_more_terms(add_element[f32x], 1, like, piece, 0, size, sums)
            i += PIECE
        return Pair(tree(sums, SUMS, 1), 0.0)
