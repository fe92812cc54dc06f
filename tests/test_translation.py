"""What translation.py does to the C that Cython writes."""

import runpy
from pathlib import Path

without_unused = runpy.run_path(str(Path(__file__).parents[1] / "translation.py"))["without_unused"]
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
    kept = without_unused(CODE)
    for gone in ("unused(", "never_written"):
        assert gone not in kept
    assert kept.startswith("static int used(int);\nstatic int undefined(void); static int beside = 3;\n#define CALL")
    lines = iter(CODE.splitlines())
    assert all(line in lines for line in kept.splitlines()), "what is kept is as it was"


def test_what_is_named_is_kept():
    kept = without_unused(CODE)
    for name in ("CALL", "in_macro", "split", "used", "table", "exported"):
        assert name in kept
    assert kept.count("static int used(") == 2
    assert kept.count("#if") == kept.count("#endif") == 2
    assert without_unused(kept) == kept
