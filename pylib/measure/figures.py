"""Figures as files in pytest-benchmark's own format, which its `compare` reads too, and two such files compared.

Across runs only ratios to the copy of the same run mean anything, and across machines nothing else does."""

import json
import math
from dataclasses import dataclass

import numpy as np

from .benchmark import Figures

__all__ = ["Change", "Run", "as_json", "compare", "read", "same_machine"]

_FORMAT = "lanewise bench"


@dataclass(frozen=True)
class Run:
    """A file that was read: the machine, and the figures of each case."""

    machine: dict
    figures: list


@dataclass(frozen=True)
class Change:
    """One case in two runs: this library's time divided by the copy's, before and after."""

    label: str
    before: float
    after: float
    noise: float

    @property
    def change(self):
        """How much longer it takes after, as a share."""
        return self.after / self.before - 1

    @property
    def beyond_noise(self):
        """Whether the two differ by more than rounds of one run do."""
        return abs(self.change) > self.noise


def _stats(seconds):
    # pytest-benchmark's names; data are the rounds
    low, median, high = (float(value) for value in np.percentile(seconds, (25, 50, 75)))
    mean, deviation, iqr = float(np.mean(seconds)), float(np.std(seconds, ddof=len(seconds) > 1)), high - low
    inside = [value for value in seconds if low - 1.5 * iqr <= value <= high + 1.5 * iqr]
    far = sum(bool(abs(value - mean) > deviation) for value in seconds)
    return {
        "min": min(seconds), "max": max(seconds), "mean": mean, "stddev": deviation, "rounds": len(seconds),
        "median": median, "iqr": iqr, "q1": low, "q3": high, "iqr_outliers": len(seconds) - len(inside),
        "stddev_outliers": far, "outliers": f"{far};{len(seconds) - len(inside)}", "ld15iqr": min(inside),
        "hd15iqr": max(inside), "ops": 1 / mean, "total": float(sum(seconds)), "iterations": 1, "data": seconds,
    }


def _entries(figures):
    for name, taken in figures.times.items():
        extra = {
            "format": _FORMAT, "work": figures.work, "shape": list(figures.shape), "n": figures.n,
            "threads": figures.threads, "dtype": figures.dtype, "contender": name, "moved": figures.moved.get(name, 0),
            "ulp": figures.ulp.get(name), "skipped": figures.skipped, "layout": figures.layout,
        }
        yield {
            "group": figures.label, "name": f"{name} {figures.label}", "fullname": f"lanewise bench::{figures.label}"
            f"[{name}]", "params": {"contender": name}, "param": name, "extra_info": extra,
            "options": {"disable_gc": False, "timer": "perf_counter_ns", "min_rounds": len(taken), "max_time": 0.0,
                        "min_time": 0.0, "warmup": True},
            "stats": _stats([float(each) * figures.n * 1e-9 for each in taken]),
        }


def as_json(figures, machine):
    """The text of a file of figures."""
    return json.dumps({
        "machine_info": machine, "commit_info": {"id": "unversioned", "dirty": False, "project": "lanewise"},
        "benchmarks": [entry for each in figures for entry in _entries(each)],
        "datetime": machine["datetime"], "version": "5.2.3",
    }, indent=1)


def _check(content):
    # an error of what is not of the kind that `as_json` writes
    def check(good):
        if not good:
            raise ValueError

    def number(value, least):
        return isinstance(value, (int, float)) and not isinstance(value, bool) and least <= value < math.inf

    machine = content["machine_info"]
    check(isinstance(machine["machine"], str) and isinstance(machine["cpu"]["brand_raw"], str))
    for entry in content["benchmarks"]:
        extra, seconds = entry["extra_info"], entry["stats"]["data"]
        check(all(isinstance(extra[name], str) for name in ("work", "dtype", "contender")))
        check(isinstance(extra["shape"], list) and isinstance(extra["skipped"], dict))
        check(all(isinstance(n, int) and number(n, 0) for n in (*extra["shape"], extra["threads"], extra["moved"])))
        check(isinstance(extra["n"], int) and number(extra["n"], 1))
        check(extra["ulp"] is None or isinstance(extra["ulp"], (int, float)))
        check(isinstance(seconds, list) and seconds and all(number(each, 0) and each > 0 for each in seconds))
        check(isinstance(entry["group"], str))


def read(path):
    """Read what `as_json` wrote.

    Raises
    ------
    ValueError
        If the file is no JSON, or not of `lanewise bench --json`.
    """
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        _check(content)
        cases = {}
        for entry in content["benchmarks"]:
            extra = entry["extra_info"]
            if extra["format"] != _FORMAT:
                raise KeyError("format")
            case = cases.setdefault(entry["group"], Figures(
                extra["work"], tuple(extra["shape"]), extra["n"], extra["threads"], extra["dtype"], {}, {}, {},
                extra["skipped"], extra.get("layout", "contiguous")))
            name = extra["contender"]
            case.times[name] = [seconds / case.n * 1e9 for seconds in entry["stats"]["data"]]
            case.moved[name] = extra["moved"]
            if extra["ulp"] is not None:
                case.ulp[name] = extra["ulp"]
        for case in cases.values():  # ratios are of one round of the one and the other
            if len({len(case.times["copy"]), len(case.times["lanewise"]), *map(len, case.times.values())}) != 1:
                raise ValueError
        return Run(content["machine_info"], list(cases.values()))
    except (KeyError, TypeError, ValueError, RecursionError):
        raise ValueError(f"{path}: expected a file that `lanewise bench --json` wrote") from None


def same_machine(before, after):
    """Whether two runs are of one kind of machine: the same processor, as many CPUs."""
    return before.machine["cpu"] == after.machine["cpu"] and before.machine["machine"] == after.machine["machine"]


def _middle_and_noise(figures):
    ratios = figures.to_copy()
    low, middle, high = np.percentile(ratios, (25, 50, 75))
    return float(middle), float((high - low) / middle)


def compare(before, after):
    """Compare what is in both runs.

    The noise of a case is what the quartiles of the ratio lie apart in the two runs, taken as independent, and at least
    2%, which the place of arrays in memory alone can make.

    Returns
    -------
    list of Change
        In the order of the first run.
    """
    others = {figures.label: figures for figures in after.figures}
    changes = []
    for figures in before.figures:
        if figures.label in others:
            (first, noise), (second, more) = map(_middle_and_noise, (figures, others[figures.label]))
            changes.append(Change(figures.label, first, second, max(0.02, math.hypot(noise, more))))
    return changes
