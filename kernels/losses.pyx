# Cross-entropy along a row of logits, its gradient, and the sum of the losses. The exponentials are
# rowwise/exponentials.pxd; which rows, dtypes and strides is loops/rows.pxd; what a target may be is checked in
# pylib/functions/losses.py.
#
# Bytes: the logits are read for the largest, and once more for the exponentials, which are written where the gradient
# goes; everything else is done there. Where classes have weights or a target is a row of probabilities, a row is also
# read for what each class has in its loss.
from cpython.pycapsule cimport PyCapsule_Import
from libc.math cimport INFINITY, copysign, fabs, ldexp
from libc.stdint cimport int64_t
from libc.string cimport memset

cimport numpy as np

from .lanes cimport (
    F32_LANES, F64_LANES, enter_environment, environment, f32x, f64x, fma, leave_environment, load_f64, magnitude,
    power2, real, splat, splat_f32, splat_f64, store_f64, store_turned_eight_f32, store_turned_f32, where_less,
)
from .loops.columns cimport (
    HALVES, MOST_LANES, MOST_ROWS, add_columns, halves, narrowed, put_column_numbers, sum_column_elements,
    take_column_numbers, wide_at, widened,
)
from .loops.registers cimport itemsize, lanes, load, skip, store
from .loops.reductions cimport (
    FOLDED_SUMS, PARTS, SUMS, Pair, add_element, add_terms, element, element_block, first_lanes, last_part,
    last_total, map_block, map_row, merge_row, of_block, put_element, row_context, sum_row, sum_values, take, wide,
)
from .loops.operations cimport (
    GROUP, MAX_ROW_OPERANDS, MOST_REGISTERS, MOST_SHORT, ROW_BY_ROW, SHORT, SHORT_ROWS, SHORT_TILE,
    Operands, along_axis, group_kernel, group_of, row_by_row, run_groups, short_kernel, with_all_rows,
    with_columns, with_short_rows, without_copies,
)
from .loops.short_rows cimport add_short, added_totals, map_short
from .rowwise.column_exponentials cimport (
    REGISTER, Columns, columns_of, raised_of, set_register, set_scales,
)
from .rowwise.exponents cimport Exponents, exponents_of, larger, largest, raised_by_scale, set_top, top_block
from .rowwise.logarithms cimport Logarithms, logs_for
from .rowwise.short_exponentials cimport is_plain, tile_step

cdef extern from "Python.h":
    object import_module "PyImport_ImportModule"(const char* name)  # which a capsule's name does not do for its module

np.import_array()
np.import_ufunc()

import_module("lanewise.kernels.softmax")
cdef const Logarithms* logarithms = <const Logarithms*>PyCapsule_Import(
    "lanewise.kernels.softmax.shared_logarithms", 0)

cdef enum:
    LONGEST = 1024  # elements of a row of float32 at most that is taken as short ones are where a gradient is wanted
    TILE = LONGEST * SHORT_ROWS // 2  # float64 numbers that take the room of so many of those rows

cdef enum Asked:
    # the form of a row's target
    CLASS
    WEIGHTED_CLASS
    PROBABILITIES

cdef struct Question:
    # a row's target and options, and where its loss goes
    Py_ssize_t target  # -1 of probabilities
    const void* wanted  # probabilities, or NULL
    const void* weight  # of each class, or NULL
    double factor  # the weight of the target's class; 1 without weights
    double logit  # of the target, taken before the gradient may stand in the place of the logits
    double label_smoothing
    double z_loss
    double* loss  # or NULL

cdef struct Answers:
    # of rows side by side, a number each
    double[MOST_SHORT] top
    double[MOST_SHORT] rest
    double[MOST_SHORT] log  # of 1 + rest
    double[MOST_SHORT] logit  # of the target
    double[MOST_SHORT] weight
    double[MOST_SHORT] sum  # of the logits, with smoothing; of the blends, where classes have them
    double[MOST_SHORT] distance  # the sum of blend (top - logits)
    double[MOST_SHORT] loss
    # for gradients:
    double[MOST_SHORT] inverse
    double[MOST_SHORT] raised
    double[MOST_SHORT] scale
    double[MOST_SHORT] exponential  # of the target, as it is stored
    double[MOST_SHORT] factor
    double[MOST_SHORT] offset
    double[MOST_SHORT] at_target

cdef struct Slope:
    const void* x
    double factor
    double offset


cdef inline real slope(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    cdef real x = take(<const real*>(<const Slope*>context).x, i, n)
    return fma(x, splat(x, (<const Slope*>context).factor), splat(x, (<const Slope*>context).offset))


cdef void slope_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    map_block(slope[real], y, context, start, n, False)


cdef inline Pair larger_and_sum(Pair a, Py_ssize_t a_size, Pair b, Py_ssize_t b_size) noexcept nogil:
    return Pair(larger(a, a_size, b, b_size).first, a.second + b.second)


cdef Pair top_and_sum_block(const real* like, const void* context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # the largest of a block and the sum of its logits, which come from memory once
    return Pair(of_block(top_block[real], context, start, n).first,
                of_block(element_block[real], (<const Exponents*>context).x, start, n).first)


include "parts/losses_blended.pxi"


cdef inline bint same_numbers(const char* at, Py_ssize_t step, Py_ssize_t count) noexcept nogil:
    # whether all rows have one, of the same sign if it is 0; never of NaN
    cdef Py_ssize_t r
    cdef double first = (<const double*>at)[0], own
    for r in range(1, count if step else 0):
        own = (<const double*>(at + r * step))[0]
        if own != first or copysign(1.0, own) != copysign(1.0, first):
            return False
    return True


cdef inline void cross_entropy(const real* like, Exponents* rows, const Question* questions, Py_ssize_t count,
                               Py_ssize_t n, int threads) noexcept nogil:
    # loss = sum over c of q[c] (log(sum(e^logits)) - logits[c]) + z_loss log(sum)^2, where q gives 1 - label_smoothing
    # to the target and shares label_smoothing among all classes. The gradient is (1 + 2 z_loss log(sum)) p - q.
    cdef Pair found
    cdef Blend blend
    cdef double sums[GROUP]
    cdef Pair blends[GROUP]
    cdef Py_ssize_t r, together = 1
    for r in range(count):
        if is_blended(&questions[r]):
            rows[r].top = largest(like, &rows[r], n, threads)
            blend = blend_of(rows[r].x if questions[r].loss != NULL else NULL, &questions[r], rows[r].top, n)
            blends[r] = Pair(0.0, 0.0)
            if blend.kept != 0.0 or blend.spread != 0.0:
                blends[r] = sum_row(blend_block[real], like, &blend, n, threads)
        elif questions[r].label_smoothing != 0.0:
            found = merge_row(top_and_sum_block[real], larger_and_sum, like, &rows[r], n, threads)
            sums[r] = found.second
            rows[r].top = found.first
        else:
            sums[r] = 0.0
            rows[r].top = largest(like, &rows[r], n, threads)
    for r in range(count):
        set_top(like, &rows[r])
    logs_for(logarithms, like).rows(like, rows, count, n, threads, 0.0)
    if (count > 1 and same_numbers(<const char*>&questions[0].label_smoothing, sizeof(Question), count)
            and same_numbers(<const char*>&questions[0].z_loss, sizeof(Question), count)):
        together = count
    r = 0
    while r < count:
        if is_blended(&questions[r]):
            answer_blended(like, &rows[r], <real*>rows[r].y, &questions[r], blends[r], n, threads)
            r += 1
        else:
            answer_rows(like, rows + r, questions + r, sums + r, together, n, threads)
            r += together


include "parts/losses_of_classes.pxi"
include "parts/losses_short_rows.pxi"
include "parts/losses_blended_columns.pxi"
include "parts/losses_columns.pxi"


cdef inline void cross_entropy_rows(const real* logits, const int64_t* target, double label_smoothing, double z_loss,
                                    double scale, double* loss, real* grad, Py_ssize_t rows,
                                    Py_ssize_t n) noexcept nogil:
    cdef Py_ssize_t row = n * itemsize(logits)
    cdef char** at = [<char*>logits, <char*>target, <char*>&label_smoothing, <char*>&z_loss, <char*>&scale, <char*>loss,
                      <char*>grad]
    cdef Py_ssize_t* steps = [row, <Py_ssize_t>sizeof(int64_t), 0, 0, 0, <Py_ssize_t>sizeof(double),
                              row if grad != NULL else 0]
    run_groups(<group_kernel>gradient_kernel[real], <short_kernel>short_gradient_kernel[real], at, steps, 7,
               group_of(rows, n, itemsize(logits), 2), rows, n, itemsize(logits), 1, 0)


cdef void cross_entropy_float32(const float* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, float* grad, Py_ssize_t rows, Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f32x*>logits, target, label_smoothing, z_loss, scale, loss, <f32x*>grad, rows, n)


cdef void cross_entropy_float64(const double* logits, const int64_t* target, double label_smoothing, double z_loss,
                                double scale, double* loss, double* grad, Py_ssize_t rows,
                                Py_ssize_t n) noexcept nogil:
    cross_entropy_rows(<const f64x*>logits, target, label_smoothing, z_loss, scale, loss, <f64x*>grad, rows, n)


cdef void loss_group(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                     Asked asked, bint with_grad) noexcept nogil:
    # logits, target, [weight], label_smoothing, z_loss, [scale] -> loss, [grad]. A row whose target is below 0 is
    # ignored: it has no loss, and a gradient of zeros, whatever its logits are.
    cdef Exponents own[GROUP]
    cdef Question questions[GROUP]
    cdef Py_ssize_t r, target = -1, count = 0
    cdef double factor = 1.0
    cdef int options = 2 if asked == CLASS else 3, results = options + (3 if with_grad else 2)
    cdef double* loss
    cdef void* grad
    cdef const void* wanted
    cdef const void* weight
    for r in range(rows):
        loss, grad = <double*>p[r][results], NULL
        if with_grad:
            grad = p[r][results + 1]
        if asked != PROBABILITIES:
            target = (<int64_t*>p[r][1])[0]
            if target < 0:
                if loss != NULL:
                    loss[0] = 0.0
                if grad != NULL:
                    memset(grad, 0, n * itemsize(like))
                continue
        own[count] = exponents_of(like, p[r][0], grad, 1.0, (<double*>p[r][options + 2])[0] if with_grad else 1.0)
        wanted = weight = NULL
        if asked == PROBABILITIES:
            wanted = p[r][1]
        if asked != CLASS:
            weight = p[r][2]
        if asked == WEIGHTED_CLASS and weight != NULL:
            factor = element(<const real*>weight, target)
        questions[count] = Question(target, wanted, weight, factor,
                                    element(<const real*>p[r][0], target) if target >= 0 else 0.0,
                                    (<double*>p[r][options])[0], (<double*>p[r][options + 1])[0], loss)
        count += 1
    cross_entropy(like, own, questions, count, n, threads)


cdef void loss_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                      int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, CLASS, False)


cdef void gradient_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                          int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, CLASS, True)


cdef void weighted_loss_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                               int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, WEIGHTED_CLASS, False)


cdef void weighted_gradient_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                   int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, WEIGHTED_CLASS, True)


cdef void probable_loss_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                               int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, PROBABILITIES, False)


cdef void probable_gradient_kernel(const real* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                                   int manner) noexcept nogil:
    loss_group(like, p, rows, n, threads, PROBABILITIES, True)


cross_entropy_gufunc = without_copies(with_columns(with_short_rows(along_axis(
    b"cross_entropy", <void*>loss_kernel[f32x], <void*>loss_kernel[f64x], b"riss", b"s",
    b"logits, target, label_smoothing, z_loss -> loss"),
    <void*>short_loss_kernel[f32x], <void*>short_loss_kernel[f64x]),
    <void*>loss_columns[f32x], <void*>loss_columns[f64x], 112), MOST_REGISTERS)
cross_entropy_with_grad_gufunc = with_all_rows(row_by_row(with_columns(with_short_rows(along_axis(
    b"cross_entropy_with_grad", <void*>gradient_kernel[f32x], <void*>gradient_kernel[f64x], b"risss", b"sr",
    b"logits, target, label_smoothing, z_loss, scale -> loss, grad"),
    <void*>short_gradient_kernel[f32x], <void*>short_gradient_kernel[f64x]),
    <void*>gradient_columns[f32x], <void*>gradient_columns[f64x], 32 if F32_LANES == 8 else 112)),
    <void*>all_gradients, NULL, 32)
weighted_cross_entropy_gufunc = without_copies(with_columns(with_short_rows(along_axis(
    b"weighted_cross_entropy", <void*>weighted_loss_kernel[f32x], <void*>weighted_loss_kernel[f64x], b"rivss", b"s",
    b"logits, target, weight, label_smoothing, z_loss -> loss"),
    <void*>short_weighted_loss_kernel[f32x], <void*>short_weighted_loss_kernel[f64x]),
    <void*>weighted_loss_columns[f32x], <void*>weighted_loss_columns[f64x], 112), MOST_REGISTERS)
weighted_cross_entropy_with_grad_gufunc = with_all_rows(with_columns(with_short_rows(along_axis(
    b"weighted_cross_entropy_with_grad", <void*>weighted_gradient_kernel[f32x],
    <void*>weighted_gradient_kernel[f64x], b"rivsss", b"sr",
    b"logits, target, weight, label_smoothing, z_loss, scale -> loss, grad"),
    <void*>short_weighted_gradient_kernel[f32x], <void*>short_weighted_gradient_kernel[f64x]),
    <void*>weighted_gradient_columns[f32x], <void*>weighted_gradient_columns[f64x], 32),
    <void*>all_weighted_gradients, NULL, 32)
probable_cross_entropy_gufunc = with_columns(with_short_rows(along_axis(
    b"probable_cross_entropy", <void*>probable_loss_kernel[f32x], <void*>probable_loss_kernel[f64x], b"rrvss", b"s",
    b"logits, probabilities, weight, label_smoothing, z_loss -> loss"),
    <void*>short_probable_loss_kernel[f32x], <void*>short_probable_loss_kernel[f64x]),
    <void*>probable_loss_columns, NULL, 112)
probable_cross_entropy_with_grad_gufunc = with_all_rows(with_columns(with_short_rows(along_axis(
    b"probable_cross_entropy_with_grad", <void*>probable_gradient_kernel[f32x],
    <void*>probable_gradient_kernel[f64x], b"rrvsss", b"sr",
    b"logits, probabilities, weight, label_smoothing, z_loss, scale -> loss, grad"),
    <void*>short_probable_gradient_kernel[f32x], <void*>short_probable_gradient_kernel[f64x]),
    <void*>probable_gradient_columns, NULL, 32 if F32_LANES == 8 else 56), <void*>all_probable_gradients, NULL, 32)


cdef double mean_loss_float64(const double* losses, double divisor, Py_ssize_t n) noexcept nogil:
    cdef double found = sum_values(<const f64x*>losses, n, 1) / divisor, scale = ldexp(1.0, -64)
    cdef Py_ssize_t i
    if not fabs(found) < INFINITY:  # a sum may be beyond the range (of two signs: NaN), and the mean not
        found = 0.0
        for i in range(n):
            found += losses[i] * scale
        found /= divisor * scale
    return found


def total(losses, double divisor):
    """sum(losses) / divisor, of float64 numbers or of one."""
    cdef np.ndarray each = np.PyArray_FROMANY(losses, np.NPY_DOUBLE, 0, 0, np.NPY_ARRAY_CARRAY_RO)
    cdef environment callers = enter_environment()
    cdef double found = mean_loss_float64(<const double*>np.PyArray_DATA(each), divisor, np.PyArray_SIZE(each))
    leave_environment(callers)
    return found
