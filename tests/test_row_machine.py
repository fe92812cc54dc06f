"""The row machine: what it knows of an operation comes from where that is registered, and how rows are cut, shared and
copied shows in no bit."""

import re
from pathlib import Path

import along_axis
import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from along_axis import in_page
from lanewise.kernels import batch_norm, losses, normalize, norms, operands, softmax

ROOT = Path(__file__).resolve().parent.parent
MODULES = [batch_norm, losses, normalize, norms, softmax]
GUFUNCS = {f"{module.__name__.rpartition('.')[2]}.{name}": gufunc for module in MODULES
           for name, gufunc in vars(module).items() if isinstance(gufunc, np.ufunc)}
WITHIN = {"(n)": 1, "(p,q,n)": 1, "()": (), "(p,q)": ()}


@pytest.mark.parametrize("name", GUFUNCS)
def test_kinds_come_from_the_registration(name):
    gufunc = GUFUNCS[name]
    cores = re.findall(r"\([\w,]*\)", gufunc.signature)
    axes = operands.axes_of(gufunc, 1)
    assert len(axes) == gufunc.nargs
    if "(m,c)" not in cores:
        added = "(p,q,n)" in cores
        for k, core in enumerate(cores):
            vector = core in ("(a)", "(b)") or (added and k >= gufunc.nin and core == "(n)")
            assert axes[k] == ((() if k >= gufunc.nin else -1) if vector else WITHIN[core]), core


@pytest.mark.parametrize("function", [operands.along, operands.call])
def test_only_what_is_registered_is_called(function):
    x = np.ones((3, 4), np.float32)
    with pytest.raises(TypeError, match=r"'matmul'> is not registered as a function along an axis"):
        function("f", np.matmul, (x, x), ())
    gufunc = norms.rms_norm_gufunc
    for given in ((), (x,), (x, x[0]), (x, x[0], 1.0, x)):
        with pytest.raises(TypeError, match=f"rms_norm takes 3 operands and up to 2 outputs, not {len(given)} and 0"):
            function("f", gufunc, given, ())
    with pytest.raises(TypeError, match="rms_norm takes 3 operands and up to 2 outputs, not 3 and 3"):
        function("f", gufunc, (x, x[0], 1.0), (None, None, None))


def rows_at_once(name, gufunc, given, out=None):
    return operands.rows_at_once(name, gufunc, given, -1, out)


def test_rows_at_once_count_their_operands():
    x = np.ones((3, 4), np.float32)
    for given in ((), (x,), (x, x[0]), (x, x[0], 1.0, x)):
        with pytest.raises(TypeError, match=f"rms_norm takes 3 operands and up to 2 outputs, not {len(given)} and 1"):
            rows_at_once("f", norms.rms_norm_gufunc, given)
    with pytest.raises(TypeError, match="is not registered"):
        rows_at_once("f", np.matmul, (x, x))


def test_functions_of_matrices_are_not_taken_for_those_of_rows():
    x, ones = np.arange(12, dtype=np.float32).reshape(3, 4), np.ones(4)
    assert rows_at_once("f", batch_norm.column_moments_gufunc, (x, ones)) is None
    mean, variance = operands.along("f", batch_norm.column_moments_gufunc, (x, ones), ())
    assert mean == pytest.approx(x.mean(0))
    assert variance == pytest.approx(x.var(0))


def in_other_memory(array):
    """The same numbers apart from one another, backwards in memory, off the boundaries of their size, and swapped."""
    apart = np.full((*array.shape, 3), 77).astype(array.dtype)
    apart[..., 1] = array
    unaligned = np.zeros(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    unaligned[...] = array
    found = [apart[..., 1], array[..., ::-1].copy()[..., ::-1], array[::-1].copy()[::-1], unaligned]
    return found if array.dtype == ml_dtypes.bfloat16 else [*found, array.astype(array.dtype.newbyteorder())]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", along_axis.EVERY)
def test_the_memory_of_each_operand_changes_no_bit(name, dtype):
    for shape in [(5, 12), (2, 40), (37, 3)] if name in along_axis.ALONG else [(5, 6), (3, 4, 7)]:
        arrays = along_axis.operands(name, shape, dtype)
        expected = along_axis.bits(along_axis.results(name, arrays))
        for k, array in enumerate(arrays):
            for other in in_other_memory(array):
                found = along_axis.results(name, [*arrays[:k], other, *arrays[k + 1:]])
                assert along_axis.bits(found) == expected, (shape, k, other.strides)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", [name for name in along_axis.EVERY if name not in along_axis.NO_OUT])
def test_results_that_pass_through_copies_overwrite_no_operand(name, dtype):
    # where some operands have a copy and others have none, and where one row is left after eight
    places = along_axis.EVERY[name][0].index("r"), 2 if name in along_axis.TWO_OUTPUTS else 1
    for shape in [(9, 12), (33, 40), (2, 300)] if name in along_axis.ALONG else [(5, 6), (3, 4, 7)]:
        arrays = along_axis.operands(name, shape, dtype)
        expected = along_axis.bits(along_axis.results(name, arrays))
        for k, array in enumerate(arrays):
            for other in (array, in_other_memory(array)[0]):
                out = tuple(in_other_memory(np.full_like(arrays[places[0]], np.nan))[0] for _ in range(places[1]))
                found = along_axis.results(name, [*arrays[:k], other, *arrays[k + 1:]], out)
                assert along_axis.bits(found) == expected, (shape, k, other.strides)


STANDING = [name for name in along_axis.ALONG
            if name.startswith(("softmax_backward", "softmin_backward", "log_softmax_backward"))]


@pytest.mark.parametrize("n", [32, 45, 64, 100, 129, 137, 144, 512, 513, 4109])
@pytest.mark.parametrize("name", STANDING)
def test_rows_of_bfloat16_where_they_stand(name, n):
    # such rows are read and written without a float32 copy, which may change no bit
    arrays = along_axis.operands(name, (9, n), "bfloat16")  # enough rows for short ones to share registers
    arrays[0][1, n - 1], arrays[0][2, 3], arrays[0][3, ::2] = np.nan, np.inf, 3e38
    expected = along_axis.bits(along_axis.results(name, [in_other_memory(arrays[0])[0], *arrays[1:]]))
    assert along_axis.bits(along_axis.results(name, arrays)) == expected
    own = arrays[0].copy()
    along_axis.ALONG[name][1](own, *arrays[1:], out=(own,))
    assert along_axis.bits([own]) == expected[:1]


@pytest.mark.parametrize("n", [31, 32, 33, 64, 127, 128, 129])
@pytest.mark.parametrize("name", STANDING)
def test_one_row_of_bfloat16_that_is_a_column(name, n):
    # its elements stand as those of a row, and its neighbours, of which it has none, as those of a column
    arrays = along_axis.operands(name, (1, n), "bfloat16")
    expected = along_axis.bits(along_axis.results(name, arrays))
    columns = [array.reshape(n, 1) for array in arrays]
    whole = np.full((n + 64, 1), 7, arrays[0].dtype)
    getattr(lw, name)(*columns, axis=0, out=whole[32:n + 32])
    assert along_axis.bits([whole[32:n + 32].reshape(1, n)]) == expected
    assert (whole[:32] == 7).all()
    assert (whole[n + 32:] == 7).all()


def test_what_lies_between_one_another_shares_no_memory():
    x = np.random.default_rng(0).standard_normal((5, 7))
    for both in (np.empty((5, 14)), np.empty((5, 7, 2))):
        out = (both[:, :7], both[:, 7:]) if both.ndim == 2 else (both[..., 0], both[..., 1])
        expected = lw.add_rms_norm(x, 2 * x)
        assert along_axis.bits(lw.add_rms_norm(x, 2 * x, out=out)) == along_axis.bits(expected)
        assert along_axis.bits(out) == along_axis.bits(expected)
    statistics, mean, variance = np.ones((7, 2)), np.ones(7), np.ones(7)
    y = lw.batch_norm(x, mean, variance, training=True)
    assert along_axis.bits([lw.batch_norm(x, *statistics.T, training=True)]) == along_axis.bits([y])
    assert along_axis.bits(statistics.T) == along_axis.bits([mean, variance])
    with pytest.raises(ValueError, match="running_mean and running_var share memory"):
        lw.batch_norm(x, statistics[:, 0], statistics.reshape(-1)[:7], training=True)


def results(x, grad, weight, axis):
    rows = [lw.rms_norm(x, weight, axis=axis), lw.layer_norm(x, weight, weight, axis=axis), lw.softmax(x, axis),
            lw.softmax_backward(grad, x, axis), lw.normalize_backward(grad, x, axis=axis)]
    return rows, lw.layer_norm_backward(grad, x, weight, weight, axis=axis), lw.rms_norm_backward(
        grad, x, weight, axis=axis)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("shape", [(1, 3), (3, 5, 7), (4, 4, 33), (17, 1, 64), (1, 16, 9), (5, 13, 40), (66, 33, 31)])
def test_rows_in_pieces(dtype, shape):
    """The middle axis of an array, whose rows lie in pieces, in Fortran's order, and as C lays them out."""
    rng = np.random.default_rng(len(shape) * shape[-1])
    x, grad = (rng.normal(0, 2, shape).astype(getattr(ml_dtypes, dtype, dtype)) for _ in range(2))
    weight = rng.normal(0, 1, shape[-1]).astype(getattr(ml_dtypes, dtype, dtype))
    expected, *sums = results(x, grad, weight, -1)
    for axis in range(len(shape)):
        def moved(array, axis=axis):
            return np.ascontiguousarray(np.moveaxis(array, -1, axis))
        for lay in (moved, lambda array, moved=moved: np.asfortranarray(moved(array))):
            found, *found_sums = results(lay(x), lay(grad), weight, axis)
            for one, other in zip(found, expected, strict=True):
                assert np.moveaxis(one, axis, -1).tobytes() == other.tobytes()
            for (grad_x, *of_vectors), (expected_x, *expected_vectors) in zip(found_sums, sums, strict=True):
                assert np.moveaxis(grad_x, axis, -1).tobytes() == expected_x.tobytes()
                if axis == len(shape) - 1:  # along another, the rows are added in another order
                    assert [v.tobytes() for v in of_vectors] == [v.tobytes() for v in expected_vectors]


@pytest.mark.parametrize("shape", [(1, 70000), (3, 30000), (5, 14000), (16, 5000), (17, 5000), (33, 2100), (1000, 70),
                                   (2049, 33), (70000, 1)])
@pytest.mark.parametrize("axis", [0, 1])
def test_threads_share_rows_or_chunks(shape, axis):
    rng = np.random.default_rng(shape[1])
    x, grad = (rng.normal(0, 2, shape).astype(np.float32) for _ in range(2))
    weight = rng.normal(0, 1, shape[axis]).astype(np.float32)
    found = []
    for count in (1, 2, 2, 2, 2, 3, 3, 8, 40):  # a race shows in some calls only
        lw.set_num_threads(count)
        rows, *sums = results(x, grad, weight, axis)
        found.append([part.tobytes() for part in (*rows, *sums[0], *sums[1])])
        if shape[0] > 1:
            y, mean, rstd = lw.batch_norm(x, training=True, return_stats=True)
            gradients = lw.batch_norm_backward(grad, x, mean=mean, rstd=rstd, training=True)
            found[-1] += [part.tobytes() for part in (y, mean, rstd, *gradients)]
    assert all(other == found[0] for other in found[1:])


def test_one_place_has_threads():
    sources = [path for path in (ROOT / "kernels").rglob("*") if path.suffix in (".pyx", ".pxd", ".pxi")]
    assert not [path.name for path in sources if re.search(r"prange|parallel\(", path.read_text())]


def test_rows_of_no_elements_take_no_time(run_python):
    done = run_python("""
        import lanewise as lw
        import numpy as np
        x = np.empty((1 << 50, 0), np.float32)
        for result in (lw.softmax(x), lw.log_softmax(x), lw.softmax_backward(x, x), lw.normalize(x),
                       lw.masked_softmax(x), lw.layer_norm(x.T, axis=1)):
            print(result.shape)
        """)
    assert done.stdout.split("\n")[:6] == [*["(1125899906842624, 0)"] * 5, "(0, 1125899906842624)"], done.stderr


@pytest.mark.parametrize("n", [129, 136, 257, 500, 1000, 1024, 1032, 1366, 4096])
def test_rows_that_share_a_call_have_the_bits_of_each_alone(n):
    # layer_norm takes eight at a time, and one of which the guessed mean is poor or the range wide in another way;
    # softmax_backward two
    rng = np.random.default_rng(n)
    x, grad = rng.standard_normal((2, 27, n)).astype(np.float32)
    weight, bias = rng.standard_normal((2, n)).astype(np.float32)
    for odd in ("none", "guess", "constant", "tiny", "huge", "infinite", "nan"):
        x[13, :128] = 40 if odd == "guess" else x[12, :128]
        x[13, 5] = {"infinite": np.inf, "nan": np.nan}.get(odd, 1.0)
        x[13] *= {"tiny": 2.0**-120, "huge": 2.0**100, "constant": 0.0}.get(odd, 1.0)
        given = [lw.layer_norm(each, weight, bias, return_stats=True) for each in x]
        for offset in (0, 4, 16, 32):
            own = in_page(x, offset)
            found = lw.layer_norm(own, weight, bias, out=own if offset == 4 else in_page(x, 16), return_stats=True)
            for k in range(3):
                assert [each.tobytes() for each in found[k]] == [each[k].tobytes() for each in given]
        x[13] = x[12]
    for dtype in (np.float32, np.float64):
        y = lw.softmax(x).astype(dtype)
        wide = grad.astype(dtype)
        expected = np.ascontiguousarray(lw.softmax_backward(*map(np.ascontiguousarray, (wide.T, y.T)), axis=0).T)
        for offset in (0, 8, 16, 32):
            own = in_page(wide, offset)
            out = {0: None, 8: own}.get(offset, in_page(y, 16))
            assert lw.softmax_backward(own, y, out=out).tobytes() == expected.tobytes()
            assert lw.softmax_backward(wide[:1], y[:1]).tobytes() == expected[:1].tobytes()


@pytest.mark.parametrize("n", [2, 64, 1000])
@pytest.mark.parametrize("name", ["softmax", "softmin", "log_softmax", "normalize", "rms_norm", "layer_norm",
                                  "softmax_backward", "softmin_backward", "log_softmax_backward", "normalize_backward",
                                  "logsumexp_backward"])
def test_a_tuple_is_no_out_of_one_result(name, n):
    x = np.full((3, n), 2.0, np.float32)
    one = [x] if not name.endswith("_backward") else [np.ones(3, np.float32) if "sum" in name else x, x]
    y, rows = x.copy(), np.full((2, 3), 5.0, np.float32)
    for out in ((), (y,), (None,), (y, y), (None, rows[0]), (y, *rows), [y]):
        with pytest.raises(TypeError, match=rf"^{name}: out must be an ndarray"):
            getattr(lw, name)(*one, out=out)
        assert (y == x).all()
        assert (rows == 5.0).all()


@pytest.mark.parametrize("axis", [None, (0,), -1])
def test_a_number_stays_one_beside_where(axis):
    x = np.float32(2.0)
    for where in (True, np.array(True)):
        for function, expected in ((lw.softmax, 1.0), (lw.softmin, 1.0), (lw.log_softmax, 0.0)):
            found = function(x, axis, where=where)
            assert type(found) is np.float32
            assert found == expected


@pytest.mark.parametrize("n", [32, 33, 48, 64, 100, 256])
@pytest.mark.parametrize("kind", ["classes", "ignored", "weighted", "smoothed", "weighted, smoothed", "probabilities",
                                  "weighted probabilities"])
def test_many_short_rows_have_the_gradients_of_one(kind, n):
    rng = np.random.default_rng(n)
    x, target = rng.standard_normal((131, n)).astype(np.float32), rng.integers(0, n, 131)
    x[20, 3], x[40], x[60, 5], x[80], x[100, :9] = np.nan, -np.inf, np.inf, 1e7, -np.inf  # rows of other kinds
    options = {"ignore_index": -100, "reduction": "sum"} if kind == "ignored" else {"reduction": "sum"}
    target[::7] = -100 if kind == "ignored" else 0
    if kind.startswith("weighted"):
        options["weight"] = rng.uniform(0.5, 2, n).astype(np.float32)
    if kind.endswith("smoothed"):
        options["label_smoothing"] = 0.1
    if kind.endswith("probabilities"):
        target = rng.dirichlet(np.ones(n), 131).astype(np.float32)
    one_by_one = np.concatenate([
        lw.cross_entropy_backward(1.5, x[i:i + 1], target[i:i + 1], **options) for i in range(131)])
    np.testing.assert_array_equal(lw.cross_entropy_backward(1.5, x, target, **options), one_by_one)
    losses, grad = lw.cross_entropy_with_grad(x, target, **{**options, "reduction": "none"})
    alone = [lw.cross_entropy_with_grad(x[i:i + 1], target[i:i + 1], **{**options, "reduction": "none"})
             for i in range(131)]
    np.testing.assert_array_equal(losses, np.concatenate([one for one, _ in alone]))
    np.testing.assert_array_equal(grad, np.concatenate([other for _, other in alone]))
    assert lw.cross_entropy_backward(1.5, x, target, out=x, **options) is x
    np.testing.assert_array_equal(x, one_by_one)
