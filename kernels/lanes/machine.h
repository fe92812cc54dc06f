/* What the machine at hand can run, asked at run time, and a hook for forked children. */
#include <stddef.h>

#ifdef _OPENMP
enum { HAS_OPENMP = 1 };
#else
enum { HAS_OPENMP = 0 };
#endif

#if (defined(__x86_64__) || defined(__i386__)) && defined(__GNUC__)
#include <cpuid.h>
static int has_f16c(void) {
    unsigned int a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c >> 29 & 1);
}
/* __builtin_cpu_supports also asks whether the operating system saves the wide registers */
static int supports(int feature) {
    __builtin_cpu_init();
    switch (feature) {
    case 0: return __builtin_cpu_supports("avx2") != 0;
    case 1: return __builtin_cpu_supports("fma") != 0;
    case 2: return __builtin_cpu_supports("bmi2") != 0;
    case 3: return __builtin_cpu_supports("avx2") && has_f16c();
    case 4: return __builtin_cpu_supports("avx512f") != 0;
    case 5: return __builtin_cpu_supports("avx512bw") != 0;
    case 6: return __builtin_cpu_supports("avx512cd") != 0;
    case 7: return __builtin_cpu_supports("avx512dq") != 0;
    case 8: return __builtin_cpu_supports("avx512vl") != 0;
    }
    return 0;
}
#elif defined(__aarch64__)
static int supports(int feature) { return feature == 9; }
#else
static int supports(int feature) { (void)feature; return 0; }
#endif

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
static int call_in_forked_child(void (*hook)(void)) { return pthread_atfork(NULL, NULL, hook); }
#else
static int call_in_forked_child(void (*hook)(void)) { (void)hook; return 0; }
#endif
