"""lanewise.torch along rows, with the real PyTorch: softmaxes, norms and cross_entropy of any layout have the bits of
lw's functions, forward and backward, and refuse what those refuse. Skipped where PyTorch is not installed."""

import functools

import lanewise as lw
import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("ml_dtypes")

from lanewise import torch as lt  # noqa: E402
from torch_samples import (  # noqa: E402
    DTYPES,
    NORMS,
    array,
    expected_of,
    operator_arguments,
    published,
    tensors_of,
)


@pytest.mark.parametrize("name", ["softmax", "log_softmax"])
def test_softmaxes_along_any_dim(name):
    forward, backward = getattr(lw, name), getattr(lw, f"{name}_backward")
    x = torch.randn(3, 40, 5, 7)
    for view in (x, x.permute(3, 1, 0, 2), x[:, ::2], x.to(memory_format=torch.channels_last), x[:, :1], x[0, 0, 0, 0],
                 x[:0], x.expand(2, 3, 40, 5, 7)):
        for dtype in (torch.float32, torch.bfloat16):
            for dim in range(-1, view.dim()):
                tensor = view.detach().to(dtype).requires_grad_()
                y = getattr(lt, name)(tensor, dim)
                assert array(y).tobytes() == forward(array(tensor), dim).tobytes()
                assert y.stride() == torch.empty_like(tensor).stride()
                grad = torch.linspace(-1, 1, max(y.numel(), 1))[:y.numel()].reshape(y.shape).to(dtype)
                (found,) = torch.autograd.grad(y, tensor, grad)
                assert array(found).tobytes() == backward(array(grad), array(y), dim).tobytes()
    with pytest.raises((IndexError, ValueError), match="out of range"):
        getattr(lt, name)(x, 4)


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_for_several_threads(threads):
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for name, dtype in (("softmax", torch.float32), ("layer_norm", torch.bfloat16), ("rms_norm", torch.float32)):
            tensors = tensors_of(name, dtype, (301, 300), requires_grad=True)
            y = published(name, *tensors)
            assert array(y).tobytes() == expected_of(name, tensors).tobytes()
            y.backward(torch.ones_like(y))
            saved = [y] if name == "softmax" else tensors
            found = getattr(lw, f"{name}_backward")(np.ones_like(array(y)), *map(array, saved))
            for tensor, expected in zip(tensors, found if isinstance(found, tuple) else [found], strict=True):
                assert array(tensor.grad).tobytes() == expected.tobytes()
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("name", NORMS)
def test_norms_of_other_rows(name):
    x = torch.randn(4, 6, 5)
    for view in (x.permute(2, 0, 1), x[:, ::2], x[:0], x[:, :, :1], x[0, 0], x[0, 0, 0], x[:, :, :0]):
        tensor = view.detach().requires_grad_()
        y = getattr(lt, name)(tensor)
        assert y.is_contiguous()
        assert array(y).tobytes() == np.ascontiguousarray(getattr(lw, name)(array(tensor))).tobytes()
        y.sum().backward()
        expected = getattr(lw, f"{name}_backward")(np.ones(y.shape, np.float32), array(tensor))[0]
        assert array(tensor.grad).tobytes() == np.ascontiguousarray(expected).tobytes()


@pytest.mark.parametrize("name", NORMS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_weights_of_float32_beside_16_bits(name, dtype):
    x, *weights = tensors_of(name, dtype, requires_grad=True)
    weights = [weight.detach().float().mul(1.001).requires_grad_() for weight in weights]
    y = getattr(lt, name)(x, *weights)
    assert array(y).tobytes() == getattr(lw, name)(array(x), *map(array, weights)).tobytes()
    y.backward(torch.ones_like(y))
    for tensor, expected in zip((x, *weights), getattr(lw, f"{name}_backward")(
            np.ones_like(array(x)), array(x), *map(array, weights)), strict=True):
        assert tensor.grad.dtype == tensor.dtype
        assert array(tensor.grad).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", NORMS)
def test_statistics_are_found_again_where_they_are_not_given(name):
    (op, operands), grad = operator_arguments(f"{name}_backward", tensors_of(name, torch.float32)), torch.ones(5, 7)
    found = op(grad, *operands, {"rms_norm": 1e-6, "layer_norm": 1e-5}[name])
    expected = getattr(lw, f"{name}_backward")(grad.numpy(), *map(array, operands))
    for tensor, of in zip(found, expected, strict=True):
        assert array(tensor).tobytes() == of.tobytes()


def test_norms_refuse():
    x = torch.ones(2, 3)
    with pytest.raises(ValueError, match=r"rms_norm: weight of shape \(2,\) does not fit x of shape \(2, 3\)"):
        lt.rms_norm(x, torch.ones(2))
    with pytest.raises(ValueError, match="layer_norm: eps must be a finite number of 0 or more, not -1"):
        lt.layer_norm(x, eps=-1.0)
    if lt.operators() == "C++":
        with pytest.raises(TypeError, match="layer_norm: bias of float64 does not fit x of float32"):
            lt.layer_norm(x, bias=torch.ones(3, dtype=torch.float64))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("shape", [(7,), (5, 7), (2, 7, 3, 4)])
def test_cross_entropy_is_that_of_pytorch(shape, reduction):
    generator = torch.Generator().manual_seed(4)
    logits = torch.randn(shape, generator=generator, requires_grad=True)
    weight = torch.rand(7, generator=generator) + 0.5
    rest = shape[:min(1, len(shape) - 1)] + shape[min(2, len(shape)):]
    indices = torch.randint(7, rest, generator=generator)
    if rest:
        indices.view(-1)[0] = -100
    for target in (indices, torch.softmax(torch.randn(shape, generator=generator), min(1, len(shape) - 1))):
        results = []
        for function in (lt.cross_entropy, torch.nn.functional.cross_entropy):
            y = function(logits, target, weight, reduction=reduction, label_smoothing=0.1)
            results.append((y, *torch.autograd.grad(y.sum(), logits)))
        for found, expected in zip(*results, strict=True):
            assert found.shape == expected.shape
            assert torch.allclose(found, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_cross_entropy_has_the_bits_of_lanewise(dtype, reduction):
    generator = torch.Generator().manual_seed(5)
    for shape in ((7,), (90, 7), (2, 7, 3, 4), (3, 1), (0, 4), (600, 130)):
        dim = min(1, len(shape) - 1)
        logits = (torch.randn(shape, generator=generator) * 4).to(dtype).requires_grad_()
        classes = torch.randint(shape[dim], shape[:dim] + shape[dim + 1:], generator=generator)
        ignoring = torch.where(classes == 0, -100, classes)
        for target in (classes, ignoring, classes.to(torch.int16), torch.softmax(logits.detach(), dim)):
            for weight in (None, (torch.rand(shape[dim], generator=generator) + 0.5).to(dtype)):
                keywords = {"reduction": reduction, "label_smoothing": 0.1, "z_loss": 1e-3}
                theirs = keywords | {"axis": dim, "weight": None if weight is None else array(weight),
                                     "ignore_index": None if target.is_floating_point() else -100}
                y = lt.cross_entropy(logits, target, weight, **keywords)
                expected = lw.cross_entropy(array(logits), array(target), **theirs)
                assert y.dtype == dtype
                assert array(y).tobytes() == np.asarray(expected).tobytes()
                grad = torch.full(y.shape, 0.7, dtype=dtype)
                (found,) = torch.autograd.grad(y, logits, grad)
                expected = lw.cross_entropy_backward(array(grad), array(logits), array(target), **theirs)
                assert array(found).tobytes() == np.ascontiguousarray(expected).tobytes()


def test_a_loss_is_rounded_once():
    # halfway between two numbers of float16, but for what float32 does not hold
    logits = torch.tensor([[0.0, 0.0]], dtype=torch.float16)
    for scale in np.linspace(0.5, 1.5, 301):
        target = torch.tensor([[scale, 1 - scale]], dtype=torch.float16)
        expected = lw.cross_entropy(array(logits), array(target), z_loss=scale)
        assert array(lt.cross_entropy(logits, target, z_loss=scale)).tobytes() == np.asarray(expected).tobytes()


@pytest.mark.parametrize(("target", "words"), [
    ([[0, 1], [2, 3]], r"cross_entropy: target\[1, 1\] is 3; expected 0 to 2"),
    ([[0, 1], [-1, 0]], r"cross_entropy: target\[1, 0\] is -1; expected 0 to 2"),
    ([0, 1], r"cross_entropy: target of shape \(2,\) does not fit logits of shape \(2, (3, 2|2, 3)\)"),
])
def test_wrong_targets(target, words):
    with pytest.raises(ValueError, match=words):
        lt.cross_entropy(torch.ones(2, 3, 2), torch.tensor(target))


def test_cross_entropy_refuses():
    x, target = torch.ones(2, 3), torch.tensor([0, 1])
    for keywords, words in (({"reduction": "max"}, "reduction 'max' is unknown; expected one of mean, sum, none"),
                            ({"label_smoothing": 1.5}, "label_smoothing must be from 0 to 1, not 1.5"),
                            ({"z_loss": float("inf")}, "z_loss must be a finite number of 0 or more, not inf"),
                            ({"weight": torch.ones(2)}, r"weight of shape \(2,\) does not fit")):
        with pytest.raises(ValueError, match=f"cross_entropy: {words}"):
            lt.cross_entropy(x, target, **keywords)
    with pytest.raises(TypeError, match=r"cross_entropy: target must hold integers, .*not bool"):
        lt.cross_entropy(x, target.bool())


def test_cross_entropy_has_no_gradient_for_probabilities():
    logits, target = torch.randn(2, 3), torch.full((2, 3), 1 / 3, requires_grad=True)
    with pytest.raises(NotImplementedError, match="for its logits alone"):
        lt.cross_entropy(logits, target)


@pytest.mark.filterwarnings("error")  # PyTorch's where it has no rule and calls the operator for each element
@pytest.mark.parametrize("place", [0, 1])
def test_vmap_of_rows(place):
    x = torch.randn(4, 3, 6)
    of = x.movedim(0, place)
    weight, bias = torch.randn(2, 6)
    vmap = functools.partial(torch.func.vmap, in_dims=place)
    for dim in (0, 1, -1):
        expected = torch.stack([lt.log_softmax(one, dim) for one in x])
        assert torch.equal(vmap(lambda x, dim=dim: lt.log_softmax(x, dim))(of), expected)
    for dim in (-3, 2):
        with pytest.raises(IndexError, match=f"from -2 to 1, not {dim}"):
            vmap(lambda x, dim=dim: lt.softmax(x, dim))(of)
    expected = lt.layer_norm(x, weight, bias)
    assert torch.equal(vmap(lambda x: lt.layer_norm(x, weight, bias))(of), expected)
    many = torch.randn(4, 6)
    expected = torch.stack([lt.rms_norm(*pair) for pair in zip(x, many, strict=True)])
    assert torch.equal(torch.func.vmap(lt.rms_norm, in_dims=(place, 0))(of, many), expected)
    numbers = torch.randn(5)
    assert torch.equal(torch.func.vmap(lt.softmax)(numbers), torch.ones(5))
    assert torch.equal(torch.func.vmap(lt.layer_norm)(numbers), torch.zeros(5))
    assert torch.func.vmap(lt.softmax)(numbers[:0]).shape == (0,)
    assert torch.func.vmap(lt.rms_norm)(x[:0], many[:0]).shape == (0, 3, 6)
    assert vmap(lambda x: lt.layer_norm(x, weight, bias))(x.movedim(0, place)[(slice(None),) * place + (slice(0),)]
                                                          ).shape == (0, 3, 6)


@pytest.mark.skipif(lt.operators() != "C++", reason="PyTorch refuses gradients that are registered in Python")
@pytest.mark.filterwarnings("error")
def test_gradients_of_each_element_of_a_batch():
    x, weight, bias = torch.randn(4, 3, 6), torch.randn(6), torch.randn(6)

    def loss(x, weight, bias):
        return lt.softmax(lt.layer_norm(x, weight, bias), 0).square().sum()

    found = torch.func.vmap(torch.func.grad(loss, argnums=(0, 1, 2)), in_dims=(0, None, None))(x, weight, bias)
    for k in range(4):
        inputs = [of.clone().requires_grad_() for of in (x[k], weight, bias)]
        expected = torch.autograd.grad(loss(*inputs), inputs)
        assert all(torch.equal(all_of[k], of) for all_of, of in zip(found, expected, strict=True))
    jacobian = torch.func.jacrev(lt.rms_norm)(x[0])
    assert torch.allclose(jacobian, torch.autograd.functional.jacobian(lt.rms_norm, x[0]))


def test_autocast():
    x, weight, target = torch.randn(4, 8), torch.ones(8, requires_grad=True), torch.arange(4)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        hidden = torch.nn.functional.linear(x, torch.randn(8, 8))
        y = lt.layer_norm(hidden, weight)  # weights stay float32
        loss = lt.cross_entropy(y, target)
    assert (hidden.dtype, y.dtype, loss.dtype) == (torch.bfloat16, torch.bfloat16, torch.float32)  # as PyTorch's own
    assert torch.equal(loss, lt.cross_entropy(y.float(), target))
    loss.backward()
    assert weight.grad.dtype == torch.float32
