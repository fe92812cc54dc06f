"""What translation.py does to the C that Cython writes."""

import runpy
from pathlib import Path

import pytest

TRANSLATION = runpy.run_path(str(Path(__file__).parents[1] / "translation.py"))
adapted, parted = TRANSLATION["adapted"], TRANSLATION["parted"]
CODE = """\
static int unused(int); /*proto*/
static int never_written(void);
static int used(int);
static int undefined(void); static int beside = 3;
#define CALL(x) in_macro(x)
static int in_macro(int x) {
  return x;
}
static int calls_unused(int x) {
  return unused(x);
}
static int unused(int x) {
  return x;
}
static int split(int x) {
#if NEWER
  return x;
}
#else
  return 2 * x;
}
#endif
static int used(
    int x) {
  #if NEWER
  x = 1;
  #endif
  return x;
}
static int table[] = {
  1,
};
int exported(int x) {
  return used(x);
}
"""


def test_functions_that_nothing_calls_are_left_out():
    kept = adapted(CODE)
    for gone in ("unused(", "never_written"):
        assert gone not in kept
    assert kept.startswith("static int used(int);\nstatic int undefined(void); static int beside = 3;\n#define CALL")
    lines = iter(CODE.splitlines())
    assert all(line in lines for line in kept.splitlines()), "what is kept is as it was"


def test_what_is_named_is_kept():
    kept = adapted(CODE)
    for name in ("CALL", "in_macro", "split", "used", "table", "exported"):
        assert name in kept
    assert kept.count("static int used(") == 2
    assert kept.count("#if") == kept.count("#endif") == 2
    assert adapted(kept) == kept


MODULE = """\
#ifndef Py_PYTHON_H
#else
enum { HALVES = F32_LANES / F64_LANES, WHOLE = 2 };
struct Registers {
  f32x first;
};
struct Of {
  f32x const *first;
};
struct Holder {
  struct Registers own;
};
typedef struct {
  f64x first;
} Anonymous;
static int __pyx_v_8lanewise_state;
    static int *lanewise_counts;
static int __pyx_f_loop(int); /*proto*/
/* #### Code section: string_decls ### */
static char text[] = "text";
/* #### Code section: module_code ### */
static CYTHON_INLINE int __pyx_f_half(int x) {
  return x / 2;
}
static CYTHON_INLINE int __pyx_f_lanes(int x) {
  return x / F32_LANES;
}
static int __pyx_f_loop(int x) {
  return __pyx_f_lanes(x) + __pyx_f_half(x) + __pyx_v_8lanewise_state + lanewise_counts[0];
}
static int __pyx_f_unused(int x) {
  return x;
}
static int __pyx_f_leads_to_objects(int x) {
  return __pyx_f_of_objects(x);
}
static int __pyx_f_of_objects(PyObject *x) {
  return __pyx_f_loop(0) + __pyx_f_half(__pyx_v_8lanewise_state) + __pyx_f_leads_to_objects(0);
}
static CYTHON_SMALL_CODE int __pyx_pymod_exec_norms(PyObject *__pyx_pyinit_module)
{
  return __pyx_f_of_objects(0);
}
int __pyx_module_is_main_norms = 0;
PyObject *exported(void) { return __pyx_pymod_exec_norms(0); }
#endif
"""


def test_kernels_are_parted_from_objects():
    above, kernels = parted("norms", MODULE)
    assert "Py" not in kernels.replace("Py_PYTHON_H", "")
    for body in ("return x / F32_LANES", "+ __pyx_v_8lanewise_state +"):
        assert body not in above
        assert body in kernels
    assert "return x;" not in above + kernels, "what nothing calls"
    assert "return x / 2" in above, "a few instructions are no call"
    assert "return x / 2" in kernels
    for name in ("__pyx_f_of_objects(PyObject", "__pyx_f_leads_to_objects(int", "text[]"):
        assert name in above
        assert name not in kernels
    # with the *, what the rest of the file takes for the function's address is that, not the table's
    assert above.count("lanewise_chosen->") == above.count("#define __pyx_f_loop (*lanewise_chosen->__pyx_f_loop)") == 1
    assert kernels.endswith("const lanewise_kernels LANEWISE_KERNELS = {\n    __pyx_f_loop,\n};\n#endif\n")
    assert above.index("{\n  if (choose_kernels(") > above.index("__pyx_pymod_exec_norms")


def test_variables_are_shared():
    above, kernels = parted("norms", MODULE)
    for declaration in ("int __pyx_v_8lanewise_state;", "int *lanewise_counts;"):
        assert f'\n__attribute__((visibility("hidden"))) {declaration}' in above
        assert f'\nextern __attribute__((visibility("hidden"))) {declaration}' in kernels
        assert "static int *lanewise_counts" not in above + kernels


@pytest.mark.parametrize("text", [
    "x += F32_LANES", "x += ABREAST", "x += HALVES", "struct Registers y", "struct Holder y", "Anonymous y", "f32x y",
    "add_products_u8(x, x, x)"])
def test_what_is_compiled_once_depends_on_no_level(text):
    with pytest.raises(SystemExit, match="norms: __pyx_f_of_objects has to do with Python objects"):
        parted("norms", MODULE.replace("PyObject *x) {", f"PyObject *x) {{\n  {text};"))
    pointed_at = "f32x *y; struct Of z; struct Registers *r; x += WHOLE;"
    parted("norms", MODULE.replace("PyObject *x) {", f"PyObject *x) {{\n  {pointed_at}"))


def test_kernels_see_their_variables():
    with pytest.raises(SystemExit, match="norms: __pyx_f_loop is compiled apart from the variable __pyx_v_8lanewise_a"):
        parted("norms", MODULE.replace("lanewise_counts[0]", "__pyx_v_8lanewise_array[0]"))
