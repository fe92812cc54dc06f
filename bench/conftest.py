# What all benchmarks share: beside every figure stands a plain copy of as many bytes, measured in the same run, since
# figures of two machines, or of two hours of one machine, compare only as ratios to it.
import time

import numpy as np
import pytest


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
