# The register types and what can be done with one register, for every level: lanes/lanes.h seen by Cython.
#
# f32x and f64x are numeric types to Cython, so + - * / and unary minus on them are vector instructions.
# `real` is fused over both: mathematics is written once, on `real`, and what differs by precision stands
# in one `if real is f32x`, or in pick(x, float32, float64). u32x and u64x are the unsigned integers of the same
# lanes. A constant needs splat(x, value), which takes its type from x.

from libc.stdint cimport uint8_t, uint16_t, uint32_t, uint64_t

cdef extern from "lanes/lanes.h" nogil:
    ctypedef float f32x
    ctypedef double f64x
    ctypedef unsigned int u32x
    ctypedef unsigned long long u64x
    ctypedef struct environment:
        pass

    const Py_ssize_t F32_LANES
    const Py_ssize_t F64_LANES
    const Py_ssize_t REGISTERS  # how many of them the level has
    const int UNSIGNED_MOST  # the largest number that dot_u8 takes as unsigned byte
    const int ABREAST  # outputs that dots_u8 multiplies with what it loads
    const int LOOKUP_FLOATS  # 8 or 16: how many floats one instruction looks up among, or half as many float64
    const bint SCALE2_IS_CHEAP  # whether scale2 and ldexp are an instruction
    const bint BYTES_ARE_FAST  # whether add_products_u8 takes as long as add_products_i16

    void* called(void* function)  # a function that the compiler calls, and does not copy to the place of the call
    Py_ssize_t any_count(Py_ssize_t n)  # n, hidden from the compiler

    environment enter_environment()
    void leave_environment(environment callers)
    void end_stream()

    f32x load_float16(const uint16_t* p)
    f32x load_bfloat16(const uint16_t* p)
    void copy_part_u16(uint16_t* to, const uint16_t* p, Py_ssize_t n)  # n < F32_LANES numbers, 0 up to F32_LANES
    void store_float16(uint16_t* p, f32x x)
    void store_bfloat16(uint16_t* p, f32x x)
    void store_bfloat16_pair(uint16_t* p, f32x x, f32x next)  # 2 * F32_LANES numbers

    f64x wide_f32(const float* p)  # F64_LANES float32 as float64
    f64x wide_part_f32(const float* p, Py_ssize_t n)
    f32x first_lanes_f32(f32x x, Py_ssize_t n)  # x in the first n lanes, 0 in the others
    f64x first_lanes_f64(f64x x, Py_ssize_t n)
    void narrow_f64_f32(float* p, f64x x)  # F64_LANES float64, rounded to float32
    void wide_halves_f32(f32x x, f64x* wide)  # all lanes as float64, to as many registers as they take
    f32x narrow_halves(const f64x* x)  # the registers that hold as many float64 as F32_LANES, in order
    f64x wide_sum_f32(const float* p, const float* q)  # p + q in float32, as float64
    # 32 products of float32 to eight sums of float64: each and the one 16 further on in one fma, then these by halves
    void fold_products_f32(const float* x, const float* y, f64x* sums)
    f32x zip_low_f32(f32x a, f32x b)  # a0 b0 a1 b1 ..., from the first halves
    f32x zip_high_f32(f32x a, f32x b)  # and from the second halves
    f64x zip_low_f64(f64x a, f64x b)
    f64x zip_high_f64(f64x a, f64x b)
    # of rows of float32, `step` bytes apart, as many as F32_LANES: four numbers of each, number k of all rows in y[k];
    # and back, which changes y
    void load_turned_f32(const char* p, Py_ssize_t step, f32x* y)
    void store_turned_f32(char* p, Py_ssize_t step, f32x* y)
    void store_turned_eight_f32(char* p, Py_ssize_t step, f32x* y)  # of eight numbers each

    u32x load_u32(const uint32_t* p)
    void store_u32(uint32_t* p, u32x x)
    u32x splat_u32(uint32_t a)
    u32x bits_f32(f32x x)
    f32x from_bits_f32(u32x x)
    u64x load_u64(const uint64_t* p)
    void store_u64(uint64_t* p, u64x x)
    u64x splat_u64(uint64_t a)
    u64x bits_f64(f64x x)
    f64x from_bits_f64(u64x x)
    u64x multiply_low_u64(u64x a, u64x b)  # the whole products of the low halves
    int any_u64(u64x x)  # whether a bit is set in any lane
    # the 4-bit codes of weights i, i + 1, ... as the low bits of each lane; i is a multiple of F32_LANES
    u32x codes_u32(const uint8_t* genome, Py_ssize_t i)
    # compared as signed numbers: `yes` where a < b, the smaller, and the larger
    u32x where_less_i32(u32x a, u32x b, u32x yes, u32x no)
    u64x where_less_i64(u64x a, u64x b, u64x yes, u64x no)
    u32x at_most_i32(u32x x, u32x high)
    u64x at_most_i64(u64x x, u64x high)
    u32x at_least_i32(u32x x, u32x low)
    u64x at_least_i64(u64x x, u64x low)
    # a register of narrower unsigned numbers, zeros above them; and back, without what is above
    u32x widen_u8_u32(const uint8_t* p)
    u32x widen_u16_u32(const uint16_t* p)
    u64x widen_u8_u64(const uint8_t* p)
    u64x widen_u16_u64(const uint16_t* p)
    u64x widen_u32_u64(const uint32_t* p)
    void narrow_u32_u8(uint8_t* p, u32x x)
    void narrow_u32_u16(uint16_t* p, u32x x)
    void narrow_u64_u8(uint8_t* p, u64x x)
    void narrow_u64_u16(uint16_t* p, u64x x)
    void narrow_u64_u32(uint32_t* p, u64x x)
    u64x lookup16_u8(const uint8_t* table, u64x index)  # byte by byte; every byte of the index is below 16
    f32x lookup8_f32(const float* table, u32x index)  # by the low three bits
    f32x lookup16_f32(const float* table, u32x index)  # by the low four bits
    f64x lookup4_f64(const double* table, u64x index)  # by the low two bits
    f64x lookup8_f64(const double* table, u64x index)  # by the low three bits
    # four registers that lie 16 words apart: of each four words of theirs, word r of all four stands in y[r].
    # A register of one lane takes four words in a row.
    void transposed_u32(const uint32_t* p, u32x* y)
    # lanes as pairs of signed numbers of 16 bits, one pair w for all lanes of two registers x[0] and x[1]:
    # sums[i] += w0 x0 + w1 x1, and what overflows wraps
    void add_products_i16(const uint32_t* w, const u32x* x, u32x* sums)
    # the same of four bytes, those of w with signs and those of x without
    void add_products_u8(const uint32_t* w, const u32x* x, u32x* sums)
    # lanes as pairs of signed numbers of 16 bits: sum + w0 x0 + w1 x1 lane by lane, and what overflows wraps
    u32x dot_i16(u32x w, u32x x, u32x sum)
    # up to four registers w, and as many of x in memory, of bytes, those of w up to UNSIGNED_MOST and those of x with
    # signs: sum + all products * 2^shift, of 0 or 8, lane by lane, and what overflows wraps. Eight registers, if the
    # bytes of w are at most UNSIGNED_MOST // 2.
    u32x dot_u8(const u32x* w, const uint32_t* x, int registers, int shift, u32x sum)
    # the same for rows of x in memory, `step` words apart, to each its sum: registers of pairs and four rows; or two or
    # eight registers of bytes, of which so many at once are what dot_u8 takes, and four rows of one plane, or two of
    # two, of which the first is times 2^8 and the second stands behind it. Where two outputs are abreast: registers of
    # one and of the other, sums of the one and of the other, one or two rows
    void dots_i16(const u32x* w, const uint32_t* x, Py_ssize_t step, int registers, u32x* sums)
    void dots_u8(const u32x* w, const uint32_t* x, Py_ssize_t step, int rows, int registers, int at_once, int planes,
                 u32x* sums)
    # dots_u8 of one row; where two outputs are abreast, products of the registers w[1], w[3] ... are divided by 2^lift
    # (which is 0 elsewhere), of which their sums are whole multiples
    void dots_of_row_u8(const u32x* w, const uint32_t* x, int registers, int at_once, int planes, int lift, u32x* sums)
    u32x where_other_u32(u32x a, u32x b, u32x mask)  # (a ^ b) & mask
    # lanes as bytes, those of x with signs: w0 x0 + w1 x1 of neighbours as signed numbers of 16 bits, which hold them
    u32x pair_products_u8(u32x w, u32x x)
    f32x round_i32_f32(u32x x)  # signed numbers as float32, to nearest

    f32x load_f32(const float* p)
    f32x load_part_f32(const float* p, Py_ssize_t n)
    void store_f32(float* p, f32x x)
    void store_part_f32(float* p, f32x x, Py_ssize_t n)
    void stream_f32(float* p, f32x x)
    f32x splat_f32(float value)
    f32x fma_f32(f32x a, f32x b, f32x c)
    f32x square_root_f32(f32x x)
    f32x at_least_f32(f32x x, f32x low)
    f32x at_most_f32(f32x x, f32x high)
    f32x magnitude_f32(f32x x)
    f32x with_sign_f32(f32x x, f32x sign)
    f32x where_less_f32(f32x a, f32x b, f32x yes, f32x no)
    int any_less_f32(f32x a, f32x b)
    int all_less_f32(f32x a, f32x b)
    f32x power2_f32(f32x n)
    f32x scale2_f32(f32x x, f32x n)
    f32x ldexp_f32(f32x x, f32x n)
    f32x scale_down_f32(f32x x, f32x power)
    f32x exponent_f32(f32x x)

    f64x load_f64(const double* p)
    f64x load_part_f64(const double* p, Py_ssize_t n)
    void store_f64(double* p, f64x x)
    void store_part_f64(double* p, f64x x, Py_ssize_t n)
    void stream_f64(double* p, f64x x)
    f64x splat_f64(double value)
    f64x fma_f64(f64x a, f64x b, f64x c)
    f64x add_product_f64(f64x a, f64x b, f64x c)  # a * b + c where a * b is exact, so that fusing changes nothing
    f64x square_root_f64(f64x x)
    double sum_f64(f64x x)  # of the lanes, by halves: the first half plus the second, and so on
    f64x at_least_f64(f64x x, f64x low)
    f64x at_most_f64(f64x x, f64x high)
    f64x magnitude_f64(f64x x)
    f64x with_sign_f64(f64x x, f64x sign)
    f64x where_less_f64(f64x a, f64x b, f64x yes, f64x no)
    int any_less_f64(f64x a, f64x b)
    int all_less_f64(f64x a, f64x b)
    f64x power2_f64(f64x n)
    f64x scale2_f64(f64x x, f64x n)
    f64x ldexp_f64(f64x x, f64x n)
    f64x scale_down_f64(f64x x, f64x power)
    f64x exponent_f64(f64x x)


ctypedef fused real:
    f32x
    f64x

ctypedef fused scalar:
    float
    double


cdef inline real splat(real like, double value) noexcept nogil:
    # value in every lane, in the precision of `like`
    if real is f32x:
        return splat_f32(<float>value)
    else:
        return splat_f64(value)


cdef inline real pick(real like, double float32, double float64) noexcept nogil:
    # a constant that differs by precision
    if real is f32x:
        return splat_f32(<float>float32)
    else:
        return splat_f64(float64)


cdef inline real fma(real a, real b, real c) noexcept nogil:
    # a * b + c, rounded once
    if real is f32x:
        return fma_f32(a, b, c)
    else:
        return fma_f64(a, b, c)


cdef inline real square_root(real x) noexcept nogil:
    # rounded once
    if real is f32x:
        return square_root_f32(x)
    else:
        return square_root_f64(x)


cdef inline real at_least(real x, real low) noexcept nogil:
    # the larger; x where it is NaN
    if real is f32x:
        return at_least_f32(x, low)
    else:
        return at_least_f64(x, low)


cdef inline real at_most(real x, real high) noexcept nogil:
    # the smaller; x where it is NaN
    if real is f32x:
        return at_most_f32(x, high)
    else:
        return at_most_f64(x, high)


cdef inline real magnitude(real x) noexcept nogil:
    # |x|
    if real is f32x:
        return magnitude_f32(x)
    else:
        return magnitude_f64(x)


cdef inline real with_sign(real x, real sign) noexcept nogil:
    # |x| with the sign of `sign`
    if real is f32x:
        return with_sign_f32(x, sign)
    else:
        return with_sign_f64(x, sign)


cdef inline real where_less(real a, real b, real yes, real no) noexcept nogil:
    # `yes` in the lanes where a < b, `no` where not or where one is NaN
    if real is f32x:
        return where_less_f32(a, b, yes, no)
    else:
        return where_less_f64(a, b, yes, no)


cdef inline int any_less(real a, real b) noexcept nogil:
    # whether a < b in any lane
    if real is f32x:
        return any_less_f32(a, b)
    else:
        return any_less_f64(a, b)


cdef inline int all_less(real a, real b) noexcept nogil:
    # whether a < b in every lane
    if real is f32x:
        return all_less_f32(a, b)
    else:
        return all_less_f64(a, b)


cdef inline real power2(real n) noexcept nogil:
    # 2^n for a whole n from the smallest normal exponent to the largest; no more than the smallest normal below it
    if real is f32x:
        return power2_f32(n)
    else:
        return power2_f64(n)


cdef inline real scale2(real x, real n) noexcept nogil:
    # x * 2^n, rounded once, for a whole n of any size and x between 2^-60 and 2^60
    if real is f32x:
        return scale2_f32(x, n)
    else:
        return scale2_f64(x, n)


cdef inline real ldexp(real x, real n) noexcept nogil:
    # x * 2^n, rounded once, for any x and a whole n up to 60 and down to any size
    if real is f32x:
        return ldexp_f32(x, n)
    else:
        return ldexp_f64(x, n)


cdef inline real scale_down(real x, real power) noexcept nogil:
    # x times a power of two, quick where the product is subnormal too
    if real is f32x:
        return scale_down_f32(x, power)
    else:
        return scale_down_f64(x, power)


cdef inline real exponent(real x) noexcept nogil:
    # floor(log2(|x|)), subnormals included; for finite x other than 0
    if real is f32x:
        return exponent_f32(x)
    else:
        return exponent_f64(x)


cdef inline real two_sum(real a, real b, real* lost) noexcept nogil:
    # a + b = result + lost, whichever is larger; Knuth
    cdef real s = a + b
    cdef real b_part = s - a
    lost[0] = (a - (s - b_part)) + (b - b_part)
    return s
