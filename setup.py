"""The build: each module of kernels/ is translated once and compiled once for each level of kernels/levels.py, and not
again until what it is made of changes. Metadata is in pyproject.toml; docs/building.md is the user's page.

LANEWISE_BUILD_LEVELS=avx2,avx512 builds only these levels.
"""

import copy
import gc
import hashlib
import multiprocessing
import multiprocessing.connection
import os
import platform
import re
import runpy
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections import Counter
from pathlib import Path

import Cython
import numpy
from Cython.Build.Dependencies import create_dependency_tree
from Cython.Build.SharedModule import generate_shared_module
from Cython.Compiler import Errors
from Cython.Compiler.Main import CompilationOptions, Context, compile_single, default_options
from Cython.Compiler.Scanning import FileSourceDescriptor
from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

GNU = sys.platform != "win32"
KERNELS = Path("kernels")
TRANSLATED = Path("build/lanewise/kernels")  # Cython names a module after its folders, so it is shown these
NUMPY_HEADERS = Path("build/numpy")  # pip's folder has another name each time, and ccache would find nothing again
COMPILED = Path("build/compiled", sysconfig.get_config_var("EXT_SUFFIX").strip("."))  # kept from build to build

MODULES = sorted(path.stem for path in KERNELS.glob("*.pyx"))
LEVELS = runpy.run_path(str(KERNELS / "levels.py"))
TRANSLATION = Path("translation.py")
# What runs before a level is chosen, and what has no registers, is compiled once: so is what Cython's memoryviews need.
UNLEVELLED = ("interface", "machine", "operands", "ulps")
ONCE = ("machine.h", "pool.h")  # the headers of these alone
MEMORYVIEWS = "memoryviews"

FLAGS = ["/O2"] if not GNU else [
    "-ffp-contract=off",  # a * b + c is two roundings where the source says two: same bits from every compiler
    "-g0",  # what debugging a kernel needs takes half of the compile time and most of a wheel
    "-fno-asynchronous-unwind-tables",  # for exceptions and debuggers: C throws none, a backtrace ends at a kernel
    "-fno-math-errno",  # a square root is one instruction
    "-Wno-psabi",  # wide registers cross no module's border, so their calling convention is nobody's business
    "-Wno-all",  # Python asks for warnings: to look for them is a tenth of the time, and Cython's C has many
    "-Werror=implicit-function-declaration",  # but what Cython forgot to write is no function of another file
]
# the word of the kernels' own inline functions, which translation.py puts in place of Cython's
INLINE = "-DLANEWISE_INLINE=__inline"
FORCED_INLINE = "-DLANEWISE_INLINE=__inline__ __attribute__((always_inline, unused))" if GNU else INLINE
# How much the compiler is to optimise, measured module by module in instructions that run and in seconds to compile.
# A kernel is straight lines of registers, from which most passes of -O2 and -O3 gain nothing for half of the compile
# time. What it does need: short loops over arrays of registers taken apart (-fpeel-loops), questions that a loop asks
# each time asked once before it (-funswitch-loops), and small matters of loads, jumps and places.
PLAIN = ["-O1", "-fstrict-aliasing", "-finline-small-functions", "-fcse-follow-jumps", "-fpeephole2", "-fcaller-saves",
         "-fipa-ra", "-fstore-merging", "-fhoist-adjacent-loads", "-foptimize-sibling-calls",
         "-freorder-blocks-algorithm=stc", "-freorder-blocks-and-partition", "-falign-loops", "-falign-functions"]
FRUGAL = [*PLAIN, "-fpeel-loops", "-funswitch-loops", "-ftree-vrp", "-fgcse", "-frerun-cse-after-loop",
          "-fexpensive-optimizations"]
HOISTED = ["-ftree-pre", "-fcode-hoisting"]  # what two branches both compute is computed before them
VECTORS = ["-ftree-loop-vectorize", "-ftree-slp-vectorize", "-fvect-cost-model=dynamic"]  # of loops of plain numbers
# Products keep more numbers at hand than there are registers, and all of -O3's ways of sparing them pay there; so do
# the sums along a row where registers are widest. What -O3 does for loops over a few numbers, no kernel has use for.
THOROUGH = ["-O3", "-fno-tree-vectorize", "-fno-tree-slp-vectorize", "-fno-ipa-cp-clone", "-fno-tree-loop-distribution",
            "-fno-split-loops", "-fno-version-loops-for-strides", "-fno-predictive-commoning", "-fno-split-paths",
            "-fno-gcse-after-reload", "-fno-tree-partial-pre", "-fno-inline-functions", "-fno-loop-interchange",
            "-fno-loop-unroll-and-jam"]
EFFORT = {"activations": FRUGAL + VECTORS, "breeding": FRUGAL + VECTORS, "ieee754": FRUGAL + HOISTED + VECTORS,
          "linear4": THOROUGH, "linear4_int": THOROUGH, "population": THOROUGH}
EFFORT_OF_LEVEL = {"avx512": THOROUGH}  # of the other modules; FRUGAL and HOISTED where none is named
# The portable level has no registers to spill and is there to be right: nobody waits for its optimiser.
PORTABLE = ["-O1"]
THREADS = ["-pthread"] if GNU else []
# Left out: symbols that nobody looks up, and the padding to a page between code and data, which seventy files have.
LINKED = ["-Wl,-s", "-Wl,-z,noseparate-code"] if sys.platform == "linux" else []
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "freethreading_compatible": True, "embedsignature": True,
              "emit_code_comments": False}  # a third of what the compiler would read, and nobody else reads it
HEADERS = ("Python.h", "numpy/arrayobject.h", "numpy/ufuncobject.h", "lanes/lanes.h")
MANNER = (Cython.__version__, MEMORYVIEWS, DIRECTIVES, UNLEVELLED, TRANSLATION.read_bytes())
COMPILER_MISSING = """Lanewise is compiled from source and found no working C compiler ({error}).
Install one and try again:  Debian, Ubuntu: apt install gcc    Fedora: dnf install gcc
                            macOS: xcode-select --install      Windows: Visual Studio Build Tools"""


def wanted_levels():
    """The levels to build: those of this machine's kind, or of these those that LANEWISE_BUILD_LEVELS names."""
    here = LEVELS["built_for"](platform.machine())
    asked = re.findall(r"[^\s,]+", os.environ.get("LANEWISE_BUILD_LEVELS", "")) or here
    if unknown := [name for name in asked if name not in here]:
        raise SystemExit(f"LANEWISE_BUILD_LEVELS names {', '.join(unknown)}; this machine's levels are "
                         f"{', '.join(here)}")
    # a level that holds a few modules only goes on to its parents for the others, as far as one that holds all
    wanted = set(asked)
    for level in map(LEVELS["LEVELS"].get, asked):
        while level.modules:
            level = LEVELS["LEVELS"][level.parent]
            wanted.add(level.name)
    return [name for name in here if name in wanted]


class Build(build):
    """A build of what is there now: what an earlier one left behind is in no wheel."""

    def run(self):
        shutil.rmtree(Path(self.build_lib, "lanewise"), ignore_errors=True)
        super().run()


class BuildLevels(build_ext):
    """Translates each module once, then compiles all levels side by side."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        self.known_efforts = {}
        if error := self.refusal([]):
            raise SystemExit(COMPILER_MISSING.format(error=error))
        self.leave_out_refused_levels()
        shutil.rmtree(NUMPY_HEADERS, ignore_errors=True)
        shutil.copytree(numpy.get_include(), NUMPY_HEADERS)
        self.translate()
        for ext in self.extensions:
            ext.sources = [str(TRANSLATED / f"{module_of(ext)}.c")]
            ext.extra_compile_args += self.effort(ext) + THREADS
            ext.extra_link_args = LINKED + THREADS
        self.extensions.sort(key=lambda ext: -os.path.getsize(ext.sources[0]))  # the longest first: none is waited for
        self.digests = {ext.name: self.contents_of(ext) for ext in self.extensions}
        with tempfile.TemporaryDirectory() as folder:
            self.read_headers_once(Path(folder))
            super().build_extensions()

    def read_headers_once(self, folder):
        # What every module of a level includes takes half a second to read. Where many are compiled alike, it is read
        # once for all of them; a compiler that cannot do that, or ccache, reads it each time.
        self.headers = {}
        if not GNU or "ccache" in self.compiler.compiler_so[0]:
            return
        alike = Counter(manner_of(ext) for ext in self.extensions if level_of(ext) and not self.is_current(ext))
        for k, manner in enumerate(manner for manner, count in alike.items() if count > 3):
            header = folder / f"{k}.h"
            header.write_text("".join(f'#include "{name}"\n' for name in HEADERS))
            command = [*self.compiler.compiler_so, *manner, *(f"-I{path}" for path in self.compiler.include_dirs)]
            made = subprocess.run([*command, "-x", "c-header", header, "-o", f"{header}.gch"], check=False,
                                  stderr=subprocess.DEVNULL)
            if made.returncode == 0:
                self.headers[manner] = ["-include", str(header)]

    def leave_out_refused_levels(self):
        # by a compiler older than they are
        for level in {level_of(ext) for ext in self.extensions} - {None}:
            if error := self.refusal(flags_of(level)):
                self.announce(f"lanewise: this compiler cannot build the level {level}: {error}", level=3)
                self.extensions = [ext for ext in self.extensions if level_of(ext) != level]

    def effort(self, ext):
        # other compilers have no word for most of it
        if not GNU:
            return []
        if level_of(ext) == "baseline" or module_of(ext) == MEMORYVIEWS:
            return PORTABLE
        if level_of(ext) is None:  # calls, where no loop runs
            return PLAIN if not self.refusal(["-Werror", *PLAIN]) else ["-O2"]
        asked = EFFORT.get(module_of(ext), EFFORT_OF_LEVEL.get(level_of(ext), FRUGAL + HOISTED))
        if tuple(asked) not in self.known_efforts:
            self.known_efforts[tuple(asked)] = asked if not self.refusal(["-Werror", *asked]) else ["-O3"]
        return self.known_efforts[tuple(asked)]

    def refusal(self, flags):
        # what the compiler has against these flags, None where it takes them
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.c").write_text("int main(void) { return 0; }\n")
            try:
                program = self.compiler.compile([f"{folder}/a.c"], output_dir=folder, extra_postargs=flags)
                self.compiler.link_executable(program, "a", output_dir=folder, extra_postargs=flags)
            except Exception as error:  # setuptools, distutils and the system each have their own
                return error

    def translate(self):
        # what is gone from the sources is gone from build/ too
        sources = {path.relative_to(KERNELS): path for path in KERNELS.rglob("*")
                   if path.suffix in (".pyx", ".pxd", ".pxi", ".h") or path.name == "__init__.py"}
        made = {Path(f"{module}{suffix}") for module in (*MODULES, MEMORYVIEWS) for suffix in (".c", ".made_of")}
        for path in TRANSLATED.rglob("*"):
            if path.is_file() and path.relative_to(TRANSLATED) not in {*sources, *made}:
                path.unlink()
        for kept, path in sources.items():
            (TRANSLATED / kept).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, TRANSLATED / kept)
        Path("build/lanewise/__init__.py").touch()
        # Cython compares times, by which the headers of a NumPy that pip has just installed are always newer
        tree = create_dependency_tree()
        contents = {module: digest_of(MANNER, tree.all_dependencies(str(TRANSLATED / f"{module}.pyx")))
                    for module in MODULES} | {MEMORYVIEWS: digest_of(MANNER, [])}
        anew = [module for module, digest in contents.items() if self.force or not (
            (TRANSLATED / f"{module}.c").exists() and is_made_of(digest, TRANSLATED, module))]
        for module in anew:
            (TRANSLATED / f"{module}.made_of").unlink(missing_ok=True)
        gc.set_threshold(500_000, 20, 20)  # a third of Cython's time goes into looking through trees that still live
        anew.sort(key=lambda module: -sum(path.stat().st_size for path in KERNELS.rglob(f"{module}*.p[yx][xi]")))
        if sys.platform == "linux":  # the one system where fork is sound
            begun = Declarations.from_options(options_of(None))
            registered = [module for module in anew if module not in (*UNLEVELLED, MEMORYVIEWS)]
            begun.read_what_several_cimport(registered, tree)
            in_children(lambda module: translate(module, begun if module in registered else None), anew, self.parallel)
        else:
            for module in anew:
                translate(module)
        for module in anew:
            (TRANSLATED / f"{module}.made_of").write_text(contents[module])

    def build_extension(self, ext):
        # the levels share their sources, so each has its own folder; an editable install would throw it away
        folder = folder_of(ext)
        folder.mkdir(parents=True, exist_ok=True)
        built = Path(self.get_ext_fullpath(ext.name))
        kept = folder / built.name
        if self.is_current(ext):
            built.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, built)
        else:
            builder = copy.copy(self)
            builder.build_temp, builder.force = str(folder), True
            if level_of(ext):
                ext.extra_compile_args = self.headers.get(manner_of(ext), []) + ext.extra_compile_args
            super(BuildLevels, builder).build_extension(ext)
            shutil.copy(built, kept)
            (folder / f"{module_of(ext)}.made_of").write_text(self.digests[ext.name])

    def is_current(self, ext):
        folder = folder_of(ext)
        return not self.force and (folder / Path(self.get_ext_fullpath(ext.name)).name).exists() and is_made_of(
            self.digests[ext.name], folder, module_of(ext))

    def contents_of(self, ext):
        headers = [path for path in KERNELS.rglob("*.h") if (path.name in ONCE) != (level_of(ext) is not None)]
        headers += [KERNELS / "lanes/environment.h"] * (level_of(ext) is None)
        command = [getattr(self.compiler, "compiler_so", None), ext.extra_compile_args, ext.extra_link_args,
                   ext.define_macros, numpy.__version__, sys.version]
        return digest_of(command, [*ext.sources, *headers])

    def copy_extensions_to_source(self):  # of an editable install
        for level in LEVELS["LEVELS"]:
            shutil.rmtree(KERNELS / level, ignore_errors=True)
        for level in {level_of(ext) for ext in self.extensions} - {None}:
            (KERNELS / level).mkdir()
        super().copy_extensions_to_source()


class Declarations(Context):
    """What Cython knows while it translates a module. More than half of its time goes into .pxd files, which it reads
    again for each module. Here those that several modules cimport are read once, and the translation of each begins
    with them, in a process of its own. What each cimports is remembered: a module is to hold what it asks for only. All
    this is of Cython's inside, which is why pyproject.toml bounds its version."""

    def __init__(self, *args, **options):
        super().__init__(*args, **options)
        self.seen_from = {}

    def find_module(self, *args, **options):
        before, self.pxds = self.pxds, {}
        scope = super().find_module(*args, **options)
        self.pxds = before | self.seen_from.setdefault(scope, self.pxds)
        return scope

    def read_what_several_cimport(self, modules, tree):
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


def options_of(module):
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
    adapted = runpy.run_path(str(TRANSLATION))["adapted"]
    code.write_text(adapted(module, code.read_text("utf-8"), GNU and module not in UNLEVELLED), "utf-8")


def in_children(work, items, most):
    """Call work with each item, each in a process of its own that begins as this one is; at most so many at once."""
    gc.freeze()
    fork, running, failed = multiprocessing.get_context("fork"), {}, []
    for k, item in enumerate(items):
        child = fork.Process(target=work, args=(item,))
        child.start()
        running[child.sentinel] = item, child
        while len(running) >= max(most or 1, 1) or (running and k == len(items) - 1):
            for sentinel in multiprocessing.connection.wait(running):
                item, child = running.pop(sentinel)
                child.join()
                failed += [item] * (child.exitcode != 0)
    if failed:
        raise SystemExit(f"not translated: {', '.join(map(str, failed))}")


def digest_of(manner, paths):
    """A digest of what something is made of: how, and from which files."""
    digest = hashlib.sha256(repr(manner).encode())
    for path in sorted(map(str, paths)):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()


def is_made_of(digest, folder, module):
    recorded = Path(folder, f"{module}.made_of")
    return recorded.exists() and recorded.read_text() == digest


def module_of(ext):
    return ext.name.rpartition(".")[2]


def level_of(ext):
    parts = ext.name.split(".")
    return parts[2] if len(parts) == 4 else None


def folder_of(ext):
    return COMPILED / (level_of(ext) or "once")


def manner_of(ext):
    """How an extension is compiled."""
    return (*ext.extra_compile_args, *(f"-D{name}={value}" for name, value in ext.define_macros),
            *(f"-I{path}" for path in ext.include_dirs))


def flags_of(level):
    return list(LEVELS["LEVELS"][level].flags) if level else []


def compiled_for(level, module):
    package = f"lanewise.kernels.{level}" if level else "lanewise.kernels"
    flags = [*FLAGS, *flags_of(level), INLINE if level in (None, "baseline") else FORCED_INLINE]
    return Extension(f"{package}.{module}", [str(KERNELS / f"{module}.pyx")],
                     include_dirs=["kernels", str(NUMPY_HEADERS)], extra_compile_args=flags,
                     define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")])


def extensions():
    """One for each module and level, and for each module that has none."""
    found = [compiled_for(None, module) for module in (*UNLEVELLED, MEMORYVIEWS)]
    for level in wanted_levels():
        held = LEVELS["LEVELS"][level].modules or MODULES
        found += [compiled_for(level, module) for module in held if module not in UNLEVELLED]
    return found


setup(cmdclass={"build": Build, "build_ext": BuildLevels}, ext_modules=extensions())
