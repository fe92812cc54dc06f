"""The contender ONNX Runtime: graphs of one operator, their inputs and output bound beforehand."""

import importlib.util

import numpy as np

from .peers import Contender, UnavailableError, contiguous_only, moved_of

__all__ = ["OPERATORS", "onnx_contender", "onnx_matmul4", "onnx_operator", "prepare_onnxruntime"]

OPERATORS = {  # of functions: operator, its domain, its attributes; QuickGelu with alpha = 1 is silu
    "relu": ("Relu", "", {}),
    "sigmoid": ("Sigmoid", "", {}),
    "tanh": ("Tanh", "", {}),
    "gelu": ("Gelu", "", {}),
    "silu": ("QuickGelu", "com.microsoft", {"alpha": 1.0}),
    "exp": ("Exp", "", {}),
    "log": ("Log", "", {}),
    "erf": ("Erf", "", {}),
    "gelu_tanh": ("Gelu", "", {"approximate": "tanh"}),
    "leaky_relu": ("LeakyRelu", "", {"alpha": 0.01}),
    "elu": ("Elu", "", {}),
    "celu": ("Celu", "", {}),
    "selu": ("Selu", "", {}),
    "softplus": ("Softplus", "", {}),
    "softsign": ("Softsign", "", {}),
    "mish": ("Mish", "", {}),
    "hardsigmoid": ("HardSigmoid", "", {"alpha": 1 / 6, "beta": 0.5}),
    "hardswish": ("HardSwish", "", {}),
    "softshrink": ("Shrink", "", {"lambd": 0.5, "bias": 0.5}),
    "hardshrink": ("Shrink", "", {"lambd": 0.5, "bias": 0.0}),
}


def prepare_onnxruntime(work, inputs, threads):
    """Prepare ONNX Runtime, a graph of the one operator, input and output bound beforehand; float32 only."""
    contiguous_only(work)
    if work.name not in OPERATORS:
        raise UnavailableError("has no such operator")
    return onnx_contender(*OPERATORS[work.name], inputs, threads)


def onnx_contender(operator, domain, attributes, inputs, threads):
    """Prepare one operator of ONNX Runtime, whose output has the shape of its first input; float32 only."""
    return _onnx(operator, domain, attributes, inputs, {}, np.empty_like(inputs[0]), threads)


def onnx_operator(operator, *, axes=None, shaped=np.shape, **attributes):
    """Who prepares one operator of a work's inputs. `axes` are those it reduces, which are an input of it, and `shaped`
    says the shape of its output, of the first input."""
    constants = {} if axes is None else {"axes": np.array(axes)}

    def prepare(work, inputs, threads):
        contiguous_only(work)
        return _onnx(operator, "", attributes, inputs, constants, np.empty(shaped(inputs[0]), np.float32), threads)

    return prepare


def onnx_matmul4(x, codes, scales, block, threads):
    """Prepare ONNX Runtime's product with 4-bit weights and int8 activations, of codes of INT4 with a scale a block."""
    constants = {"weights": (codes ^ 0x88).reshape(len(codes), -1, block // 2), "scales": scales.ravel()}
    attributes = {"K": x.shape[1], "N": len(codes), "bits": 4, "block_size": block, "accuracy_level": 4}
    y = np.empty((len(x), len(codes)), np.float32)
    return _onnx("MatMulNBits", "com.microsoft", attributes, [x], constants, y, threads)


def _onnx(operator, domain, attributes, inputs, constants, y, threads):
    if any(importlib.util.find_spec(module) is None for module in ("onnx", "onnxruntime")):
        raise UnavailableError("not installed")
    if inputs[0].dtype != np.float32:
        raise UnavailableError("is timed in float32 only")
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper

    names = [f"x{k}" for k in range(len(inputs))]
    graph = helper.make_graph(
        [helper.make_node(operator, [*names, *constants], ["y"], domain=domain, **attributes)],
        operator,
        [helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)
         for name, x in zip(names, inputs, strict=True)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, y.shape)],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    binding = session.io_binding()
    for name, x in zip(names, inputs, strict=True):
        binding.bind_input(name, "cpu", 0, x.dtype, x.shape, x.ctypes.data)
    binding.bind_output("y", "cpu", 0, np.float32, y.shape, y.ctypes.data)
    return Contender("onnxruntime", lambda: session.run_with_iobinding(binding), lambda: y, moved_of(inputs, y))
