"""Networks that were trained elsewhere, read from a file to start from: floats in a plain ``.npz``, or a classifier.

The plain ``.npz`` is anybody's to write: ``weight0`` of shape (outputs, inputs) and ``bias0`` of shape (outputs,) for
the first layer, ``weight1`` and ``bias1`` for the next, as many as there are; biases may be left out. And, where they
are not the usual ones, ``activation`` and ``objective`` as `Network` takes them, and ``offset``, ``scale``,
``target_offset``, ``target_scale`` and ``classes`` as `Classifier` does.
"""

import re
from typing import NamedTuple

import numpy as np

from ..files import read_arrays
from ..genome.codes import LOG4
from .classifier import Classifier
from .network import Network

__all__ = ["Start", "load_start", "places_of"]

_SCALING = ("offset", "scale", "target_offset", "target_scale")


class Start(NamedTuple):
    """A network, a genome in it and its classes; how inputs and values are scaled, as far as the file says."""

    network: Network
    genome: np.ndarray
    classes: np.ndarray | None
    scaling: dict


def load_start(path, codebook=None):
    """Read a trained network, and quantise it if its weights are floats.

    Parameters
    ----------
    path : path-like
        Of a plain ``.npz``, or of what `Classifier.save` wrote.
    codebook : Codebook, optional
        For the weights of a plain ``.npz``; by default LOG4.

    Returns
    -------
    Start

    Raises
    ------
    OSError
        If the file cannot be opened.
    ValueError
        If it is something else, damaged, or holds codes while a codebook is asked for.
    """
    arrays = read_arrays(path)
    if "format" in arrays:
        kept = Classifier.load(path)
        if codebook is not None:
            raise ValueError(f"{path} holds codes of {kept.network.codebook.name} already; a codebook is of floats")
        return Start(kept.network, kept.genome, kept.classes, {name: getattr(kept, name) for name in _SCALING})
    found = sorted(int(name[6:]) for name in arrays if re.fullmatch(r"weight\d+", name))
    if not found or found != list(range(len(found))):
        raise ValueError(f"{path} has no weight0, weight1 ... of layers; it holds {', '.join(arrays) or 'nothing'}")
    if stray := [name for name in arrays if re.fullmatch(r"bias\d+", name) and int(name[4:]) not in found]:
        raise ValueError(f"{path} has {stray[0]} and no weights of that layer")
    try:
        network, genome = Network.quantize(
            [arrays[f"weight{k}"] for k in found], [arrays.get(f"bias{k}") for k in found],
            LOG4 if codebook is None else codebook, str(arrays.get("activation", "relu")),
            str(arrays.get("objective", "cross_entropy")))
        scaling = {name: arrays[name] for name in _SCALING if name in arrays}
        kept = Classifier(network, genome, arrays.get("classes"), **scaling)  # which holds them to their shapes
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from None
    return Start(network, genome, kept.classes, {name: getattr(kept, name) for name in scaling})


def places_of(labels, classes):
    """Where each label stands among the classes of a network.

    Parameters
    ----------
    labels, classes : ndarray, one axis
        Each once. A .csv's labels are text: where only one of the two is, both are taken as numbers.

    Returns
    -------
    ndarray of int, or None
        None where they are not the same classes.
    """
    if (labels.dtype.kind == "U") != (classes.dtype.kind == "U"):
        try:
            labels, classes = labels.astype(float), classes.astype(float)
        except (TypeError, ValueError):
            return None
    places = {name: place for place, name in enumerate(classes.tolist())}
    found = [places.get(name) for name in labels.tolist()]
    return None if None in found or len(found) != len(classes) else np.array(found)
