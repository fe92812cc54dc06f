"""What every function with an `out` does with it: fills it, whatever its class, dtype and place in memory, or refuses
it before anything is written. The functions are found by their signatures, and their operands by their names."""

import functools
import inspect
import warnings

import lanewise as lw
import numpy as np
import pytest
from called import RNG, is_elementwise, operands, parameters

SHAPES = [(4, 6), (4, 6, 8), (3, 4, 5, 2)]
# which results an `out` is for; a tuple of several, where there are several
PLACES = {"add_rms_norm": (0, 1), "cross_entropy_with_grad": (1,), "geglu_backward": (0, 1),
          "linear_backward": (0, 1, 2), "reglu_backward": (0, 1), "swiglu_backward": (0, 1)}
EXACT = {"linear", "linear_backward"}  # which want a dtype, and the latter C-contiguous memory
OPTIONS = {"axis": [0, (0, 1), None], "return_stats": [True], "training": [True], "reduction": ["none"],
           "keepdims": [True], "safe": [True], "interleaved": [True], "use_input_stats": [True], "causal": [True],
           "algorithm": ["one_pass"], "p": [1, 3.0], "return_eps": [True]}
WITHOUT = {*((name, "axis") for name in ("cross_entropy_backward", "cross_entropy_with_grad", "glu", "glu_backward",
                                         "logsumexp_backward", "nll_loss_backward")),
           ("logsumexp_backward", "keepdims"), ("dropout", "p"), ("dropout_backward", "p")}


class Subclass(np.ndarray):
    """An array that is not exactly an ndarray."""


FUNCTIONS = {name: function for name in lw.__all__ if callable(function := getattr(lw, name)) and (
    isinstance(function, np.ufunc) or (inspect.isroutine(function) and "out" in parameters(name)))}


def given(name, dtype, size=1.0):
    """Arguments of a function: of several shapes, and each option alone that changes how it goes about its work. What
    it is given in floats is of this size."""
    options = [(role, value) for role in OPTIONS if role in parameters(name) and (name, role) not in WITHOUT
               for value in OPTIONS[role]]
    for shape in SHAPES:
        for role, value in [(None, None), *options]:
            made = operands(name, shape, dtype)
            if value == "none" and "grad" in made:
                made["grad"] = np.ones(shape[:-1] if name.startswith(("cross", "nll")) else shape, dtype)
            made = {key: one * size if isinstance(one, np.ndarray) and one.dtype.kind == "f" else one
                    for key, one in made.items()}
            yield [made.pop(key) for key in list(made) if isinstance(key, int)], made | ({role: value} if role else {})


def calls(name, dtype="float64", size=1.0):
    """Such calls for each output that may be given: a result without it, and the call with it."""
    for arrays, keywords in given(name, dtype, size):
        results = FUNCTIONS[name](*arrays, **keywords)
        for place, k in enumerate(PLACES.get(name, (0,))):
            expected = results[k] if isinstance(results, tuple) else results
            if expected is not None:
                yield np.asarray(expected), functools.partial(_call, name, arrays, keywords, place, k)


def _call(name, arrays, keywords, place, k, out):
    count = len(PLACES.get(name, (0,)))
    outs = out if count == 1 else tuple(out if other == place else None for other in range(count))
    found = FUNCTIONS[name](*arrays, **keywords, out=outs)
    return found[k] if isinstance(found, tuple) else found


def fitting(expected):
    """Arrays of the shape and dtype of a result, or of one that holds it, and whether every function fills them."""
    shape, dtype = expected.shape, expected.dtype
    plain = np.full(shape, 7, dtype)
    yield "plain", plain
    yield "subclass", plain.copy().view(Subclass)
    yield "record array", plain.copy().view(np.recarray)
    if len(shape) == 2:
        yield "matrix", plain.copy().view(np.matrix)
        yield "turned matrix", plain.T.copy().view(np.matrix).T
    yield "backwards", plain.copy()[(..., *[slice(None, None, -1)] * len(shape))]
    yield "turned", plain.T.copy().T
    yield "apart", np.full((*shape, 2), 7, dtype)[..., :1].reshape(shape)
    room = np.zeros(plain.nbytes + 1, np.uint8)
    yield "unaligned", room[1:].view(dtype).reshape(shape)
    yield "mapped", np.frombuffer(bytearray(plain.tobytes()), dtype).reshape(shape)
    yield "swapped", plain.astype(dtype.newbyteorder())
    for other in ("float32", "float64", "longdouble", "complex64", "complex128"):
        yield other, plain.astype(other)


def not_fitting(expected):
    """What is no place for a result: every function refuses it, but that elementwise ones write to what NumPy casts
    to or broadcasts to."""
    shape, dtype = expected.shape, expected.dtype
    plain = np.full(shape, 7, dtype)
    read_only = plain.copy()
    read_only.flags.writeable = False
    yield "read-only", read_only
    yield "masked", np.ma.array(plain.copy(), mask=RNG.random(shape) < 0.5)
    for other in ("i4", "u1", "?", "O", "U9", "S9", "M8[s]", "m8[s]", "V8", "i4,f8"):
        yield other, np.zeros(shape, other)
    yield "longer", np.full((*shape[:-1], shape[-1] + 1 if shape else 2), 7, dtype)
    yield "of more axes", np.full((1, *shape), 7, dtype)
    yield "flat", np.full((expected.size + 1,), 7, dtype)
    yield "matrix of another shape", np.full((expected.size + 1, 1), 7, dtype).view(np.matrix)
    for wrong in (plain.tolist(), [plain], (plain, plain, plain, plain), "out", 3.0, dtype.type(3), bytearray(9)):
        yield type(wrong).__name__, wrong


def contents(out):
    if isinstance(out, np.ndarray):
        return np.ma.getdata(out).tobytes() if not out.dtype.hasobject else out.tolist()
    return [contents(one) for one in out] if isinstance(out, (list, tuple)) else None


def agrees(out, expected):
    """Whether an array holds results, in its own dtype or unrounded."""
    found = np.asarray(np.ma.getdata(out))
    if found.dtype.kind == "c":
        if (found.imag != 0).any():
            return False
        found = found.real
    dtype = min(found.dtype, expected.dtype, key=lambda one: one.itemsize)
    return found.shape == expected.shape and np.array_equal(found.astype(dtype), expected.astype(dtype))


def attempt(call, out):
    """What a call returned, or the words of its error, beside None for the other; a warning is an error of neither."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return call(out), None
        except (TypeError, ValueError) as error:
            return None, str(error)


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16"])
@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_output_that_fits_is_filled(name, dtype):
    for expected, call in calls(name, dtype):
        for kind, out in fitting(expected):
            found, error = attempt(call, out)
            if error and name in EXACT:
                assert error.startswith(f"{name}: out of shape "), kind
                continue
            assert error is None, kind
            assert found is out, kind
            assert agrees(out, expected), kind


@pytest.mark.parametrize("name", FUNCTIONS)
def test_what_does_not_fit_is_refused_before_it_is_written(name):
    for expected, call in calls(name):
        for kind, out in not_fitting(expected):
            before = contents(out)
            found, error = attempt(call, out)
            if error:
                assert contents(out) == before, kind
                assert is_elementwise(name) or error.startswith(f"{name}: out"), kind
            else:
                assert is_elementwise(name), kind
                assert kind in ("masked", "O", "U9", "S9", "V8", "of more axes", "flat"), kind
                assert found is out, kind


@pytest.mark.parametrize("name", [name for name in FUNCTIONS if not is_elementwise(name) and name not in EXACT])
def test_results_beyond_what_an_output_holds_are_no_warning(name):
    for expected, call in calls(name, size=1e300):
        for dtype in ("float16", "float32", "complex64"):
            out = np.zeros(expected.shape, dtype)
            assert attempt(call, out)[0] is out
