"""masked_softmax and rotary_embedding against oracles in high precision, ONNX's reference and what torchtune defines,
central differences, and themselves: any stride, alias, mask's shape and number of threads gives the same bits."""

import warnings

import lanewise as lw
import mpmath
import numpy as np
import oracles
import pytest
from lanewise.bounds import bound
from lanewise.measure.row_formulas import softmax_gradient
from oracles import DTYPES, dtype_named, error, exactly

LENGTHS = (1, 2, 7, 16, 33, 64, 130)
RNG = np.random.default_rng(21)


def scores(dtype, shape, sigma=4.0, seed=0):
    return (np.random.default_rng(seed).standard_normal(shape) * sigma).astype(dtype_named(dtype))


def expected(x, seen):
    """Softmax in mpmath's numbers of the scores that are seen."""
    y = np.full(x.shape, mpmath.mpf(0), object)
    for row, found, here in zip(exactly(x), y, seen, strict=True):
        if here.any():
            found[here] = oracles.softmax(row[here][None])[0]
    return y


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_masked_softmax(dtype, n):
    x, seen = scores(dtype, (5, n)), np.random.default_rng(n).random((5, n)) < 0.6
    seen[3] = False
    exact = expected(x / x.dtype.type(4), seen)  # a scale of which no score is rounded
    plus = np.where(seen, 0, -np.inf).astype(x.dtype)
    for mask in (seen, plus, seen.tolist(), np.asfortranarray(seen), np.asfortranarray(plus)):
        y = lw.masked_softmax(x, mask, 0.25)
        assert y.dtype == x.dtype
        assert error(y, exact, dtype) <= bound("masked_softmax", dtype)
        assert (y[~seen] == 0).all()
        assert (y[3] == 0).all()
    assert lw.masked_softmax(x).tobytes() == lw.softmax(x).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0, 3, -2, -40, 100])
def test_causal_is_the_mask_of_its_indices(dtype, offset):
    x = scores(dtype, (2, 6, 37))
    seen = np.arange(37) <= np.arange(6)[:, None] + offset
    y = lw.masked_softmax(x, scale=0.3, causal=True, offset=offset)
    assert y.tobytes() == lw.masked_softmax(x, seen, 0.3).tobytes()
    mask = RNG.random((6, 37)) < 0.5
    both = lw.masked_softmax(x, mask, 0.3, causal=True, offset=offset)
    assert both.tobytes() == lw.masked_softmax(x, mask & seen, 0.3).tobytes()
    added = np.where(mask, 1.5, -np.inf)
    both = lw.masked_softmax(x, added, 0.3, causal=True, offset=offset)
    assert both.tobytes() == lw.masked_softmax(x, np.where(seen, added, -np.inf), 0.3).tobytes()


def test_a_long_row_is_shared_and_causal():
    x = scores("float32", (3, 50_000))
    y = lw.masked_softmax(x, causal=True, offset=20_000)
    assert y.tobytes() == lw.masked_softmax(x, np.arange(50_000) <= np.arange(3)[:, None] + 20_000).tobytes()
    lw.set_num_threads(2)
    assert lw.masked_softmax(x, causal=True, offset=20_000).tobytes() == y.tobytes()


@pytest.mark.parametrize("scale", [0.1, 1 / np.sqrt(80), -2.5])
def test_scores_are_rounded_once(scale):
    # float32 scores near 40: a scale in float32 alone would be off by more
    x, bias = scores("float32", (50, 64), 400 * 0.1 / abs(scale)), scores("float32", (50, 64))
    product = (x.astype(np.longdouble) * scale).astype(np.float32)
    y = lw.masked_softmax(x, scale=scale)
    np.testing.assert_allclose(y, lw.softmax(product), rtol=1e-6, atol=1e-30)
    # the sum is one more rounding, of the product and the mask
    y = lw.masked_softmax(x, bias, scale)
    np.testing.assert_allclose(y, lw.softmax(product + bias), rtol=3e-5, atol=1e-30)


@pytest.mark.parametrize("mask_shape", [(37,), (1,), (5, 1), (5, 37), (1, 1, 5, 37), (2, 1, 1, 37), (2, 3, 5, 37), ()])
@pytest.mark.parametrize("kind", [bool, np.float32, np.float64, np.float16])
def test_a_mask_broadcasts(mask_shape, kind):
    x = scores("float32", (2, 3, 5, 37))
    seen = np.asarray(RNG.random(mask_shape) < 0.7)
    mask = seen if kind is bool else np.where(seen, 0.5, -np.inf).astype(kind)
    y = lw.masked_softmax(x, mask)
    whole = np.ascontiguousarray(np.broadcast_to(mask, x.shape))
    assert y.tobytes() == lw.masked_softmax(x, whole).tobytes()
    assert lw.masked_softmax(x[..., ::-1], whole[..., ::-1]).shape == x.shape


def test_what_is_hidden_counts_for_nothing():
    x = scores("float32", (4, 20))
    seen = np.ones((4, 20), bool)
    seen[:, 3] = seen[2] = False
    clean = lw.masked_softmax(x, seen)
    for poison in (np.nan, np.inf, -np.inf, 3e38):
        poisoned = x.copy()
        poisoned[:, 3] = poisoned[2] = poison
        assert lw.masked_softmax(poisoned, seen).tobytes() == clean.tobytes()
        later = x.copy()
        later[:, 5:] = poison
        assert (lw.masked_softmax(later, causal=True)[:, 5:] == 0).all()
        assert np.isfinite(lw.masked_softmax(later, causal=True)).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_without_a_score_are_zeros_and_nan_is_nan(dtype):
    x = scores(dtype, (3, 40))
    x[0], x[1, 7], x[2, 7] = -np.inf, np.nan, np.inf
    y = lw.masked_softmax(x)
    assert (y[0] == 0).all()
    assert np.isnan(y[1:]).all()
    y = lw.masked_softmax(x, causal=True, offset=10)
    assert (y[0] == 0).all()
    assert np.isnan(y[1:]).all()  # behind what is seen too
    x[0, 3] = np.nan
    assert np.isnan(lw.masked_softmax(x)[0]).all()
    assert lw.masked_softmax(np.empty((3, 0))).shape == (3, 0)
    assert lw.masked_softmax(np.empty((0, 3)), causal=True).shape == (0, 3)


def test_masked_softmax_in_place_and_aliases():
    x, bias, seen = scores("float32", (9, 33)), scores("float32", (9, 33)), RNG.random((9, 33)) < 0.5
    for mask in (None, seen, bias):
        y = lw.masked_softmax(x, mask, 0.5)
        place = x.copy()
        assert lw.masked_softmax(place, mask, 0.5, out=place) is place
        assert place.tobytes() == y.tobytes()
    place = bias.copy()
    lw.masked_softmax(x, place, 0.5, out=place)
    assert place.tobytes() == lw.masked_softmax(x, bias, 0.5).tobytes()
    # overlapping, not element for element
    room = np.zeros(9 * 33 + 1, np.float32)
    room[:-1] = x.ravel()
    lw.masked_softmax(room[:-1].reshape(9, 33), seen, 0.5, out=room[1:].reshape(9, 33))
    assert room[1:].tobytes() == lw.masked_softmax(x, seen, 0.5).tobytes()
    wide = np.zeros((9, 33))
    lw.masked_softmax(x, seen, 0.5, out=wide)
    assert (wide == lw.masked_softmax(x, seen, 0.5)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", LENGTHS)
def test_masked_softmax_backward(dtype, n):
    y, grad = lw.masked_softmax(scores(dtype, (3, n)), RNG.random((3, n)) < 0.6), scores(dtype, (3, n), seed=1)
    exact, terms = softmax_gradient(exactly(grad), exactly(y))
    scale = 0.3
    found = lw.masked_softmax_backward(grad, y, scale)
    assert error(found, exact * mpmath.mpf(scale), dtype, terms * mpmath.mpf(scale)) <= bound(
        "masked_softmax_backward", dtype)
    assert (found[y == 0] == 0).all()
    for place in (grad, y):
        again = lw.masked_softmax_backward(grad, y, scale, out=place.copy())
        assert again.tobytes() == found.tobytes()


def test_masked_softmax_backward_is_its_slope():
    x, mask, grad = scores("float64", (2, 5, 8), 1), RNG.random((5, 8)) < 0.7, RNG.standard_normal((2, 5, 8))
    for arguments in ({"mask": mask}, {"mask": np.where(mask, 0.3, -np.inf)}, {"causal": True, "offset": 1}):
        slope = oracles.differences(
            lambda value, a=arguments: (lw.masked_softmax(value, scale=0.7, **a) * grad).sum(), x)
        y = lw.masked_softmax(x, scale=0.7, **arguments)
        np.testing.assert_allclose(lw.masked_softmax_backward(grad, y, 0.7), slope, atol=1e-8)


@pytest.mark.parametrize(("call", "error_type", "message"), [
    (lambda x: lw.masked_softmax(x, np.ones((3, 4), int)), TypeError, "mask is of dtype int64; expected bool"),
    (lambda x: lw.masked_softmax(x, np.ones((2, 4), bool)), ValueError, r"mask of shape \(2, 4\) does not fit x of sh"),
    (lambda x: lw.masked_softmax(x, np.ones((2, 3, 4), bool)), ValueError, r"mask of shape \(2, 3, 4\) does not fit"),
    (lambda x: lw.masked_softmax(x, np.ma.masked_array(np.ones((3, 4)), True)), TypeError, "mask is a masked array"),
    (lambda x: lw.masked_softmax(x, scale="2"), TypeError, "scale must be a number, not '2'"),
    (lambda x: lw.masked_softmax(x, scale=np.inf), ValueError, "scale must be finite, not inf"),
    (lambda x: lw.masked_softmax(x, causal=1), TypeError, "causal must be True or False, not 1"),
    (lambda x: lw.masked_softmax(x, offset=1), ValueError, "offset=1 is of causal masks"),
    (lambda x: lw.masked_softmax(x, causal=True, offset=0.5), TypeError, "offset must be an int, not 0.5"),
    (lambda x: lw.masked_softmax(x[0], causal=True), ValueError, r"x of shape \(4,\) has no axis of queries"),
    (lambda x: lw.masked_softmax(x[0, 0]), ValueError, "x has no axis of keys"),
    (lambda x: lw.masked_softmax(x, out=np.zeros((3, 5))), ValueError, r"masked_softmax: out of shape \(3, 5\) does"),
    (lambda x: lw.masked_softmax_backward(x, x, None), TypeError, "scale must be a number, not None"),
    (lambda x: lw.masked_softmax_backward(x[:2], x), ValueError, r"grad of shape \(2, 4\) does not fit"),
    (lambda x: lw.masked_softmax_backward(1.0, 1.0), ValueError, "y has no axis of keys"),
    (lambda x: lw.rotary_embedding(x, np.ones(3), np.ones(3)), ValueError, r"expected one length of at most 2"),
    (lambda x: lw.rotary_embedding(x, np.ones(2), np.ones(1)), ValueError, r"cos and sin of shapes \(2,\) and \(1,\)"),
    (lambda x: lw.rotary_embedding(x, np.ones((2, 2)), np.ones(2)), ValueError, r"cos of shape \(2, 2\) does not fit"),
    (lambda x: lw.rotary_embedding(x, np.ones(2), np.ones((4, 3, 2))), ValueError, r"must broadcast to \(3,\)"),
    (lambda x: lw.rotary_embedding(x, 1.0, 1.0), ValueError, "cos has no axis of pairs"),
    (lambda x: lw.rotary_embedding(x, np.ones(2), np.ones(2), interleaved="no"), TypeError, "interleaved must be True"),
    (lambda x: lw.rotary_embedding_backward(1.0, np.ones(2), np.ones(2)), ValueError, "grad has no axis of pairs"),
    (lambda x: lw.rotary_tables([0], 3), ValueError, "n must be an even number of elements up to 65536, not 3"),
    (lambda x: lw.rotary_tables([0], 1 << 31), ValueError, "n must be an even number of elements up to 65536, not 21"),
    (lambda x: lw.rotary_tables([0], 2, base=0), ValueError, "base must be above 0, not 0"),
    (lambda x: lw.rotary_tables([0], 2, dtype="f2"), TypeError, "dtype must be float32 or float64, not float16"),
    (lambda x: lw.rotary_tables([np.nan], 2), ValueError, r"positions must be numbers up to 2\*\*50"),
])
def test_what_is_refused(call, error_type, message):
    x = np.ones((3, 4), np.float32)
    with pytest.raises(error_type, match=message):
        call(x)
    assert (x == 1).all()


def turned(x, cos, sin, interleaved):
    """What RotaryEmbedding of ONNX's opset 23 says, and the size of the terms of each difference."""
    pairs = cos.shape[-1]
    first, second = (np.s_[..., :2 * pairs:2], np.s_[..., 1:2 * pairs:2]) if interleaved else (
        np.s_[..., :pairs], np.s_[..., pairs:2 * pairs])
    a, b, y, terms = x[first], x[second], x.copy(), np.abs(x)
    y[first], y[second] = a * cos - b * sin, a * sin + b * cos
    terms[first] = np.abs(a * cos) + np.abs(b * sin)
    terms[second] = np.abs(a * sin) + np.abs(b * cos)
    return y, terms


@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("n", "pairs"), [(2, 1), (6, 3), (16, 8), (18, 9), (34, 17), (64, 32), (100, 50), (65, 32),
                                          (64, 8), (40, 3), (5, 0)])
def test_rotary_embedding(interleaved, dtype, n, pairs):
    x = scores(dtype, (2, 3, 7, n), 1)
    precision = np.float64 if dtype == "float64" else np.float32
    cos, sin = lw.rotary_tables(np.arange(7) * 1000, 2 * pairs, dtype=precision)
    wide = np.longdouble if dtype == "float64" else np.float64
    exact, terms = turned(x.astype(wide), cos.astype(wide), sin.astype(wide), interleaved)
    y = lw.rotary_embedding(x, cos, sin, interleaved=interleaved)
    assert y.dtype == x.dtype
    assert error(y, exact, dtype, terms) <= bound("rotary_embedding", dtype)
    assert y[..., 2 * pairs:].tobytes() == x[..., 2 * pairs:].tobytes()
    exact, terms = turned(x.astype(wide), cos.astype(wide), -sin.astype(wide), interleaved)
    back = lw.rotary_embedding_backward(x, cos, sin, interleaved=interleaved)
    assert error(back, exact, dtype, terms) <= bound("rotary_embedding_backward", dtype)
    # the other order of the axes, strides, and in place: the same bits
    swapped = np.ascontiguousarray(x.swapaxes(1, 2))
    found = lw.rotary_embedding(swapped, cos[:, None], sin[:, None], interleaved=interleaved)
    assert found.swapaxes(1, 2).tobytes() == y.tobytes()
    apart = np.zeros((*x.shape[:-1], 2 * n), x.dtype)[..., ::2]
    apart[...] = x
    assert lw.rotary_embedding(apart, cos, sin, interleaved=interleaved).tobytes() == y.tobytes()
    lw.rotary_embedding(apart, cos, sin, interleaved=interleaved, out=apart)
    assert apart.tobytes() == y.tobytes()
    place = x.copy()
    assert lw.rotary_embedding(place, cos, sin, interleaved=interleaved, out=place) is place
    assert place.tobytes() == y.tobytes()


@pytest.mark.parametrize("interleaved", [False, True])
def test_rotary_embedding_is_what_onnx_computes(interleaved):
    onnx = pytest.importorskip("onnx")
    reference = pytest.importorskip("onnx.reference")
    if onnx.defs.onnx_opset_version() < 23:
        pytest.skip("RotaryEmbedding came with opset 23")
    x = scores("float32", (2, 3, 5, 12), 1)
    positions = RNG.integers(0, 50, (2, 5))
    for pairs in (6, 4):
        cos, sin = lw.rotary_tables(np.arange(50), 2 * pairs)
        node = onnx.helper.make_node("RotaryEmbedding", ["x", "cos", "sin", "at"], ["y"], interleaved=int(interleaved),
                                     rotary_embedding_dim=0 if pairs == 6 else 2 * pairs)
        floats, ints = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
        graph = onnx.helper.make_graph([node], "g", [
            onnx.helper.make_tensor_value_info(name, kind, None)
            for name, kind in (("x", floats), ("cos", floats), ("sin", floats), ("at", ints))],
            [onnx.helper.make_tensor_value_info("y", floats, None)])
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 23)])
        (theirs,) = reference.ReferenceEvaluator(model).run(None, {"x": x, "cos": cos, "sin": sin, "at": positions})
        ours = lw.rotary_embedding(x, cos[positions][:, None], sin[positions][:, None], interleaved=interleaved)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-6)


def test_rotary_embedding_of_a_known_row():
    # torchtune 0.6's RotaryPositionalEmbeddings (interleaved) and transformers 4's apply_rotary_pos_emb (halves) by
    # hand: position 1 of a row of 4, angles 1 and 0.01
    x, (cos, sin) = np.array([1.0, 2.0, 3.0, 4.0]), lw.rotary_tables(1, 4, dtype="f8")
    c, s, c2, s2 = np.cos(1), np.sin(1), np.cos(0.01), np.sin(0.01)
    np.testing.assert_allclose(lw.rotary_embedding(x, cos, sin, interleaved=True),
                               [c - 2 * s, s + 2 * c, 3 * c2 - 4 * s2, 3 * s2 + 4 * c2], rtol=1e-15)
    np.testing.assert_allclose(lw.rotary_embedding(x, cos, sin),
                               [c - 3 * s, 2 * c2 - 4 * s2, s + 3 * c, 2 * s2 + 4 * c2], rtol=1e-15)


def test_signalling_tables_warn_of_nothing():
    signalling = np.array([0x7F800001], np.uint32).view(np.float32)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(lw.rotary_embedding(np.ones((1, 2)), signalling, signalling)).all()


def test_turning_back_is_the_gradient():
    x, grad = RNG.standard_normal((3, 8)), RNG.standard_normal((3, 8))
    cos, sin = lw.rotary_tables(np.arange(3), 6, dtype=np.float64)
    for interleaved in (False, True):
        slope = oracles.differences(
            lambda value, way=interleaved: (lw.rotary_embedding(value, cos, sin, interleaved=way) * grad).sum(), x)
        found = lw.rotary_embedding_backward(grad, cos, sin, interleaved=interleaved)
        np.testing.assert_allclose(found, slope, atol=1e-9)
        y = lw.rotary_embedding(x, cos, sin, interleaved=interleaved)
        np.testing.assert_allclose(lw.rotary_embedding_backward(y, cos, sin, interleaved=interleaved), x, rtol=1e-14)


@pytest.mark.parametrize("base", [10_000, 500_000.0, 1, 0.5])
def test_rotary_tables(base):
    positions = np.array([[0, 1, 2], [1000, 123_456_789, 2**50]])
    for dtype in (np.float32, np.float64):
        tables = lw.rotary_tables(positions, 14, base=base, dtype=dtype)
        for table, function in zip(tables, (mpmath.cos, mpmath.sin), strict=True):
            assert table.shape == (2, 3, 7)
            assert table.dtype == dtype
            with mpmath.workdps(60):
                exact = np.array([[[function(int(p) * mpmath.mpf(base) ** (-mpmath.mpf(2 * i) / 14)) for i in range(7)]
                                   for p in row] for row in positions], object)
            name = np.dtype(dtype).name
            assert error(table, exact, name, np.ones(exact.shape)) <= bound("rotary_tables", name)
    cos, sin = lw.rotary_tables([-5, 5.5], 4)
    assert cos[0, 0] == np.float32(np.cos(5))
    assert sin[0, 0] == -np.float32(np.sin(5))
    assert cos[1, 0] == np.float32(np.cos(5.5))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("keys", [1, 3, 8, 29, 64, 128])
def test_short_rows_side_by_side_are_those_computed_alone(keys, dtype):
    rng = np.random.default_rng(keys)
    x = (rng.normal(size=(20, keys)) * 4).astype(dtype)
    seen = rng.random(x.shape) < 0.7
    seen[3] = False
    seen[5, keys // 2] = False
    x[5, keys // 2] = np.nan
    x[17] = np.inf
    added = np.where(seen, rng.normal(size=x.shape), -np.inf).astype(dtype)
    for mask in (None, seen, added):
        together = lw.masked_softmax(x, mask, 0.7)
        alone = [lw.masked_softmax(x[r], None if mask is None else mask[r], 0.7) for r in range(20)]
        np.testing.assert_array_equal(together, np.stack(alone))
        place = x.copy()
        np.testing.assert_array_equal(lw.masked_softmax(place, mask, 0.7, out=place), together)
        causal = lw.masked_softmax(x, mask, 0.7, causal=True, offset=2)
        for r in range(20):
            row = lw.masked_softmax(x[r, :r + 3], None if mask is None else mask[r, :r + 3], 0.7)
            np.testing.assert_array_equal(causal[r, :r + 3], row)
            np.testing.assert_array_equal(causal[r, r + 3:], np.nan if np.isnan(row).any() else 0)
