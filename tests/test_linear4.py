# The linear layer on packed weights: against float64, one sum whatever the rows, threads and level, and its errors.
import ctypes
import hashlib

import numpy as np
import pytest
from lanewise import genome
from lanewise.genome import FLOAT4, INT4, LOG4, NF4, Codebook
from lanewise.kernels import linear4

# outputs, inputs, rows, group: within a block and across panels of them, odd, few rows and many, groups that straddle
SHAPES = [(1, 1, 1, None), (3, 7, 1, None), (10, 64, 5, 16), (17, 129, 4, 48), (50, 300, 33, None), (24, 128, 1, 32),
          (31, 1000, 2, 16), (16, 1100, 3, 144), (100, 1025, 130, 80), (6, 512, 4, 512), (2, 40, 300, None)]


def case(outputs, inputs, rows, group, codebook=NF4):
    rng = np.random.default_rng(outputs)
    weights = rng.normal(size=(outputs, inputs)).astype(np.float32)
    scales = rng.uniform(0.5, 2, (outputs, -(-inputs // (group or inputs)))).astype(np.float32)
    scales.flat[::3] *= -1
    scales.flat[4::7] = 0
    codes = genome.encode(weights, codebook, scales, group=group)
    x, bias = (rng.normal(size=shape).astype(np.float32) for shape in ((rows, inputs), outputs))
    return x, codes, codebook, scales, bias


@pytest.mark.parametrize("codebook", [LOG4, NF4, FLOAT4, INT4], ids=lambda codebook: codebook.name)
@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), SHAPES)
def test_against_float64(outputs, inputs, rows, group, codebook):
    x, codes, codebook, scales, bias = case(outputs, inputs, rows, group, codebook)
    weights = genome.decode(codes, codebook, scales, group=group, n_weights=inputs).astype(np.float64)
    exact = x @ weights.T + bias
    y = genome.linear4(x, codes, codebook, scales, bias, group=group)
    assert y.dtype == np.float32
    assert y.shape == (rows, outputs)
    # a partial sum has a sixteenth of the terms, each with one rounding, and half a dozen more bring them together
    size = np.abs(x).astype(np.float64) @ np.abs(weights).T + np.abs(bias)
    assert (np.abs(y - exact) <= (inputs / 16 + 16) * 2.0**-24 * size).all()
    without = genome.linear4(x, codes, codebook, scales, group=group)
    assert (without + bias == y).all()


@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), SHAPES)
def test_offsets(outputs, inputs, rows, group):
    x, codes, codebook, scales, bias = case(outputs, inputs, rows, group)
    offsets = np.random.default_rng(3).normal(size=scales.shape).astype(np.float32)
    y = genome.linear4(x, codes, codebook, scales, bias, group=group, offset=offsets)
    weights = genome.decode(codes, codebook, scales, group=group, n_weights=inputs, offset=offsets)
    levels = codebook.levels[genome.unpack(codes, inputs)].astype(np.float64)
    at = np.arange(inputs) // (group or inputs)
    assert (weights == (levels * scales[:, at] + offsets[:, at].astype(np.float64)).astype(np.float32)).all()
    exact = x @ weights.T.astype(np.float64) + bias
    size = np.abs(x).astype(np.float64) @ np.abs(weights).T + np.abs(bias)
    assert (np.abs(y - exact) <= (inputs / 16 + 16) * 2.0**-24 * size).all()
    for row in {0, rows - 1}:
        alone = genome.linear4(x[row], codes, codebook, scales, bias, group=group, offset=offsets)
        assert (alone == y[row]).all()
    some = genome.linear4(x, codes[::3], codebook, scales[::3], bias[::3], group=group, offset=offsets[::3])
    assert (some == y[:, ::3]).all()
    without = genome.linear4(x, codes, codebook, scales, group=group)
    assert (genome.linear4(x, codes, codebook, scales, group=group, offset=np.zeros_like(offsets)) == without).all()


@pytest.mark.parametrize(("outputs", "inputs", "rows", "group"), SHAPES)
def test_a_row_is_the_same_alone_or_among_others(outputs, inputs, rows, group):
    x, codes, codebook, scales, bias = case(outputs, inputs, rows, group)
    y = genome.linear4(x, codes, codebook, scales, bias, group=group)
    for row in {0, rows // 2, rows - 1}:
        assert (genome.linear4(x[row], codes, codebook, scales, bias, group=group) == y[row]).all()
    some = genome.linear4(x, codes[::3], codebook, scales[::3], bias[::3], group=group)
    assert (some == y[:, ::3]).all()


def test_every_code_of_every_place():
    # one input at a time is 1: the output is that weight, exactly
    inputs = 300
    codes = genome.random_population(7, inputs, 1)
    weights = genome.decode(codes, NF4, 0.3)
    assert (genome.linear4(np.eye(inputs, dtype=np.float32), codes, NF4, 0.3) == weights.T).all()
    for i in (0, 7, 8, 127, 128, 299):
        assert (genome.linear4(np.eye(inputs, dtype=np.float32)[i], codes, NF4, 0.3) == weights[:, i]).all()


def test_one_layer_of_a_network():
    from lanewise.evolution.network import Network

    network = Network((64, 32, 10))
    one = genome.random_population(1, network.n_weights, 3)[0]
    x = np.random.default_rng(1).normal(size=(90, 64)).astype(np.float32)
    hidden = np.maximum(genome.linear4(x, one[:1024].reshape(32, -1)), 0)
    logits = genome.linear4(hidden, one[1024:].reshape(10, -1))
    np.testing.assert_allclose(logits, network.forward(one, x), rtol=1e-5, atol=1e-4)


def test_shapes_scales_and_strides():
    x, codes, codebook, _, bias = case(6, 40, 12, None)
    y = genome.linear4(x, codes, codebook, 0.5, bias)
    assert (genome.linear4(x.reshape(3, 4, 40), codes, codebook, 0.5, bias) == y.reshape(3, 4, 6)).all()
    assert (genome.linear4(np.asfortranarray(x), np.asfortranarray(codes), codebook, 0.5, bias[::-1][::-1]) == y).all()
    assert (genome.linear4(x, codes, codebook, np.full(3, 0.5), bias, group=16) == y).all()
    assert genome.linear4(x[:0], codes).shape == (0, 6)
    assert genome.linear4(x, codes[:0]).shape == (12, 0)
    assert (genome.linear4(x[:, :0], codes[:, :0], bias=bias) == bias).all()
    assert (genome.linear4(x[:, :0], codes[:, :0]) == 0).all()


def test_nan_and_infinity_stay_in_their_row():
    x, codes, *_ = case(5, 20, 9, None)
    x[4, 19], x[6, 0] = np.nan, np.inf
    y = genome.linear4(x, codes)
    assert np.isnan(y[4]).all()
    assert np.isinf(y[6]).all()  # no weight of LOG4 is zero
    assert np.isfinite(np.delete(y, [4, 6], axis=0)).all()


X, CODES = np.zeros((2, 5), np.float32), np.zeros((4, 3), np.uint8)


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: genome.linear4(X.astype(float), CODES), TypeError, "x holds float32; got float64"),
    (lambda: genome.linear4(np.float32(1), CODES), ValueError, "x has at least one axis"),
    (lambda: genome.linear4(X, CODES.astype(int)), TypeError, "codes holds uint8; got int64"),
    (lambda: genome.linear4(X, CODES[0]), ValueError, r"codes of 5 inputs are \[outputs, 3\]; got \[3\]"),
    (lambda: genome.linear4(X[:, :4], CODES), ValueError, r"codes of 4 inputs are \[outputs, 2\]; got \[4, 3\]"),
    (lambda: genome.linear4(X, CODES, bias=np.zeros(4)), TypeError, "bias holds float32; got float64"),
    (lambda: genome.linear4(X, CODES, bias=np.zeros(3, np.float32)), ValueError, r"bias is \[4\].*got \[3\]"),
    (lambda: genome.linear4(X, CODES, scale=np.inf), ValueError, "scale is finite, also in float32"),
    (lambda: genome.linear4(X, CODES, scale=np.ones((3, 1))), ValueError, r"or \[4, 1\].*got \[3, 1\]"),
    (lambda: genome.linear4(X, CODES, FLOAT4, 1e38), ValueError, r"beyond float32: the largest scale is 1e\+38"),
    (lambda: genome.linear4(X, CODES, FLOAT4, -1e38), ValueError, r"beyond float32: the largest scale is 1e\+38"),
    (lambda: genome.linear4(X, CODES, FLOAT4, 2e37, offset=3e38), ValueError, r"beyond float32.*offset 3e\+38"),
    (lambda: genome.linear4(X, CODES, offset=np.ones((3, 1))), ValueError, r"offset is .*or \[4, 1\].*got \[3, 1\]"),
    (lambda: genome.linear4(X, CODES, offset=np.nan), ValueError, "offset is finite"),
    (lambda: genome.linear4(X, CODES, scale=np.uint8([127])), TypeError, "uint8, which are exponents: .*e8m0_scales"),
    (lambda: genome.linear4(X, CODES, group=3), ValueError, "group is a multiple of 16"),
])
def test_errors(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_the_largest_scale():
    top = np.finfo(np.float32).max
    y = genome.linear4(np.ones((1, 5), np.float32) / 8, CODES, LOG4, top)
    assert (y == 5 * (top / 8)).all()
    assert genome.linear4(X, CODES, Codebook(np.zeros(16)), top).tolist() == np.zeros((2, 4)).tolist()


PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise import genome
from lanewise.kernels import machine
machine.set_num_threads(int(sys.argv[1]))
digest = hashlib.sha256()
rng = np.random.default_rng(1)
for outputs, inputs, rows, group in ((40, 1000, 1, None), (37, 1100, 3, 48), (70, 700, 150, 16)):
    codes = genome.random_population(outputs, inputs, 1)
    x = rng.normal(size=(rows, inputs)).astype(np.float32)
    scales = rng.uniform(0.5, 2, (outputs, -(-inputs // (group or inputs)))).astype(np.float32)
    for offset in (None, scales / 3):
        digest.update(genome.linear4(x, codes, genome.NF4, scales, group=group, offset=offset).tobytes())
        digest.update(genome.decode(codes, genome.NF4, scales, group=group, offset=offset).tobytes())
print(digest.hexdigest())
"""


def test_same_bits_on_every_level_and_thread_count(bits_agree):
    bits_agree(PROGRAM)


@pytest.mark.parametrize("threads", [0, -1, -1000, 2**31 - 1])
def test_any_number_of_threads_gives_the_product(threads):
    # of the C interface, which takes what it is given
    function = machine_code("linear4_float32")
    rng = np.random.default_rng(0)
    codes = genome.random_population(3, 200, 1)
    x, scales = rng.standard_normal((65, 200)).astype(np.float32), np.ones((3, 1), np.float32)
    y = np.empty((65, 3), np.float32)
    assert function(*(array.ctypes.data for array in (codes, LOG4.levels, scales)), 200, None, x.ctypes.data,
                    y.ctypes.data, 65, 200, 3, threads)
    assert y.tobytes() == genome.linear4(x, codes).tobytes()


def test_c_interface_with_threads_in_a_forked_child(in_a_child):
    # whose parent has threads already
    function = machine_code("linear4_float32")
    rng = np.random.default_rng(0)
    codes = genome.random_population(300, 200, 1)
    x, scales = rng.standard_normal((9, 200)).astype(np.float32), np.ones((300, 1), np.float32)

    def product():
        y = np.empty((9, 300), np.float32)
        assert function(*(array.ctypes.data for array in (codes, LOG4.levels, scales)), 200, None, x.ctypes.data,
                        y.ctypes.data, 9, 200, 300, 3)
        return y.tobytes()

    here = hashlib.sha256(product()).digest()
    assert in_a_child(lambda: hashlib.sha256(product()).digest()) == here


def machine_code(name):
    """A function of the C interface, called as C calls it."""
    capsule = linear4.__pyx_capi__[name]
    ctypes.pythonapi.PyCapsule_GetName.restype = ctypes.c_char_p
    ctypes.pythonapi.PyCapsule_GetName.argtypes = [ctypes.py_object]
    ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
    ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
    address = ctypes.pythonapi.PyCapsule_GetPointer(capsule, ctypes.pythonapi.PyCapsule_GetName(capsule))
    pointer, size = ctypes.c_void_p, ctypes.c_ssize_t
    return ctypes.CFUNCTYPE(ctypes.c_int, pointer, pointer, pointer, size, pointer, pointer, pointer, size, size, size,
                            ctypes.c_int)(address)
