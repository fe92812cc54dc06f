"""What the suites share: sizes, thread counts, and a fixture that times this library with pytest-benchmark and stores
beside it what a copy and every installed peer took in the same run. For an idle machine.

pytest bench --benchmark-enable -m quick    some works of every family in L1: a minute
pytest bench --benchmark-enable [--benchmark-json=FILE]    everything; how long it takes is said first
"""

import dataclasses
import time

import lanewise as lw
import numpy as np
import pytest
from lanewise.measure.benchmark import SIZES, contenders, measure, usable_cpus

QUICK = ("relu", "tanh", "silu", "gelu", "mish", "silu_backward", "layer_norm", "softmax", "softmax_backward",
         "cross_entropy", "encode_bfloat16", "genome_decode", "linear4", "population_loss")
SECONDS = {True: 2, False: 7}  # that a case takes on two cores, quick or not, the large arrays among them
THREADS = {"one": 1, "all": usable_cpus()}


def is_quick(item):
    """Whether a case is one of the works of QUICK on one thread in L1, in float32."""
    chosen = getattr(item, "callspec", None) and item.callspec.params
    return (item.name.startswith("test_work[") and chosen["name"] in QUICK and chosen["n"] == "L1"
            and chosen["threads"] == "one")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        item.add_marker("quick" if is_quick(item) else "full")


def pytest_report_collectionfinish(config, items):
    if config.getoption("benchmark_disable"):
        return None
    seconds = sum(SECONDS[is_quick(item)] for item in items)
    about = f"{seconds} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
    return f"{len(items)} case{'s' * (len(items) != 1)}: about {about}"


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
            figures = measure(work, n, threads, dtype)
            benchmark.extra_info.update(dataclasses.asdict(figures), ratio=figures.ratio, of_copy=figures.of_copy)
        field, _ = contenders(work, n, threads, dtype, names=())
        (ours,) = [one for one in field if one.name == "lanewise"]
        benchmark(ours.run)

    return run


@pytest.fixture
def beside_a_copy(benchmark):
    """Benchmark a call; extra_info gets the seconds that copying `nbytes` takes, the best of as many rounds."""

    def run(call, nbytes, rounds=5):
        source, target = np.ones(nbytes, np.uint8), np.empty(nbytes, np.uint8)
        copies = []

        def setup():
            start = time.perf_counter()
            np.copyto(target, source)
            copies.append(time.perf_counter() - start)

        result = benchmark.pedantic(call, setup=setup, rounds=rounds, warmup_rounds=1)
        benchmark.extra_info["bytes"] = nbytes
        benchmark.extra_info["copy_seconds"] = min(copies)
        return result

    return run
