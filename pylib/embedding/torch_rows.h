/* PyTorch's operators along rows: softmax, the norms, cross_entropy and their gradients. Each calls the loop that
 * NumPy calls for the Python function, so that dtypes, strides and the order of sums are those of the row machine.
 * Rows are shared among PyTorch's threads; sums over all rows, whose order the row machine knows, among Lanewise's. */
#pragma once
#include <ATen/ops/empty.h>
#include <c10/util/SmallBuffer.h>

#include <cmath>
#include <cstring>
#include <vector>

#include "rows.h"
#include "torch_operands.h"

namespace {

/* Of each dtype a loop and its operation, one that keeps to its thread and one that has Lanewise's. */
struct RowLoops {
    std::string kinds;
    row_loop loop[DTYPES];
    const void *alone[DTYPES], *shared[DTYPES];
};

/* An operand, and how long its elements are: 0 of one number for all rows */
struct RowOperand {
    const void *data;
    intptr_t size;
};

/* (p, n, q) as it lies in memory, of a tensor whose elements lie without a gap: rows of n along one dimension */
struct Rows {
    int64_t p, n, q;
};

Rows rows_of(const Tensor &x, int64_t dim) {
    if (x.dim() == 0 || x.numel() == 0 || x.size(dim) == 1) return {x.numel(), 1, 1};
    const int64_t n = x.size(dim), q = x.stride(dim);
    return {x.numel() / (n * q), n, q};
}

void call(const RowLoops &of, const void *operation, int dtype, char **at, const RowOperand *operands, int64_t rows,
          int64_t n, int64_t q) {
    intptr_t sizes[MOST_ROW_OPERANDS];
    for (size_t k = 0; k < of.kinds.size(); k++) sizes[k] = operands[k].size;
    TORCH_CHECK_WITH(OutOfMemoryError,
                     call_rows(of.loop[dtype], operation, of.kinds.c_str(), at, sizes, rows, n, q),
                     "lanewise.torch: no memory for rows of ", n, " numbers");
}

/* rows that know nothing of each other */
void on_rows(const RowLoops &of, int dtype, const Rows &rows, const RowOperand *operands) {
    const int64_t grain = std::max<int64_t>(1, GRAIN / std::max<int64_t>(rows.n, 1));
    at::parallel_for(0, rows.p * rows.q, grain, [&](int64_t start, int64_t stop) {
        const Environment nearest;
        char *at[MOST_ROW_OPERANDS];
        double unwanted;
        for (int64_t first = start, count; first < stop; first += count) {
            const int64_t p = first / rows.q, q = first % rows.q;
            count = rows.q == 1 ? stop - first : std::min(rows.q - q, stop - first);
            for (size_t k = 0; k < of.kinds.size(); k++) {
                const char kind = of.kinds[k];
                const int64_t element = kind == 'r' ? p * rows.n * rows.q + q : kind == 'v' ? 0 : first;
                at[k] = (char *)operands[k].data;
                if (at[k] != nullptr) at[k] += element * operands[k].size;
                if (at[k] == nullptr && kind == 's') at[k] = (char *)&unwanted;
            }
            call(of, of.alone[dtype], dtype, at, operands, count, rows.n, rows.q);
        }
    });
}

/* contiguous rows over which sums are taken */
void over_rows(const RowLoops &of, int dtype, const Rows &rows, const RowOperand *operands) {
    const Environment nearest;
    char *at[MOST_ROW_OPERANDS];
    for (size_t k = 0; k < of.kinds.size(); k++) at[k] = (char *)operands[k].data;
    const bool alone = at::get_num_threads() == 1 || at::in_parallel_region();
    call(of, alone ? of.alone[dtype] : of.shared[dtype], dtype, at, operands, rows.p, rows.n, 1);
}

RowOperand row(const Tensor &x) { return {x.const_data_ptr(), (intptr_t)x.element_size()}; }

RowOperand vector(const std::optional<Tensor> &x) {
    return x ? RowOperand{x->const_data_ptr(), (intptr_t)x->element_size()} : RowOperand{nullptr, 4};
}

RowOperand number(const double *of_all) { return {of_all, 0}; }

RowOperand numbers(const Tensor &of_each) { return {of_each.const_data_ptr(), 8}; }

/* a vector along rows of n numbers, or none: of the dtype of the rows, or of what they are computed in */
std::optional<Tensor> fitting(const std::string &name, int which, std::optional<Tensor> &&values, const Tensor &x,
                              int64_t n) {
    const char *const role = which == 0 ? "weight" : "bias";
    if (!values) return values;
    TORCH_CHECK_VALUE(values->dim() == 1 && values->size(0) == n, name, ": ", role, " of shape ", shape_of(*values),
                      " does not fit x of shape ", shape_of(x), "; it must have shape (", n, ",)");
    const auto dtype = values->scalar_type();
    TORCH_CHECK_TYPE(dtype == x.scalar_type() || (dtype == at::kFloat && place(x) < FLOAT32), name, ": ", role, " of ",
                     spelt(dtype), " does not fit x of ", spelt(x.scalar_type()), "; it must have that dtype, or "
                     "float32 beside 16-bit floats");
    return values->contiguous();
}

at::IntArrayRef without_last(at::IntArrayRef sizes) { return sizes.slice(0, sizes.empty() ? 0 : sizes.size() - 1); }

Tensor new_statistic(const Tensor &x) {
    Tensor found = contiguous(without_last(x.sizes()), at::kDouble);
    return x.numel() ? found : found.zero_();  // of rows of no numbers
}

/* towards zero, and then odd where that is not exact, so that another rounding, to fewer bits, is the only one */
float to_odd(double value) {
    float found = static_cast<float>(value);
    if (found == value || !(std::fabs(value) <= 3.4028234663852886e38)) return found;
    uint32_t bits;
    memcpy(&bits, &found, 4);
    bits = (bits - (std::fabs(found) > std::fabs(value))) | 1;
    memcpy(&found, &bits, 4);
    return found;
}

/* float64 or float32 to where another dtype is kept, as NumPy and ml_dtypes round them */
template <class Number>
void round_to(const Tensor &y, const Number *values) {
    const Environment nearest;
    const int64_t n = y.numel();
    const int dtype = place(y);
    if (dtype == FLOAT64) return (void)std::copy(values, values + n, y.mutable_data_ptr<double>());
    if (dtype == FLOAT32) return (void)std::copy(values, values + n, y.mutable_data_ptr<float>());
    c10::SmallBuffer<float, 64> single(n);
    if (dtype == FLOAT16 && sizeof(Number) == 8)
        std::transform(values, values + n, single.data(), to_odd);
    else
        std::copy(values, values + n, single.data());
    narrow[dtype](single.data(), y.mutable_data_ptr(), n);
}

std::optional<Tensor> tensor_of(c10::IValue &&value) {
    if (value.isNone()) return std::nullopt;
    return std::move(value).toTensor();
}

void check_number(const std::string &name, const char *role, double value, double most) {
    TORCH_CHECK_VALUE(value >= 0 && value <= most && std::isfinite(value), name, ": ", role, " must be ",
                      std::isinf(most) ? "a finite number of 0 or more" : "from 0 to 1", ", not ", value);
}

/* (x, dim), or (grad, y, dim), of one shape and layout */
struct AlongDim final : c10::OperatorKernel {
    std::string name;
    RowLoops loops;

    void operator()(const c10::OperatorHandle &op, c10::DispatchKeySet, Stack *stack) const {
        Tensor tensors[2];
        const int inputs = (int)op.schema().arguments().size() - 1;
        const size_t first = stack->size() - inputs - 1;
        for (int k = 0; k < inputs; k++) tensors[k] = std::move((*stack)[first + k]).toTensor();
        const Tensor x = tensors[inputs - 1];
        const int dtype = checked(name, x);
        const int64_t dim = c10::maybe_wrap_dim(stack->back().toInt(), x.dim());
        stack->erase(stack->begin() + first, stack->end());
        Tensor y = like_it(x);
        const double one = 1;
        RowOperand operands[MOST_ROW_OPERANDS];
        int filled = 0;
        for (int k = 0; k < inputs; k++) {
            same_shape(name, x, tensors[k]);
            if (tensors[k].strides() != y.strides()) tensors[k] = at::empty_like(y).copy_(tensors[k]);
            operands[filled++] = row(tensors[k]);
        }
        if (loops.kinds[filled] == 's') operands[filled++] = number(&one);
        operands[filled] = row(y);
        on_rows(loops, dtype, rows_of(y, dim), operands);
        stack->emplace_back(std::move(y));
    }
};

/* x, its vectors, eps; then, if `with_stats`, as many statistics of each row come after the result */
struct Norm final : c10::OperatorKernel {
    std::string name;
    RowLoops loops;
    bool with_stats;

    void operator()(const c10::OperatorHandle &op, c10::DispatchKeySet, Stack *stack) const {
        std::optional<Tensor> vectors[2];
        const int count = (int)op.schema().arguments().size() - 2;
        const size_t first = stack->size() - count - 2;
        Tensor x = std::move((*stack)[first]).toTensor();
        const int dtype = checked(name, x);
        const int64_t n = x.dim() ? x.size(-1) : 1;
        for (int k = 0; k < count; k++)
            vectors[k] = fitting(name, k, tensor_of(std::move((*stack)[first + 1 + k])), x, n);
        const double eps = stack->back().toDouble();
        check_number(name, "eps", eps, INFINITY);
        stack->erase(stack->begin() + first, stack->end());
        x = x.contiguous();
        Tensor y = contiguous(x.sizes(), x.scalar_type());
        RowOperand operands[MOST_ROW_OPERANDS] = {row(x)};
        int filled = 1;
        for (int k = 0; k < count; k++) operands[filled++] = vector(vectors[k]);
        operands[filled++] = number(&eps);
        operands[filled++] = row(y);
        stack->emplace_back(y);
        for (int k = 0; k < count; k++) {
            if (with_stats) stack->emplace_back(new_statistic(x));
            operands[filled++] = with_stats ? numbers(stack->back().toTensor()) : number(nullptr);
        }
        on_rows(loops, dtype, rows_of(x, x.dim() - 1), operands);
    }
};

/* grad, x, the forward's vectors, eps, and its statistics, which are found again where they are not given */
struct NormBackward final : c10::OperatorKernel {
    std::string name;
    RowLoops loops, statistics;

    void operator()(const c10::OperatorHandle &op, c10::DispatchKeySet, Stack *stack) const {
        std::optional<Tensor> vectors[2], stats[2], sums[2];
        const int all = (int)op.schema().arguments().size(), count = (all - 3) / 2;
        const size_t first = stack->size() - all;
        Tensor grad = std::move((*stack)[first]).toTensor(), x = std::move((*stack)[first + 1]).toTensor();
        const int dtype = checked(name, x);
        const Rows rows = rows_of(x.contiguous(), x.dim() - 1);
        const int64_t n = x.dim() ? x.size(-1) : 1;
        same_shape(name, x, grad);
        for (int k = 0; k < count; k++) {
            vectors[k] = fitting(name, k, tensor_of(std::move((*stack)[first + 2 + k])), x, n);
            stats[k] = tensor_of(std::move((*stack)[first + 3 + count + k]));
        }
        const double eps = (*stack)[first + 2 + count].toDouble();
        check_number(name, "eps", eps, INFINITY);
        stack->erase(stack->begin() + first, stack->end());
        x = x.contiguous(), grad = grad.contiguous();
        if (std::any_of(stats, stats + count, [](auto &of) { return !of; })) {
            RowOperand operands[MOST_ROW_OPERANDS] = {row(x), number(&eps)};
            for (int k = 0; k < count; k++) operands[2 + k] = numbers(*(stats[k] = new_statistic(x)));
            on_rows(statistics, dtype, rows, operands);
        }
        Tensor grad_x = contiguous(x.sizes(), x.scalar_type());
        RowOperand operands[MOST_ROW_OPERANDS] = {row(grad), row(x), vector(vectors[0])};
        int filled = 3;
        for (int k = 0; k < count; k++) {
            TORCH_CHECK_VALUE(stats[k]->scalar_type() == at::kDouble && stats[k]->sizes() == without_last(x.sizes()),
                              name, ": statistics of ", shape_and_dtype(*stats[k]), " do not fit x of shape ",
                              shape_of(x), "; they must be float64, one of each row");
            operands[filled++] = numbers(*(stats[k] = stats[k]->contiguous()));
        }
        operands[filled++] = row(grad_x);
        for (int k = 0; k < count; k++) {
            if (vectors[k]) sums[k] = contiguous({n}, dtype == FLOAT64 ? at::kDouble : at::kFloat);
            operands[filled++] = vector(sums[k]);
        }
        if (rows.p > 0)
            over_rows(loops, dtype, rows, operands);
        stack->emplace_back(std::move(grad_x));
        for (int k = 0; k < count; k++) {
            if (sums[k] && rows.p == 0) sums[k]->zero_();
            if (sums[k] && vectors[k]->scalar_type() != sums[k]->scalar_type()) {  // of float32 for 16-bit floats
                const Tensor y = at::empty({n}, vectors[k]->options());
                round_to(y, sums[k]->const_data_ptr<float>());
                sums[k] = y;
            }
            stack->emplace_back(sums[k] ? *sums[k] : contiguous({0}, x.scalar_type()));
        }
    }
};

/* logits, target, weight, ignore_index, reduction, label_smoothing, z_loss; of the backward the gradient before them.
 * Three loops: of classes, of classes with weights, of probabilities. */
struct CrossEntropy final : c10::OperatorKernel {
    std::string name;
    RowLoops loops[3];
    bool is_backward;

    /* the classes asked for, -1 where a row is ignored */
    Tensor classes_of(const Tensor &target, int64_t ignored, int64_t classes) const {
        const Tensor given = target.to(at::kLong).contiguous();
        const int64_t *of = given.const_data_ptr<int64_t>(), rows = given.numel();
        for (int64_t i = 0; i < rows; i++) {
            if (of[i] == ignored || (0 <= of[i] && of[i] < classes)) continue;
            std::string position;
            for (int64_t k = target.dim() - 1, rest = i; k >= 0; rest /= target.size(k--))
                position = std::to_string(rest % target.size(k)) + (position.empty() ? "" : ", ") + position;
            TORCH_CHECK_VALUE(false, name, ": target[", position, "] is ", of[i], "; ",
                              classes ? "expected 0 to " + std::to_string(classes - 1) : "there are no classes");
        }
        if (ignored == -1 || std::find(of, of + rows, ignored) == of + rows) return given;
        const Tensor found = at::empty_like(given);
        std::replace_copy(of, of + rows, found.mutable_data_ptr<int64_t>(), ignored, int64_t{-1});
        return found;
    }

    /* what a mean divides by: the weights of the rows that count */
    static double weights_of(const Tensor &classes, const std::optional<Tensor> &weight) {
        const int64_t *of = classes.const_data_ptr<int64_t>(), rows = classes.numel();
        if (!weight) return (double)(rows - std::count(of, of + rows, -1));
        const Tensor wide = weight->to(at::kDouble);
        std::vector<double> weights(rows);
        for (int64_t i = 0; i < rows; i++) weights[i] = of[i] < 0 ? 0 : wide.const_data_ptr<double>()[of[i]];
        const Environment nearest;
        return mean_loss(weights.data(), 1, rows);
    }

    static double mean_of(const c10::SmallBuffer<double, 64> &losses, double divisor) {
        const Environment nearest;
        return mean_loss(losses.data(), divisor, losses.size());
    }

    void operator()(const c10::OperatorHandle &, c10::DispatchKeySet, Stack *stack) const {
        const size_t first = stack->size() - 7;
        Tensor logits = std::move((*stack)[first]).toTensor(), target = std::move((*stack)[first + 1]).toTensor();
        std::optional<Tensor> weight = tensor_of(std::move((*stack)[first + 2]));
        const int64_t ignored = (*stack)[first + 3].toInt();
        const std::string reduction = (*stack)[first + 4].toStringRef();
        const double smoothing = (*stack)[first + 5].toDouble(), z_loss = (*stack)[first + 6].toDouble();
        Tensor grad = is_backward ? std::move((*stack)[first - 1]).toTensor() : Tensor();
        stack->erase(stack->begin() + first - is_backward, stack->end());

        const bool mean = reduction == "mean", each = reduction == "none";
        TORCH_CHECK_VALUE(mean || each || reduction == "sum", name, ": reduction '", reduction,
                          "' is unknown; expected one of mean, sum, none");
        check_number(name, "label_smoothing", smoothing, 1);
        check_number(name, "z_loss", z_loss, INFINITY);
        const int dtype = checked(name, logits);
        TORCH_CHECK_VALUE(logits.dim() > 0, name, ": logits of shape () have no axis of classes");
        const int64_t dim = std::min<int64_t>(1, logits.dim() - 1), classes = logits.size(dim);
        auto shape = logits.sizes().vec();
        shape.erase(shape.begin() + dim);
        const bool probable = at::isFloatingType(target.scalar_type());
        TORCH_CHECK_TYPE(probable || (at::isIntegralType(target.scalar_type(), false) && target.device().is_cpu()), name,
                         ": target must hold integers, or probabilities, not ", spelt(target.scalar_type()));
        TORCH_CHECK_VALUE(target.sizes() == (probable ? logits.sizes() : at::IntArrayRef(shape)), name,
                          ": target of shape ", shape_of(target), " does not fit logits of shape ", shape_of(logits));
        weight = fitting(name, 0, std::move(weight), logits, classes);
        logits = logits.contiguous();
        target = probable ? target.to(logits.scalar_type()).contiguous() : classes_of(target, ignored, classes);
        const Rows rows = classes == 1 ? Rows{logits.numel(), 1, 1} : rows_of(logits, dim);
        double divisor = mean ? (double)(probable ? rows.p * rows.q : 0) : 1;
        if (mean && !probable) divisor = weights_of(target, weight);

        c10::SmallBuffer<double, 64> losses(c10::multiply_integers(shape));
        if (classes == 0) std::fill(losses.begin(), losses.end(), 0.0);
        RowOperand operands[MOST_ROW_OPERANDS] = {row(logits), probable ? row(target) : numbers(target)};
        int filled = 2;
        if (probable || weight) operands[filled++] = vector(weight);
        operands[filled++] = number(&smoothing), operands[filled++] = number(&z_loss);
        const RowLoops &of = loops[probable ? 2 : weight ? 1 : 0];
        if (!is_backward) {
            operands[filled++] = {losses.data(), 8};
            on_rows(of, dtype, rows, operands);
            const double found = each ? 0 : mean_of(losses, divisor);
            const Tensor y = at::empty(each ? at::IntArrayRef(shape) : at::IntArrayRef(), logits.options());
            round_to(y, each ? losses.data() : &found);
            stack->emplace_back(y);
            return;
        }
        TORCH_CHECK_VALUE(grad.sizes() == (each ? at::IntArrayRef(shape) : at::IntArrayRef()), name, ": grad of shape ",
                          shape_of(grad), " does not fit a loss of shape ", each ? at::IntArrayRef(shape) : at::IntArrayRef());
        grad = grad.to(at::kDouble).contiguous();
        const double scale = each ? 0 : grad.item<double>() * (divisor != 0 ? 1 / divisor : INFINITY);
        const Tensor grad_logits = at::empty_like(logits);
        operands[filled++] = each ? numbers(grad) : number(&scale);
        operands[filled++] = number(nullptr), operands[filled++] = row(grad_logits);
        on_rows(of, dtype, rows, operands);
        stack->emplace_back(grad_logits);
    }
};

}  // namespace
