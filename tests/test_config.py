"""show_config, the thread count with its defaults and errors, the import's cost, and forked children."""

import os
import select
import signal
import sys

import lanewise as lw
import numpy as np
import pytest

needs_openmp = pytest.mark.skipif(not lw.show_config("dicts")["openmp"], reason="built without OpenMP")


@pytest.fixture(autouse=True)
def keep_thread_count():
    before = lw.get_num_threads()
    yield
    lw.set_num_threads(before)


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


@needs_openmp
def test_set_num_threads():
    for n in (1, np.int8(3), 1024):
        lw.set_num_threads(n)
        assert lw.get_num_threads() == n


@pytest.mark.parametrize("n", [2.0, "2", None, True])
def test_set_num_threads_takes_integers(n):
    with pytest.raises(TypeError, match=r"expected an integer of at least 1; got " + repr(n)):
        lw.set_num_threads(n)


@pytest.mark.parametrize("n", [0, -1, 1025, 10**30])
def test_set_num_threads_range(n):
    before = lw.get_num_threads()
    with pytest.raises(ValueError, match=f"expected an integer from 1 to 1024; got {n}"):
        lw.set_num_threads(n)
    assert lw.get_num_threads() == before


SHOW_THREADS = "import lanewise as lw; print(lw.get_num_threads())"


@needs_openmp
def test_thread_count_from_environment(run_python):
    assert run_python(SHOW_THREADS, LANEWISE_NUM_THREADS="7").stdout == "7\n"


@needs_openmp
@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs sched_setaffinity")
def test_threads_default_to_usable_cpus(run_python):
    usable = len(os.sched_getaffinity(0))
    assert run_python(SHOW_THREADS, LANEWISE_NUM_THREADS=None).stdout == f"{usable}\n"
    bound_to_one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + SHOW_THREADS
    assert run_python(bound_to_one, LANEWISE_NUM_THREADS="").stdout == "1\n"


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "1025", "٣"])
def test_bad_thread_count_in_environment(run_python, value):
    result = run_python(SHOW_THREADS, LANEWISE_NUM_THREADS=value)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: LANEWISE_NUM_THREADS={value!r}: expected an integer from 1 to 1024"


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


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_forked_child_does_not_hang():
    lw.set_num_threads(4)
    x = np.linspace(-20, 20, 1 << 20, dtype=np.float32)
    expected = lw.silu(x)  # the parent now has OpenMP threads, which a child does not inherit
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        same = np.array_equal(lw.silu(x), expected)
        lw.set_num_threads(4)
        same = same and lw.get_num_threads() == 1 and np.array_equal(lw.silu(x), expected)
        os.write(writing, b"same" if same else b"different")
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], 60)
        if not ready:
            os.kill(child, signal.SIGKILL)
        answer = pipe.read()
    os.waitpid(child, 0)
    assert answer == b"same"
    assert np.array_equal(lw.silu(x), expected)  # and the parent's threads are as they were


MULTIPROCESSING = """
    import multiprocessing, sys, warnings
    import numpy as np
    import lanewise as lw

    def work(n):
        return lw.silu(np.linspace(-20, 20, n, dtype=np.float32)).tobytes()

    if __name__ == "__main__":
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork beside threads
        lw.set_num_threads(4)
        here = work(1 << 18)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(all(there == here for there in pool.map_async(work, [1 << 18] * 4).get(timeout=60)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fork beside threads is sound on Linux only")
def test_multiprocessing_by_fork(run_python):
    result = run_python(MULTIPROCESSING, timeout=120)
    assert result.stdout == "True\n", result.stderr


def test_imports_without_docstrings(run_python):
    found = run_python("import lanewise as lw, lanewise.evolution; print(lw.relu(2.0), lw.softmax([0.0]))",
                       PYTHONOPTIMIZE="2")
    assert (found.stdout.split(), found.stderr) == (["2.0", "[1.]"], "")
