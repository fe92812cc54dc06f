"""The Python edge of the functions along an axis: dtypes, byte orders, masks, options, empty and 0-d arrays. What is
refused says what was given; whether the numbers are right is each family's own test."""

import warnings

import lanewise as lw
import numpy as np
import pytest

N = 6
RNG = np.random.default_rng(0)
X, GRAD, ROW = RNG.normal(size=(4, N)), RNG.normal(size=(4, N)), RNG.normal(size=4)
WEIGHT, BIAS = RNG.normal(size=N), RNG.normal(size=N)
MEAN, RSTD = RNG.normal(size=N), RNG.uniform(1, 2, N)
TARGET = np.array([0, 1, 2, 5])
# each function on (rows, numbers), as a call of arrays by their role
CALLS = {
    "softmax": lambda a: lw.softmax(a["x"]),
    "softmin": lambda a: lw.softmin(a["x"]),
    "log_softmax": lambda a: lw.log_softmax(a["x"]),
    "logsumexp": lambda a: lw.logsumexp(a["x"]),
    "softmax_backward": lambda a: lw.softmax_backward(a["grad"], a["x"]),
    "softmin_backward": lambda a: lw.softmin_backward(a["grad"], a["x"]),
    "masked_softmax": lambda a: lw.masked_softmax(a["x"], causal=True),
    "masked_softmax_backward": lambda a: lw.masked_softmax_backward(a["grad"], a["x"]),
    "rotary_embedding": lambda a: lw.rotary_embedding(a["x"], a["weight"][:3], a["bias"][:3]),
    "rotary_embedding_backward": lambda a: lw.rotary_embedding_backward(a["grad"], a["weight"][:3], a["bias"][:3]),
    "log_softmax_backward": lambda a: lw.log_softmax_backward(a["grad"], a["x"]),
    "logsumexp_backward": lambda a: lw.logsumexp_backward(a["row"], a["x"]),
    "rms_norm": lambda a: lw.rms_norm(a["x"], a["weight"]),
    "rms_norm_backward": lambda a: lw.rms_norm_backward(a["grad"], a["x"], a["weight"]),
    "layer_norm": lambda a: lw.layer_norm(a["x"], a["weight"], a["bias"]),
    "layer_norm_backward": lambda a: lw.layer_norm_backward(a["grad"], a["x"], a["weight"], a["bias"]),
    "add_rms_norm": lambda a: lw.add_rms_norm(a["x"], a["grad"], a["weight"]),
    "normalize": lambda a: lw.normalize(a["x"]),
    "normalize_backward": lambda a: lw.normalize_backward(a["grad"], a["x"]),
    "batch_norm": lambda a: lw.batch_norm(a["x"], a["mean"], a["rstd"], a["weight"], a["bias"]),
    "batch_norm in training": lambda a: lw.batch_norm(a["x"], weight=a["weight"], bias=a["bias"], training=True),
    "batch_norm_backward": lambda a: lw.batch_norm_backward(
        a["grad"], a["x"], a["weight"], mean=a["mean"], rstd=a["rstd"], training=True),
    "group_norm": lambda a: lw.group_norm(a["x"], 2, a["weight"], a["bias"]),
    "group_norm_backward": lambda a: lw.group_norm_backward(a["grad"], a["x"], 2, a["weight"]),
    "instance_norm": lambda a: lw.instance_norm(a["x"], a["weight"], a["bias"]),
    "instance_norm_backward": lambda a: lw.instance_norm_backward(a["grad"], a["x"], a["weight"]),
    "cross_entropy": lambda a: lw.cross_entropy(a["x"], a["target"]),
    "cross_entropy_with_grad": lambda a: lw.cross_entropy_with_grad(a["x"], a["target"]),
    "cross_entropy_backward": lambda a: lw.cross_entropy_backward(a["row"], a["x"], a["target"], reduction="none"),
}
ROLES = {"x": X, "grad": GRAD, "row": ROW, "weight": WEIGHT, "bias": BIAS, "mean": MEAN, "rstd": RSTD}
every = pytest.mark.parametrize("name", list(CALLS))


class Recorded(dict):
    """Arrays by role, and which of them a call asked for."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.asked = []

    def __getitem__(self, role):
        self.asked.append(role)
        return super().__getitem__(role)


def arrays(dtype, **others):
    return Recorded({**{role: values.astype(dtype) for role, values in ROLES.items()}, "target": TARGET, **others})


def roles_of(name):
    given = arrays(np.float64)
    CALLS[name](given)
    return [role for role in given.asked if role != "target"]


def results(name, given):
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        found = CALLS[name](given)
    return [np.asarray(y) for y in (found if isinstance(found, tuple) else (found,))]


def assert_same(found, expected):
    for y, e in zip(found, expected, strict=True):
        assert y.dtype == e.dtype
        assert y.shape == e.shape
        assert np.ascontiguousarray(y).tobytes() == np.ascontiguousarray(e).tobytes()


@every
def test_memory_mapped_arrays_give_arrays(name, tmp_path):
    """A result lies in no file, and says so."""
    given = {}
    for role, values in ROLES.items():
        given[role] = np.memmap(tmp_path / role, np.float32, "w+", shape=values.shape)
        given[role][...] = values
    found = CALLS[name]({**given, "target": TARGET})
    for y in found if isinstance(found, tuple) else (found,):
        assert type(y) is not np.memmap


@every
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_any_byte_order(name, dtype):
    expected = results(name, arrays(dtype))
    swapped = np.dtype(dtype).newbyteorder()
    assert_same(results(name, arrays(swapped)), expected)
    for role in roles_of(name):
        assert_same(results(name, arrays(dtype, **{role: ROLES[role].astype(dtype).astype(swapped)})), expected)
    if name.startswith("cross"):
        assert_same(results(name, arrays(dtype, target=TARGET.astype(">i2"))), expected)


@every
def test_integers_are_not_truncated(name):
    """Integer weights and statistics have gradients and results of floats."""
    for dtype in (np.float32, np.float64):
        for role in roles_of(name):
            whole = np.rint(3 * ROLES[role]).astype(int)
            if role in ("x", "grad") and dtype is np.float32:
                continue  # which become float64, as everywhere
            for integers in ("i1", "i8", ">i4"):
                found = results(name, arrays(dtype, **{role: whole.astype(integers)}))
                assert_same(found, results(name, arrays(dtype, **{role: whole.astype(dtype)})))


@every
@pytest.mark.parametrize("dtype", ["int4", "uint4", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn"])
def test_dtypes_below_16_bits_become_float32(name, dtype):
    ml_dtypes = pytest.importorskip("ml_dtypes")
    for role in roles_of(name):
        small = np.abs(np.clip(np.rint(2 * ROLES[role]), -6, 6)).astype(getattr(ml_dtypes, dtype))
        assert_same(results(name, arrays(np.float32, **{role: small})),
                    results(name, arrays(np.float32, **{role: small.astype(np.float32)})))
    given = arrays(getattr(ml_dtypes, dtype))
    assert all(y.dtype in (np.float32, np.float64) for y in results(name, given))


@every
def test_masked_arrays_are_refused_by_name(name):
    for role in (*roles_of(name), *["target"] * name.startswith("cross")):
        given = arrays(np.float32)
        given[role] = np.ma.array(dict.__getitem__(given, role), mask=False)
        with pytest.raises(TypeError, match=rf"{name.split()[0].replace('instance', '(group|instance)')}\w*: .* is a "
                                            r"masked array, whose mask would not be seen"):
            CALLS[name](given)


@every
@pytest.mark.parametrize("wrong", [None, "a", np.array(["a"] * N), np.ones(N, complex), np.array([None] * N)])
def test_what_are_no_numbers(name, wrong):
    for role in roles_of(name):
        if role in ("x", "grad") or wrong is not None:
            with pytest.raises((TypeError, ValueError), match=rf"^{name.split('_')[0]}|^group_norm"):
                CALLS[name](arrays(np.float32, **{role: wrong}))


ON_AXIS = {
    "softmax": lw.softmax, "softmin": lw.softmin, "log_softmax": lw.log_softmax, "logsumexp": lw.logsumexp,
    "softmax_backward": lambda x, **k: lw.softmax_backward(x, x, **k),
    "log_softmax_backward": lambda x, **k: lw.log_softmax_backward(x, x, **k),
    "rms_norm": lw.rms_norm, "layer_norm": lw.layer_norm, "normalize": lw.normalize,
    "add_rms_norm": lambda x, **k: lw.add_rms_norm(x, x, **k),
    "rms_norm_backward": lambda x, **k: lw.rms_norm_backward(x, x, **k),
    "layer_norm_backward": lambda x, **k: lw.layer_norm_backward(x, x, **k),
    "normalize_backward": lambda x, **k: lw.normalize_backward(x, x, **k), "glu": lw.glu,
    "glu_backward": lambda x, **k: lw.glu_backward(x[:, :3], x, **k)}


@pytest.mark.parametrize("name", list(ON_AXIS))
@pytest.mark.parametrize("axis", ["1", 1.0, [1], (0, 1.0)])
def test_an_axis_is_an_int(name, axis):
    several = ", a tuple of ints or None" if not name.startswith("glu") and not isinstance(axis, tuple) else ""
    with pytest.raises(TypeError, match=rf"{name}: axis must be an int{several}, not "):
        ON_AXIS[name](X, axis=axis)


@pytest.mark.parametrize("name", ["glu", "glu_backward"])
@pytest.mark.parametrize("axis", [None, (0, 1)])
def test_halves_are_of_one_axis(name, axis):
    with pytest.raises(TypeError, match=rf"{name}: axis must be an int, not "):
        ON_AXIS[name](X, axis=axis)


@pytest.mark.parametrize("name", [name for name in ON_AXIS if not name.startswith("glu")])
def test_axes_of_numpy(name):
    first = ON_AXIS[name](X, axis=np.int8(0))
    expected = ON_AXIS[name](X, axis=0)
    assert np.array_equal(first[0], expected[0])


EPS = {
    "rms_norm": lambda eps: lw.rms_norm(X, eps=eps), "layer_norm": lambda eps: lw.layer_norm(X, eps=eps),
    "add_rms_norm": lambda eps: lw.add_rms_norm(X, X, eps=eps), "normalize": lambda eps: lw.normalize(X, eps=eps),
    "rms_norm_backward": lambda eps: lw.rms_norm_backward(X, X, eps=eps),
    "layer_norm_backward": lambda eps: lw.layer_norm_backward(X, X, eps=eps),
    "normalize_backward": lambda eps: lw.normalize_backward(X, X, eps=eps),
    "batch_norm": lambda eps: lw.batch_norm(X, training=True, eps=eps),
    "group_norm": lambda eps: lw.group_norm(X, 2, eps=eps), "instance_norm": lambda eps: lw.instance_norm(
        X[:, :, None].repeat(3, 2), eps=eps),
    "group_norm_backward": lambda eps: lw.group_norm_backward(X, X, 2, eps=eps),
    "instance_norm_backward": lambda eps: lw.instance_norm_backward(X, X, eps=eps)}


def test_every_function_with_eps_is_tried():
    import inspect
    functions = {name: getattr(lw, name) for name in set(lw.__all__) - set(lw._LEARNING)}
    assert {name for name, f in functions.items() if inspect.isfunction(f) and "eps" in inspect.signature(
        f).parameters} == set(EPS)


@pytest.mark.parametrize("name", list(EPS))
def test_eps_is_a_finite_number_of_0_or_more(name):
    for eps in (-1e-5, -np.inf, np.inf, np.nan):
        with pytest.raises(ValueError, match=rf"{name}: eps must be a finite number of 0 or more, not "):
            EPS[name](eps)
    for eps in (None, "1e-5", [1e-5], np.array([1e-5] * 4)):
        with pytest.raises(TypeError, match=rf"{name}: eps must be a number, not "):
            EPS[name](eps)
    found, expected = EPS[name](np.float32(0.5)), EPS[name](0.5)
    assert np.array_equal(found[0], expected[0])
    EPS[name](0)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lw.cross_entropy(X, TARGET, z_loss=-1.0), ValueError, "cross_entropy: z_loss must be a finite number"),
    (lambda: lw.cross_entropy(X, TARGET, z_loss=None), TypeError, "cross_entropy: z_loss must be a number, not None"),
    (lambda: lw.cross_entropy_with_grad(X, TARGET, label_smoothing="a"), TypeError,
     "cross_entropy_with_grad: label_smoothing must be a number, not 'a'"),
    (lambda: lw.cross_entropy_backward(1.0, X, TARGET, label_smoothing=np.nan), ValueError,
     "cross_entropy_backward: label_smoothing must be from 0 to 1, not nan"),
    (lambda: lw.batch_norm(X, training=True, momentum=2.0), ValueError,
     "batch_norm: momentum must be from 0 to 1, not 2.0"),
    (lambda: lw.batch_norm(X, training=True, momentum=None), TypeError,
     "batch_norm: momentum must be a number, not None"),
    (lambda: lw.group_norm(np.empty((2, 0)), 2**70), ValueError, "group_norm: 0 channels cannot be split into "),
    (lambda: lw.group_norm_backward(np.empty((2, 0, 3)), np.empty((2, 0, 3)), 2), ValueError,
     "0 channels cannot be split"),
    (lambda: lw.group_norm(X, "2"), TypeError, "group_norm: num_groups must be an int, not '2'"),
    (lambda: lw.normalize(X, [1, 2]), TypeError, r"normalize: p must be a number that a float holds, not \[1, 2\]"),
    (lambda: lw.batch_norm(X, np.zeros(N, int), np.ones(N), training=True), TypeError,
     "batch_norm: running_mean is updated in place and must hold floats of 16 bits or more, not int64"),
])
def test_options(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "int4", "int8"])
def test_running_statistics_of_few_bits_are_refused(dtype):
    dtype = getattr(pytest.importorskip("ml_dtypes"), dtype, np.int8)
    mean, variance = np.zeros(N, dtype), np.ones(N, dtype)
    for running in ((mean, np.ones(N)), (np.zeros(N), variance)):
        with pytest.raises(TypeError, match=r"must hold floats of 16 bits or more, not (float8_e4m3fn|int4|int8)$"):
            lw.batch_norm(X, *running, training=True)
        assert (running[0] == 0).all()


def test_running_statistics_of_any_byte_order_are_updated():
    found = []
    for dtype in ("<f4", ">f4"):
        mean, variance = np.zeros(N, dtype), np.ones(N, dtype)
        lw.batch_norm(X, mean, variance, training=True)
        found.append((mean.astype("<f4").tobytes(), variance.astype("<f4").tobytes()))
    assert found[0] == found[1]
    assert found[0][0] != np.zeros(N, "<f4").tobytes()


class Foreign:
    """An array of another library, which NumPy would take for one."""

    shape, dtype, ndim = (4, N), np.dtype(np.float64), 2

    def __init__(self):
        self.values = np.full((4, N), 7.0)

    def __array__(self, dtype=None, copy=None):
        return self.values


OUT = {**{name: f for name, f in ON_AXIS.items() if name != "add_rms_norm"},
       "add_rms_norm": lambda x, out: lw.add_rms_norm(x, x, out=(out, None)),
       "batch_norm": lambda x, out: lw.batch_norm(x, training=True, out=out),
       "batch_norm_backward": lambda x, out: lw.batch_norm_backward(x, x, mean=MEAN, rstd=RSTD, out=out),
       "group_norm": lambda x, out: lw.group_norm(x, 2, out=out),
       "group_norm_backward": lambda x, out: lw.group_norm_backward(x, x, 2, out=out),
       "instance_norm": lambda x, out: lw.instance_norm(x, out=out),
       "cross_entropy_with_grad": lambda x, out: lw.cross_entropy_with_grad(x, TARGET, out=out),
       "cross_entropy_backward": lambda x, out: lw.cross_entropy_backward(1.0, x, TARGET, out=out),
       "leaky_relu": lw.leaky_relu, "elu_backward": lambda x, out: lw.elu_backward(x, x, out=out), "swish": lw.swish,
       "softplus_backward": lambda x, out: lw.softplus_backward(x, x, out=out)}


@pytest.mark.parametrize("name", list(OUT))
def test_out_of_another_library_is_refused(name):
    out = Foreign()
    with pytest.raises(TypeError, match=r"\w+: out must be an ndarray, not .*Foreign"):
        OUT[name](X, out=out)
    assert (out.values == 7).all()
    if name not in ("leaky_relu", "elu_backward", "swish", "softplus_backward"):  # which honour masks
        with pytest.raises(TypeError, match=r"\w+: out must be an ndarray, not .*MaskedArray"):
            OUT[name](X, out=np.ma.array(out.values))


@pytest.mark.parametrize("shape", [(0, 5, 9), (0, 5), (0, 5, 2, 2), (3, 0, 4), (3, 5, 0), (3, 0), (0, 0)])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_empty_batches_and_no_channels(shape, dtype):
    x = np.empty(shape, dtype)
    channels = shape[1]
    weight = np.ones(channels, dtype)
    mean, variance = np.full(channels, 3, dtype), np.full(channels, 2, dtype)
    groups = max(channels, 1)
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for y in (lw.batch_norm(x, mean, variance, weight, weight), lw.batch_norm(x, mean, variance, training=True),
                  lw.group_norm(x, groups, weight, weight), lw.instance_norm(x, weight, weight), lw.layer_norm(x),
                  lw.rms_norm(x), lw.softmax(x, 1), lw.log_softmax(x), lw.normalize(x), lw.batch_norm(
                      x, training=True, out=np.empty_like(x)), lw.softmax_backward(x, x)):
            assert y.shape == shape
            assert y.dtype == dtype
        assert (mean == 3).all()
        assert (variance == 2).all()
        for training in (False, True):
            grad_x, *sums = lw.batch_norm_backward(x, x, weight, mean=mean, rstd=variance, training=training)
            assert grad_x.shape == shape
            assert [s.tolist() for s in sums] == [[0.0] * channels] * 2
        for found in (lw.group_norm_backward(x, x, groups, weight), lw.instance_norm_backward(x, x, weight)):
            assert found[0].shape == shape
            assert [s.tolist() for s in found[1:]] == [[0.0] * channels] * 2
        last = np.ones(shape[-1], dtype)
        assert lw.layer_norm_backward(x, x, last, last)[1].tolist() == [0.0] * shape[-1]
        assert lw.rms_norm_backward(x, x, last)[1].tolist() == [0.0] * shape[-1]
    assert lw.cross_entropy(np.empty((0, 5)), [], reduction="none").shape == (0,)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_numbers_are_rows_of_one(dtype):
    x, grad = np.dtype(dtype).type(3), np.dtype(dtype).type(2)
    for found, expected in (
            (lw.softmax(x), 1), (lw.softmin(x, 0), 1), (lw.log_softmax(x, -1), 0), (lw.logsumexp(x), 3),
            (lw.softmax_backward(grad, x), -12), (lw.log_softmax_backward(grad, np.dtype(dtype).type(0)), 0),
            (lw.logsumexp_backward(grad, x), 2), (lw.normalize(x), 1), (lw.normalize_backward(grad, x), 0),
            (lw.layer_norm(x), 0), (lw.rms_norm(x, eps=0), 1), (lw.layer_norm_backward(grad, x)[0], 0),
            (lw.rms_norm(x, [2], eps=0), 2), (lw.rms_norm_backward(grad, x, eps=0)[0], 0)):
        assert found.shape == ()
        assert found.dtype == dtype
        assert found == expected
    assert lw.softmax(3.0) == 1
    out = np.full((), 7, dtype)
    assert lw.softmax(x, out=out) is out
    assert out == 1
    y, rstd = lw.rms_norm(x, eps=0, return_stats=True)
    assert (y, rstd) == (1, 1 / 3)
    with pytest.raises(ValueError, match=r"softmax: axis 1 is out of range for x of shape \(\)"):
        lw.softmax(x, 1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("fill", ["largest", "mixed", "infinite", "nan", "tiny", "constant", "usual"])
def test_no_warning_leaks(dtype, fill):
    info = np.finfo(dtype)
    sign = np.where(RNG.random((4, N)) < 0.5, 1, -1)
    x = {"largest": np.full((4, N), info.max), "mixed": sign * float(info.max), "infinite": sign * np.inf,
         "nan": np.full((4, N), np.nan), "tiny": np.full((4, N), info.smallest_subnormal),
         "constant": np.full((4, N), 3.0), "usual": RNG.normal(size=(4, N))}[fill].astype(dtype)
    given = Recorded({"x": x, "grad": x, "row": x[:, 0], "weight": x[0], "bias": x[0], "mean": x[0], "rstd": x[1],
                      "target": TARGET})
    for name in CALLS:
        results(name, given)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for reduction in ("mean", "sum", "none"):
            for z_loss in (0.0, 1.0):
                lw.cross_entropy(x, TARGET, reduction=reduction, z_loss=z_loss, label_smoothing=0.1)
                lw.cross_entropy_with_grad(x, TARGET, reduction=reduction, z_loss=z_loss)
        lw.batch_norm(x, np.zeros(N, np.float16), np.ones(N, np.float16), training=True, eps=0.0)
        lw.batch_norm(x, x[0], -np.abs(x[1]))
        lw.logsumexp(x, out=np.empty(4, np.float16))
        lw.prelu_backward(x, x, x[0, 0])
        lw.hardtanh(x, -1e300, 1e300)
        lw.glu(x, out=np.empty((4, N // 2), np.float16))
        lw.glu_backward(np.full((4, N // 2), 1e300), x)


def test_glu_and_prelu_backward_refuse_masks():
    masked = np.ma.array(X, mask=X > 0)
    for call in (lambda: lw.glu_backward(X[:, :3], masked), lambda: lw.glu_backward(masked[:, :3], X),
                 lambda: lw.prelu_backward(masked, X, 0.3), lambda: lw.prelu_backward(X, masked, 0.3),
                 lambda: lw.prelu_backward(X, X, masked)):
        with pytest.raises(TypeError, match=r"(glu|prelu)_backward: \w+ is a masked array"):
            call()


def test_ufuncs_are_named_as_numpys():
    import pickle
    ufuncs = {name: f for name in lw.__all__ if isinstance(f := getattr(lw, name), np.ufunc)}
    assert len(ufuncs) > 35
    for name, f in ufuncs.items():
        assert (f.__name__, f.__qualname__, f.__module__) == (name, name, "lanewise")
        assert pickle.loads(pickle.dumps(f)) is f
    assert np.ma.core._MaskedUnaryOperation(lw.exp)(np.ma.array([0.0, 1.0], mask=[0, 1])).tolist() == [1.0, None]
