# Runs of `lanewise evolve` that Ctrl-C ends, and its workers and islands.
import argparse
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool

import numpy as np
import pytest
from lanewise import cli
from lanewise.cli import evolve
from lanewise.evolution.classifier import Classifier
from lanewise.evolution.network import Network
from lanewise.learning import layers

pytest.importorskip("rich")
pytest.importorskip("matplotlib")


def lanewise(*arguments):
    return cli.main(["evolve", *map(str, arguments)])


@pytest.fixture
def blobs(tmp_path):
    # three classes anyone can tell apart
    y = np.repeat([0, 1, 2], 40)
    x = np.random.default_rng(1).normal(0, 1, (120, 4)) + 9 * y[:, None]
    np.savez(tmp_path / "blobs.npz", x=x, y=y)
    return tmp_path


# The command, which says when it has been through three generations.
EVOLVE = """
import signal
import sys
from lanewise import cli, evolution

signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
evolve = evolution.evolve


def callback(state):
    if state.generation == 3:
        print("three generations", file=sys.stderr, flush=True)


evolution.evolve = lambda *given, **options: evolve(*given, callback=callback, **options)
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name != "posix", reason="signals")
def test_ctrl_c_keeps_the_best_so_far(blobs):
    output = blobs / "kept.npz"
    process = subprocess.Popen(
        [sys.executable, "-c", EVOLVE, "evolve", blobs / "blobs.npz", "--generations", "100000000", "--output", output],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert "Evolving" in process.stderr.readline()
        assert process.stderr.readline() == "three generations\n"
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=300)
    finally:
        process.kill()
    assert process.returncode == 130, error
    assert "(interrupted)" in out
    assert "Traceback" not in error
    assert Classifier.load(output).network.sizes == (4, 32, 3)
    assert output.with_suffix(".png").exists()


def test_workers_are_not_waited_for_in_the_end():
    # an epoch of theirs may take minutes when Ctrl-C comes
    begun = time.monotonic()
    with evolve._executor(argparse.Namespace(workers=1, executor=None), 1) as pool:
        asleep = [pool.submit(time.sleep, 600) for _ in range(3)]
        while not asleep[0].running():
            time.sleep(0.01)
    assert time.monotonic() - begun < 300
    assert all(future.cancelled() or future.exception() is not None for future in asleep)


@pytest.mark.parametrize("started", [False, True], ids=["starting", "at work"])
def test_workers_end_after_cancelled_tasks_are_forgotten(started, monkeypatch):
    # or the pool's thread, which sees a worker end, finds them and shows a traceback
    shown, end = [], multiprocessing.context.SpawnProcess.terminate

    def at_once(worker):
        end(worker)
        if threading.current_thread() is not thread:  # which ends the others
            thread.join(60)

    monkeypatch.setattr(multiprocessing.context.SpawnProcess, "terminate", at_once)
    monkeypatch.setattr(threading, "excepthook", lambda error: shown.append(repr(error.exc_value)))
    with evolve._executor(argparse.Namespace(workers=1, executor=None), 1) as pool:
        if started:  # the pool's queue has room then
            pool.submit(abs, -1).result()
        asleep = [pool.submit(time.sleep, 600) for _ in range(50)]
        thread = pool._executor_manager_thread
        while not asleep[0].running():
            time.sleep(0.01)
        for future in asleep:
            future.cancel()
    assert not thread.is_alive()
    assert not shown
    assert isinstance(asleep[0].exception(), BrokenProcessPool)


def test_processes_of_the_caller_go_on():
    # who calls cli.main may have some
    other = multiprocessing.get_context("spawn").Process(target=time.sleep, args=(600,))
    other.start()
    try:
        with evolve._executor(argparse.Namespace(workers=1, executor=None), 1) as pool:
            assert pool.submit(abs, -1).result() == 1
        other.join(0.5)
        assert other.is_alive()
    finally:
        other.terminate()
        other.join()


def test_ctrl_c_ends_an_ablation(blobs, monkeypatch):
    # not only that of its runs which is going on
    calls = []

    def interrupted(*_, **__):
        calls.append(1)
        raise KeyboardInterrupt

    monkeypatch.setattr(Network, "loss", interrupted)
    assert lanewise(blobs / "blobs.npz", "--ablation", "--generations", 10, "--output", blobs / "parts.npz") == 130
    assert len(calls) == 1
    assert not (blobs / "parts.md").exists()


def test_ctrl_c_in_what_a_run_is_compared_with(blobs, monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.chdir(blobs)
    monkeypatch.setattr(layers.Sequential, "forward", interrupted)
    assert lanewise("blobs.npz", "--compare-sgd", "--generations", 2, "--population", 20) == 130
    assert "evolved.npz" in capsys.readouterr().out
    assert Classifier.load("evolved.npz").network.sizes == (4, 32, 3)


def test_islands_beyond_number(blobs, capsys):
    assert lanewise(blobs / "blobs.npz", "--islands", 10**30, "--workers", 10**30) == 2
    assert f"lanewise: --islands is at most 65536; got {10**30}" in capsys.readouterr().err


def test_workers_beyond_number(blobs, monkeypatch, capsys):
    # of which none would do anything but the first
    monkeypatch.chdir(blobs)
    assert lanewise("blobs.npz", "--workers", 10**30, "--generations", 2, "--population", 20) == 0
    assert "do nothing" in capsys.readouterr().err
