"""The C functions that work along rows: each gives the bits of the Python function, from pages whose neighbours may not
be touched, in place, and without what may be NULL."""

import lanewise as lw
import ml_dtypes
import numpy as np
import oracles
import pytest
from lanewise.embedding import ctypes_function, functions, signature

guarded = pytest.importorskip("guarded", exc_type=OSError)
SHAPES = [(1, 1), (3, 7), (4, 16), (5, 33), (17, 100), (2, 5000), (70, 9)]
EPS = 1e-5


def beside_guards(arrays, at_end):
    return [None if array is None else pool.place(array, at_end, "plain")
            for pool, array in zip(guarded.POOL, arrays, strict=False)]


def called(name, dtype, inputs, numbers, results, sizes):
    """What a function writes, from operands that end at a guard, and from operands that begin at one."""
    found = []
    for at_end in (True, False):
        given = beside_guards([*inputs, *results], at_end)
        outs = given[len(inputs):]
        answer = ctypes_function(f"{name}_{dtype}")(*given[:len(inputs)], *numbers, *outs, *sizes)
        assert answer in (None, 1)
        found.append([None if out is None else out.copy() for out in outs])
    assert [one is None or one.tobytes() for one in found[0]] == [one is None or one.tobytes() for one in found[1]]
    return found[0]


def operands_of(shape, dtype):
    rng = np.random.default_rng(shape[0] * shape[1])
    x = rng.normal(0.3, 2, shape)
    if shape[0] > 3:
        x[1], x[2] = x[1] * 1e-30, 3.0  # near the end of float32's squares; constant
    x, grad = (of.astype(oracles.dtype_named(dtype)) for of in (x, rng.normal(0, 1, shape)))
    weight, bias = (rng.normal(1, 1, shape[1]).astype(x.dtype) for _ in range(2))
    return x, grad, weight, bias


def calls(x, grad, weight, bias):
    """name: inputs, numbers, results of C; what Python gives for the same."""
    rows = len(x)
    stats, sums = np.full(rows, 7.0), np.full(x.shape[1], 7, np.float64 if x.itemsize == 8 else np.float32)
    wide = np.asarray(weight, sums.dtype), np.asarray(bias, sums.dtype)  # whose gradients Python does not round again
    y = np.full_like(x, 7)
    normed, rstd = lw.rms_norm(x, weight, eps=EPS, return_stats=True)
    layer, mean, layer_rstd = lw.layer_norm(x, weight, bias, eps=EPS, return_stats=True)
    yield "rms_norm", [x, weight], [EPS], [y, stats], (normed, rstd)
    yield "layer_norm", [x, weight, bias], [EPS], [y, stats, stats], (layer, mean, layer_rstd)
    yield "add_rms_norm", [x, grad, weight], [EPS], [y, y, stats], lw.add_rms_norm(
        x, grad, weight, eps=EPS, return_stats=True)
    yield "rms_norm_backward", [grad, x, weight, rstd], [], [y, sums], lw.rms_norm_backward(
        grad, x, wide[0], rstd=rstd)
    yield "layer_norm_backward", [grad, x, weight, mean, layer_rstd], [], [y, sums, sums], lw.layer_norm_backward(
        grad, x, *wide, mean=mean, rstd=layer_rstd)
    softmax, log_softmax = lw.softmax(x), lw.log_softmax(x)
    yield "softmax", [x], [], [y], (softmax,)
    yield "log_softmax", [x], [], [y], (log_softmax,)
    yield "softmax_backward", [grad, softmax], [], [y], (lw.softmax_backward(grad, softmax),)
    yield "log_softmax_backward", [grad, log_softmax], [], [y], (lw.log_softmax_backward(grad, log_softmax),)
    mask = (np.arange(x.size).reshape(x.shape) % 3 != 1).view(np.uint8)
    counts = np.arange(rows) + 2.0
    masked = lw.masked_softmax(x, mask.view(bool), 0.3)
    yield "masked_softmax", [x, mask, None], [0.3], [y], (masked,)
    yield "masked_softmax", [x, None, None], [0.3], [y], (lw.masked_softmax(x, None, 0.3),)
    yield "masked_softmax", [x, None, counts], [0.3], [y], (lw.masked_softmax(x, None, 0.3, causal=True, offset=1),)
    yield "masked_softmax", [x, mask, counts], [0.3], [y], (
        lw.masked_softmax(x, mask.view(bool), 0.3, causal=True, offset=1),)
    yield "masked_softmax_backward", [grad, masked], [0.3], [y], (lw.masked_softmax_backward(grad, masked, 0.3),)
    if x.itemsize > 2:
        logs = np.full(rows, 7.0)
        yield "logsumexp", [x], [], [logs], (lw.logsumexp(x, out=np.empty(rows)),)
        yield "logsumexp_backward", [stats / 3, x], [], [y], (lw.logsumexp_backward(stats / 3, x),)
        for p in (1, 2):
            yield "normalize", [x], [float(p), 1e-12], [y], (lw.normalize(x, p),)
            yield "normalize_backward", [grad, x], [float(p), 1e-12], [y], (lw.normalize_backward(grad, x, p),)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
def test_same_bits_beside_guards(shape, dtype):
    for name, inputs, numbers, results, expected in calls(*operands_of(shape, dtype)):
        found = called(name, dtype, inputs, numbers, results, shape)
        assert [one.tobytes() for one in found] == [np.asarray(one).tobytes() for one in expected], name


@pytest.mark.parametrize("dtype", oracles.DTYPES)
@pytest.mark.parametrize("shape", [(3, 40), (70, 9)])  # of as few rows as a kernel takes at a time, and of more
def test_what_may_be_null(shape, dtype):
    x, grad, weight, bias = operands_of(shape, dtype)
    everything = {name: found for name, *found in calls(x, grad, weight, bias)}
    for name, optional in {"rms_norm": 1, "layer_norm": 2, "add_rms_norm": 1, "rms_norm_backward": 1,
                           "layer_norm_backward": 2}.items():
        inputs, numbers, results, expected = everything[name]
        wanted = len(results) - optional
        found = called(name, dtype, inputs, numbers, [*results[:wanted], *[None] * optional], shape)
        assert [one.tobytes() for one in found[:wanted]] == [one.tobytes() for one in expected[:wanted]], name
        if name == "layer_norm_backward":  # one sum without the other
            _, *found = called(name, dtype, inputs, numbers, [results[0], results[1], None], shape)
            assert found[0].tobytes() == expected[1].tobytes()
        if not name.endswith("backward"):
            vectors = [None] * (2 if name == "layer_norm" else 1)
            y = called(name, dtype, [*inputs[:-len(vectors)], *vectors], numbers, results, shape)[0]
            plain = getattr(lw, name)(*inputs[:-len(vectors)], eps=EPS)
            assert y.tobytes() == (plain[0] if isinstance(plain, tuple) else plain).tobytes(), name


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_in_place(dtype):
    for name, inputs, numbers, results, expected in calls(*operands_of((17, 100), dtype)):
        if name.startswith("logsumexp"):  # whose first operand is not of the shape of its result
            continue
        place = 1 if name == "add_rms_norm" else 0  # its second result may be its second operand
        given = [array if array is None else array.copy() for array in inputs]
        outs = [array.copy() for array in results]
        outs[place] = given[place]
        ctypes_function(f"{name}_{dtype}")(*given, *numbers, *outs, 17, 100)
        assert outs[place].tobytes() == np.asarray(expected[place]).tobytes(), name


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 6, 5), (2, 4, 33), (5, 8)])
def test_norms_over_channels(shape, dtype):
    rng = np.random.default_rng(len(shape))
    batch, channels, size = (*shape, 1)[:3]
    x = rng.normal(3, 2, shape).astype(dtype)
    mean, weight, bias = rng.normal(3, 1, (3, channels)).astype(dtype)
    variance = rng.uniform(0.1, 4, channels).astype(dtype)
    mean[0], variance[0] = 1e-30, 1e-30  # a channel near the ends of the exponent range, but for eps
    y, stats = np.full_like(x, 7), np.full((batch, 2), 7.0)
    for vectors in ([weight, bias], [None, bias], [weight, None], [None, None]):
        named = dict(zip(("weight", "bias"), vectors, strict=True))
        for eps in (1e-5, 0.0):
            (found,) = called("batch_norm", dtype, [x, mean, variance, *vectors], [eps], [y], (batch, channels, size))
            assert found.tobytes() == lw.batch_norm(x, mean, variance, **named, eps=eps).tobytes()
        found = called("group_norm", dtype, [x, *vectors], [EPS], [y, stats, stats], (batch, channels, size, 2))
        expected = lw.group_norm(x, 2, **named, eps=EPS, return_stats=True)
        assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
        plain, *_ = called("group_norm", dtype, [x, *vectors], [EPS], [y, None, None], (batch, channels, size, 2))
        assert plain.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 6, 5), (2, 4, 33), (5, 8), (2, 2, 3000), (0, 4, 3), (3, 2, 0)])
def test_norms_over_channels_of_16_bits(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    batch, channels, size = (*shape, 1)[:3]
    x = rng.normal(3, 2, shape).astype(oracles.dtype_named(dtype))
    mean, weight, bias = rng.normal(3, 1, (3, channels)).astype(np.float32)
    variance = rng.uniform(0.1, 4, channels).astype(np.float32)
    y, stats = np.full_like(x, 7), np.full((batch, 2), 7.0)
    for vectors in ([weight, bias], [None, None]):
        (found,) = called("batch_norm", dtype, [x, mean, variance, *vectors], [EPS], [y], (batch, channels, size))
        assert found.tobytes() == lw.batch_norm(x, mean, variance, *vectors, eps=EPS).tobytes()
        given = x.copy()
        ctypes_function(f"batch_norm_{dtype}")(given, mean, variance, *vectors, EPS, given, batch, channels, size)
        assert given.tobytes() == found.tobytes()
        sizes = batch, channels, size, 2
        found = called("group_norm", dtype, [x, *vectors], [EPS], [y, stats, stats], sizes)
        expected = lw.group_norm(x, 2, *vectors, eps=EPS, return_stats=True)
        assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
        given = x.copy()
        ctypes_function(f"group_norm_{dtype}")(given, *vectors, EPS, given, None, None, *sizes)
        assert given.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 6, 5), (2, 4, 33), (70, 2, 1), (2, 2, 3000)])
def test_training_norms_over_channels_of_16_bits(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    x, grad = (rng.normal(3, 2, shape).astype(oracles.dtype_named(dtype)) for _ in range(2))
    weight, bias = rng.normal(3, 1, (2, shape[1])).astype(np.float32)
    y, stats, sums = np.full_like(x, 7), np.full(shape[1], 7.0), np.full(shape[1], 7, np.float32)
    for vectors in ([weight, bias], [None, None]):
        normed, mean, rstd = lw.batch_norm(x, None, None, *vectors, training=True, eps=EPS, return_stats=True)
        found = called("batch_norm_training", dtype, [x, *vectors], [EPS], [y, stats, None, stats], shape)
        assert [one.tobytes() for one in (found[0], found[1], found[3])] == [
            one.tobytes() for one in (normed, mean, rstd)]
        place = x.copy()
        ctypes_function(f"batch_norm_training_{dtype}")(place, *vectors, EPS, place, None, None, None, *shape)
        assert place.tobytes() == normed.tobytes()
        for training in (True, False):
            expected = lw.batch_norm_backward(grad, x, vectors[0], mean=mean, rstd=rstd, training=training)
            inputs = [grad, x, vectors[0], mean, rstd]
            found = called("batch_norm_backward", dtype, inputs, [training], [y, sums, sums], shape)
            assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
            for k in range(2):  # the gradient in the place of either
                given = [grad.copy(), x.copy()]
                ctypes_function(f"batch_norm_backward_{dtype}")(*given, *inputs[2:], training, given[k], None, None,
                                                                *shape)
                assert given[k].tobytes() == expected[0].tobytes()
        _, mean, rstd = lw.group_norm(x, 2, eps=EPS, return_stats=True)
        expected = lw.group_norm_backward(grad, x, 2, vectors[0], mean=mean, rstd=rstd)
        found = called("group_norm_backward", dtype, [grad, x, vectors[0], mean, rstd], [], [y, sums, sums],
                       (*shape, 2))
        assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(0, 3, 1), (0, 3, 4), (2, 3, 0)])
def test_gradients_of_no_examples_are_zero(shape, dtype):
    x, stats = np.empty(shape, oracles.dtype_named(dtype)), np.ones(3)
    sums = np.full(3, 7, np.float64 if dtype == "float64" else np.float32)
    for training in (True, False):
        found = called("batch_norm_backward", dtype, [x, x, None, stats, stats], [training], [x, sums, sums], shape)
        assert [one.tolist() for one in found[1:]] == [[0.0] * 3] * 2


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 2, 2), (3, 6, 5), (2, 4, 33), (70, 2, 1)])
def test_batch_norm_in_training(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    batch, channels, size = shape
    x, grad = (rng.normal(3, 2, shape).astype(dtype) for _ in range(2))
    x[:, 0] *= np.finfo(dtype).tiny ** 0.6  # whose squares vanish
    weight, bias = rng.normal(3, 1, (2, channels)).astype(dtype)
    y, stats, sums = np.full_like(x, 7), np.full(channels, 7.0), np.full(channels, 7, dtype)
    for vectors in ([weight, bias], [None, None]):
        named = dict(zip(("weight", "bias"), vectors, strict=True))
        for eps in (1e-5, 0.0):
            running = np.zeros((2, channels))
            normed, mean, rstd = lw.batch_norm(x, *running, **named, training=True, momentum=1.0, eps=eps,
                                               return_stats=True)
            found = called("batch_norm_training", dtype, [x, *vectors], [eps], [y, stats, stats, stats], shape)
            unbiased = found.pop(2) * (batch * size / (batch * size - 1))
            assert unbiased.tobytes() == running[1].tobytes()
            assert [one.tobytes() for one in found] == [one.tobytes() for one in (normed, mean, rstd)]
            plain, *_ = called("batch_norm_training", dtype, [x, *vectors], [eps], [y, None, None, None], shape)
            assert plain.tobytes() == normed.tobytes()
        for training in (True, False):
            expected = lw.batch_norm_backward(grad, x, vectors[0], mean=mean, rstd=rstd, training=training)
            inputs = [grad, x, vectors[0], mean, rstd]
            found = called("batch_norm_backward", dtype, inputs, [training], [y, sums, sums], shape)
            assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
            plain, *_ = called("batch_norm_backward", dtype, inputs, [training], [y, None, None], shape)
            assert plain.tobytes() == expected[0].tobytes()
            given = grad.copy()  # the gradient in its place
            ctypes_function(f"batch_norm_backward_{dtype}")(given, *inputs[1:], training, given, None, None, *shape)
            assert given.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 2, 1), (3, 6, 5), (2, 4, 33), (70, 4, 3)])
@pytest.mark.parametrize("groups", [1, 2])
def test_group_norm_backward(shape, groups, dtype):
    rng = np.random.default_rng(sum(shape))
    x, grad = (rng.normal(3, 2, shape).astype(dtype) for _ in range(2))
    weight = rng.normal(3, 1, shape[1]).astype(dtype)
    y, sums = np.full_like(x, 7), np.full(shape[1], 7, dtype)
    _, mean, rstd = lw.group_norm(x, groups, eps=EPS, return_stats=True)
    for vector in (weight, None):
        expected = lw.group_norm_backward(grad, x, groups, vector, mean=mean, rstd=rstd)
        inputs = [grad, x, vector, mean, rstd]
        found = called("group_norm_backward", dtype, inputs, [], [y, sums, sums], (*shape, groups))
        assert [one.tobytes() for one in found] == [one.tobytes() for one in expected]
        plain, *_ = called("group_norm_backward", dtype, inputs, [], [y, None, None], (*shape, groups))
        assert plain.tobytes() == expected[0].tobytes()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES)
def test_cross_entropy(shape, dtype):
    rng = np.random.default_rng(sum(shape))
    logits, target = rng.normal(0, 3, shape).astype(dtype), rng.integers(-1, shape[1], shape[0])
    losses, grad, numbers = np.full(shape[0], 7.0), np.full_like(logits, 7), (0.1, 1e-3)
    keywords = {"label_smoothing": 0.1, "z_loss": 1e-3, "ignore_index": -1}
    found = called("cross_entropy", dtype, [logits, target], [*numbers, 0.5], [losses, grad], shape)
    expected = lw.cross_entropy(logits, target, reduction="none", **keywords)
    assert found[0].astype(dtype).tobytes() == expected.tobytes()
    halves = np.full(shape[0], 0.5)
    assert found[1].tobytes() == lw.cross_entropy_backward(halves, logits, target, reduction="none",
                                                           **keywords).tobytes()
    (plain, _) = called("cross_entropy", dtype, [logits, target], [*numbers, 0.5], [losses, None], shape)
    assert plain.tobytes() == found[0].tobytes()
    for reduction, divisor in (("mean", (target >= 0).sum()), ("sum", 1)):
        if divisor == 0:
            continue
        mean = ctypes_function("mean_loss_float64")(plain, divisor, shape[0])
        assert np.dtype(dtype).type(mean) == lw.cross_entropy(logits, target, reduction=reduction, **keywords)


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_no_rows(dtype):
    for name, inputs, numbers, results, _ in calls(*operands_of((3, 8), dtype)):
        given = [array.copy() for array in results]
        ctypes_function(f"{name}_{dtype}")(*inputs, *numbers, *given, 0, 8)
        for array, before in zip(given, results, strict=True):
            is_sum = array.shape == (8,)
            assert array.tobytes() == (np.zeros_like(before) if is_sum else before).tobytes(), name


def test_no_memory():
    # a row of 2^50 elements, of which none is read: there is no tile for it
    x, y = np.ones(4, ml_dtypes.bfloat16), np.full(4, 7, ml_dtypes.bfloat16)
    for name, inputs, outs in [("softmax", [x], [y]), ("rms_norm", [x, None, EPS], [y, None]),
                               ("log_softmax", [x], [y])]:
        assert ctypes_function(f"{name}_bfloat16")(*inputs, *outs, 1, 1 << 50) == 0
        assert (y == 7).all()


def test_every_function_of_rows_is_tried():
    tried = {f"{name}_{dtype}" for dtype in oracles.DTYPES for name, *_ in calls(*operands_of((3, 8), dtype))}
    tried |= {f"{name}_norm_{dtype}" for name in ("batch", "group") for dtype in oracles.DTYPES}
    # tests/test_embedding_learning.py and tests/test_ieee754_embedded.py try these
    learning = ("halting", "reparameterise", "layers", "optimise", "ieee754")
    rows = {name for name in functions() if not signature(name).module.endswith(learning)
            and str(signature(name)).endswith("Py_ssize_t rows, Py_ssize_t n)")}
    tried |= {"cross_entropy_float32", "cross_entropy_float64"}
    assert rows <= tried
    assert tried - rows == {name for name in tried if name.startswith(("batch_norm", "group_norm"))}
    channels = {name for name in functions() if name.startswith(("batch_norm", "group_norm"))}
    assert {name.rpartition("_")[0] for name in channels} == {"batch_norm", "batch_norm_training", "group_norm",
                                                              "batch_norm_backward", "group_norm_backward"}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("rows", "n", "pairs"), [(1, 2, 1), (5, 34, 17), (3, 64, 16), (4, 8, 0)])
@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embedding(rows, n, pairs, interleaved, dtype):
    rng = np.random.default_rng(n)
    x, (cos, sin) = rng.normal(0, 1, (rows, n)).astype(dtype), rng.uniform(-1, 1, (2, rows, pairs)).astype(dtype)
    for name in ("rotary_embedding", "rotary_embedding_backward"):
        expected = getattr(lw, name)(x, cos, sin, interleaved=interleaved)
        found = called(name, dtype, [x, cos, sin], [interleaved], [np.full_like(x, 7)], [rows, n, pairs])
        assert found[0].tobytes() == expected.tobytes()
        place = x.copy()
        ctypes_function(f"{name}_{dtype}")(place, cos, sin, interleaved, place, rows, n, pairs)
        assert place.tobytes() == expected.tobytes()
