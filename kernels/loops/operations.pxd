# What a function along an axis says of itself: its kernels, and the kind of each operand. A module registers it here,
# beside the kernels, and everything else (signature, dtypes, strides, tiles, threads) follows from the kinds.
#
# The machine that runs kernels is rows.pxd. It is compiled once a level, in row_loops.pyx, which every other module
# finds by a capsule.
from cpython.pycapsule cimport PyCapsule_Import

cimport numpy as np

from .dtypes cimport BFLOAT16, FLOAT64, Dtype, is_short
from .registers cimport STREAM_BYTES
from .shared cimport join_shared
from .threads cimport join_threads

cdef enum:
    MAX_ROW_OPERANDS = 12
    DTYPES = 4  # float16, float32, float64, bfloat16: an operation each
    GROUP = 4  # rows a kernel may take at a time, as long as they are in the first-level cache together
    GROUP_BYTES = 32768
    SHORT = 256  # elements of a row at most, where SHORT_ROWS of them are computed side by side
    SHORT_BYTES = 1024  # and its bytes: of more, rows and tiles would not stay in the first-level cache
    SHORT_ROWS = 8  # a multiple of every register's float64 numbers, and of GROUP
    SHORT_GROUPS = 2  # SHORT_ROWS / GROUP
    MOST_SHORT = 64  # rows at most, a multiple of those, that wait together for what follows from their sums
    SHORT_TILE = 2048  # SHORT * SHORT_ROWS
    TURNED = 128  # elements of a row at most that is copied to where rows are neighbours
    MOST_TURNED = 3  # operands that are such rows
    FILLED = 12  # elements up to which fewer of these rows than a register has lanes are filled up with copies
    MOST_FILLED = 32  # and where their kernel is much faster than others
    TURNED_TILE = 4096  # elements of such a copy: as many float32 as take the room of SHORT_TILE float64
    MOST_REGISTERS = 16  # of neighbouring rows
    WIDE = 64  # registers of rows that a kernel takes at once which has nothing to keep of each but a sum
    LONG_COLUMNS = 4096  # elements whose sums have one order: BLOCK of reductions.pxd

# What an operand is to a kernel:
#   r  a row in the dtype of the loop
#   v  a vector, mostly along the row, shared by rows, in the precision of the computation; in a loop of 16-bit floats
#      also in that dtype, which its stride tells: it is contiguous then. NULL where its length is 0
#   b  a row of booleans, one byte each, which lie one after the other
#   s  one float64 per row
#   i  one int64 per row
#   a  an output that is a sum over all rows, element by element, in the precision of the computation. A kernel adds its
#      rows to sums in that precision, or, where the flag BEGINS says so, writes those of its first group; sums of a few
#      rows in float32 are added in float64. Where one group has all rows, its sums are the results
#   c  a context: what else a kernel has to know, by one pointer for all rows
# And of functions of whole matrices, whose loops deal with dtypes and strides themselves:
#   m  a matrix, rows of examples, in the dtype of the loop
#   s  one float64 per column
#   d  one float64

cdef enum:
    # flags that tell a kernel how to write its outputs
    STREAMED = 1  # past the caches
    BEGINS = 2  # sums over rows, whatever stands there, instead of adding to it
    BFLOAT16_ROWS = 4  # as bfloat16, which rows of inputs are too, where they stand
    FROM_MEMORY = 8  # one row after the other, since no cache holds them all, and memory is written fastest in order
    ROW_BY_ROW = 16  # to rows where they stand, though inputs are turned
    NARROWED = 32  # as bfloat16, though rows of inputs are float32
    FLOAT16_ROWS = 64  # as BFLOAT16_ROWS, of float16

# A kernel on up to GROUP rows: NULL of the rows' precision, pointers to the operands of each, their length, how many
# threads may share a row, and flags. Several rows at once let the processor begin one row's sum before the last ends.
ctypedef void* Operands[MAX_ROW_OPERANDS]
ctypedef void (*group_kernel)(const void* like, Operands* p, Py_ssize_t rows, Py_ssize_t n, int threads,
                              int manner) noexcept nogil

# A kernel on SHORT_ROWS short rows, from where the operands of the first one are and how far it is to those of the
# next. It takes ordinary rows alone: where one is not, it says False and has written nothing.
ctypedef bint (*short_kernel)(const void* like, char** at, const Py_ssize_t* steps, Py_ssize_t n,
                              int manner) noexcept nogil

# A kernel on any number of rows, from where the operands of the first one are and how far it is to those of the next.
# It says how many of them, from the first on, it has taken, which may be none. All rows are one call of it, since what
# is stored between two rows, such as arguments, waits in the processor until the outputs of the first are in the
# caches, and so does what follows.
ctypedef Py_ssize_t (*all_rows_kernel)(const void* like, char** at, const Py_ssize_t* steps, Py_ssize_t rows,
                                       Py_ssize_t n, int manner) noexcept nogil

# A kernel on rows that are neighbours in memory, a row a lane: some whole registers of them. That is a cache line of
# numbers at most, or, where rows are short, up to MOST_REGISTERS whose elements take no more room than SHORT_TILE
# numbers of float64. While the processor waits for what follows from the sums of one register, it computes the next
# one's. The kernel is given how far it is from one row to the next, which for rows of numbers is one number, and from
# one element of a row to the next. It too takes ordinary rows of 1 to SHORT elements alone, or says False and has
# written nothing. One that keeps no copy of the rows says that it takes MOST_REGISTERS of them (it has half as many
# where they may be found in the first-level cache again) or WIDE, of up to LONG_COLUMNS elements.
# Where the flag ROW_BY_ROW says that its inputs are turned and its outputs are not, the first input as it stands
# follows behind all operands.
ctypedef bint (*column_kernel)(const void* like, char** at, const Py_ssize_t* steps, const Py_ssize_t* strides,
                               Py_ssize_t n, int registers, int manner) noexcept nogil

cdef struct Operation:
    # of one dtype
    void* loop  # a loop_function; it stays first, and what follows second, where operands.pyx looks for them
    void* batches  # a batches_function, or NULL
    void* kernel
    void* short_kernel  # NULL where there is none
    void* all_rows  # an all_rows_kernel, or NULL
    void* column_kernel  # NULL where there is none
    Py_ssize_t turned  # elements of a row up to which it pays to turn rows for that kernel, TURNED at most
    Py_ssize_t filled  # the same of rows that copies fill up, MOST_FILLED at most
    Py_ssize_t whole  # elements from which on rows of whole registers are for all_rows, not turned; or 0
    Dtype dtype
    int n_in
    int operands
    bint summed  # whether it adds up over its rows
    Py_ssize_t standing  # elements of a row from which on its kernel takes 16 bits where they stand; 0 for never
    Py_ssize_t standing_columns  # elements up to which that for neighbouring rows takes them so; 0 for never
    bint narrows  # whether its kernel can write rows of more than SHORT bfloat16 where they go
    char kinds[MAX_ROW_OPERANDS]
    const int* threads
    int registers  # of neighbouring rows that a kernel takes at most; 0 where it keeps a copy of them
    bint row_by_row  # whether it can write its outputs row by row

# Whether there was memory for it: where there was none, nothing has been written.
ctypedef bint (*loop_function)(const Operation* operation, char** args, const np.npy_intp* dims,
                               const np.npy_intp* steps) noexcept nogil

# The same again and again, so many times: rows as the loop takes them, and how far it is to the next ones for every
# operand. They are planned once, and as one whole, so that many small images are written past the caches as one large
# one is.
ctypedef bint (*batches_function)(const Operation* operation, char** args, const np.npy_intp* dims,
                                  const np.npy_intp* steps, np.npy_intp batches,
                                  const np.npy_intp* apart) noexcept nogil

cdef struct Operand:
    # rows of an array (p, q, n) of any strides, or an operand that all rows share
    char kind
    char* data
    Py_ssize_t step_p
    Py_ssize_t step_q
    Py_ssize_t stride  # along a row
    Py_ssize_t length  # of a vector
    bint tiled  # whether rows pass through tiles, because a kernel cannot take them where they stand
    Py_ssize_t offset  # of the tile in the memory of a thread, of a sum in those of a chunk

cdef struct Pass:
    # One kernel on all rows, in chunks. Their size follows from the shape alone, so that no sum depends on the threads.
    group_kernel kernel
    short_kernel shorts  # NULL where there is none
    all_rows_kernel all_rows  # NULL where there is none
    column_kernel columns  # NULL where there is none
    Py_ssize_t turned  # up to which length rows are turned for it
    Py_ssize_t filled  # and those that copies fill up
    bint whole  # whether these are rows of whole registers for a kernel of many
    bint across  # whether rows are neighbours in memory, as it takes them
    bint staged  # whether those that have tiles pass through them side by side
    bint apart  # whether no output stands in the place of an input, so that rows may be computed twice
    Dtype dtype
    Py_ssize_t standing
    Py_ssize_t standing_columns
    bint narrows
    int n_in
    int operands
    Operand of[MAX_ROW_OPERANDS]
    Py_ssize_t batches  # how many times there are such rows
    Py_ssize_t rows
    Py_ssize_t q
    Py_ssize_t n
    bint flat  # whether rows are equally far apart, so that q is all of them
    int manner
    Py_ssize_t group  # how many rows the kernel takes at a time
    Py_ssize_t height  # how many rows a tile has
    Py_ssize_t chunk  # how many rows a chunk has
    Py_ssize_t chunks
    Py_ssize_t n_sums  # how many sums a chunk has
    Py_ssize_t n_exact  # of so many, the first ones, the rounding errors are behind them
    double* sums
    Py_ssize_t n_few  # how many sums a kernel adds a few rows to, in their precision
    char* few  # two such sums of each worker, which few rows after few rows take in turn
    int threads
    int workers  # how many of them take chunks; where it is one, the threads share each row
    Py_ssize_t tiles_size  # bytes of a worker's tiles and of its note (rows.pxd); -1 where no memory could hold them
    char* tiles
    char* memory  # in which all of this is
    char* more  # in front, what the function asked for
    int registers  # as Operation says
    bint row_by_row

ctypedef void (*pass_function)(Pass* work) noexcept nogil
ctypedef object (*gufunc_function)(bytes name, bytes kinds_in, bytes kinds_out, bytes doc, void* float32, void* float64,
                                   void* loop_float32, void* loop_float64)

# The same for those who call from C, of contiguous rows, on one thread: the operands in their order, and as bits those
# that are one number for all rows. What may be NULL is a vector, a number that is given back, or a sum over the rows.
ctypedef const void* operand
ctypedef bint (*door_function)(const Operation* operations, Dtype dtype, const operand* operands, int shared,
                               Py_ssize_t rows, Py_ssize_t n) noexcept nogil

cdef struct RowMachine:
    void* gufunc  # a gufunc_function
    door_function call
    loop_function rows
    pass_function run_pass


cdef inline const RowMachine* row_machine() except NULL:
    # the one of this level, by its capsule; the module joins the pool of threads too, and finds what rows share
    join_threads()
    join_shared(NULL)
    return <const RowMachine*>PyCapsule_Import("lanewise.kernels.row_loops.machine", 0)


cdef inline object along_axis(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc):
    # One function on rows as a gufunc, from its two kernels and the kinds of its operands
    cdef const RowMachine* machine = row_machine()
    return (<gufunc_function>machine.gufunc)(name, kinds_in, kinds_out, doc, float32, float64,
                                             <void*>machine.rows, <void*>machine.rows)


cdef inline object on_matrices(bytes name, void* float32, void* float64, bytes kinds_in, bytes kinds_out, bytes doc,
                               void* loop_float32, void* loop_float64):
    # One function on whole matrices, from its two kernels and the loops that call them
    return (<gufunc_function>row_machine().gufunc)(name, kinds_in, kinds_out, doc, float32, float64, loop_float32,
                                                   loop_float64)


cdef inline const Operation* operations_of(object gufunc):
    # the operations of all dtypes that a registration has made
    return <const Operation*>(<np.ufunc>gufunc).data[0]


cdef inline object with_short_rows(object gufunc, void* float32, void* float64):
    # the same function, with kernels for short rows
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].short_kernel = float64 if operation[k].dtype == FLOAT64 else float32
    return gufunc


cdef inline object with_all_rows(object gufunc, void* float32, void* float64, Py_ssize_t whole=0):
    # The same function, with kernels that take all rows in one call. Rows of whole registers, of `whole` elements and
    # more, are for these and not turned, unless it is 0.
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].all_rows = float64 if operation[k].dtype == FLOAT64 else float32
        operation[k].whole = whole
    return gufunc


cdef inline object with_columns(object gufunc, void* float32, void* float64, Py_ssize_t turned):
    # The same function, with kernels for rows that are neighbours in memory. Rows of up to `turned` elements that are
    # computed in float32 are copied to where they are neighbours.
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].column_kernel = float64 if operation[k].dtype == FLOAT64 else float32
        operation[k].turned = 0 if operation[k].dtype == FLOAT64 else turned
        operation[k].filled = min(operation[k].turned, <Py_ssize_t>FILLED)
    return gufunc


cdef inline object without_copies(object gufunc, int registers):
    # the same function, whose kernel for so many registers of neighbouring rows keeps no copy: it reads an element of
    # all before the next
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].registers = registers
    return gufunc


cdef inline object row_by_row(object gufunc):
    # the same function, whose kernel for neighbouring rows writes its outputs row by row, if ROW_BY_ROW says so
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].row_by_row = True
    return gufunc


cdef inline object more_filled(object gufunc):
    # the same function, whose kernel for neighbouring rows is much faster than others up to MOST_FILLED elements
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].filled = min(operation[k].turned, <Py_ssize_t>MOST_FILLED)
    return gufunc


cdef inline object taking_bfloat16(object gufunc, Py_ssize_t least):
    # the same function, whose kernel takes rows of `least` bfloat16 and more where they stand, if BFLOAT16_ROWS says so
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].standing = least if operation[k].dtype == BFLOAT16 else 0
    return gufunc


cdef inline object taking_shorts(object gufunc):
    # the same of any rows, and of float16, of which FLOAT16_ROWS says so
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].standing = is_short(operation[k].dtype)
    return gufunc


cdef inline object taking_narrow_columns(object gufunc, Py_ssize_t most):
    # the same function, whose kernel for neighbouring rows takes those of up to `most` elements of 16 bits where they
    # stand, if BFLOAT16_ROWS or FLOAT16_ROWS says so
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].standing_columns = most if is_short(operation[k].dtype) else 0
    return gufunc


cdef inline object narrowing(object gufunc):
    # the same function, whose kernel writes bfloat16 where it goes, if NARROWED says so
    cdef Operation* operation = <Operation*>operations_of(gufunc)
    cdef int k
    for k in range(DTYPES):
        operation[k].narrows = operation[k].dtype == BFLOAT16
    return gufunc


cdef inline Py_ssize_t group_of(Py_ssize_t rows, Py_ssize_t n, Py_ssize_t width, int operands) noexcept nogil:
    # How many rows a kernel takes at a time, of n numbers of `width` bytes in each of so many operands: as many as the
    # first-level cache holds. Fewer where arrays are large, since memory is read fastest one row after the other.
    cdef Py_ssize_t group = GROUP, most = GROUP_BYTES if rows * n * width < STREAM_BYTES else GROUP_BYTES // 4
    while group > 1 and group * n * width * operands > most:
        group //= 2
    return group


cdef inline void run_groups(group_kernel kernel, short_kernel shorts, char** at, const Py_ssize_t* steps, int operands,
                            Py_ssize_t group, Py_ssize_t rows, Py_ssize_t n, Py_ssize_t width, int threads,
                            int manner) noexcept nogil:
    # rows of n numbers of `width` bytes, at equal distances, `steps` for each operand: SHORT_ROWS at a time where they
    # are short and ordinary, otherwise `group`
    cdef Operands p[GROUP]
    cdef char** own
    cdef char* one
    cdef Py_ssize_t first = 0, refused = 0, row, count
    cdef int k
    while first < rows:
        if shorts != NULL and n * width <= SHORT_BYTES and first >= refused and first + SHORT_ROWS <= rows:
            for k in range(operands):
                p[0][k] = at[k] + first * steps[k]
            refused = first + SHORT_ROWS
            if shorts(NULL, <char**>p[0], steps, n, manner):
                first = refused
                manner &= ~BEGINS
                continue
        count = min(group, rows - first)
        for k in range(operands):  # operand after operand, of which there are few: not laid out for all there can be
            own, one = <char**>p + k, at[k] + first * steps[k]
            for row in range(count):
                own[row * MAX_ROW_OPERANDS] = one
                one += steps[k]
        kernel(NULL, p, count, n, threads, manner)
        manner &= ~BEGINS
        first += count
