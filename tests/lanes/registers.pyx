# Every primitive of kernels/lanes over whole arrays, one register at a time, so that test_lanes.py can hold it against
# an oracle; and the random generator on registers. Lengths are multiples of 16, the most lanes of any level. No oracle
# lives here.
# cython: boundscheck=False, cdivision=True
from libc.stdint cimport uint16_t, uint32_t, uint64_t

from lanewise.kernels cimport lanes
from lanewise.kernels.lanes cimport f32x, f64x, real, scalar, u32x, u64x
from lanewise.kernels.loops cimport maps
from lanewise.kernels.math.random cimport LINE, philox

cdef extern from "<fenv.h>" nogil:
    const int FE_ALL_EXCEPT, FE_DIVBYZERO, FE_UPWARD, FE_TONEAREST
    int feclearexcept(int)
    int feraiseexcept(int)
    int fetestexcept(int)
    int fegetround()
    int fesetround(int)

F32_LANES = lanes.F32_LANES
F64_LANES = lanes.F64_LANES


cdef void over1(real (*f)(real) noexcept nogil, const real* x, real* y, Py_ssize_t n) noexcept nogil:
    while n > 0:
        maps.store(y, f(maps.load(x)))
        x += 1
        y += 1
        n -= maps.lanes(y)


cdef void over2(real (*f)(real, real) noexcept nogil, const real* a, const real* b, real* y,
                Py_ssize_t n) noexcept nogil:
    while n > 0:
        maps.store(y, f(maps.load(a), maps.load(b)))
        a += 1
        b += 1
        y += 1
        n -= maps.lanes(y)


def square_root(const scalar[::1] x, scalar[::1] y):
    if scalar is float:
        over1(lanes.square_root[f32x], <const f32x*>&x[0], <f32x*>&y[0], x.shape[0])
    else:
        over1(lanes.square_root[f64x], <const f64x*>&x[0], <f64x*>&y[0], x.shape[0])


def magnitude(const scalar[::1] x, scalar[::1] y):
    if scalar is float:
        over1(lanes.magnitude[f32x], <const f32x*>&x[0], <f32x*>&y[0], x.shape[0])
    else:
        over1(lanes.magnitude[f64x], <const f64x*>&x[0], <f64x*>&y[0], x.shape[0])


def exponent(const scalar[::1] x, scalar[::1] y):
    if scalar is float:
        over1(lanes.exponent[f32x], <const f32x*>&x[0], <f32x*>&y[0], x.shape[0])
    else:
        over1(lanes.exponent[f64x], <const f64x*>&x[0], <f64x*>&y[0], x.shape[0])


def at_least(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(lanes.at_least[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(lanes.at_least[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


def at_most(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(lanes.at_most[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(lanes.at_most[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


def with_sign(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(lanes.with_sign[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(lanes.with_sign[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


def scale2(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(lanes.scale2[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(lanes.scale2[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


def ldexp(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(lanes.ldexp[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(lanes.ldexp[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


cdef inline real operators(real a, real b) noexcept nogil:
    return -((a + b) * b - a / b)


def arithmetic(const scalar[::1] a, const scalar[::1] b, scalar[::1] y):
    if scalar is float:
        over2(operators[f32x], <const f32x*>&a[0], <const f32x*>&b[0], <f32x*>&y[0], a.shape[0])
    else:
        over2(operators[f64x], <const f64x*>&a[0], <const f64x*>&b[0], <f64x*>&y[0], a.shape[0])


cdef void fma_over(const real* a, const real* b, const real* c, real* y, Py_ssize_t n) noexcept nogil:
    while n > 0:
        maps.store(y, lanes.fma(maps.load(a), maps.load(b), maps.load(c)))
        a += 1
        b += 1
        c += 1
        y += 1
        n -= maps.lanes(y)


def fma(const scalar[::1] a, const scalar[::1] b, const scalar[::1] c, scalar[::1] y):
    if scalar is float:
        fma_over(<const f32x*>&a[0], <const f32x*>&b[0], <const f32x*>&c[0], <f32x*>&y[0], a.shape[0])
    else:
        fma_over(<const f64x*>&a[0], <const f64x*>&b[0], <const f64x*>&c[0], <f64x*>&y[0], a.shape[0])


cdef void where_over(const real* a, const real* b, const real* yes, const real* no, real* y,
                     Py_ssize_t n) noexcept nogil:
    while n > 0:
        maps.store(y, lanes.where_less(maps.load(a), maps.load(b), maps.load(yes), maps.load(no)))
        a += 1
        b += 1
        yes += 1
        no += 1
        y += 1
        n -= maps.lanes(y)


def where_less(const scalar[::1] a, const scalar[::1] b, const scalar[::1] yes, const scalar[::1] no, scalar[::1] y):
    if scalar is float:
        where_over(<const f32x*>&a[0], <const f32x*>&b[0], <const f32x*>&yes[0], <const f32x*>&no[0], <f32x*>&y[0],
                   a.shape[0])
    else:
        where_over(<const f64x*>&a[0], <const f64x*>&b[0], <const f64x*>&yes[0], <const f64x*>&no[0], <f64x*>&y[0],
                   a.shape[0])


def any_less(const scalar[::1] a, const scalar[::1] b):
    """Of the first register of each."""
    if scalar is float:
        return bool(lanes.any_less(maps.load(<const f32x*>&a[0]), maps.load(<const f32x*>&b[0])))
    else:
        return bool(lanes.any_less(maps.load(<const f64x*>&a[0]), maps.load(<const f64x*>&b[0])))


def all_less(const scalar[::1] a, const scalar[::1] b):
    """Of the first register of each."""
    if scalar is float:
        return bool(lanes.all_less(maps.load(<const f32x*>&a[0]), maps.load(<const f32x*>&b[0])))
    else:
        return bool(lanes.all_less(maps.load(<const f64x*>&a[0]), maps.load(<const f64x*>&b[0])))


def splat(double value, scalar[::1] y):
    """Fill the first register of y."""
    if scalar is float:
        maps.store(<f32x*>&y[0], lanes.splat(maps.load(<const f32x*>&y[0]), value))
    else:
        maps.store(<f64x*>&y[0], lanes.splat(maps.load(<const f64x*>&y[0]), value))


def load_part(size_t x, Py_ssize_t n, scalar[::1] y):
    """Load n elements from the address x and store the whole register to y."""
    if scalar is float:
        maps.store(<f32x*>&y[0], maps.load_part(<const f32x*>x, n))
    else:
        maps.store(<f64x*>&y[0], maps.load_part(<const f64x*>x, n))


def first_lanes(const scalar[::1] x, Py_ssize_t n, scalar[::1] y):
    """Store the register at x, with 0 in all but the first n lanes, to y."""
    if scalar is float:
        lanes.store_f32(&y[0], lanes.first_lanes_f32(lanes.load_f32(&x[0]), n))
    else:
        lanes.store_f64(&y[0], lanes.first_lanes_f64(lanes.load_f64(&x[0]), n))


def copy_part_u16(size_t x, Py_ssize_t n, uint16_t[::1] y):
    """Copy n codes, fewer than a register of float32 has lanes, from the address x to y, and 0 behind them."""
    lanes.copy_part_u16(&y[0], <const uint16_t*>x, n)


def store_part(const scalar[::1] x, size_t y, Py_ssize_t n):
    """Store the first n elements of the register at x to the address y."""
    if scalar is float:
        maps.store_part(<f32x*>y, maps.load(<const f32x*>&x[0]), n)
    else:
        maps.store_part(<f64x*>y, maps.load(<const f64x*>&x[0]), n)


def stream(const scalar[::1] x, size_t y):
    """Store the register at x to the address y, which is a multiple of 64."""
    if scalar is float:
        maps.stream(<f32x*>y, maps.load(<const f32x*>&x[0]))
    else:
        maps.stream(<f64x*>y, maps.load(<const f64x*>&x[0]))
    lanes.end_stream()


def widened(const float[::1] x, const float[::1] other, double[::1] y, double[::1] sums):
    """x as float64, and x + other in float32 as float64."""
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_f64(&y[i], lanes.wide_f32(&x[i]))
        lanes.store_f64(&sums[i], lanes.wide_sum_f32(&x[i], &other[i]))
        i += lanes.F64_LANES


def sums(const double[::1] x, double[::1] y):
    """The sum of the lanes of each register."""
    cdef Py_ssize_t i
    for i in range(y.shape[0]):
        y[i] = lanes.sum_f64(lanes.load_f64(&x[i * lanes.F64_LANES]))


def fold_products(const float[::1] x, const float[::1] y, double[:, ::1] sums):
    """The products of 32 numbers each added to eight sums."""
    cdef Py_ssize_t i, k
    cdef f64x registers[8]
    for i in range(sums.shape[0]):
        for k in range(8 // lanes.F64_LANES):
            registers[k] = lanes.load_f64(&sums[i, k * lanes.F64_LANES])
        lanes.fold_products_f32(&x[32 * i], &y[32 * i], registers)
        for k in range(8 // lanes.F64_LANES):
            lanes.store_f64(&sums[i, k * lanes.F64_LANES], registers[k])


def narrowed(const double[::1] x, float[::1] y, float[::1] joined):
    """x rounded to float32, by registers of float64 and by those of float32."""
    cdef Py_ssize_t i = 0, k
    cdef f64x parts[16]
    while i < x.shape[0]:
        lanes.narrow_f64_f32(&y[i], lanes.load_f64(&x[i]))
        i += lanes.F64_LANES
    i = 0
    while i < x.shape[0]:
        k = 0
        while k < lanes.F32_LANES:
            parts[k // lanes.F64_LANES] = lanes.load_f64(&x[i + k])
            k += lanes.F64_LANES
        lanes.store_f32(&joined[i], lanes.narrow_halves(parts))
        i += lanes.F32_LANES


def widened_halves(const float[::1] x, double[::1] y):
    """x as float64, by registers of float32."""
    cdef Py_ssize_t i = 0, k
    cdef f64x parts[16]
    while i < x.shape[0]:
        lanes.wide_halves_f32(lanes.load_f32(&x[i]), parts)
        k = 0
        while k < lanes.F32_LANES:
            lanes.store_f64(&y[i + k], parts[k // lanes.F64_LANES])
            k += lanes.F64_LANES
        i += lanes.F32_LANES


def load_float16(const uint16_t[::1] codes, float[::1] y):
    cdef Py_ssize_t i = 0
    while i < codes.shape[0]:
        lanes.store_f32(&y[i], lanes.load_float16(&codes[i]))
        i += lanes.F32_LANES


def load_bfloat16(const uint16_t[::1] codes, float[::1] y):
    cdef Py_ssize_t i = 0
    while i < codes.shape[0]:
        lanes.store_f32(&y[i], lanes.load_bfloat16(&codes[i]))
        i += lanes.F32_LANES


def store_float16(const float[::1] x, uint16_t[::1] codes):
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_float16(&codes[i], lanes.load_f32(&x[i]))
        i += lanes.F32_LANES


def store_bfloat16(const float[::1] x, uint16_t[::1] codes):
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_bfloat16(&codes[i], lanes.load_f32(&x[i]))
        i += lanes.F32_LANES


def store_bfloat16_pair(const float[::1] x, uint16_t[::1] codes):
    """Two registers at a time, so lengths are multiples of 32."""
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        i = min(i, x.shape[0] - 2 * lanes.F32_LANES)  # the last pair may overlap with the one before
        lanes.store_bfloat16_pair(&codes[i], lanes.load_f32(&x[i]), lanes.load_f32(&x[i + lanes.F32_LANES]))
        i += 2 * lanes.F32_LANES


def lookup8(const float[::1] table, const uint32_t[::1] index, float[::1] y):
    cdef Py_ssize_t i = 0
    while i < index.shape[0]:
        lanes.store_f32(&y[i], lanes.lookup8_f32(&table[0], lanes.load_u32(&index[i])))
        i += lanes.F32_LANES


def lookup16(const float[::1] table, const uint32_t[::1] index, float[::1] y):
    cdef Py_ssize_t i = 0
    while i < index.shape[0]:
        lanes.store_f32(&y[i], lanes.lookup16_f32(&table[0], lanes.load_u32(&index[i])))
        i += lanes.F32_LANES


def lookup4_f64(const double[::1] table, const uint64_t[::1] index, double[::1] y):
    cdef Py_ssize_t i = 0
    while i < index.shape[0]:
        lanes.store_f64(&y[i], lanes.lookup4_f64(&table[0], lanes.load_u64(&index[i])))
        i += lanes.F64_LANES


def lookup8_f64(const double[::1] table, const uint64_t[::1] index, double[::1] y):
    cdef Py_ssize_t i = 0
    while i < index.shape[0]:
        lanes.store_f64(&y[i], lanes.lookup8_f64(&table[0], lanes.load_u64(&index[i])))
        i += lanes.F64_LANES


def add_products(uint32_t w, const uint32_t[::1] x, bint of_bytes, uint32_t[::1] sums):
    """add_products_u8, else add_products_i16: to two registers at a time, so lengths are multiples of 32."""
    cdef Py_ssize_t i = 0
    cdef u32x two[2]
    cdef u32x added[2]
    while i < x.shape[0]:
        two[0] = lanes.load_u32(&x[i])
        two[1] = lanes.load_u32(&x[i + lanes.F32_LANES])
        added[0] = lanes.load_u32(&sums[i])
        added[1] = lanes.load_u32(&sums[i + lanes.F32_LANES])
        if of_bytes:
            lanes.add_products_u8(&w, two, added)
        else:
            lanes.add_products_i16(&w, two, added)
        lanes.store_u32(&sums[i], added[0])
        lanes.store_u32(&sums[i + lanes.F32_LANES], added[1])
        i += 2 * lanes.F32_LANES


def dot_i16(const uint32_t[::1] w, const uint32_t[::1] x, uint32_t[::1] sums):
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_u32(&sums[i], lanes.dot_i16(lanes.load_u32(&w[i]), lanes.load_u32(&x[i]),
                                                lanes.load_u32(&sums[i])))
        i += lanes.F32_LANES


def unsigned_most():
    return lanes.UNSIGNED_MOST


def dot_u8(const uint32_t[:, ::1] w, const uint32_t[:, ::1] x, int shift, uint32_t[::1] sums):
    """Both operands of up to eight rows."""
    cdef lanes.u32x weights[8]
    cdef uint32_t numbers[8 * 16]
    cdef Py_ssize_t i = 0
    cdef int k
    while i < sums.shape[0]:
        for k in range(w.shape[0]):
            weights[k] = lanes.load_u32(&w[k, i])
            lanes.store_u32(numbers + k * lanes.F32_LANES, lanes.load_u32(&x[k, i]))
        lanes.store_u32(&sums[i], lanes.dot_u8(weights, numbers, <int>w.shape[0], shift, lanes.load_u32(&sums[i])))
        i += lanes.F32_LANES


def abreast():
    return lanes.ABREAST


def where_other(const uint32_t[::1] a, const uint32_t[::1] b, const uint32_t[::1] mask, uint32_t[::1] y):
    cdef Py_ssize_t i = 0
    while i < y.shape[0]:
        lanes.store_u32(&y[i], lanes.where_other_u32(lanes.load_u32(&a[i]), lanes.load_u32(&b[i]),
                                                     lanes.load_u32(&mask[i])))
        i += lanes.F32_LANES


def dots(const uint32_t[:, :, ::1] w, const uint32_t[:, :, ::1] x, int at_once, int planes, uint32_t[:, :, ::1] sums,
         int lift=0):
    """dots_u8 with one or two planes, dots_of_row_u8 of one row, else dots_i16: registers w[outputs, count], as many
    outputs as are abreast, and up to four runs x[rows * planes, count] to sums[outputs, rows]; at most eight registers
    of an output."""
    cdef lanes.u32x weights[2 * 8]
    cdef lanes.u32x totals[4]
    cdef uint32_t numbers[4 * 8 * 16]
    cdef int k, run, o, count = <int>w.shape[1], rows = <int>sums.shape[1]
    cdef Py_ssize_t i = 0, words = count * lanes.F32_LANES
    while i < sums.shape[2]:
        for k in range(count):
            for run in range(x.shape[0]):
                lanes.store_u32(numbers + run * words + k * lanes.F32_LANES, lanes.load_u32(&x[run, k, i]))
            for o in range(w.shape[0]):
                weights[o * count + k] = lanes.load_u32(&w[o, k, i])
        for k in range(w.shape[0] * rows):
            totals[k] = lanes.load_u32(&sums[k // rows, k % rows, i])
        if planes and rows == 1:
            lanes.dots_of_row_u8(weights, numbers, count, at_once, planes, lift, totals)
        elif planes:
            lanes.dots_u8(weights, numbers, planes * words, rows, count, at_once, planes, totals)
        else:
            lanes.dots_i16(weights, numbers, words, count, totals)
        for k in range(w.shape[0] * rows):
            lanes.store_u32(&sums[k // rows, k % rows, i], totals[k])
        i += lanes.F32_LANES


def transposed_u32(const uint32_t[::1] x, uint32_t[:, ::1] y):
    """Of 64 words; in y, a register after the other has its four rows, as many columns as it has lanes."""
    cdef lanes.u32x words[4]
    cdef int first = 0, k
    while first < 16:
        lanes.transposed_u32(&x[first + first % 4 * 15], words)
        for k in range(4):
            lanes.store_u32(&y[k, first], words[k])
        first += lanes.F32_LANES


def turned_f32(const float[:, ::1] x, float[:, ::1] turned, float[:, ::1] back):
    """Of four numbers in each of 16 rows; the rows of x and back may be longer."""
    cdef lanes.f32x four[4]
    cdef Py_ssize_t first = 0, k
    while first < 16:
        lanes.load_turned_f32(<const char*>&x[first, 0], x.strides[0], four)
        for k in range(4):
            lanes.store_f32(&turned[k, first], four[k])
        lanes.store_turned_f32(<char*>&back[first, 0], back.strides[0], four)
        first += lanes.F32_LANES


def turned_eight_f32(const float[:, ::1] x, float[:, ::1] back):
    """Of eight numbers in each of 16 rows, a column of x after the other; the rows of back may be longer."""
    cdef lanes.f32x eight[8]
    cdef Py_ssize_t first = 0, k
    while first < 16:
        for k in range(8):
            eight[k] = lanes.load_f32(&x[k, first])
        lanes.store_turned_eight_f32(<char*>&back[first, 0], back.strides[0], eight)
        first += lanes.F32_LANES


def pair_products_u8(const uint32_t[::1] w, const uint32_t[::1] x, uint32_t[::1] products):
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_u32(&products[i], lanes.pair_products_u8(lanes.load_u32(&w[i]), lanes.load_u32(&x[i])))
        i += lanes.F32_LANES


def round_i32(const uint32_t[::1] x, float[::1] y):
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        lanes.store_f32(&y[i], lanes.round_i32_f32(lanes.load_u32(&x[i])))
        i += lanes.F32_LANES


def integers_u32(const uint32_t[::1] a, const uint32_t[::1] b, uint32_t[::1] y):
    """~((a + b) * a - (b ^ 7)) ^ (a << 5 | b >> 3 & a)."""
    cdef Py_ssize_t i = 0
    cdef u32x p, q, seven = lanes.splat_u32(7)
    while i < a.shape[0]:
        p = lanes.load_u32(&a[i])
        q = lanes.load_u32(&b[i])
        lanes.store_u32(&y[i], ~((p + q) * p - (q ^ seven)) ^ (p << 5 | q >> 3 & p))
        i += lanes.F32_LANES


def integers_u64(const uint64_t[::1] a, const uint64_t[::1] b, uint64_t[::1] y):
    """~((a + b) * a - (b ^ 7)) ^ (a << 5 | b >> 3 & a)."""
    cdef Py_ssize_t i = 0
    cdef u64x p, q, seven = lanes.splat_u64(7)
    while i < a.shape[0]:
        p = lanes.load_u64(&a[i])
        q = lanes.load_u64(&b[i])
        lanes.store_u64(&y[i], ~((p + q) * p - (q ^ seven)) ^ (p << 5 | q >> 3 & p))
        i += lanes.F64_LANES


def flip_sign_bit(const scalar[::1] x, scalar[::1] y):
    """By way of the bits."""
    cdef Py_ssize_t i = 0
    while i < x.shape[0]:
        if scalar is float:
            lanes.store_f32(&y[i], lanes.from_bits_f32(lanes.bits_f32(lanes.load_f32(&x[i]))
                                                       ^ (lanes.splat_u32(1) << 31)))
            i += lanes.F32_LANES
        else:
            lanes.store_f64(&y[i], lanes.from_bits_f64(lanes.bits_f64(lanes.load_f64(&x[i]))
                                                       ^ (lanes.splat_u64(1) << 63)))
            i += lanes.F64_LANES


def environment(const float[::1] x, float[::1] y):
    """y = x / 3 rounded to nearest whatever the caller rounds to; returns whether the caller's mode and flags, a
    division by zero raised before and nothing else, are as they were."""
    cdef lanes.environment callers
    cdef int mode, flags
    feclearexcept(FE_ALL_EXCEPT)
    feraiseexcept(FE_DIVBYZERO)
    fesetround(FE_UPWARD)
    callers = lanes.enter_environment()
    lanes.store_f32(&y[0], lanes.load_f32(&x[0]) / lanes.splat_f32(3.0))
    lanes.leave_environment(callers)
    mode = fegetround()
    flags = fetestexcept(FE_ALL_EXCEPT)
    fesetround(FE_TONEAREST)
    feclearexcept(FE_ALL_EXCEPT)
    return mode == FE_UPWARD and flags == FE_DIVBYZERO


def philox4x32(const uint32_t[:, ::1] counters, uint64_t key, uint32_t[:, ::1] words):
    # words[i] = the four random words of counters[i] under the key, by the generator of kernels/math, a register each
    cdef u64x numbers[4]
    cdef uint64_t stored[LINE]
    cdef Py_ssize_t i
    cdef int k
    with nogil:
        for i in range(counters.shape[0]):
            for k in range(4):
                numbers[k] = lanes.splat_u64(counters[i, k])
            philox(numbers, key)
            for k in range(4):
                lanes.store_u64(stored, numbers[k])
                words[i, k] = <uint32_t>stored[0]
