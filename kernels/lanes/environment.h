/* The floating-point environment: kernels run in the default one (round to nearest, subnormals kept,
 * nothing trapped) whatever the caller set, and leave the caller's as they found it, flags included. */
#if defined(__SSE2__)

#include <xmmintrin.h>
typedef unsigned int environment;
static inline environment enter_environment(void) {
    environment callers = _mm_getcsr();
    _mm_setcsr(0x1F80);
    return callers;
}
static inline void leave_environment(environment callers) { _mm_setcsr(callers); }

#elif defined(__aarch64__) && defined(__GNUC__)

typedef struct { uint64_t control, status; } environment;
static inline environment enter_environment(void) {
    environment callers;
    __asm__ volatile("mrs %0, fpcr\n\tmrs %1, fpsr" : "=r"(callers.control), "=r"(callers.status));
    __asm__ volatile("msr fpcr, xzr" ::: "memory");
    return callers;
}
static inline void leave_environment(environment callers) {
    __asm__ volatile("msr fpcr, %0\n\tmsr fpsr, %1" ::"r"(callers.control), "r"(callers.status) : "memory");
}

#else

#include <fenv.h>
typedef fenv_t environment;
static inline environment enter_environment(void) {
    environment callers;
    fegetenv(&callers);
    fesetenv(FE_DFL_ENV);
    return callers;
}
static inline void leave_environment(environment callers) { fesetenv(&callers); }

#endif
