"""Outputs that are operands, or share memory with them, or with one another: the results are those of outputs apart."""

from itertools import permutations

import along_axis
import lanewise as lw
import numpy as np
import oracles
import pytest


def overlapping(array, shape, dtype, shift):
    """The array moved into a buffer, and an output over the same memory, shifted by elements of its own."""
    size = int(np.prod(shape)) * dtype.itemsize
    # both on the boundaries of their elements
    start = 512 + shift * dtype.itemsize
    buffer = np.zeros(array.nbytes + size + 2048, np.uint8)
    moved = buffer[512 : 512 + array.nbytes].view(array.dtype).reshape(array.shape)
    moved[...] = array
    return moved, buffer[start : start + size].view(dtype).reshape(shape)


def outs(name, arrays, k, out):
    spare = np.empty(arrays[0].shape, arrays[0].dtype)
    if name not in along_axis.TWO_OUTPUTS:
        return (out,)
    return (out, spare) if k == 0 else (spare, out)


CASES = [(name, k, j) for name, (kinds, _) in along_axis.EVERY.items() if name not in along_axis.NO_OUT
         for k in range(2 if name in along_axis.TWO_OUTPUTS else 1) for j in range(len(kinds))]


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize(("name", "k", "j"), CASES)
def test_an_output_over_an_operand(name, k, j, dtype):
    shapes = [(5, 7), (1, 7), (20, 3)] if name in along_axis.ALONG else [(6, 5), (4, 3, 5)]
    if set(along_axis.EVERY[name][0]) <= set("rv"):
        shapes.append((7,))
    for shape in shapes:
        arrays = along_axis.operands(name, shape, dtype)
        main = arrays[along_axis.EVERY[name][0].index("r")]
        expected = along_axis.bits(along_axis.results(name, arrays))
        for shift in (0, 1, 3, 7, main.size // 2):
            changed = [array.copy() for array in arrays]
            changed[j], out = overlapping(arrays[j], main.shape, main.dtype, shift)
            found = along_axis.results(name, changed, outs(name, arrays, k, out))
            assert along_axis.bits(found) == expected, (shape, shift)
            assert any(part is out for part in found)
        if arrays[j].shape == main.shape:
            for backwards in (np.s_[::-1], np.s_[..., ::-1]):
                changed = [array.copy() for array in arrays]
                out = changed[j].view(main.dtype)[backwards] if arrays[j].dtype == main.dtype else None
                if out is not None:
                    found = along_axis.results(name, changed, outs(name, arrays, k, out))
                    assert along_axis.bits(found) == expected, (shape, backwards)


@pytest.mark.parametrize("axis", [0, 1])
def test_an_output_over_an_operand_on_another_axis(axis):
    x, weight = np.random.default_rng(0).standard_normal((2, 6, 6))
    weight = weight[0].copy()
    for function in (lw.softmax, lw.log_softmax, lw.normalize):
        expected, in_place = function(x, axis=axis), x.copy()
        assert (function(in_place, axis=axis, out=in_place) == expected).all()
        in_place = x.copy()
        assert (function(in_place, axis=axis, out=in_place.T) == expected).all()
    for function in (lw.rms_norm, lw.layer_norm):
        expected, whole = function(x, weight, axis=axis), np.zeros((6, 6))
        whole[:, 2] = weight
        assert (function(x, whole[:, 2], axis=axis, out=whole) == expected).all()


def test_outputs_over_one_another():
    x, residual, weight = np.random.default_rng(0).standard_normal((3, 7))
    out = np.full(10, 7.0)
    for pair in ((out[:7], out[:7]), (out[:7], out[3:])):
        with pytest.raises(ValueError, match="outputs 0 and 1 share memory"):
            lw.add_rms_norm(x, residual, weight, out=pair)
    assert (out == 7).all()
    y, total = lw.add_rms_norm(x, residual, weight)
    swapped = x.copy(), residual.copy()
    found = lw.add_rms_norm(*swapped, weight, out=swapped[::-1])
    assert (found[0] == y).all()
    assert (found[1] == total).all()


ROLES = ("x", "running_mean", "running_var", "weight", "bias")
SHARING = [(training, *pair) for training in (True, False) for pair in permutations(ROLES, 2)
           if not training or set(pair) != {"running_mean", "running_var"}]  # which is refused


@pytest.mark.parametrize("shape", [(8, 5), (4, 5, 3)])
@pytest.mark.parametrize(("training", "first", "second"), SHARING)
def test_what_batch_norm_updates(shape, training, first, second):
    def arrays():
        found = dict(zip(ROLES, np.random.default_rng(0).uniform(1, 2, (5, *shape)), strict=True))
        return {role: array if role == "x" else array.reshape(-1)[:5].copy() for role, array in found.items()}

    together = arrays()
    whole = together[first] if first == "x" else together[second]
    shared = whole.reshape(-1)[:5] if "x" in (first, second) else whole
    for role in (first, second):
        if role != "x":
            together[role] = shared
    apart = {role: array.copy() for role, array in together.items()}
    expected = lw.batch_norm(**apart, training=training)
    found = lw.batch_norm(**together, training=training)
    assert (found == expected).all()
    for role in ("running_mean", "running_var"):
        if role in (first, second):
            assert (together[role] == apart[role]).all()


def test_running_statistics_that_cannot_be_updated():
    x = np.random.default_rng(0).standard_normal((4, 3))
    mean, var = np.zeros(3), np.ones(3)
    with pytest.raises(ValueError, match="running_mean and running_var share memory"):
        lw.batch_norm(x, mean, mean, training=True)
    out = np.zeros((4, 3))
    with pytest.raises(ValueError, match="running_mean and out share memory"):
        lw.batch_norm(x, out[0], var, training=True, out=out)
    with pytest.raises(TypeError, match="running_var is updated in place and must be an ndarray, not list"):
        lw.batch_norm(x, mean, [1.0, 1.0, 1.0], training=True)
    var.flags.writeable = False
    with pytest.raises(ValueError, match="running_var is updated in place, but is read-only"):
        lw.batch_norm(x, mean, var, training=True)
    var.flags.writeable = True
    # nothing was changed, nor is it where the call raises for another reason
    for wrong in ({"weight": np.ones(4)}, {"out": np.zeros((3, 4))}, {"out": "y"}):
        with pytest.raises((ValueError, TypeError)):
            lw.batch_norm(x, mean, var, training=True, **wrong)
    assert (mean == 0).all()
    assert (var == 1).all()


# Functions of one output that no table above has, on three arrays of six rows of six numbers, and how many they take.
OTHERS = {
    "linear": (lambda x, weight, bias, out: lw.linear(x, weight, bias[0], out=out), 3),
    "dropout": (lambda x, out: lw.dropout(x, 0.4, 5, out=out), 1),
    "dropout_backward": (lambda grad, out: lw.dropout_backward(grad, 0.4, 5, out=out), 1),
    "reparameterize": (lambda mu, logvar, out: lw.reparameterize(mu, logvar, 5, out=out), 2),
    "reparameterize, eps": (lambda mu, logvar, eps, out: lw.reparameterize(mu, logvar, eps=eps, out=out), 3),
    "ulp_distance": (lambda a, b, out: lw.ieee754.ulp_distance(a, b, out=out), 2),
    "next_up": (lambda x, out: lw.ieee754.next_up(x, out=out), 1),
    "decode": (lambda x, out: lw.ieee754.decode(lw.ieee754.encode(x, "e4m3"), "e4m3", out=out), 1),
    **{f"{name}_backward": (lambda grad, x, target, out, name=name: getattr(lw, f"{name}_backward")(
        grad, x, target, reduction="none", out=out), 3)
       for name in ("mse", "l1", "huber", "binary_cross_entropy_with_logits")},
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OTHERS)
def test_an_output_over_an_operand_of_other_functions(name, dtype):
    call, count = OTHERS[name]
    given = list(np.random.default_rng(0).uniform(0.1, 0.9, (count, 6, 6)).astype(dtype))
    expected = call(*given, out=None)
    for j in range(count):
        for shift in (-5, -1, 0, 1, 6):
            operands = list(given)
            operands[j], out = overlapping(given[j], expected.shape, expected.dtype, shift)
            assert call(*operands, out=out) is out
            assert out.tobytes() == expected.tobytes(), (j, shift)
        operands = [array.copy() for array in given]
        if operands[j].dtype == expected.dtype:
            assert call(*operands, out=operands[j][::-1, ::-1]).tobytes() == expected.tobytes()


@pytest.mark.parametrize("n", [6, 70])  # the latter of two tiles of columns: one is summed after the other is written
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_linear_backward_writes(dtype, n):
    given = list(np.random.default_rng(0).standard_normal((4, n, n)).astype(dtype))
    expected = lw.linear_backward(*given[:3], given[3][0])
    for k in range(3):
        for j in range(4):
            for shift in (-5, -1, 0, 1, n):
                operands = list(given)
                operands[j], out = overlapping(given[j], expected[k].shape, expected[k].dtype, shift)
                outs = tuple(out if other == k else None for other in range(3))
                found = lw.linear_backward(*operands[:3], operands[3][0], out=outs)
                assert found[k] is out
                assert along_axis.bits(found) == along_axis.bits(expected), (k, j, shift)
    room = np.full((2 * n, n), 7.0, dtype)
    for outs in ((room[:n], room[3:n + 3], None), (None, room[:n], room[n - 1]), (room[:n], None, room[0])):
        with pytest.raises(ValueError, match=r"outputs \d and \d share memory"):
            lw.linear_backward(*given[:3], given[3][0], out=outs)
    assert (room == 7).all()


STEPS = {
    "sgd": (lambda param, grad: lw.sgd_step(param, grad, lr=0.1, weight_decay=0.01), 2),
    "momentum": (lambda param, grad, velocity: lw.sgd_step(param, grad, velocity, lr=0.1, momentum=0.9), 3),
    "adamw": (lambda param, grad, first, second: lw.adamw_step(param, grad, first, second, 3), 4),
}


@pytest.mark.parametrize("shift", [0, 1, -1, 8, -8, "backwards", "beside"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", STEPS)
def test_a_gradient_over_what_a_step_updates(name, dtype, shift):
    step, count = STEPS[name]
    for role in (0, *range(2, count)):
        room = np.random.default_rng(role).uniform(0.1, 0.9, 400).astype(dtype)
        arrays = list(np.random.default_rng(9).uniform(0.1, 0.9, (count, 70)).astype(dtype))
        if shift == "beside":
            arrays[role], arrays[1] = room[:140:2], room[1:141:2]
        else:
            start = 50 if shift == "backwards" else 50 + shift
            arrays[role], arrays[1] = room[50:120], room[start:start + 70][::-1 if shift == "backwards" else 1]
        apart = [array.copy() for array in arrays]
        step(*apart)
        step(*arrays)
        for k in (0, *range(2, count)):
            assert arrays[k].tobytes() == apart[k].tobytes(), (role, k)


def test_a_gradient_that_another_array_of_a_list_is():
    first, second = np.ones(5), np.ones(5)
    lw.sgd_step([first, second], [np.ones(5), first], lr=0.1)
    assert (first == 0.9).all()
    assert (second == 0.9).all()


@pytest.mark.parametrize("name", ["glu", "swiglu", "geglu", "reglu"])
def test_gates(name):
    gate, up, grad = np.random.default_rng(0).standard_normal((3, 5, 9))
    backward = getattr(lw, f"{name}_backward")
    if name == "glu":
        x = np.concatenate([gate, up], -1)
        expected = backward(grad, x)
        in_place = x.copy()
        assert (backward(grad, in_place, out=in_place) == expected).all()
        in_place = x.copy()
        assert (backward(grad, in_place, out=in_place[:, ::-1]) == expected).all()
        in_place = x.copy()
        assert (backward(in_place[:, :9], x, out=in_place) == backward(gate, x)).all()
        assert (lw.glu(x, out=x[:, 9:]) == lw.glu(np.concatenate([gate, up], -1))).all()
        return
    expected = backward(grad, gate, up)
    for first in range(3):
        for second in range(3):
            arrays = [grad.copy(), gate.copy(), up.copy()]
            if first != second:
                found = backward(*arrays, out=(arrays[first], arrays[second]))
                assert all((a == b).all() for a, b in zip(found, expected, strict=True))
            arrays = [grad.copy(), gate.copy(), up.copy()]
            found = backward(*arrays, out=(arrays[first][::-1], np.empty((5, 9))))
            assert all((a == b).all() for a, b in zip(found, expected, strict=True))
