"""Training a classifier of dense layers by the chain rule, epoch after epoch: what `lanewise train` runs."""

import time
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ..environment import unflushed
from ..functions import cross_entropy_with_grad
from . import layers, optimise
from ._arrays import key_of

__all__ = ["HISTORY", "OPTIMIZERS", "Training", "classifier", "train"]

#: What is noted after each epoch.
HISTORY = np.dtype([("loss", float), ("accuracy", float), ("seconds", float)])
OPTIMIZERS = ("adamw", "sgd")


def classifier(sizes, activation="relu", rng=0, dropout=0.0):
    """A network of dense layers.

    Parameters
    ----------
    sizes : sequence of int
        Features, hidden layers, classes.
    activation : str
        What follows each layer but the last.
    rng : int
        The seed of the weights.
    dropout : float
        How many of a hidden layer's outputs are dropped while training.

    Returns
    -------
    layers.Sequential
    """
    random = np.random.default_rng(key_of("classifier", rng))
    found = []
    for k, (inputs, outputs) in enumerate(pairwise(sizes)):
        hidden = k < len(sizes) - 2
        joined = "relu" if hidden and activation == "relu" else None
        found.append(layers.Linear(inputs, outputs, random, gain="relu" if hidden else 1.0, activation=joined,
                                   input_grad=k > 0))
        if hidden and joined is None:
            found.append(layers.Activation(activation))
        if hidden and dropout:
            found.append(layers.Dropout(dropout, random))
    return layers.Sequential(*found)


@dataclass
class Training:
    """What `train` did: a row of `HISTORY` for each epoch, steps and multiply-adds, and why it ended."""

    history: np.ndarray
    steps: int = 0
    multiply_adds: int = 0
    stopped: str = "epochs"


@unflushed
def train(network, x, y, *, epochs=40, batch_size=32, optimizer="adamw", lr=3e-3, weight_decay=0.01, max_norm=None,
          rng=0, held_out=None, callback=None):
    """Train a classifier on x[rows, features] and classes y[rows].

    Parameters
    ----------
    network : layers.Sequential
        Whose parameters are updated.
    x : ndarray of float32
    y : ndarray of int
    epochs, batch_size : int
    optimizer : {"adamw", "sgd"}
        SGD has a momentum of 0.9.
    lr, weight_decay : float
    max_norm : float, optional
        What the norm of all gradients is clipped to.
    rng : int
        The seed of the order of rows.
    held_out : (ndarray, ndarray), optional
        Rows and classes whose accuracy is noted.
    callback : callable, optional
        Called with each epoch's number and row; Ctrl-C ends the run and keeps it.

    Returns
    -------
    Training
    """
    if not isinstance(optimizer, str) or optimizer not in OPTIMIZERS:
        raise ValueError(f"train: optimizer {optimizer!r:.60} is unknown; expected one of {', '.join(OPTIMIZERS)}")
    parameters, gradients = list(network.parameters().values()), list(network.gradients().values())
    first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    order = np.random.default_rng(key_of("train", rng))
    weights = sum(each.size for each in parameters if each.ndim == 2)
    not_passed_on = parameters[0].size if isinstance(network.layers[0], layers.Linear) else 0
    found, started = Training(np.empty(0, HISTORY)), time.perf_counter()
    rows = []
    try:
        for epoch in range(epochs):
            shuffled, total = order.permutation(len(x)), 0.0
            for begin in range(0, len(x), batch_size):
                batch = shuffled[begin:begin + batch_size]
                loss, grad = cross_entropy_with_grad(network.forward(x[batch]), y[batch])
                network.backward(grad)
                if max_norm is not None:
                    optimise.clip_grad_norm(gradients, max_norm)
                found.steps += 1
                found.multiply_adds += (3 * weights - not_passed_on) * len(batch)
                if optimizer == "adamw":
                    optimise.adamw_step(parameters, gradients, first, second, found.steps, lr=lr,
                                        weight_decay=weight_decay)
                else:
                    optimise.sgd_step(parameters, gradients, first, lr=lr, momentum=0.9, weight_decay=weight_decay)
                total += float(loss) * len(batch)
            accuracy = np.nan if held_out is None else score(network, *held_out)
            rows.append((total / len(x), accuracy, time.perf_counter() - started))
            if callback is not None:
                callback(epoch + 1, rows[-1])
            if not np.isfinite(total):
                found.stopped = "diverged"
                break
    except KeyboardInterrupt:
        found.stopped = "interrupted"
    found.history = np.array(rows, HISTORY)
    return found


@unflushed
def score(network, x, y):
    """The share of rows whose largest logit is their class's."""
    return float((network.forward(x, training=False).argmax(axis=1) == y).mean())
