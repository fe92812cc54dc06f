"""What is done to the C that Cython writes, before it is compiled: setup.py says when."""

import re
from pathlib import Path

TRANSLATED = Path("build/lanewise/kernels")  # Cython names a module after its folders, so it is shown these
# What runs before a level is chosen, and what has no registers, is compiled once: so are Cython's own helpers.
UNLEVELLED = ("interface", "machine", "operands", "ulps")
HELPERS = "helpers"
# A call in a loop over registers would spill every register, so the kernels' own inline functions have a word of
# their own, put in place of Cython's, which serves its helpers too.
OWN_INLINE = re.compile("^static CYTHON_INLINE (?=.*__pyx_f_)", re.MULTILINE)
# Cython has a function write the lengths of a module's strings on its stack, element by element, at each import. They
# are constants.
ON_STACK = "    const struct { const unsigned int length"
# A function, or its declaration alone. Cython writes them from the first column, and the last brace too.
FUNCTION = re.compile(
    r"^static [^;{}=\n]*?\b(\w+)\([^;{}]*\)(?: ?(\{)\n.*?^\}\n|;[ \t]*(?:/\*[^\n]*\*/)?[ \t]*\n)",
    re.MULTILINE | re.DOTALL)
CONDITION = re.compile(r"^[ \t]*#[ \t]*(if|endif)", re.MULTILINE)
NAME = re.compile(r"[A-Za-z_]\w*")
# what a function names that has to do with Python objects: it is no kernel
OF_PYTHON = re.compile(r"\b(?:Py(?!_ssize_t\b|_intptr_t\b)[A-Z_]\w*|__pyx_mstate\w*|__Pyx_[A-Z]\w*)")
# what is something else at another level: registers, and the numbers that lanes/ gives by a level's header
LEVEL_HEADERS = [path for path in Path(__file__).with_name("kernels").joinpath("lanes").glob("*.h")
                 if path.name not in ("machine.h", "pool.h", "chosen.h")]
ENUM = re.compile(r"\benum\b[^;{}]*\{(.*?)\}", re.DOTALL)
ENTRY = re.compile(r"(\w+)\s*=\s*([^,{}]*)")
REGISTER = re.compile(r"\b[fiu](?:8|16|32|64)x\b(?P<pointed> ?(?:const ?)?\*)?")
STRUCT = re.compile(r"^(?:typedef )?struct (\w*) ?\{\n(.*?)^\} ?(\w*);", re.MULTILINE | re.DOTALL)
# functions of lanes/, which do at each level what they do in another way, and those of them that are alike
OF_LANES = re.compile(r"^static (?:inline )?(?:const )?\w+ \*?(\w+)\(", re.MULTILINE)
ALIKE = {"any_count", "called", "enter_environment", "leave_environment"}
# a module's variable, of Cython's naming or of ours
VARIABLE = re.compile(r"^ *static ([^;={}\n]*?\b(__pyx_v_\w+|lanewise_\w+)\b[^;={}\n]*?)(?: = 0)?;$", re.MULTILINE)
OF_MODULE = re.compile(r"\b(?:__pyx_vp?_\d+)?lanewise_\w+")
HIDDEN = '__attribute__((visibility("hidden")))'
STRINGS, CODE = (f"/* #### Code section: {section} ### */\n" for section in ("string_decls", "module_code"))
IS_MAIN = re.compile(r"^int __pyx_module_is_main_\w+ = 0;\n", re.MULTILINE)  # the one variable that is not static
IMPORT = re.compile(r"^static CYTHON_SMALL_CODE int __pyx_pymod_exec_\w+\([^;{}]*\{\n", re.MULTILINE)


def has_kernels(module):
    """Return whether a module has functions that are compiled per level."""
    return module not in (*UNLEVELLED, HELPERS)


def adapted(code):
    """Return a module's C with a word for the kernels' own inline functions and without what nothing calls."""
    pieces, bodies = parts_of(in_our_words(code))
    named = named_from(without_functions(pieces), bodies)
    return "".join(text for name, _, text in pieces if name is None or name in named)


def parted(module, code):
    """Return a module's C as two files. The second has the kernels, which have to do with no Python object: it is
    compiled at each level, and ends in a table of those that are called from the first. The first has all else, is
    compiled once, and calls the kernels of the level that runs through its table."""
    pieces, bodies = parts_of(in_our_words(code))
    rest = without_functions(pieces)
    kernels = kernels_among(bodies)
    numbers = numbers_of_level(rest)
    kernels -= inline_and_alike(kernels, bodies, numbers)  # both files have these: a few instructions are no call
    above = named_from(rest, {name: bodies[name] for name in bodies.keys() - kernels})
    called = sorted(above & kernels)
    within = named_from(" ".join(called), bodies)
    shared = {match[0]: match[1] for match in VARIABLE.finditer(rest) if match[2] in within}
    refuse_dependence_on_level(module, bodies, above - kernels, rest, numbers)
    refuse_variables_apart(module, bodies, within, " ".join(shared))

    declared = {name for name, has_body, _ in pieces if not has_body}
    table = [bodies[name][0].partition("{\n")[0].rstrip() + ";\n" for name in called if name not in declared]
    table += ["typedef struct {\n", *(f"    __typeof__({name}) *{name};\n" for name in called), "} lanewise_kernels;\n"]
    through_table = [*table, '#include "lanes/chosen.h"\n',
                     *(f"#define {name} (*lanewise_chosen->{name})\n" for name in called)]
    first = "".join(text for name, has_body, text in pieces
                    if name is None or (name in above and not (has_body and name in kernels)))
    first = first.replace(CODE, "".join(through_table) + CODE)
    first = IMPORT.sub(lambda match: match[0] + "  if (choose_kernels(__pyx_pyinit_module) < 0) return -1;\n", first)

    strings = next(k for k, (name, _, text) in enumerate(pieces) if name is None and STRINGS in text)
    second = [text for name, _, text in pieces[:strings] if name is None or name in within]
    second += [pieces[strings][2].partition(STRINGS)[0]]
    second += [text for name, _, text in pieces[strings:] if name in within]
    second += [*table, f"extern {HIDDEN} const lanewise_kernels LANEWISE_KERNELS;\n",
               "const lanewise_kernels LANEWISE_KERNELS = {\n", *(f"    {name},\n" for name in called), "};\n#endif\n"]
    second = IS_MAIN.sub("", "".join(second))
    for text, declaration in shared.items():
        first = first.replace(text, f"{HIDDEN} {declaration};")
        second = second.replace(text, f"extern {HIDDEN} {declaration};")
    return first, second


def in_our_words(code):
    """Return C with a word for the kernels' own inline functions, and constants where constants are meant."""
    return OWN_INLINE.sub("static LANEWISE_INLINE ", code).replace(ON_STACK, f"    static {ON_STACK.strip()}")


def parts_of(code):
    """Return C in pieces, each with the name of its function, if it is one, and whether it is more than declared; and
    the functions' texts by their names."""
    pieces, bodies, end = [], {}, 0
    for function in FUNCTION.finditer(code):
        name, text = function[1], function[0]
        conditions = CONDITION.findall(text)
        if conditions.count("if") != conditions.count("endif"):  # only the beginning: a condition has the rest of it
            continue
        pieces += [(None, False, code[end:function.start()]), (name, bool(function[2]), text)]
        end = function.end()
        if function[2]:
            bodies.setdefault(name, []).append(text)
    return [*pieces, (None, False, code[end:])], bodies


def without_functions(pieces):
    """Return all that is between functions."""
    return "".join(text for name, _, text in pieces if name is None)


def named_from(text, bodies):
    """Return all names in a text and in the functions that it leads to. A module gets all inline functions of the .pxd
    files that it cimports, and helpers for each type that these name: a fifth of what the compiler would read."""
    named, unread = set(), [text]
    while unread:
        found = set(NAME.findall(unread.pop())) - named
        named |= found
        unread += [text for name in found & bodies.keys() for text in bodies[name]]
    return named


def kernels_among(bodies):
    """Return the names of the functions that have to do with no Python object, and lead to none that has."""
    return without_others({name for name, texts in bodies.items()
                           if "__pyx_f_" in name and not any(map(OF_PYTHON.search, texts))}, bodies)


def inline_and_alike(kernels, bodies, numbers):
    """Return those of the kernels that are inlined and have nothing to do with registers, nor lead to others."""
    return without_others({name for name in kernels
                           if all("LANEWISE_INLINE" in text.partition("{")[0] and not REGISTER.search(text)
                                  and numbers.isdisjoint(NAME.findall(text)) for text in bodies[name])}, bodies)


def numbers_of_level(rest):
    """Return the names of numbers that each level has its own of, and of those made of them in a module."""
    found = {name for path in LEVEL_HEADERS for entries in ENUM.findall(path.read_text("utf-8"))
             for name, _ in ENTRY.findall(entries)}
    made = [entry for entries in ENUM.findall(rest) for entry in ENTRY.findall(entries)]
    while more := {name for name, value in made if not found.isdisjoint(NAME.findall(value))} - found:
        found |= more
    return found


def without_others(found, bodies):
    """Return names of functions without those that lead to another function."""
    found = set(found)
    names = {name: set().union(*map(NAME.findall, bodies[name])) & bodies.keys() for name in found}
    while leading := {name for name in found if names[name] - found}:
        found -= leading
    return found


def refuse_dependence_on_level(module, bodies, above, rest, numbers):
    """End the build where a function that is compiled once for all levels depends on the level."""
    fields_of = {name: fields for tag, fields, alias in STRUCT.findall(rest) for name in (tag, alias) if name}
    structs = {name for name, fields in fields_of.items()
               if any(not found["pointed"] for found in REGISTER.finditer(fields))
               or not numbers.isdisjoint(NAME.findall(fields))}
    while more := {name for name, fields in fields_of.items()
                   if any(re.search(rf"\b{held}\b(?! ?(?:const ?)?\*)", fields) for held in structs)} - structs:
        structs |= more
    functions = {name for path in LEVEL_HEADERS for name in OF_LANES.findall(path.read_text("utf-8"))} - ALIKE
    for name in above & bodies.keys():
        text = "".join(bodies[name])
        found = [match[0] for match in REGISTER.finditer(text) if not match["pointed"]]
        found += sorted((numbers | functions).intersection(NAME.findall(text)))
        found += [held for held in structs if re.search(rf"\b{held}\b(?! ?(?:const ?)?\*)", text)]
        if found:
            raise SystemExit(f"{module}: {name} has to do with Python objects, so it is compiled once for all levels; "
                             f"what it does with {found[0]} belongs into a function without them (CONTRIBUTING.md)")


def refuse_variables_apart(module, bodies, within, shared):
    """End the build where a kernel reads a variable that its file has another one of."""
    for name in within & bodies.keys():
        for variable in OF_MODULE.findall("".join(bodies[name])):
            if not re.search(rf"\b{variable}\b", shared):
                raise SystemExit(f"{module}: {name} is compiled apart from the variable {variable}")
