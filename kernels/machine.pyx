# The machine: which levels it can run, and how many threads the kernels may use. Compiled once, without a
# level, since it is what chooses one. The thread count is shared with every kernel module by a capsule.
from cpython.pycapsule cimport PyCapsule_New

cdef extern from "lanes/machine.h" nogil:
    const bint HAS_OPENMP
    int supports(int feature)
    int call_in_forked_child(void (*hook)() noexcept nogil)

FEATURES = ("avx2", "fma", "bmi2", "f16c", "avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "neon")
_V3 = ("avx2", "fma", "bmi2", "f16c")
_V4 = _V3 + ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
LEVELS = {"baseline": (), "neon": ("neon",), "avx2": _V3, "avx512": _V4}  # the best last

cdef int threads = 1
cdef bint forked = False


cdef void in_forked_child() noexcept nogil:
    # the parent's OpenMP threads do not exist here, and waiting for them would hang
    global threads, forked
    threads = 1
    forked = True


call_in_forked_child(in_forked_child)
thread_count = PyCapsule_New(&threads, "lanewise.kernels.machine.thread_count", NULL)


def cpu_features():
    """The features, of those a level asks for, that this machine and its operating system have."""
    return tuple(name for i, name in enumerate(FEATURES) if supports(i))


def supported_levels():
    """The levels this machine can run, the best last."""
    available = set(cpu_features())
    return tuple(level for level, needs in LEVELS.items() if available.issuperset(needs))


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
