"""Write pylib/include/lanewise.h, docs/embedding/signatures.md and tests/embedding/signatures.txt from the declarations
that kernels/*.pxd export. A function keeps its place, its argument names and its types for ever, since programs that
were built against an older header read the table by them: new functions are added at the end.
"""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
KERNELS = ROOT / "kernels"
HEADER = ROOT / "pylib" / "include" / "lanewise.h"
PAGE = ROOT / "docs" / "embedding" / "signatures.md"
FROZEN = ROOT / "tests" / "embedding" / "signatures.txt"
ABI = 1  # to raise where a function's meaning changes, or the layout of the table
OWN = "interface"  # the module whose functions come first: they have inline forms in the header
WIDTH = 120

DECLARATION = re.compile(r"cdef (?P<result>[\w ]+[ *]+)(?P<name>\w+)\((?P<arguments>[^()]*)\) noexcept nogil")
FIELD = re.compile(r"^    (?P<result>[\w ]+[ *]+)\(\*(?P<name>\w+)\)\((?P<arguments>[^()]*)\);", re.M)
C_TYPES = {"bint": "int"}

TEXT = """\
/* Lanewise's kernels as one table of C functions, for C11 and C++17, the limited API too. Made by tools/header.py from
 * kernels/(module).pxd, which say what each function does; do not edit.
 *
 *     #include <lanewise.h>                              found by lanewise.get_include()
 *
 *     if (lanewise_import() < 0) return NULL;            once, where the module is initialised; raises ImportError
 *     lanewise->silu_float32(x, y, n);                   anywhere, without the GIL
 *
 * Arrays are contiguous. What has no const is written. A kernel starts no thread that its caller did not ask for.
 */
#ifndef LANEWISE_H
#define LANEWISE_H

#include <Python.h>

#include <stdint.h>

/* Raised when a function changes its meaning: an extension then has to be built again. Functions are only added. */
#define LANEWISE_ABI {abi}
#define LANEWISE_FUNCTIONS {count} /* what this header declares; a later lanewise has them too, in the same places */

typedef struct {{
    int abi, functions; /* of the lanewise that is installed */
{fields}
}} lanewise_table;

#ifdef __cplusplus
inline const lanewise_table *lanewise = nullptr;
#else
static const lanewise_table *lanewise; /* in each source file: each that calls kernels imports */
#endif

/* 0, or -1 with an exception set. With the GIL; again is free of charge. */
static inline int lanewise_import(void) {{
    static const char *const names[] = {{
{names}
    }};
    const lanewise_table *table;
    PyObject *module = PyImport_ImportModule("lanewise.embedding");
    if (module == NULL)
        return -1;
    Py_DECREF(module);
    table = (const lanewise_table *)PyCapsule_Import("lanewise.embedding.TABLE", 0);
    if (table == NULL)
        return -1;
    if (table->abi != LANEWISE_ABI) {{
        PyErr_Format(PyExc_ImportError,
                     "this extension was built for LANEWISE_ABI %d and the installed lanewise has %d: %s",
                     LANEWISE_ABI, table->abi,
                     table->abi < LANEWISE_ABI ? "upgrade lanewise"
                                               : "build the extension again with the installed lanewise");
        return -1;
    }}
    if (table->functions < LANEWISE_FUNCTIONS) {{
        PyErr_Format(PyExc_ImportError,
                     "the installed lanewise has no %s, which this extension was built to call: upgrade lanewise",
                     names[table->functions]);
        return -1;
    }}
    lanewise = table;
    return 0;
}}

/* The floating-point environment in which kernels give the bits of the Python function, for threads that flush
 * subnormals or do not round to nearest:
 *
 *     lanewise_environment callers;
 *     lanewise_enter(&callers);
 *     ... kernels ...
 *     lanewise_leave(&callers);
 */
typedef struct {{
    uint64_t words[8];
}} lanewise_environment;

static inline void lanewise_enter(lanewise_environment *callers) {{ lanewise->enter(callers->words); }}
static inline void lanewise_leave(const lanewise_environment *callers) {{ lanewise->leave(callers->words); }}

/* lanewise.get_num_threads(), for a parallel loop of the caller's: 1 in a forked child */
static inline int lanewise_num_threads(void) {{ return lanewise->num_threads(); }}

#endif
"""


def in_c(declaration):
    """A type and a name as C writes them: `const float* x` is `const float *x`."""
    words = [C_TYPES.get(word, word) for word in declaration.replace("*", " * ").split()]
    return " ".join(words).replace("* ", "*")


def declared(pxd):
    """{name: (result, arguments, comment)} of the functions that a .pxd exports; it may export nothing else."""
    functions, comment = {}, []
    for paragraph in pxd.read_text(encoding="utf-8").split("\n\n"):
        lines = [line for line in paragraph.splitlines() if not line.startswith(("from libc.", "# Written by "))]
        comment += [line.removeprefix("#").strip() for line in lines if line.startswith("#")]
        code = " ".join(" ".join(line for line in lines if not line.startswith("#")).split())
        for declaration in filter(None, re.split(r" ?(?=\bcdef )", code)):
            match = DECLARATION.fullmatch(declaration)
            if match is None:
                raise SystemExit(f"{pxd.name} exports what is no function of plain C types: {declaration}")
            arguments = ", ".join(in_c(argument) for argument in match["arguments"].split(",")) or "void"
            functions[match["name"]] = (in_c(match["result"]), arguments, comment)
            comment = []
    return functions


def everything():
    """{name: (module, result, arguments, comment)} of all modules, the interface's own functions first."""
    found = {}
    for pxd in sorted(KERNELS.glob("*.pxd"), key=lambda path: (path.stem != OWN, path.stem)):
        for name, (result, arguments, comment) in declared(pxd).items():
            if name in found:
                raise SystemExit(f"{pxd.stem} and {found[name][0]} both export {name}: a table has one of each name")
            found[name] = (pxd.stem, result, arguments, comment)
    return found


def in_order(found, header):
    """The names, those of the older header first and unchanged."""
    frozen = {match["name"]: (match["result"].strip(), " ".join(match["arguments"].split()))
              for match in FIELD.finditer(header)}
    for name, signature in frozen.items():
        if name not in found:
            raise SystemExit(f"{name} is frozen and is gone")
        if found[name][1:3] != signature:
            raise SystemExit(f"{name} is frozen as {' '.join(signature)} and is now {' '.join(found[name][1:3])}")
    return [*frozen, *(name for name in found if name not in frozen)]


def wrapped(text, first, rest):
    return textwrap.fill(text, WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False)


def field(name, result, arguments):
    start = f"    {result}{'' if result.endswith('*') else ' '}(*{name})("
    # the name must not be parted from its result, nor a type from its pointer
    kept = arguments.replace(", ", ",\n").replace(" ", "\0").replace("\n", " ")
    return wrapped(f"{kept});", start, " " * len(start)).replace("\0", " ")


def written(found, names):
    lines, module = [], None
    for name in names:
        comment = found[name][3]
        if found[name][0] != module:
            module = found[name][0]
            lines += ["", f"    /* lanewise.kernels.{module} */"]
        if comment:
            lines.append(wrapped(" ".join(comment), "    /* ", "     * ") + " */")
        lines.append(field(name, *found[name][1:3]))
    return TEXT.format(abi=ABI, count=len(names), fields="\n".join(lines),
                       names=wrapped(", ".join(f'"{name}"' for name in names), " " * 8, " " * 8))


PAGE_HEAD = """\
# All C functions

Made by `tools/header.py` from `kernels/*.pxd`, by module. To cimport: `from lanewise.kernels.activations cimport
silu_float32`. In C: `lanewise->silu_float32(...)`.
"""


def page(found):
    """The same as a page, a module a section."""
    lines, module = [PAGE_HEAD], None
    for name, (of, result, arguments, comment) in found.items():
        if of != module:
            lines += ["```", ""] if module else []
            module = of
            lines += [f"## `lanewise.kernels.{module}`", "", "```c"]
        if comment:
            lines.append(wrapped(" ".join(comment), "// ", "// "))
        lines.append(f"{result}{'' if result.endswith('*') else ' '}{name}({arguments});")
    return "\n".join([*lines, "```"]) + "\n"


def signatures(found):
    """The same as tests/test_embedding.py reads it from the compiled modules, a function a line."""
    for name, (module, result, arguments, _) in found.items():
        types = [argument[:argument.rindex("*") + 1] if "*" in argument else argument.rpartition(" ")[0]
                 for argument in arguments.split(", ") if argument != "void"]
        written = ", ".join(re.sub(r"^const (\w+)", r"\1 const", ctype) for ctype in types) or "void"
        yield f"{module}.{name} {result} ({written})\n"


def made():
    """The text of each file, as it should be."""
    found = everything()
    header = written(found, in_order(found, HEADER.read_text(encoding="utf-8") if HEADER.exists() else ""))
    return {HEADER: header, PAGE: page(found), FROZEN: "".join(sorted(signatures(found)))}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, encoding="utf-8")
