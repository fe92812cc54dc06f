"""The build: each module of kernels/ is translated once and compiled once per level. Metadata is in pyproject.toml."""

import copy
import os
import platform
import sys
import tempfile
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, ExecError, LinkError, PlatformError

GNU = sys.platform != "win32"
X86 = GNU and platform.machine() in ("x86_64", "AMD64")
ARM = GNU and platform.machine() in ("aarch64", "arm64")

LEVELS = {"baseline": []}
if X86:
    LEVELS["avx2"] = ["-march=x86-64-v3", "-DLANEWISE_AVX2"]
    # GCC stops at 256 bits unless it is told that 512 are wanted
    LEVELS["avx512"] = ["-march=x86-64-v4", "-mprefer-vector-width=512", "-DLANEWISE_AVX512"]
if ARM:
    LEVELS["neon"] = ["-DLANEWISE_NEON"]

FLAGS = ["/O2"]
if GNU:
    FLAGS = [
        "-O3",
        "-ffp-contract=off",  # a * b + c is two roundings where the source says two: same bits from every compiler
        "-fno-math-errno",  # a square root is one instruction
        "-DCYTHON_INLINE=__inline__ __attribute__((always_inline, unused))",  # a call would spill every register
        "-Wno-psabi",  # wide registers cross no module's border, so their calling convention is nobody's business
    ]

COMPILER_MISSING = """
Lanewise is compiled from source and found no working C compiler ({error}).
Install one and try again:  Debian, Ubuntu: apt install gcc    Fedora: dnf install gcc
                            macOS: xcode-select --install      Windows: Visual Studio Build Tools
"""


class BuildLevels(build_ext):
    """Compiles the levels side by side, with OpenMP where the compiler has it."""

    def build_extensions(self):
        self.parallel = self.parallel or os.cpu_count()
        self.try_compile("int main(void) { return 0; }", [])
        try:
            self.try_compile("#include <omp.h>\nint main(void) { return omp_get_max_threads() < 1; }", ["-fopenmp"])
            openmp = ["-fopenmp"]
        except (CompileError, LinkError):
            openmp = []  # prange is then a plain loop
        for ext in self.extensions:
            ext.extra_compile_args += openmp
            ext.extra_link_args += openmp
        super().build_extensions()

    def try_compile(self, program, flags):
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "program.c")
            source.write_text(program)
            try:
                objects = self.compiler.compile([str(source)], output_dir=folder, extra_postargs=flags)
                self.compiler.link_executable(objects, "program", output_dir=folder, extra_postargs=flags)
            except (CompileError, LinkError, ExecError, PlatformError, OSError) as error:
                if flags:
                    raise
                raise SystemExit(COMPILER_MISSING.format(error=error)) from None

    def build_extension(self, ext):
        # the levels share their sources, so each has its own folder for objects
        builder = copy.copy(self)
        builder.build_temp = os.path.join(self.build_temp, ext.level)
        Path(self.get_ext_fullpath(ext.name)).parent.mkdir(parents=True, exist_ok=True)
        super(BuildLevels, builder).build_extension(ext)


def compiled_for(level, module, flags):
    folder = f"lanewise.kernels.{level}" if level else "lanewise.kernels"
    ext = Extension(f"{folder}.{module.name.rpartition('.')[2]}", module.sources, depends=HEADERS,
                    include_dirs=["kernels", numpy.get_include()],
                    define_macros=[("NPY_NO_DEPRECATED_API", "NPY_2_0_API_VERSION")],
                    extra_compile_args=[*FLAGS, *flags])
    ext.level = level
    return ext


HEADERS = [str(path) for path in Path("kernels").rglob("*.[hp]*")]
MODULES = cythonize("kernels/*.pyx", build_dir="build", nthreads=os.cpu_count() if sys.platform == "linux" else 0, compiler_directives={
    "language_level": 3, "boundscheck": False, "wraparound": False, "cdivision": True, "initializedcheck": False,
    "freethreading_compatible": True, "embedsignature": True,
})
setup(cmdclass={"build_ext": BuildLevels}, ext_modules=[
    ext for module in MODULES for ext in (
        [compiled_for("", module, [])] if module.name.endswith("machine")
        else [compiled_for(level, module, flags) for level, flags in LEVELS.items()])
])
