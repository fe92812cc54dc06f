/* What the operators of torch.cpp and torch_rows.h share: dtypes, what is refused, the floating-point environment. */
#pragma once
#include <ATen/EmptyTensor.h>
#include <ATen/Parallel.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <cstdint>
#include <string>

namespace {

using at::Tensor;
using torch::jit::Stack;

constexpr ptrdiff_t GRAIN = 1 << 15;  // elements that are worth a thread
enum { FLOAT16, BFLOAT16, FLOAT32, FLOAT64, DTYPES };

void (*enter)(uint64_t *);
void (*leave)(const uint64_t *);
void (*widen[2])(const void *, float *, ptrdiff_t);
void (*narrow[2])(const float *, void *, ptrdiff_t);
double (*mean_loss)(const double *, double, ptrdiff_t);

/* the floating-point environment in which the bits are Python's, whatever the thread has set */
struct Environment {
    uint64_t callers[8];
    Environment() { enter(callers); }
    ~Environment() { leave(callers); }
};

int place(const Tensor &x) {
    switch (x.scalar_type()) {
        case at::kHalf: return FLOAT16;
        case at::kBFloat16: return BFLOAT16;
        case at::kFloat: return FLOAT32;
        case at::kDouble: return FLOAT64;
        default: return DTYPES;
    }
}

/* Not filled. By no dispatcher, which takes longer than a small kernel: all of this is below it, on the CPU. */
Tensor contiguous(at::IntArrayRef sizes, at::ScalarType dtype) { return at::detail::empty_cpu(sizes, dtype); }

/* of the shape, the dtype and the layout of another */
Tensor like_it(const Tensor &x) {
    if (!x.is_contiguous()) return at::empty_like(x);
    Tensor y = contiguous(x.sizes(), x.scalar_type());
    return y.strides() == x.strides() ? y : at::empty_like(x);  // other strides of dimensions of length 1
}

std::string spelt(at::ScalarType dtype) {
    std::string name = at::toString(dtype);
    for (auto &[theirs, ours] : {std::pair{"Long", "int64"}, {"Int", "int32"}, {"Short", "int16"}, {"Char", "int8"},
                                 {"Byte", "uint8"}, {"Bool", "bool"}, {"Half", "float16"}, {"BFloat16", "bfloat16"},
                                 {"Float", "float32"}, {"Double", "float64"}, {"ComplexFloat", "complex64"},
                                 {"ComplexDouble", "complex128"}})
        if (name == theirs) return ours;
    return name;
}

std::string shape_of(const Tensor &x) {
    std::string text = "(";
    for (int64_t k = 0; k < x.dim(); k++)
        text += std::to_string(x.size(k)) + (x.dim() == 1 ? "," : k + 1 < x.dim() ? ", " : "");
    return text + ")";
}

std::string shape_and_dtype(const Tensor &x) { return shape_of(x) + " torch." + spelt(x.scalar_type()); }

/* its dtype's place */
int checked(const std::string &name, const Tensor &x) {
    const int dtype = x.device().is_cpu() ? place(x) : DTYPES;
    TORCH_CHECK_TYPE(dtype < DTYPES, "lanewise.torch.", name, " expected a CPU tensor of float16, bfloat16, float32 or "
                     "float64; got one of ", spelt(x.scalar_type()), " on ", x.device().str());
    return dtype;
}

void same_shape(const std::string &name, const Tensor &x, const Tensor &other) {
    TORCH_CHECK_VALUE(other.sizes() == x.sizes() && other.scalar_type() == x.scalar_type(), "lanewise.torch.", name,
                      " expected tensors of one shape and dtype; got ", shape_and_dtype(x), " and ",
                      shape_and_dtype(other));
}

}  // namespace
