"""A convolutional network of 4-bit weights on the digits: 8 filters of 3 x 3, the largest of each 2 x 2, one layer."""

import lanewise as lw
import numpy as np
from lanewise.evolution.data import load_digits

FILTERS, POOLED = 8, 3 * 3  # 8 x 8 pixels make 6 x 6 places, of which each 2 x 2 are pooled
N_WEIGHTS = FILTERS * 9 + 10 * FILTERS * POOLED


def logits(weights, windows):
    """weights[n, N_WEIGHTS] on windows[rows, 3, 3, 4, 9], the 2 x 2 windows of each pool, give [n, rows, 10]."""
    filters, layer = weights[:, :FILTERS * 9].reshape(-1, 9, FILTERS), weights[:, FILTERS * 9:]
    seen = (windows.reshape(-1, 9) @ filters).reshape(len(weights), len(windows), POOLED, 4, FILTERS).max(axis=3)
    return lw.relu(seen).reshape(len(weights), len(windows), -1) @ layer.reshape(len(weights), -1, 10)


def windows_of(x):
    """The windows of pixels x[rows, 64]: place (2i + a, 2j + b) is window [i, j, 2a + b]."""
    found = np.lib.stride_tricks.sliding_window_view(x.reshape(-1, 8, 8), (3, 3), axis=(1, 2))
    pools = found.reshape(-1, 3, 2, 3, 2, 9).swapaxes(2, 3)
    return np.ascontiguousarray(pools, np.float32).reshape(-1, 3, 3, 4, 9)


if __name__ == "__main__":
    digits = load_digits()
    windows, tested = windows_of(digits.x / 16), windows_of(digits.x_held_out / 16)
    rng = np.random.default_rng(0)

    def loss(weights):
        """Of all genomes on 128 rows, others each time."""
        rows = rng.integers(len(windows), size=128)
        losses = lw.cross_entropy(logits(weights, windows[rows]).reshape(-1, 10), np.tile(digits.y[rows], len(weights)),
                                  reduction="none")
        return losses.reshape(len(weights), 128).mean(axis=1)

    result = lw.evolution.minimize(loss, N_WEIGHTS, vectorized=True, generations=600)
    best = lw.genome.decode(result.population[:1], n_weights=N_WEIGHTS)
    print(f"held-out accuracy {(logits(best, tested)[0].argmax(axis=1) == digits.y_held_out).mean():.1%}")
