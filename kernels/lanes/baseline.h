/* Portable C11: a register is one number. The same bits as the wide levels, since the fused multiply-add
 * is computed exactly; slower, since it is computed. */
#include <math.h>

typedef float f32x;
typedef double f64x;
typedef uint32_t u32x;
typedef uint64_t u64x;
enum { F32_LANES = 1, F64_LANES = 1, REGISTERS = 16, UNSIGNED_MOST = 255, LOOKUP_FLOATS = 16, SCALE2_IS_CHEAP = 0 };

static inline uint32_t bits_of_float(float x) { uint32_t b; memcpy(&b, &x, sizeof b); return b; }
static inline uint64_t bits_of_double(double x) { uint64_t b; memcpy(&b, &x, sizeof b); return b; }
static inline float float_of_bits(uint32_t b) { float x; memcpy(&x, &b, sizeof x); return x; }
static inline double double_of_bits(uint64_t b) { double x; memcpy(&x, &b, sizeof x); return x; }

/* memory: the part of a register of one lane is all of it or nothing */
static inline f32x load_f32(const float *p) { return *p; }
static inline f64x load_f64(const double *p) { return *p; }
static inline f32x load_part_f32(const float *p, ptrdiff_t n) { return n > 0 ? *p : 0; }
static inline f64x load_part_f64(const double *p, ptrdiff_t n) { return n > 0 ? *p : 0; }
static inline void store_f32(float *p, f32x x) { *p = x; }
static inline void store_f64(double *p, f64x x) { *p = x; }
static inline void store_part_f32(float *p, f32x x, ptrdiff_t n) {
    if (n > 0)
        *p = x;
}
static inline void store_part_f64(double *p, f64x x, ptrdiff_t n) {
    if (n > 0)
        *p = x;
}
static inline void stream_f32(float *p, f32x x) { *p = x; }
static inline void stream_f64(double *p, f64x x) { *p = x; }
static inline void end_stream(void) {}
static inline f32x splat_f32(float a) { return a; }
static inline f64x splat_f64(double a) { return a; }

/* float32 to float64; one lane has nothing to interleave */
static inline f64x wide_sum_f32(const float *p, const float *q) { return *p + *q; }
static inline f64x wide_f32(const float *p) { return *p; }
static inline void narrow_f64_f32(float *p, f64x x) { *p = (float)x; }
static inline void wide_halves_f32(f32x x, f64x *wide) { wide[0] = x; }
static inline f32x narrow_halves(const f64x *x) { return (float)x[0]; }
static inline f64x wide_part_f32(const float *p, ptrdiff_t n) { return n > 0 ? *p : 0; }
static inline f32x zip_low_f32(f32x a, f32x b) { (void)b; return a; }
static inline f32x zip_high_f32(f32x a, f32x b) { (void)a; return b; }
static inline f64x zip_low_f64(f64x a, f64x b) { (void)b; return a; }
static inline f64x zip_high_f64(f64x a, f64x b) { (void)a; return b; }
static inline void load_turned_f32(const char *p, ptrdiff_t step, f32x *y) { memcpy(y, p, 4 * sizeof *y); }
static inline void store_turned_f32(char *p, ptrdiff_t step, f32x *y) { memcpy(p, y, 4 * sizeof *y); }
static inline void store_turned_eight_f32(char *p, ptrdiff_t step, f32x *y) { memcpy(p, y, 8 * sizeof *y); }

/* integers: at any address */
static inline u32x load_u32(const uint32_t *p) { u32x x; memcpy(&x, p, sizeof x); return x; }
static inline u64x load_u64(const uint64_t *p) { u64x x; memcpy(&x, p, sizeof x); return x; }
static inline void store_u32(uint32_t *p, u32x x) { memcpy(p, &x, sizeof x); }
static inline void store_u64(uint64_t *p, u64x x) { memcpy(p, &x, sizeof x); }
static inline u32x splat_u32(uint32_t a) { return a; }
static inline u64x splat_u64(uint64_t a) { return a; }
static inline u32x bits_f32(f32x x) { return bits_of_float(x); }
static inline u64x bits_f64(f64x x) { return bits_of_double(x); }
static inline f32x from_bits_f32(u32x x) { return float_of_bits(x); }
static inline f64x from_bits_f64(u64x x) { return double_of_bits(x); }
static inline u64x multiply_low_u64(u64x a, u64x b) { return (uint64_t)(uint32_t)a * (uint32_t)b; }
static inline int any_u64(u64x x) { return x != 0; }
static inline u32x codes_u32(const uint8_t *genome, ptrdiff_t i) { return (u32x)(genome[i / 2] >> 4 * (i & 1)); }
static inline u64x lookup16_u8(const uint8_t *table, u64x index) {
    u64x found = 0;
    for (int byte = 0; byte < 64; byte += 8) found |= (u64x)table[index >> byte & 15] << byte;
    return found;
}
static inline f32x lookup8_f32(const float *table, u32x index) { return table[index & 7]; }
static inline f32x lookup16_f32(const float *table, u32x index) { return table[index & 15]; }
static inline f64x lookup4_f64(const double *table, u64x index) { return table[index & 3]; }
static inline f64x lookup8_f64(const double *table, u64x index) { return table[index & 7]; }
static inline int32_t low_i16(u32x x) { return (int16_t)(uint16_t)x; }
static inline u32x dot_i16(u32x w, u32x x, u32x sum) {
    return sum + (u32x)(low_i16(w) * low_i16(x)) + (u32x)(low_i16(w >> 16) * low_i16(x >> 16));
}
static inline void transposed_u32(const uint32_t *p, u32x *y) { memcpy(y, p, 4 * sizeof *y); }
static inline int32_t product_of_bytes(u32x w, u32x x, int byte) {
    return (uint8_t)(w >> 8 * byte) * (int8_t)(uint8_t)(x >> 8 * byte);
}
static inline u32x pair_products_u8(u32x w, u32x x) {
    u32x low = (u32x)(product_of_bytes(w, x, 0) + product_of_bytes(w, x, 1));
    return (low & 0xFFFF) | (u32x)(product_of_bytes(w, x, 2) + product_of_bytes(w, x, 3)) << 16;
}
static inline u32x dot_u8(const u32x *w, const uint32_t *x, int registers, int shift, u32x sum) {
    for (int k = 0; k < registers; k++)
        for (int byte = 0; byte < 4; byte++) sum += (u32x)product_of_bytes(w[k], x[k], byte) << shift;
    return sum;
}
static inline void add_products_i16(const uint32_t *w, const u32x *x, u32x *sums) {
    for (int i = 0; i < 2; i++) sums[i] = dot_i16(*w, x[i], sums[i]);
}
static inline f32x round_i32_f32(u32x x) { return (float)(int32_t)x; }

static inline u32x where_less_i32(u32x a, u32x b, u32x yes, u32x no) { return (int32_t)a < (int32_t)b ? yes : no; }
static inline u64x where_less_i64(u64x a, u64x b, u64x yes, u64x no) { return (int64_t)a < (int64_t)b ? yes : no; }
static inline u32x at_most_i32(u32x x, u32x high) { return where_less_i32(x, high, x, high); }
static inline u64x at_most_i64(u64x x, u64x high) { return where_less_i64(x, high, x, high); }
static inline u32x at_least_i32(u32x x, u32x low) { return where_less_i32(x, low, low, x); }
static inline u64x at_least_i64(u64x x, u64x low) { return where_less_i64(x, low, low, x); }

/* narrower unsigned numbers */
static inline u32x widen_u8_u32(const uint8_t *p) { return *p; }
static inline u32x widen_u16_u32(const uint16_t *p) { return *p; }
static inline u64x widen_u8_u64(const uint8_t *p) { return *p; }
static inline u64x widen_u16_u64(const uint16_t *p) { return *p; }
static inline u64x widen_u32_u64(const uint32_t *p) { return *p; }
static inline void narrow_u32_u8(uint8_t *p, u32x x) { *p = (uint8_t)x; }
static inline void narrow_u32_u16(uint16_t *p, u32x x) { *p = (uint16_t)x; }
static inline void narrow_u64_u8(uint8_t *p, u64x x) { *p = (uint8_t)x; }
static inline void narrow_u64_u16(uint16_t *p, u64x x) { *p = (uint16_t)x; }
static inline void narrow_u64_u32(uint32_t *p, u64x x) { *p = (uint32_t)x; }

/* 16-bit formats: 2^112 moves the exponent from bias 15 to bias 127, subnormals included */
static inline f32x load_float16(const uint16_t *p) {
    float size = float_of_bits((uint32_t)(*p & 0x7FFF) << 13) * 0x1p112f;
    if ((*p & 0x7C00) == 0x7C00) size = float_of_bits(0x7F800000 | (uint32_t)(*p & 0x3FF) << 13 | ((*p & 0x3FF) ? 0x400000 : 0));
    return float_of_bits(bits_of_float(size) | (uint32_t)(*p & 0x8000) << 16);
}
static inline void store_float16(uint16_t *p, f32x x) {
    uint32_t sign = bits_of_float(x) >> 16 & 0x8000, size = bits_of_float(x) & 0x7FFFFFFF;
    if (size > 0x7F800000) size = 0x7E00 | (size >> 13 & 0x3FF);
    else if (size >= 0x477FF000) size = 0x7C00;
    else if (size < 0x38800000) size = bits_of_float(float_of_bits(size) + 0.5f) - 0x3F000000;
    else size = (size + 0xFFF + (size >> 13 & 1) - 0x38000000) >> 13;
    *p = (uint16_t)(sign | size);
}
static inline f32x load_bfloat16(const uint16_t *p) { return float_of_bits((uint32_t)*p << 16); }
static inline void store_bfloat16(uint16_t *p, f32x x) {
    uint32_t bits = bits_of_float(x);
    if (x != x) bits |= 0x00400000;
    else bits += 0x7FFF + (bits >> 16 & 1);
    *p = (uint16_t)(bits >> 16);
}

/* arithmetic */
static inline f32x fma_f32(f32x a, f32x b, f32x c) {
    /* The product is exact in double; its sum with c is rounded to odd, so that the rounding to float is the
     * only one that counts (Boldo and Melquiond, "Emulation of FMA and correctly rounded sums", 2008). */
    double product = (double)a * b, sum = product + c;
    double part = sum - product, lost = (product - (sum - part)) + (c - part);
    uint64_t bits = bits_of_double(sum);
    if (lost != 0 && !(bits & 1) && lost == lost) bits += (lost > 0) == (sum > 0) ? 1 : (uint64_t)-1;
    return (float)double_of_bits(bits);
}
static inline f64x fma_f64(f64x a, f64x b, f64x c) { return fma(a, b, c); }
static inline f64x add_product_f64(f64x a, f64x b, f64x c) { return a * b + c; }
static inline f32x square_root_f32(f32x x) { return sqrtf(x); }
static inline f64x square_root_f64(f64x x) { return sqrt(x); }
static inline double sum_f64(f64x x) { return x; }
static inline f32x at_least_f32(f32x x, f32x low) { return low > x ? low : x; }
static inline f64x at_least_f64(f64x x, f64x low) { return low > x ? low : x; }
static inline f32x at_most_f32(f32x x, f32x high) { return high < x ? high : x; }
static inline f64x at_most_f64(f64x x, f64x high) { return high < x ? high : x; }
static inline f32x magnitude_f32(f32x x) { return fabsf(x); }
static inline f64x magnitude_f64(f64x x) { return fabs(x); }
static inline f32x with_sign_f32(f32x x, f32x sign) { return copysignf(x, sign); }
static inline f64x with_sign_f64(f64x x, f64x sign) { return copysign(x, sign); }
static inline f32x where_less_f32(f32x a, f32x b, f32x yes, f32x no) { return a < b ? yes : no; }
static inline f64x where_less_f64(f64x a, f64x b, f64x yes, f64x no) { return a < b ? yes : no; }
static inline int all_less_f32(f32x a, f32x b) { return a < b; }
static inline int all_less_f64(f64x a, f64x b) { return a < b; }
static inline int any_less_f32(f32x a, f32x b) { return a < b; }
static inline int any_less_f64(f64x a, f64x b) { return a < b; }

/* exponents */
static inline f32x power2_f32(f32x n) { return n > -127.0f ? float_of_bits((uint32_t)((int)n + 127) << 23) : 0.0f; }
static inline f64x power2_f64(f64x n) { return n > -1023.0 ? double_of_bits((uint64_t)((int)n + 1023) << 52) : 0.0; }
static inline f32x scale2_f32(f32x x, f32x n) {
    int whole = n > 250.0f ? 250 : n > -250.0f ? (int)n : -250, half = whole / 2;
    return x * float_of_bits((uint32_t)(half + 127) << 23) * float_of_bits((uint32_t)(whole - half + 127) << 23);
}
static inline f64x scale2_f64(f64x x, f64x n) {
    int whole = n > 2040.0 ? 2040 : n > -2040.0 ? (int)n : -2040, half = whole / 2;
    return x * double_of_bits((uint64_t)(half + 1023) << 52) * double_of_bits((uint64_t)(whole - half + 1023) << 52);
}
static inline f32x exponent_f32(f32x x) {
    int tiny = fabsf(x) < 0x1p-126f;
    uint32_t field = bits_of_float(tiny ? x * 0x1p24f : x) >> 23 & 0xFF;
    return (float)(int)field - (tiny ? 151.0f : 127.0f);
}
static inline f64x exponent_f64(f64x x) {
    int tiny = fabs(x) < 0x1p-1022;
    uint64_t field = bits_of_double(tiny ? x * 0x1p53 : x) >> 52 & 0x7FF;
    return (double)(int)field - (tiny ? 1076.0 : 1023.0);
}
