"""bench/cost_by_size.py: what it prints, and which of its figures it marks as steps that caches do not explain."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

FILE = Path(__file__).parents[1] / "bench/cost_by_size.py"


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("cost_by_size", FILE)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def test_a_step_is_marked_unless_a_pass_over_the_same_bytes_explains_it(module):
    assert module.unexplained([4, 1, 1, 2, 2], [1, 1, 1, 1, 1]) == [False, False, False, True, False]
    assert module.unexplained([1, 1, 2, 2], [1, 1, 3, 3]) == [False] * 4
    assert module.unexplained([1, 2], [3, 1]) == [False, True]  # a cheaper pass excuses nothing


def test_a_figure_is_the_least_of_repeated_calls(module):
    found = module.least([lambda: None, lambda: sum(range(1000))], 0.001)
    assert 0 < found[0] < found[1]


def test_every_table_is_printed():
    run = subprocess.run([sys.executable, FILE, "--quick", "--largest", "64"], capture_output=True, text=True,
                         check=True)
    tables = run.stdout.strip().split("\n\n")
    assert [table.split(" | ")[0].strip("| ") for table in tables] == [
        "elements", "row, in a cache (64 elements)", "row, from memory (64 elements)", "population, width 32",
        "width, population 32"]
    for table in tables:
        _, _, *lines = table.splitlines()
        for line in lines:
            figures = [float(cell.strip(" !")) for cell in line.strip("| ").split("|")]
            assert min(figures) > 0


@pytest.mark.parametrize(("argument", "message"), [("--tables=rows,nothing", "nothing is none of"),
                                                   ("--largest=4", "at least 16, not 4")])
def test_what_it_does_not_know_it_refuses(argument, message):
    run = subprocess.run([sys.executable, FILE, argument], capture_output=True, text=True)
    assert run.returncode == 2
    assert message in run.stderr
