/* PyTorch's operators in C++: compiled by lanewise.torch when it is first imported, against the headers that PyTorch
 * installs. One kernel for every elementwise operator, which calls the C function it is given, and one gradient for
 * every operator that has a backward; those along rows are in torch_rows.h. No mathematics. */
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/dynamo/compiled_autograd.h>
#include <torch/version.h>

#include <mutex>

#include "torch_operands.h"
#include "torch_rows.h"

namespace {

constexpr int MOST = 5;
constexpr ptrdiff_t BLOCK = 4096;  // bytes of an operand's block: those of all operands stay in the first cache

struct Elementwise final : c10::OperatorKernel {
    std::string name;
    int inputs, numbers, outputs, declared, like;  // declared: the operator's numbers, of which the function takes some
    void *functions[DTYPES];                       // of float16 and of bfloat16 it may be NULL
    std::string refused, parameters[2];            // "negative", "zero", "exceeding": what a number may not be

    void check(const double *given) const {
        TORCH_CHECK_VALUE(refused != "negative" || !(given[0] < 0), name, ": ", parameters[0],
                          " must be 0 or more; got ", given[0]);
        TORCH_CHECK_VALUE(refused != "zero" || given[0] != 0, name, ": ", parameters[0], " must not be 0; got ",
                          given[0]);
        TORCH_CHECK_VALUE(refused != "exceeding" || !(given[1] < given[0]), name, ": ", parameters[0],
                          " must not exceed ", parameters[1], "; got ", given[0], " and ", given[1]);
    }

    template <class Number>
    void call(void *function, char **p, const double *given, ptrdiff_t n) const {
        using P = void *;
        const Number a = static_cast<Number>(given[0]), b = static_cast<Number>(given[1]);
        switch (inputs * 100 + numbers * 10 + outputs) {
            case 101: return ((void (*)(P, P, ptrdiff_t))function)(p[0], p[1], n);
            case 111: return ((void (*)(P, Number, P, ptrdiff_t))function)(p[0], a, p[1], n);
            case 121: return ((void (*)(P, Number, Number, P, ptrdiff_t))function)(p[0], a, b, p[1], n);
            case 201: return ((void (*)(P, P, P, ptrdiff_t))function)(p[0], p[1], p[2], n);
            case 211: return ((void (*)(P, P, Number, P, ptrdiff_t))function)(p[0], p[1], a, p[2], n);
            case 221: return ((void (*)(P, P, Number, Number, P, ptrdiff_t))function)(p[0], p[1], a, b, p[2], n);
            case 302: return ((void (*)(P, P, P, P, P, ptrdiff_t))function)(p[0], p[1], p[2], p[3], p[4], n);
        }
    }

    /* 16-bit operands are widened to float32 in blocks and rounded once; one number for all is repeated in a block */
    void by_blocks(int dtype, char *const *data, const bool *repeated, const double *given, ptrdiff_t start,
                   ptrdiff_t stop) const {
        alignas(64) char blocks[MOST][BLOCK];
        const bool is_short = dtype < FLOAT32;
        const ptrdiff_t wide = dtype == FLOAT64 ? 8 : 4, size = is_short ? 2 : wide, most = BLOCK / wide;
        char *p[MOST];
        for (int k = 0; k < inputs; k++)
            if (repeated[k]) {
                if (is_short)
                    widen[dtype](data[k], (float *)blocks[k], 1);
                else
                    memcpy(blocks[k], data[k], size);
                for (ptrdiff_t i = 1; i < most; i++) memcpy(blocks[k] + i * wide, blocks[k], wide);
            }
        for (ptrdiff_t i = start, n; i < stop; i += n) {
            n = std::min(most, stop - i);
            for (int k = 0; k < inputs + outputs; k++) {
                p[k] = is_short || repeated[k] ? blocks[k] : data[k] + i * size;
                if (is_short && k < inputs && !repeated[k]) widen[dtype](data[k] + i * size, (float *)blocks[k], n);
            }
            if (dtype == FLOAT64)
                call<double>(functions[FLOAT64], p, given, n);
            else
                call<float>(functions[FLOAT32], p, given, n);
            for (int k = inputs; is_short && k < inputs + outputs; k++)
                narrow[dtype]((float *)blocks[k], data[k] + i * size, n);
        }
    }

    void operator()(const c10::OperatorHandle &, c10::DispatchKeySet, Stack *stack) const {
        Tensor tensors[MOST];
        char *data[MOST];
        bool repeated[MOST] = {}, blocks = false;
        double given[2] = {};
        const size_t first = stack->size() - inputs - declared;
        for (int k = 0; k < inputs; k++) tensors[k] = std::move((*stack)[first + k]).toTensor();
        for (int k = 0; k < numbers; k++) given[k] = (*stack)[first + inputs + k].toDouble();
        stack->erase(stack->begin() + first, stack->end());
        check(given);
        const Tensor &x = tensors[like];
        const int dtype = checked(name, x);
        for (int k = 0; k < inputs; k++) same_shape(name, x, tensors[k]);
        for (int k = 0; k < outputs; k++) {
            tensors[inputs + k] = like_it(x);
            data[inputs + k] = (char *)tensors[inputs + k].mutable_data_ptr();
        }
        const Tensor &y = tensors[inputs];
        for (int k = 0; k < inputs; k++) {  // elements go by pairs where they lie, whatever the order of dimensions
            if (tensors[k].strides() != y.strides()) {
                repeated[k] = std::all_of(tensors[k].strides().begin(), tensors[k].strides().end(),
                                          [](int64_t stride) { return stride == 0; });
                if (!repeated[k]) tensors[k] = at::empty_like(y).copy_(tensors[k]);
                blocks |= repeated[k];
            }
            data[k] = (char *)tensors[k].const_data_ptr();
        }
        blocks |= functions[dtype] == nullptr;
        const ptrdiff_t size = y.element_size();
        at::parallel_for(0, y.numel(), GRAIN, [&](int64_t start, int64_t stop) {
            const Environment nearest;
            if (blocks) return by_blocks(dtype, data, repeated, given, start, stop);
            char *p[MOST];
            for (int k = 0; k < inputs + outputs; k++) p[k] = data[k] + start * size;
            if (dtype == FLOAT64)
                call<double>(functions[dtype], p, given, stop - start);
            else
                call<float>(functions[dtype], p, given, stop - start);
        });
        for (int k = 0; k < outputs; k++) stack->emplace_back(std::move(tensors[inputs + k]));
    }
};

/* What stands between an operator and its kernel where gradients are recorded */
struct Differentiable final : c10::OperatorKernel {
    std::string name;
    std::optional<c10::OperatorHandle> backward, forward;  // forward: gives after the result what the backward takes last
    bool takes_output;

    struct Gradient final : torch::autograd::Node {
        const Differentiable *of;  // registered for the life of the process
        std::vector<torch::autograd::SavedVariable> saved;
        std::vector<c10::IValue> others;  // arguments that are no tensors, at their places
        std::vector<bool> is_saved;
        std::mutex one_at_a_time;

        std::string name() const override { return "Lanewise_" + of->name; }

        void check() const {
            if (!of->backward)
                C10_THROW_ERROR(NotImplementedError, "lanewise.torch." + of->name +
                                " has no derivative: Lanewise has no second derivatives");
        }

        std::vector<bool> asked_for() const {
            std::vector<bool> wanted(num_outputs());
            for (size_t k = 0; k < wanted.size(); k++) wanted[k] = task_should_compute_output(k);
            return wanted;
        }

        /* what the backward gives of a gradient and of what was kept, as far as it is asked for */
        static torch::autograd::variable_list called(const c10::OperatorHandle &backward, Stack stack,
                                                     const std::vector<bool> &wanted) {
            torch::autograd::variable_list found(wanted.size());
            if (!stack[0].toTensor().defined()) return found;
            backward.callBoxed(stack);
            for (size_t k = 0; k < stack.size() && k < found.size(); k++)
                if (wanted[k]) found[k] = std::move(stack[k]).toTensor();
            return found;
        }

        torch::autograd::variable_list apply(torch::autograd::variable_list &&grads) override {
            std::lock_guard<std::mutex> lock(one_at_a_time);
            check();
            Stack stack{grads[0]};
            for (size_t k = 0; k < others.size(); k++)
                stack.emplace_back(is_saved[k] ? c10::IValue(saved[k].unpack(getptr())) : others[k]);
            return called(*of->backward, std::move(stack), asked_for());
        }

#if TORCH_VERSION_MAJOR > 2 || TORCH_VERSION_MINOR >= 13  // older ones have other interfaces, and no way here
        /* Compiled autograd: what the compiled graph depends on, tensors as its inputs and all else as constants */
        void compiled_args(torch::dynamo::autograd::CompiledNodeArgs &args) const override {
            check();
            args.collect(of->name);
            args.collect(asked_for());
            args.collect(is_saved);
            for (size_t k = 0; k < others.size(); k++)
                if (is_saved[k])
                    args.collect(saved[k], of->takes_output && k == 0);
                else if (others[k].isDouble())
                    args.collect(others[k].toDouble());
                else if (others[k].isInt())
                    args.collect(others[k].toInt());
                else
                    args.collect(others[k].isNone() ? std::string() : others[k].toStringRef());
        }

        /* and how that graph calls the backward */
        torch::autograd::variable_list apply_with_saved(const torch::autograd::variable_list &grads,
                                                        torch::dynamo::autograd::SwapSavedVariables &swapped) override {
            namespace dynamo = torch::dynamo::autograd;
            std::vector<c10::IValue> tensors;
            for (size_t k = 0; k < others.size(); k++)
                if (is_saved[k]) {
                    swapped.before(saved[k]);
                    tensors.emplace_back(saved[k].unpack(getptr()));
                }
            auto with_tensors = [backward = *of->backward, constants = others, places = is_saved, wanted = asked_for()](
                                    const torch::autograd::variable_list &grads,
                                    const std::vector<c10::IValue> &tensors) {
                Stack stack{grads[0]};
                for (size_t k = 0, next = 0; k < places.size(); k++)
                    stack.emplace_back(places[k] ? tensors[next++] : constants[k]);
                return called(backward, std::move(stack), wanted);
            };
            const auto &interface = dynamo::getPyCompilerInterface();
            const auto bound = interface->bind_function(
                swapped.get_py_compiler(), name(), with_tensors,
                std::vector<at::TypePtr>(tensors.size(), at::TensorType::get()), true, true);
            auto found = interface->call_function(
                swapped.get_py_compiler(), "apply_functional", bound, grads, tensors,
                dynamo::IValuePacker<std::vector<std::optional<torch::autograd::InputMetadata>>>::pack(
                    dynamo::get_input_metadata(next_edges())));
            for (size_t k = 0; k < others.size(); k++)
                if (is_saved[k]) swapped.after(saved[k]);
            return found;
        }
#endif

        void release_variables() override {
            std::lock_guard<std::mutex> lock(one_at_a_time);
            for (auto &variable : saved) variable.reset_data();
        }
    };

    void operator()(const c10::OperatorHandle &op, c10::DispatchKeySet keys, Stack *stack) const {
        using namespace torch::autograd;
        const auto &arguments = op.schema().arguments();
        const size_t first = stack->size() - arguments.size();
        bool wanted = false;
        for (size_t k = first; k < stack->size(); k++)
            if ((*stack)[k].isTensor()) {
                const Tensor &x = (*stack)[k].toTensor();
                TORCH_CHECK_NOT_IMPLEMENTED(!isFwGradDefined(x), "lanewise.torch.", name,
                                            " has no forward-mode derivative");
                wanted |= x.requires_grad();
            }
        c10::intrusive_ptr<Gradient> node;
        if (wanted && c10::GradMode::is_enabled()) {
            node = c10::make_intrusive<Gradient>();
            node->of = this;
            node->others.assign(stack->begin() + first, stack->end());
            node->saved.resize(arguments.size());
            node->is_saved.resize(arguments.size());
            for (size_t k = 0; k < arguments.size(); k++) {
                auto &value = node->others[k];
                if (value.isTensor()) {
                    const Tensor &x = value.toTensor();
                    node->add_next_edge(x.requires_grad() ? impl::gradient_edge(x) : Edge());
                    node->is_saved[k] = true;
                    if (!takes_output && backward) node->saved[k] = SavedVariable(x, false);
                    value = c10::IValue();
                } else if (value.isNone()) {
                    node->add_next_edge(Edge());
                }
            }
        }
        {
            at::AutoDispatchBelowADInplaceOrView guard;
            if (node && forward)
                forward->callBoxed(*stack);
            else
                op.redispatchBoxed(keys & c10::after_autograd_keyset, stack);
        }
        if (node && forward)
            for (size_t k = first + 1, found = stack->size(); k < found; k++) {
                node->saved.emplace_back(stack->at(k).toTensor(), false);
                node->is_saved.push_back(true);
                node->others.emplace_back();
            }
        if (forward) stack->resize(first + 1);
        if (!node) return;
        for (size_t k = first; k < stack->size(); k++) set_history((*stack)[k].toTensor(), node);
        if (takes_output) node->saved[0] = SavedVariable((*stack)[first].toTensor(), true);
    }
};

template <class Kernel>
void register_kernel(const char *name, c10::DispatchKey key, std::unique_ptr<Kernel> kernel) {
    // kept for the life of the process
    new c10::RegistrationHandleRAII(c10::Dispatcher::singleton().registerImpl(
        {std::string("lanewise::") + name, ""}, key, c10::KernelFunction::makeFromBoxedFunctor(std::move(kernel)),
        std::nullopt, nullptr, "lanewise.torch"));
}

}  // namespace

extern "C" {

/* enter, leave, then decode and encode of float16 and of bfloat16, and the mean of losses */
void lanewise_set_functions(void *const *functions) {
    mean_loss = (decltype(mean_loss))functions[6];
    enter = (decltype(enter))functions[0];
    leave = (decltype(leave))functions[1];
    for (int k = 0; k < 2; k++) {
        widen[k] = (void (*)(const void *, float *, ptrdiff_t))functions[2 + 2 * k];
        narrow[k] = (void (*)(const float *, void *, ptrdiff_t))functions[3 + 2 * k];
    }
}

/* counts: inputs, numbers, outputs, declared numbers, the input that the outputs are like; a function for each dtype;
 * what is refused, and the names of the parameters */
void lanewise_elementwise(const char *name, const int *counts, void *const *functions, const char *const *refused) {
    auto kernel = std::make_unique<Elementwise>();
    kernel->name = name;
    kernel->inputs = counts[0], kernel->numbers = counts[1], kernel->outputs = counts[2];
    kernel->declared = counts[3], kernel->like = counts[4];
    std::copy(functions, functions + DTYPES, kernel->functions);
    kernel->refused = refused[0], kernel->parameters[0] = refused[1], kernel->parameters[1] = refused[2];
    register_kernel(name, c10::DispatchKey::CPU, std::move(kernel));
}

/* of a function along rows: its kinds, and for each dtype a loop and its operations, of one thread and of several */
struct lanewise_loops {
    const char *kinds;
    void *addresses[DTYPES][3];
};

/* "along dim", "norm", "norm with statistics", "norm backward", "cross_entropy" or "cross_entropy backward" */
void lanewise_along_rows(const char *name, const char *what, const lanewise_loops *given) {
    const std::string is = what;
    auto loops = [&](int which) {
        RowLoops of;
        of.kinds = given[which].kinds;
        for (int k = 0; k < DTYPES; k++) {
            of.loop[k] = (row_loop)given[which].addresses[k][0];
            of.alone[k] = given[which].addresses[k][1], of.shared[k] = given[which].addresses[k][2];
        }
        return of;
    };
    auto registered = [&](auto kernel) {
        const std::string whole = name;
        kernel->name = whole.substr(0, whole.find("_with_statistics"));  // what a person has called
        register_kernel(name, c10::DispatchKey::CPU, std::move(kernel));
    };
    if (is == "along dim") {
        auto kernel = std::make_unique<AlongDim>();
        kernel->loops = loops(0);
        registered(std::move(kernel));
    } else if (is == "norm" || is == "norm with statistics") {
        auto kernel = std::make_unique<Norm>();
        kernel->loops = loops(0), kernel->with_stats = is != "norm";
        registered(std::move(kernel));
    } else if (is == "norm backward") {
        auto kernel = std::make_unique<NormBackward>();
        kernel->loops = loops(0), kernel->statistics = loops(1);
        registered(std::move(kernel));
    } else {
        auto kernel = std::make_unique<CrossEntropy>();
        for (int k = 0; k < 3; k++) kernel->loops[k] = loops(k);
        kernel->is_backward = is != "cross_entropy";
        registered(std::move(kernel));
    }
}

/* backward is NULL where there is none, and forward where the backward wants nothing but what the operator was given */
void lanewise_differentiable(const char *name, const char *backward, const char *forward, int takes_output) {
    auto kernel = std::make_unique<Differentiable>();
    auto found = [](const char *of) {
        return c10::Dispatcher::singleton().findSchemaOrThrow((std::string("lanewise::") + of).c_str(), "");
    };
    kernel->name = name;
    kernel->takes_output = takes_output;
    if (backward) kernel->backward = found(backward);
    if (forward) kernel->forward = found(forward);
    register_kernel(name, c10::DispatchKey::Autograd, std::move(kernel));
}
}
