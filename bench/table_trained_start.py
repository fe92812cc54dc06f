"""The table of docs/evolution.md on what evolution wins back of the loss that quantising a trained network costs.

`python bench/table_trained_start.py` trains floats with scikit-learn, quantises them, evolves from there, and prints a
row for each problem, codebook and seed. Seconds are those of the processor, halved: what two cores that do nothing else
would take.
"""

import sys
import time
import warnings

import numpy as np
from lanewise.evolution import Network, evolve
from lanewise.evolution.data import load_digits
from lanewise.genome import INT4, LOG4
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

PLACES = 8


def digits():
    """The digits as `lanewise evolve` has them, pixels from 0 to 1."""
    d = load_digits()
    return d.x / np.float32(16), d.y, d.x_held_out / np.float32(16), d.y_held_out


def pictures():
    """The digits twice as large, each at eight random places of a field of 20 x 20, with noise, in 256ths."""
    rng = np.random.default_rng(0)
    x, y, x_held_out, y_held_out = digits()
    return *_moved(x, y, rng), *_moved(x_held_out, y_held_out, rng)


def _moved(x, y, rng):
    fields = rng.normal(0, 0.1, (PLACES * len(x), 20, 20))
    for field, (down, right), picture in zip(fields, rng.integers(0, 5, (len(fields), 2)),
                                             np.tile(x, (PLACES, 1)), strict=True):
        field[down:down + 16, right:right + 16] += np.kron(picture.reshape(8, 8), np.ones((2, 2)))
    return np.rint(255 * np.clip(fields, 0, 1)).reshape(len(fields), 400).astype(np.float32) / 256, np.tile(y, PLACES)


#: By name: its rows, hidden layers, generations and seeds.
PROBLEMS = {"digits, 64-32-10": (digits, (32,), 1000, 5), "moved digits, 400-64-10": (pictures, (64,), 500, 5)}


def float_loss(weights, biases, x, y):
    """The mean cross-entropy and the accuracy of the floats, in float64."""
    for k, (matrix, bias) in enumerate(zip(weights, biases, strict=True)):
        x = (np.maximum(x, 0) if k else x) @ matrix.T + bias
    shifted = x - x.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(y)), y]
    return losses.mean(), (x.argmax(axis=1) == y).mean()


def rows(problem):
    """Yield a row of the table for each codebook and seed."""
    load, hidden, generations, seeds = PROBLEMS[problem]
    x, y, x_held_out, y_held_out = load()
    for seed in range(seeds):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            trained = MLPClassifier(hidden, max_iter=100, random_state=seed).fit(x, y)
        weights, biases = [matrix.T for matrix in trained.coefs_], trained.intercepts_
        loss, accuracy = float_loss(weights, biases, x_held_out, y_held_out)
        for codebook in (LOG4, INT4):
            network, start = Network.quantize(weights, biases, codebook)
            held_out = network.batch(x_held_out, y_held_out)
            began = time.process_time()
            result = evolve(network, x, y, start=start, generations=generations, seed=seed, progress=False)
            seconds = (time.process_time() - began) / 2
            before, after = network.loss(start, held_out), network.loss(result.genome, held_out)
            yield (f"| {problem} | {codebook.name} | {seed} | {loss:.3f}, {accuracy:.1%} "
                   f"| {before:.3f}, {network.accuracy(start, held_out):.1%} "
                   f"| {after:.3f}, {network.accuracy(result.genome, held_out):.1%} "
                   f"| {(before - after) / (before - loss):.0%} | {seconds:.1f} s |")


def main():
    """Print the table."""
    print("| problem | codebook | seed | floats | quantised | evolved | of the loss won back | time |")
    print("|---|---|---|---|---|---|---|---|")
    for problem in PROBLEMS:
        for row in rows(problem):
            print(row, flush=True)


if __name__ == "__main__":
    sys.exit(main())
