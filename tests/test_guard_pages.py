"""No kernel reads or writes beside its operands, of any dtype, length and stride: guarded.py has pages there that may
not be touched."""

import subprocess
import sys
from pathlib import Path

import lanewise as lw
import oracles
import pytest

pytest.importorskip("ml_dtypes")
import random_functions

guarded = pytest.importorskip("guarded", exc_type=OSError) if sys.platform != "win32" else None
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="mprotect is POSIX's")


@pytest.mark.parametrize("dtype", oracles.DTYPES)
def test_guard_pages(dtype):
    program = Path(__file__).with_name("guarded.py")
    done = subprocess.run([sys.executable, program, dtype], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"after {done.stdout.splitlines()[-1:]}:\n{done.stderr}"


def test_every_public_function_is_tried():
    public = {name for name, (_, function, _) in random_functions.functions().items() if not isinstance(function, type)}
    without_arrays = {"get_include", "get_num_threads", "set_num_threads", "show_config", "genome.random_population",
                      "evolution.evolve", "evolution.minimize", "ieee754.describe", "ieee754.exact_decimal",
                      "ieee754.format_named", "ieee754.format_of", "ieee754.parse_number", "he_normal", "he_uniform",
                      "xavier_normal", "xavier_uniform"}
    without_arrays |= {"act_halting_backward", "gradient_flow"}  # of theirs no kernel is told
    without_arrays |= {"Format.code_of", "Format.value", *(f"embedding.{name}" for name in lw.embedding.__all__)}
    others = {"ieee754.pack": "genome.pack", "ieee754.unpack": "genome.unpack", "instance_norm": "group_norm",
              "Network.batch": "Network.loss", "Network.batch_of": "Network.loss", "Packed.weights": "genome.decode",
              "Network.quantize": "genome.encode", "Network.weights": "genome.decode"}  # these, or called by them
    of_functions = {"Classifier", *lw.layers.__all__}  # whose methods call Network.forward, or the functions of lw
    methods = {name for name in public if name.partition(".")[0] in of_functions}
    assert public - without_arrays - methods - set(others) - guarded.names() == set()
    assert set(others.values()) <= guarded.names()


def test_the_guards_bite():
    program = "import guarded; print(guarded.POOL[0].bytes.base is None); guarded.ctypes.string_at(" \
              "guarded.POOL[0].bytes.ctypes.data + guarded.SIZE, 1)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, cwd=Path(__file__).parent, timeout=300)
    assert done.returncode < 0
