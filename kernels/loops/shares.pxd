# Chunks of work on rows, shared among threads: the one place where functions along an axis have more than one thread.
from cython.parallel cimport prange

# The k-th chunk of some work; 0, or another number where it could not be done.
ctypedef int (*chunk_function)(void* context, Py_ssize_t k) noexcept nogil


cdef inline int for_each_chunk(chunk_function chunk, void* context, Py_ssize_t chunks, int threads) noexcept nogil:
    # every chunk, in any order and on so many threads, each of which has the caller's memory but not its floating-point
    # environment; 0 where all were done
    cdef Py_ssize_t k
    cdef int failures = 0
    if threads == 1 or chunks == 1:
        for k in range(chunks):
            failures += chunk(context, k) != 0
    else:
        for k in prange(chunks, num_threads=threads, schedule="dynamic"):
            failures += chunk(context, k) != 0
    return failures
