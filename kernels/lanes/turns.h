/* Work that threads share out among themselves, piece by piece: each takes the next piece that nobody has taken. */
#if defined(__GNUC__)
static inline ptrdiff_t next_turn(ptrdiff_t *turn) { return __atomic_fetch_add(turn, 1, __ATOMIC_RELAXED); }
#elif defined(_WIN64)
#include <intrin.h>
static inline ptrdiff_t next_turn(ptrdiff_t *turn) { return _InterlockedExchangeAdd64(turn, 1); }
#else /* where there is no OpenMP either */
static inline ptrdiff_t next_turn(ptrdiff_t *turn) { return (*turn)++; }
#endif
