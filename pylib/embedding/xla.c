/* One handler of XLA's foreign function interface for every elementwise kernel: compiled by lanewise.jax when it is
 * first used, against the header that JAX installs. The kernel is named by its place in the table of lanewise.h, which
 * never changes: an address would not survive in XLA's cache of programs. No mathematics. */
#include <string.h>

#include "xla/ffi/api/c_api.h"

enum { ENTER = 0, LEAVE = 1, MOST = 5, BLOCK = 1024 };

static const struct {
    int abi, functions;
    void (*function[1])(void);
} *table;

void lanewise_set_table(const void *address) { table = address; }

static XLA_FFI_Error *error(const XLA_FFI_CallFrame *frame, const char *message) {
    XLA_FFI_Error_Create_Args args = {XLA_FFI_Error_Create_Args_STRUCT_SIZE, NULL, message,
                                      XLA_FFI_Error_Code_INVALID_ARGUMENT};
    return frame->api->XLA_FFI_Error_Create(&args);
}

static int64_t attribute(const XLA_FFI_CallFrame *frame, const char *name) {
    for (int64_t k = 0; k < frame->attrs.size; k++)
        if (frame->attrs.names[k]->len == strlen(name) && !memcmp(frame->attrs.names[k]->ptr, name, strlen(name)))
            return *(const int64_t *)((const XLA_FFI_Scalar *)frame->attrs.attrs[k])->value;
    return -1;
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
    ptrdiff_t n = 1;
    int inputs = (int)frame->args.size, operands = inputs + (int)frame->rets.size;
    if (frame->extension_start != NULL && frame->extension_start->type == XLA_FFI_Extension_Metadata) {
        XLA_FFI_Metadata *metadata = ((XLA_FFI_Metadata_Extension *)frame->extension_start)->metadata;
        metadata->api_version.major_version = XLA_FFI_API_MAJOR;
        metadata->api_version.minor_version = XLA_FFI_API_MINOR;
        return NULL;
    }
    if (operands > MOST || operands < 2)
        return error(frame, "lanewise: a kernel has two to five operands");
    for (int k = 0; k < operands; k++) {
        buffers[k] = k < inputs ? frame->args.args[k] : frame->rets.rets[k - inputs];
        p[k] = buffers[k]->data;
    }
    for (int64_t k = 0; k < buffers[0]->rank; k++)
        n *= buffers[0]->dims[k];
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
