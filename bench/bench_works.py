"""Every work of the registry, by size, threads and dtype, against every peer."""

import pytest
from lanewise.measure.benchmark import WORKS


@pytest.mark.parametrize("name", WORKS)
def test_work(against_peers, name, n, threads):
    against_peers(WORKS[name], n, threads)


@pytest.mark.parametrize(("name", "dtype"), [
    (name, dtype) for name, work in WORKS.items() for dtype in work.dtypes if dtype != "float32"])
def test_dtype(against_peers, name, n, dtype):
    against_peers(WORKS[name], n, dtype=dtype)
