"""The digits, and a small run over them: what test_evolution.py and test_classifier.py share."""

from lanewise.evolution import Network, data, evolve


def digits():
    d = data.load_digits()
    return d.x * d.scale, d.y, d.x_held_out * d.scale, d.y_held_out


def small(seed=0, **options):
    x, y, _, _ = digits()
    return evolve(Network((64, 8, 10)), x[:300], y[:300], seed=seed, progress=False,
                  **{"population": 30, "parents": 6, "generations": 60, "batch_size": None} | options)
