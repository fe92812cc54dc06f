/* The kernels of the level that runs, for the half of a module that is compiled once. translation.py has this file
 * included after the module's own lanewise_kernels, a table of the addresses of its kernels; setup.py names the levels
 * that the module is built for, parents first, as LANEWISE_LEVELS: X(baseline) X(avx2). */
#define X(level) extern __attribute__((visibility("hidden"))) const lanewise_kernels lanewise_kernels_##level;
LANEWISE_LEVELS
#undef X
static const lanewise_kernels *lanewise_chosen;

/* Before anything else of the module: the kernels of its best level among those that lanewise.kernels.machine has been
 * told, whose name it gets as __level__. */
static int choose_kernels(PyObject *module) {
    /* not by PyCapsule_Import: the package may be on its way, and not yet an attribute of its parent */
    PyObject *machine = PyImport_ImportModule("lanewise.kernels.machine");
    PyObject *capsule = machine ? PyObject_GetAttrString(machine, "lineage_of_level") : NULL;
    const char *name = NULL, *lineage =
        capsule ? (const char *)PyCapsule_GetPointer(capsule, "lanewise.kernels.machine.lineage_of_level") : NULL;
    Py_XDECREF(capsule);
    Py_XDECREF(machine);
    if (lineage == NULL) return -1;
#define X(level) if (strstr(lineage, " " #level " ")) name = #level, lanewise_chosen = &lanewise_kernels_##level;
    LANEWISE_LEVELS
#undef X
    if (name != NULL) return PyModule_AddStringConstant(module, "__level__", name);
    PyErr_Format(PyExc_ImportError, "%s was built for none of the levels%s", PyModule_GetName(module), lineage);
    return -1;
}
