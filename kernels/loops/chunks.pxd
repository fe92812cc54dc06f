# Work that is cut into chunks, each on its own: on one thread in order, or shared by several. Which chunk is whose
# changes no bit, since a chunk writes what no other chunk reads or writes.
from .threads cimport chunk_function, run_chunks

cdef enum:
    CHUNK = 8192  # elements: some microseconds of work, in L1 with the four arrays of a step
    CHUNKS_MIN = 8  # fewer are done before a second thread is awake


cdef inline Py_ssize_t chunks_of(Py_ssize_t n) noexcept nogil:
    return (n + CHUNK - 1) // CHUNK


cdef inline void each_chunk(chunk_function chunk, void* context, Py_ssize_t count, int threads) noexcept nogil:
    run_chunks(chunk, context, count, threads if count >= CHUNKS_MIN else 1)
