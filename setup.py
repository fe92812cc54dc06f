"""The build: each module of kernels/ is translated once and parted in two (translation.py). Its kernels are compiled
for each level of kernels/levels.py, all else once, and neither again until what it is made of changes. All levels of a
module are in one file. Metadata is in pyproject.toml; docs/building.md is the user's page.

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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import NamedTuple

from setuptools import Extension, setup
from setuptools.command.build import build
from setuptools.command.build_ext import build_ext

GNU = sys.platform != "win32"
KERNELS = Path("kernels")
NUMPY_HEADERS = Path("build/numpy")  # pip's folder has another name each time, and ccache would find nothing again
COMPILED = Path("build/compiled", sysconfig.get_config_var("EXT_SUFFIX").strip("."))  # kept from build to build

MODULES = sorted(path.stem for path in KERNELS.glob("*.pyx"))
LEVELS = runpy.run_path(str(KERNELS / "levels.py"))
TRANSLATION = SimpleNamespace(**runpy.run_path("translation.py"))
TRANSLATED, HELPERS, has_kernels = TRANSLATION.TRANSLATED, TRANSLATION.HELPERS, TRANSLATION.has_kernels
ONCE = ("machine.h", "pool.h", "chosen.h")  # headers that no kernel includes

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
# GCC takes loops apart up to 200 instructions. Here no loop needs more than half of it: above, it is half a kernel that
# is there several times, a fifth of the code and slower.
SHORT = ["--param=max-completely-peeled-insns=100"]
SHORT_LOOPS = {"avx2": ("losses", "softmax"), "avx512": ("halting", "losses", "point_losses")}
# Products keep more numbers at hand than there are registers, and all of -O3's ways of sparing them pay there; so do
# the sums along a row where registers are widest. What -O3 does for loops over a few numbers, no kernel has use for.
# linear4's sums take 24 of 32 registers: they all stay there if instructions are moved with an eye on that.
THOROUGH = ["-O3", "-fno-tree-vectorize", "-fno-tree-slp-vectorize", "-fno-ipa-cp-clone", "-fno-tree-loop-distribution",
            "-fno-split-loops", "-fno-version-loops-for-strides", "-fno-predictive-commoning", "-fno-split-paths",
            "-fno-gcse-after-reload", "-fno-tree-partial-pre", "-fno-inline-functions", "-fno-loop-interchange",
            "-fno-loop-unroll-and-jam"]
EFFORT = {"activations": FRUGAL + VECTORS, "breeding": FRUGAL + VECTORS, "ieee754": FRUGAL + HOISTED + VECTORS,
          "linear4": [*THOROUGH, "-fsched-pressure"], "linear4_int": THOROUGH, "point_losses": FRUGAL + HOISTED,
          "population": THOROUGH}
EFFORT_OF_LEVEL = {"avx512": THOROUGH}  # of the other modules; FRUGAL and HOISTED where none is named
LOOPS_ABOVE = ("point_losses",)  # of plain numbers, in what is compiled once
# The portable level has no registers to spill and is there to be right. Without what -O1 does besides, it compiles in
# two thirds of the time and is as fast.
LEAST = ["-O1", "-fno-tree-dominator-opts", "-fno-tree-ccp", "-fno-tree-bit-ccp", "-fno-tree-fre",
         "-fno-tree-loop-optimize", "-fno-tree-pta", "-fno-tree-dse", "-fno-dse", "-fno-forward-propagate"]
# What has to do with Python objects mostly calls Python: three quarters of that time, and calls take as long.
CALLS = LEAST + [f"-fno-{name}" for name in (
    "tree-sra", "tree-sink", "tree-slsr", "tree-phiprop", "tree-reassoc", "tree-copy-prop", "ssa-backprop",
    "optimize-strlen", "ipa-modref", "ipa-pure-const", "ipa-reference", "ipa-profile", "if-conversion",
    "if-conversion2", "printf-return-value", "split-wide-types")]
# Compiled in six tenths of the time, calls take a twentieth longer, which nobody sees where they are long or rare.
QUICK = ["-Og", *LEAST[1:]]
LONG_CALLS = ("breeding", "distances", "draws", "genome", "ieee754", "interface", "machine", "helpers", "optimise",
              "population", "ulps")
EVERY = [*FRUGAL, *HOISTED, *VECTORS, *SHORT, *THOROUGH, *CALLS, *QUICK]  # asked of the compiler at once
THREADS = ["-pthread"] if GNU else []
# Left out: symbols that nobody looks up, and the padding to a page between code and data, which seventy files have.
LINKED = ["-Wl,-s", "-Wl,-z,noseparate-code"] if sys.platform == "linux" else []
MACROS = [("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")]
INCLUDED = ["kernels", str(NUMPY_HEADERS)]
HEADERS = ("Python.h", "numpy/arrayobject.h", "numpy/ufuncobject.h", "lanes/lanes.h")
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
    """Translates each module once, then compiles its kernels at all levels side by side, then what is above them."""

    def build_extensions(self):
        import numpy  # here, and Cython where it is used: pip runs this file twice to ask questions before it builds

        self.parallel = self.parallel or os.cpu_count()
        self.known_efforts = {}
        if error := self.refusal([], linked=True):
            raise SystemExit(COMPILER_MISSING.format(error=error))
        self.takes_all = GNU and not self.refusal(["-Werror", *EVERY])
        levels = [level for level in wanted_levels() if self.takes(level)] or sys.exit("lanewise: no level to build")
        shutil.rmtree(NUMPY_HEADERS, ignore_errors=True)
        shutil.copytree(numpy.get_include(), NUMPY_HEADERS)
        self.numpy_version = numpy.__version__
        anew = self.modules_to_translate()
        kernels, self.of_module = [], {}
        for ext in self.extensions:
            module = module_of(ext)
            ext.sources = [str(TRANSLATED / f"{module}.c")]
            ext.extra_link_args = LINKED + THREADS
            own = [level for level in levels if has_kernels(module) and holds(level, module)]
            self.of_module[module] = [Kernels(module, level, self.flags_of(module, level)) for level in own]
            kernels += self.of_module[module]
            listed = " ".join(f"X({level})" for level in (levels if module == "machine" else own))
            ext.define_macros = [*MACROS, ("LANEWISE_LEVELS", listed)] if listed else MACROS
            ext.extra_compile_args = self.flags_of(module)
        with tempfile.TemporaryDirectory() as folder:
            self.headers = self.headers_to_read_once(
                Path(folder), [own for own in kernels if own.module in anew or self.asks_for(own)])
            self.translate(anew)
            kernels.sort(key=lambda own: -os.path.getsize(own.source))  # the longest first: none is waited for
            with ThreadPoolExecutor(self.parallel) as pool:
                list(pool.map(self.compile_kernels, kernels))
            for ext in self.extensions:
                ext.extra_objects = [own.compiled for own in self.of_module[module_of(ext)]]
            super().build_extensions()

    def headers_to_read_once(self, folder, asking):
        # What every module of a level includes takes a third of a second to read. Where many are compiled alike, it is
        # read once for all of them; a compiler that cannot do that, or ccache, reads it each time. They must be alike:
        # at -O3, GCC 12 crashes on what it has read at -O1.
        if not GNU or "ccache" in self.compiler.compiler_so[0]:
            return {}
        above = [self.flags_of(module) for module in {own.module for own in asking}]
        alike = Counter(map(tuple, [*above, *(own.flags for own in asking)]))
        return {manner: folder / f"{k}.h" for k, manner in enumerate(alike) if alike[manner] > 3}

    def read_headers(self):
        for manner, header in self.headers.items():
            header.write_text("".join(f'#include "{name}"\n' for name in HEADERS))
            command = [*self.compiler.compiler_so, *manner, *(f"-D{name}={value}" for name, value in MACROS),
                       *(f"-I{path}" for path in (*INCLUDED, *self.compiler.include_dirs))]
            made = subprocess.run([*command, "-x", "c-header", header, "-o", f"{header}.part"], check=False,
                                  stderr=subprocess.DEVNULL)
            if made.returncode == 0:
                os.rename(f"{header}.part", f"{header}.gch")

    def header_of(self, manner):
        header = self.headers.get(tuple(manner))
        return ["-include", str(header)] if header and Path(f"{header}.gch").exists() else []

    def takes(self, level):
        # or else the compiler is older than the level
        flags = list(LEVELS["LEVELS"][level].flags)
        if error := flags and self.refusal(flags):
            self.announce(f"lanewise: this compiler cannot build the level {level}: {error}", level=3)
        return not error

    def flags_of(self, module, level=None):
        # how a module's kernels are compiled at a level, or else what is compiled once of it
        flags = [*FLAGS, INLINE if level in (None, "baseline") else FORCED_INLINE, *THREADS]
        if level:
            flags += [*LEVELS["LEVELS"][level].flags, f"-DLANEWISE_KERNELS=lanewise_kernels_{level}"]
        if not GNU:  # other compilers have no word for most of it
            return flags
        if level in (None, "baseline"):
            above = {**dict.fromkeys(LOOPS_ABOVE, FRUGAL), **dict.fromkeys(LONG_CALLS, QUICK)}
            asked = LEAST if level else above.get(module, CALLS)
        else:
            asked = EFFORT.get(module, EFFORT_OF_LEVEL.get(level, FRUGAL + HOISTED))
            asked = asked + SHORT if module in SHORT_LOOPS.get(level, ()) else asked
        if tuple(asked) not in self.known_efforts:
            self.known_efforts[tuple(asked)] = asked if self.takes_all or not self.refusal(["-Werror", *asked]) else [
                "-O1" if asked in (LEAST, CALLS, QUICK) else "-O3"]
        return flags + self.known_efforts[tuple(asked)]

    def refusal(self, flags, linked=False):
        # what the compiler has against these flags, None where it takes them
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.c").write_text("int main(void) { return 0; }\n")
            try:
                program = self.compiler.compile([f"{folder}/a.c"], output_dir=folder, extra_postargs=flags)
                if linked:
                    self.compiler.link_executable(program, "a", output_dir=folder)
            except Exception as error:  # setuptools, distutils and the system each have their own
                return error

    def modules_to_translate(self):
        # by their names, digests of what they are made of; and what is gone from the sources is gone from build/ too
        sources = {path.relative_to(KERNELS): path for path in KERNELS.rglob("*")
                   if path.suffix in (".pyx", ".pxd", ".pxi", ".h") or path.name == "__init__.py"}
        made = {Path(f"{module}{suffix}") for module in (*MODULES, HELPERS)
                for suffix in (".c", "_kernels.c", ".made_of")}
        for path in TRANSLATED.rglob("*"):
            if path.is_file() and path.relative_to(TRANSLATED) not in {*sources, *made}:
                path.unlink()
        for kept, path in sources.items():
            (TRANSLATED / kept).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, TRANSLATED / kept)
        Path("build/lanewise/__init__.py").touch()
        # Cython compares times, by which the headers of a NumPy that pip has just installed are always newer
        self.cythonizing = cythonizing = SimpleNamespace(**runpy.run_path("cythonizing.py"))
        manner = cythonizing.MANNER, Path("cythonizing.py").read_bytes()
        contents = {module: digest_of(manner, cythonizing.sources_of(TRANSLATED / f"{module}.pyx"))
                    for module in MODULES} | {HELPERS: digest_of(manner, [])}
        return {module: digest for module, digest in contents.items() if self.force or not (
            (TRANSLATED / f"{module}.c").exists() and is_recorded(TRANSLATED / f"{module}.made_of", digest))}

    def translate(self, anew):
        for module in anew:
            (TRANSLATED / f"{module}.made_of").unlink(missing_ok=True)
        gc.set_threshold(500_000, 20, 20)  # a third of Cython's time goes into looking through trees that still live
        modules = sorted(anew, key=lambda module: -sum(
            path.stat().st_size for path in KERNELS.rglob(f"{module}*.p[yx][xi]")))
        registered = list(filter(has_kernels, modules))
        others = [module for module in modules if module not in registered]
        if sys.platform == "linux":  # the one system where fork is sound
            # what several cimport is read in this process, and all that does not wait for it in another one
            ahead = multiprocessing.get_context("fork").Process(target=self.translate_alone, args=(others,))
            ahead.start()
            try:
                begun = self.cythonizing.Declarations.from_options(self.cythonizing.options_of(None))
                begun.read_what_several_cimport(registered)
                in_children(lambda module: self.cythonizing.translate(module, begun), registered, self.parallel)
            finally:
                ahead.join()
            if ahead.exitcode:
                raise SystemExit(f"not translated: one of {', '.join(others)}")
        else:
            self.translate_alone(modules)
        for module, digest in anew.items():
            (TRANSLATED / f"{module}.made_of").write_text(digest)

    def translate_alone(self, modules):
        self.read_headers()
        for module in modules:
            self.cythonizing.translate(module)

    def compile_kernels(self, own):
        if digest := self.asks_for(own):
            own.record.unlink(missing_ok=True)
            self.compiler.compile([own.source], str(own.folder), MACROS, INCLUDED,
                                  extra_postargs=[*self.header_of(own.flags), *own.flags])
            own.record.write_text(digest)

    def asks_for(self, own):
        digest = self.contents_of(own.flags, own.level, own.source)  # before, since a header may change meanwhile
        return None if not self.force and Path(own.compiled).exists() and is_recorded(own.record, digest) else digest

    def build_extension(self, ext):
        # an editable install would throw away what was compiled, so it is kept in a folder of ours
        module, built = module_of(ext), Path(self.get_ext_fullpath(ext.name))
        folder = COMPILED / "once"
        folder.mkdir(parents=True, exist_ok=True)
        kept, record = folder / built.name, folder / f"{module}.made_of"
        digest = self.contents_of([ext.extra_compile_args, ext.extra_link_args, ext.define_macros], None,
                                  *ext.sources, *ext.extra_objects)
        if not self.force and kept.exists() and is_recorded(record, digest):
            built.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(kept, built)
        else:
            record.unlink(missing_ok=True)
            builder = copy.copy(self)
            builder.build_temp, builder.force = str(folder), True
            if ext.extra_objects:
                ext.extra_compile_args = [*self.header_of(self.flags_of(module)), *ext.extra_compile_args]
            super(BuildLevels, builder).build_extension(ext)
            shutil.copy(built, kept)
            record.write_text(digest)

    def contents_of(self, manner, level, *files):
        headers = [path for path in KERNELS.rglob("*.h") if not (level and path.name in ONCE)]
        command = [getattr(self.compiler, "compiler_so", None), manner, MACROS, self.numpy_version, sys.version]
        return digest_of(command, [*files, *headers])


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


def is_recorded(record, digest):
    return record.exists() and record.read_text() == digest


class Kernels(NamedTuple):
    """The kernels of a module at a level: how they are compiled, from what, and to where."""

    module: str
    level: str
    flags: list

    folder = property(lambda self: COMPILED / self.level)
    source = property(lambda self: str(TRANSLATED / f"{self.module}_kernels.c"))
    compiled = property(lambda self: str(self.folder / Path(self.source).with_suffix(".o")))
    record = property(lambda self: self.folder / f"{self.module}.made_of")


def holds(level, module):
    return module in (LEVELS["LEVELS"][level].modules or MODULES)


def module_of(ext):
    return ext.name.rpartition(".")[2]


setup(cmdclass={"build": Build, "build_ext": BuildLevels}, ext_modules=[
    Extension(f"lanewise.kernels.{module}", [str(KERNELS / f"{module}.pyx")], include_dirs=INCLUDED)
    for module in (*MODULES, HELPERS)])
