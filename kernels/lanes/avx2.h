/* x86-64-v3: 8 float32 or 4 float64 in a register, with fused multiply-add. */
#include "intrinsics.h"

typedef __m256 f32x;
typedef __m256d f64x;
typedef uint32_t u32x __attribute__((vector_size(32)));
typedef uint64_t u64x __attribute__((vector_size(32)));
enum { F32_LANES = 8, F64_LANES = 4, REGISTERS = 16, UNSIGNED_MOST = 32, LOOKUP_FLOATS = 8, SCALE2_IS_CHEAP = 0 };

static const int32_t FIRST_LANES[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
static inline __m256i first_f32(ptrdiff_t n) { return _mm256_loadu_si256((const __m256i *)(FIRST_LANES + 8 - n)); }
static inline __m256i first_f64(ptrdiff_t n) { return _mm256_loadu_si256((const __m256i *)(FIRST_LANES + 8 - 2 * n)); }

/* memory */
static inline f32x load_f32(const float *p) { return _mm256_loadu_ps(p); }
static inline f64x load_f64(const double *p) { return _mm256_loadu_pd(p); }
static inline f32x load_part_f32(const float *p, ptrdiff_t n) { return _mm256_maskload_ps(p, first_f32(n)); }
static inline f64x load_part_f64(const double *p, ptrdiff_t n) { return _mm256_maskload_pd(p, first_f64(n)); }
static inline f32x first_lanes_f32(f32x x, ptrdiff_t n) { return _mm256_and_ps(x, _mm256_castsi256_ps(first_f32(n))); }
static inline f64x first_lanes_f64(f64x x, ptrdiff_t n) { return _mm256_and_pd(x, _mm256_castsi256_pd(first_f64(n))); }
static inline void store_f32(float *p, f32x x) { _mm256_storeu_ps(p, x); }
static inline void store_f64(double *p, f64x x) { _mm256_storeu_pd(p, x); }
static inline void store_part_f32(float *p, f32x x, ptrdiff_t n) { _mm256_maskstore_ps(p, first_f32(n), x); }
static inline void store_part_f64(double *p, f64x x, ptrdiff_t n) { _mm256_maskstore_pd(p, first_f64(n), x); }
static inline void stream_f32(float *p, f32x x) { _mm256_stream_ps(p, x); }
static inline void stream_f64(double *p, f64x x) { _mm256_stream_pd(p, x); }
static inline void end_stream(void) { _mm_sfence(); }
static inline f32x splat_f32(float a) { return _mm256_set1_ps(a); }
static inline f64x splat_f64(double a) { return _mm256_set1_pd(a); }

/* float32 to float64, and two registers interleaved */
static inline f64x wide_sum_f32(const float *p, const float *q) {
    return _mm256_cvtps_pd(_mm_add_ps(_mm_loadu_ps(p), _mm_loadu_ps(q)));
}
static inline f64x wide_f32(const float *p) { return _mm256_cvtps_pd(_mm_loadu_ps(p)); }
static inline void narrow_f64_f32(float *p, f64x x) { _mm_storeu_ps(p, _mm256_cvtpd_ps(x)); }
static inline void wide_halves_f32(f32x x, f64x *wide) {
    wide[0] = _mm256_cvtps_pd(_mm256_castps256_ps128(x));
    wide[1] = _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1));
}
static inline f32x narrow_halves(const f64x *x) {
    return _mm256_set_m128(_mm256_cvtpd_ps(x[1]), _mm256_cvtpd_ps(x[0]));
}
static inline f32x two_products(const float *x, const float *y) {
    f32x product = _mm256_mul_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(y));
    return _mm256_fmadd_ps(_mm256_loadu_ps(x + 16), _mm256_loadu_ps(y + 16), product);
}
static inline void fold_products_f32(const float *x, const float *y, f64x *sums) {
    f32x folded = _mm256_add_ps(two_products(x, y), two_products(x + 8, y + 8));
    sums[0] = _mm256_add_pd(sums[0], _mm256_cvtps_pd(_mm256_castps256_ps128(folded)));
    sums[1] = _mm256_add_pd(sums[1], _mm256_cvtps_pd(_mm256_extractf128_ps(folded, 1)));
}
static inline f64x wide_part_f32(const float *p, ptrdiff_t n) {
    return _mm256_cvtps_pd(_mm_maskload_ps(p, _mm_loadu_si128((const __m128i *)(FIRST_LANES + 8 - n))));
}
static inline f32x zip_low_f32(f32x a, f32x b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x20);
}
static inline f32x zip_high_f32(f32x a, f32x b) {
    return _mm256_permute2f128_ps(_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b), 0x31);
}
static inline f64x zip_low_f64(f64x a, f64x b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x20);
}
static inline f64x zip_high_f64(f64x a, f64x b) {
    return _mm256_permute2f128_pd(_mm256_unpacklo_pd(a, b), _mm256_unpackhi_pd(a, b), 0x31);
}
static inline void turn_quads(__m256 *x) {
    /* each half by itself: number k of register r becomes number r of register k */
    __m256 low = _mm256_unpacklo_ps(x[0], x[1]), high = _mm256_unpackhi_ps(x[0], x[1]);
    __m256 other_low = _mm256_unpacklo_ps(x[2], x[3]), other_high = _mm256_unpackhi_ps(x[2], x[3]);
    x[0] = _mm256_shuffle_ps(low, other_low, 0x44), x[1] = _mm256_shuffle_ps(low, other_low, 0xEE);
    x[2] = _mm256_shuffle_ps(high, other_high, 0x44), x[3] = _mm256_shuffle_ps(high, other_high, 0xEE);
}
static inline void load_turned_f32(const char *p, ptrdiff_t step, f32x *y) {
    for (int k = 0; k < 4; k++, p += step)
        y[k] = _mm256_set_m128(_mm_loadu_ps((const float *)(p + 4 * step)), _mm_loadu_ps((const float *)p));
    turn_quads(y);
}
static inline void store_turned_f32(char *p, ptrdiff_t step, f32x *y) {
    turn_quads(y);
    for (int k = 0; k < 4; k++, p += step) {
        _mm_storeu_ps((float *)p, _mm256_castps256_ps128(y[k]));
        _mm_storeu_ps((float *)(p + 4 * step), _mm256_extractf128_ps(y[k], 1));
    }
}
static inline void store_turned_eight_f32(char *p, ptrdiff_t step, f32x *y) {
    turn_quads(y), turn_quads(y + 4);
    for (int k = 0; k < 4; k++, p += step) {
        _mm256_storeu_ps((float *)p, _mm256_permute2f128_ps(y[k], y[k + 4], 0x20));
        _mm256_storeu_ps((float *)(p + 4 * step), _mm256_permute2f128_ps(y[k], y[k + 4], 0x31));
    }
}

/* integers: the operators of C work lane by lane on these types */
static inline u32x load_u32(const uint32_t *p) { return (u32x)_mm256_loadu_si256((const __m256i *)p); }
static inline u64x load_u64(const uint64_t *p) { return (u64x)_mm256_loadu_si256((const __m256i *)p); }
static inline void store_u32(uint32_t *p, u32x x) { _mm256_storeu_si256((__m256i *)p, (__m256i)x); }
static inline void store_u64(uint64_t *p, u64x x) { _mm256_storeu_si256((__m256i *)p, (__m256i)x); }
static inline u32x splat_u32(uint32_t a) { return (u32x)_mm256_set1_epi32((int32_t)a); }
static inline u64x splat_u64(uint64_t a) { return (u64x)_mm256_set1_epi64x((int64_t)a); }
static inline u32x bits_f32(f32x x) { return (u32x)x; }
static inline u64x bits_f64(f64x x) { return (u64x)x; }
static inline f32x from_bits_f32(u32x x) { return (f32x)x; }
static inline f64x from_bits_f64(u64x x) { return (f64x)x; }
static inline u64x multiply_low_u64(u64x a, u64x b) { return (u64x)_mm256_mul_epu32((__m256i)a, (__m256i)b); }
static inline int any_u64(u64x x) { return !_mm256_testz_si256((__m256i)x, (__m256i)x); }
static inline u32x codes_u32(const uint8_t *genome, ptrdiff_t i) {
    int32_t bytes;
    memcpy(&bytes, genome + i / 2, sizeof bytes);
    return (u32x)_mm256_srlv_epi32(_mm256_set1_epi32(bytes), _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28));
}
static inline u64x lookup16_u8(const uint8_t *table, u64x index) {
    __m256i entries = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)table));
    return (u64x)_mm256_shuffle_epi8(entries, (__m256i)index);
}
static inline f32x lookup8_f32(const float *table, u32x index) {
    /* from a register: Zen 3 takes a cycle then, and two where the instruction reads the table from memory */
    f32x found;
    __asm__("vpermps %1, %2, %0" : "=x"(found) : "x"(load_f32(table)), "x"(index));
    return found;
}
static inline f32x lookup16_f32(const float *table, u32x index) {
    return _mm256_blendv_ps(lookup8_f32(table, index), lookup8_f32(table + 8, index), (__m256)(index << 28));
}
static inline f64x lookup4_f64(const double *table, u64x index) {
    /* both halves of a number, at twice its index and one further */
    u32x place = (u32x)_mm256_shuffle_epi32((__m256i)(index << 1), 0xA0) + (u32x)splat_u64(1ull << 32);
    return (f64x)lookup8_f32((const float *)table, place);
}
static inline f64x lookup8_f64(const double *table, u64x index) {
    return _mm256_blendv_pd(lookup4_f64(table, index), lookup4_f64(table + 4, index), (__m256d)(index << 61));
}
static inline void transposed_u32(const uint32_t *p, u32x *y) {
    __m256i a = (__m256i)load_u32(p), b = (__m256i)load_u32(p + 16);
    __m256i c = (__m256i)load_u32(p + 32), d = (__m256i)load_u32(p + 48);
    __m256i ab = _mm256_unpacklo_epi32(a, b), cd = _mm256_unpacklo_epi32(c, d);
    y[0] = (u32x)_mm256_unpacklo_epi64(ab, cd), y[1] = (u32x)_mm256_unpackhi_epi64(ab, cd);
    ab = _mm256_unpackhi_epi32(a, b), cd = _mm256_unpackhi_epi32(c, d);
    y[2] = (u32x)_mm256_unpacklo_epi64(ab, cd), y[3] = (u32x)_mm256_unpackhi_epi64(ab, cd);
}
static inline u32x dot_i16(u32x w, u32x x, u32x sum) {
    /* one after the other, since GCC would compute all products of a loop before it adds them, and spill them */
    u32x product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(product) : "x"(w), "xm"(x));
    return sum;
}
static inline u32x pair_products_u8(u32x w, u32x x) { return (u32x)_mm256_maddubs_epi16((__m256i)w, (__m256i)x); }
static inline u32x dot_u8(const u32x *w, const uint32_t *x, int registers, int shift, u32x sum) {
    /* four registers of products add up to 8 * 32 * 127 or -8 * 32 * 128, which 16 bits hold, and so do eight of half of
     * that; see dot_i16 */
    u32x products = pair_products_u8(w[0], load_u32(x)), next;
    for (int k = 1; k < registers; k++)
        __asm__("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(products), "=&x"(next)
                : "x"(w[k]), "xm"(load_u32(x + k * F32_LANES)));
    return sum + (u32x)_mm256_madd_epi16((__m256i)products, _mm256_set1_epi16((int16_t)(1 << shift)));
}
/* Four sums in turn: additions to one sum wait for each other, and of a single sum no more than one is done in a cycle, in
 * which two products are. */
#define ADD_IN_TURN(MULTIPLY, ADD, w, x, one, two, sums) do { \
        u32x product, other; \
        __asm__(MULTIPLY " %7, %6, %4\n\t" MULTIPLY " %8, %6, %5\n\t" ADD " %4, %0, %0\n\t" ADD " %5, %1, %1\n\t" \
                MULTIPLY " %9, %6, %4\n\t" MULTIPLY " %10, %6, %5\n\t" ADD " %4, %2, %2\n\t" ADD " %5, %3, %3" \
                : "+x"((sums)[0]), "+x"((sums)[1]), "+x"((sums)[2]), "+x"((sums)[3]), "=&x"(product), "=&x"(other) \
                : "x"(w), "xm"(load_u32(x)), "xm"(load_u32((x) + (one))), "xm"(load_u32((x) + (two))), \
                  "xm"(load_u32((x) + (one) + (two)))); \
    } while (0)
static inline void dots_i16(const u32x *w, const uint32_t *x, ptrdiff_t step, int registers, u32x *sums) {
    for (int k = 0; k < registers; k++, x += F32_LANES)
        ADD_IN_TURN("vpmaddwd", "vpaddd", w[k], x, step, 2 * step, sums);
}
static inline void dots_u8(const u32x *w, const uint32_t *x, ptrdiff_t step, int rows, int registers, int at_once,
                           int planes, u32x *sums) {
    const ptrdiff_t one = planes == 2 ? registers * F32_LANES : step, two = planes == 2 ? step : 2 * step;
    (void)rows;
    for (int first = 0; first < registers; first += at_once) {
        const uint32_t *at = x + first * F32_LANES;
        u32x products[4] = {pair_products_u8(w[first], load_u32(at)), pair_products_u8(w[first], load_u32(at + one)),
                            pair_products_u8(w[first], load_u32(at + two)),
                            pair_products_u8(w[first], load_u32(at + two + one))};
        for (int k = 1; k < at_once && k < registers; k++) {
            at += F32_LANES;
            ADD_IN_TURN("vpmaddubsw", "vpaddw", w[first + k], at, one, two, products);
        }
        for (int i = 0; i < 4; i++)
            sums[i / planes] += (u32x)_mm256_madd_epi16(
                (__m256i)products[i], _mm256_set1_epi16((int16_t)(planes == 2 && i % 2 == 0 ? 256 : 1)));
    }
}
static inline void add_products_i16(const uint32_t *w, const u32x *x, u32x *sums) {
    sums[0] += (u32x)_mm256_madd_epi16((__m256i)splat_u32(*w), (__m256i)x[0]);
    sums[1] += (u32x)_mm256_madd_epi16((__m256i)splat_u32(*w), (__m256i)x[1]);
}
static inline f32x round_i32_f32(u32x x) { return _mm256_cvtepi32_ps((__m256i)x); }

static inline u32x where_less_i32(u32x a, u32x b, u32x yes, u32x no) {
    return (u32x)_mm256_blendv_epi8((__m256i)no, (__m256i)yes, _mm256_cmpgt_epi32((__m256i)b, (__m256i)a));
}
static inline u64x where_less_i64(u64x a, u64x b, u64x yes, u64x no) {
    return (u64x)_mm256_blendv_epi8((__m256i)no, (__m256i)yes, _mm256_cmpgt_epi64((__m256i)b, (__m256i)a));
}
static inline u32x at_most_i32(u32x x, u32x high) { return (u32x)_mm256_min_epi32((__m256i)x, (__m256i)high); }
static inline u64x at_most_i64(u64x x, u64x high) { return where_less_i64(x, high, x, high); }
static inline u32x at_least_i32(u32x x, u32x low) { return (u32x)_mm256_max_epi32((__m256i)x, (__m256i)low); }
static inline u64x at_least_i64(u64x x, u64x low) { return where_less_i64(x, low, low, x); }

/* narrower unsigned numbers: widened in one instruction, narrowed by gathering each half's bytes and then the halves */
static inline u32x widen_u8_u32(const uint8_t *p) { return (u32x)_mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)p)); }
static inline u32x widen_u16_u32(const uint16_t *p) {
    return (u32x)_mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p));
}
static inline u64x widen_u8_u64(const uint8_t *p) {
    int32_t four;
    memcpy(&four, p, sizeof four);
    return (u64x)_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(four));
}
static inline u64x widen_u16_u64(const uint16_t *p) {
    return (u64x)_mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)p));
}
static inline u64x widen_u32_u64(const uint32_t *p) {
    return (u64x)_mm256_cvtepu32_epi64(_mm_loadu_si128((const __m128i *)p));
}
static inline void narrow_u32_u8(uint8_t *p, u32x x) {
    __m256i bytes = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi32(0x0C080400));
    _mm_storel_epi64((__m128i *)p, _mm256_castsi256_si128(
        _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 0, 0, 0, 0, 0, 0))));
}
static inline void narrow_u32_u16(uint16_t *p, u32x x) {
    __m256i pairs = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi64x(0x0D0C090805040100));
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(_mm256_permute4x64_epi64(pairs, 0x08)));
}
static inline void narrow_u64_u8(uint8_t *p, u64x x) {
    __m256i bytes = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi16(0x0800));
    int32_t four = _mm256_extract_epi16(bytes, 0) | (int32_t)((uint32_t)_mm256_extract_epi16(bytes, 8) << 16);
    memcpy(p, &four, sizeof four);
}
static inline void narrow_u64_u16(uint16_t *p, u64x x) {
    __m256i pairs = _mm256_shuffle_epi8((__m256i)x, _mm256_set1_epi32(0x09080100));
    _mm_storel_epi64((__m128i *)p, _mm256_castsi256_si128(
        _mm256_permutevar8x32_epi32(pairs, _mm256_setr_epi32(0, 4, 0, 0, 0, 0, 0, 0))));
}
static inline void narrow_u64_u32(uint32_t *p, u64x x) {
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(
        _mm256_permutevar8x32_epi32((__m256i)x, _mm256_setr_epi32(0, 2, 4, 6, 0, 0, 0, 0))));
}

/* 16-bit formats */
static inline void copy_part_u16(uint16_t *to, const uint16_t *from, ptrdiff_t n) {
    uint64_t first = n & 1 ? from[n - 1] : 0, last = 0;
    uint32_t two;
    if (n & 2) {
        memcpy(&two, from + (n & 4), sizeof two);
        first = first << 32 | two;
    }
    if (n & 4) {
        last = first;
        memcpy(&first, from, sizeof first);
    }
    _mm_storeu_si128((__m128i *)to, _mm_set_epi64x((long long)last, (long long)first));
}
static inline f32x load_float16(const uint16_t *p) { return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)p)); }
static inline void store_float16(uint16_t *p, f32x x) {
    _mm_storeu_si128((__m128i *)p, _mm256_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32x load_bfloat16(const uint16_t *p) {
    /* both halves are loaded in both places, and each picks its own: one instruction beside the load */
    __m256i places = _mm256_setr_epi8(-1, -1, 0, 1, -1, -1, 2, 3, -1, -1, 4, 5, -1, -1, 6, 7,
                                      -1, -1, 8, 9, -1, -1, 10, 11, -1, -1, 12, 13, -1, -1, 14, 15);
    __m256i codes = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)p));
    return _mm256_castsi256_ps(_mm256_shuffle_epi8(codes, places));
}
/* The upper half of each lane is a bfloat16, rounded to nearest even by integers: what is added to an even one is less
 * by 1. A NaN keeps its head, made quiet. */
static inline __m256i rounded_number(f32x x) {
    __m256i bits = _mm256_castps_si256(x);
    __m256i even = _mm256_cmpeq_epi32(_mm256_and_si256(bits, _mm256_set1_epi32(0x10000)), _mm256_setzero_si256());
    return _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x8000)), even);
}
static inline __m256i rounded_bfloat16(f32x x) {
    __m256i quiet = _mm256_or_si256(_mm256_castps_si256(x), _mm256_set1_epi32(0x00400000));
    __m256i nan = _mm256_castps_si256(_mm256_cmp_ps(x, x, _CMP_UNORD_Q));
    return _mm256_blendv_epi8(rounded_number(x), quiet, nan);
}
static inline void store_bfloat16(uint16_t *p, f32x x) {
    __m256i heads = _mm256_srli_epi32(rounded_bfloat16(x), 16);
    heads = _mm256_permute4x64_epi64(_mm256_packus_epi32(heads, heads), 0x08);
    _mm_storeu_si128((__m128i *)p, _mm256_castsi256_si128(heads));
}
static inline void store_bfloat16_pair(uint16_t *p, f32x x, f32x next) {
    /* two registers fill one, and one question looks for a NaN in both */
    __m256i first = rounded_number(x), second = rounded_number(next);
    if (__builtin_expect(_mm256_movemask_ps(_mm256_cmp_ps(x, next, _CMP_UNORD_Q)), 0))
        first = rounded_bfloat16(x), second = rounded_bfloat16(next);
    __m256i heads = _mm256_packus_epi32(_mm256_srli_epi32(first, 16), _mm256_srli_epi32(second, 16));
    _mm256_storeu_si256((__m256i *)p, _mm256_permute4x64_epi64(heads, 0xD8));
}

/* arithmetic */
static inline f32x fma_f32(f32x a, f32x b, f32x c) { return _mm256_fmadd_ps(a, b, c); }
static inline f64x fma_f64(f64x a, f64x b, f64x c) { return _mm256_fmadd_pd(a, b, c); }
static inline f64x add_product_f64(f64x a, f64x b, f64x c) { return _mm256_fmadd_pd(a, b, c); }
/* A product that may be subnormal: a multiplication whose product is takes Zen 4 some 35 cycles, an fma none of them. */
static inline f32x scale_down_f32(f32x x, f32x power) { return _mm256_fmadd_ps(x, power, _mm256_set1_ps(-0.0f)); }
static inline f64x scale_down_f64(f64x x, f64x power) { return _mm256_fmadd_pd(x, power, _mm256_set1_pd(-0.0)); }
static inline f32x square_root_f32(f32x x) { return _mm256_sqrt_ps(x); }
static inline f64x square_root_f64(f64x x) { return _mm256_sqrt_pd(x); }
static inline double sum_f64(f64x x) {
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(x), _mm256_extractf128_pd(x, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
static inline f32x at_least_f32(f32x x, f32x low) { return _mm256_max_ps(low, x); }
static inline f64x at_least_f64(f64x x, f64x low) { return _mm256_max_pd(low, x); }
static inline f32x at_most_f32(f32x x, f32x high) { return _mm256_min_ps(high, x); }
static inline f64x at_most_f64(f64x x, f64x high) { return _mm256_min_pd(high, x); }
static inline f32x magnitude_f32(f32x x) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), x); }
static inline f64x magnitude_f64(f64x x) { return _mm256_andnot_pd(_mm256_set1_pd(-0.0), x); }
static inline f32x with_sign_f32(f32x x, f32x sign) {
    f32x s = _mm256_set1_ps(-0.0f);
    return _mm256_or_ps(_mm256_andnot_ps(s, x), _mm256_and_ps(s, sign));
}
static inline f64x with_sign_f64(f64x x, f64x sign) {
    f64x s = _mm256_set1_pd(-0.0);
    return _mm256_or_pd(_mm256_andnot_pd(s, x), _mm256_and_pd(s, sign));
}
static inline f32x where_less_f32(f32x a, f32x b, f32x yes, f32x no) {
    return _mm256_blendv_ps(no, yes, _mm256_cmp_ps(a, b, _CMP_LT_OQ));
}
static inline f64x where_less_f64(f64x a, f64x b, f64x yes, f64x no) {
    return _mm256_blendv_pd(no, yes, _mm256_cmp_pd(a, b, _CMP_LT_OQ));
}
static inline int any_less_f32(f32x a, f32x b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)) != 0; }
static inline int all_less_f32(f32x a, f32x b) { return _mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ)) == 0xFF; }
static inline int all_less_f64(f64x a, f64x b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)) == 0xF; }
static inline int any_less_f64(f64x a, f64x b) { return _mm256_movemask_pd(_mm256_cmp_pd(a, b, _CMP_LT_OQ)) != 0; }

/* exponents: adding 1.5 * 2^(precision - 1) + bias puts the biased integer into the low bits */
static inline f32x power2_f32(f32x n) {
    n = _mm256_max_ps(n, _mm256_set1_ps(-127.0f));
    __m256i biased = _mm256_castps_si256(_mm256_add_ps(n, _mm256_set1_ps(12582912.0f + 127.0f)));
    return _mm256_castsi256_ps(_mm256_slli_epi32(biased, 23));
}
static inline f64x power2_f64(f64x n) {
    n = _mm256_max_pd(n, _mm256_set1_pd(-1023.0));
    __m256i biased = _mm256_castpd_si256(_mm256_add_pd(n, _mm256_set1_pd(6755399441055744.0 + 1023.0)));
    return _mm256_castsi256_pd(_mm256_slli_epi64(biased, 52));
}
static inline f32x scale2_f32(f32x x, f32x n) {
    /* 2^n itself where all are normal numbers, and two factors where not */
    __m256 usual = _mm256_cmp_ps(magnitude_f32(n), _mm256_set1_ps(126.0f), _CMP_LE_OQ);
    if (_mm256_movemask_ps(usual) == 0xFF) return _mm256_mul_ps(x, power2_f32(n));
    n = _mm256_min_ps(_mm256_max_ps(n, _mm256_set1_ps(-250.0f)), _mm256_set1_ps(250.0f));
    f32x half = _mm256_round_ps(_mm256_mul_ps(n, _mm256_set1_ps(0.5f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return scale_down_f32(scale_down_f32(x, power2_f32(half)), power2_f32(_mm256_sub_ps(n, half)));
}
static inline f64x scale2_f64(f64x x, f64x n) {
    __m256d usual = _mm256_cmp_pd(magnitude_f64(n), _mm256_set1_pd(1022.0), _CMP_LE_OQ);
    if (_mm256_movemask_pd(usual) == 0xF) return _mm256_mul_pd(x, power2_f64(n));
    n = _mm256_min_pd(_mm256_max_pd(n, _mm256_set1_pd(-2040.0)), _mm256_set1_pd(2040.0));
    f64x half = _mm256_round_pd(_mm256_mul_pd(n, _mm256_set1_pd(0.5)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    return scale_down_f64(scale_down_f64(x, power2_f64(half)), power2_f64(_mm256_sub_pd(n, half)));
}
static inline f32x exponent_f32(f32x x) {
    x = magnitude_f32(x);
    f32x tiny = _mm256_cmp_ps(x, _mm256_set1_ps(0x1p-126f), _CMP_LT_OQ);
    f32x scaled = _mm256_blendv_ps(x, _mm256_mul_ps(x, _mm256_set1_ps(0x1p24f)), tiny);
    f32x field = _mm256_cvtepi32_ps(_mm256_srli_epi32(_mm256_castps_si256(scaled), 23));
    return _mm256_sub_ps(field, _mm256_blendv_ps(_mm256_set1_ps(127.0f), _mm256_set1_ps(151.0f), tiny));
}
static inline f64x exponent_f64(f64x x) {
    x = magnitude_f64(x);
    f64x tiny = _mm256_cmp_pd(x, _mm256_set1_pd(0x1p-1022), _CMP_LT_OQ);
    f64x scaled = _mm256_blendv_pd(x, _mm256_mul_pd(x, _mm256_set1_pd(0x1p53)), tiny);
    __m256i field = _mm256_srli_epi64(_mm256_castpd_si256(scaled), 52);
    f64x whole = _mm256_castsi256_pd(_mm256_or_si256(field, _mm256_castpd_si256(_mm256_set1_pd(0x1p52))));
    whole = _mm256_sub_pd(whole, _mm256_set1_pd(0x1p52));
    return _mm256_sub_pd(whole, _mm256_blendv_pd(_mm256_set1_pd(1023.0), _mm256_set1_pd(1076.0), tiny));
}
