"""What Cython does in the build: setup.py says of which modules, and translation.py what becomes of its C."""

import copy
import os
import runpy
from collections import Counter
from pathlib import Path

import Cython
from Cython.Build.SharedModule import generate_shared_module
from Cython.Compiler import Errors, Nodes, StringEncoding
from Cython.Compiler.Main import CompilationOptions, Context, compile_single, default_options
from Cython.Compiler.Scanning import FileSourceDescriptor

TRANSLATED = Path("build/lanewise/kernels")  # Cython names a module after its folders, so it is shown these
TRANSLATION = Path("translation.py")
# What runs before a level is chosen, and what has no registers, is compiled once: so is what Cython's memoryviews need.
UNLEVELLED = ("interface", "machine", "operands", "ulps")
MEMORYVIEWS = "memoryviews"
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "freethreading_compatible": True, "embedsignature": True,
              "emit_code_comments": False}  # a third of what the compiler would read, and nobody else reads it
MANNER = (Cython.__version__, MEMORYVIEWS, DIRECTIVES, UNLEVELLED, TRANSLATION.read_bytes(),
          sorted(runpy.run_path(str(TRANSLATION))["numbers_of_level"]("")))
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

    def read_what_several_cimport(self, modules, tree):
        """Read the .pxd files on which several modules depend."""
        count = Counter(path for module in modules for path in tree.all_dependencies(str(TRANSLATED / f"{module}.pyx")))
        several = [Path(path) for path in sorted(count) if count[path] > 1 and path.endswith(".pxd")]
        position = FileSourceDescriptor(os.path.abspath(TRANSLATED / "__init__.pxd")), 1, 0
        self.setup_errors(self.options, None)
        for path in several:
            if path.is_relative_to(TRANSLATED):
                parts = path.relative_to(TRANSLATED.parent.parent).with_suffix("").parts
                self.find_module(".".join(part for part in parts if part != "__init__"), pos=position)
        if Errors.get_errors_count():
            raise SystemExit("a .pxd file was not understood")
        self.pxds = {}


def copied(node, memo):
    """Return what copy.deepcopy makes of a node of a tree, in a third of its time: places in the source stay the same
    objects. Cython copies each function that has a fused type, for each of its types."""
    made = memo[id(node)] = object.__new__(type(node))
    for key, value in vars(node).items():
        as_it_is = key == "pos" or type(value) in COPIED_AS_THEY_ARE
        vars(made)[key] = value if as_it_is else copy.deepcopy(value, memo)
    return made


Nodes.Node.__deepcopy__ = copied


def options_of(module):
    """Return how Cython is to translate a module, and to which file."""
    return CompilationOptions(default_options, output_file=str(TRANSLATED / f"{module}.c"),
                              compiler_directives=DIRECTIVES,
                              shared_utility_qualified_name=f"lanewise.kernels.{MEMORYVIEWS}")


def translate(module, begun=None):
    """Have Cython write a module's C, beginning with declarations that are read already, and put it in our words."""
    code = TRANSLATED / f"{module}.c"
    if module == MEMORYVIEWS:
        options = CompilationOptions(default_options, shared_c_file_path=str(code),
                                     module_name=f"lanewise.kernels.{module}")
        if generate_shared_module(options)[0] is not None:
            raise SystemExit("Cython did not write its own code for memoryviews")
    else:
        print(f"Cythonizing {module}.pyx", flush=True)
        options = options_of(module)
        begun = begun or Declarations.from_options(options)
        begun.options = options
        source = str(code.with_suffix(".pyx"))
        if compile_single(source, options, f"lanewise.kernels.{module}", context=begun).num_errors:
            raise SystemExit(f"{module}.pyx was not translated")
    adapt = runpy.run_path(str(TRANSLATION))
    if has_kernels(module):
        first, second = adapt["parted"](module, code.read_text("utf-8"))
        code.with_name(f"{module}_kernels.c").write_text(second, "utf-8")
    else:
        first = adapt["adapted"](code.read_text("utf-8"))
    code.write_text(first, "utf-8")


def has_kernels(module):
    """Return whether a module has functions that are compiled per level."""
    return module not in (*UNLEVELLED, MEMORYVIEWS)
