# Chunks of work to threads: the one door to the pool, which lives in lanewise.kernels.machine (lanes/pool.h says how it
# works). No arrays, no mathematics.
from cpython.pycapsule cimport PyCapsule_Import

# One chunk of the work that the context describes. The thread's number is below how many share the work, so that memory
# may be had for each; which thread has which chunk is chance.
ctypedef void (*chunk_function)(void* context, Py_ssize_t chunk, int thread) noexcept nogil
ctypedef void (*run_function)(chunk_function chunk, void* context, Py_ssize_t chunks, int threads) noexcept nogil

cdef enum:
    # Fewer elements than this take some ten microseconds, little more than waking a second thread.
    THREAD_MIN = 1 << 16

cdef extern from *:
    """
    static void (*lanewise_runner)(void (*)(void *, Py_ssize_t, int), void *, Py_ssize_t, int);
    """
    run_function run_chunks "lanewise_runner"


cdef inline const int* shared_thread_count() except NULL:
    # How many threads kernels may use, wherever that stands. Each module asks for it while it is imported, and has
    # run_chunks from then on.
    global run_chunks
    run_chunks = <run_function>PyCapsule_Import("lanewise.kernels.machine.chunk_runner", 0)
    return <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count", 0)
