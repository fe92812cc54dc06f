"""The build: each module of kernels/ is translated once and compiled once per level. Metadata is in pyproject.toml."""

import copy
import os
import platform
import shutil
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

GNU = sys.platform != "win32"
MACHINE = platform.machine() if GNU else ""
LEVELS = {"baseline": []}
if MACHINE in ("x86_64", "AMD64"):
    LEVELS["avx2"] = ["-march=x86-64-v3", "-DLANEWISE_AVX2"]
    # GCC stops at 256 bits unless it is told that 512 are wanted, and leaves two chains of latencies one after the
    # other unless it schedules for a machine it knows: 5 to 18% on the compound functions
    LEVELS["avx512"] = ["-march=x86-64-v4", "-mprefer-vector-width=512", "-fschedule-insns", "-mtune=icelake-server",
                        "-DLANEWISE_AVX512"]
if MACHINE in ("aarch64", "arm64"):
    LEVELS["neon"] = ["-DLANEWISE_NEON"]

FLAGS = ["/O2"] if not GNU else [
    "-O3",
    "-ffp-contract=off",  # a * b + c is two roundings where the source says two: same bits from every compiler
    "-g0",  # what debugging a kernel needs takes half of the compile time and most of a wheel
    "-fno-math-errno",  # a square root is one instruction
    "-DCYTHON_INLINE=__inline__ __attribute__((always_inline, unused))",  # a call would spill every register
    "-Wno-psabi",  # wide registers cross no module's border, so their calling convention is nobody's business
]
DIRECTIVES = {"language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True,
              "initializedcheck": False, "freethreading_compatible": True, "embedsignature": True}
COMPILER_MISSING = """Lanewise is compiled from source and found no working C compiler ({error}).
Install one and try again:  Debian, Ubuntu: apt install gcc    Fedora: dnf install gcc
                            macOS: xcode-select --install      Windows: Visual Studio Build Tools"""


class BuildLevels(build_ext):
    """Translates each module once, then compiles all levels side by side, with OpenMP where the compiler has it."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        if error := self.refusal([]):
            raise SystemExit(COMPILER_MISSING.format(error=error))
        refused = [level for level, flags in LEVELS.items() if self.refusal(flags)]  # by a compiler older than it
        self.extensions = [ext for ext in self.extensions if ext.name.split(".")[2] not in refused]
        # without OpenMP prange is a plain loop
        openmp = [] if self.refusal(["-fopenmp"], "#include <omp.h>\n") else ["-fopenmp"]
        # Cython names a module after its folders, so it is shown the sources where they will be installed
        shutil.copytree("kernels", "build/lanewise/kernels", dirs_exist_ok=True)
        Path("build/lanewise/__init__.py").touch()
        workers = self.parallel if sys.platform == "linux" else 0  # they need fork, which only Linux does soundly
        cythonize([f"build/lanewise/{source}" for source in SOURCES], force=self.force, nthreads=workers,
                  compiler_directives=DIRECTIVES)
        for ext in self.extensions:
            ext.sources = [f"build/lanewise/kernels/{ext.name.rpartition('.')[2]}.c"]
            ext.extra_compile_args, ext.extra_link_args = ext.extra_compile_args + openmp, openmp
        super().build_extensions()

    def refusal(self, flags, include=""):
        # what the compiler has against these flags, None where it takes them
        with tempfile.TemporaryDirectory() as folder:
            Path(folder, "a.c").write_text(include + "int main(void) { return 0; }\n")
            try:
                program = self.compiler.compile([f"{folder}/a.c"], output_dir=folder, extra_postargs=flags)
                self.compiler.link_executable(program, "a", output_dir=folder, extra_postargs=flags)
            except Exception as error:  # setuptools, distutils and the system each have their own
                return error

    def build_extension(self, ext):
        # the levels share their sources, so each has its own folder for objects
        builder = copy.copy(self)
        builder.build_temp = os.path.join(self.build_temp, ext.name.split(".")[2])
        super(BuildLevels, builder).build_extension(ext)

    def copy_extensions_to_source(self):  # of an editable install
        for level in LEVELS:
            Path("kernels", level).mkdir(exist_ok=True)
        super().copy_extensions_to_source()


def compiled_for(level, source):
    package = f"lanewise.kernels.{level}" if level else "lanewise.kernels"
    return Extension(f"{package}.{source.stem}", [str(source)], include_dirs=["kernels", numpy.get_include()],
                     define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                     extra_compile_args=FLAGS + LEVELS.get(level, []), depends=HEADERS)


HEADERS = sorted(str(path) for path in Path("kernels").rglob("*.[hp]*"))
SOURCES = sorted(Path("kernels").glob("*.pyx"))
UNLEVELLED = ("machine", "operands")  # what runs before a level is chosen, and what has no registers
setup(cmdclass={"build_ext": BuildLevels}, ext_modules=[
    compiled_for(level, source) for source in SOURCES for level in ([None] if source.stem in UNLEVELLED else LEVELS)
])
