"""Every primitive of kernels/lanes, at every level, against NumPy, gmpy2 or integers: subnormals, NaN, both zeros,
partial accesses up against a page that may not be touched, both 16-bit formats over every code. lanes/registers.pyx is
built by conftest.py, against the installed package, as anybody's extension would be."""

import ctypes
import mmap
import sys

import gmpy2
import numpy as np
import pytest

DTYPES = [np.float32, np.float64]
rng = np.random.default_rng(7)


def bits(x):
    return x.view({2: np.uint16, 4: np.uint32, 8: np.uint64}[x.itemsize])


def assert_same(computed, expected):
    """The same bits, and NaN where NaN is expected, whatever its payload."""
    computed, expected = np.asarray(computed), np.asarray(expected)
    assert computed.dtype == expected.dtype
    same = (bits(computed) == bits(expected)) | (np.isnan(computed) & np.isnan(expected))
    wrong = np.flatnonzero(~same)
    assert wrong.size == 0, (wrong.size, wrong[:5], computed[wrong[:5]], expected[wrong[:5]])


def whole_registers(x):
    return np.ascontiguousarray(np.resize(x, -(-len(x) // 32) * 32))  # two of the most lanes: some are stored in pairs


def specials(dtype):
    info = np.finfo(dtype)
    tiny, subnormal = info.smallest_normal, info.smallest_subnormal
    small = [0, subnormal, 3 * subnormal, tiny - subnormal, tiny, 1.5 * tiny, info.eps, 0.5, 1 - info.epsneg]
    large = [1, 1 + info.eps, 1.5, 2, 3, np.pi, 1e10, info.max / 2, info.max, np.inf, np.nan]
    positive = np.array(small + large, dtype)
    return np.concatenate([positive, -positive])


def any_bits(dtype, n):
    """Every kind of number alike: random bits."""
    return rng.integers(0, 256, n * np.dtype(dtype).itemsize, dtype=np.uint8).view(dtype)


def pairs(dtype):
    every = specials(dtype)
    a, b = np.meshgrid(every, every)
    return whole_registers(np.concatenate([a.ravel(), any_bits(dtype, 4096)])), whole_registers(
        np.concatenate([b.ravel(), any_bits(dtype, 4096)])
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_square_root(registers, dtype):
    x = whole_registers(np.concatenate([specials(dtype), any_bits(dtype, 8192)]))
    y = np.empty_like(x)
    registers.square_root(x, y)
    with np.errstate(invalid="ignore"):
        assert_same(y, np.sqrt(x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_magnitude_and_signs(registers, dtype):
    a, b = pairs(dtype)
    y = np.empty_like(a)
    registers.magnitude(a, y)
    assert np.array_equal(bits(y), bits(np.abs(a)))
    registers.with_sign(a, b, y)
    assert np.array_equal(bits(y), bits(np.copysign(a, b)))
    registers.flip_sign_bit(a, y)
    assert np.array_equal(bits(y), bits(-a))


@pytest.mark.parametrize("dtype", DTYPES)
def test_at_least_and_at_most(registers, dtype):
    x, bound = pairs(dtype)
    y = np.empty_like(x)
    registers.at_least(x, bound, y)
    assert np.array_equal(bits(y), bits(np.where(bound > x, bound, x)))  # x where either is NaN; x of the two zeros
    registers.at_most(x, bound, y)
    assert np.array_equal(bits(y), bits(np.where(bound < x, bound, x)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_where_less(registers, dtype):
    a, b = pairs(dtype)
    yes, no, y = any_bits(dtype, len(a)), any_bits(dtype, len(a)), np.empty_like(a)
    registers.where_less(a, b, yes, no, y)
    assert np.array_equal(bits(y), bits(np.where(a < b, yes, no)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_any_less(registers, dtype):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    ones = np.ones(16, dtype)
    assert not registers.any_less(ones, ones)
    assert not registers.any_less(ones, np.full(16, np.nan, dtype))
    assert not registers.any_less(np.zeros(16, dtype), -np.zeros(16, dtype))
    for i in range(16):
        less = ones.copy()
        less[i] = 0.5
        assert registers.any_less(less, ones) == (i < width)


@pytest.mark.parametrize("dtype", DTYPES)
def test_all_less(registers, dtype):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    ones, less = np.ones(16, dtype), np.full(16, 0.5, dtype)
    assert registers.all_less(less, ones)
    assert not registers.all_less(ones, ones)
    assert not registers.all_less(-np.zeros(16, dtype), np.zeros(16, dtype))
    for i in range(16):
        for value in (1.0, np.nan):
            not_all = less.copy()
            not_all[i] = value
            assert registers.all_less(not_all, ones) == (i >= width)


@pytest.mark.parametrize("dtype", DTYPES)
def test_operators(registers, dtype):
    a, b = pairs(dtype)
    y = np.empty_like(a)
    registers.arithmetic(a, b, y)
    with np.errstate(all="ignore"):
        assert_same(y, -((a + b) * b - a / b))


def hard_products(dtype):
    """Operands whose a * b + c lies next to a tie between two numbers, is subnormal, cancels, or overflows."""
    precision = np.finfo(dtype).nmant + 1
    tick = 2.0 ** -(precision - 1)
    cases = []
    for a in (1 + tick, 1 + 3 * tick, 2 - tick, 1 + 2.0 ** (-precision // 2), 1.5):
        for b in (1 + tick, 1 - tick / 2, 2 - 3 * tick, 1 + 2.0 ** (-precision // 2)):
            for c in (
                0.0,
                -1.0,
                -a * b,
                2.0**precision,
                -(2.0**precision),
                2.0 ** (precision + 1),
                2.0 ** (2 * precision),
            ):
                for nudge in (0.0, tick, -tick):
                    for sign in (1, -1):
                        cases.append((sign * a, b, c * (1 + nudge)))
    scale = np.finfo(dtype).minexp // 2
    small = [(a * 2.0**scale, b * 2.0 ** (scale - 8), c * 2.0 ** (2 * scale - precision)) for a, b, c in cases]
    odd = [
        (3 * 2.0 ** (scale - 12), 5 * 2.0 ** (scale - 11), c * float(np.finfo(dtype).smallest_subnormal))
        for c in range(64)
    ]
    huge = [(a * 2.0**-scale, b * 2.0**-scale, -c) for a, b, c in cases]
    finite = np.array(cases + small + odd + huge, dtype)
    exponents = rng.integers(-40, 40, (20000, 3))
    spread = np.ldexp(rng.uniform(-2, 2, (20000, 3)), exponents).astype(dtype)
    # c within a few ticks of -a * b or of a tie
    close = spread.copy()
    close[:, 2] = -(close[:, 0] * close[:, 1]) * rng.choice(
        [1, 1 + tick, 1 - tick, 2.0**precision, 2.0**-precision], 20000
    )
    rows = np.concatenate([finite, spread, close])
    return whole_registers(rows[:, 0]), whole_registers(rows[:, 1]), whole_registers(rows[:, 2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_fma_rounds_once(registers, dtype):
    a, b, c = hard_products(dtype)
    y = np.empty_like(a)
    registers.fma(a, b, c, y)
    with gmpy2.context(gmpy2.ieee(8 * np.dtype(dtype).itemsize)):
        expected = [
            float(gmpy2.fma(*map(gmpy2.mpfr, row))) for row in zip(a.tolist(), b.tolist(), c.tolist(), strict=True)
        ]
    assert_same(y, np.array(expected, dtype))


def test_fma_specials(registers):
    every = np.array([0.0, -0.0, 1.0, -1.0, np.inf, -np.inf, np.nan, 3e38, -3e38, 1e-45], np.float32)
    a, b, c = (whole_registers(operand.ravel()) for operand in np.meshgrid(every, every, every))
    y = np.empty_like(a)
    registers.fma(a, b, c, y)
    with np.errstate(all="ignore"):
        # the product is exact in float64, and no sum here comes near a tie
        expected = (a.astype(np.float64) * b + c).astype(np.float32)
    assert_same(y, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_scale2(registers, dtype):
    limit = {np.float32: 320, np.float64: 2300}[dtype]
    n = whole_registers(np.concatenate([np.arange(-limit, limit + 1), rng.integers(-limit, limit, 8000), [1e6, -1e6]]))
    for x in (
        np.ones(len(n)),
        rng.uniform(1, 2, len(n)),
        np.ldexp(rng.uniform(-1, 1, len(n)), rng.integers(-59, 60, len(n))),
    ):
        x = x.astype(dtype)
        y = np.empty_like(x)
        registers.scale2(x, n.astype(dtype), y)
        with np.errstate(all="ignore"):
            whole = np.clip(n, -2900, 2900).astype(int)
            exact = np.ldexp(x.astype(np.float64), whole)  # rounded once in float64, exact where float32 matters
            assert_same(y, exact.astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_ldexp_of_any_number_rounds_once(registers, dtype):
    limit = {np.float32: 320, np.float64: 2300}[dtype]
    x = whole_registers(np.concatenate([specials(dtype), any_bits(dtype, 40_000)]))
    n = rng.integers(-limit, 61, len(x))
    y = np.empty_like(x)
    registers.ldexp(x, n.astype(dtype), y)
    with np.errstate(all="ignore"):
        assert_same(y, np.ldexp(x, n))  # the C library's, which rounds once in either precision


@pytest.mark.parametrize("dtype", DTYPES)
def test_exponent(registers, dtype):
    x = np.concatenate([specials(dtype), any_bits(dtype, 8192)])
    x = whole_registers(x[np.isfinite(x) & (x != 0)])
    y = np.empty_like(x)
    registers.exponent(x, y)
    assert_same(y, (np.frexp(x)[1] - 1).astype(dtype))


@pytest.mark.parametrize("dtype", DTYPES)
def test_splat(registers, dtype):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    y = np.zeros(16, dtype)
    registers.splat(np.pi, y)
    assert_same(y, np.where(np.arange(16) < width, dtype(np.pi), dtype(0)))


@pytest.fixture(scope="module")
def guarded():
    """The address where one readable page ends and a page that may not be touched begins."""
    if sys.platform == "win32":
        pytest.skip("needs mprotect")
    libc = ctypes.CDLL(None, use_errno=True)
    pages = mmap.mmap(-1, 2 * mmap.PAGESIZE)
    anchor = ctypes.c_char.from_buffer(pages)
    end = ctypes.addressof(anchor) + mmap.PAGESIZE
    assert libc.mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, 0) == 0
    yield end
    assert libc.mprotect(ctypes.c_void_p(end), mmap.PAGESIZE, mmap.PROT_READ | mmap.PROT_WRITE) == 0
    del anchor


def at_address(address, n, dtype):
    itemsize = np.dtype(dtype).itemsize
    return np.frombuffer((ctypes.c_char * (n * itemsize)).from_address(address), dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_partial_accesses_touch_nothing_else(registers, dtype, guarded):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    page = at_address(guarded - mmap.PAGESIZE, mmap.PAGESIZE // np.dtype(dtype).itemsize, dtype)
    x = any_bits(dtype, 16)
    for n in range(width + 1):  # nothing too: a level of one lane must not take that for all
        start = guarded - n * x.itemsize
        page[:] = 7
        registers.store_part(x, start, n)
        assert np.array_equal(bits(page[len(page) - n:]), bits(x[:n]))
        assert np.all(page[:len(page) - n] == 7)
        y = np.full(16, 9, dtype)
        registers.load_part(start, n, y)
        assert np.array_equal(bits(y[:n]), bits(x[:n]))
        assert np.all(y[n:width] == 0)
        assert np.all(y[width:] == 9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_first_lanes(registers, dtype):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    x = any_bits(dtype, 16)
    for n in range(width + 1):
        y = np.full(16, 9, dtype)
        registers.first_lanes(x, n, y)
        assert np.array_equal(bits(y[:n]), bits(x[:n]))
        assert np.array_equal(bits(y[n:width]), bits(np.zeros(width - n, dtype)))


def test_parts_of_16_bits_touch_nothing_else(registers, guarded):
    page = at_address(guarded - mmap.PAGESIZE, mmap.PAGESIZE // 2, np.uint16)
    page[:] = np.arange(1, len(page) + 1)
    for n in range(registers.F32_LANES):
        y = np.full(32, 9, np.uint16)
        registers.copy_part_u16(guarded - 2 * n, n, y)
        assert np.array_equal(y[:n], page[len(page) - n:])
        assert np.all(y[n:registers.F32_LANES] == 0)
        assert np.all(y[registers.F32_LANES:] == 9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_stream(registers, dtype, guarded):
    width = registers.F32_LANES if dtype is np.float32 else registers.F64_LANES
    x = any_bits(dtype, 16)
    page = at_address(guarded - mmap.PAGESIZE, mmap.PAGESIZE // x.itemsize, dtype)
    page[:] = 7
    registers.stream(x, guarded - mmap.PAGESIZE)
    assert np.array_equal(bits(page[:width]), bits(x[:width]))
    assert np.all(page[width:] == 7)


CODES = np.arange(1 << 16, dtype=np.uint16)


def test_widened(registers):
    x, other = whole_registers(any_bits(np.float32, 4096)), whole_registers(any_bits(np.float32, 4096))
    y, sums = np.empty(len(x)), np.empty(len(x))
    registers.widened(x, other, y, sums)
    with np.errstate(all="ignore"):
        assert_same(y, x.astype(np.float64))
        assert_same(sums, (x + other).astype(np.float64))


def test_sums_of_lanes_are_taken_by_halves(registers):
    x = whole_registers(np.concatenate([any_bits(np.float64, 4096), np.random.default_rng(1).standard_normal(4096)]))
    by_halves = x.reshape(-1, registers.F64_LANES)
    y = np.empty(len(by_halves))
    registers.sums(x, y)
    with np.errstate(all="ignore"):
        while by_halves.shape[1] > 1:
            by_halves = by_halves[:, :by_halves.shape[1] // 2] + by_halves[:, by_halves.shape[1] // 2:]
        assert_same(y, by_halves[:, 0])


def test_fold_products(registers):
    x, y = any_bits(np.float32, 32 * 256)[:32 * 256], any_bits(np.float32, 32 * 256)[::-1][:32 * 256].copy()
    before = np.random.default_rng(0).standard_normal((256, 8))
    sums = before.copy()
    registers.fold_products(x, y, sums)
    with np.errstate(all="ignore"):
        (x, next_x), (y, next_y) = (np.ascontiguousarray(z.reshape(256, 2, 16).swapaxes(0, 1)) for z in (x, y))
        both = x * y
        registers.fma(next_x.ravel(), next_y.ravel(), both.ravel(), both.ravel())
        assert_same(sums, before + (both[:, :8] + both[:, 8:]).astype(np.float64))


def test_narrowed(registers):
    with np.errstate(all="ignore"):
        x = whole_registers(np.concatenate([any_bits(np.float64, 4096), any_bits(np.float32, 4096).astype(np.float64), [
            1 + 2**-24, 1 + 3 * 2**-24, 3.4028235677973366e38, 3.4028235677973362e38, 2**-149, 2**-150]]))
        y, joined = np.empty((2, len(x)), np.float32)
        registers.narrowed(x, y, joined)
        assert_same(y, x.astype(np.float32))
        assert_same(joined, x.astype(np.float32))
        wide = np.empty(len(x))
        registers.widened_halves(joined, wide)
        assert_same(wide, joined.astype(np.float64))


def test_load_float16(registers):
    y = np.empty(1 << 16, np.float32)
    registers.load_float16(CODES, y)
    number = ~np.isnan(CODES.view(np.float16))
    assert np.array_equal(bits(y)[number], bits(CODES.view(np.float16)[number].astype(np.float32)))
    nan = CODES[~number].astype(np.uint32)  # keeps sign and payload, made quiet
    assert np.array_equal(bits(y)[~number], (nan & 0x8000) << 16 | 0x7FC00000 | (nan & 0x3FF) << 13)


def test_load_bfloat16(registers):
    y = np.empty(1 << 16, np.float32)
    registers.load_bfloat16(CODES, y)
    assert np.array_equal(bits(y), CODES.astype(np.uint32) << 16)


def around(values):
    """Each value, the ties between neighbours, and what stands one float32 to either side of them."""
    values = np.unique(values[np.isfinite(values)])
    ties = (values[1:].astype(np.float64) + values[:-1]) / 2
    points = np.concatenate([values, ties.astype(np.float32)])
    sides = [points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, np.float32(-np.inf))]
    kinds = np.array(
        [0.0, -0.0, np.inf, -np.inf, np.nan, -np.nan, 65520, 65519.996, -65520, 3.4e38, 3.39e38], np.float32
    )
    return whole_registers(np.concatenate([*sides, kinds, any_bits(np.float32, 1 << 16)]))


def test_store_float16(registers):
    with np.errstate(invalid="ignore"):  # NumPy's own cast of a signalling NaN, on aarch64
        x = around(CODES.view(np.float16).astype(np.float32))
    codes = np.empty(len(x), np.uint16)
    registers.store_float16(x, codes)
    number = ~np.isnan(x)
    with np.errstate(over="ignore"):
        assert np.array_equal(codes[number], bits(x[number].astype(np.float16)))
    nan = bits(x[~number])
    assert np.array_equal(codes[~number], (nan >> 16 & 0x8000) | 0x7E00 | (nan >> 13 & 0x3FF))


@pytest.mark.parametrize("store", ["store_bfloat16", "store_bfloat16_pair"])
def test_store_bfloat16(registers, store):
    x = around((CODES.astype(np.uint32) << 16).view(np.float32))
    codes = np.empty(len(x), np.uint16)
    getattr(registers, store)(x, codes)
    nan = np.isnan(x)
    assert np.array_equal(codes[nan], bits(x[nan]) >> 16 | 0x40)
    finite = np.isfinite(x)
    assert np.array_equal(codes[np.isinf(x)], bits(x[np.isinf(x)]) >> 16)
    low = bits(x[finite]) >> 16
    # where the larger neighbour is no number, it counts as 2^128
    size, below = np.abs(x[finite].astype(np.float64)), np.abs((low << 16).view(np.float32).astype(np.float64))
    above = np.abs(((low + 1) << 16).view(np.float32).astype(np.float64))
    above[np.isinf(above)] = 2.0**128
    up = (above - size < size - below) | ((above - size == size - below) & (low & 1 == 1))
    assert np.array_equal(codes[finite], low + up)


@pytest.mark.parametrize("count", [8, 16])
def test_lookup(registers, count):
    table = any_bits(np.float32, count)
    index = rng.integers(0, 1 << 32, 4096, dtype=np.uint32)
    index[:16] = np.arange(16)
    y = np.empty(4096, np.float32)
    getattr(registers, f"lookup{count}")(table, index, y)
    assert np.array_equal(bits(y), bits(table[index & count - 1]))


@pytest.mark.parametrize("count", [4, 8])
def test_lookup_f64(registers, count):
    table = any_bits(np.float64, count)
    index = rng.integers(0, 1 << 64, 4096, dtype=np.uint64)
    index[:16] = np.arange(16)
    y = np.empty(4096)
    getattr(registers, f"lookup{count}_f64")(table, index, y)
    assert np.array_equal(bits(y), bits(table[index & np.uint64(count - 1)]))


def test_round_i32(registers):
    x = np.concatenate([any_bits(np.int32, 4080), [0, -1, 2**24, 2**24 + 1, -(2**24) - 1, 2**31 - 1, -(2**31)]])
    x = whole_registers(x.astype(np.int32))
    y = np.empty(len(x), np.float32)
    registers.round_i32(x.view(np.uint32), y)
    assert np.array_equal(bits(y), bits(x.astype(np.float32)))


@pytest.mark.parametrize("dtype", [np.uint32, np.uint64])
def test_integer_operators(registers, dtype):
    a, b = (rng.integers(0, np.iinfo(dtype).max, 4096, dtype=dtype, endpoint=True) for _ in range(2))
    y = np.empty_like(a)
    {np.uint32: registers.integers_u32, np.uint64: registers.integers_u64}[dtype](a, b, y)
    assert np.array_equal(y, ~((a + b) * a - (b ^ dtype(7))) ^ (a << dtype(5) | b >> dtype(3) & a))


def test_environment_is_entered_and_left(registers):
    x, y = np.full(16, 1, np.float32), np.empty(16, np.float32)
    assert registers.environment(x, y)
    assert y[0] == np.float32(1) / np.float32(3)
