"""What Cython does in the build: setup.py says of which modules, and translation.py what becomes of its C."""

import copy
import functools
import os
import re
import runpy
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import Cython
import numpy
from Cython.Build.SharedModule import generate_shared_module
from Cython.Compiler import Code, Errors, Nodes, PyrexTypes, StringEncoding, Symtab
from Cython.Compiler.Main import CompilationOptions, Context, compile_single, default_options
from Cython.Compiler.Scanning import FileSourceDescriptor

TRANSLATION = SimpleNamespace(**runpy.run_path("translation.py"))
TRANSLATED, HELPERS = TRANSLATION.TRANSLATED, TRANSLATION.HELPERS
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "freethreading_compatible": True, "embedsignature": True,
              "emit_code_comments": False}  # a third of what the compiler would read, and nobody else reads it
MANNER = (Cython.__version__, numpy.__version__, DIRECTIVES, Path("translation.py").read_bytes(),
          sorted(TRANSLATION.numbers_of_level("")))
NAMING = re.compile(r'^ *(?:from (\.+)([\w.]*) cimport (\([^)]*\)|.*)|include "(.*)")', re.MULTILINE)
NAME = re.compile(r"\w+")
COPIED_AS_THEY_ARE = {type(None), int, float, bool, str, StringEncoding.EncodedString}


class Declarations(Context):
    """What Cython knows while it translates a module. More than half of its time goes into .pxd files, which it reads
    again for each module. Here those that several modules cimport are read once, and the translation of each begins
    with them, in a process of its own. What each cimports is remembered: a module is to hold what it asks for only. All
    this is of Cython's inside, which is why pyproject.toml bounds its version."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen_from = {}

    def find_module(self, *args, **options):
        """Find a module as Cython does, with what it has cimported."""
        before, self.pxds = self.pxds, {}
        scope = super().find_module(*args, **options)
        self.pxds = before | self.seen_from.setdefault(scope, self.pxds)
        return scope

    def read_what_several_cimport(self, modules):
        """Read the .pxd files on which several modules depend."""
        count = Counter(path for module in modules for path in sources_of(TRANSLATED / f"{module}.pyx"))
        position = FileSourceDescriptor(os.path.abspath(TRANSLATED / "__init__.pxd")), 1, 0
        self.setup_errors(self.options, None)
        for path in sorted(path for path in count if count[path] > 1 and path.suffix == ".pxd"):
            parts = path.relative_to(TRANSLATED.parent.parent).with_suffix("").parts
            self.find_module(".".join(part for part in parts if part != "__init__"), pos=position)
        if Errors.get_errors_count():
            raise SystemExit("a .pxd file was not understood")
        self.pxds = {}


def sources_of(module):
    """Return a module's file and all files of kernels/ that it cimports and includes, and so on. Cython can tell them
    too, in a second, since it looks for each in a dozen places."""
    found, unread = set(), {module, module.with_suffix(".pxd")}
    while unread := {path for path in unread - found if path.is_file()}:
        found |= unread
        unread = {named for path in unread for named in named_in(path, module.parent)}
    return found


@functools.cache
def named_in(path, kernels):
    """Return what may be the files that a file of kernels/ names."""
    folder = kernels if path.suffix == ".pxi" else path.parent  # a part is of the module that includes it
    possible = set()
    for dots, package, names, included in NAMING.findall(path.read_text("utf-8")):
        if included:
            possible.add(kernels / included)
            continue
        package = Path(os.path.normpath(folder.joinpath(*[".."] * (len(dots) - 1), *filter(None, package.split(".")))))
        for named in (package, *(package / name for name in NAME.findall(names))):
            possible |= {named.with_suffix(".pxd"), named / "__init__.pxd"}
    return possible


# What takes Cython a fifth of its time, done in less: copies of functions, and three questions asked a million times.
def copied(node, memo):
    """Return what copy.deepcopy makes of a node of a tree, in a quarter of its time: places in the source stay the same
    objects. Cython copies each function that has a fused type, for each of its types."""
    made = memo[id(node)] = object.__new__(type(node))
    fields = vars(made)
    for key, value in vars(node).items():
        fields[key] = value if key == "pos" or type(value) in COPIED_AS_THEY_ARE else copied_value(value, memo)
    return made


def copied_value(value, memo):
    """Return what copy.deepcopy makes of what a node holds."""
    if type(value) in COPIED_AS_THEY_ARE:
        return value
    if (made := memo.get(id(value))) is not None:
        return made
    if type(value) is list:
        made = memo[id(value)] = []
        made.extend([copied_value(item, memo) for item in value])
        return made
    own = getattr(type(value), "__deepcopy__", None) is copied
    return copied(value, memo) if own else copy.deepcopy(value, memo)


def named_in_class(scope, name):
    """Return a name as a scope has it: only one that begins with two underscores is another in a class."""
    return any_named_in_class(scope, name) if name and name.startswith("__") else name


def use_entry(state, entry):
    """Have the C hold the helpers that a name needs, when it is first used rather than each time."""
    used = vars(state).setdefault("used_entries", set())
    if entry not in used:
        use_any_entry(state, entry)
        used.add(entry)


def fused_types(function):
    """Return the fused types of a function's arguments, asked once."""
    if "fused_types" not in vars(function):
        function.fused_types = function.get_fused_types()
    return function.fused_types


any_named_in_class, use_any_entry = Symtab.Scope.mangle_class_private_name, Code.GlobalState.use_entry_utility_code
Nodes.Node.__deepcopy__ = copied
Symtab.Scope.mangle_class_private_name = named_in_class
Code.GlobalState.use_entry_utility_code = use_entry
PyrexTypes.CFuncType.is_fused = property(fused_types)


def options_of(module):
    """Return how Cython is to translate a module, and to which file."""
    return CompilationOptions(default_options, output_file=str(TRANSLATED / f"{module}.c"),
                              compiler_directives=DIRECTIVES,
                              shared_utility_qualified_name=f"lanewise.kernels.{HELPERS}")


def translate(module, begun=None):
    """Have Cython write a module's C, beginning with declarations that are read already, and put it in our words."""
    code = TRANSLATED / f"{module}.c"
    if module == HELPERS:
        options = CompilationOptions(default_options, shared_c_file_path=str(code),
                                     module_name=f"lanewise.kernels.{module}",
                                     shared_utility_features_disabled={"MemoryView"})  # ten times all others' code
        if generate_shared_module(options)[0] is not None:
            raise SystemExit("Cython did not write its own helpers")
    else:
        print(f"Cythonizing {module}.pyx", flush=True)
        options = options_of(module)
        begun = begun or Declarations.from_options(options)
        begun.options = options
        source = str(code.with_suffix(".pyx"))
        if compile_single(source, options, f"lanewise.kernels.{module}", context=begun).num_errors:
            raise SystemExit(f"{module}.pyx was not translated")
    if TRANSLATION.has_kernels(module):
        first, second = TRANSLATION.parted(module, code.read_text("utf-8"))
        code.with_name(f"{module}_kernels.c").write_text(second, "utf-8")
    else:
        first = TRANSLATION.adapted(code.read_text("utf-8"))
    code.write_text(first, "utf-8")
