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
NORMS = {"rms_norm": 1, "layer_norm": 2}  # how many weights
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
    x = np.random.default_rng(5).normal(0, 3, (3, *shape)).astype(dtype)
    x[0].reshape(-1)[:3] = 1e-39, 3 if name in NORMS else np.inf, -0.0
    return [*x[:2 if name in GATES else 1], *x[1:1 + NORMS.get(name, 0)].reshape(-1, x[0].size)[:, :shape[-1]]]


def same(found, expected):
    assert np.asarray(found).dtype == expected.dtype
    assert np.asarray(found).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits(way, dtype):
    for name in NAMES if way == "foreign function" else ["silu", "elu", "swiglu", "softmax", "layer_norm"]:
        x = operands(name, dtype)
        same(getattr(lj, name)(*x), getattr(lw, name)(*x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_gradients_have_the_bits_of_the_backward(way, dtype):
    for name in NAMES if way == "foreign function" else ["silu", "elu", "tanh", "swiglu", "log_softmax", "rms_norm"]:
        x = [np.where(np.isfinite(of), of, of.dtype.type(1)) for of in operands(name, dtype)]
        y, pull = jax.vjp(getattr(lj, name), *x)
        grad = np.ones_like(x[0])
        saved = [np.asarray(y)] if name in ("tanh", "sigmoid", "softmax", "log_softmax") else x
        expected = getattr(lw, f"{name}_backward")(grad, *saved)
        for found, of in zip(pull(grad), expected if len(x) > 1 or name in NORMS else [expected], strict=True):
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


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_softmax_along_an_axis(way, axis):
    (x,) = operands("softmax", np.float32, (3, 4, 5))
    x = np.where(np.isfinite(x), x, 1).astype(np.float32)
    same(lj.softmax(x, axis), lw.softmax(x, axis))
    same(jax.vmap(lj.softmax)(x), lw.softmax(x))
    y, pull = jax.vjp(lambda x: lj.log_softmax(x, axis), x)
    same(pull(x)[0], lw.log_softmax_backward(x, np.asarray(y), axis))


def test_norms_of_a_batch(way):
    x, *weights = operands("layer_norm", np.float32, (4, 3, 5))
    x, weights = x.astype(np.float32), [np.ones(5, np.float32), np.full(5, 0.5, np.float32)]
    expected = lw.layer_norm(x, *weights, eps=1e-3)
    same(jax.jit(jax.vmap(lambda x: lj.layer_norm(x, *weights, eps=1e-3)))(x), expected)
    many = [np.tile(weight, (4, 1)) for weight in weights]
    same(jax.vmap(lambda x, *weights: lj.layer_norm(x, *weights, eps=1e-3))(x, *many), expected)
    found = jax.vmap(jax.grad(lambda x, weight: lj.rms_norm(x, weight).sum(), argnums=(0, 1)), (0, None))(x, weights[0])
    for k in range(4):
        for of, back in zip(found, lw.rms_norm_backward(np.ones_like(x[k]), x[k], weights[0]), strict=True):
            same(of[k], back)
    same(lj.rms_norm(x), lw.rms_norm(x))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
@pytest.mark.parametrize("name", NORMS)
def test_float32_weights_beside_16_bits(way, name, dtype):
    x, *weights = operands(name, dtype, (3, 40))
    weights = [np.linspace(-1, 2, of.size, dtype=np.float32) for of in weights]
    same(getattr(lj, name)(x, *weights), getattr(lw, name)(x, *weights))
    _, pull = jax.vjp(getattr(lj, name), x, *weights)
    grad = np.ones_like(x)
    for found, of in zip(pull(grad), getattr(lw, f"{name}_backward")(grad, x, *weights), strict=True):
        same(found, of)


@pytest.mark.parametrize("name", ["silu", "elu", "swiglu", "log_softmax", "layer_norm"])
def test_a_gradient_of_a_gradient_is_refused(way, name):
    x = operands(name, np.float32, (2, 5))
    with pytest.raises(NotImplementedError, match=f"lanewise.jax.{name} has a gradient, and the gradient has none"):
        jax.grad(lambda of: jax.grad(lambda of: getattr(lj, name)(of, *x[1:]).sum())(of).sum())(x[0])


def test_norms_refuse():
    x = np.ones((2, 3), np.float32)
    with pytest.raises(ValueError, match=r"a weight of the length and dtype of a row, or.*got \(2,\) float32 for"):
        lj.rms_norm(x, np.ones(2, np.float32))
    with pytest.raises(ValueError, match="expected an eps of 0 or more, and finite; got -1"):
        lj.layer_norm(x, eps=-1)
    with pytest.raises(ValueError, match="of one dimension or more"):
        lj.rms_norm(np.float32(1))


def test_a_parameter_of_16_bit_numbers_is_not_rounded(way):
    x = np.array([-100, -1, 1], np.float16)
    same(lj.leaky_relu(x, 0.0123456789), lw.leaky_relu(x, 0.0123456789))


@pytest.mark.parametrize("compiler", [None, "false"])
def test_gradients_where_devices_share_the_rows(compiler, tmp_path, run_python):
    # each half of the rows on a device of its own, the weights on both: their gradient is the sum of the devices'
    script = """
        import jax, lanewise as lw, numpy as np
        from jax.sharding import Mesh, PartitionSpec as P
        from lanewise import jax as lj

        x, up, *_ = rows = np.random.default_rng(3).normal(0, 2, (6, 4, 8)).astype(np.float32)
        weight, bias = rows[2, :2]
        cases = {"silu": [x], "tanh": [x], "elu": [x], "softmax": [x], "swiglu": [x, up], "rms_norm": [x, weight],
                 "layer_norm": [x, weight, bias], "log_softmax": [x]}
        halves = jax.devices(), ("rows",)
        places = lambda of: [P("rows") if a.ndim == 2 else P() for a in of]
        print(lj.handler())
        for name, of in cases.items():
            function, backward = getattr(lj, name), getattr(lw, f"{name}_backward")
            all_at_once = jax.shard_map(function, mesh=Mesh(*halves), in_specs=(*places(of),), out_specs=P("rows"))
            y, pull = jax.vjp(all_at_once, *of)
            saved = [np.asarray(y)] if name in ("tanh", "softmax", "log_softmax") else of
            grad = rows[4]
            parts = [backward(grad[k:k + 2], *(a[k:k + 2] if a.ndim == 2 else a for a in saved)) for k in (0, 2)]
            parts = [part if isinstance(part, tuple) else (part,) for part in parts]
            expected = [np.concatenate(two) if two[0].ndim == 2 else two[0] + two[1] for two in zip(*parts)]
            found = [np.asarray(a) for a in pull(grad)]
            print(name, np.array_equal(y, getattr(lw, name)(*of)),
                  *(np.array_equal(a, b) for a, b in zip(found, expected, strict=True)))
        if lj.handler() == "foreign function":  # JAX's callbacks know no explicit mesh
            mesh = jax.make_mesh((2,), ("rows",), axis_types=(jax.sharding.AxisType.Explicit,))
            with jax.set_mesh(mesh):
                for name in ("silu", "softmax", "swiglu", "rms_norm"):
                    of, function = cases[name], getattr(lj, name)
                    grads = jax.jit(jax.grad(lambda *of: function(*of).sum(), range(len(of))))
                    found = grads(jax.device_put(of[0], P("rows")), *of[1:])
                    print(name, *(np.allclose(a, b, 1e-4, 1e-6) for a, b in zip(found, grads(*of), strict=True)))
    """
    if compiler is None and shutil.which("cc") is None:
        pytest.skip("no compiler")
    done = run_python(script, CC=compiler, XDG_CACHE_HOME=str(tmp_path / "cache"), JAX_PLATFORMS="cpu",
                      XLA_FLAGS="--xla_force_host_platform_device_count=2")
    assert not done.returncode, done.stderr
    assert "False" not in done.stdout, done.stdout
    assert done.stdout.startswith("callback" if compiler else "foreign function")


def test_shapes(way):
    for shape in ((), (0,), (2, 0, 3), (1,)):
        x = np.ones(shape, np.float32)
        same(lj.silu(x), np.asarray(lw.silu(x)))


@pytest.mark.parametrize("name", ["silu", "elu"])
def test_wrong_dtypes(name):
    with pytest.raises(TypeError, match=f"lanewise.jax.{name} expected float16.*got int32"):
        getattr(lj, name)(np.arange(5, dtype=np.int32))


@pytest.mark.parametrize(("name", "number"), [("celu", 0.0), ("squareplus", -1.0)])
def test_wrong_numbers(way, name, number):
    x = np.ones(3, np.float32)
    with pytest.raises(ValueError, match=f"{name}: .* must .*; got {number}") as refused:
        getattr(lj, name)(x, number)
    with pytest.raises(ValueError, match=str(refused.value)):
        getattr(lw, name)(x, number)


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
