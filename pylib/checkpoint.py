"""Checkpoints of a run: one ``.npz``, versioned and checksummed, that replaces the one before it in a single step.

A run that continues from one gives the bits of an unbroken run.
"""

import hashlib
import os
from dataclasses import fields
from pathlib import Path

import numpy as np

from .islands import HISTORY, Island

__all__ = ["CheckpointError", "load", "save"]

_FORMAT = "lanewise checkpoint 3"
# what a run has to share with the one that it continues
_SAME = ("n_weights", "population", "elite", "parents", "tournament", "mutation", "crossover", "seed", "islands",
         "migration", "restart_after", "batch_size", "niche_radius")


class CheckpointError(ValueError):
    """What is wrong with a checkpoint."""


def _digest(arrays):
    digest = hashlib.sha256()
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def save(path, plan, islands, history):
    """Write a checkpoint in the place of the last: a reader sees the one or the other, whole."""
    arrays = {f"{part.name}_{i}": np.array(getattr(island, part.name), np.uint64 if part.name == "seed" else None)
              for i, island in enumerate(islands) for part in fields(Island)}
    arrays["history"] = np.array(history, HISTORY)
    arrays |= {f"plan_{name}": np.array(str(getattr(plan, name))) for name in _SAME}
    path = Path(path)
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(beside, "wb") as file:
            np.savez(file, format=_FORMAT, checksum=_digest(arrays), **arrays)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def load(path, plan):
    """Read a checkpoint for a run of this plan: its islands and history.

    Raises
    ------
    CheckpointError
        If the file is damaged, something else, or of a run with other settings.
    """
    with open(path, "rb") as file:
        try:
            with np.load(file, allow_pickle=False) as saved:
                arrays = dict(saved)
        except Exception as error:  # a damaged zip raises errors with no common base
            raise CheckpointError(f"{path} is not a readable checkpoint ({error})") from None
    found, checksum = str(arrays.pop("format", "")), str(arrays.pop("checksum", ""))
    if found != _FORMAT:
        raise CheckpointError(f"{path} is not a {_FORMAT}; it holds {found or ', '.join(arrays) or 'nothing'}")
    if _digest(arrays) != checksum:
        raise CheckpointError(f"{path} is damaged: its content does not match its checksum")
    for name in _SAME:
        there, here = str(arrays[f"plan_{name}"]), str(getattr(plan, name))
        if there != here:
            raise CheckpointError(f"{path} is of a run with {name} = {there}; this one has {here}")
    islands = [Island(*(arrays[f"{part.name}_{i}"] if part.type is np.ndarray else
                        part.type(arrays[f"{part.name}_{i}"]) for part in fields(Island)))
               for i in range(plan.islands)]
    return islands, arrays["history"].tolist()
