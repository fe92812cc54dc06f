"""No kernel reads or writes beside its operands, of any dtype, length and stride: guarded.py has pages there that may
not be touched."""

import subprocess
import sys
from pathlib import Path

import oracles
import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX's")


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_guard_pages(dtype):
    program = Path(__file__).with_name("guarded.py")
    done = subprocess.run([sys.executable, program, dtype], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"after {done.stdout.splitlines()[-1:]}:\n{done.stderr}"


def test_the_guards_bite():
    program = "import guarded; print(guarded.POOL[0].bytes.base is None); guarded.ctypes.string_at(" \
              "guarded.POOL[0].bytes.ctypes.data + guarded.SIZE, 1)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=Path(__file__).parent, timeout=60)
    assert done.returncode < 0
