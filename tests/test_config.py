"""show_config, and the import's cost. The thread count is in test_threads.py."""

import lanewise as lw
import numpy as np
import pytest


def test_show_config_prints_what_it_returns(capsys):
    found = lw.show_config("dicts")
    assert lw.show_config() is None
    shown = capsys.readouterr().out
    for name in ("lanewise", "numpy", "python", "level", "threads"):
        assert str(found[name]) in shown
    for name in ("levels_built", "levels_supported", "cpu_features"):
        assert " ".join(found[name]) in shown
    assert found["lanewise"] == lw.__version__
    assert found["numpy"] == np.__version__
    assert found["level"] in found["levels_built"]


def test_show_config_refuses_other_modes():
    with pytest.raises(ValueError, match="expected mode 'stdout' or 'dicts'; got 'json'"):
        lw.show_config("json")


def test_import_needs_numpy_only(run_python):
    script = """
        import sys
        import numpy
        before = set(sys.modules)
        import lanewise
        allowed = set(sys.stdlib_module_names) | {"lanewise", "numpy", "ml_dtypes"}
        # a submodule compiled with Cython brings along a few modules of its own
        names = {name.partition(".")[0] for name in set(sys.modules) - before}
        print(sorted(name for name in names - allowed if "cython" not in name))
    """
    assert run_python(script).stdout == "[]\n"


def test_import_looks_once_for_what_is_not_installed_and_brings_no_slow_module(run_python):
    script = """
        import sys
        import numpy

        class Absent:
            times = 0

            def find_spec(self, name, path=None, target=None):
                if name == "ml_dtypes":
                    self.times += 1
                    raise ModuleNotFoundError(name)

        absent, before = Absent(), set(sys.modules)
        sys.meta_path.insert(0, absent)
        import lanewise
        # each of them takes longer than what Python does of this package
        slow = {"dataclasses", "importlib.abc", "importlib.resources", "inspect", "pathlib", "subprocess", "tempfile"}
        print(absent.times, sorted((set(sys.modules) - before) & slow))
    """
    assert run_python(script).stdout == "1 []\n"


def test_import_leaves_the_wings_until_they_are_used(run_python):
    script = """
        import sys
        import lanewise as lw

        WINGS = ("cli", "evolution", "genome", "ieee754", "measure")
        print([wing for wing in WINGS if f"lanewise.{wing}" in sys.modules])
        print([lw.ieee754.__name__, lw.genome.__name__, lw.evolution.__name__])
        print([wing for wing in ("cli", "measure") if f"lanewise.{wing}" in sys.modules])
    """
    found = run_python(script)
    assert found.stdout == "[]\n['lanewise.ieee754', 'lanewise.genome', 'lanewise.evolution']\n[]\n", found.stderr


def test_modules_that_moved_are_found_where_they_were(run_python):
    for name in ("checkpoint", "data", "network"):
        found = run_python(f"""
from lanewise import {name} as by_attribute
import lanewise.{name}
from lanewise.{name} import *
from lanewise.evolution import {name}
assert by_attribute is lanewise.{name}
for public in {name}.__all__:
    assert globals()[public] is getattr(by_attribute, public) is getattr({name}, public)
print(len({name}.__all__) > 2)""")
        assert found.stdout == "True\n", found.stderr


def test_dir_shows_public_names_only():
    shown = {name for name in dir(lw) if not name.startswith("__")}
    assert shown == set(lw.__all__) - {"__version__"}
    assert all(hasattr(lw, name) for name in shown)


def test_a_name_that_is_not_there_is_told_beside_one_that_is(run_python):
    assert "Did you mean: 'silu'?" in run_python("import lanewise; lanewise.SiLU").stderr


@pytest.mark.parametrize(("name", "other"), [
    ("mse_loss", "mse"), ("l1_loss", "l1"), ("huber_loss", "huber"), ("cross_entropy_loss", "cross_entropy"),
    ("nll", "nll_loss"),
])
def test_a_loss_by_another_name_is_told_its_own(name, other, run_python):
    error = run_python(f"import lanewise; lanewise.{name}").stderr
    assert f"module 'lanewise' has no attribute '{name}'; here it is called '{other}'" in error
    assert "Did you mean" not in error


def test_the_command_says_its_version(run_python):
    assert run_python("from lanewise import cli; cli.main(['--version'])").stdout == f"lanewise {lw.__version__}\n"


def test_imports_without_docstrings(run_python):
    found = run_python("import lanewise as lw, lanewise.evolution; print(lw.relu(2.0), lw.softmax([0.0]))",
                       PYTHONOPTIMIZE="2")
    assert (found.stdout.split(), found.stderr) == (["2.0", "[1.]"], "")
