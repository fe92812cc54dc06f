/* Narrow unsigned numbers to registers of wider ones and back: zeros come in above, what is above falls away.
 * Written once for all levels: compilers know the instruction for each conversion of whole vectors. */
#if defined(LANEWISE_AVX512) || defined(LANEWISE_AVX2) || defined(LANEWISE_NEON)
#define NARROW(bits, wide, lanes)                                                                             \
    typedef uint##bits##_t u##bits##_of_u##wide __attribute__((vector_size(lanes * bits / 8)));               \
    static inline u##wide##x widen_u##bits##_u##wide(const uint##bits##_t *p) {                               \
        u##bits##_of_u##wide narrow;                                                                          \
        memcpy(&narrow, p, sizeof narrow);                                                                    \
        return __builtin_convertvector(narrow, u##wide##x);                                                   \
    }                                                                                                         \
    static inline void narrow_u##wide##_u##bits(uint##bits##_t *p, u##wide##x x) {                            \
        u##bits##_of_u##wide narrow = __builtin_convertvector(x, u##bits##_of_u##wide);                       \
        memcpy(p, &narrow, sizeof narrow);                                                                    \
    }
#else
#define NARROW(bits, wide, lanes)                                                                             \
    static inline u##wide##x widen_u##bits##_u##wide(const uint##bits##_t *p) { return *p; }                  \
    static inline void narrow_u##wide##_u##bits(uint##bits##_t *p, u##wide##x x) { *p = (uint##bits##_t)x; }
#endif

#if defined(LANEWISE_AVX512)
#define LANES_OF_U32 16
#define LANES_OF_U64 8
#elif defined(LANEWISE_AVX2)
#define LANES_OF_U32 8
#define LANES_OF_U64 4
#else
#define LANES_OF_U32 4
#define LANES_OF_U64 2
#endif
NARROW(8, 32, LANES_OF_U32)
NARROW(16, 32, LANES_OF_U32)
NARROW(8, 64, LANES_OF_U64)
NARROW(16, 64, LANES_OF_U64)
NARROW(32, 64, LANES_OF_U64)
