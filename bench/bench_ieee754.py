"""Formats taken apart and rounded into, beside a copy of the same array and the peers: np.frexp, np.spacing, and the
casts of ml_dtypes and NumPy. Every work is a test of its own group, so that a report shows them side by side.

pytest bench/bench_ieee754.py --benchmark-enable
"""

import lanewise as lw
import ml_dtypes
import numpy as np
import pytest
from lanewise.ieee754 import BFLOAT16, BINARY16, BINARY32, FLOAT8_E4M3FN

IEEE = lw.ieee754
# elements of L2 and of memory
LENGTHS = {"cache": 1 << 15, "memory": 1 << 24}
DTYPES = {BFLOAT16: ml_dtypes.bfloat16, BINARY16: np.float16, FLOAT8_E4M3FN: ml_dtypes.float8_e4m3fn}


@pytest.fixture(params=LENGTHS)
def x(request):
    """Normal numbers, none of them zero, on one thread."""
    before = lw.get_num_threads()
    lw.set_num_threads(1)
    request.node.length = request.param
    x = np.random.default_rng(0).standard_normal(LENGTHS[request.param], np.float32)
    yield np.where(x == 0, np.float32(1), x)
    lw.set_num_threads(before)


@pytest.fixture
def timed(benchmark, x, request):
    """Time a call, in the group of the array's length."""

    def run(call):
        benchmark.group = f"ieee754, float32, {request.node.length}"
        benchmark.extra_info["elements"] = x.size
        return benchmark(call)

    return run


def test_copy(timed, x):
    y = np.empty_like(x)
    timed(lambda: np.copyto(y, x))
    assert np.array_equal(x, y)


def test_peer_frexp(timed, x):
    out = np.empty_like(x), np.empty(x.shape, np.int32)
    mantissa, exponent = timed(lambda: np.frexp(x, out=out))
    assert np.array_equal(np.ldexp(mantissa, exponent), x)


def test_peer_spacing(timed, x):
    out = np.empty_like(x)
    timed(lambda: np.spacing(x, out=out))


@pytest.mark.parametrize("format", DTYPES, ids=lambda f: f.name)
def test_peer_astype(timed, x, format):
    out = np.empty(x.shape, DTYPES[format])
    timed(lambda: np.copyto(out, x, casting="unsafe"))
    assert np.array_equal(out.view(format.code_dtype), IEEE.encode(x, format))


@pytest.mark.parametrize("format", DTYPES, ids=lambda f: f.name)
def test_peer_astype_back(timed, x, format):
    numbers, out = x.astype(DTYPES[format]), np.empty_like(x)
    timed(lambda: np.copyto(out, numbers))
    assert np.array_equal(out, IEEE.decode(numbers, format))


def test_decompose(timed, x):
    out = np.empty(x.shape, np.uint8), np.empty(x.shape, np.uint8), np.empty(x.shape, np.uint32)
    sign, exponent, mantissa = timed(lambda: IEEE.decompose(x, out=out))
    size = np.ldexp(1 + mantissa / 2**23, exponent.astype(np.int32) - 127)
    assert np.array_equal(np.where(sign, -size, size), x)


def test_compose(timed, x):
    fields, out = IEEE.decompose(x), np.empty_like(x)
    assert np.array_equal(timed(lambda: IEEE.compose(*fields, BINARY32, out=out)), x)


def test_classify(timed, x):
    out = np.empty(x.shape, np.uint8)
    assert np.array_equal(timed(lambda: IEEE.classify(x, out=out)), np.where(x < 0, 3, 8))


def test_ulp(timed, x):
    out = np.empty_like(x)
    assert np.array_equal(timed(lambda: IEEE.ulp(x, out=out)), np.abs(np.spacing(x)))


def test_ulp_distance(timed, x):
    other, out = np.nextafter(x, np.float32(np.inf)), np.empty(x.shape, np.int64)
    assert (timed(lambda: IEEE.ulp_distance(x, other, out=out)) == 1).all()


@pytest.mark.parametrize("rounding", ["nearest", "up"])
@pytest.mark.parametrize("format", DTYPES, ids=lambda f: f.name)
def test_encode(timed, x, format, rounding):
    out = np.empty(x.shape, format.code_dtype)
    timed(lambda: IEEE.encode(x, format, rounding=rounding, out=out))
    assert np.array_equal(out[:100], IEEE.encode(x[:100], format, rounding=rounding))


@pytest.mark.parametrize("format", DTYPES, ids=lambda f: f.name)
def test_decode(timed, x, format):
    codes, out = IEEE.encode(x, format), np.empty_like(x)
    timed(lambda: IEEE.decode(codes, format, out=out))
    assert np.array_equal(out, x.astype(DTYPES[format]).astype(np.float32))


def test_rounding_error(timed, x):
    out = np.empty_like(x)
    timed(lambda: IEEE.rounding_error(x, FLOAT8_E4M3FN, out=out))


def test_exponent_histogram(timed, x):
    assert timed(lambda: IEEE.exponent_histogram(x)).sum() == x.size
