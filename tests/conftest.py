"""What all tests share: the levels this machine can test, and running a script in a fresh interpreter. The level
under test is the one LANEWISE_LEVEL names (`LANEWISE_LEVEL=avx2 pytest`); .ci/run takes each in turn."""

import os
import subprocess
import sys
import textwrap

import pytest
from lanewise.kernels import BUILT_LEVELS, LEVEL, machine

LEVELS_HERE = [level for level in machine.supported_levels() if level in BUILT_LEVELS]


def pytest_report_header():
    return f"lanewise: level {LEVEL} of {', '.join(LEVELS_HERE)}; {machine.get_num_threads()} threads"


@pytest.fixture(params=LEVELS_HERE)
def level(request):
    """Each level of this installation that this machine can run."""
    return request.param


@pytest.fixture(params=[level for level in LEVELS_HERE if level != "baseline"])
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
