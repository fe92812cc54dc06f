# What compiled functions of Python take of arrays: numbers of one type, one after the other. The one door to NumPy for
# modules that have no other need of it; lanewise.kernels.operands is behind it.
from cpython.pycapsule cimport PyCapsule_Import

ctypedef Numbers (*numbers_function)(object array, Numeric type, int dimensions, bint written) except *

cdef extern from *:
    """
    typedef struct {
        void *at;
        Py_ssize_t shape[3];
    } lanewise_numbers;
    typedef enum {  /* NumPy's letter for a kind of numbers, and the bytes of one */
        NUMERIC_UINT8 = 'u' << 4 | 1, NUMERIC_UINT16 = 'u' << 4 | 2, NUMERIC_UINT32 = 'u' << 4 | 4,
        NUMERIC_UINT64 = 'u' << 4 | 8,
        NUMERIC_INT16 = 'i' << 4 | 2, NUMERIC_INT64 = 'i' << 4 | 8, NUMERIC_INDEX = 'i' << 4 | (int)sizeof(Py_ssize_t),
        NUMERIC_FLOAT32 = 'f' << 4 | 4, NUMERIC_FLOAT64 = 'f' << 4 | 8
    } lanewise_numeric;
    static lanewise_numbers (*lanewise_numbers_of)(PyObject *, lanewise_numeric, int, int);
    """
    ctypedef struct Numbers "lanewise_numbers":
        void* at  # the first, NULL where there is no array
        Py_ssize_t* shape  # 0 beyond its dimensions

    ctypedef enum Numeric "lanewise_numeric":
        OF_UINT8 "NUMERIC_UINT8"
        OF_UINT16 "NUMERIC_UINT16"
        OF_UINT32 "NUMERIC_UINT32"
        OF_UINT64 "NUMERIC_UINT64"
        OF_INT16 "NUMERIC_INT16"
        OF_INT64 "NUMERIC_INT64"
        OF_INDEX "NUMERIC_INDEX"  # Py_ssize_t
        OF_FLOAT32 "NUMERIC_FLOAT32"
        OF_FLOAT64 "NUMERIC_FLOAT64"

    numbers_function numbers_of "lanewise_numbers_of"


cdef inline int join_numbers() except -1:
    # Each module calls this while it is imported, and has the functions below from then on.
    global numbers_of
    numbers_of = <numbers_function>PyCapsule_Import("lanewise.kernels.operands.numbers_of", 0)
    return 0


cdef inline Numbers numbers_in(object array, Numeric type, int dimensions) except *:
    # What stands in an array, which is to be C-contiguous and of this type and so many dimensions. There is none where
    # None is given.
    return numbers_of(array, type, dimensions, False)


cdef inline Numbers numbers_out(object array, Numeric type, int dimensions) except *:
    # the same of an array that is to be filled
    return numbers_of(array, type, dimensions, True)
