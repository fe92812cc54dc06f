/* The pool: threads of this library's own, for loops whose chunks may run in any order and side by side.
 *
 * Whoever calls is the first of the threads that share its chunks. It does every chunk that no other thread has begun
 * and waits for those alone that another has begun, so a worker without a processor is never waited for. A worker in
 * turn hands its processor back, where somebody else wants it, between two portions of chunks and not within one. And
 * where a call has waited all the same, and so taken longer than it would have alone, the next ones for a while go
 * without workers.
 *
 * The chunks are cut into portions, and each thread begins with a range of portions of its own, the same ones from call
 * to call, since their data is in its caches; then it takes from the end of the others' ranges. A range is one word: the
 * number of the call, the first portion that nobody has begun, and the end. To begin a portion is to change that word,
 * which fails once the call is over; so a worker that comes late does nothing, and nobody waits for it to notice. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "environment.h"

typedef void (*chunk_function)(void *context, ptrdiff_t chunk, int thread);
typedef void (*run_function)(chunk_function chunk, void *context, ptrdiff_t chunks, int threads);

/* How many threads kernels may use; and others' own loops beside them, which is 1 in a forked child for good, since an
 * OpenMP library that its parent has used hangs there. */
typedef struct {
    int kernels, others, forked;
} thread_counts;
static thread_counts counts = {1, 1, 0};

static void set_thread_counts(int n) {
    counts.kernels = n;
    counts.others = counts.forked ? 1 : n;
}
#ifdef __GNUC__
__attribute__((visibility("default")))
#endif
int lanewise_num_threads(void) { return counts.others; }

static void run_alone(chunk_function chunk, void *context, ptrdiff_t chunks) {
    for (ptrdiff_t k = 0; k < chunks; k++)
        chunk(context, k, 0);
}

#if defined(__unix__) || defined(__APPLE__)

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>
#ifdef __linux__
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif
#ifdef SYS_futex
enum { FUTEX_WAIT_HERE = 128, FUTEX_WAKE_HERE = 129 }; /* linux/futex.h, of this process alone */
#endif

enum {
    MOST_THREADS = 1024,
    PORTIONS = 16,                /* of each thread: the last one is short beside the whole */
    LINES = 128,                  /* bytes, two cache lines: the hardware fetches them in pairs */
    STACK = 1 << 20,              /* bytes, where the system gives a thread fewer */
    WORKER_SPINS = 100 * 1000,    /* nanoseconds: while calls follow one another closely no worker falls asleep */
    CALLER_SPINS = 50 * 1000,     /* beyond the time that a portion takes */
    TURN = 200 * 1000,            /* after so long a worker asks whether somebody else wants its processor */
    STALL = 200 * 1000,           /* a wait as long as this, beyond a portion, is for a worker that lost its processor */
    HARMLESS = 8,                 /* a stall is let be where the call took at most 1/HARMLESS longer than alone */
    WORTH = 16,                   /* calls go without workers for so many times what a stall has lost, and */
    GROWTH = 4,                   /* so many times longer where the next one follows soon, */
    LONGEST_REST = 2000 * 1000000, /* up to this: then a call in hundreds waits, whatever the calls are */
    TRIAL = 4 * 1000000, /* in calls for so long workers must have done an eighth, or they are as bad as */
    TRIAL_LOSS = 1000000, /* a stall of this */
};

/* what a thread sleeps on: a number, until it changes */
typedef struct {
    uint32_t number;
    uint32_t sleepers;
#ifndef SYS_futex
    pthread_mutex_t mutex;
    pthread_cond_t changed;
#endif
} bell;

/* What one thread needs to know of a call, in one cache line, since each line that comes from another core takes a tenth
 * of a microsecond. */
typedef struct __attribute__((aligned(LINES))) {
    uint64_t range; /* call << 32 | first << 16 | end */
    chunk_function chunk;
    void *context;
    ptrdiff_t chunks, portion; /* how many, and how many of them a portion has */
    int seats;                 /* threads of this call */
    bell called;               /* the number of the last call in which this thread has a part */
} seat;

static struct {
    uint32_t taken; /* one call at a time has the workers; another goes without */
    uint32_t call;
    int workers, refused; /* whether the system has refused another: it is not asked at every call */
    int64_t resting_until, rest, rested; /* nanoseconds; the last is when the last rest ended, or will */
    int64_t trial, portions, done;       /* when the trial began, the portions since then, and those done by callers */
    bell finished __attribute__((aligned(LINES))); /* portions that workers have finished */
    seat of[MOST_THREADS];
} pool;

#define GET(place) __atomic_load_n(&(place), __ATOMIC_ACQUIRE)
#define PEEK(place) __atomic_load_n(&(place), __ATOMIC_RELAXED)
#define PUT(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELAXED)
#define SET(place, value) __atomic_store_n(&(place), (value), __ATOMIC_RELEASE)
#define ORDER() __atomic_thread_fence(__ATOMIC_SEQ_CST)

#if defined(__x86_64__)
#define PAUSE() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define PAUSE() __asm__ volatile("isb" ::: "memory")
#else
#define PAUSE() ((void)0)
#endif

static int64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * 1000000000 + time.tv_nsec;
}

#ifdef SYS_futex
static void prepare(bell *it) { (void)it; }
static void sleep_until_changed(bell *it, uint32_t number) {
    syscall(SYS_futex, &it->number, FUTEX_WAIT_HERE, number, NULL, NULL, 0);
}
static void wake(bell *it) { syscall(SYS_futex, &it->number, FUTEX_WAKE_HERE, INT_MAX, NULL, NULL, 0); }
#else
static void prepare(bell *it) {
    pthread_mutex_init(&it->mutex, NULL);
    pthread_cond_init(&it->changed, NULL);
}
static void sleep_until_changed(bell *it, uint32_t number) {
    pthread_mutex_lock(&it->mutex);
    while (GET(it->number) == number)
        pthread_cond_wait(&it->changed, &it->mutex);
    pthread_mutex_unlock(&it->mutex);
}
static void wake(bell *it) {
    pthread_mutex_lock(&it->mutex); /* who is about to sleep has it: a change before that is seen, one after wakes */
    pthread_cond_broadcast(&it->changed);
    pthread_mutex_unlock(&it->mutex);
}
#endif

/* sleeps unless the number has changed; who changes it sees the sleeper, or the sleeper sees the change */
static void sleep_on(bell *it, uint32_t number) {
    __atomic_fetch_add(&it->sleepers, 1, __ATOMIC_SEQ_CST);
    ORDER();
    if (GET(it->number) == number)
        sleep_until_changed(it, number);
    __atomic_fetch_sub(&it->sleepers, 1, __ATOMIC_SEQ_CST);
}

static void ring(bell *it) { /* after the number has changed */
    ORDER();
    if (PEEK(it->sleepers) > 0)
        wake(it);
}

/* begins a portion of that range of that call, and does it; whether there was one */
static int do_portion(seat *of, uint32_t call, int own, int thread) {
    uint64_t range = GET(of->range), rest;
    ptrdiff_t first, last;
    for (;;) {
        uint32_t begin = range >> 16 & 0xFFFF, end = range & 0xFFFF;
        /* read while the call goes on, or else the exchange fails */
        chunk_function chunk = PEEK(of->chunk);
        void *context = PEEK(of->context);
        ptrdiff_t chunks = PEEK(of->chunks), portion = PEEK(of->portion);
        if (range >> 32 != call || begin == end)
            return 0;
        rest = (uint64_t)call << 32 | (uint64_t)(begin + own) << 16 | (end - !own);
        if (!__atomic_compare_exchange_n(&of->range, &range, rest, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        first = (ptrdiff_t)(own ? begin : end - 1) * portion;
        last = first + portion < chunks ? first + portion : chunks;
        for (; first < last; first++)
            chunk(context, first, thread);
        return 1;
    }
}

/* does what nobody has begun, of its own range and then of the others'; how many portions that was */
static uint32_t work(int thread, uint32_t call, int64_t *turn) {
    uint32_t done = 0;
    int seats = PEEK(pool.of[thread].seats);
    for (int k = 0; k < seats; k++)
        while (do_portion(&pool.of[(thread + k) % seats], call, k == 0, thread)) {
            done++;
            if (turn != NULL && now() - *turn > TURN) {
                sched_yield();
                *turn = now();
            }
        }
    return done;
}

static void *worker(void *number) {
    int thread = (int)(intptr_t)number;
    bell *called = &pool.of[thread].called;
    uint32_t call = 0, done;
    int64_t idle, turn = now();
#ifdef __linux__
    prctl(PR_SET_NAME, "lanewise", 0, 0, 0);
#endif
    enter_environment(); /* for good */
    for (;;) {
        idle = now();
        while (GET(called->number) == call) {
            for (int k = 0; k < 64 && PEEK(called->number) == call; k++)
                PAUSE();
            if (now() - turn > TURN) {
                sched_yield();
                turn = now();
            }
            if (now() - idle > WORKER_SPINS)
                sleep_on(called, call);
        }
        call = GET(called->number);
        done = work(thread, call, &turn);
        if (done > 0) {
            __atomic_fetch_add(&pool.finished.number, done, __ATOMIC_RELEASE);
            ring(&pool.finished);
        }
    }
    return NULL;
}

/* starts the workers that are not there yet; how many there are, which are fewer where the system refuses */
static int workers_of(int wanted) {
    sigset_t all, before;
    pthread_attr_t attributes;
    pthread_t started;
    size_t stack;
    if (pool.workers >= wanted)
        return wanted;
    if (pool.refused || pthread_attr_init(&attributes) != 0)
        return pool.workers;
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (pthread_attr_getstacksize(&attributes, &stack) != 0 || stack < STACK)
        pthread_attr_setstacksize(&attributes, STACK);
    sigfillset(&all); /* signals are for the threads of the program */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pool.workers == 0)
        prepare(&pool.finished);
    while (pool.workers < wanted) {
        seat *next = &pool.of[pool.workers + 1];
        prepare(&next->called);
        if (pthread_create(&started, &attributes, worker, (void *)(intptr_t)(pool.workers + 1)) != 0) {
            pool.refused = 1;
            break;
        }
        pool.workers++;
    }
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return pool.workers;
}

static void begin_rest(int64_t time, int64_t lost) {
    int64_t soon = pool.rested + GROWTH * pool.rest;
    pool.rest = time < soon && pool.rest * GROWTH > lost * WORTH ? pool.rest * GROWTH : lost * WORTH;
    if (pool.rest > LONGEST_REST)
        pool.rest = LONGEST_REST;
    pool.rested = time + pool.rest;
    pool.trial = 0;
    PUT(pool.resting_until, pool.rested);
}

static void run_shared(chunk_function chunk, void *context, ptrdiff_t chunks, int threads) {
    ptrdiff_t portions = chunks < (ptrdiff_t)threads * PORTIONS ? chunks : (ptrdiff_t)threads * PORTIONS;
    ptrdiff_t portion = (chunks + portions - 1) / portions;
    uint32_t call = ++pool.call, done;
    int64_t begun = now(), start = begun, spins, alone, time;
    int seats = 1;
    portions = (chunks + portion - 1) / portion;
    seats += workers_of((int)(portions < threads ? portions : threads) - 1);
    PUT(pool.finished.number, 0);
    for (int k = 0; k < seats; k++) {
        seat *of = &pool.of[k];
        PUT(of->chunk, chunk);
        PUT(of->context, context);
        PUT(of->chunks, chunks);
        PUT(of->portion, portion);
        PUT(of->seats, seats);
        SET(of->range, (uint64_t)call << 32 | (uint64_t)(portions * k / seats) << 16
                           | (uint64_t)(portions * (k + 1) / seats));
        if (k > 0)
            SET(of->called.number, call);
    }
    for (int k = 1; k < seats; k++)
        ring(&pool.of[k].called);
    done = work(0, call, NULL);
    time = now();
    if (pool.trial == 0) {
        pool.trial = start;
        pool.portions = pool.done = 0;
    }
    pool.portions += portions;
    pool.done += done;
    if (time - pool.trial > TRIAL) {
        pool.trial = 0;
        if (pool.done > pool.portions - pool.portions / 8)
            begin_rest(time, TRIAL_LOSS);
    }
    if (done == portions)
        return;
    spins = (time - start) / (done + 1);
    alone = done > 0 ? (time - start) / done * portions : 0;
    start = time;
    for (uint32_t seen; (seen = GET(pool.finished.number)) + done < portions;) {
        for (int k = 0; k < 64 && PEEK(pool.finished.number) == seen; k++)
            PAUSE();
        if (now() - start > spins + CALLER_SPINS)
            sleep_on(&pool.finished, seen);
    }
    time = now();
    if (time - start > spins + STALL && time - begun > alone + alone / HARMLESS)
        begin_rest(time, time - begun - alone);
}

/* chunk(context, k, thread) for each k below chunks, in any order, on up to so many threads, of which each has a number
 * below that of threads. In the floating-point environment in which kernels run. */
static void run_chunks(chunk_function chunk, void *context, ptrdiff_t chunks, int threads) {
    environment callers = enter_environment();
    if (threads > 1 && chunks > 1 && (PEEK(pool.resting_until) == 0 || now() > PEEK(pool.resting_until))
        && !__atomic_exchange_n(&pool.taken, 1, __ATOMIC_ACQUIRE)) {
        run_shared(chunk, context, chunks, threads < MOST_THREADS ? threads : MOST_THREADS);
        SET(pool.taken, 0);
    } else
        run_alone(chunk, context, chunks);
    leave_environment(callers);
}

/* a child has none of its parent's threads, and may have been forked amid a call of another thread's; it has one thread
 * until it is given more, since those who fork mostly make as many children as there are processors */
static void forget_workers(void) {
    counts.forked = 1;
    set_thread_counts(1);
    memset(&pool, 0, offsetof(__typeof__(pool), of) + (size_t)(pool.workers + 1) * sizeof(seat));
}
static void end_rest(void) { PUT(pool.resting_until, 0); }
enum { HAS_THREADS = 1 };
static int prepare_for_forks(void) { return pthread_atfork(NULL, NULL, forget_workers); }

#else

static void run_chunks(chunk_function chunk, void *context, ptrdiff_t chunks, int threads) {
    environment callers = enter_environment();
    (void)threads;
    run_alone(chunk, context, chunks);
    leave_environment(callers);
}
static void end_rest(void) {}
enum { HAS_THREADS = 0 };
static int prepare_for_forks(void) { return 0; }

#endif
