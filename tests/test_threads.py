"""Threads: how many there are and who says so, that none is started before it is needed and none is waited for that has
no processor, forked children, callers side by side, and threadpoolctl."""

import ctypes
import os
import sys
from concurrent.futures import ThreadPoolExecutor

import lanewise as lw
import numpy as np
import pytest
from lanewise import processors
from lanewise.kernels import machine

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


@pytest.fixture(autouse=True)
def no_pause():
    yield
    lw.set_num_threads(lw.get_num_threads())  # which ends one that a busy spell of this test has begun


# How many.


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


@pytest.mark.parametrize(("own", "openmp", "expected"), [
    ("7", None, 7), ("7", "3", 7), (None, "3", 3), ("", " 4,2,1", 4), (None, "100000", 1024)])
def test_thread_count_from_environment(run_python, own, openmp, expected):
    found = run_python(SHOW_THREADS, LANEWISE_NUM_THREADS=own, OMP_NUM_THREADS=openmp)
    assert (found.stdout, found.stderr) == (f"{expected}\n", "")


@pytest.mark.parametrize("openmp", ["", "0", "-1", "many", "1.5", "٣"])
def test_what_is_no_count_for_openmp_is_passed_over(openmp):
    assert processors.default_thread_count({"OMP_NUM_THREADS": openmp}) == processors.default_thread_count({})


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="needs sched_setaffinity")
def test_threads_default_to_usable_cpus(run_python):
    usable = min(len(os.sched_getaffinity(0)), processors.quota() or 1024)
    unset = {"LANEWISE_NUM_THREADS": None, "OMP_NUM_THREADS": None}
    assert run_python(SHOW_THREADS, **unset).stdout == f"{usable}\n"
    bound_to_one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); " + SHOW_THREADS
    assert run_python(bound_to_one, **unset | {"LANEWISE_NUM_THREADS": ""}).stdout == "1\n"


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", "1025", "٣"])
def test_bad_thread_count_in_environment(run_python, value):
    result = run_python(SHOW_THREADS, LANEWISE_NUM_THREADS=value)
    assert result.returncode != 0
    last = result.stderr.strip().splitlines()[-1]
    assert last == f"ImportError: LANEWISE_NUM_THREADS={value!r}: expected an integer from 1 to 1024"


V1 = "4:memory:/box\n3:cpu,cpuacct:/box/job\n"


@pytest.mark.parametrize(("group", "files", "expected"), [
    ("0::/a/b\n", {"a/b/cpu.max": "150000 100000\n", "a/cpu.max": "max 100000\n"}, 2),
    ("0::/a/b\n", {"a/b/cpu.max": "800000 100000\n", "a/cpu.max": "300000 100000\n"}, 3),  # its parent's is less
    ("0::/a/b\n", {"cpu.max": "50000 100000\n"}, 1),  # in a container the path is the host's
    ("0::/\n", {"cpu.max": "max 100000\n"}, None),
    ("0::/a\n", {}, None),
    ("0::/a\n", {"a/cpu.max": "nonsense\n"}, None),
    ("0::/a\n", {"a/cpu.max": "100000 0\n"}, None),
    ("3:cpu:/\n0::/a\n", {"unified/a/cpu.max": "400000 100000\n"}, 4),  # both versions side by side
    (V1, {"cpu/box/job/cpu.cfs_quota_us": "250000\n", "cpu/box/job/cpu.cfs_period_us": "100000\n"}, 3),
    (V1, {"cpu,cpuacct/cpu.cfs_quota_us": "200000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"}, 2),
    (V1, {"cpu/box/job/cpu.cfs_quota_us": "-1\n", "cpu/box/job/cpu.cfs_period_us": "100000\n"}, None),
    (V1, {"memory/box/cpu.max": "100000 100000\n"}, None),
    ("4:cpuset:/box\n3:cpu:/\n",  # a group of which CPUs, not of how much of them
     {"cpu/box/cpu.cfs_quota_us": "100000\n", "cpu/box/cpu.cfs_period_us": "100000\n"}, None),
    (None, {"cpu.max": "100000 100000\n"}, None),
])
def test_quota_of_the_control_group(tmp_path, group, files, expected):
    if group is not None:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(group)
    for name, text in files.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    assert processors.quota(tmp_path) == expected


def test_a_quota_bounds_the_count(monkeypatch):
    monkeypatch.setattr(processors, "quota", lambda: 1)
    assert processors.default_thread_count({}) == 1
    assert processors.default_thread_count({"OMP_NUM_THREADS": "3"}) == 3
    monkeypatch.setattr(processors, "quota", lambda: 10**6)
    assert processors.default_thread_count({}) <= (os.cpu_count() or 1)


# What is started, and when.

STARTED = """
    import os, time
    import numpy as np

    def threads():
        names = {}
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/status") as status:
                fields = dict(line.split(":", 1) for line in status)
            names[task] = fields["Name"].strip(), int(fields["SigBlk"], 16)
        return names

    before = threads()
    import lanewise as lw
    lw.set_num_threads(3)
    lw.silu(np.ones(1000, np.float32))
    print(len(threads()) - len(before))
    lw.silu(np.ones(1 << 18, np.float32))
    for _ in range(3000):  # a worker names itself once it has a processor
        started = [found for task, found in threads().items() if task not in before]
        if {name for name, _ in started} == {"lanewise"}:
            break
        time.sleep(0.01)
    # that a signal is for the program's own threads: SIGINT and SIGTERM are blocked
    print([(name, blocked >> 1 & 1, blocked >> 14 & 1) for name, blocked in started])
    lw.set_num_threads(2)
    lw.silu(np.ones(1 << 18, np.float32))
    print(len(threads()) - len(before))
"""


@LINUX
def test_no_thread_before_the_first_parallel_call(run_python):
    found = run_python(STARTED)
    assert found.stdout == "0\n[('lanewise', 1, 1), ('lanewise', 1, 1)]\n2\n", found.stderr


def every_work():
    # what is shared by threads, each kind of loop once, a little above the sizes from which on it is
    rng = np.random.default_rng(5)
    x = rng.normal(0, 4, 70_001).astype(np.float32)
    rows = x[:70_000].reshape(100, 700)
    codes = lw.genome.random_population(27, 20_001, 3)
    return [
        lw.silu(x), lw.relu(x[::-1]), lw.silu_backward(x, x), lw.relu(x.astype(np.float16)),
        lw.layer_norm(rows), lw.softmax(rows.T), lw.layer_norm(rows[:1]), lw.logsumexp(x[None]),
        lw.rms_norm(np.ascontiguousarray(rows.T)[:, :1], axis=0), codes,
        lw.genome.mutate(codes, 0.01, 4, n_weights=20_001), lw.genome.decode(codes), lw.genome.diversity(codes),
        lw.genome.hamming_distance(codes, codes[0]),
    ]


def bytes_of(results):
    return [np.asarray(result).tobytes() for result in results]


def test_same_bits_on_any_number_of_threads():
    lw.set_num_threads(1)
    expected = bytes_of(every_work())
    for n in range(2, 9):
        lw.set_num_threads(n)
        assert bytes_of(every_work()) == expected, n


def test_callers_side_by_side():
    # one of them has the workers, the others go on alone
    lw.set_num_threads(1)
    expected = bytes_of(every_work())
    lw.set_num_threads(3)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: bytes_of(every_work()), range(12), timeout=300):
            assert found == expected


BESIDE_A_WORKER_WITHOUT_A_PROCESSOR = """
    import os, signal, time
    import numpy as np
    import lanewise as lw

    here, there = sorted(os.sched_getaffinity(0))[:2]
    x = np.linspace(-8, 8, 1 << 18, dtype=np.float32)
    y = np.empty_like(x)
    before = set(os.listdir("/proc/self/task"))
    lw.set_num_threads(2)
    lw.relu(x, out=y)
    (worker,) = map(int, set(os.listdir("/proc/self/task")) - before)
    busy = os.fork()
    if busy == 0:
        os.sched_setaffinity(0, {there})
        signal.alarm(60)
        while True:
            pass
    os.sched_setaffinity(worker, {there})
    os.sched_setscheduler(worker, os.SCHED_IDLE, os.sched_param(0))  # it has a processor for a moment now and then
    os.sched_setaffinity(os.getpid(), {here})
    waits = 0
    for _ in range(40):
        start = time.perf_counter()
        lw.relu(x, out=y)
        waits += time.perf_counter() - start > 1e-3  # where a call takes a twentieth, and a processor comes after more
    os.kill(busy, 9)
    os.waitpid(busy, 0)
    print(waits)
"""


@LINUX
@pytest.mark.skipif(processors.usable_cpus() < 2, reason="needs two CPUs")
def test_a_worker_without_a_processor_is_not_waited_for(run_python):
    found = run_python(BESIDE_A_WORKER_WITHOUT_A_PROCESSOR)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 20, "of 40 calls waited until the worker had a processor"


# Forked children.


def tasks():
    return len(os.listdir("/proc/self/task")) if sys.platform == "linux" else 0


def test_forked_child_has_threads_of_its_own(in_a_child):
    lw.set_num_threads(4)
    x = np.linspace(-20, 20, 1 << 20, dtype=np.float32)
    expected = lw.silu(x)  # the parent now has workers, which a child does not inherit

    def work():
        found = [lw.get_num_threads(), tasks()]
        same = np.array_equal(lw.silu(x), expected)
        lw.set_num_threads(4)
        same = same and np.array_equal(lw.silu(x), expected)
        return repr([*found, lw.get_num_threads(), tasks(), same]).encode()

    on_linux = int(sys.platform == "linux")
    assert in_a_child(work) == repr([1, on_linux, 4, 4 * on_linux, True]).encode()
    assert np.array_equal(lw.silu(x), expected)  # and the parent's threads are as they were


def test_forked_amid_a_call_of_another_thread(in_a_child):
    lw.set_num_threads(3)
    x = np.linspace(-20, 20, 1 << 20, dtype=np.float32)
    expected, calling = lw.silu(x), True

    def call():
        while calling:
            lw.silu(x)

    def work():
        lw.set_num_threads(3)
        return b"same" if np.array_equal(lw.silu(x), expected) else b"different"

    with ThreadPoolExecutor(1) as pool:
        caller = pool.submit(call)
        try:
            assert [in_a_child(work) for _ in range(8)] == [b"same"] * 8
        finally:
            calling = False
        caller.result(300)


def test_others_loops_are_given_one_thread_in_a_forked_child(in_a_child):
    # an OpenMP library that the parent has used hangs in a child, so an embedder's own loop is to have one thread there
    count = ctypes.CDLL(machine.__file__).lanewise_num_threads
    lw.set_num_threads(3)
    assert count() == 3

    def work():
        lw.set_num_threads(5)
        return repr((count(), lw.get_num_threads())).encode()

    assert in_a_child(work) == b"(1, 5)"
    assert count() == 3


MULTIPROCESSING = """
    import multiprocessing, sys, warnings
    import numpy as np
    import lanewise as lw

    def work(n):
        lw.set_num_threads(2)
        return lw.silu(np.linspace(-20, 20, n, dtype=np.float32)).tobytes()

    if __name__ == "__main__":
        warnings.simplefilter("ignore", DeprecationWarning)  # Python 3.12 warns of fork beside threads
        lw.set_num_threads(4)
        here = work(1 << 18)
        with multiprocessing.get_context("fork").Pool(2) as pool:
            print(all(there == here for there in pool.map_async(work, [1 << 18] * 4).get(timeout=200)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="fork beside threads is sound on Linux only")
def test_multiprocessing_by_fork(run_python):
    result = run_python(MULTIPROCESSING)
    assert result.stdout == "True\n", result.stderr


# threadpoolctl, which is not imported here: it may come before lanewise or after it.

LIMITS = """
    import sys
    {imports}
    lw.set_num_threads(5)
    with threadpoolctl.threadpool_limits(2):
        print(lw.get_num_threads(), end=" ")
    with threadpoolctl.threadpool_limits(3, user_api="lanewise"):
        print(lw.get_num_threads(), end=" ")
    with threadpoolctl.threadpool_limits(3, user_api="blas"):
        print(lw.get_num_threads(), end=" ")
    print(lw.get_num_threads())
    (found,) = [info for info in threadpoolctl.threadpool_info() if info["user_api"] == "lanewise"]
    print(found["num_threads"], found["version"] == lw.__version__)
    print([finder for finder in sys.meta_path if type(finder).__module__.startswith("lanewise")])
    print(type(threadpoolctl.__spec__.loader).__module__.startswith("lanewise"))
"""


@pytest.mark.parametrize("imports", ["import threadpoolctl, lanewise as lw", "import lanewise as lw, threadpoolctl"])
def test_threadpoolctl_limits(run_python, imports):
    pytest.importorskip("threadpoolctl")
    found = run_python(LIMITS.format(imports=imports))
    assert found.stdout == "2 3 5 5\n5 True\n[]\nFalse\n", found.stderr


def test_without_threadpoolctl(run_python):
    found = run_python("""
        import lanewise, sys
        sys.path[:] = []
        sys.path_importer_cache.clear()
        try:
            import threadpoolctl
        except ImportError as error:
            print(error)
    """)
    assert found.stdout == "No module named 'threadpoolctl'\n", found.stderr
