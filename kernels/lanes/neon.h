/* aarch64: 4 float32 or 2 float64 in a register, with fused multiply-add; the operators of C work on all types. */
#include <arm_neon.h>

typedef float32x4_t f32x;
typedef float64x2_t f64x;
typedef uint32_t u32x __attribute__((vector_size(16)));
typedef uint64_t u64x __attribute__((vector_size(16)));
enum { F32_LANES = 4, F64_LANES = 2, REGISTERS = 32, UNSIGNED_MOST = 64, LOOKUP_FLOATS = 16, SCALE2_IS_CHEAP = 0 };

/* memory: a partial access passes through a full register's worth of bytes */
static inline f32x load_f32(const float *p) { return vld1q_f32(p); }
static inline f64x load_f64(const double *p) { return vld1q_f64(p); }
static inline f32x load_part_f32(const float *p, ptrdiff_t n) {
    float part[4] = {0};
    memcpy(part, p, (size_t)n * sizeof *p);
    return vld1q_f32(part);
}
static inline f64x load_part_f64(const double *p, ptrdiff_t n) {
    double part[2] = {0};
    memcpy(part, p, (size_t)n * sizeof *p);
    return vld1q_f64(part);
}
static inline void store_f32(float *p, f32x x) { vst1q_f32(p, x); }
static inline void store_f64(double *p, f64x x) { vst1q_f64(p, x); }
static inline void store_part_f32(float *p, f32x x, ptrdiff_t n) {
    float part[4];
    vst1q_f32(part, x);
    memcpy(p, part, (size_t)n * sizeof *p);
}
static inline void store_part_f64(double *p, f64x x, ptrdiff_t n) {
    double part[2];
    vst1q_f64(part, x);
    memcpy(p, part, (size_t)n * sizeof *p);
}
static inline void stream_f32(float *p, f32x x) { vst1q_f32(p, x); }
static inline void stream_f64(double *p, f64x x) { vst1q_f64(p, x); }
static inline void end_stream(void) {}
static inline f32x splat_f32(float a) { return vdupq_n_f32(a); }
static inline f64x splat_f64(double a) { return vdupq_n_f64(a); }

/* float32 to float64, and two registers interleaved */
static inline f64x wide_sum_f32(const float *p, const float *q) {
    return vcvt_f64_f32(vadd_f32(vld1_f32(p), vld1_f32(q)));
}
static inline f64x wide_f32(const float *p) { return vcvt_f64_f32(vld1_f32(p)); }
static inline void narrow_f64_f32(float *p, f64x x) { vst1_f32(p, vcvt_f32_f64(x)); }
static inline void wide_halves_f32(f32x x, f64x *wide) {
    wide[0] = vcvt_f64_f32(vget_low_f32(x));
    wide[1] = vcvt_high_f64_f32(x);
}
static inline f32x narrow_halves(const f64x *x) { return vcvt_high_f32_f64(vcvt_f32_f64(x[0]), x[1]); }
static inline f64x wide_part_f32(const float *p, ptrdiff_t n) {
    float part[2] = {0};
    memcpy(part, p, (size_t)n * sizeof *p);
    return vcvt_f64_f32(vld1_f32(part));
}
static inline f32x zip_low_f32(f32x a, f32x b) { return vzip1q_f32(a, b); }
static inline f32x zip_high_f32(f32x a, f32x b) { return vzip2q_f32(a, b); }
static inline f64x zip_low_f64(f64x a, f64x b) { return vzip1q_f64(a, b); }
static inline f64x zip_high_f64(f64x a, f64x b) { return vzip2q_f64(a, b); }
static inline void turn_quads(float32x4_t *x) {
    /* number k of register r becomes number r of register k */
    float64x2_t low = (float64x2_t)vzip1q_f32(x[0], x[1]), high = (float64x2_t)vzip2q_f32(x[0], x[1]);
    float64x2_t other_low = (float64x2_t)vzip1q_f32(x[2], x[3]), other_high = (float64x2_t)vzip2q_f32(x[2], x[3]);
    x[0] = (float32x4_t)vzip1q_f64(low, other_low), x[1] = (float32x4_t)vzip2q_f64(low, other_low);
    x[2] = (float32x4_t)vzip1q_f64(high, other_high), x[3] = (float32x4_t)vzip2q_f64(high, other_high);
}
static inline void load_turned_f32(const char *p, ptrdiff_t step, f32x *y) {
    for (int k = 0; k < 4; k++) y[k] = vld1q_f32((const float *)(p + k * step));
    turn_quads(y);
}
static inline void store_turned_f32(char *p, ptrdiff_t step, f32x *y) {
    turn_quads(y);
    for (int k = 0; k < 4; k++) vst1q_f32((float *)(p + k * step), y[k]);
}
static inline void store_turned_eight_f32(char *p, ptrdiff_t step, f32x *y) {
    store_turned_f32(p, step, y), store_turned_f32(p + 16, step, y + 4);
}

/* integers: the operators of C work lane by lane on these types */
static inline u32x load_u32(const uint32_t *p) { return (u32x)vld1q_u32(p); }
static inline u64x load_u64(const uint64_t *p) { return (u64x)vld1q_u64(p); }
static inline void store_u32(uint32_t *p, u32x x) { vst1q_u32(p, (uint32x4_t)x); }
static inline void store_u64(uint64_t *p, u64x x) { vst1q_u64(p, (uint64x2_t)x); }
static inline u32x splat_u32(uint32_t a) { return (u32x)vdupq_n_u32(a); }
static inline u64x splat_u64(uint64_t a) { return (u64x)vdupq_n_u64(a); }
static inline u32x bits_f32(f32x x) { return (u32x)x; }
static inline u64x bits_f64(f64x x) { return (u64x)x; }
static inline f32x from_bits_f32(u32x x) { return (f32x)x; }
static inline f64x from_bits_f64(u64x x) { return (f64x)x; }
static inline u64x multiply_low_u64(u64x a, u64x b) {
    return (u64x)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
}
static inline int any_u64(u64x x) { return vmaxvq_u32((uint32x4_t)x) != 0; }
static inline u32x codes_u32(const uint8_t *genome, ptrdiff_t i) {
    uint32_t low = genome[i / 2], high = genome[i / 2 + 1];
    return (u32x){low, low >> 4, high, high >> 4};
}
static inline u64x lookup16_u8(const uint8_t *table, u64x index) {
    return (u64x)vqtbl1q_u8(vld1q_u8(table), (uint8x16_t)index);
}
static inline f32x lookup_masked_f32(const float *table, u32x index, uint32_t mask) {
    float found[4];
    for (int i = 0; i < 4; i++) found[i] = table[index[i] & mask];
    return vld1q_f32(found);
}
static inline f32x lookup8_f32(const float *table, u32x index) { return lookup_masked_f32(table, index, 7); }
static inline f32x lookup16_f32(const float *table, u32x index) { return lookup_masked_f32(table, index, 15); }
static inline f64x lookup4_f64(const double *table, u64x index) {
    return vcombine_f64(vld1_f64(table + (index[0] & 3)), vld1_f64(table + (index[1] & 3)));
}
static inline f64x lookup8_f64(const double *table, u64x index) {
    return vcombine_f64(vld1_f64(table + (index[0] & 7)), vld1_f64(table + (index[1] & 7)));
}
static inline u32x dot_i16(u32x w, u32x x, u32x sum) {
    int32x4_t low = vmull_s16(vget_low_s16((int16x8_t)w), vget_low_s16((int16x8_t)x));
    return sum + (u32x)vpaddq_s32(low, vmull_high_s16((int16x8_t)w, (int16x8_t)x));
}
static inline void transposed_u32(const uint32_t *p, u32x *y) {
    uint32x4_t a = vld1q_u32(p), b = vld1q_u32(p + 16), c = vld1q_u32(p + 32), d = vld1q_u32(p + 48);
    uint64x2_t ab = (uint64x2_t)vzip1q_u32(a, b), cd = (uint64x2_t)vzip1q_u32(c, d);
    y[0] = (u32x)vzip1q_u64(ab, cd), y[1] = (u32x)vzip2q_u64(ab, cd);
    ab = (uint64x2_t)vzip2q_u32(a, b), cd = (uint64x2_t)vzip2q_u32(c, d);
    y[2] = (u32x)vzip1q_u64(ab, cd), y[3] = (u32x)vzip2q_u64(ab, cd);
}
static inline u32x pair_products_u8(u32x w, u32x x) {
    uint8x16_t a = (uint8x16_t)w;
    int8x16_t b = (int8x16_t)x;
    int16x8_t low = vmulq_s16((int16x8_t)vmovl_u8(vget_low_u8(a)), vmovl_s8(vget_low_s8(b)));
    return (u32x)vpaddq_s16(low, vmulq_s16((int16x8_t)vmovl_high_u8(a), vmovl_high_s8(b)));
}
static inline u32x dot_u8(const u32x *w, const uint32_t *x, int registers, int shift, u32x sum) {
    int32x4_t products = vdupq_n_s32(0);
    for (int k = 0; k < registers; k++)
        products = vpadalq_s16(products, (int16x8_t)pair_products_u8(w[k], load_u32(x + k * F32_LANES)));
    return sum + ((u32x)products << shift);
}
static inline void add_products_i16(const uint32_t *w, const u32x *x, u32x *sums) {
    u32x weights = splat_u32(*w);
    for (int i = 0; i < 2; i++) sums[i] = dot_i16(weights, x[i], sums[i]);
}
static inline f32x round_i32_f32(u32x x) { return vcvtq_f32_s32((int32x4_t)x); }

static inline u32x where_less_i32(u32x a, u32x b, u32x yes, u32x no) {
    return (u32x)vbslq_u32(vcltq_s32((int32x4_t)a, (int32x4_t)b), (uint32x4_t)yes, (uint32x4_t)no);
}
static inline u64x where_less_i64(u64x a, u64x b, u64x yes, u64x no) {
    return (u64x)vbslq_u64(vcltq_s64((int64x2_t)a, (int64x2_t)b), (uint64x2_t)yes, (uint64x2_t)no);
}
static inline u32x at_most_i32(u32x x, u32x high) { return (u32x)vminq_s32((int32x4_t)x, (int32x4_t)high); }
static inline u64x at_most_i64(u64x x, u64x high) { return where_less_i64(x, high, x, high); }
static inline u32x at_least_i32(u32x x, u32x low) { return (u32x)vmaxq_s32((int32x4_t)x, (int32x4_t)low); }
static inline u64x at_least_i64(u64x x, u64x low) { return where_less_i64(x, low, low, x); }

/* narrower unsigned numbers */
static inline u32x widen_u8_u32(const uint8_t *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return (u32x)vmovl_u16(vget_low_u16(vmovl_u8(vcreate_u8(four))));
}
static inline u32x widen_u16_u32(const uint16_t *p) { return (u32x)vmovl_u16(vld1_u16(p)); }
static inline u64x widen_u8_u64(const uint8_t *p) { return (u64x){p[0], p[1]}; }
static inline u64x widen_u16_u64(const uint16_t *p) { return (u64x){p[0], p[1]}; }
static inline u64x widen_u32_u64(const uint32_t *p) { return (u64x)vmovl_u32(vld1_u32(p)); }
static inline void narrow_u32_u8(uint8_t *p, u32x x) {
    uint16x4_t pairs = vmovn_u32((uint32x4_t)x);
    uint8x8_t bytes = vmovn_u16(vcombine_u16(pairs, pairs));
    memcpy(p, &bytes, 4);
}
static inline void narrow_u32_u16(uint16_t *p, u32x x) { vst1_u16(p, vmovn_u32((uint32x4_t)x)); }
static inline void narrow_u64_u8(uint8_t *p, u64x x) { p[0] = (uint8_t)x[0], p[1] = (uint8_t)x[1]; }
static inline void narrow_u64_u16(uint16_t *p, u64x x) { p[0] = (uint16_t)x[0], p[1] = (uint16_t)x[1]; }
static inline void narrow_u64_u32(uint32_t *p, u64x x) { vst1_u32(p, vmovn_u64((uint64x2_t)x)); }

/* 16-bit formats */
static inline f32x load_float16(const uint16_t *p) { return vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p))); }
static inline void store_float16(uint16_t *p, f32x x) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(x))); }
static inline f32x load_bfloat16(const uint16_t *p) { return vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16)); }
static inline void store_bfloat16(uint16_t *p, f32x x) {
    /* to nearest even by integers; a NaN keeps its head, made quiet */
    uint32x4_t bits = vreinterpretq_u32_f32(x), odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
    uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7FFF)));
    rounded = vbslq_u32(vceqq_f32(x, x), rounded, vorrq_u32(bits, vdupq_n_u32(0x00400000)));
    vst1_u16(p, vshrn_n_u32(rounded, 16));
}

/* arithmetic */
static inline f32x fma_f32(f32x a, f32x b, f32x c) { return vfmaq_f32(c, a, b); }
static inline f64x fma_f64(f64x a, f64x b, f64x c) { return vfmaq_f64(c, a, b); }
static inline f64x add_product_f64(f64x a, f64x b, f64x c) { return vfmaq_f64(c, a, b); }
static inline f32x square_root_f32(f32x x) { return vsqrtq_f32(x); }
static inline f64x square_root_f64(f64x x) { return vsqrtq_f64(x); }
static inline double sum_f64(f64x x) { return vgetq_lane_f64(x, 0) + vgetq_lane_f64(x, 1); }
static inline f32x where_less_f32(f32x a, f32x b, f32x yes, f32x no) { return vbslq_f32(vcltq_f32(a, b), yes, no); }
static inline f64x where_less_f64(f64x a, f64x b, f64x yes, f64x no) { return vbslq_f64(vcltq_f64(a, b), yes, no); }
static inline f32x at_least_f32(f32x x, f32x low) { return where_less_f32(x, low, low, x); }
static inline f64x at_least_f64(f64x x, f64x low) { return where_less_f64(x, low, low, x); }
static inline f32x at_most_f32(f32x x, f32x high) { return where_less_f32(high, x, high, x); }
static inline f64x at_most_f64(f64x x, f64x high) { return where_less_f64(high, x, high, x); }
static inline f32x magnitude_f32(f32x x) { return vabsq_f32(x); }
static inline f64x magnitude_f64(f64x x) { return vabsq_f64(x); }
static inline f32x with_sign_f32(f32x x, f32x sign) { return vbslq_f32(vdupq_n_u32(0x80000000), sign, x); }
static inline f64x with_sign_f64(f64x x, f64x sign) { return vbslq_f64(vdupq_n_u64(0x8000000000000000), sign, x); }
static inline int all_less_f32(f32x a, f32x b) { return vminvq_u32(vcltq_f32(a, b)) != 0; }
static inline int all_less_f64(f64x a, f64x b) { return vminvq_u32(vreinterpretq_u32_u64(vcltq_f64(a, b))) != 0; }
static inline int any_less_f32(f32x a, f32x b) { return vmaxvq_u32(vcltq_f32(a, b)) != 0; }
static inline int any_less_f64(f64x a, f64x b) { return vmaxvq_u32(vreinterpretq_u32_u64(vcltq_f64(a, b))) != 0; }

/* exponents */
static inline f32x power2_f32(f32x n) {
    return (f32x)vshlq_n_s32(vaddq_s32(vcvtq_s32_f32(vmaxq_f32(n, vdupq_n_f32(-127.0f))), vdupq_n_s32(127)), 23);
}
static inline f64x power2_f64(f64x n) {
    return (f64x)vshlq_n_s64(vaddq_s64(vcvtq_s64_f64(vmaxq_f64(n, vdupq_n_f64(-1023.0))), vdupq_n_s64(1023)), 52);
}
static inline f32x scale2_f32(f32x x, f32x n) {
    n = vminq_f32(vmaxq_f32(n, vdupq_n_f32(-250.0f)), vdupq_n_f32(250.0f));
    f32x half = vrndnq_f32(n * vdupq_n_f32(0.5f));
    return x * power2_f32(half) * power2_f32(n - half);
}
static inline f64x scale2_f64(f64x x, f64x n) {
    n = vminq_f64(vmaxq_f64(n, vdupq_n_f64(-2040.0)), vdupq_n_f64(2040.0));
    f64x half = vrndnq_f64(n * vdupq_n_f64(0.5));
    return x * power2_f64(half) * power2_f64(n - half);
}
static inline f32x exponent_f32(f32x x) {
    uint32x4_t tiny = vcltq_f32(vabsq_f32(x), vdupq_n_f32(0x1p-126f));
    f32x scaled = vabsq_f32(vbslq_f32(tiny, x * vdupq_n_f32(0x1p24f), x));
    f32x field = vcvtq_f32_u32(vshrq_n_u32(vreinterpretq_u32_f32(scaled), 23));
    return field - vbslq_f32(tiny, vdupq_n_f32(151.0f), vdupq_n_f32(127.0f));
}
static inline f64x exponent_f64(f64x x) {
    uint64x2_t tiny = vcltq_f64(vabsq_f64(x), vdupq_n_f64(0x1p-1022));
    f64x scaled = vabsq_f64(vbslq_f64(tiny, x * vdupq_n_f64(0x1p53), x));
    f64x field = vcvtq_f64_u64(vshrq_n_u64(vreinterpretq_u64_f64(scaled), 52));
    return field - vbslq_f64(tiny, vdupq_n_f64(1076.0), vdupq_n_f64(1023.0));
}
