/* The register types f32x, f64x and u32x of the instruction set this file is compiled for.
 *
 * setup.py compiles every module once per level and names the level with one macro. A level's header
 * defines the types, the number of lanes and the primitives that __init__.pxd declares, each with the same
 * meaning and, bit for bit, the same result. No mathematics lives here.
 */
#ifndef LANEWISE_LANES_H
#define LANEWISE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "copies.h"

#if defined(LANEWISE_AVX512)
#include "avx512.h"
#elif defined(LANEWISE_AVX2)
#include "avx2.h"
#elif defined(LANEWISE_NEON)
#include "neon.h"
#else
#include "baseline.h"
#endif

#if !defined(LANEWISE_AVX2) && !defined(LANEWISE_AVX512)
static inline f32x scale_down_f32(f32x x, f32x power) { return x * power; }
static inline f64x scale_down_f64(f64x x, f64x power) { return x * power; }
#endif

#if !defined(LANEWISE_AVX512) /* which has an instruction for it */
/* a tiny x is lifted and a huge one lowered by a power of two, so that scale2 may take it */
static inline f32x ldexp_f32(f32x x, f32x n) {
    f32x size = magnitude_f32(x), no = splat_f32(0.0f);
    f32x lift = where_less_f32(size, splat_f32(0x1p-60f), splat_f32(64.0f),
                               where_less_f32(splat_f32(0x1p60f), size, splat_f32(-64.0f), no));
    return scale2_f32(x * power2_f32(lift), n - lift);
}
static inline f64x ldexp_f64(f64x x, f64x n) {
    f64x size = magnitude_f64(x), no = splat_f64(0.0);
    f64x lift = where_less_f64(size, splat_f64(0x1p-500), splat_f64(512.0),
                               where_less_f64(splat_f64(0x1p500), size, splat_f64(-512.0), no));
    return scale2_f64(x * power2_f64(lift), n - lift);
}
#endif

#if !defined(LANEWISE_AVX512VNNI) /* which has an instruction for it */
enum { BYTES_ARE_FAST = 0 };
static inline void add_products_u8(const uint32_t *w, const u32x *x, u32x *sums) {
    /* as pairs of the even bytes and of the odd ones */
    u32x even = splat_u32((uint16_t)(int8_t)*w | (uint32_t)(int8_t)(*w >> 16) << 16);
    u32x odd = splat_u32((uint16_t)(int8_t)(*w >> 8) | (uint32_t)(int8_t)(*w >> 24) << 16);
    for (int i = 0; i < 2; i++)
        sums[i] = dot_i16(odd, x[i] >> 8 & splat_u32(0xFF00FF), dot_i16(even, x[i] & splat_u32(0xFF00FF), sums[i]));
}
#endif

#if !defined(LANEWISE_AVX2) && !defined(LANEWISE_AVX512)
static inline void copy_part_u16(uint16_t *to, const uint16_t *from, ptrdiff_t n) {
    for (int k = 0; k < F32_LANES; k++) to[k] = k < n ? from[k] : 0;
}
static inline f32x first_lanes_f32(f32x x, ptrdiff_t n) {
    float values[F32_LANES];
    store_f32(values, x);
    return load_part_f32(values, n);
}
static inline f64x first_lanes_f64(f64x x, ptrdiff_t n) {
    double values[F64_LANES];
    store_f64(values, x);
    return load_part_f64(values, n);
}
#endif

#if !defined(LANEWISE_AVX2) && !defined(LANEWISE_AVX512) /* where these are few registers, which need no memory */
static inline void fold_products_f32(const float *x, const float *y, f64x *sums) {
    float folded[16];
    for (int k = 0; k < 16; k += F32_LANES)
        store_f32(folded + k, fma_f32(load_f32(x + k + 16), load_f32(y + k + 16), load_f32(x + k) * load_f32(y + k)));
    for (int k = 0; k < 8; k += F64_LANES)
        sums[k / F64_LANES] = sums[k / F64_LANES] + wide_sum_f32(folded + k, folded + 8 + k);
}
#endif

#if !defined(LANEWISE_AVX2) && !defined(LANEWISE_AVX512) /* where a register of results has room for two */
static inline void store_bfloat16_pair(uint16_t *p, f32x x, f32x next) {
    store_bfloat16(p, x);
    store_bfloat16(p + F32_LANES, next);
}
#endif

#if !defined(LANEWISE_AVX2) /* where several sums in turn take less time */
static inline void dots_i16(const u32x *w, const uint32_t *x, ptrdiff_t step, int registers, u32x *sums) {
    for (int row = 0; row < 4; row++)
        for (int k = 0; k < registers; k++) sums[row] = dot_i16(w[k], load_u32(x + row * step + k * F32_LANES), sums[row]);
}
#endif

#if !defined(LANEWISE_AVX512)
static inline u32x where_other_u32(u32x a, u32x b, u32x mask) { return (a ^ b) & mask; }
#endif

#if !defined(LANEWISE_AVX512VNNI)
enum { ABREAST = 1 };
static inline void dots_of_row_u8(const u32x *w, const uint32_t *x, int registers, int at_once, int planes, int lift,
                                  u32x *sums) {
    (void)lift; /* 0, where weights of one output alone are multiplied */
    for (int plane = 0; plane < planes; plane++)
        for (int k = 0; k < registers; k += at_once)
            sums[0] = dot_u8(w + k, x + (plane * registers + k) * F32_LANES, registers < at_once ? registers : at_once,
                             plane + 1 < planes ? 8 : 0, sums[0]);
}
#endif
#if !defined(LANEWISE_AVX2) && !defined(LANEWISE_AVX512VNNI)
static inline void dots_u8(const u32x *w, const uint32_t *x, ptrdiff_t step, int rows, int registers, int at_once,
                           int planes, u32x *sums) {
    for (int row = 0; row < rows; row++) dots_of_row_u8(w, x + row * step, registers, at_once, planes, 0, sums + row);
}
#endif

#include "environment.h"

#endif
