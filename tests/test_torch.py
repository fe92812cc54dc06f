"""lanewise.torch with the real PyTorch: the bits of lw's functions, gradients, torch.library's own checks, and
torch.compile. Skipped where PyTorch is not installed."""

import copy
import pickle

import lanewise as lw
import numpy as np
import pytest

torch = pytest.importorskip("torch")
ml_dtypes = pytest.importorskip("ml_dtypes")

from lanewise import torch as lt  # noqa: E402

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
GATES = {"geglu", "reglu", "swiglu"}
NORMS = {"rms_norm": 1, "layer_norm": 2}  # how many weights


def arguments(name, dtype, shape=(5, 7), requires_grad=False):
    generator = torch.Generator().manual_seed(3)
    count = 2 if name in GATES else 1
    shapes = [shape] * count + [shape[-1:]] * NORMS.get(name, 0)
    return [(torch.randn(of, generator=generator, dtype=torch.float64) * 3).to(dtype).requires_grad_(requires_grad)
            for of in shapes]


def array(tensor):
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().numpy()


def operator_arguments(name, tensors):
    op = getattr(torch.ops.lanewise, name).default
    defaults = {"celu": [1.0], "elu": [1.0], "hardshrink": [0.5], "hardtanh": [-1.0, 1.0], "leaky_relu": [0.01],
                "softplus": [1.0], "softshrink": [0.5], "squareplus": [4.0], "swish": [1.0], "softmax": [-1],
                "log_softmax": [-1], "rms_norm": [1e-6], "layer_norm": [1e-5]}
    return op, (*tensors, *defaults.get(name, []))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", lt.__all__)
def test_same_bits(name, dtype):
    tensors = arguments(name, dtype)
    expected = getattr(lw, name)(*map(array, tensors))
    y = getattr(lt, name)(*tensors)
    assert y.dtype == dtype
    assert array(y).tobytes() == expected.tobytes()
    op, operands = operator_arguments(name, tensors)
    assert array(op(*operands)).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", lt.__all__)
def test_gradients(name):
    tensors = arguments(name, torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(getattr(lt, name), tensors)


@pytest.mark.parametrize("name", lt.__all__)
def test_library_checks(name):
    op, operands = operator_arguments(name, arguments(name, torch.float32, requires_grad=True))
    torch.library.opcheck(op, operands)


@pytest.mark.parametrize("name", ["silu", "elu", "softmax", "swiglu", "layer_norm"])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_gradients_have_the_bits_of_the_backward(name, dtype):
    tensors = arguments(name, dtype, requires_grad=True)
    y = getattr(lt, name)(*tensors)
    grad = torch.ones_like(y)
    y.backward(grad)
    saved = [y] if name == "softmax" else tensors
    found = getattr(lw, f"{name}_backward")(array(grad), *map(array, saved))
    for tensor, expected in zip(tensors, found if isinstance(found, tuple) else [found], strict=True):
        assert array(tensor.grad).tobytes() == expected.tobytes()


@pytest.mark.filterwarnings("ignore")  # PyTorch's own while it compiles
def test_compiled_whole():
    def model(x, up, weight):
        return lt.swiglu(lt.silu(x), up).sum() + lt.rms_norm(x, weight).sum() + lt.elu(x, 0.5).sum()

    tensors = [*arguments("swiglu", torch.float32, requires_grad=True), torch.ones(7, requires_grad=True)]
    model(*tensors).backward()
    expected = [tensor.grad.clone() for tensor in tensors]
    for tensor in tensors:
        tensor.grad = None
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    assert compiled(*tensors).item() == model(*tensors).item()
    compiled(*tensors).backward()
    assert all(torch.equal(tensor.grad, grad) for tensor, grad in zip(tensors, expected, strict=True))


@pytest.mark.parametrize("n", [0, 1, 255, lt._interface.SMALL, lt._interface.SMALL + 1, 1 << 17])
def test_lengths(n):
    x = torch.linspace(-9, 9, n)
    assert np.array_equal(lt.silu(x).numpy(), lw.silu(x.numpy()))


def test_layouts():
    x = torch.randn(2, 3, 4, 5)
    for view in (x.permute(3, 1, 0, 2), x[:, ::2], x.to(memory_format=torch.channels_last), x[0, 0, 0, 0]):
        for name in ("silu", "leaky_relu"):
            y = getattr(lt, name)(view)
            assert np.array_equal(y.numpy(), getattr(lw, name)(view.numpy()))
            assert y.stride() == torch.empty_like(view).stride()


def test_subnormals_are_kept_where_the_thread_flushes_them():
    x = torch.full((64,), 1e-39)
    expected = lw.silu(x.numpy())
    assert torch.set_flush_denormal(True)
    try:
        y = lt.silu(x)
    finally:
        torch.set_flush_denormal(False)
    assert np.array_equal(y.numpy(), expected)
    assert expected[0] > 0


@pytest.mark.filterwarnings("ignore:There is a performance drop")  # PyTorch calls the operator a row at a time
def test_parameters_and_vmap():
    weight = torch.nn.Parameter(torch.randn(7))
    lt.silu(weight).sum().backward()
    with torch.no_grad():
        assert not lt.silu(weight).requires_grad
    x = torch.randn(3, 7)
    assert torch.equal(torch.func.vmap(lt.silu)(x), lt.silu(x))


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


def test_no_gradient_of_a_gradient():
    x = torch.randn(5, requires_grad=True)
    (grad,) = torch.autograd.grad(lt.silu(x).sum(), x, create_graph=True)
    with pytest.raises(NotImplementedError, match="silu_backward has no derivative"):
        grad.sum().backward()


def test_is_imported_only_when_asked(run_python):
    script = """
        import sys, lanewise
        dir(lanewise)
        print("torch" in sys.modules)
        lanewise.torch
        print("torch" in sys.modules)
    """
    assert run_python(script).stdout.split() == ["False", "True"]
