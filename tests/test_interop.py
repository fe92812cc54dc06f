"""What the arrays of other libraries give, as the table of docs/interop.md says: a library at a time, skipped where it
is not installed."""

import inspect
import io

import along_axis
import lanewise as lw
import numpy as np
import pytest
from lanewise.functions import parametric

A = np.linspace(-2, 2, 6, dtype=np.float32).reshape(2, 3)
HOLED = [1.0, None, 2.0]
# array: module, how it is made, the type of silu and elu of it
ARRAYS = {
    "pandas Series": ("pandas", lambda m: m.Series(A[0], index=list("abc")), "Series"),
    "pandas DataFrame": ("pandas", lambda m: m.DataFrame(A), "DataFrame"),
    "polars Series": ("polars", lambda m: m.Series(A[0]), "Series"),
    "polars DataFrame": ("polars", lambda m: m.DataFrame(A), "ndarray"),
    "pyarrow Array": ("pyarrow", lambda m: m.array(A[0]), "ndarray"),
    "pyarrow ChunkedArray": ("pyarrow", lambda m: m.chunked_array([A[0], A[1]]), "ndarray"),
    "pyarrow Table": ("pyarrow", lambda m: m.table({"a": A[0]}), "ndarray"),
    "xarray DataArray": ("xarray", lambda m: m.DataArray(A, dims=("b", "k")), "DataArray"),
    "dask Array": ("dask.array", lambda m: m.from_array(A, chunks=(1, 3)), "Array"),
    "awkward Array": ("awkward", lambda m: m.Array(A), "Array"),
    "matrix": ("numpy", lambda m: m.matrix(A), "matrix"),
    "JAX": ("jax.numpy", lambda m: m.asarray(A), "ndarray"),
}
# module, how it is made, which numbers of a result are missing
MISSING = {
    "pandas nullable": ("pandas", lambda m: m.Series(HOLED, dtype="Float32"), lambda y: list(y.isna())),
    "polars null": ("polars", lambda m: m.Series(HOLED, dtype=m.Float32), lambda y: y.is_null().to_list()),
    "pyarrow null": ("pyarrow", lambda m: m.array(HOLED, m.float32()), lambda y: np.isnan(y).tolist()),
}


@pytest.mark.filterwarnings("ignore:.*matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("name", ARRAYS)
def test_arrays(name):
    module, make, kind = ARRAYS[name]
    x = make(pytest.importorskip(module))
    plain = np.asarray(x)
    for function in (lw.silu, lw.elu):
        y = function(x)
        assert type(y).__name__ == kind
        assert np.array_equal(np.asarray(y), function(plain))
    along = lw.softmax(x)
    assert type(along) is np.ndarray
    assert np.array_equal(along, lw.softmax(plain))


@pytest.mark.parametrize("name", along_axis.EVERY)
def test_a_matrix_is_an_array_along_an_axis(name):
    """A matrix has two axes even where one was asked for, so that statistics of its rows and parts of it do not fit."""
    given = along_axis.operands(name, (4, 6), "float32")
    matrices = [array.view(np.matrix) if array.ndim == 2 else array for array in given]
    found = along_axis.results(name, matrices)
    assert not any(isinstance(each, np.matrix) for each in found)
    assert along_axis.bits(found) == along_axis.bits(along_axis.results(name, given))


@pytest.mark.parametrize("name", MISSING)
def test_what_is_missing_stays_missing(name):
    module, make, missing = MISSING[name]
    x = make(pytest.importorskip(module))
    assert missing(lw.silu(x)) == [False, True, False]
    assert np.isnan(lw.softmax(x)).all()


def test_lists_of_different_lengths():
    ak = pytest.importorskip("awkward")
    x = ak.Array([[1000.0, 0.0], [1.0, 2.0, 3.0], []])
    y = lw.silu(x)
    assert y.to_list() == [lw.silu(np.array(row)).tolist() for row in x.to_list()]
    with pytest.raises(ValueError, match="softmax: x must be an array of numbers"):
        lw.softmax(x)
    # as docs/interop.md says
    y = lw.exp(x - ak.max(x, axis=-1, keepdims=True))
    for row, found in zip(x.to_list()[:2], (y / ak.sum(y, axis=-1, keepdims=True)).to_list(), strict=False):
        np.testing.assert_allclose(found, lw.softmax(np.array(row)), rtol=1e-15)


def test_labels_are_kept():
    pandas = pytest.importorskip("pandas")
    assert list(lw.silu(pandas.Series(A[0], index=list("abc"))).index) == list("abc")
    frame = pandas.DataFrame(A, columns=list("abc"))
    again = pandas.DataFrame(lw.softmax(frame), frame.index, frame.columns)
    assert np.array_equal(again, lw.softmax(A))


def test_xarray_along_a_dimension():
    xarray = pytest.importorskip("xarray")
    x = xarray.DataArray(A, dims=("b", "k"))
    assert lw.silu(x).dims == ("b", "k")
    y = xarray.apply_ufunc(lw.softmax, x, input_core_dims=[["k"]], output_core_dims=[["k"]])
    assert y.dims == ("b", "k")
    assert np.array_equal(y, lw.softmax(A))


def test_dask_is_lazy():
    array = pytest.importorskip("dask.array")
    x = array.from_array(A, chunks=(1, 3))
    assert np.array_equal(x.map_blocks(lw.softmax).compute(), lw.softmax(A))
    assert lw.silu(x).chunks == x.chunks


def test_masked():
    x = np.ma.masked_array(A, A < 0)
    assert np.array_equal(lw.silu(x).mask, x.mask)
    with pytest.raises(TypeError, match="masked array, whose mask would not be seen; fill it or drop"):
        lw.softmax(x)


def test_sparse():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(TypeError, match="'silu' not supported"):
        lw.silu(sparse.csr_array(A))
    with pytest.raises(TypeError, match=r"dtype object; expected .*sparse array, for which use x\.toarray\(\)"):
        lw.softmax(sparse.csr_array(A))


def test_numbers_as_objects():
    for x, message in (A.astype(object), r"dtype object; expected .*If these are numbers, use x\.astype\(float\)"), (
            None, "dtype object; expected float16, bfloat16, float32, float64 or integers$"):
        with pytest.raises(TypeError, match=message):
            lw.softmax(x)


def test_a_bfloat16_that_was_saved():
    bfloat16 = pytest.importorskip("ml_dtypes").bfloat16
    file = io.BytesIO()
    np.save(file, A.astype(bfloat16))
    file.seek(0)
    x = np.load(file)
    assert x.dtype == np.dtype("V2")
    with pytest.raises(TypeError, match="'silu' not supported"):
        lw.silu(x)
    with pytest.raises(TypeError, match=r"dtype \|V2; expected .*bfloat16: use x\.view\(ml_dtypes\.bfloat16\)"):
        lw.softmax(x)
    assert np.array_equal(lw.softmax(x.view(bfloat16)), lw.softmax(A.astype(bfloat16)))


def test_jax_bfloat16():
    numpy = pytest.importorskip("jax.numpy")
    y = lw.silu(numpy.asarray(A).astype("bfloat16"))
    assert type(y) is np.ndarray
    assert y.dtype == pytest.importorskip("ml_dtypes").bfloat16


def test_methods_of_ufuncs_lose_no_gradient():
    # NumPy has no hook in them: what requires a gradient is refused by PyTorch
    torch = pytest.importorskip("torch")
    tensor, backward = torch.ones(3, requires_grad=True), lw.sigmoid_backward
    for call in (lambda: backward.outer(np.ones(2), tensor), lambda: backward.reduce(tensor),
                 lambda: backward.accumulate(tensor), lambda: backward.reduceat(tensor, [0]),
                 lambda: backward.at(np.ones(3), [0, 1, 2], tensor)):
        with pytest.raises(RuntimeError, match="requires grad"):
            call()
    with pytest.raises(TypeError, match="must be array"):
        lw.silu.at(tensor, [0])
    assert np.array_equal(backward.outer(np.ones(2), tensor.detach()), backward.outer(np.ones(2), np.ones(3, "f4")))


HAVE_GRADIENTS = {*(name for name, value in vars(lw).items() if isinstance(value, np.ufunc)), *parametric.__all__,
                  *(name.partition(",")[0] for name in along_axis.EVERY), "glu", "glu_backward", "swiglu",
                  "swiglu_backward", "mse", "linear", "reparameterize", "kl_standard_normal", "halting_distribution"}


@pytest.mark.parametrize("name", sorted(HAVE_GRADIENTS))
def test_tensors_are_refused_with_the_way_in(name):
    # with a gradient, which would be lost, and without one too; nothing of PyTorch's or of NumPy's is printed
    torch = pytest.importorskip("torch")
    function = getattr(lw, name)
    more = {"batch_norm_backward": {"mean": A[0], "rstd": A[0]}, "group_norm": {"num_groups": 1}}.get(name, {})
    if isinstance(function, np.ufunc):
        count = function.nin
    else:
        parameters = inspect.signature(function).parameters.values()
        count = max(1, sum(p.kind is p.POSITIONAL_OR_KEYWORD and p.default is p.empty and p.name not in more
                           for p in parameters))
    for tensor in (torch.ones(2, 3), torch.ones(2, 3, requires_grad=True), torch.nn.Parameter(torch.ones(2, 3)),
                   torch.ones(2, 3, dtype=torch.bfloat16)):
        for first in (tensor, A):  # as the first operand and as the others
            if first is A and count == 1:
                continue
            with pytest.raises(TypeError, match=r"is a torch\..*use lanewise\.torch for tensors, or tensor\.detach"):
                function(first, *[tensor] * (count - 1), **more)


def test_bits_are_read_from_tensors():
    # which have no gradient: a tensor that has one is refused by PyTorch
    torch = pytest.importorskip("torch")
    x = torch.from_numpy(A.copy())
    assert np.array_equal(lw.ieee754.encode(x, "e4m3"), lw.ieee754.encode(A, "e4m3"))
    with pytest.raises((ValueError, RuntimeError), match=r"tensor\.detach\(\)\.numpy\(\)"):
        lw.ieee754.encode(x.requires_grad_(), "e4m3")


class Foreign:
    """An array of another library, which must be asked for nothing where it is `out`."""

    shape, ndim, dtype = (2, 3), 2, np.dtype(np.float32)

    def __array__(self, dtype=None, copy=None):
        raise AssertionError("it was taken for an array")


def with_out():
    # every function with an `out` by name: a call that is right but for it
    for name, function in vars(lw).items():
        if isinstance(function, np.ufunc):
            given = [np.full((2, 3), 0.5, np.float32)] * function.nin
            yield name, lambda out, f=function, given=given: f(*given, out=(out,) + (None,) * (f.nout - 1))
    for name in parametric.__all__:
        parameters = inspect.signature(getattr(lw, name)).parameters.values()
        if any(parameter.name == "out" for parameter in parameters):
            given = [np.full((2, 3), 0.5)] * sum(
                p.kind is p.POSITIONAL_OR_KEYWORD and p.name != "out" for p in parameters)
            yield name, lambda out, name=name, given=given: getattr(lw, name)(*given, out=out)
    for name in along_axis.EVERY:
        if name not in along_axis.NO_OUT:
            given = along_axis.operands(name, (2, 3), "float32")
            outs = 2 if name in along_axis.TWO_OUTPUTS else 1
            yield name, lambda out, name=name, given=given, outs=outs: along_axis.results(
                name, given, (out,) + (None,) * (outs - 1))
    x, square = np.full((2, 4), 0.5), np.full((3, 3), 0.5)
    yield from {
        "glu": lambda out: lw.glu(x, out=out), "glu_backward": lambda out: lw.glu_backward(x[:, :2], x, out=out),
        "swiglu": lambda out: lw.swiglu(x, x, out=out),
        "swiglu_backward": lambda out: lw.swiglu_backward(x, x, x, out=(out, None)),
        "logsumexp": lambda out: lw.logsumexp(x, out=out), "dropout": lambda out: lw.dropout(x, 0.5, 1, out=out),
        "instance_norm": lambda out: lw.instance_norm(x[None], out=out),
        "dropout_backward": lambda out: lw.dropout_backward(x, 0.5, 1, out=out),
        "reparameterize": lambda out: lw.reparameterize(x, x, 1, out=out),
        "linear": lambda out: lw.linear(square, square, out=out),
        "linear_backward": lambda out: lw.linear_backward(square, square, square, out=(out, None, None)),
        "mutate": lambda out: lw.genome.mutate(np.zeros((2, 3), np.uint8), 0.5, 1, out),
        **{f"{name}_backward": lambda out, name=name: getattr(lw, f"{name}_backward")(1.0, x, x, out=out)
           for name in ("mse", "l1", "huber", "binary_cross_entropy_with_logits")},
        **{name: lambda out, name=name: getattr(lw.ieee754, name)(x, out=out)
           for name in ("classify", "is_exact_integer", "next_up", "next_down", "ulp")},
        "ulp_distance": lambda out: lw.ieee754.ulp_distance(x, x, out=out),
        "encode": lambda out: lw.ieee754.encode(x, "e4m3", out=out),
        "rounding_error": lambda out: lw.ieee754.rounding_error(x, "e4m3", out=out),
        "decode": lambda out: lw.ieee754.decode(np.zeros(3, np.uint8), "e4m3", out=out),
        "decompose": lambda out: lw.ieee754.decompose(x, out=(out, None, None)),
        "compose": lambda out: lw.ieee754.compose(*lw.ieee754.decompose(x), "binary64", out=out),
    }.items()


WITH_OUT = dict(with_out())


def test_every_function_with_out_is_here():
    tried = {name.partition(",")[0] for name in WITH_OUT}
    for module in (lw, lw.ieee754, lw.genome):
        for name in module.__all__:
            value = getattr(module, name)
            if isinstance(value, np.ufunc) or (inspect.isfunction(value) and {"out", "kwargs"} & set(
                    inspect.signature(value).parameters)):
                assert name in tried, name


@pytest.mark.parametrize("name", WITH_OUT)
def test_an_output_of_another_library_is_refused_before_anything_is_called(name):
    # by name, or by NumPy where the function is a ufunc
    with pytest.raises(TypeError, match=r"Foreign|return arrays must be of ArrayType"):
        WITH_OUT[name](Foreign())
