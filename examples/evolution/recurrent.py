"""A recurrent network of 4-bit weights that says whether a sequence of bits has had more ones than zeros."""

import lanewise as lw
import numpy as np

UNITS = 6
N_WEIGHTS = UNITS * (UNITS + 2) + UNITS  # from the units, the input and a constant; and to the output


def answers(weights, sequences):
    """weights[n, N_WEIGHTS] on sequences[rows, steps] of -1 and 1: a number for each, [n, rows]."""
    within = weights[:, :-UNITS].reshape(-1, UNITS + 2, UNITS)
    units = np.zeros((len(weights), len(sequences), UNITS), np.float32)
    one = np.ones((len(weights), len(sequences), 1), np.float32)
    for column in sequences.T:
        units = lw.tanh(np.concatenate([units, one * column[:, None], one], axis=2) @ within)
    return (units @ weights[:, -UNITS:, None])[..., 0]


def drawn(rows, steps, seed):
    """Sequences of an odd number of steps, and whether most of them are 1."""
    sequences = np.random.default_rng(seed).choice(np.array([-1, 1], np.float32), (rows, steps))
    return sequences, sequences.sum(axis=1) > 0


if __name__ == "__main__":
    sequences, wanted = drawn(256, 11, seed=0)
    sign = np.where(wanted, 1, -1)
    result = lw.evolution.minimize(lambda weights: lw.softplus(-sign * answers(weights, sequences)).mean(axis=1),
                                   N_WEIGHTS, vectorized=True, generations=300)
    best = lw.genome.decode(result.genome[None], n_weights=N_WEIGHTS)
    for steps in (11, 21, 31):
        tested, right = drawn(1000, steps, seed=1)
        print(f"{steps} steps: {((answers(best, tested)[0] > 0) == right).mean():.1%}")
