/* x86-64-v4: 16 float32 or 8 float64 in a register; a partial access is a masked one. */
#include "intrinsics.h"

typedef __m512 f32x;
typedef __m512d f64x;
typedef uint32_t u32x __attribute__((vector_size(64)));
typedef uint64_t u64x __attribute__((vector_size(64)));
enum { F32_LANES = 16, F64_LANES = 8, REGISTERS = 32, LOOKUP_FLOATS = 16, SCALE2_IS_CHEAP = 1 };

static inline __mmask16 first_f32(ptrdiff_t n) { return (__mmask16)((1u << n) - 1); }
static inline __mmask8 first_f64(ptrdiff_t n) { return (__mmask8)((1u << n) - 1); }

/* memory */
static inline f32x load_f32(const float *p) { return _mm512_loadu_ps(p); }
static inline f64x load_f64(const double *p) { return _mm512_loadu_pd(p); }
static inline f32x load_part_f32(const float *p, ptrdiff_t n) { return _mm512_maskz_loadu_ps(first_f32(n), p); }
static inline f64x load_part_f64(const double *p, ptrdiff_t n) { return _mm512_maskz_loadu_pd(first_f64(n), p); }
static inline f32x first_lanes_f32(f32x x, ptrdiff_t n) { return _mm512_maskz_mov_ps(first_f32(n), x); }
static inline f64x first_lanes_f64(f64x x, ptrdiff_t n) { return _mm512_maskz_mov_pd(first_f64(n), x); }
static inline void store_f32(float *p, f32x x) { _mm512_storeu_ps(p, x); }
static inline void store_f64(double *p, f64x x) { _mm512_storeu_pd(p, x); }
static inline void store_part_f32(float *p, f32x x, ptrdiff_t n) { _mm512_mask_storeu_ps(p, first_f32(n), x); }
static inline void store_part_f64(double *p, f64x x, ptrdiff_t n) { _mm512_mask_storeu_pd(p, first_f64(n), x); }
static inline void stream_f32(float *p, f32x x) { _mm512_stream_ps(p, x); }
static inline void stream_f64(double *p, f64x x) { _mm512_stream_pd(p, x); }
static inline void end_stream(void) { _mm_sfence(); }
static inline f32x splat_f32(float a) { return _mm512_set1_ps(a); }
static inline f64x splat_f64(double a) { return _mm512_set1_pd(a); }

/* float32 to float64, and two registers interleaved */
static inline f64x wide_sum_f32(const float *p, const float *q) {
    return _mm512_cvtps_pd(_mm256_add_ps(_mm256_loadu_ps(p), _mm256_loadu_ps(q)));
}
static inline f64x wide_f32(const float *p) { return _mm512_cvtps_pd(_mm256_loadu_ps(p)); }
static inline void narrow_f64_f32(float *p, f64x x) { _mm256_storeu_ps(p, _mm512_cvtpd_ps(x)); }
static inline void wide_halves_f32(f32x x, f64x *wide) {
    wide[0] = _mm512_cvtps_pd(_mm512_castps512_ps256(x));
    wide[1] = _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(x), 1)));
}
static inline f32x narrow_halves(const f64x *x) {
    __m512d low = _mm512_castps_pd(_mm512_castps256_ps512(_mm512_cvtpd_ps(x[0])));
    return _mm512_castpd_ps(_mm512_insertf64x4(low, _mm256_castps_pd(_mm512_cvtpd_ps(x[1])), 1));
}
static inline __m256 two_products(const float *x, const float *y) {
    __m256 product = _mm256_mul_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(y));
    return _mm256_fmadd_ps(_mm256_loadu_ps(x + 16), _mm256_loadu_ps(y + 16), product);
}
static inline void fold_products_f32(const float *x, const float *y, f64x *sums) {
    /* by halves of registers from the start: the whole ones cross a line of the cache wherever x is not aligned, for
     * which Zen 4 waits long where that line is not in the first cache */
    *sums = _mm512_add_pd(*sums, _mm512_cvtps_pd(_mm256_add_ps(two_products(x, y), two_products(x + 8, y + 8))));
}
static inline f64x wide_part_f32(const float *p, ptrdiff_t n) {
    return _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first_f64(n), p));
}
static inline f32x zip_low_f32(f32x a, f32x b) {
    __m512i order = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
    return _mm512_permutex2var_ps(a, order, b);
}
static inline f32x zip_high_f32(f32x a, f32x b) {
    __m512i order = _mm512_setr_epi32(8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
    return _mm512_permutex2var_ps(a, order, b);
}
static inline f64x zip_low_f64(f64x a, f64x b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11), b);
}
static inline f64x zip_high_f64(f64x a, f64x b) {
    return _mm512_permutex2var_pd(a, _mm512_setr_epi64(4, 12, 5, 13, 6, 14, 7, 15), b);
}
static inline void turn_quads(__m512 *x) {
    /* each quarter by itself: number k of register r becomes number r of register k */
    __m512 low = _mm512_unpacklo_ps(x[0], x[1]), high = _mm512_unpackhi_ps(x[0], x[1]);
    __m512 other_low = _mm512_unpacklo_ps(x[2], x[3]), other_high = _mm512_unpackhi_ps(x[2], x[3]);
    x[0] = _mm512_shuffle_ps(low, other_low, 0x44), x[1] = _mm512_shuffle_ps(low, other_low, 0xEE);
    x[2] = _mm512_shuffle_ps(high, other_high, 0x44), x[3] = _mm512_shuffle_ps(high, other_high, 0xEE);
}
static inline void load_turned_f32(const char *p, ptrdiff_t step, f32x *y) {
    for (int k = 0; k < 4; k++, p += step) {
        /* by halves, since an insertion takes a 512-bit register twice as long */
        __m256 x = _mm256_set_m128(_mm_loadu_ps((const float *)(p + 4 * step)), _mm_loadu_ps((const float *)p));
        __m256 z = _mm256_set_m128(_mm_loadu_ps((const float *)(p + 12 * step)),
                                   _mm_loadu_ps((const float *)(p + 8 * step)));
        y[k] = _mm512_insertf32x8(_mm512_castps256_ps512(x), z, 1);
    }
    turn_quads(y);
}
static inline void store_turned_f32(char *p, ptrdiff_t step, f32x *y) {
    turn_quads(y);
    for (int k = 0; k < 4; k++, p += step) {
        _mm_storeu_ps((float *)p, _mm512_castps512_ps128(y[k]));
        _mm_storeu_ps((float *)(p + 4 * step), _mm512_extractf32x4_ps(y[k], 1));
        _mm_storeu_ps((float *)(p + 8 * step), _mm512_extractf32x4_ps(y[k], 2));
        _mm_storeu_ps((float *)(p + 12 * step), _mm512_extractf32x4_ps(y[k], 3));
    }
}
static inline void store_turned_eight_f32(char *p, ptrdiff_t step, f32x *y) {
    turn_quads(y), turn_quads(y + 4);
    for (int k = 0; k < 4; k++, p += step) { /* even rows, and odd ones, of both quads */
        __m512 even = _mm512_mask_shuffle_f32x4(y[k], 0xF0F0, y[k + 4], y[k + 4], 0xB1);
        __m512 odd = _mm512_mask_shuffle_f32x4(y[k + 4], 0x0F0F, y[k], y[k], 0xB1);
        _mm256_storeu_ps((float *)p, _mm512_castps512_ps256(even));
        _mm256_storeu_ps((float *)(p + 4 * step), _mm512_castps512_ps256(odd));
        _mm256_storeu_ps((float *)(p + 8 * step), _mm512_extractf32x8_ps(even, 1));
        _mm256_storeu_ps((float *)(p + 12 * step), _mm512_extractf32x8_ps(odd, 1));
    }
}

/* integers: the operators of C work lane by lane on these types */
static inline u32x load_u32(const uint32_t *p) { return (u32x)_mm512_loadu_si512(p); }
static inline u64x load_u64(const uint64_t *p) { return (u64x)_mm512_loadu_si512(p); }
static inline void store_u32(uint32_t *p, u32x x) { _mm512_storeu_si512(p, (__m512i)x); }
static inline void store_u64(uint64_t *p, u64x x) { _mm512_storeu_si512(p, (__m512i)x); }
static inline u32x splat_u32(uint32_t a) { return (u32x)_mm512_set1_epi32((int32_t)a); }
static inline u64x splat_u64(uint64_t a) { return (u64x)_mm512_set1_epi64((int64_t)a); }
static inline u32x where_other_u32(u32x a, u32x b, u32x mask) {
    return (u32x)_mm512_ternarylogic_epi32((__m512i)a, (__m512i)b, (__m512i)mask, 0x28);
}
static inline u32x bits_f32(f32x x) { return (u32x)x; }
static inline u64x bits_f64(f64x x) { return (u64x)x; }
static inline f32x from_bits_f32(u32x x) { return (f32x)x; }
static inline f64x from_bits_f64(u64x x) { return (f64x)x; }
static inline u64x multiply_low_u64(u64x a, u64x b) { return (u64x)_mm512_mul_epu32((__m512i)a, (__m512i)b); }
static inline int any_u64(u64x x) { return _mm512_test_epi64_mask((__m512i)x, (__m512i)x) != 0; }
static inline u32x codes_u32(const uint8_t *genome, ptrdiff_t i) {
    __m512i bytes = _mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)(genome + i / 2)));
    return (u32x)_mm512_or_si512(bytes, _mm512_slli_epi64(bytes, 28));
}
static inline u64x lookup16_u8(const uint8_t *table, u64x index) {
    __m512i entries = _mm512_broadcast_i32x4(_mm_loadu_si128((const __m128i *)table));
    return (u64x)_mm512_shuffle_epi8(entries, (__m512i)index);
}
static inline f32x lookup8_f32(const float *table, u32x index) {
    return _mm512_permutexvar_ps((__m512i)index, _mm512_broadcast_f32x8(_mm256_loadu_ps(table)));
}
static inline f32x lookup16_f32(const float *table, u32x index) {
    return _mm512_permutexvar_ps((__m512i)index, _mm512_loadu_ps(table));
}
static inline f64x lookup4_f64(const double *table, u64x index) {
    return _mm512_permutexvar_pd((__m512i)index, _mm512_broadcast_f64x4(_mm256_loadu_pd(table)));
}
static inline f64x lookup8_f64(const double *table, u64x index) {
    return _mm512_permutexvar_pd((__m512i)index, _mm512_loadu_pd(table));
}
#ifdef LANEWISE_AVX512VNNI
static inline void add_products_i16(const uint32_t *w, const u32x *x, u32x *sums) {
    /* in this order, since GCC would broadcast all weights of a loop first, and spill sums for them */
    u32x weights;
    __asm__("vpbroadcastd %3, %2\n\tvpdpwssd %4, %2, %0\n\tvpdpwssd %5, %2, %1"
            : "+&v"(sums[0]), "+v"(sums[1]), "=&v"(weights) : "m"(*w), "v"(x[0]), "v"(x[1]));
}
enum { BYTES_ARE_FAST = 1 };
static inline void add_products_u8(const uint32_t *w, const u32x *x, u32x *sums) {
    __asm__("vpdpbusd %2%{1to16%}, %3, %0\n\tvpdpbusd %2%{1to16%}, %4, %1"
            : "+&v"(sums[0]), "+v"(sums[1]) : "m"(*w), "v"(x[0]), "v"(x[1]));
}
static inline u32x dot_i16(u32x w, u32x x, u32x sum) {
    return (u32x)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)w, (__m512i)x);
}
#else
static inline void add_products_i16(const uint32_t *w, const u32x *x, u32x *sums) {
    /* In this order, since GCC would compute all products of a loop before it adds them, and spill them. Two and two,
     * because Zen 4 multiplies in two of the four pipes that add: 1.12 cycles for a register, 1.35 one by one. */
    u32x first, second;
    __asm__("vpbroadcastd %4, %2\n\tvpmaddwd %6, %2, %3\n\tvpmaddwd %5, %2, %2\n\t"
            "vpaddd %3, %1, %1\n\tvpaddd %2, %0, %0"
            : "+&v"(sums[0]), "+v"(sums[1]), "=&v"(first), "=&v"(second) : "m"(*w), "v"(x[0]), "v"(x[1]));
}
static inline u32x dot_i16(u32x w, u32x x, u32x sum) {
    u32x product;
    __asm__("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+v"(sum), "=&v"(product) : "v"(w), "v"(x));
    return sum;
}
#endif
/* what was loaded, in a register: GCC would load it again for each use */
static inline __m512i held(u32x x) {
    __asm__("" : "+v"(x));
    return (__m512i)x;
}
static inline void transposed_u32(const uint32_t *p, u32x *y) {
    __m512i a = held(load_u32(p)), b = held(load_u32(p + 16)), c = held(load_u32(p + 32)), d = held(load_u32(p + 48));
    __m512i ab = _mm512_unpacklo_epi32(a, b), cd = _mm512_unpacklo_epi32(c, d);
    y[0] = (u32x)_mm512_unpacklo_epi64(ab, cd), y[1] = (u32x)_mm512_unpackhi_epi64(ab, cd);
    ab = _mm512_unpackhi_epi32(a, b), cd = _mm512_unpackhi_epi32(c, d);
    y[2] = (u32x)_mm512_unpacklo_epi64(ab, cd), y[3] = (u32x)_mm512_unpackhi_epi64(ab, cd);
}
static inline u32x pair_products_u8(u32x w, u32x x) { return (u32x)_mm512_maddubs_epi16((__m512i)w, (__m512i)x); }
#ifdef LANEWISE_AVX512VNNI
enum { UNSIGNED_MOST = 255, ABREAST = 2 };
static inline u32x dot_u8(const u32x *w, const uint32_t *x, int registers, int shift, u32x sum) {
    __m512i products = shift ? _mm512_setzero_si512() : (__m512i)sum;
    for (int k = 0; k < registers; k++)
        products = _mm512_dpbusd_epi32(products, (__m512i)w[k], (__m512i)load_u32(x + k * F32_LANES));
    return shift ? sum + ((u32x)products << shift) : (u32x)products;
}
/* Two outputs share what is loaded, since to load a register takes as long as to multiply it. */
static inline void dots_u8(const u32x *w, const uint32_t *x, ptrdiff_t step, int rows, int registers, int at_once,
                           int planes, u32x *sums) {
    __m512i totals[4], numbers;
    (void)at_once;
    for (int i = 0; i < ABREAST * rows; i++) totals[i] = planes == 2 ? _mm512_setzero_si512() : (__m512i)sums[i];
    for (int plane = 0; plane < planes; plane++) {
        for (int k = 0; k < registers; k++)
            for (int row = 0; row < rows; row++) {
                numbers = held(load_u32(x + row * step + (plane * registers + k) * F32_LANES));
                for (int o = 0; o < ABREAST; o++)
                    totals[o * rows + row] =
                        _mm512_dpbusd_epi32(totals[o * rows + row], (__m512i)w[o * registers + k], numbers);
            }
        for (int i = 0; plane + 1 < planes && i < ABREAST * rows; i++)
            totals[i] = (__m512i)(sums[i] + ((u32x)totals[i] << 8));
    }
    for (int i = 0; i < ABREAST * rows; i++) sums[i] = (u32x)totals[i];
}
/* The sums of even and of odd registers wait for each other less than one sum does. */
static inline void dots_of_row_u8(const u32x *w, const uint32_t *x, int registers, int at_once, int planes, int lift,
                                  u32x *sums) {
    __m512i totals[ABREAST][2], numbers;
    (void)at_once;
    for (int o = 0; o < ABREAST; o++) {
        totals[o][0] = planes == 2 ? _mm512_setzero_si512() : (__m512i)sums[o];
        totals[o][1] = _mm512_setzero_si512();
    }
    for (int plane = 0; plane < planes; plane++) {
        for (int k = 0; k < registers; k++) {
            numbers = held(load_u32(x + (plane * registers + k) * F32_LANES));
            for (int o = 0; o < ABREAST; o++)
                totals[o][k % 2] = _mm512_dpbusd_epi32(totals[o][k % 2], (__m512i)w[o * registers + k], numbers);
        }
        for (int o = 0; plane + 1 < planes && o < ABREAST; o++) {
            totals[o][0] = (__m512i)(sums[o] + ((u32x)totals[o][0] << 8));
            totals[o][1] = _mm512_slli_epi32(totals[o][1], 8);
        }
    }
    for (int o = 0; o < ABREAST; o++) sums[o] = (u32x)totals[o][0] + (u32x)_mm512_srai_epi32(totals[o][1], lift);
}
#else
enum { UNSIGNED_MOST = 32 };
static inline u32x dot_u8(const u32x *w, const uint32_t *x, int registers, int shift, u32x sum) {
    /* four registers of products add up to 8 * 32 * 127 or -8 * 32 * 128, which 16 bits hold, and so do eight of half of
     * that */
    __m512i products = (__m512i)pair_products_u8(w[0], load_u32(x));
    for (int k = 1; k < registers; k++)
        products = _mm512_add_epi16(products, (__m512i)pair_products_u8(w[k], load_u32(x + k * F32_LANES)));
    return sum + (u32x)_mm512_madd_epi16(products, _mm512_set1_epi16((int16_t)(1 << shift)));
}
#endif
static inline f32x round_i32_f32(u32x x) { return _mm512_cvtepi32_ps((__m512i)x); }

static inline u32x where_less_i32(u32x a, u32x b, u32x yes, u32x no) {
    return (u32x)_mm512_mask_blend_epi32(_mm512_cmplt_epi32_mask((__m512i)a, (__m512i)b), (__m512i)no, (__m512i)yes);
}
static inline u64x where_less_i64(u64x a, u64x b, u64x yes, u64x no) {
    return (u64x)_mm512_mask_blend_epi64(_mm512_cmplt_epi64_mask((__m512i)a, (__m512i)b), (__m512i)no, (__m512i)yes);
}
static inline u32x at_most_i32(u32x x, u32x high) { return (u32x)_mm512_min_epi32((__m512i)x, (__m512i)high); }
static inline u64x at_most_i64(u64x x, u64x high) { return (u64x)_mm512_min_epi64((__m512i)x, (__m512i)high); }
static inline u32x at_least_i32(u32x x, u32x low) { return (u32x)_mm512_max_epi32((__m512i)x, (__m512i)low); }
static inline u64x at_least_i64(u64x x, u64x low) { return (u64x)_mm512_max_epi64((__m512i)x, (__m512i)low); }

/* narrower unsigned numbers */
static inline u32x widen_u8_u32(const uint8_t *p) { return (u32x)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i *)p)); }
static inline u32x widen_u16_u32(const uint16_t *p) {
    return (u32x)_mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}
static inline u64x widen_u8_u64(const uint8_t *p) { return (u64x)_mm512_cvtepu8_epi64(_mm_loadl_epi64((const __m128i *)p)); }
static inline u64x widen_u16_u64(const uint16_t *p) {
    return (u64x)_mm512_cvtepu16_epi64(_mm_loadu_si128((const __m128i *)p));
}
static inline u64x widen_u32_u64(const uint32_t *p) {
    return (u64x)_mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)p));
}
static inline void narrow_u32_u8(uint8_t *p, u32x x) { _mm_storeu_si128((__m128i *)p, _mm512_cvtepi32_epi8((__m512i)x)); }
static inline void narrow_u32_u16(uint16_t *p, u32x x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16((__m512i)x));
}
static inline void narrow_u64_u8(uint8_t *p, u64x x) { _mm_storel_epi64((__m128i *)p, _mm512_cvtepi64_epi8((__m512i)x)); }
static inline void narrow_u64_u16(uint16_t *p, u64x x) {
    _mm_storeu_si128((__m128i *)p, _mm512_cvtepi64_epi16((__m512i)x));
}
static inline void narrow_u64_u32(uint32_t *p, u64x x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi64_epi32((__m512i)x));
}

/* 16-bit formats */
static inline void copy_part_u16(uint16_t *to, const uint16_t *from, ptrdiff_t n) {
    _mm256_storeu_si256((__m256i *)to, _mm256_maskz_loadu_epi16((__mmask16)((1u << n) - 1), from));
}
static inline f32x load_float16(const uint16_t *p) { return _mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)p)); }
static inline void store_float16(uint16_t *p, f32x x) {
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtps_ph(x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC));
}
static inline f32x load_bfloat16(const uint16_t *p) {
    /* each code to the upper half of its lane: one instruction beside the load */
    __m512i places = _mm512_set_epi32(15 << 16, 14 << 16, 13 << 16, 12 << 16, 11 << 16, 10 << 16, 9 << 16, 8 << 16,
                                      7 << 16, 6 << 16, 5 << 16, 4 << 16, 3 << 16, 2 << 16, 1 << 16, 0);
    __m512i codes = _mm512_castsi256_si512(_mm256_loadu_si256((const __m256i *)p));
    return _mm512_castsi512_ps(_mm512_maskz_permutexvar_epi16(0xAAAAAAAA, places, codes));
}
/* The upper half of each lane is a bfloat16, rounded to nearest even by integers (the CPU's own conversion flushes
 * subnormals). A NaN keeps its head, made quiet. */
static inline __m512i rounded_number(f32x x) {
    __m512i bits = _mm512_castps_si512(x), more = _mm512_add_epi32(bits, _mm512_set1_epi32(0x7FFF));
    return _mm512_mask_sub_epi32(more, _mm512_test_epi32_mask(bits, _mm512_set1_epi32(0x10000)), more,
                                 _mm512_set1_epi32(-1));
}
static inline __m512i rounded_bfloat16(f32x x) {
    return _mm512_mask_or_epi32(rounded_number(x), _mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), _mm512_castps_si512(x),
                                _mm512_set1_epi32(0x00400000));
}
static inline __m512i heads_of(__m512i first, __m512i second) {
    /* the upper halves of two registers, in one */
    __m512i heads = _mm512_set_epi32(63 << 16 | 61, 59 << 16 | 57, 55 << 16 | 53, 51 << 16 | 49, 47 << 16 | 45,
                                     43 << 16 | 41, 39 << 16 | 37, 35 << 16 | 33, 31 << 16 | 29, 27 << 16 | 25,
                                     23 << 16 | 21, 19 << 16 | 17, 15 << 16 | 13, 11 << 16 | 9, 7 << 16 | 5, 3 << 16 | 1);
    return _mm512_permutex2var_epi16(first, heads, second);
}
static inline void store_bfloat16(uint16_t *p, f32x x) {
    __m512i rounded = rounded_bfloat16(x);
    _mm256_storeu_si256((__m256i *)p, _mm512_castsi512_si256(heads_of(rounded, rounded)));
}
static inline void store_bfloat16_pair(uint16_t *p, f32x x, f32x next) {
    /* one question looks for a NaN in both */
    __m512i first = rounded_number(x), second = rounded_number(next);
    if (__builtin_expect(_mm512_cmp_ps_mask(x, next, _CMP_UNORD_Q), 0))
        first = rounded_bfloat16(x), second = rounded_bfloat16(next);
    _mm512_storeu_si512(p, heads_of(first, second));
}

/* arithmetic */
static inline f32x fma_f32(f32x a, f32x b, f32x c) { return _mm512_fmadd_ps(a, b, c); }
static inline f64x fma_f64(f64x a, f64x b, f64x c) { return _mm512_fmadd_pd(a, b, c); }
static inline f64x add_product_f64(f64x a, f64x b, f64x c) { return _mm512_fmadd_pd(a, b, c); }
static inline f32x scale_down_f32(f32x x, f32x power) { return _mm512_fmadd_ps(x, power, _mm512_set1_ps(-0.0f)); }
static inline f64x scale_down_f64(f64x x, f64x power) { return _mm512_fmadd_pd(x, power, _mm512_set1_pd(-0.0)); }
static inline f32x square_root_f32(f32x x) { return _mm512_sqrt_ps(x); }
static inline f64x square_root_f64(f64x x) { return _mm512_sqrt_pd(x); }
static inline double sum_f64(f64x x) {
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(x), _mm512_extractf64x4_pd(x, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}
static inline f32x at_least_f32(f32x x, f32x low) { return _mm512_max_ps(low, x); }
static inline f64x at_least_f64(f64x x, f64x low) { return _mm512_max_pd(low, x); }
static inline f32x at_most_f32(f32x x, f32x high) { return _mm512_min_ps(high, x); }
static inline f64x at_most_f64(f64x x, f64x high) { return _mm512_min_pd(high, x); }
static inline f32x magnitude_f32(f32x x) { return _mm512_abs_ps(x); }
static inline f64x magnitude_f64(f64x x) { return _mm512_abs_pd(x); }
static inline f32x with_sign_f32(f32x x, f32x sign) {
    __m512i s = _mm512_set1_epi32(INT32_MIN);
    return _mm512_castsi512_ps(
        _mm512_ternarylogic_epi32(s, _mm512_castps_si512(sign), _mm512_castps_si512(x), 0xCA));
}
static inline f64x with_sign_f64(f64x x, f64x sign) {
    __m512i s = _mm512_set1_epi64(INT64_MIN);
    return _mm512_castsi512_pd(
        _mm512_ternarylogic_epi64(s, _mm512_castpd_si512(sign), _mm512_castpd_si512(x), 0xCA));
}
static inline f32x where_less_f32(f32x a, f32x b, f32x yes, f32x no) {
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(a, b, _CMP_LT_OQ), no, yes);
}
static inline f64x where_less_f64(f64x a, f64x b, f64x yes, f64x no) {
    return _mm512_mask_blend_pd(_mm512_cmp_pd_mask(a, b, _CMP_LT_OQ), no, yes);
}
static inline int any_less_f32(f32x a, f32x b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ) != 0; }
static inline int all_less_f32(f32x a, f32x b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ) == 0xFFFF; }
static inline int all_less_f64(f64x a, f64x b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ) == 0xFF; }
static inline int any_less_f64(f64x a, f64x b) { return _mm512_cmp_pd_mask(a, b, _CMP_LT_OQ) != 0; }

/* exponents */
static inline f32x power2_f32(f32x n) { return _mm512_scalef_ps(_mm512_set1_ps(1.0f), n); }
static inline f64x power2_f64(f64x n) { return _mm512_scalef_pd(_mm512_set1_pd(1.0), n); }
static inline f32x scale2_f32(f32x x, f32x n) { return _mm512_scalef_ps(x, n); }
static inline f64x scale2_f64(f64x x, f64x n) { return _mm512_scalef_pd(x, n); }
static inline f32x ldexp_f32(f32x x, f32x n) { return _mm512_scalef_ps(x, n); }
static inline f64x ldexp_f64(f64x x, f64x n) { return _mm512_scalef_pd(x, n); }
static inline f32x exponent_f32(f32x x) { return _mm512_getexp_ps(x); }
static inline f64x exponent_f64(f64x x) { return _mm512_getexp_pd(x); }
