"""lanewise.embedding: names, addresses and signatures of the C functions, ctypes objects that check what they are
given, and the functions about calls: the floating-point environment and the number of threads."""

import ctypes
import os
import sys

import lanewise as lw
import numpy as np
import oracles
import pytest
from elementwise import UNUSUAL
from lanewise import embedding

X = np.concatenate([np.linspace(-9, 9, 301), [0.0, -0.0, 1e-40, np.inf, -np.inf, np.nan]])
# the parameters of the functions that have a form for one number; below, of those whose name is not the public one's
NUMBERS = UNUSUAL | {
    "softplus_scaled": (1.3,), "shrink": (0.4,), "threshold_backward": (0.3,), "softplus_threshold": (1.3, 2.0),
    "selu_scaled": (1.7, 0.6), "hardsigmoid_scaled": (0.2, 0.4), "swiglu_beta": (1.702,),
    "swiglu_clamped": (1.702, 7.0, 1.0)}
OPTIONS = {"softplus_threshold": ("beta", "threshold"), "selu_scaled": ("alpha", "gamma"),
           "hardsigmoid_scaled": ("alpha", "beta"), "swiglu_beta": ("beta",),
           "swiglu_clamped": ("beta", "limit", "shift")}  # by keyword
PYTHON_NAMES = {"softplus_scaled": "softplus", "shrink_backward": "softshrink_backward",
                "softplus_scaled_backward": "softplus_backward",
                **{f"{name}{end}": f"{name.partition('_')[0]}{end}" for name in OPTIONS for end in ("", "_backward")}}


def with_ufuncs():
    """The C functions that a public ufunc of the same name has, of one dtype."""
    for name in embedding.functions():
        function, _, dtype = name.rpartition("_")
        if isinstance(getattr(lw, function, None), np.ufunc):
            yield name, getattr(lw, function), oracles.dtype_named(dtype)


def test_functions_and_addresses():
    names = embedding.functions()
    assert len(set(names)) == len(names) > 170
    assert names[:3] == ("enter", "leave", "num_threads")
    addresses = [embedding.address(name) for name in names]
    assert len(set(addresses)) == len(names)
    assert min(addresses) > 0


def test_signature():
    found = embedding.signature("rms_norm_float32")
    assert found.module == "norms"
    assert found.arguments == (("const float *", "x"), ("const float *", "weight"), ("double", "eps"),
                               ("float *", "y"), ("double *", "rstd"), ("Py_ssize_t", "rows"), ("Py_ssize_t", "n"))
    assert found.pointer == "void (*)(const float *, const float *, double, float *, double *, ptrdiff_t, ptrdiff_t)"
    assert str(embedding.signature("num_threads")) == "int num_threads(void)"


@pytest.mark.parametrize("call", [embedding.address, embedding.signature, embedding.ctypes_function])
def test_an_unknown_name(call):
    with pytest.raises(ValueError, match="no C function 'silu_float23': did you mean silu_float32"):
        call("silu_float23")
    with pytest.raises(ValueError, match=r"'gelu': did you mean gelu_float32 or gelu_float64 or gelu_"):
        call("gelu")
    with pytest.raises(ValueError, match="did you mean silu_float32 or"):
        call("SILU_float32")
    with pytest.raises(ValueError, match=r"functions\(\) has them all"):
        call("?")


def test_a_mask_of_booleans():
    x, mask = np.linspace(-2, 2, 12, dtype=np.float32).reshape(3, 4), np.arange(12).reshape(3, 4) % 3 > 0
    y = np.empty_like(x)
    embedding.ctypes_function("masked_softmax_float32")(x, mask, None, 1.0, y, 3, 4)
    assert y.tobytes() == lw.masked_softmax(x, mask, 1.0).tobytes()


@pytest.mark.parametrize(("name", "function", "dtype"), list(with_ufuncs()))
def test_same_bits(name, function, dtype):
    operands = [np.roll(X, k).astype(dtype) for k in range(function.nin)]
    found = [np.full_like(operands[0], 7) for _ in range(function.nout)]
    embedding.ctypes_function(name)(*operands, *found, X.size)
    expected = function(*operands)
    for y, wanted in zip(found, expected if function.nout > 1 else [expected], strict=True):
        assert np.array_equal(y.view(f"u{dtype.itemsize}"), wanted.view(f"u{dtype.itemsize}"))


def names_of(form):
    return [name for name in embedding.functions() if f"_{form}_" in name]


@pytest.mark.parametrize("name", names_of("scalar"))
def test_one_parameter_for_all_elements(name):
    function, dtype = name.split("_scalar_")
    numbers = NUMBERS.get(function, NUMBERS.get(function.removesuffix("_backward")))
    gated = function.startswith("swiglu")
    operands = [np.roll(X, k).astype(dtype) for k in range(1 + gated + ("_backward" in function))]
    keywords = dict(zip(OPTIONS.get(function.removesuffix("_backward"), ()), numbers, strict=False))
    expected = getattr(lw, PYTHON_NAMES.get(function, function))(*operands, *(() if keywords else numbers), **keywords)
    expected = expected if isinstance(expected, tuple) else (expected,)
    found = [np.full_like(operands[0], 7) for _ in expected]
    embedding.ctypes_function(name)(*operands, *numbers, *found, X.size)
    assert [y.tobytes() for y in found] == [y.tobytes() for y in expected]
    embedding.ctypes_function(name)(*operands, *numbers, *operands[-len(found):], X.size)
    assert [y.tobytes() for y in operands[-len(found):]] == [y.tobytes() for y in expected]


@pytest.mark.parametrize("name", names_of("point"))
def test_one_number(name):
    function = embedding.ctypes_function(name)
    expected = getattr(lw, name.removesuffix("_point_float64"))(X)
    assert np.array([function(x) for x in X]).tobytes() == expected.tobytes()


def test_what_has_other_forms():
    assert len(names_of("scalar")) >= 54
    assert len(names_of("point")) >= 23
    assert len([name for name in embedding.functions() if name.endswith(("_float16", "_bfloat16"))]) >= 64


def test_ctypes_function_takes_arrays_addresses_and_none():
    norm = embedding.ctypes_function("rms_norm_float32")
    x = X[:300].astype(np.float32).reshape(3, 100)
    y, by_address = np.empty_like(x), np.empty_like(x)
    norm(x, None, 1e-5, y, None, 3, 100)
    norm(x.ctypes.data, None, 1e-5, by_address.ctypes.data, None, 3, 100)
    assert np.array_equal(y, lw.rms_norm(x, eps=1e-5))
    assert np.array_equal(y, by_address)
    assert norm is embedding.ctypes_function("rms_norm_float32")


@pytest.mark.parametrize(("x", "what"), [
    (np.zeros(4), "float64"),
    (np.zeros(8, np.float32)[::2], "strides"),
    (np.zeros(4, ">f4"), ">f4"),
    ([0.0] * 4, "list"),
    (np.zeros(17, np.uint8)[1:].view(np.float32), "strides"),
])
def test_ctypes_function_refuses(x, what):
    y = np.full(4, 7, np.float32)
    with pytest.raises(ctypes.ArgumentError, match=f"C-contiguous array of float32.*got .*{what}"):
        embedding.ctypes_function("silu_float32")(x, y, 4)
    assert (y == 7).all()


def test_ctypes_function_refuses_to_write_what_is_read_only():
    y = np.zeros(4, np.float32)
    y.flags.writeable = False
    with pytest.raises(ctypes.ArgumentError, match=r"writeable array of float32.*got a read-only one"):
        embedding.ctypes_function("silu_float32")(np.zeros(4, np.float32), y, 4)


@pytest.mark.skipif(sys.platform != "linux" or os.uname().machine != "x86_64", reason="names modes of x86")
def test_enter_and_leave():
    libm, upward = ctypes.CDLL("libm.so.6"), 0x800
    x = X.astype(np.float32)
    expected, y, rounded, after = lw.silu(x), np.empty_like(x), np.empty_like(x), np.empty_like(x)
    silu, enter, leave = (embedding.ctypes_function(name) for name in ("silu_float32", "enter", "leave"))
    callers = np.zeros(8, np.uint64)
    assert libm.fesetround(upward) == 0
    try:
        silu(x, rounded, x.size)
        enter(callers)
        silu(x, y, x.size)
        leave(callers)
        silu(x, after, x.size)
    finally:
        libm.fesetround(0)
    assert np.array_equal(y.view(np.uint32), expected.view(np.uint32))
    assert not np.array_equal(rounded.view(np.uint32), expected.view(np.uint32))  # so the guard was needed
    assert np.array_equal(rounded.view(np.uint32), after.view(np.uint32))


def test_num_threads():
    num_threads = embedding.ctypes_function("num_threads")
    lw.set_num_threads(3)
    assert num_threads() == lw.get_num_threads()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="has no fork")
def test_num_threads_in_a_forked_child(run_python):
    script = """
        import os, lanewise as lw
        from lanewise import embedding
        num_threads = embedding.ctypes_function("num_threads")
        lw.set_num_threads(3)
        child = os.fork()
        if child == 0:
            os._exit(10 + num_threads())
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    """
    assert run_python(script).stdout.split() == ["11"]


def test_include_folder():
    folder = lw.get_include()
    assert folder == embedding.get_include()
    assert {"lanewise.h", "lanes"} <= set(os.listdir(folder))


def test_importing_lanewise_imports_no_table(run_python):
    script = """
        import sys, lanewise
        print([name for name in sys.modules if name.startswith(("lanewise.embedding", "lanewise.kernels.interface"))])
        lanewise.embedding.TABLE
        print("lanewise.embedding" in sys.modules)
    """
    assert run_python(script).stdout.split("\n")[:2] == ["[]", "True"]
