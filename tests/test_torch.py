"""lanewise.torch with the real PyTorch: the bits of lw's functions, gradients, torch.library's own checks, and
torch.compile, by its operators in C++ and by those in Python. Skipped where PyTorch is not installed."""

import copy
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")

from lanewise import torch as lt  # noqa: E402
from torch_samples import (  # noqa: E402
    DTYPES,
    NAMES,
    NUMBERS,
    array,
    expected_of,
    operator_arguments,
    published,
    tensors_of,
)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_same_bits(name, dtype):
    tensors = tensors_of(name, dtype)
    expected = expected_of(name, tensors)
    y = published(name, *tensors)
    assert y.dtype == dtype
    assert array(y).tobytes() == expected.tobytes()
    op, operands = operator_arguments(name, tensors)
    assert array(op(*operands)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", [name for name in NAMES if name in NUMBERS])
def test_defaults(name):
    if name == "threshold":
        pytest.skip("has none")
    (x,) = tensors_of(name, torch.float32)
    assert array(getattr(lt, name)(x)).tobytes() == getattr(lw, name)(x.numpy()).tobytes()


@pytest.mark.parametrize("name", NAMES)
def test_gradients(name):
    tensors = tensors_of(name, torch.float64, requires_grad=name != "cross_entropy")
    tensors[0].requires_grad_()
    assert torch.autograd.gradcheck(lambda *tensors: published(name, *tensors), tensors)


@pytest.mark.above_kernels  # how PyTorch has registered them
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # 2.14 does so
@pytest.mark.parametrize("name", NAMES)
def test_library_checks(name):
    tensors = tensors_of(name, torch.float32, requires_grad=name != "cross_entropy")
    tensors[0].requires_grad_()
    op, operands = operator_arguments(name, tensors)
    torch.library.opcheck(op, operands)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "cross_entropy"])
@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_have_the_bits_of_the_backward(name, dtype):
    tensors = tensors_of(name, dtype, requires_grad=True)
    y = published(name, *tensors)
    grad = torch.linspace(-2, 2, y.numel()).reshape(y.shape).to(dtype)
    y.backward(grad)
    saved = [y] if name in ("softmax", "log_softmax", "sigmoid", "tanh") else tensors
    found = getattr(lw, f"{name}_backward")(array(grad), *map(array, saved), *NUMBERS.get(name, []))
    for tensor, expected in zip(tensors, found if isinstance(found, tuple) else [found], strict=True):
        assert array(tensor.grad).tobytes() == expected.tobytes()


@pytest.mark.filterwarnings("ignore")  # PyTorch's own while it compiles
def test_compiled_whole():
    def model(x, up, weight):
        return lt.swiglu(lt.silu(x), up).sum() + lt.rms_norm(x, weight).sum() + lt.elu(x, 0.5).sum()

    tensors = [*tensors_of("swiglu", torch.float32, requires_grad=True), torch.ones(7, requires_grad=True)]
    model(*tensors).backward()
    expected = [tensor.grad.clone() for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert compiled(*tensors).item() == model(*tensors).item()
    compiled(*tensors).backward()
    assert all(torch.equal(tensor.grad, grad) for tensor, grad in zip(tensors, expected, strict=True))


@pytest.mark.filterwarnings("ignore")  # PyTorch's own while it compiles
@pytest.mark.parametrize("name", ["silu", "elu", "sigmoid", "swiglu", "softmax", "layer_norm", "cross_entropy"])
def test_compiled_backwards(name):
    """As torch._dynamo.config.compiled_autograd does it: a graph of a backward, and again with other constants."""
    function, given = getattr(lt, name), {
        "elu": [(0.3,), (0.7,)], "softmax": [(0,), (1,)], "swiglu": [(torch.randn(5, 6),)] * 2,
        "layer_norm": [(torch.nn.Parameter(torch.randn(6)), None), (None, torch.nn.Parameter(torch.randn(6)))],
        "cross_entropy": [(torch.arange(5), None), (torch.arange(5), torch.rand(6))]}
    compiled = torch.compile(backend="eager")
    for k, more in enumerate(given.get(name, [(), ()])):
        x = torch.randn(5, 6, requires_grad=True)
        keywords = {"reduction": ("sum", "mean")[k], "label_smoothing": 0.1} if name == "cross_entropy" else {}
        wanted = [x, *(of for of in more if isinstance(of, torch.Tensor) and of.requires_grad)]
        expected = torch.autograd.grad(function(x, *more, **keywords).square().sum(), wanted)
        loss = function(x, *more, **keywords).square().sum()
        with torch._dynamo.compiled_autograd._enable(compiled):
            loss.backward()
        for of, grad in zip(wanted, expected, strict=True):
            assert torch.equal(of.grad, grad)
    again, = torch.autograd.grad(lt.silu(x).sum(), x, create_graph=True)
    with torch._dynamo.compiled_autograd._enable(compiled), pytest.raises(NotImplementedError, match="no second deriv"):
        again.sum().backward()


@pytest.mark.parametrize("n", [0, 1, 255, 1023, 1024, 1025, 1 << 15, (1 << 15) + 1, 1 << 17])
def test_lengths(n):
    x = torch.linspace(-9, 9, n)
    for dtype in DTYPES:
        assert array(lt.silu(x.to(dtype))).tobytes() == lw.silu(array(x.to(dtype))).tobytes()
        found, expected = lt.swiglu(x.to(dtype), x.to(dtype)), lw.swiglu(array(x.to(dtype)), array(x.to(dtype)))
        assert array(found).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 5000])
def test_a_gradient_that_is_one_number_for_all(n, dtype):
    # what .sum().backward() sends: a tensor without steps
    x = torch.linspace(-9, 9, n).to(dtype).requires_grad_()
    lt.elu(x, 0.7).backward(torch.tensor(0.3, dtype=dtype).expand(n))
    expected = lw.elu_backward(np.full(n, array(torch.tensor(0.3, dtype=dtype))), array(x), 0.7)
    assert array(x.grad).tobytes() == expected.tobytes()


def test_layouts():
    x = torch.randn(2, 3, 4, 5)
    for view in (x.permute(3, 1, 0, 2), x[:, ::2], x.to(memory_format=torch.channels_last), x[0, 0, 0, 0]):
        for name in ("silu", "leaky_relu"):
            y = getattr(lt, name)(view)
            assert np.array_equal(y.numpy(), getattr(lw, name)(view.numpy()))
            assert y.stride() == torch.empty_like(view).stride()
        y = lt.swiglu(view, x.reshape(-1)[:view.numel()].reshape(view.shape))
        assert np.array_equal(y.numpy(), lw.swiglu(view.numpy(), x.numpy().reshape(-1)[:view.numel()].reshape(
            view.shape)))


def test_subnormals_are_kept_where_the_thread_flushes_them():
    x = torch.full((64,), 1e-39)
    for name in ("silu", "softmax", "rms_norm", "layer_norm"):
        expected = getattr(lw, name)(x.numpy())
        assert torch.set_flush_denormal(True)
        try:
            y = getattr(lt, name)(x)
        finally:
            torch.set_flush_denormal(False)
        assert np.array_equal(y.numpy(), expected)
        assert name == "layer_norm" or expected[0] > 0


def test_parameters_of_a_module():
    weight = torch.nn.Parameter(torch.randn(7))
    lt.silu(weight).sum().backward()
    with torch.no_grad():
        assert not lt.silu(weight).requires_grad


@pytest.mark.filterwarnings("ignore:.*batching rule")  # PyTorch calls a gradient of weights for each element
def test_transforms():
    x, up = torch.randn(3, 7), torch.randn(3)
    assert torch.equal(torch.func.vmap(lt.silu)(x), lt.silu(x))
    assert torch.equal(torch.func.vmap(lt.elu, in_dims=1, out_dims=1)(x), lt.elu(x))
    found = torch.func.vmap(lt.swiglu, in_dims=(1, None))(x, up)
    assert torch.equal(found, lt.swiglu(x.T, up.expand(7, 3)))
    if lt.operators() == "C++":  # PyTorch refuses gradients that are registered in Python
        grad = torch.func.vmap(torch.func.grad(lambda x: lt.gelu(x).sum()))(x)
        expected = lw.gelu_backward(np.ones((3, 7), np.float32), x.numpy())
        assert np.array_equal(grad.numpy(), expected)
        grads = torch.func.vmap(torch.func.grad(lambda x: lt.layer_norm(x).square().sum()))(x)
        y = torch.nn.Parameter(x)
        lt.layer_norm(y).square().sum().backward()
        assert torch.equal(grads, y.grad)


def test_outputs_can_be_copied():
    y = lt.silu(torch.randn(5))
    assert torch.equal(pickle.loads(pickle.dumps(copy.deepcopy(y))), y)


@pytest.mark.parametrize("name", ["silu", "elu", "softmax", "rms_norm"])
@pytest.mark.parametrize("tensor", [torch.arange(5), torch.ones(5, dtype=torch.complex64)])
def test_wrong_dtypes(name, tensor):
    with pytest.raises(TypeError, match=f"lanewise.torch.{name} expected a CPU tensor of float16.*got one of"):
        getattr(lt, name)(tensor)


def test_gates_of_two_shapes():
    with pytest.raises(ValueError, match=r"swiglu expected tensors of one shape and dtype; got \(3,\).*\(4,\)"):
        lt.swiglu(torch.ones(3), torch.ones(4))


@pytest.mark.parametrize("call", [
    lambda x, other: lt.swiglu(x, other), lambda x, other: lt.swiglu(other, x), lambda x, other: lt.rms_norm(x, other),
    lambda x, other: lt.layer_norm(x.clone().requires_grad_(), other), lambda x, other: lt.prelu(x, other[:1]),
    lambda x, other: lt.cross_entropy(x[None], other.long()[:1]),
], ids=["up", "gate", "weight", "weight of a gradient", "slope", "target"])
def test_two_devices(call):
    # for which PyTorch asks only what the result would be: it came without being filled
    with pytest.raises(TypeError, match=r"torch\.(swiglu|\w+_norm|prelu|cross_entropy) expected tensors on one device"):
        call(torch.ones(3), torch.ones(3, device="meta"))


@pytest.mark.parametrize("name", ["silu", "softmax", "rms_norm"])
def test_no_gradient_of_a_gradient(name):
    tensors = tensors_of(name, torch.float32, requires_grad=True)
    (grad,) = torch.autograd.grad(published(name, *tensors).sum(), tensors[0], create_graph=True)
    with pytest.raises(NotImplementedError, match=f"{name}_backward has no derivative"):
        grad.sum().backward()


@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")  # PyTorch's own
@pytest.mark.filterwarnings("ignore:`torch.jit.script` is:FutureWarning")  # which 2.14 itself calls here
def test_no_forward_mode():
    if lt.operators() == "Python":
        pytest.skip("PyTorch asks no operator whose gradient is registered from Python")
    with torch.autograd.forward_ad.dual_level():
        x = torch.autograd.forward_ad.make_dual(torch.ones(3), torch.ones(3))
        with pytest.raises((NotImplementedError, RuntimeError), match="forward"):
            lt.silu(x)


def test_graphs_that_are_used_twice_or_changed():
    x = torch.randn(5, requires_grad=True)
    y = lt.tanh(x)
    y.sum().backward(retain_graph=True)
    first = x.grad.clone()
    y.sum().backward()
    assert torch.equal(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        y.sum().backward()
    y = lt.silu(x)
    with torch.no_grad():
        x.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.sum().backward()


@pytest.mark.parametrize(("name", "numbers", "words"), [
    ("celu", [0.0], "celu: alpha must not be 0; got 0"),
    ("squareplus", [-1.5], "squareplus: b must be 0 or more; got -1.5"),
    ("softshrink", [-1.0], "softshrink: lambd must be 0 or more; got -1"),
    ("hardtanh", [2.0, 1.0], "hardtanh: min_val must not exceed max_val; got 2.* and 1"),
])
def test_wrong_numbers(name, numbers, words):
    with pytest.raises(ValueError, match=words):
        getattr(lt, name)(torch.ones(3), *numbers)


def test_prelu_by_channel():
    x, weight = torch.randn(2, 3, 4, 5, requires_grad=True), torch.tensor([0.1, 0.2, 0.3], requires_grad=True)
    y = lt.prelu(x, weight)
    assert torch.equal(y, torch.nn.functional.prelu(x, weight))
    y.sum().backward()
    expected = torch.autograd.grad(torch.nn.functional.prelu(x, weight).sum(), (x, weight))
    assert torch.equal(x.grad, expected[0])
    assert torch.allclose(weight.grad, expected[1])
    with pytest.raises(ValueError, match=r"one for each channel at dimension 1 of x; got \(4,\) for x of \(2, 3\)"):
        lt.prelu(torch.ones(2, 3), torch.ones(4))


@pytest.mark.above_kernels
def test_is_imported_only_when_asked(run_python):
    script = """
        import sys, lanewise
        dir(lanewise)
        print("torch" in sys.modules)
        lanewise.torch
        print("torch" in sys.modules)
    """
    assert run_python(script).stdout.split() == ["False", "True"]


@pytest.mark.compiler
def test_operators_are_compiled():
    if shutil.which("c++") is None:
        pytest.skip("no compiler")
    assert lt.operators() == os.environ.get("EXPECTED_OPERATORS", "C++")


@pytest.mark.above_kernels  # the operators in Python, which call the same loops
@pytest.mark.compiler
@pytest.mark.parametrize("compiler", ["/nowhere/c++", "false"])
def test_without_a_compiler(compiler, tmp_path):
    if "EXPECTED_OPERATORS" in os.environ:
        pytest.skip("this is that run")
    # all of the above once more; where the compiler fails, only that it is noticed
    chosen = [] if compiler == "false" else ["-k", "are_compiled"]
    environment = {**os.environ, "CXX": compiler, "XDG_CACHE_HOME": str(tmp_path), "EXPECTED_OPERATORS": "Python"}
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__,
                           str(Path(__file__).with_name("test_torch_rows.py")), *chosen],
                          cwd=Path(__file__).parents[1], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
