# The logarithms of sums of exponentials as functions that are called. They are long and serve softmax.pyx and
# losses.pyx, so they are compiled once a level, in the first, for both: the second finds them by a capsule. What they
# do stands in exponentials.pxd, short_exponentials.pxd and column_logs.pxd.
from ..lanes cimport f32x, f64x, real
from .column_exponentials cimport Columns
from .column_logs cimport column_logs
from .exponentials cimport find_logs
from .exponents cimport Exponents
from .short_exponentials cimport short_logs

ctypedef void (*rows_function)(const void* like, Exponents* rows, Py_ssize_t count, Py_ssize_t n, int threads,
                               double near) noexcept nogil
ctypedef bint (*short_function)(const void* like, const char* x, Py_ssize_t step, Py_ssize_t rows, Py_ssize_t n,
                                void* tile, const double* raised, double* tops, double* inverses, double* rests,
                                double* logs, double near, const char* out, Py_ssize_t out_step) noexcept nogil
ctypedef bint (*columns_function)(const void* like, const Columns* columns, int registers, Py_ssize_t n, f64x* tops,
                                  f64x* inverses, f64x* rests, f64x* logs, double near, bint logs_alone) noexcept nogil

cdef struct LogsOf:
    # of one precision
    rows_function rows
    short_function shorts
    columns_function columns

cdef struct Logarithms:
    LogsOf float32
    LogsOf float64


cdef inline LogsOf logs_of(const real* like) noexcept nogil:
    return LogsOf(<rows_function>find_logs[real], <short_function>short_logs[real],
                  <columns_function>column_logs[real])


cdef inline const LogsOf* logs_for(const Logarithms* logarithms, const real* like) noexcept nogil:
    if real is f32x:
        return &logarithms.float32
    else:
        return &logarithms.float64
