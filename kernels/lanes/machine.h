/* What the machine at hand can run, asked at run time. */
#include <stddef.h>
#include <string.h>

#if defined(__x86_64__) || defined(_M_X64)

/* a feature is a bit of what the instruction CPUID says, and some also need the operating system to save the wide
 * registers, which is in the control register XCR0 */
enum { EAX, EBX, ECX, EDX };
enum { NO_STATE = 0, YMM_STATE = 0x6, ZMM_STATE = 0xE6 };
typedef struct {
    const char *name;
    unsigned leaf, reg, bit, state;
} cpu_feature;

static const cpu_feature CPU_FEATURES[] = {
    {"fma", 1, ECX, 12, YMM_STATE},        {"movbe", 1, ECX, 22, NO_STATE},
    {"f16c", 1, ECX, 29, YMM_STATE},       {"bmi1", 7, EBX, 3, NO_STATE},
    {"avx2", 7, EBX, 5, YMM_STATE},        {"bmi2", 7, EBX, 8, NO_STATE},
    {"avx512f", 7, EBX, 16, ZMM_STATE},    {"avx512dq", 7, EBX, 17, ZMM_STATE},
    {"avx512cd", 7, EBX, 28, ZMM_STATE},   {"avx512bw", 7, EBX, 30, ZMM_STATE},
    {"avx512vl", 7, EBX, 31, ZMM_STATE},   {"avx512_vnni", 7, ECX, 11, ZMM_STATE},
    {"lzcnt", 0x80000001, ECX, 5, NO_STATE},
};

#if defined(_MSC_VER)
#include <intrin.h>
static void ask_cpu(unsigned leaf, unsigned *found) { __cpuidex((int *)found, (int)leaf, 0); }
static unsigned saved_state(void) { return (unsigned)_xgetbv(0); }
#else
#include <cpuid.h>
static void ask_cpu(unsigned leaf, unsigned *found) {
    __cpuid_count(leaf, 0, found[EAX], found[EBX], found[ECX], found[EDX]);
}
static unsigned saved_state(void) {
    unsigned low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}
#endif

static int has_feature(const cpu_feature *feature) {
    unsigned found[4], state = 0;
    ask_cpu(1, found);
    if (found[ECX] >> 27 & 1) /* XGETBV may be asked */
        state = saved_state();
    ask_cpu(feature->leaf & 0x80000000u, found); /* the last leaf of this range */
    if (found[EAX] < feature->leaf || (state & feature->state) != feature->state)
        return 0;
    ask_cpu(feature->leaf, found);
    return found[feature->reg] >> feature->bit & 1;
}

#else

typedef struct {
    const char *name;
} cpu_feature;

static const cpu_feature CPU_FEATURES[] = {
#if defined(__aarch64__) || defined(_M_ARM64)
    {"neon"}, /* part of every aarch64 machine */
#endif
    {NULL},
};

static int has_feature(const cpu_feature *feature) { return feature->name != NULL; }

#endif

enum { CPU_FEATURE_COUNT = sizeof(CPU_FEATURES) / sizeof(CPU_FEATURES[0]) };

/* the names of the features this machine has, one after the other; NULL where one is missing */
static const char *feature_if_present(int k) {
    return has_feature(&CPU_FEATURES[k]) ? CPU_FEATURES[k].name : NULL;
}
