/* Two handlers of XLA's foreign function interface, for every elementwise kernel and for every function along the last
 * axis: compiled by lanewise.jax when they are first used, against the header that JAX installs. A kernel is named by
 * its place in the table of lanewise.h, which never changes, a loop along an axis by its place in lanewise.jax's list:
 * an address would not survive in XLA's cache of programs. No mathematics. */
#include <stdlib.h>
#include <string.h>

#include "rows.h"
#include "xla/ffi/api/c_api.h"

enum { ENTER = 0, LEAVE = 1, MOST = 5, BLOCK = 1024, MOST_LOOPS = 64 };

static const struct {
    int abi, functions;
    void (*function[1])(void);
} *table;

typedef struct {
    row_loop function;
    const void *operation;
    int inputs;
    char kinds[MOST_ROW_OPERANDS + 1];
} loop_of_rows;

static loop_of_rows loops[MOST_LOOPS];

void lanewise_set_table(const void *address) { table = address; }

void lanewise_set_loop(int place, void *function, const void *operation, int inputs, const char *kinds) {
    loop_of_rows *loop = &loops[place];
    loop->function = (row_loop)function;
    loop->operation = operation;
    loop->inputs = inputs;
    strncpy(loop->kinds, kinds, MOST_ROW_OPERANDS);
}

static XLA_FFI_Error *error(const XLA_FFI_CallFrame *frame, const char *message) {
    XLA_FFI_Error_Create_Args args = {XLA_FFI_Error_Create_Args_STRUCT_SIZE, NULL, message,
                                      XLA_FFI_Error_Code_INVALID_ARGUMENT};
    return frame->api->XLA_FFI_Error_Create(&args);
}

static const void *value_of(const XLA_FFI_CallFrame *frame, const char *name) {
    for (int64_t k = 0; k < frame->attrs.size; k++)
        if (frame->attrs.names[k]->len == strlen(name) && !memcmp(frame->attrs.names[k]->ptr, name, strlen(name)))
            return ((const XLA_FFI_Scalar *)frame->attrs.attrs[k])->value;
    return NULL;
}

static int64_t attribute(const XLA_FFI_CallFrame *frame, const char *name) {
    const int64_t *value = value_of(frame, name);
    return value == NULL ? -1 : *value;
}

/* whether XLA asks for the version of its interface, which is then told */
static int asks_for_version(XLA_FFI_CallFrame *frame) {
    if (frame->extension_start == NULL || frame->extension_start->type != XLA_FFI_Extension_Metadata) return 0;
    XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)frame->extension_start)->metadata;
    metadata->api_version.major_version = XLA_FFI_API_MAJOR;
    metadata->api_version.minor_version = XLA_FFI_API_MINOR;
    return 1;
}

static ptrdiff_t elements_of(const XLA_FFI_Buffer *buffer) {
    ptrdiff_t n = 1;
    for (int64_t k = 0; k < buffer->rank; k++) n *= buffer->dims[k];
    return n;
}

static int is_short(const XLA_FFI_Buffer *buffer) {
    return buffer->dtype == XLA_FFI_DataType_F16 || buffer->dtype == XLA_FFI_DataType_BF16;
}

static void call(void (*function)(void), char **p, int operands, ptrdiff_t n) {
    if (operands == 2)
        ((void (*)(void *, void *, ptrdiff_t))function)(p[0], p[1], n);
    else if (operands == 3)
        ((void (*)(void *, void *, void *, ptrdiff_t))function)(p[0], p[1], p[2], n);
    else if (operands == 4)
        ((void (*)(void *, void *, void *, void *, ptrdiff_t))function)(p[0], p[1], p[2], p[3], n);
    else
        ((void (*)(void *, void *, void *, void *, void *, ptrdiff_t))function)(p[0], p[1], p[2], p[3], p[4], n);
}

/* 16-bit operands pass through blocks of float32 on the stack, and are rounded once */
static void by_blocks(void (*function)(void), XLA_FFI_Buffer **buffers, int inputs, int operands, ptrdiff_t n,
                      void (*widen)(void), void (*narrow)(void)) {
    float blocks[MOST][BLOCK];
    char *p[MOST];
    for (ptrdiff_t start = 0; start < n; start += BLOCK) {
        ptrdiff_t part = n - start < BLOCK ? n - start : BLOCK;
        for (int k = 0; k < operands; k++) {
            p[k] = is_short(buffers[k]) ? (char *)blocks[k] : (char *)((float *)buffers[k]->data + start);
            if (is_short(buffers[k]) && k < inputs)
                ((void (*)(const uint16_t *, float *, ptrdiff_t))widen)((uint16_t *)buffers[k]->data + start, blocks[k],
                                                                        part);
        }
        call(function, p, operands, part);
        for (int k = inputs; k < operands; k++)
            ((void (*)(const float *, uint16_t *, ptrdiff_t))narrow)(blocks[k], (uint16_t *)buffers[k]->data + start,
                                                                     part);
    }
}

XLA_FFI_Error *lanewise_flat(XLA_FFI_CallFrame *frame) {
    XLA_FFI_Buffer *buffers[MOST];
    char *p[MOST];
    uint64_t callers[8];
    int inputs = (int)frame->args.size, operands = inputs + (int)frame->rets.size;
    if (asks_for_version(frame)) return NULL;
    if (operands > MOST || operands < 2)
        return error(frame, "lanewise: a kernel has two to five operands");
    for (int k = 0; k < operands; k++) {
        buffers[k] = k < inputs ? frame->args.args[k] : frame->rets.rets[k - inputs];
        p[k] = buffers[k]->data;
    }
    ptrdiff_t n = elements_of(buffers[0]);
    int64_t function = attribute(frame, "function"), widen = attribute(frame, "widen"),
            narrow = attribute(frame, "narrow");
    if (table == NULL || function < 0 || function >= table->functions)
        return error(frame, "lanewise: the installed lanewise has no such function: upgrade it");
    ((void (*)(uint64_t *))table->function[ENTER])(callers); /* XLA's threads flush subnormals */
    if (is_short(buffers[0]))
        by_blocks(table->function[function], buffers, inputs, operands, n, table->function[widen],
                  table->function[narrow]);
    else
        call(table->function[function], p, operands, n);
    ((void (*)(const uint64_t *))table->function[LEAVE])(callers);
    return NULL;
}

static intptr_t size_of(const XLA_FFI_Buffer *buffer) {
    return buffer->dtype == XLA_FFI_DataType_F64 ? 8 : buffer->dtype == XLA_FFI_DataType_F32 ? 4 : 2;
}

static int numbers_of(const loop_of_rows *loop, int start, int stop) {
    int found = 0;
    for (int k = start; k < stop; k++) found += loop->kinds[k] == 's';
    return found;
}

/* Statistics of rows are float64, which JAX cannot hold without its x64: those that a norm gives are thrown away, and those
 * that its gradient takes are found again, by another loop. */
XLA_FFI_Error *lanewise_rows(XLA_FFI_CallFrame *frame) {
    char *args[MOST_ROW_OPERANDS];
    intptr_t sizes[MOST_ROW_OPERANDS];
    float *sums[MOST_ROW_OPERANDS] = {NULL};
    uint64_t callers[8];
    if (asks_for_version(frame)) return NULL;
    const int64_t place = attribute(frame, "loop"), statistics_place = attribute(frame, "statistics"),
                  narrow = attribute(frame, "narrow");
    const double *number = value_of(frame, "number");
    if (place < 0 || place >= MOST_LOOPS || loops[place].function == NULL || number == NULL)
        return error(frame, "lanewise: the installed lanewise has no such function: upgrade it");
    const loop_of_rows *loop = &loops[place], *finder = statistics_place < 0 ? NULL : &loops[statistics_place];
    const XLA_FFI_Buffer *x = frame->args.args[0];
    const int operands = (int)strlen(loop->kinds), first_output = loop->inputs;
    const intptr_t n = x->dims[x->rank - 1];
    if (elements_of(x) == 0) {
        for (int64_t k = 0; k < frame->rets.size; k++) {
            const XLA_FFI_Buffer *buffer = frame->rets.rets[k];
            memset(buffer->data, 0, elements_of(buffer) * size_of(buffer));
        }
        return NULL;
    }
    const intptr_t rows = elements_of(x) / n;
    const int kept = numbers_of(loop, finder == NULL ? first_output : 0, operands);
    double *memory = malloc(kept * rows * sizeof(double) + (is_short(x) ? operands * n * sizeof(float) : 0) + 1);
    if (memory == NULL) return error(frame, "lanewise: no memory for the statistics of the rows");
    int input = 0, output = 0, numbers = 0;
    for (int k = 0; k < operands; k++) {
        const char kind = loop->kinds[k];
        if (kind == 's') {
            const int is_given = k < first_output && finder == NULL;
            args[k] = is_given ? (char *)number : (char *)(memory + numbers++ * rows);
            sizes[k] = is_given ? 0 : (intptr_t)sizeof(double);
            continue;
        }
        const XLA_FFI_Buffer *buffer = k < first_output ? frame->args.args[input++] : frame->rets.rets[output++];
        args[k] = kind != 'r' && elements_of(buffer) == 0 ? NULL : buffer->data;
        sizes[k] = size_of(buffer);
        if (kind == 'a' && is_short(buffer) && args[k] != NULL) { /* it is added up in float32, and rounded once */
            sums[k] = (float *)(memory + kept * rows) + k * n;
            args[k] = (char *)sums[k];
            sizes[k] = sizeof(float);
        }
    }
    int done = 1;
    ((void (*)(uint64_t *))table->function[ENTER])(callers);
    if (finder != NULL) { /* of the second operand, after the gradient */
        char *found[MOST_ROW_OPERANDS] = {args[1], (char *)number, (char *)memory, (char *)(memory + rows)};
        const intptr_t found_sizes[] = {sizes[1], 0, sizeof(double), sizeof(double)};
        done = call_rows(finder->function, finder->operation, finder->kinds, found, found_sizes, rows, n, 1);
    }
    if (done) done = call_rows(loop->function, loop->operation, loop->kinds, args, sizes, rows, n, 1);
    output = 0;
    for (int k = first_output; k < operands; k++) {
        if (loop->kinds[k] == 's') continue;
        const XLA_FFI_Buffer *buffer = frame->rets.rets[output++];
        if (sums[k] != NULL)
            ((void (*)(const float *, void *, ptrdiff_t))table->function[narrow])(sums[k], buffer->data, n);
    }
    ((void (*)(const uint64_t *))table->function[LEAVE])(callers);
    free(memory);
    return done ? NULL : error(frame, "lanewise: no memory for the rows");
}
