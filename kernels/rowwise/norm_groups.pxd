# Gradients of a few rows of rms_norm or layer_norm: the sums of each row (norm_terms.pxd), then the gradients of x, and
# what the rows add to those of weight and bias. Which rows these are, and the sums over groups, is loops/rows.pxd.
from libc.stdint cimport uintptr_t
from libc.string cimport memset

from ..lanes cimport REGISTERS, f32x, f64x, fma, real, splat
from ..loops.registers cimport LINE, head, itemsize, just_behind, lanes, skip, store, store_part, stream
from ..loops.operations cimport GROUP, SHORT_BYTES, SHORT_GROUPS, SHORT_ROWS
from ..loops.reductions cimport Pair, map_from, map_row, row_context, sum_row, take
from ..loops.short_rows cimport add_short, long_fold_short, short_means
from .norm_pairs cimport keep_sum, pair_sums
from .norm_terms cimport (
    GRAD_MEAN, GRAD_NORMED_MEAN, MEAN, MEAN_REST, RSTD, SCALE, Group, Terms, add_deviation, add_terms, deviations,
    fold_layer_terms, fold_rms_terms, fold_weighted_layer_terms, fold_weighted_rms_terms, know, know_rest, known,
    normed_of, take_first, terms, terms_of,
)

cdef enum Wanted:
    # what the compiler knows of a group
    NOTHING_KNOWN
    ALL_GRADIENTS  # rows of scale 1 with a weight, whose gradient is wanted
    GRAD_X_ALONE  # rows of scale 1 without a weight, of which no sum is wanted

cdef enum:
    COLUMNS = 128  # registers of a row that a tile has at most
    FEW_COLUMNS = 32  # and where rows take turns in a tile that has a part of them
    WHOLE_BYTES = 4096  # of a row, up to which sums are carried along whole rows
    STREAMED_BYTES = 4096  # of a row, from which on it pays to write past the caches
    AT_ONCE_BYTES = 24576  # of grad and x, beside what is written
    ALIGNED = 256  # elements of a row from which on it pays that whole registers begin at a boundary


cdef inline real gradient_of(const real* like, const Group* group, Py_ssize_t r, bint weighted, bint centred,
                             real grad, real weight, real normed) noexcept nogil:
    # of x: (grad * weight - grad_mean - normed * grad_normed_mean) * rstd
    if weighted and centred:
        grad = grad * weight + known(like, group, GRAD_MEAN, r)  # the mean is one of rounded products
    elif weighted:
        grad = grad * weight
    elif centred:
        grad = grad + known(like, group, GRAD_MEAN, r)
    return fma(normed, known(like, group, GRAD_NORMED_MEAN, r), grad) * known(like, group, RSTD, r)


cdef inline real normed_row(const real* like, const Group* group, Py_ssize_t r, bint centred, real x) noexcept nogil:
    return normed_of(x, centred, known(like, group, MEAN, r), known(like, group, MEAN_REST, r),
                     known(like, group, RSTD, r))


cdef inline void gradients(const real* like, const Group* group, Py_ssize_t first, Py_ssize_t rows, Wanted wanted,
                           bint centred, bint streamed, Py_ssize_t i, Py_ssize_t n, real* sums) noexcept nogil:
    # the elements i to i + n of the gradients of some rows, and what they add to the gradients of weight and bias
    cdef bint weighted = wanted == ALL_GRADIENTS or group.weight != NULL
    cdef bint scaled = wanted == NOTHING_KNOWN and not group.ordinary
    cdef real weight, x, grad, normed
    cdef Py_ssize_t r
    weight = take(<const real*>(group.weight if weighted else group.x[first]), i, n)
    for r in range(first, first + rows):
        grad = take(<const real*>group.grad[r], i, n)
        x = take(<const real*>group.x[r], i, n)
        if scaled:
            x = x * known(like, group, SCALE, r)
        normed = normed_row(like, group, r, centred, x)
        sums[0] = fma(grad, normed, sums[0])
        if centred:
            sums[1] = sums[1] + grad
        grad = gradient_of(like, group, r, weighted, centred, grad, weight, normed)
        if scaled:
            grad = grad * known(like, group, SCALE, r)
        if streamed:
            stream(<real*>skip(<const real*>group.grad_x[r], i), grad)
        elif n == lanes(like):
            store(<real*>skip(<const real*>group.grad_x[r], i), grad)
        else:
            store_part(<real*>skip(<const real*>group.grad_x[r], i), grad, n)


cdef inline real gradient_alone(const real* like, const void* context, bint weighted, bint centred, Py_ssize_t i,
                                Py_ssize_t n) noexcept nogil:
    # of an ordinary row that adds nothing to other gradients, or has done so
    cdef const Group* group = <const Group*>context
    cdef Py_ssize_t r = group.at
    cdef real grad = take(<const real*>group.grad[r], i, n)
    cdef real normed = normed_row(like, group, r, centred, take(<const real*>group.x[r], i, n))
    cdef real weight = take(<const real*>(group.weight if weighted else group.x[r]), i, n)
    return gradient_of(like, group, r, weighted, centred, grad, weight, normed)


cdef inline real layer_gradient(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return gradient_alone(like, context, False, True, i, n)


cdef inline real weighted_layer_gradient(const real* like, const void* context, Py_ssize_t i,
                                         Py_ssize_t n) noexcept nogil:
    return gradient_alone(like, context, True, True, i, n)


cdef inline real rms_gradient(const real* like, const void* context, Py_ssize_t i, Py_ssize_t n) noexcept nogil:
    return gradient_alone(like, context, False, False, i, n)


cdef inline real weighted_rms_gradient(const real* like, const void* context, Py_ssize_t i,
                                       Py_ssize_t n) noexcept nogil:
    return gradient_alone(like, context, True, False, i, n)


cdef inline void gradient_block(real* y, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # One row by itself. Rows with a weight come here in pairs, which are of float32. Where x and grad stand alike,
    # whole registers begin at their boundaries: two loads across a boundary take longer than such a store.
    cdef const Group* own = <const Group*>context
    cdef const void* x = own.x[own.at]
    cdef const void* grad = own.grad[own.at]
    cdef bint alike = not own.streamed and (<uintptr_t>x ^ <uintptr_t>grad) % (LINE // 2) == 0
    cdef bint backwards = just_behind(y, x) or just_behind(y, grad)
    cdef const void* bounded = x if alike else <const void*>y
    if real is f32x and own.weight != NULL:
        if own.centred:
            map_from(weighted_layer_gradient[real], y, bounded, backwards, own, start, n, own.streamed)
        else:
            map_from(weighted_rms_gradient[real], y, bounded, backwards, own, start, n, own.streamed)
    elif own.centred:
        map_from(layer_gradient[real], y, bounded, backwards, own, start, n, own.streamed)
    else:
        map_from(rms_gradient[real], y, bounded, backwards, own, start, n, own.streamed)


cdef inline void keep_sums(const Group* group, Wanted wanted, bint centred, const real* sums, Py_ssize_t i,
                           Py_ssize_t n) noexcept nogil:
    if wanted == ALL_GRADIENTS or group.grad_weight != NULL:
        keep_sum(group.grad_weight, group.alone, sums[0], i, n)
    if centred and group.grad_bias != NULL:
        keep_sum(group.grad_bias, group.alone, sums[1], i, n)


cdef inline void rows_of_tile(const real* like, const Group* group, Py_ssize_t first, Py_ssize_t rows, Wanted wanted,
                              bint centred, bint streamed, bint opens, bint closes, Py_ssize_t i, Py_ssize_t stop,
                              real* carried) noexcept nogil:
    # The whole registers of some rows. Their sums begin with 0 or with those carried from the rows before, and are
    # carried on to the rows that follow or are kept.
    cdef real sums[2]
    while i + lanes(like) <= stop:
        sums[0] = splat(sums[0], 0.0) if opens else carried[0]
        sums[1] = splat(sums[1], 0.0) if opens else carried[1]
        gradients(like, group, first, rows, wanted, centred, streamed, i, lanes(like), sums)
        if closes:
            keep_sums(group, wanted, centred, sums, i, lanes(like))
        else:
            carried[0], carried[1] = sums[0], sums[1]
        carried += 2
        i += lanes(like)


cdef inline Py_ssize_t rows_together(const real* like, const Group* group) noexcept nogil:
    # How many rows of a group are written together: as many as the registers hold constants of, if the first-level
    # cache has room for them. From memory one row after the other is read and written fastest.
    if group.from_memory:
        return 1
    if REGISTERS < 32:
        return 2
    return GROUP if group.n * GROUP * 2 * <Py_ssize_t>itemsize(like) <= AT_ONCE_BYTES else 1


cdef inline void row_of_tile(const real* like, const Group* group, Py_ssize_t r, bint centred,
                             bint streamed, Py_ssize_t i, Py_ssize_t stop, real* carried) noexcept nogil:
    if group.rows == 1:
        rows_of_tile(like, group, r, 1, ALL_GRADIENTS, centred, streamed, True, True, i, stop, carried)
    elif r == 0:
        rows_of_tile(like, group, r, 1, ALL_GRADIENTS, centred, streamed, True, False, i, stop, carried)
    elif r < GROUP - 1:
        rows_of_tile(like, group, r, 1, ALL_GRADIENTS, centred, streamed, False, False, i, stop, carried)
    else:
        rows_of_tile(like, group, r, 1, ALL_GRADIENTS, centred, streamed, False, True, i, stop, carried)


cdef inline void known_tile(const real* like, const Group* group, bint centred, Py_ssize_t i,
                            Py_ssize_t stop, real* carried) noexcept nogil:
    # a group at once, or by two rows at a time, or row after row, whose constants all stand in registers
    cdef Py_ssize_t r
    if group.rows > 1 and group.together > 1:
        if REGISTERS >= 32:
            rows_of_tile(like, group, 0, GROUP, ALL_GRADIENTS, centred, False, True, True, i, stop, carried)
            return
        if group.first == 0:
            rows_of_tile(like, group, 0, 2, ALL_GRADIENTS, centred, False, True, False, i, stop, carried)
        if group.first + group.count == GROUP:
            rows_of_tile(like, group, 2, 2, ALL_GRADIENTS, centred, False, False, True, i, stop, carried)
        return
    for r in range(group.first, group.first + group.count):
        if group.streamed and <uintptr_t>skip(<const real*>group.grad_x[r], i) % sizeof(real) == 0:
            row_of_tile(like, group, r, centred, True, i, stop, carried)
        else:
            row_of_tile(like, group, r, centred, False, i, stop, carried)


cdef inline Wanted wanted_of(const Group* group) noexcept nogil:
    cdef bint whole = group.rows == GROUP or group.rows == 1
    if not group.ordinary:
        return NOTHING_KNOWN
    if group.weight == NULL and group.grad_weight == NULL and (not group.centred or group.grad_bias == NULL):
        return GRAD_X_ALONE
    if whole and group.weight != NULL and group.grad_weight != NULL:
        return ALL_GRADIENTS
    return NOTHING_KNOWN


cdef inline void gradients_block(real* like, row_context context, Py_ssize_t start, Py_ssize_t n) noexcept nogil:
    # A tile of columns after the other: what rows add to the sums stays in the first-level cache until the next rows
    # come. Whole registers begin at the first of grad_x: a store across two lines of the cache is slow.
    cdef const Group* own = <const Group*>context
    cdef Py_ssize_t part = head(skip(<const real*>own.grad_x[0], start), n) if n >= ALIGNED else 0
    cdef Py_ssize_t i = start + part, stop = start + n, rest = (n - part) % lanes(like), end, r
    cdef real own_carried[2 * COLUMNS + 4]
    cdef real* carried = <real*>own.carried if own.carried != NULL else own_carried
    cdef Wanted wanted = wanted_of(own)
    cdef Py_ssize_t columns = FEW_COLUMNS if wanted == ALL_GRADIENTS and own.carried == NULL else COLUMNS
    while i < stop - rest:
        end = min(stop - rest, i + columns * lanes(like))
        if wanted == ALL_GRADIENTS and own.centred:
            known_tile(like, own, True, i, end, carried)
        elif wanted == ALL_GRADIENTS:
            known_tile(like, own, False, i, end, carried)
        else:
            for r in range(own.first, own.first + own.count):
                rows_of_tile(like, own, r, 1, NOTHING_KNOWN, own.centred, False, r == own.first,
                             r == own.first + own.count - 1, i, end, carried)
        i = end
    carried += 2 * COLUMNS
    i, end = start, start + part
    while True:
        # what stands before the whole registers and behind them
        if i < end:
            if own.first == 0 or own.carried == NULL:
                carried[0] = carried[1] = splat(carried[0], 0.0)
            if wanted == ALL_GRADIENTS and own.count == GROUP:
                gradients(like, own, 0, GROUP, ALL_GRADIENTS, own.centred, False, i, end - i, carried)
            else:
                gradients(like, own, own.first, own.count, NOTHING_KNOWN, own.centred, False, i, end - i, carried)
            if own.first + own.count == own.rows or own.carried == NULL:
                keep_sums(own, NOTHING_KNOWN, own.centred, carried, i, end - i)
        if end == stop:
            break
        i, end = stop - rest, stop
        carried += 2


cdef inline void row_sums(const real* like, Group* group, Py_ssize_t r, int threads) noexcept nogil:
    cdef Pair sums
    group.at = r
    if real is f64x and group.centred:
        # what the mean has lost by being one float64
        group.mean_rest[r] = sum_row(deviations[real], like, group, group.n, threads).first / group.n
        know_rest(like, group, r)
    sums = sum_row(terms[real], like, group, group.n, threads)
    know(like, group, GRAD_NORMED_MEAN, r, -sums.first / group.n)
    know(like, group, GRAD_MEAN, r, -sums.second / group.n)


cdef inline void begin_sums(Group* group, Py_ssize_t size) noexcept nogil:
    # sums that both halves of a group are added to, where it is alone
    group.alone = False
    if group.grad_weight != NULL:
        memset(group.grad_weight, 0, size)
    if group.grad_bias != NULL:
        memset(group.grad_bias, 0, size)


cdef inline void group_backward(const real* like, Group* group, int threads) noexcept nogil:
    # The sums of each row, then the gradients: of all rows, or of those that are still in the first-level cache, one
    # where nobody wants sums over rows and one or two where a tile holds whole rows. Where rows of float32 come by
    # pairs, the sums over rows are those of pairs, whatever is known of them: their order depends on the shape alone.
    cdef real carried[2 * COLUMNS + 4]
    cdef Py_ssize_t r, stop, size = group.n * <Py_ssize_t>itemsize(like)
    cdef Wanted wanted = wanted_of(group)
    cdef bint pairs = (real is f32x and group.rows == GROUP and SHORT_BYTES < size <= WHOLE_BYTES
                       and not group.from_memory)
    group.carried, group.first, group.count, group.together = NULL, 0, group.rows, rows_together(like, group)
    if wanted == GRAD_X_ALONE:
        group.count = 1
    elif pairs:
        group.count = 2
        if group.alone and wanted != ALL_GRADIENTS:
            begin_sums(group, size)
    elif wanted == ALL_GRADIENTS and group.rows == GROUP and size <= WHOLE_BYTES and (
            group.n <= COLUMNS * lanes(like)):
        group.carried, group.count = carried, group.together
    pairs = pairs and wanted == ALL_GRADIENTS
    while group.first < group.rows:
        stop = group.first + group.count
        if real is f32x and pairs:
            pair_sums(like, group, group.first)
        else:
            for r in range(group.first, stop):
                row_sums(like, group, r, threads)
        if pairs or wanted == GRAD_X_ALONE:
            for r in range(group.first, stop):
                group.at = r
                map_row(gradient_block[real], <real*>group.grad_x[r], group, group.n, threads)
        else:
            map_row(gradients_block[real], <real*>like, group, group.n, threads)
        group.first = stop


cdef inline void short_groups_backward(const real* like, Group* groups, Py_ssize_t n, bint centred) noexcept nogil:
    # group_backward of SHORT_ROWS short and ordinary rows, in whole groups
    cdef Group row
    cdef Group* group
    cdef Terms own
    cdef f64x[4 * SHORT_ROWS] parts
    cdef double[SHORT_ROWS] means
    cdef double[SHORT_ROWS] rests
    cdef real carried[2 * COLUMNS + 4]
    cdef Py_ssize_t r
    if real is f64x and centred:
        for r in range(SHORT_ROWS):
            take_first(&row, &groups[r // GROUP], r % GROUP)
            add_short(add_deviation[real], 1, like, &row, n, parts + r)
        short_means(like, parts, 1, n, rests)
        for r in range(SHORT_ROWS):
            groups[r // GROUP].mean_rest[r % GROUP] = rests[r]
            know_rest(like, &groups[r // GROUP], r % GROUP)
    for r in range(SHORT_ROWS):
        if real is f32x:
            own = terms_of(&groups[r // GROUP], r % GROUP)
            if own.weight != NULL:
                if centred:
                    long_fold_short(fold_weighted_layer_terms, 2, &own, n, parts + r)
                else:
                    long_fold_short(fold_weighted_rms_terms, 1, &own, n, parts + r)
            elif centred:
                long_fold_short(fold_layer_terms, 2, &own, n, parts + r)
            else:
                long_fold_short(fold_rms_terms, 1, &own, n, parts + r)
        else:
            take_first(&row, &groups[r // GROUP], r % GROUP)
            add_short(add_terms[real], 2 if centred else 1, like, &row, n, parts + r)
    short_means(like, parts, 2 if centred else 1, n, means)
    if centred:
        short_means(like, parts + SHORT_ROWS, 2, n, rests)
    for r in range(SHORT_ROWS):
        group = &groups[r // GROUP]
        know(like, group, GRAD_NORMED_MEAN, r % GROUP, -means[r])
        know(like, group, GRAD_MEAN, r % GROUP, -rests[r] if centred else 0.0)
    if wanted_of(groups) == GRAD_X_ALONE and n * <Py_ssize_t>itemsize(like) >= LINE:  # shorter ones: faster as groups
        for r in range(SHORT_ROWS):
            group = &groups[r // GROUP]
            group.at = r % GROUP
            map_row(gradient_block[real], <real*>group.grad_x[r % GROUP], group, n, 1)
        return
    for r in range(SHORT_GROUPS):
        groups[r].carried, groups[r].first, groups[r].count = carried, 0, GROUP
        groups[r].together = rows_together(like, &groups[r])
        map_row(gradients_block[real], <real*>like, &groups[r], n, 1)
