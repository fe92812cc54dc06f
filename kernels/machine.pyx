# The machine: which features its CPU has, and how many threads the kernels may use. Compiled once, without a level,
# since the import asks it before it chooses one (levels.py). The thread count is shared with every kernel module by a
# capsule, and so are the kinds of operands of each gufunc, which those who register them tell those who call them.
from cpython.pycapsule cimport PyCapsule_New

cdef extern from "lanes/machine.h" nogil:
    const bint HAS_OPENMP
    const int CPU_FEATURE_COUNT
    const char* feature_if_present(int k)
    int call_in_forked_child(void (*hook)() noexcept nogil)

cdef int threads = 1
cdef bint forked = False


cdef void in_forked_child() noexcept nogil:
    # the parent's OpenMP threads do not exist here, and waiting for them would hang
    global threads, forked
    threads = 1
    forked = True


call_in_forked_child(in_forked_child)
thread_count = PyCapsule_New(&threads, "lanewise.kernels.machine.thread_count", NULL)
cdef dict kinds = {}  # of bytes, one letter an operand: loops/operations.pxd says what they mean
kinds_of_operands = PyCapsule_New(<void*>kinds, "lanewise.kernels.machine.kinds_of_operands", NULL)


def cpu_features():
    """The features, of those a level may ask for, that this machine and its operating system have."""
    cdef const char* name
    found = []
    for k in range(CPU_FEATURE_COUNT):
        name = feature_if_present(k)
        if name != NULL:
            found.append((<bytes>name).decode())
    return tuple(found)


def has_openmp():
    """Whether the compiler had OpenMP; without it kernels run on one thread."""
    return HAS_OPENMP


def set_num_threads(int n):
    """Let kernels use up to n threads; in a forked child and without OpenMP it stays at one."""
    global threads
    if HAS_OPENMP and not forked:
        threads = n


def get_num_threads():
    """How many threads a kernel may use."""
    return threads
