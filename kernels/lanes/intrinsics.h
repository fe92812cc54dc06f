/* The intrinsics of AVX2 and AVX-512 that lanes/ uses. GCC's immintrin.h has those of all x86 processors, which take as
 * long to read as a small module to compile: of GCC only the parts that a level needs are read. */
#if !defined(__GNUC__) || defined(__clang__)
#include <immintrin.h>
#else
#include <smmintrin.h>
#define _IMMINTRIN_H_INCLUDED /* the parts ask for it */
#include <avxintrin.h>
#include <avx2intrin.h>
#include <f16cintrin.h>
#include <fmaintrin.h>
#if defined(LANEWISE_AVX512)
#include <avx512fintrin.h>
#include <avx512cdintrin.h>
#include <avx512vlintrin.h>
#include <avx512bwintrin.h>
#include <avx512dqintrin.h>
#include <avx512vlbwintrin.h>
#include <avx512vldqintrin.h>
#endif
#if defined(LANEWISE_AVX512VNNI)
#include <avx512vnniintrin.h>
#endif
#undef _IMMINTRIN_H_INCLUDED /* who wants them all may have them */
#endif
