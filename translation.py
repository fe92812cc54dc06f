"""What is done to the C that Cython writes, before it is compiled: setup.py says when."""

import re

# A call in a loop over registers would spill every register, so the kernels' own inline functions have a word of
# their own, put in place of Cython's, which serves its helpers too.
OWN_INLINE = re.compile("^static CYTHON_INLINE (?=.*__pyx_f_)", re.MULTILINE)
# What takes a call's arguments apart is a fifth of a module, and runs once for an array: at each level it is compiled
# for its size, which takes less time too, and its function is kept out of it, so that this is compiled for speed. Where
# most of a module is about Python objects, so are all functions that return one, but for those that give the
# interpreter's lock back: they go on to loop over elements. Modules that are compiled once stay as they are, since
# every call goes through them.
OF_OBJECTS = re.compile(r"^static (?=PyObject \*(__pyx_\w+)\([^;{}]*\{\n(.*?)^\}$)", re.MULTILINE | re.DOTALL)
FOR_SIZE = ("ieee754", "row_loops")
# Cython has a function write the lengths of a module's strings on its stack, element by element, at each import. They
# are constants.
ON_STACK = "    const struct { const unsigned int length"
# A function, or its declaration alone. Cython writes them from the first column, and the last brace too.
FUNCTION = re.compile(
    r"^static [^;{}=\n]*?\b(\w+)\([^;{}]*\)(?: ?(\{)\n.*?^\}\n|;[ \t]*(?:/\*[^\n]*\*/)?[ \t]*\n)",
    re.MULTILINE | re.DOTALL)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|endif)", re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")


def adapted(module, code, sized):
    """Return a module's C with a word for the kernels' own inline functions, if `sized` with another for those that are
    compiled for their size, and without what nothing calls."""
    def place(match):
        name, body = match.groups()
        if "__pyx_pw_" in name or (module in FOR_SIZE and "PyEval_SaveThread" not in body):
            return "static CYTHON_SMALL_CODE "
        return "static __attribute__((noinline, hot)) " if "__pyx_pf_" in name else "static "

    code = OWN_INLINE.sub("static LANEWISE_INLINE ", code).replace(ON_STACK, f"    static {ON_STACK.strip()}")
    return without_unused(OF_OBJECTS.sub(place, code) if sized else code)


def without_unused(code):
    """Return C without the static functions that are named nowhere else. A module gets all inline functions of the .pxd
    files that it cimports, and helpers for each type that these name: a fifth of what the compiler would read."""
    pieces, bodies, end = [], {}, 0
    for function in FUNCTION.finditer(code):
        name, text = function[1], function[0]
        conditions = CONDITION.findall(text)
        if conditions.count("if") != conditions.count("endif"):  # only the beginning: a condition has the rest of it
            continue
        pieces += [(None, code[end:function.start()]), (name, text)]
        end = function.end()
        if function[2]:
            bodies.setdefault(name, []).append(text)
    pieces.append((None, code[end:]))
    named, unread = set(), [text for name, text in pieces if name is None]
    while unread:
        found = set(NAME.findall(unread.pop())) - named
        named |= found
        unread += [text for name in found & bodies.keys() for text in bodies[name]]
    return "".join(text for name, text in pieces if name is None or name in named)
