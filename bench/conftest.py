"""What the suites share: sizes, thread counts, and a fixture that times this library with pytest-benchmark and stores
beside it what a copy and every installed peer took in the same run. `quiet` machines only.

pytest bench --benchmark-enable [--benchmark-json=FILE]
"""

import dataclasses

import lanewise as lw
import pytest
from lanewise.benchmark import SIZES, contenders, measure, usable_cpus

THREADS = {"one": 1, "all": usable_cpus()}


@pytest.fixture(params=SIZES)
def n(request):
    """How many elements: of L1, of L2, of memory."""
    return SIZES[request.param]


@pytest.fixture(params=[name for name, count in THREADS.items() if name == "one" or count > 1])
def threads(request):
    """One thread, and as many as there are CPUs."""
    before = lw.get_num_threads()
    yield THREADS[request.param]
    lw.set_num_threads(before)


@pytest.fixture
def against_peers(benchmark):
    """Time a piece of work; the figures of the copy and the peers go into the report's extra_info."""

    def run(work, n, threads=1, dtype="float32"):
        benchmark.group = f"{work.name} {dtype} {n}"
        if benchmark.enabled:
            benchmark.extra_info.update(dataclasses.asdict(measure(work, n, threads, dtype)))
        (ours,) = [one for one in contenders(work, n, threads, dtype, names=()) if one.name == "lanewise"]
        benchmark(ours.run)

    return run
