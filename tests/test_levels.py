"""Choosing a level: the best is taken, LANEWISE_LEVEL overrides, and a bad name is an ImportError that says why.
That all levels compute the same bits is test_same_bits.py's."""

import shutil
from pathlib import Path

import lanewise
import pytest
from lanewise.kernels import BUILT_LEVELS, machine

BEST_LEVEL = [level for level in machine.supported_levels() if level in BUILT_LEVELS][-1]
SHOW = """
    import lanewise
    import lanewise.kernels.activations as kernels
    print(lanewise.show_config("dicts")["level"], kernels.__file__)
"""


def error_of(result):
    assert result.returncode != 0
    return result.stderr.strip().splitlines()[-1]


def test_best_level_is_taken(run_python):
    result = run_python(SHOW, LANEWISE_LEVEL=None)
    assert result.stdout.split()[0] == BEST_LEVEL, result.stderr


def test_override(run_python, level):
    result = run_python(SHOW, LANEWISE_LEVEL=level)
    chosen, file = result.stdout.split()
    assert chosen == level, result.stderr
    assert Path(file).parent.name == level


def test_empty_override_is_none(run_python):
    assert run_python(SHOW, LANEWISE_LEVEL="").stdout.split()[0] == BEST_LEVEL


def test_unknown_level(run_python):
    error = error_of(run_python(SHOW, LANEWISE_LEVEL="sse9"))
    assert error == (f"ImportError: LANEWISE_LEVEL='sse9' is not a level; expected one of {', '.join(machine.LEVELS)}")


def test_level_that_was_not_built(run_python):
    foreign = next(level for level in machine.LEVELS if level not in BUILT_LEVELS)
    error = error_of(run_python(SHOW, LANEWISE_LEVEL=foreign))
    assert error == (
        f"ImportError: LANEWISE_LEVEL='{foreign}' was not built; this installation has {', '.join(BUILT_LEVELS)}"
    )


@pytest.mark.skipif("avx512" not in BUILT_LEVELS, reason="needs a level that asks for CPU features")
def test_level_that_the_machine_lacks(run_python):
    script = """
        # in place of the compiled module, what it says on a machine without AVX-512
        import sys, types
        lesser = types.ModuleType("lanewise.kernels.machine")
        lesser.LEVELS = {"baseline": (), "avx2": ("avx2", "fma"), "avx512": ("avx2", "fma", "avx512f", "avx512bw")}
        lesser.cpu_features = lambda: ("avx2", "fma")
        lesser.supported_levels = lambda: ("baseline", "avx2")
        sys.modules["lanewise.kernels.machine"] = lesser
        import lanewise
    """
    error = error_of(run_python(script, LANEWISE_LEVEL="avx512"))
    assert error == "ImportError: LANEWISE_LEVEL='avx512' needs avx512bw, avx512f, which this machine lacks"


def test_installation_with_fewer_levels(run_python, tmp_path):
    shutil.copytree(Path(lanewise.__file__).parent, tmp_path / "lanewise")
    for level in BUILT_LEVELS:
        if level != "baseline":
            shutil.rmtree(tmp_path / "lanewise/kernels" / level)
    result = run_python(SHOW, LANEWISE_LEVEL=None, PYTHONPATH=str(tmp_path))
    assert result.stdout.split()[0] == "baseline", result.stderr
    assert str(tmp_path) in result.stdout
