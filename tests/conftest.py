"""What all tests share: the levels this machine can test, and running a script in a fresh interpreter. The level
under test is the one LANEWISE_LEVEL names (`LANEWISE_LEVEL=avx2 pytest`); .ci/run takes each in turn. And lanes/,
primitives and the random generator on registers, built for a level when a test asks for it."""

import importlib.util
import os
import select
import shutil
import signal
import subprocess
import sys
import textwrap
import warnings
import zlib
from pathlib import Path

import hypothesis
import lanewise
import numpy as np
import pytest
from lanewise.kernels import BUILT_LEVELS, LEVEL, levels, machine

LEVELS_HERE = [level for level in levels.supported(machine.cpu_features()) if level in BUILT_LEVELS]

# Commands, files, documentation and the like: Python above the kernels, which is the same at every level. One run of
# them is enough: .ci/run leaves them out where it repeats the suite at the other levels; and the errors of millions of
# rows, since these levels give the same bits (tests/test_same_bits.py). So is a test that goes through all levels by
# itself, as one with a fixture of EACH_LEVEL does.
ABOVE_KERNELS = {f"test_{name}" for name in (
    "accuracy", "architecture", "bench", "bench_blas", "bench_command", "bench_files", "bench_report", "classifier",
    "cli_evolve", "cli_results", "cli_start", "cli_train", "cost_by_size", "data", "defaults", "evolution_examples",
    "executors", "files", "flags", "flow", "inspect", "interop", "interpreters", "kernel_rooms", "learning_examples",
    "levels", "peer_cases", "places", "rooms", "site", "snippets", "stubs")}
EACH_LEVEL = {"level", "first_level", "other_level"}

# What hypothesis draws is the same in every run, and however long that takes on a busy machine is no fault.
hypothesis.settings.register_profile("lanewise", deadline=None, derandomize=True,
                                     suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("lanewise")


def pytest_report_header():
    return f"lanewise: level {LEVEL} of {', '.join(LEVELS_HERE)}; {machine.get_num_threads()} threads"


def pytest_addoption(parser):
    parser.addoption("--every", type=int, default=1, metavar="N", help="run the first test and every N-th after it")


def pytest_collection_modifyitems(config, items):
    left = [item for k, item in enumerate(items) if k % config.getoption("every")]
    config.hook.pytest_deselected(items=left)
    items[:] = items[::config.getoption("every")]
    for item in items:
        if {"built", "embedding"} & set(item.fixturenames):
            item.add_marker("compiler")
        if item.path.stem in ABOVE_KERNELS or EACH_LEVEL & set(item.fixturenames):
            item.add_marker("above_kernels")


@pytest.fixture(autouse=True)
def numbers_of_its_own(request):
    """What a module's generator draws for a test does not depend on which tests its process has run before."""
    for module in (request.module, sys.modules.get("learning_bounds")):
        for generator in vars(module).values() if module else ():
            if isinstance(generator, np.random.Generator):
                own = np.random.default_rng(zlib.crc32(request.node.name.encode()))
                generator.bit_generator.state = own.bit_generator.state


@pytest.fixture(autouse=True)
def threads_of_its_own():
    """How many threads a test sets is not left to those that come after it."""
    before = lanewise.get_num_threads()
    yield
    if lanewise.get_num_threads() != before:
        lanewise.set_num_threads(before)


@pytest.fixture(params=LEVELS_HERE)
def level(request):
    """Each level of this installation that this machine can run."""
    return request.param


@pytest.fixture
def first_level():
    """The level that others are compared with: baseline, where it was built."""
    return LEVELS_HERE[0]


@pytest.fixture(params=[level for level in LEVELS_HERE if level != "baseline"] if "baseline" in LEVELS_HERE else [])
def other_level(request):
    """Each level that can be compared with baseline: none where there is no other, and the test is skipped."""
    return request.param


@pytest.fixture
def run_python(tmp_path):
    """Run a script in a fresh interpreter, outside the checkout, with environment variables changed or (None) unset."""

    def run(script, *arguments, timeout=300, **environment):
        merged = {**os.environ, **environment}
        return subprocess.run(
            [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)],
            env={name: value for name, value in merged.items() if value is not None},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    return run


@pytest.fixture
def levels_agree(run_python, other_level):
    """Hold that a script prints the same at baseline and at another level."""
    def held(script):
        expected, found = (run_python(script, LANEWISE_LEVEL=name) for name in ("baseline", other_level))
        assert not expected.returncode, expected.stderr
        assert not found.returncode, found.stderr
        assert expected.stdout
        assert found.stdout == expected.stdout

    return held


@pytest.fixture
def bits_agree(run_python, first_level, level):
    """Hold that a script prints the same at every level, with each number of threads, which is its argument."""
    def held(script):
        expected = run_python(script, 1, LANEWISE_LEVEL=first_level)
        assert not expected.returncode, expected.stderr
        assert expected.stdout
        for threads in (1, 2, 3):
            found = run_python(script, threads, LANEWISE_LEVEL=level)
            assert not found.returncode, found.stderr
            assert found.stdout == expected.stdout

    return held


@pytest.fixture
def in_a_child():
    """Return what a function has to say, as bytes, in a forked child; b"" where that dies or hangs for minutes."""
    if not hasattr(os, "fork"):
        pytest.skip("needs fork")

    def run(work):
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Python 3.12 warns of fork beside threads, and JAX wherever it was used
            child = os.fork()
        if child == 0:
            os.close(reading)
            try:
                os.write(writing, work())
            finally:
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading, "rb") as pipe:
            ready, _, _ = select.select([pipe], [], [], 300)
            if not ready:
                os.kill(child, signal.SIGKILL)
            answer = pipe.read()
        os.waitpid(child, 0)
        return answer

    return run


@pytest.fixture(scope="session")
def built(tmp_path_factory):
    """Return a function from a level to its registers module, each built once."""
    folder = tmp_path_factory.mktemp("lanes")
    for source in (Path(__file__).parent / "lanes").iterdir():
        if source.is_file():
            shutil.copy(source, folder)
    modules = {}

    def module(level):
        if level not in modules:
            command = [sys.executable, "setup.py", "build_ext", "--build-temp", f"temp_{level}", "--build-lib", level]
            built = subprocess.run(
                command, cwd=folder, env={**os.environ, "LANES_LEVEL": level}, capture_output=True, text=True
            )
            assert built.returncode == 0, built.stderr
            (file,) = (folder / level).glob("registers*")
            spec = importlib.util.spec_from_file_location("registers", file)
            modules[level] = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(modules[level])
        return modules[level]

    return module


@pytest.fixture
def registers(built, level):
    return built(level)
