"""The threads that NumPy's BLAS has while products of matrices are timed."""

import itertools

import pytest
from lanewise import cli
from lanewise.measure import benchmark, peers


@pytest.mark.parametrize("threads", [1, 2])
def test_blas_has_as_many_threads_as_the_others(threads):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    seen = set()

    def blas():
        return {each["num_threads"] for each in threadpoolctl.threadpool_info() if each["user_api"] == "blas"}

    before = blas()
    field = [peers.Contender(name, lambda: seen.update(blas()), lambda: None, 8) for name in ("copy", "lanewise")]
    benchmark.measure(benchmark.WORKS["linear"], 64, threads, rounds=1, clock=itertools.count(0, 10**9).__next__,
                      field=field)
    assert seen == {threads}
    assert blas() == before


@pytest.mark.parametrize(("name", "is_said"), [("linear", True), ("silu", False)])
def test_who_cannot_hold_blas_is_told(monkeypatch, capsys, name, is_said):
    monkeypatch.setattr("lanewise.measure.machine.can_hold_blas", lambda: False)
    assert cli.main(["bench", name, "--sizes", "64", "--peers", "numpy"]) == 0
    assert ("threadpoolctl is missing" in capsys.readouterr().err) == is_said
