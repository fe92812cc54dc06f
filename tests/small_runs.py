"""Small runs that several tests share: over the digits, and over rows that are quicker still."""

import numpy as np
from lanewise.evolution import Network, data, evolve

X = np.random.default_rng(1).uniform(0, 1, (200, 9)).astype(np.float32)
Y = X[:, :3].argmax(axis=1)


def digits():
    d = data.load_digits()
    return d.x * d.scale, d.y, d.x_held_out * d.scale, d.y_held_out


def small(seed=0, **options):
    x, y, _, _ = digits()
    return evolve(Network((64, 8, 10)), x[:300], y[:300], seed=seed, progress=False,
                  **{"population": 30, "parents": 6, "generations": 60, "batch_size": None} | options)


def run(**options):
    return evolve(Network((9, 5, 3)), X, Y, progress=False,
                  **{"population": 20, "parents": 5, "generations": 24, "migration": 5, "seed": 7} | options)


def same(a, b):
    names = [name for name in a.history.dtype.names if name not in ("seconds", "accuracy", "held_out_loss")]
    return (a.genome.tobytes() == b.genome.tobytes() and a.population.tobytes() == b.population.tobytes()
            and a.loss == b.loss and (a.history[names] == b.history[names]).all())
