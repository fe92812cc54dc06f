# Where islands are evolved: processes, dask and MPI give the bits of this process, also when a worker dies half-way.
# And what travels between them, in bytes.
import concurrent.futures
import hashlib
import multiprocessing
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
from lanewise.evolution import Network, evolve
from small_runs import run, same


@pytest.fixture(scope="module", params=[1, 2])
def workers(request):
    """Processes, of which each has what it imports and whatever an earlier run has left."""
    with concurrent.futures.ProcessPoolExecutor(request.param, multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("options", [{}, {"batch_size": 64}, {"mutation_rate": "adaptive", "restart_after": 4},
                                     {"niche_radius": 0.5}],
                         ids=lambda options: " ".join(options) or "plain")
def test_processes_give_the_same_bits(workers, options):
    assert same(run(islands=3, executor=workers, **options), run(islands=3, **options))


class Counted(concurrent.futures.Executor):
    """An executor that pickles what a network would carry, and counts it."""

    def __init__(self):
        self.there, self.back = [], []

    def submit(self, function, *arguments):
        future = concurrent.futures.Future()
        task = pickle.dumps((function, arguments))
        function, arguments = pickle.loads(task)
        answer = pickle.dumps(function(*arguments))
        self.there.append(len(task))
        self.back.append(len(answer))
        future.set_result(pickle.loads(answer))
        return future


def test_what_nobody_has_begun_is_cancelled():
    class Failing(concurrent.futures.Executor):
        futures = ()

        def submit(self, *_):
            future = concurrent.futures.Future()
            if not self.futures:
                future.set_exception(ZeroDivisionError("of a worker"))
            self.futures = (*self.futures, future)
            return future

    executor = Failing()
    with pytest.raises(ZeroDivisionError, match="of a worker"):
        run(islands=3, executor=executor)
    assert [future.cancelled() for future in executor.futures] == [False, True, True]


def test_what_travels_is_kilobytes():
    # an island has 200 genomes of 1184 bytes; what travels are sixty parents, the best and a visitor: 73 408 bytes,
    # and beside them the settings, or 25 rows of history
    network = Network((64, 32, 10))
    x = np.random.default_rng(1).uniform(0, 1, (1437, 64)).astype(np.float32)
    executor = Counted()
    options = {"generations": 50, "islands": 3, "seed": 5, "progress": False}
    result = evolve(network, x, x[:, :10].argmax(axis=1), executor=executor, **options)
    assert same(result, evolve(network, x, x[:, :10].argmax(axis=1), **options))
    data = 4 * x.size
    assert len(executor.there) == 3 + 3 + 3  # the first three ask for the data, which the next three bring
    assert min(executor.there[3:6]) > data
    assert 62 * 1184 < max(executor.there[6:]) < 78_000
    assert 61 * 1184 < max(executor.back[3:]) < 78_000


def _killed_once(flag):
    # the worker that first comes here dies as of a machine's failure
    try:
        os.close(os.open(flag, os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return
    os.kill(os.getpid(), signal.SIGKILL)


class Fragile:
    """A client's executor whose fifth task kills its worker."""

    def __init__(self, executor, flag):
        self.executor, self.flag, self.count = executor, flag, 0

    def submit(self, function, *arguments):
        self.count += 1
        if self.count == 5:
            return self.executor.submit(_after, str(self.flag), function, *arguments)
        return self.executor.submit(function, *arguments)


def _after(flag, function, *arguments):
    _killed_once(flag)
    return function(*arguments)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_dask_goes_on_when_a_worker_is_killed(tmp_path, monkeypatch):
    distributed = pytest.importorskip("distributed")
    # where the workers, which get this process's path, find this module's functions, whatever pytest has named it
    monkeypatch.syspath_prepend(pathlib.Path(__file__).parents[__name__.count(".")])
    with (distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster,
          distributed.Client(cluster) as client):
        workers = set(client.scheduler_info()["workers"])
        fragile = Fragile(client.get_executor(pure=False), tmp_path / "killed")
        result = run(islands=2, executor=fragile)
        assert (tmp_path / "killed").exists()
        assert set(client.scheduler_info()["workers"]) != workers  # one of them is another
        assert same(result, run(islands=2))


MPI_PROGRAM = """
import hashlib
import sys
import numpy as np
from lanewise.evolution import Network, evolve
from mpi4py.futures import MPIPoolExecutor
x = np.random.default_rng(1).uniform(0, 1, (200, 9)).astype(np.float32)
y = x[:, :3].argmax(axis=1)
options = dict(population=20, parents=5, generations=24, migration=5, seed=7, islands=3, progress=False)
if __name__ == "__main__":
    with MPIPoolExecutor() as pool:
        workers = pool.num_workers
        result = evolve(Network((9, 5, 3)), x, y, executor=pool, **options)
    print(workers, hashlib.sha256(result.population).hexdigest())
"""


def test_mpi_gives_the_same_bits(tmp_path):
    pytest.importorskip("mpi4py.futures")
    mpiexec = shutil.which("mpiexec")
    if mpiexec is None:
        pytest.skip("mpiexec is not installed")
    (tmp_path / "program.py").write_text(MPI_PROGRAM)
    # what Open MPI wants in a container, on fewer cores than processes
    environment = os.environ | {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
                                "OMPI_MCA_rmaps_base_oversubscribe": "1"}
    found = subprocess.run([mpiexec, "-n", "3", sys.executable, "-m", "mpi4py.futures", "program.py"],
                           cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=280)
    assert found.returncode == 0, found.stderr
    expected = hashlib.sha256(run(islands=3).population).hexdigest()
    assert found.stdout.split() == ["2", expected]  # one of the three is the master
