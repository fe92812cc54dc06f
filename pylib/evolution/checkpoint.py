"""Checkpoints of a run: one ``.npz``, versioned and checksummed, that replaces the one before it in a single step.

A run that continues from one gives the bits of an unbroken run. So a checkpoint says what it is of, data included, and
another run is refused by the name of what differs; and it is held to what it says before anything is computed from it.
"""

import hashlib
import json
import os
from dataclasses import dataclass, field, fields

import numpy as np

from ..files import read_arrays, replacing
from .islands import RUNGS, Island, seed_of_island
from .results import HISTORY, table_of

__all__ = ["CheckpointError", "Destination", "load", "notes", "save"]

_FORMAT = "lanewise checkpoint 5"


class CheckpointError(ValueError):
    """What is wrong with a checkpoint."""


@dataclass(frozen=True)
class Destination(os.PathLike):
    """Where to write checkpoints, with notes that stand in each: what the command needs to go on."""

    path: object
    notes: dict = field(default_factory=dict)

    def __fspath__(self):
        return os.fspath(self.path)

    def __str__(self):
        return str(self.path)


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def save(path, fingerprint, islands, history):
    """Write a checkpoint in the place of the last: a reader sees the one or the other, whole."""
    arrays = {f"{part.name}_{i}": np.array(getattr(island, part.name), np.uint64 if part.name == "seed" else None)
              for i, island in enumerate(islands) for part in fields(Island)}
    arrays["history"] = table_of(history)
    arrays["fingerprint"] = np.array(json.dumps(fingerprint))
    arrays["notes"] = np.array(json.dumps(getattr(path, "notes", {})))
    with replacing(path) as file:
        np.savez(file, format=_FORMAT, checksum=_digest(arrays), **arrays)


def _read(path):
    try:
        arrays = read_arrays(path, "checkpoint")
    except ValueError as error:
        raise CheckpointError(error) from None
    found, checksum = str(arrays.pop("format", "")), str(arrays.pop("checksum", ""))
    if found != _FORMAT:
        raise CheckpointError(f"{path} is not a {_FORMAT}; it holds {found or ', '.join(arrays) or 'nothing'}")
    if _digest(arrays) != checksum:
        raise CheckpointError(f"{path} is damaged: its content does not match its checksum")
    return arrays


def _json(path, arrays, name):
    array = arrays.get(name)
    try:
        if array is None or array.dtype.kind != "U" or array.shape != ():
            raise ValueError
        value = json.loads(str(array))
        if not isinstance(value, dict):
            raise ValueError
    except ValueError:
        raise CheckpointError(f"{path} is damaged: {name} is not what it should be") from None
    return value


def notes(path):
    """Read the notes of a checkpoint.

    Raises
    ------
    CheckpointError
        If the file is damaged or something else.
    """
    return _json(path, _read(path), "notes")


def load(path, plan, fingerprint):
    """Read a checkpoint for a run of this plan and fingerprint: its islands and history.

    Raises
    ------
    CheckpointError
        If the file is damaged, something else, or of a run with other settings, network or data.
    """
    arrays = _read(path)
    saved = _json(path, arrays, "fingerprint")
    if not all(isinstance(pair, list) and len(pair) == 2 for pair in saved.values()):
        raise CheckpointError(f"{path} is damaged: fingerprint is not what it should be")
    for name, (shown, exact) in fingerprint.items():
        there, exactly = saved.get(name, ("none", "none"))
        if exactly == exact:
            continue
        if there == shown:
            raise CheckpointError(f"{path} is of a run with other {name}: {shown} too, but other values")
        raise CheckpointError(f"{path} is of a run with {name} = {there}; this one has {shown}")
    for name in saved.keys() - fingerprint.keys():
        raise CheckpointError(f"{path} is of a run with {name} = {saved[name][0]}; this one has none")
    check = _Check(path, arrays)
    history = check.array("history", HISTORY, (None,))
    generations = len(history)
    check.that("history", (history["generation"] == np.arange(1, generations + 1)).all())
    return [check.island(plan, i, generations) for i in range(plan.islands)], history.tolist()


class _Check:
    # Takes arrays of a checkpoint out, each held to its shape, dtype and range: a right checksum only says that they
    # are what was written, and loops in compiled code trust them.
    def __init__(self, path, arrays):
        self.path, self.arrays = path, arrays

    def that(self, name, good, expected="in its range"):
        if not good:
            raise CheckpointError(f"{self.path} does not fit together: {name} is not {expected}")

    def array(self, name, dtype, shape):
        # with a None in the shape for any length
        array, dtype = self.arrays.get(name), np.dtype(dtype)
        if array is None:
            raise CheckpointError(f"{self.path} does not fit together: there is no {name}")
        if array.dtype != dtype or len(array.shape) != len(shape) or any(
                wanted not in (None, length) for wanted, length in zip(shape, array.shape, strict=True)):
            kind = "a table as of lanewise.evolution.HISTORY" if dtype == HISTORY else dtype.name
            raise CheckpointError(f"{self.path} does not fit together: {name} is {array.dtype}{list(array.shape)}, "
                                  f"expected {kind}{['any' if n is None else n for n in shape]}")
        return np.ascontiguousarray(array).reshape(array.shape)

    def number(self, name, dtype, low, high):
        value = self.array(name, dtype, ())[()]
        self.that(name, low <= value <= high, f"between {low} and {high}" if low < high else f"{low}")
        return value.item()

    def genomes(self, name, plan, count):
        genome_bytes = (plan.n_weights + 1) // 2
        array = self.array(name, np.uint8, (genome_bytes,) if count is None else (None, genome_bytes))
        self.that(name, count is None or len(array) in count, f"of {' or '.join(map(str, count or ()))} genomes")
        self.that(name, plan.n_weights % 2 == 0 or not (array[..., -1] >> 4).any(), "with an empty last nibble")
        return array

    def island(self, plan, i, generations):
        most = max(plan.parents, plan.elite)
        seed = self.number(f"seed_{i}", np.uint64, 0, 2**64 - 1)
        self.that(f"seed_{i}", seed == seed_of_island(plan.seed, i), "the island's own")
        generation = self.number(f"generation_{i}", np.int64, generations, generations)
        started = self.number(f"started_{i}", np.int64, 0, generations)
        parents = self.genomes(f"parents_{i}", plan, (0,) if started == generation else (most,))
        rungs = self.array(f"rungs_{i}", np.uint8, (most if generation else 0,))
        self.that(f"rungs_{i}", (rungs < RUNGS).all())
        visitors = self.genomes(f"visitors_{i}", plan, (0, 1))
        best_loss = self.array(f"best_loss_{i}", np.float64, ())[()]
        self.that(f"best_loss_{i}", best_loss > -np.inf, "a number")
        return Island(seed, generation, parents, rungs, self.number(f"rate_{i}", np.float64, 0, 1), visitors,
                      self.genomes(f"best_{i}", plan, None), float(best_loss),
                      self.number(f"improved_{i}", np.int64, 0, generations), started)
