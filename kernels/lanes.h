/* The register types f32x, f64x and u32x of the instruction set this file is compiled for.
 *
 * setup.py compiles every module once per level and names the level with one macro. A level's header
 * defines the types, the number of lanes and the primitives that lanes.pxd declares, each with the same
 * meaning and, bit for bit, the same result. No mathematics lives here.
 */
#ifndef LANEWISE_LANES_H
#define LANEWISE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(LANEWISE_AVX512)
#include "lanes/avx512.h"
#elif defined(LANEWISE_AVX2)
#include "lanes/avx2.h"
#elif defined(LANEWISE_NEON)
#include "lanes/neon.h"
#else
#include "lanes/baseline.h"
#endif

#include "lanes/environment.h"

#endif
