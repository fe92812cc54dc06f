/* silu of each row, in C with the limited API: one binary for every Python from 3.11 on. */
#define Py_LIMITED_API 0x030B0000
#include <lanewise.h>

static PyObject *silu_rows(PyObject *module, PyObject *args) {
    PyObject *source, *target;
    Py_buffer x, y;
    (void)module;
    if (!PyArg_ParseTuple(args, "OO", &source, &target) || PyObject_GetBuffer(source, &x, PyBUF_ND) < 0)
        return NULL;
    if (PyObject_GetBuffer(target, &y, PyBUF_ND | PyBUF_WRITABLE) == 0) {
        if (x.ndim == 2 && x.itemsize == sizeof(float) && x.len == y.len) {
            Py_BEGIN_ALLOW_THREADS
            for (Py_ssize_t row = 0, n = x.shape[1]; row < x.shape[0]; row++)
                lanewise->silu_float32((const float *)x.buf + row * n, (float *)y.buf + row * n, n);
            Py_END_ALLOW_THREADS
        } else {
            PyErr_SetString(PyExc_ValueError, "silu_rows expected two float32 matrices of one shape");
        }
        PyBuffer_Release(&y);
    }
    PyBuffer_Release(&x);
    return PyErr_Occurred() ? NULL : Py_NewRef(Py_None);
}

static PyMethodDef methods[] = {{"silu_rows", silu_rows, METH_VARARGS, "y = silu(x), a row at a time"}, {0}};
static PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "rows", .m_size = -1, .m_methods = methods};

PyMODINIT_FUNC PyInit_rows(void) { return lanewise_import() < 0 ? NULL : PyModule_Create(&definition); }
