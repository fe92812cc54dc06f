"""Timing contenders against one another: interleaved, in one run, beside a copy of the same memory, since figures from
different runs or machines cannot be compared. Who the contenders are is the registry's (works.py); nothing here prints.
"""

import math
import time
from dataclasses import dataclass, field

import numpy as np

from ..processors import usable_cpus
from .machine import blas_held_to
from .peers import UnavailableError
from .ulps import DIGITS, errors
from .works import LAYOUTS, ON_REQUEST, PEERS, SIZES, USUAL_PEERS, WORKS, Work

__all__ = ["LAYOUTS", "ON_REQUEST", "PEERS", "SIZES", "USUAL_PEERS", "WORKS", "Figures", "Work", "agreement",
           "contenders", "measure", "usable_cpus"]

_BLOCK_NS = 2_000_000  # a block of calls takes about as long: far above the clock's grain, far below a time slice
_ROUNDS = 15
_MOST_COUNTED = 1 << 20  # elements of which errors are counted: float64 of more would fill the memory
_ROUNDINGS = 64  # how far apart, in roundings of the largest terms, results of the same work may be


@dataclass(frozen=True)
class Figures:
    """What one run showed. Every figure is a median over the rounds, for both sides of a ratio.

    Attributes
    ----------
    work : str
    shape : tuple of int
    n, threads : int
        Elements of a call, which times are divided by.
    dtype : str
    times : dict of str to list of float
        By contender, "copy" among them: nanoseconds per element of each round.
    moved : dict of str to int
        Bytes that a call must read and write.
    ulp : dict of str to float
        The largest error of those whose errors could be counted.
    skipped : dict of str to str
        Why a peer is missing.
    layout : str
        One of `LAYOUTS`.
    """

    work: str
    shape: tuple
    n: int
    threads: int
    dtype: str
    times: dict
    moved: dict = field(default_factory=dict)
    ulp: dict = field(default_factory=dict)
    skipped: dict = field(default_factory=dict)
    layout: str = "contiguous"

    @property
    def label(self):
        """The case in words, which is the same in every run."""
        return (f"{self.work} {self.dtype} {'x'.join(map(str, self.shape))} "
                f"{self.threads} thread{'s' * (self.threads > 1)}"
                f"{'' if self.layout == 'contiguous' else f' {self.layout}'}")

    @property
    def nanoseconds(self):
        """By contender: the median."""
        return {name: float(np.median(taken)) for name, taken in self.times.items()}

    def spread(self, name):
        """Half the distance of the quartiles of a contender's rounds, as a share of the median."""
        low, middle, high = np.percentile(self.times[name], (25, 50, 75))
        return float((high - low) / 2 / middle)

    @property
    def ratio(self):
        """By peer: its time divided by this library's, both medians."""
        median = self.nanoseconds
        return {name: taken / median["lanewise"] for name, taken in median.items() if name not in ("copy", "lanewise")}

    def to_copy(self):
        """Lanewise's time divided by the copy's, round by round."""
        return np.divide(self.times["lanewise"], self.times["copy"])

    @property
    def of_copy(self):
        """The share of the copy's bytes per second that this library reaches; above 1 where it writes past the
        caches."""
        median = self.nanoseconds
        return median["copy"] / median["lanewise"] * self.moved["lanewise"] / self.moved["copy"]

    @property
    def drift(self):
        """By how much the copy took longer in the last third of the rounds than in the first, as a share."""
        third = max(1, len(self.times["copy"]) // 3)
        first, last = (float(np.median(part)) for part in (self.times["copy"][:third], self.times["copy"][-third:]))
        return last / first - 1


def contenders(work, size, threads=1, dtype="float32", names=USUAL_PEERS):
    """Prepare everybody who is installed and knows the work; the copy and this library always.

    Returns
    -------
    field : list of Contender
    skipped : dict of str to str
        Why one of `names` is not among them.
    """
    inputs, chosen, skipped = work.inputs(size, dtype), [], {}
    for name in ("copy", "lanewise", *names):
        try:
            if name not in work.field:
                raise UnavailableError("has no such function")
            chosen.append(work.field[name](work, inputs, threads))
        except UnavailableError as reason:
            skipped[name] = str(reason)
        except Exception as error:
            if name in ("copy", "lanewise"):
                raise
            skipped[name] = _failed(error)  # a peer's fault costs its own figures, not those of the run
    return chosen, skipped


def _failed(error):
    return f"failed with {type(error).__name__}: {str(error).strip().partition(chr(10))[0]:.80}"


def agreement(ours, theirs):
    """Whether two results are of the same work: None, or in words how they differ.

    Codes and counts must be equal; floats within some roundings of themselves and of the root mean square.
    """
    ours, theirs = np.asarray(ours), np.asarray(theirs)
    if ours.shape != theirs.shape:
        return f"returns the shape {theirs.shape}, not {ours.shape}"
    if ours.dtype.kind in "iub":
        unequal = int((ours != theirs).sum())
        return f"computes {unequal} other values of {ours.size}" if unequal else None
    coarser = min((ours.dtype.name, theirs.dtype.name), key=DIGITS.get)
    wide, other = ours.astype(np.float64), theirs.astype(np.float64)
    finite = wide[np.isfinite(wide)].ravel()
    allowed = _ROUNDINGS * 2.0 ** -DIGITS[coarser] * (np.abs(wide) + math.sqrt((finite @ finite) / max(1, finite.size)))
    apart = np.full(wide.shape, np.inf)
    np.subtract(wide, other, out=apart, where=np.isfinite(wide) & np.isfinite(other))
    apart[(wide == other) | (np.isnan(wide) & np.isnan(other))] = 0
    if (np.abs(apart) <= np.where(np.isfinite(wide), allowed, 0)).all():
        return None
    return f"computes other values, by up to {np.abs(apart).max():.3g}"


def _exact(work, size, dtype, threads):
    # the function in float64 on the same numbers, whose own errors are far below an ULP of what is timed
    if work.exact is None or dtype == "float64" or math.prod(work.shape(size)) > _MOST_COUNTED:
        return None
    wide = [operand if operand.dtype.kind in "iub" else operand.astype(np.float64)
            for operand in work.inputs(size, dtype)]
    contender = work.field[work.exact](work, wide, threads)
    contender.run()
    return np.asarray(contender.result())


def _compared(work, exact, dtype, field, skipped):
    # those who compute what this library does, and everybody's largest error
    kept, ulp = [], {}
    (lanewise,) = (contender for contender in field if contender.name == "lanewise")
    lanewise.run()
    ours = np.asarray(lanewise.result())
    terms = None
    if exact is not None and work.family != "elementwise":
        finite = exact[np.isfinite(exact)]
        terms = np.sqrt(np.mean(finite * finite)) if finite.size else None
    for contender in field:
        if contender.name != "copy":
            try:
                if contender is not lanewise:  # each has run as often: an optimiser's step goes on from the one before
                    contender.run()
                reason = agreement(ours, contender.result())
            except Exception as error:
                reason = _failed(error)
            if reason is not None:
                skipped[contender.name] = reason
                continue
            if exact is not None:
                ulp[contender.name] = float(errors(np.asarray(contender.result()), exact, dtype, terms).max())
        kept.append(contender)
    return kept, ulp


def _block(contender, calls, clock):
    start = clock()
    for _ in range(calls):
        contender.run()
    return (clock() - start) / calls


def measure(work, size, threads=1, dtype="float32", names=USUAL_PEERS, *, rounds=_ROUNDS, clock=time.perf_counter_ns,
            field=None):
    """Time everybody in turn, round after round, so that whatever slows the machine down slows all alike.

    Whoever does not compute what this library computes is not timed. NumPy's BLAS has as many threads as the others.

    Parameters
    ----------
    work : Work
    size : int or tuple of int
        A number of elements, or a shape.
    threads : int
    dtype : str
        One of ``work.dtypes``.
    names : sequence of str
        Which peers to take, where installed.
    rounds : int
    clock : callable
        Returns nanoseconds.
    field : list of Contender, optional
        In place of everybody who is installed, and then not compared.

    Returns
    -------
    Figures
    """
    with blas_held_to(threads):
        return _measure(work, size, threads, dtype, names, rounds, clock, field)


def _measure(work, size, threads, dtype, names, rounds, clock, field):
    skipped, ulp, shape = {}, {}, work.shape(size)
    n = work.count(shape)
    if field is None:
        field, skipped = contenders(work, size, threads, dtype, names)
        field, ulp = _compared(work, _exact(work, size, dtype, threads), dtype, field, skipped)
    calls = {contender.name: _calls(contender, clock) for contender in field}
    times = {contender.name: [] for contender in field}
    for _ in range(rounds):
        for contender in field:
            # not counted: caches become this contender's, and the threads of the one before fall asleep
            _block(contender, calls[contender.name], clock)
            times[contender.name].append(_block(contender, calls[contender.name], clock) / n)
    moved = {contender.name: contender.moved for contender in field}
    return Figures(work.name, shape, n, threads, dtype, times, moved, ulp, skipped, work.layout)


def _calls(contender, clock):
    # enough for a block, from the quickest of three
    return max(1, math.ceil(_BLOCK_NS / max(1, min(_block(contender, 1, clock) for _ in range(3)))))
