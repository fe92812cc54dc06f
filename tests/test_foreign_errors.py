"""Errors of wrong arguments are Lanewise's own, and say what was given and what was expected: what random_calls.py has
found, each as a case of its kind. And what leaked, or failed, on right ones."""

import re
import subprocess
import sys
import textwrap
import warnings

import along_axis
import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from lanewise import evolution, genome, ieee754, packing
from lanewise.genome import formats
from lanewise.kernels import ieee754 as ieee754_kernels
from lanewise.kernels import layers, softmax

X, RAGGED, HUGE = np.ones((4, 6), np.float32), [[1.0], [1.0, 2.0]], 10**400
HALF, BRAIN = X.astype(np.float16), X.astype(ml_dtypes.bfloat16)
GENOMES = np.zeros((2, 3), np.uint8)
NETWORK = evolution.Network((3, 2))
PACKED = formats.Packed(np.zeros((1, 16), np.uint8), formats.UINT4, np.ones((1, 1), np.float32), None, 32)


def gone_forward(layer):
    layer.forward(X)
    return layer


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: lw.softmax(RAGGED), ValueError, "softmax: x must be an array of numbers; .*inhomogeneous"),
    (lambda: lw.rms_norm(X, RAGGED), ValueError, "rms_norm: weight must be an array of numbers"),
    (lambda: lw.cross_entropy(X, RAGGED), ValueError, "cross_entropy: target must be an array of numbers"),
    (lambda: lw.batch_norm_backward(X, X, mean=None, rstd=np.ones(6)), ValueError,
     "batch_norm_backward: mean and rstd must be given"),
    (lambda: lw.group_norm_backward(X, X, 2, mean=X), ValueError, "^group_norm_backward: .*; mean was given alone"),
    (lambda: lw.instance_norm_backward(X, X, rstd=X), ValueError, "^instance_norm_backward: .*; rstd was given alone"),
    (lambda: lw.layer_norm(X, algorithm=["shifted"]), ValueError, "layer_norm: algorithm .* is unknown"),
    (lambda: lw.cross_entropy(X, [0] * 4, reduction=np.array(["mean", "sum"])), ValueError, "reduction .* is unknown"),
    (lambda: lw.normalize(X, RAGGED), TypeError, "normalize: p must be a number that a float holds"),
    (lambda: lw.normalize(X, np.ma.masked), TypeError, "normalize: p must be a number that a float holds"),
    (lambda: lw.huber(X, X, delta=np.ma.masked), TypeError, "huber: delta must be a number, not masked"),
    (lambda: lw.log_softmax(X, where=RAGGED), ValueError, "log_softmax: where must be an array of numbers"),
    (lambda: lw.masked_softmax(X, RAGGED), ValueError, "masked_softmax: mask must be an array of numbers"),
    (lambda: lw.act_halting_backward(X[:, 0], X, RAGGED), ValueError, "act_halting_backward: steps must be an array"),
    (lambda: lw.logsumexp_backward([1.0, 2.0], 1.0), ValueError, r"logsumexp_backward: grad of shape \(2,\) does"),
    (lambda: lw.softplus_backward(X, X, out=np.zeros((4, 6), "V5")), TypeError, "softplus.*: out must hold floats"),
    (lambda: lw.elu(X, out=np.zeros((4, 6), "V5")), TypeError, "elu.*: out must hold floats"),
    (lambda: lw.linear(HALF, BRAIN), TypeError, "linear: x of float16 and weight of bfloat16 have no common dtype"),
    (lambda: lw.linear_backward(X[:, :4], HALF, BRAIN), TypeError, "x of float16 and weight of bfloat16 have no"),
    (lambda: lw.kl_standard_normal(HALF, BRAIN), TypeError, "mu of float16 and logvar of bfloat16 have no common"),
    (lambda: lw.kl_standard_normal_backward(1.0, HALF, BRAIN), TypeError, "mu of float16 and logvar of bfloat16 have"),
    (lambda: lw.adamw_step(X, X, X, X, 1, lr=0.1, betas={}), TypeError, r"betas must be two numbers, not \{"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], classes=RAGGED), TypeError, "classes is a list of labels"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], np.ma.array(["a", "b"])), TypeError, "classes is a masked"),
    (lambda: evolution.Classifier(NETWORK, RAGGED), ValueError, "genome must be an array of numbers"),
    (lambda: evolution.Classifier(NETWORK, np.ma.array(GENOMES[0])), TypeError, "genome is a masked array"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], features=RAGGED), TypeError, "features is a list of names"),
    (lambda: ieee754.mx_decode([1], [1], "nvfp4", tensor_scale=np.ma.masked), TypeError, "tensor_scale must be"),
    (lambda: lw.group_norm(X, 2, eps=HUGE), TypeError, "group_norm: eps must be a number"),
    (lambda: lw.swish(X, HUGE), ValueError, "swish: beta must be a number that a float holds, not an int of 1329 bits"),
    (lambda: lw.elu(HUGE), ValueError, "elu: x must be a number that a float holds, not an int of 1329 bits"),
    (lambda: lw.swiglu(X, X, beta=-HUGE), ValueError, "swiglu: beta must be a number that a float holds, not an int"),
    (lambda: lw.softshrink(X, len), TypeError, "softshrink: lambd must be a number or an array of numbers, not"),
    (lambda: lw.hardtanh(X, X[0, :2], X[0, :3]), ValueError, "hardtanh: max_val and min_val must broadcast; their"),
    (lambda: lw.softplus(X, 2.0, no=1), TypeError, r"softplus\(\) got an unexpected keyword argument 'no'"),
    (lambda: lw.glu(np.float32(1)), ValueError, r"glu: axis -1 is out of range for x of shape \(\)"),
    (lambda: lw.glu_backward(X, X, -2**70), ValueError, "glu_backward: axis -1180591620717411303424 is out of range"),
    (lambda: lw.softmax(X, out=np.zeros((4, 6), int)), TypeError, "softmax: out must hold floats .*, not int64"),
    (lambda: lw.layers.LayerNorm("a"), TypeError, "LayerNorm: size must be an int, not 'a'"),
    (lambda: lw.layers.RMSNorm(-1), ValueError, "RMSNorm: size must be from 0 to .*, not -1"),
    (lambda: lw.layers.BatchNorm(2**200), ValueError, "BatchNorm: size must be from 0 to"),
    (lambda: lw.layers.LayerNorm(3, dtype=int), TypeError, "LayerNorm: dtype must be one of floats.*, not int64"),
    (lambda: lw.layers.RMSNorm(3, dtype="U3"), TypeError, "RMSNorm: an array of dtype is of dtype <U3"),
    (lambda: lw.layers.Linear(2, -1, 1), ValueError, "Linear: outputs must be from 0 to"),
    (lambda: lw.layers.Linear(2, 3, 1, init=[]), TypeError, r"Linear: init must be callable, .*not \[\]"),
    (lambda: lw.layers.Linear(2, 3, 1, init=lambda *given, **more: None), TypeError, "Linear: what init returns is"),
    (lambda: lw.layers.Linear(2, 3, 1, init=lambda *given, **more: X), ValueError, r"has shape \(4, 6\); .*\(3, 2\)"),
    (lambda: lw.layers.SwiGLU(2, 0.5, 1), TypeError, "SwiGLU: hidden must be an int, not 0.5"),
    (lambda: lw.layers.Residual(1), TypeError, "Residual: expected layers, with forward and backward; got int"),
    (lambda: lw.gradient_flow(activation="no"), ValueError, "gradient_flow: activation 'no' is unknown"),
    (lambda: lw.gradient_flow(activation="prelu"), TypeError, "gradient_flow: prelu needs weight"),
    (lambda: ieee754.encode(1j, "int4"), TypeError, "numbers of dtype complex128 are more than float64 holds"),
    (lambda: ieee754.encode("1", "int4"), TypeError, "x holds no numbers but <U1; expected float16, bfloat16, float32"),
    (lambda: ieee754.encode(np.zeros(2, "V5"), "int4"), TypeError, "x holds no numbers but "),
    (lambda: lw.swiglu(X, X, limit=np.ma.masked), None, None),
    (lambda: lw.layers.Activation("relu", alpha=1), TypeError, "Activation: relu takes no parameters; got alpha"),
    (lambda: lw.layers.Activation("elu", out=X), TypeError, "Activation: elu takes alpha; got out"),
    (lambda: lw.layers.Activation("threshold", value=1), TypeError, "Activation: threshold needs threshold"),
    (lambda: lw.layers.Residual(lw.layers.Linear(6, 1, 1)).forward(X), ValueError, r"the layers make \(4, 1\) of x of"),
    (lambda: gone_forward(lw.layers.Residual(lw.layers.Linear(6, 6, 1, input_grad=False))).backward(X), ValueError,
     "Residual: its first layer computes no gradient of x; expected input_grad=True"),
    (lambda: gone_forward(lw.layers.Activation("relu")).backward(X[:1]), ValueError, "grad of shape .* does not fit"),
    (lambda: gone_forward(lw.layers.Dropout(0.5, 1)).backward(X[:1]), ValueError, "grad of shape .* does not fit"),
    (lambda: lw.he_uniform((2**70, 2), 1), ValueError, "he_uniform: shape .* has more elements than an array can"),
    (lambda: lw.xavier_normal((0, 2**62), 1), ValueError, "xavier_normal: shape .* has more elements than an array"),
    (lambda: lw.gradient_flow(2**70, 2), ValueError, "gradient_flow: depth must be at most"),
    (lambda: lw.embedding.address(["a"]), TypeError, "the name of a C function is a str; got list"),
    (lambda: lw.embedding.ctypes_function({}), TypeError, "the name of a C function is a str; got dict"),
    (lambda: lw.gradient_flow(True, 2, "tanh"), None, None),
    (lambda: ieee754.BINARY16.value(1.5), TypeError, "a code is an int; got 1.5"),
    (lambda: ieee754.encode(X, "binary16", rounding="stochastic", seed=0.5), TypeError, "seed is an int, 0 or more"),
    (lambda: ieee754.encode(X, "binary16", rounding="stochastic", seed=-1), ValueError, "seed is an int, 0 or more"),
    (lambda: ieee754.BINARY16.code_of("a"), TypeError, "size is a finite number; got 'a'"),
    (lambda: ieee754.BINARY16.code_of(-1), ValueError, "size is 0 or more"),
    (lambda: lw.layers.RMSNorm(3).save("a\0b"), ValueError, "expected the path of a file; got one with a null byte"),
    (lambda: lw.layers.RMSNorm(3).load(b"a\0b"), ValueError, "expected the path of a file; got one with a null byte"),
    (lambda: formats.write_matmulnbits("a"), TypeError, "packed is a Packed; got str"),
    (lambda: formats.write_mxfp4(PACKED._replace(codebook=0)), TypeError, "codebook is a Codebook such as LOG4; got 0"),
    (lambda: formats.write_mlx(PACKED._replace(group=0)), ValueError, "groups of 1 or more; got 0"),
    (lambda: formats.write_mlx(PACKED._replace(scale=["a"])), TypeError, "scale is a number, or an array of numbers"),
    (lambda: formats.write_mlx(PACKED._replace(scale=[[np.nan]])), ValueError, "the scales hold a NaN"),
    (lambda: formats.write_awq(PACKED._replace(codes=[1.0])), TypeError, "codes holds uint8; got float64"),
    (lambda: formats.write_gguf([], PACKED), ValueError, r"kind is one of Q4_0, .*; got \[\]"),
    (lambda: formats.read_bitsandbytes("NF4", GENOMES, X, 3), TypeError, r"shape is \(outputs, inputs\), .*got 3"),
    (lambda: formats.read_bitsandbytes("NF4", GENOMES, X, (2, 6), 0), ValueError, "whole blocks of 0, a multiple"),
    (lambda: formats.read_hqq(GENOMES, X, X, (0, 3)), ValueError, r"1 or more each; got \(0, 3\)"),
    (lambda: formats.read_matmulnbits(GENOMES[:, None], ["a", "b"]), TypeError, "scales is a number, or an array"),
    (lambda: formats.e8m0_bytes("a"), TypeError, "scale is a number, or an array of numbers"),
    (lambda: formats.e8m0_bytes(1 + 2**-40), ValueError, "E8M0 holds powers of two"),
    (lambda: lw.set_num_threads(np.ones(3)), TypeError, "expected an integer of at least 1"),
    (lambda: lw.show_config(np.ones(3)), ValueError, "expected mode 'stdout' or 'dicts'"),
    (lambda: ieee754.encode(X, None), TypeError, "format is a Format or the name of one; got None"),
    (lambda: ieee754.decode(GENOMES, None), TypeError, "format is a Format or the name of one; got None"),
    (lambda: ieee754.compose(0, 1, 2, None), TypeError, "format is a Format or the name of one; got None"),
    (lambda: ieee754.encode(X, "e5m2", rounding=["up"]), ValueError, r"rounding and overflow are names; got \['up'\]"),
    (lambda: ieee754.encode(X, "e2m1", packed=np.ones(2)), TypeError, "packed must be True or False"),
    (lambda: ieee754.encode(X, "e2m1", packed=True, out=np.empty((4, 6), np.uint8)), TypeError, "expected no out with"),
    (lambda: ieee754.decode(GENOMES, "e5m2", dtype="no such"), TypeError, "dtype is float32 or float64; got 'no such'"),
    (lambda: ieee754.unpack(GENOMES, n="6"), TypeError, "n is an int; got str"),
    (lambda: ieee754.field_statistics(X, formats=2), TypeError, "formats is a list of formats or their names; got 2"),
    (lambda: ieee754.ulp_distance(X, -2**70), TypeError, "objects have no floating-point format"),
    (lambda: ieee754.decode(True, "e2m1"), None, ""),
    (lambda: ieee754.compose(np.ma.masked_all(2, int), 1, 2, "e2m1"), None, ""),
    (lambda: ieee754.field_statistics(RAGGED), ValueError, "x must be an array of numbers"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], [1, 2]).score(X[:, :3], RAGGED), ValueError, "y must be"),
    (lambda: NETWORK.batch(np.float64), TypeError, "x is an array of numbers; got object"),
    (lambda: NETWORK.batch(np.ma.zeros((2, 3), "i4,f8")), TypeError, "x is an array of numbers; got"),
    (lambda: genome.pack(np.zeros((2, 0), complex)), None, ""),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0]).score(X[:, :3], np.full((4, 2), 1e300)), None, ""),
    (lambda: ieee754.parse_number(2), TypeError, "text is a str such as '0.1' or .*; got 2"),
    (lambda: ieee754.exact_decimal("2"), TypeError, "value is a number that a float holds; got '2'"),
    (lambda: ieee754.exact_decimal(2**53 + 1), ValueError, "a number that a float holds; got 9007199254740993"),
    (lambda: ieee754.describe([]), TypeError, r"value is a number that a float holds; got \[\]"),
    (lambda: ieee754.format_of(RAGGED), ValueError, "x must be an array of numbers"),
    (lambda: genome.mutate(GENOMES, "often", 0), TypeError, "rate is a number, or an array of numbers; got <U5"),
    (lambda: genome.mutate(GENOMES, 0.1, 0, kind=["flip"]), ValueError, r"kind is one of flip, .*; got \['flip'\]"),
    (lambda: genome.mutate(GENOMES, 0.1, 0, codebook="LOG4"), TypeError, "is a Codebook such as LOG4; got 'LOG4'"),
    (lambda: genome.decode(GENOMES, {}), TypeError, r"codebook is a Codebook such as LOG4; got \{\}"),
    (lambda: genome.encode(X, 3), TypeError, "codebook is a Codebook"),
    (lambda: genome.best_scale(X, 3), TypeError, "codebook is a Codebook"),
    (lambda: genome.linear4(X, GENOMES, 3), TypeError, "codebook is a Codebook"),
    (lambda: genome.decode(GENOMES, scale=object()), TypeError, "is a number, or an array of numbers; got object"),
    (lambda: genome.Codebook({1: 2}), TypeError, "levels is a number, or an array of numbers; got object"),
    (lambda: genome.Codebook([1e300] * 16), ValueError, "a codebook has 16 finite levels"),
    (lambda: genome.crossover(GENOMES, GENOMES, 0, np.ones(2)), ValueError, "children is 1 or 2"),
    (lambda: genome.hamming_distance(GENOMES, GENOMES, ["bits"]), ValueError, r"unit is one of bits, weights; got \["),
    (lambda: genome.random_population(2**31, 2**62, 0), ValueError, "are beyond any memory"),
    (lambda: genome.random_population(2, 2**63 - 3, 0), ValueError, "are beyond any memory"),
    (lambda: evolution.Network((3, 2), [1]), ValueError, r"activation is one of .*; got \[1\]"),
    (lambda: evolution.Network((2**40, 2**40)), ValueError, "at most 4611686018427387904 weights"),
    (lambda: NETWORK.loss(np.ma.array(GENOMES), X[:, :3], [0] * 4), TypeError, "population is a masked array"),
    (lambda: NETWORK.batch_of(X[:, :3], goal=["mse"]), ValueError, "goal is one of"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], features="abc"), TypeError, "features is a list of names"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0], label=3), TypeError, "label is a name; got 3"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0]).save(3), TypeError, "expected the path of a file; got int"),
    (lambda: evolution.Classifier(NETWORK, GENOMES[0]).save("no/such/a.npz"), FileNotFoundError,
     r"there is no folder .*no/such: 'no/such/a.npz'"),
    (lambda: evolution.Classifier.load(None), TypeError, "expected the path of a file; got NoneType"),
])
def test_wrong_arguments(call, error, message):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        if error is None:
            call()
            return
        with pytest.raises(error, match=message):
            call()


class Subclass(np.ndarray):
    """An array that NumPy, not the loops at once, calls a function with."""


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("name", ["layer_norm_backward", "rms_norm_backward", "group_norm_backward"])
def test_sums_over_rows_leak_no_warning(name, dtype):
    x = np.random.default_rng(0).standard_normal((20, 4, 3)).astype(dtype)
    weight = np.ones(3 if name != "group_norm_backward" else 4, dtype)
    for worst in (np.finfo(dtype).max, np.inf, np.nan):
        grad = np.where(x > 0, worst, -worst).astype(dtype)
        for layout in (lambda a: a, lambda a: a.view(Subclass), lambda a: np.swapaxes(a.swapaxes(0, 1).copy(), 0, 1)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                backward = getattr(lw, name)
                groups = (2,) if name == "group_norm_backward" else ()
                backward(layout(grad), layout(x), *groups, weight)


@pytest.mark.parametrize("name", [name for name in along_axis.EVERY if name not in along_axis.NO_OUT])
def test_an_output_of_another_16_bit_dtype_names_the_function(name):
    """NumPy casts bfloat16 to no float16; its error named a gufunc that nobody can call."""
    arrays = [array.astype("bfloat16") if array.dtype.kind == "f" else array
              for array in along_axis.operands(name, (4, 6), "bfloat16")]
    out = np.full((4, 6), 7, np.float16)
    outs = (out, None) if name in along_axis.TWO_OUTPUTS else (out,)
    with pytest.raises(TypeError, match=(
            f"^{name.partition(',')[0]}: out of dtype float16 does not take results of dtype bfloat16$")):
        along_axis.results(name, arrays, outs)
    assert (out == 7).all()


def test_an_output_of_a_narrower_dtype_leaks_no_warning():
    x = np.array([[3e38, -3e38, 1.0, 2.0]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for out in np.empty((1, 4), np.float32), np.empty((1, 4), ">f4"):
            lw.layer_norm(x.astype(np.float32), np.full(4, 1e300), out=out)
            assert np.isinf(out).any()
        lw.softmax_backward(x * 1e5, x, out=np.empty((1, 4), np.float32))
        rows = np.arange(126, dtype=np.float32).reshape(9, 2, 7)
        lw.instance_norm_backward(np.full_like(rows, 3e38), rows)
        lw.prelu_backward(np.full((3, 2), 1e308), np.full((3, 2), -10.0), np.ones(1))
        lw.prelu_backward(np.array([[np.inf], [-np.inf]]), -np.ones((2, 1)), np.ones(1))
        assert lw.hardtanh(np.float32(1), 1e300, np.float32(np.inf)) == np.inf


def test_a_checkpoint_of_whole_inputs_of_an_odd_width(tmp_path):
    """Their digest was of numbers that lie apart in memory, which hashlib refuses."""
    rows = np.arange(21).reshape(7, 3) % 4
    network, path = evolution.Network((3, 2)), tmp_path / "run.npz"
    assert network.batch(rows).is_whole
    y = np.arange(7) % 2
    first = evolution.evolve(network, rows, y, population=4, generations=2, checkpoint=path, progress=False)
    again = evolution.evolve(network, rows, y, population=4, generations=2, resume=path, progress=False)
    assert again.loss == first.loss
    assert network.batch(rows).digest() == evolution.Network((3, 2), codebook=genome.NF4).batch(rows * 1.0).digest()


def test_a_file_that_cannot_be_written_is_named_as_it_was_given(tmp_path):
    model = evolution.Classifier(NETWORK, GENOMES[0])
    for path in (tmp_path, "", str(tmp_path / "a") + "/"):
        with pytest.raises(OSError, match="cannot write: expected the name of a file"):
            model.save(path)
    assert list(tmp_path.iterdir()) == []


def moved(array):
    room = np.zeros(array.nbytes + 1, np.uint8)
    found = room[1:].view(array.dtype).reshape(array.shape)
    found[...] = array
    assert not found.flags.aligned
    return found


def test_numbers_off_their_boundaries():
    """Kernels are given copies, since C has no such floats (UndefinedBehaviorSanitizer says so of others)."""
    x, scale = np.random.default_rng(0).standard_normal((4, 6)).astype(np.float32), np.full((4, 1), 0.5, np.float32)
    assert packing.contiguous(moved(x)).flags.aligned
    network = evolution.Network((6, 4))
    codes = genome.encode(x, scale=scale)
    for function, given in (
            (lambda x, s: genome.encode(x, scale=s), [x, scale]), (lambda s: genome.decode(codes, scale=s), [scale]),
            (genome.best_scale, [x]),
            (lambda x, s, b: genome.linear4(x, codes, scale=s, bias=b), [x, scale, scale[:, 0]]),
            (lambda r: genome.mutate(codes, r, 1), [scale[:, 0].astype(np.float64)]),
            (lambda x: lw.nll_loss(x, [0, 1, 2, 3]), [x]),
            (lambda grad, x: lw.nll_loss_backward(grad, x, [0, 1, 2, 3], reduction="none"), [x[:, 0], x]),
            (lambda x: network.forward(codes.reshape(1, -1), x), [x])):
        assert (function(*given) == function(*map(moved, given))).all()


def test_kernels_are_given_arrays_on_their_boundaries(monkeypatch):
    seen = []

    def watched(kernels, name):
        function = getattr(kernels, name)

        def watching(*given):
            seen.append(all(array.flags.aligned for array in given if isinstance(array, np.ndarray)))
            return function(*given)

        monkeypatch.setattr(kernels, name, watching)

    for kernels, name in ((softmax, "kept"), (layers, "dropout"), (layers, "sum_rows"), (ieee754_kernels, "on_blocks")):
        watched(kernels, name)
    x, square, bias = moved(X), moved(np.ones((4, 4), np.float32)), moved(np.ones(4, np.float32))
    lw.log_softmax(x, where=X > 0)
    lw.dropout(x, 0.5, 1, out=moved(X))
    lw.linear_backward(square, square, square, bias, out=(None, None, bias))
    ieee754.mx_encode(moved(np.ones((2, 32), np.float32)), "mxfp8_e4m3")
    assert len(seen) == 4
    assert all(seen)


def test_dtypes_of_ml_dtypes_are_asked_for_by_name_without_it():
    script = '''
        import sys
        sys.modules["ml_dtypes"] = None  # as if it were not installed
        import lanewise as lw, numpy as np
        x = np.ones(3, np.float32)
        for call in (lambda: lw.elu(x, dtype="bfloat16"), lambda: lw.softplus(x, dtype="bfloat16"),
                     lambda: lw.swiglu(x, x, beta=2.0, dtype="bfloat16"),
                     lambda: lw.rotary_tables([0], 2, dtype="bfloat16"),
                     lambda: lw.layers.LayerNorm(3, dtype="bfloat16"), lambda: lw.layers.RMSNorm(3, dtype="bfloat16"),
                     lambda: lw.layers.BatchNorm(3, dtype="bfloat16"),
                     lambda: lw.ieee754.mx_decode([1], [1], "mxfp4", dtype="float8_e5m2")):
            try:
                call()
            except TypeError as error:
                print(error)
        print(lw.ieee754.encode(x, "bfloat16"), lw.ieee754.BFLOAT16.dtype)
        try:
            lw.elu(x, dtype="half-baked")
        except TypeError as error:
            print(error)
    '''
    run = subprocess.run([sys.executable, "-c", textwrap.dedent(script)], capture_output=True, text=True, check=True)
    *missing, codes, unknown = run.stdout.splitlines()
    assert len(missing) == 8
    for line in missing:
        assert re.search(r"(elu|softplus|swiglu|rotary_tables|Norm|mx_decode): (bfloat16|float8_e5m2) is a dtype "
                         r"of ml_dtypes, which is not installed: pip install ml_dtypes", line), line
    assert codes == "[16256 16256 16256] None"
    assert unknown == "elu: dtype must be a dtype or the name of one, not 'half-baked'"


@pytest.mark.parametrize("kind", ["compressed_tensors", "gptq", "mlx"])
def test_words_of_four_bits_in_another_byte_order(kind):
    codes = np.arange(256, dtype=np.uint8).reshape(8, 32)
    scale, symmetric = np.full((8, 2), 0.5, np.float32), kind == "compressed_tensors"
    book, offset = (formats.INT4_OFFSET, None) if symmetric else (formats.UINT4, -8 * scale)
    read, write = getattr(formats, f"read_{kind}"), getattr(formats, f"write_{kind}")
    arrays = write(formats.Packed(codes, book, scale, offset, 32))
    for order in "><":
        found = read(*[array.astype(array.dtype.newbyteorder(order)) for array in arrays])
        assert (found.codes == codes).all()


def test_scales_of_bitsandbytes_in_another_byte_order():
    codes, absmax = np.arange(64, dtype=np.uint8), np.array([0.5, 2.0], np.float32)
    found = [formats.read_bitsandbytes("NF4", codes, absmax.astype(order), (2, 64), 64) for order in (">f4", "<f4")]
    assert (found[0].scale == found[1].scale).all()
    assert found[0].scale.dtype == np.float32


def test_four_bit_files_of_any_bytes_give_no_warning():
    infinite = np.full((1, 144), 0x7C, np.uint8)  # scales of infinity times whole numbers, some of them 0
    infinite[0, 4:16] = 0
    large = PACKED._replace(codes=np.zeros((1, 128), np.uint8), scale=np.full((1, 8), 3e38, np.float32))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        for call in (lambda: formats.read_gguf("Q4_K", infinite), lambda: formats.write_gguf("Q4_K", large),
                     lambda: formats.write_gguf("Q4_1", large._replace(scale=large.scale * 1e-30))):
            with pytest.raises(ValueError, match=r"infinity|Q4_K keeps|as float16"):
                call()


def test_layers_add_without_a_warning_and_go_back_without_outputs():
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        y = lw.layers.Residual(lw.layers.Activation("relu")).forward(np.array([3e38, np.inf], np.float32))
        norm = lw.layers.BatchNorm(2)
        norm.forward(np.array([[1.0, 2.0], [1e-200, 3.0]]))
        norm.backward(np.array([[1e300, 1.0], [1e300, 1.0]]))
    assert (y == np.inf).all()
    assert norm.gradients()["bias"].tolist() == [np.inf, 2.0]
    for outputs, inputs in (0, 3), (3, 0), (0, 0):
        found = lw.linear_backward(np.ones((2, outputs)), np.ones((2, inputs)), np.ones((outputs, inputs)),
                                   np.ones(outputs))
        assert [array.shape for array in found] == [(2, inputs), (outputs, inputs), (outputs,)]


@pytest.mark.parametrize("call", [
    lambda ragged: lw.softmin_backward(np.ones((2, 3)), np.ones((2, 3)), where=ragged, axis=(0, 1)),
    lambda ragged: lw.softmax(np.ones((2, 3)), where=ragged),
    lambda ragged: lw.layer_norm_backward(np.ones((2, 3)), np.ones((2, 3)), axis=(0, 1), mean=ragged, rstd=ragged),
])
def test_rows_of_several_lengths_are_named(call):
    with pytest.raises((TypeError, ValueError), match=r"softm|layer_norm_backward: (mean|rstd)"):
        call([[1.0], [1.0, 2.0]])


@pytest.mark.parametrize("name", ["batch_norm", "group_norm", "rms_norm", "layer_norm", "add_rms_norm"])
def test_whether_statistics_are_wanted_is_asked_before_anything_is_written(name):
    x, mean, out = np.arange(8.0).reshape(2, 4), np.zeros(4), np.zeros((2, 4))
    given = {"batch_norm": ({"running_mean": mean, "running_var": np.ones(4), "training": True}, ()),
             "group_norm": ({}, (2,)), "add_rms_norm": ({}, (x,))}.get(name, ({}, ()))
    places = (out, None) if name == "add_rms_norm" else out
    with pytest.raises(TypeError, match=f"{name}: return_stats must be True or False, not array"):
        getattr(lw, name)(x, *given[1], **given[0], out=places, return_stats=np.ones(2))
    assert not mean.any()
    assert not out.any()


def test_a_code_of_a_numpy_integer():
    assert lw.ieee754.FLOAT4_E2M1FN.code_of(np.int8(3)) == lw.ieee754.FLOAT4_E2M1FN.code_of(3)
