# The machine: which features its CPU has, and the threads among which kernels share their chunks. Compiled once,
# without a level, since the import asks it before it chooses one (levels.py), and since there is one pool of threads
# whatever the level. Kernel modules have the thread count and the pool by capsules (loops/threads.pxd), and so what is
# asked once for all of them: NumPy's number of bfloat16.
from cpython.pycapsule cimport PyCapsule_New
from libc.string cimport strcpy

cdef extern from "lanes/machine.h" nogil:
    const int CPU_FEATURE_COUNT
    const char* feature_if_present(int k)

cdef extern from "lanes/pool.h" nogil:
    ctypedef void (*run_function)(void (*chunk)(void*, Py_ssize_t, int) noexcept nogil, void* context,
                                  Py_ssize_t chunks, int threads) noexcept nogil
    void run_chunks(void (*chunk)(void*, Py_ssize_t, int) noexcept nogil, void* context, Py_ssize_t chunks,
                    int threads) noexcept nogil
    ctypedef struct thread_counts:
        int kernels
        int others
    thread_counts counts
    const bint HAS_THREADS
    void set_thread_counts(int n)
    void end_rest()
    int prepare_for_forks()

cdef extern from *:
    """
    #define X(level) #level " "
    static const char *lanewise_built = LANEWISE_LEVELS;
    #undef X
    static char lanewise_lineage[64];
    """
    const char* built "lanewise_built"
    char* lineage "lanewise_lineage"
    const Py_ssize_t LINEAGE_BYTES "(Py_ssize_t)sizeof(lanewise_lineage)"

prepare_for_forks()
thread_count = PyCapsule_New(&counts.kernels, "lanewise.kernels.machine.thread_count", NULL)
thread_count_of_others = PyCapsule_New(&counts.others, "lanewise.kernels.machine.thread_count_of_others", NULL)
chunk_runner = PyCapsule_New(<void*>run_chunks, "lanewise.kernels.machine.chunk_runner", NULL)
cdef dict kinds = {}  # of bytes, one letter an operand: loops/operations.pxd says what they mean
kinds_of_operands = PyCapsule_New(<void*>kinds, "lanewise.kernels.machine.kinds_of_operands", NULL)
# Of the level that was chosen and its parents, each between spaces: whose kernels a module takes (lanes/chosen.h)
lineage_of_level = PyCapsule_New(lineage, "lanewise.kernels.machine.lineage_of_level", NULL)
BUILT_LEVELS = tuple((<bytes>built).decode().split())


cdef int number_of_bfloat16() except -1:
    from numpy import dtype
    try:
        from ml_dtypes import bfloat16
    except ImportError:
        return 0
    return dtype(bfloat16).num


# NumPy's number of ml_dtypes' type, which is registered at run time; 0 where that is not installed. To look for what is
# not there takes as long as making an np.ufunc, so it is looked for once.
cdef int number = number_of_bfloat16()
bfloat16_number = PyCapsule_New(&number, "lanewise.kernels.machine.bfloat16_number", NULL)


def cpu_features():
    """The features, of those a level may ask for, that this machine and its operating system have."""
    cdef const char* name
    found = []
    for k in range(CPU_FEATURE_COUNT):
        name = feature_if_present(k)
        if name != NULL:
            found.append((<bytes>name).decode())
    return tuple(found)


def choose_level(names):
    """Let the modules that are imported from here on take the kernels of the first of these levels that they have."""
    cdef bytes spaced = " ".join(["", *names, ""]).encode()
    if len(spaced) >= LINEAGE_BYTES:
        raise ValueError(f"expected the names of a level and its parents, in {LINEAGE_BYTES - 1} bytes; got {names!r}")
    strcpy(lineage, spaced)


def set_num_threads(int n, bint afresh=False):
    """Let kernels use up to n threads, afresh even where calls go without workers on a busy machine.

    On a system without POSIX threads it stays at one.
    """
    if HAS_THREADS:
        set_thread_counts(n)
    if afresh:
        end_rest()


def get_num_threads():
    """How many threads a kernel may use."""
    return counts.kernels
