# Work that is cut into chunks, each on its own: on one thread in order, or shared by several. Which chunk is whose
# changes no bit, since a chunk writes what no other chunk reads or writes.
from cython.parallel cimport prange

from ..lanes cimport called, enter_environment, environment, leave_environment

cdef enum:
    CHUNK = 8192  # elements: some microseconds of work, in L1 with the four arrays of a step
    CHUNKS_MIN = 8  # fewer are done before a second thread is awake

ctypedef void (*chunk_function)(const void* context, Py_ssize_t k) noexcept nogil


cdef inline Py_ssize_t chunks_of(Py_ssize_t n) noexcept nogil:
    return (n + CHUNK - 1) // CHUNK


cdef inline void do_chunk(chunk_function chunk, const void* context, Py_ssize_t k) noexcept nogil:
    # in a floating-point environment of the kernels' own, whatever the thread's is
    cdef environment callers = enter_environment()
    chunk(context, k)
    leave_environment(callers)


cdef inline void each_chunk(chunk_function function, const void* context, Py_ssize_t count, int threads) noexcept nogil:
    cdef chunk_function chunk = <chunk_function>called(<void*>function)
    cdef Py_ssize_t k
    if threads < 2 or count < CHUNKS_MIN:
        for k in range(count):
            do_chunk(chunk, context, k)
        return
    for k in prange(count, num_threads=threads, schedule="static"):
        do_chunk(chunk, context, k)
