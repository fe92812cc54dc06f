/* How the handlers of JAX and the operators of PyTorch call a function along rows: by the loop that NumPy calls for the
 * Python function, which lanewise.kernels.row_loops.loops_of tells of. C and C++. */
#pragma once
#include <stdint.h>
#include <string.h>

enum { MOST_ROW_OPERANDS = 12 };

/* Gives 0 where there was no memory, and then has written nothing. */
typedef int (*row_loop)(const void *operation, char **operands, const intptr_t *dims, const intptr_t *steps);

/* Rows of n elements, which lie q elements apart; the first elements of rows lie one element apart, or n where q is 1.
 * A letter for each operand says what it is: r a row, v a vector along it, or NULL, s a float64 of each row, i its
 * int64, a a sum over the rows, or NULL. Its size is that of an element, or 0 of a number that is the same for all. */
static int call_rows(row_loop loop, const void *operation, const char *kinds, char **operands, const intptr_t *sizes,
                     intptr_t rows, intptr_t n, intptr_t q) {
    const int count = (int)strlen(kinds), summed = strchr(kinds, 'a') != NULL;
    intptr_t dims[4 + MOST_ROW_OPERANDS] = {1, 1}, steps[4 * MOST_ROW_OPERANDS] = {0};
    intptr_t *length = dims + 2 * summed, *within = steps + count;
    *length++ = rows, *length++ = n;
    for (int k = 0; k < count; k++) {
        const int is_row = kinds[k] == 'r', along = kinds[k] == 'v' || kinds[k] == 'a';
        const intptr_t step = along ? 0 : is_row && q == 1 ? n * sizes[k] : sizes[k];
        if (kinds[k] == 'v') *length++ = operands[k] == NULL ? 0 : n;
        if (!along && summed) *within++ = 0, *within++ = step;
        if (!summed) steps[k] = step;
        if (is_row || along) *within++ = is_row ? q * sizes[k] : sizes[k];
    }
    return loop(operation, operands, dims, steps);
}
