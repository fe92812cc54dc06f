# Chunks of work to threads: the one door to the pool, which lives in lanewise.kernels.machine (lanes/pool.h says how it
# works). No arrays, no mathematics.
from cpython.pycapsule cimport PyCapsule_Import

# One chunk of the work that the context describes. The thread's number is below how many share the work, so that memory
# may be had for each; which thread has which chunk is chance.
ctypedef void (*chunk_function)(void* context, Py_ssize_t chunk, int thread) noexcept nogil
ctypedef void (*run_function)(chunk_function chunk, void* context, Py_ssize_t chunks, int threads) noexcept nogil

cdef enum:
    # Fewer elements than this, or words of 32 bits, or products, take some ten microseconds, little more than waking a
    # second thread.
    THREAD_MIN = 1 << 16

cdef extern from *:
    """
    static void (*lanewise_runner)(void (*)(void *, Py_ssize_t, int), void *, Py_ssize_t, int);
    static const int *lanewise_thread_count;
    """
    run_function run_chunks "lanewise_runner"
    const int* thread_count "lanewise_thread_count"  # how many threads kernels may use, wherever that stands


cdef inline int join_threads() except -1:
    # Each module calls this while it is imported, and has run_chunks and thread_count from then on.
    global run_chunks, thread_count
    run_chunks = <run_function>PyCapsule_Import("lanewise.kernels.machine.chunk_runner", 0)
    thread_count = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
    return 0


cdef inline int threads_for(Py_ssize_t work) noexcept nogil:
    # for so many elements
    return thread_count[0] if work >= THREAD_MIN else 1
