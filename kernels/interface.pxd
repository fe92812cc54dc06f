# What belongs to calling kernels rather than to one of them, for those who cimport: the floating-point environment of
# a call, and how many threads a caller may share its work among.
from libc.stdint cimport uint64_t


# Between the two, kernels give the bits of the Python function whatever the calling thread has set: to round to
# nearest, to keep subnormals, to trap nothing. enter() keeps the caller's environment in callers[8], leave() restores
# it, and so clears the floating-point flags that kernels raised.
cdef void enter(uint64_t* callers) noexcept nogil
cdef void leave(const uint64_t* callers) noexcept nogil

# lanewise.get_num_threads(), for a caller's own parallel loop: 1 in a forked child
cdef int num_threads() noexcept nogil
