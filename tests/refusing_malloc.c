/* malloc that refuses what compiled modules of Lanewise ask for, from the k-th time on: preloaded by
 * test_refused_memory.py. What Python, NumPy and the system ask for they get. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <string.h>

static void *(*granted)(size_t);
static _Atomic long first, asked; /* the first that is refused, or 0; how often Lanewise has asked since that was said */

void refuse_from(long k) {
    first = k;
    asked = 0;
}

long times_asked(void) { return asked; }

void *malloc(size_t size) {
    Dl_info caller;
    if (granted == NULL)
        granted = (void *(*)(size_t))dlsym(RTLD_NEXT, "malloc");
    if (first > 0 && dladdr(__builtin_return_address(0), &caller) && caller.dli_fname
        && strstr(caller.dli_fname, "/kernels/") && ++asked >= first)
        return NULL;
    return granted(size);
}
