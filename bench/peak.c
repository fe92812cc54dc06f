/* How many float32 multiply-adds a second this machine can do, a thread on each of OMP_NUM_THREADS cores: nothing but
 * sums in registers, more of them than hide the latency. bench_population.py compiles and runs it:
 * cc -O3 -march=native -fopenmp bench/peak.c -o peak && ./peak
 */
#include <omp.h>
#include <stdio.h>

#if defined(__AVX512F__)
enum { LANES = 16 };
#elif defined(__AVX__)
enum { LANES = 8 };
#else
enum { LANES = 4 };
#endif
enum { SUMS = 12, TIMES = 4000000, ROUNDS = 10 };

typedef float lanes __attribute__((vector_size(4 * LANES)));

static float work(void) {
    lanes sums[SUMS], factor = (lanes){0} + 0.25f, term = (lanes){0} + 1.0f;
    for (int i = 0; i < SUMS; i++) sums[i] = (lanes){0} + (float)i; /* or one sum would do for all */
    for (int time = 0; time < TIMES; time++) {
#pragma GCC unroll 12 /* each sum in a register of its own, each step one instruction */
        for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * factor + term;
    }
    for (int i = 1; i < SUMS; i++) sums[0] += sums[i];
    return sums[0][0];
}

int main(void) {
    double best = 1e9;
    float total = 0;
    for (int round = 0; round < ROUNDS; round++) {
        double start = omp_get_wtime();
#pragma omp parallel reduction(+ : total)
        total += work();
        double seconds = omp_get_wtime() - start;
        best = seconds < best ? seconds : best;
    }
    printf("%.4e\n", (double)SUMS * TIMES * LANES * omp_get_max_threads() / best);
    return total == 0; /* which keeps the compiler from leaving the work out */
}
