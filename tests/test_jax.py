"""lanewise.jax with the real JAX: the bits of lw's functions, gradients, jit and vmap, by XLA's foreign function and by
the callback that stands in for it. Skipped where JAX is not installed."""

import shutil

import lanewise as lw
import numpy as np
import pytest

jax = pytest.importorskip("jax")
ml_dtypes = pytest.importorskip("ml_dtypes")

from lanewise import jax as lj  # noqa: E402

jax.config.update("jax_platforms", "cpu")
NAMES = [name for name in lj.__all__ if name != "handler"]
GATES = {"geglu", "reglu", "swiglu"}
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32]


@pytest.fixture(params=["foreign function", "callback"])
def way(request, monkeypatch):
    if request.param == "callback":
        monkeypatch.setattr(lj, "handler", lambda: "callback")
    elif shutil.which("cc") is None:
        pytest.skip("no compiler")
    else:
        assert lj.handler() == "foreign function"
    jax.clear_caches()
    return request.param


def operands(name, dtype, shape=(3, 701)):
    x = np.random.default_rng(5).normal(0, 3, (2, *shape)).astype(dtype)
    x[0, 0, :3] = 1e-39, np.inf, -0.0
    return list(x[:2 if name in GATES else 1])


def same(found, expected):
    assert np.asarray(found).dtype == expected.dtype
    assert np.asarray(found).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits(way, dtype):
    for name in NAMES if way == "foreign function" else ["silu", "elu", "swiglu"]:
        x = operands(name, dtype)
        same(getattr(lj, name)(*x), getattr(lw, name)(*x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_have_the_bits_of_the_backward(way, dtype):
    for name in NAMES if way == "foreign function" else ["silu", "elu", "tanh", "swiglu"]:
        x = [np.where(np.isfinite(of), of, of.dtype.type(1)) for of in operands(name, dtype)]
        y, pull = jax.vjp(getattr(lj, name), *x)
        grad = np.ones_like(x[0])
        saved = [np.asarray(y)] if name in ("tanh", "sigmoid") else x
        expected = getattr(lw, f"{name}_backward")(grad, *saved)
        for found, of in zip(pull(grad), expected if name in GATES else [expected], strict=True):
            same(found, of)


def test_float64(way):
    with jax.enable_x64(True):
        (x,) = operands("gelu", np.float64)
        same(lj.gelu(x), lw.gelu(x))


def test_jit_and_vmap(way):
    (x,) = operands("silu", np.float32)
    expected = lw.silu(x)
    same(jax.jit(lj.silu)(x), expected)
    same(jax.vmap(lj.silu)(x), expected)
    same(jax.jit(jax.vmap(lj.silu, in_axes=1, out_axes=1))(x), expected)
    same(jax.vmap(jax.grad(lj.silu))(x[1]), lw.silu_backward(np.ones_like(x[1]), x[1]))


def test_a_parameter_of_16_bit_numbers_is_not_rounded(way):
    x = np.array([-100, -1, 1], np.float16)
    same(lj.leaky_relu(x, 0.0123456789), lw.leaky_relu(x, 0.0123456789))


def test_shapes(way):
    for shape in ((), (0,), (2, 0, 3), (1,)):
        x = np.ones(shape, np.float32)
        same(lj.silu(x), np.asarray(lw.silu(x)))


@pytest.mark.parametrize("name", ["silu", "elu"])
def test_wrong_dtypes(name):
    with pytest.raises(TypeError, match=f"lanewise.jax.{name} expected float16.*got int32"):
        getattr(lj, name)(np.arange(5, dtype=np.int32))


def test_gates_of_two_shapes():
    with pytest.raises(ValueError, match=r"swiglu expected arrays of one shape and dtype; got \(3,\).*\(4,\)"):
        lj.swiglu(np.ones(3, np.float32), np.ones(4, np.float32))


def test_is_imported_only_when_asked(run_python):
    script = """
        import sys, lanewise
        dir(lanewise)
        print("jax" in sys.modules)
        lanewise.jax
        print("jax" in sys.modules)
    """
    assert run_python(script).stdout.split() == ["False", "True"]


@pytest.mark.parametrize("compiler", ["/nowhere/cc", "false"])
def test_without_a_compiler(compiler, tmp_path, run_python):
    script = """
        import numpy as np, lanewise as lw
        from lanewise import jax as lj
        x = np.linspace(-9, 9, 99, dtype=np.float32)
        print(lj.handler(), np.array_equal(lj.silu(x), lw.silu(x)), sep=";")
    """
    done = run_python(script, CC=compiler, XDG_CACHE_HOME=str(tmp_path / "cache"), JAX_PLATFORMS="cpu")
    assert done.stdout.split(";") == ["callback", "True\n"], done.stderr
