# The C interface as a whole: the table of functions that lanewise.h reads, and what belongs to calling kernels rather
# than to one of them. Which functions there are is in lanewise.h, and lanewise.embedding looks them up. Compiled once,
# without a level.
from cpython.pycapsule cimport PyCapsule_GetName, PyCapsule_GetPointer, PyCapsule_Import, PyCapsule_New
from libc.stdint cimport uint64_t, uintptr_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy

cdef extern from "lanes/environment.h" nogil:
    ctypedef struct environment:
        pass
    environment enter_environment()
    void leave_environment(environment callers)

cdef extern from *:
    """
    typedef struct {
        int abi, functions;
        void *function[1]; /* as many as `functions` says */
    } function_table;
    typedef char an_environment_fits_callers[sizeof(environment) <= 64 ? 1 : -1];
    """
    ctypedef struct function_table:
        int abi
        int functions
        void* function[1]

cdef const int* thread_count = <const int*>PyCapsule_Import("lanewise.kernels.machine.thread_count_of_others", 0)


cdef void enter(uint64_t* callers) noexcept nogil:
    cdef environment found = enter_environment()
    memcpy(callers, &found, sizeof(environment))


cdef void leave(const uint64_t* callers) noexcept nogil:
    cdef environment found
    memcpy(&found, callers, sizeof(environment))
    leave_environment(found)


cdef int num_threads() noexcept nogil:
    return thread_count[0]


cdef void* pointer_in(object capsule) except NULL:
    return PyCapsule_GetPointer(capsule, PyCapsule_GetName(capsule))


SMALL = 1 << 15  # elements up to which a call on one thread, without a pass of NumPy's, is the shorter one


def call_flat(uintptr_t function, uintptr_t x, uintptr_t y, Py_ssize_t n):
    """Call a kernel of one operand by addresses, in the environment of the Python functions and without the GIL."""
    cdef environment callers
    with nogil:
        callers = enter_environment()
        (<void (*)(const void*, void*, Py_ssize_t) noexcept nogil>function)(<const void*>x, <void*>y, n)
        leave_environment(callers)


def address_in(capsule):
    """The address that a capsule holds."""
    return <uintptr_t>pointer_in(capsule)


def table_of(int abi, list capsules):
    """A capsule of the table that lanewise.h describes, with the functions of these capsules. It is never freed: a
    capsule that is gone may have left a copy of its pointer behind."""
    cdef function_table* table = <function_table*>malloc(sizeof(function_table) + len(capsules) * sizeof(void*))
    cdef Py_ssize_t k
    if table == NULL:
        raise MemoryError("no memory for the table of C functions")
    table.abi, table.functions = abi, <int>len(capsules)
    for k in range(len(capsules)):
        table.function[k] = pointer_in(capsules[k])
    return PyCapsule_New(table, "lanewise.embedding.TABLE", NULL)
