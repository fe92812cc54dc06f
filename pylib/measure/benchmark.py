"""Timing contenders against one another: interleaved, in one run, beside a copy of the same memory, since figures from
different runs or machines cannot be compared. Who the contenders are is peers.py's; nothing here prints."""

import math
import time
from dataclasses import dataclass

import numpy as np

from ..bounds import BOUNDS
from ..functions.table import FUNCTIONS, GATES, usual
from ..processors import usable_cpus
from .peers import PREPARE

__all__ = ["SIZES", "WORKS", "Figures", "Work", "contenders", "measure", "usable_cpus"]

SIZES = {"L1": 1 << 12, "L2": 1 << 16, "memory": 1 << 24}  # where input and output of that many float32 stay
_BLOCK_NS = 2_000_000  # a block of calls takes about as long: far above the clock's grain, far below a time slice
_ROUNDS = 15


@dataclass(frozen=True)
class Work:
    """A named piece of work: how to draw its inputs, and the arrays it must read and write."""

    name: str
    arity: int = 1
    domain: str = "real"  # or "positive", or "sigmoid" and "tanh": outputs of these
    parameters: tuple = ()  # what a call must give besides the inputs
    values: tuple = ()  # all parameters, those with defaults too, for whoever has others

    def inputs(self, n, dtype=np.float32, seed=0):
        """Draw n elements for each input."""
        rng = np.random.default_rng(seed)
        x = rng.normal(0, 2, n)
        x = {"real": x, "positive": np.exp(x), "sigmoid": 1 / (1 + np.exp(-x)), "tanh": np.tanh(x)}[self.domain]
        grad = [rng.normal(0, 1, n)] if self.arity == 2 else []
        return [np.ascontiguousarray(operand, dtype) for operand in (*grad, x)]

    @property
    def arrays(self):
        """How many arrays pass through memory."""
        return self.arity + 1


_DOMAINS = {"log": "positive", "log1p": "positive"}


def _work(name):
    forward, backward = name.removesuffix("_backward"), name.endswith("_backward")
    arity = 2 if backward or name in GATES else 1
    domain = forward if backward and FUNCTIONS[forward].takes == "y" else _DOMAINS.get(name, "real")
    return Work(name, arity, domain, usual(name, required=True), usual(name))


WORKS = {name: _work(name) for name in BOUNDS}


@dataclass(frozen=True)
class Figures:
    """What one run showed.

    Attributes
    ----------
    work : str
    n, threads : int
    dtype : str
    nanoseconds : dict of str to float
        By contender, "copy" among them: an element, the best block.
    ratio : dict of str to float
        By peer, how many times as long as this library it took: the median over the rounds.
    of_copy : float
        The share of the copy's bytes per second that this library reaches; above 1 where it writes past the caches.
    """

    work: str
    n: int
    threads: int
    dtype: str
    nanoseconds: dict
    ratio: dict
    of_copy: float


def contenders(work, n, threads=1, dtype=np.float32, names=tuple(PREPARE)):
    """Prepare everybody who is installed and knows the work; the copy and this library always."""
    inputs = work.inputs(n, dtype)
    chosen = (PREPARE[name](work, inputs, threads) for name in PREPARE if name in ("copy", "lanewise", *names))
    return [contender for contender in chosen if contender is not None]


def _block(contender, calls, clock):
    start = clock()
    for _ in range(calls):
        contender.run()
    return (clock() - start) / calls


def measure(work, n, threads=1, dtype=np.float32, names=tuple(PREPARE), *, rounds=_ROUNDS, clock=time.perf_counter_ns,
            field=None):
    """Time everybody in turn, round after round, so that whatever slows the machine down slows all alike.

    Parameters
    ----------
    work : Work
    n, threads : int
    dtype : dtype
    names : sequence of str
        Which peers to take, where installed.
    rounds : int
    clock : callable
        Returns nanoseconds.
    field : list of Contender, optional
        In place of everybody who is installed.

    Returns
    -------
    Figures
    """
    field = contenders(work, n, threads, dtype, names) if field is None else field
    calls = {contender.name: _calls(contender, clock) for contender in field}
    times = {contender.name: [] for contender in field}
    for _ in range(rounds):
        for contender in field:
            # not counted: caches become this contender's, and the threads of the one before fall asleep
            _block(contender, calls[contender.name], clock)
            times[contender.name].append(_block(contender, calls[contender.name], clock) / n)
    best = {name: min(taken) for name, taken in times.items()}
    ratio = {
        name: float(np.median(np.divide(taken, times["lanewise"])))
        for name, taken in times.items() if name not in ("copy", "lanewise")
    }
    of_copy = float(np.median(np.divide(times["copy"], times["lanewise"]))) * work.arrays / 2
    return Figures(work.name, n, threads, np.dtype(dtype).name, best, ratio, of_copy)


def _calls(contender, clock):
    # enough for a block, from the quickest of three
    return max(1, math.ceil(_BLOCK_NS / max(1, min(_block(contender, 1, clock) for _ in range(3)))))
