"""What each part of the recipe is worth: the default run beside runs that lack one part, and the sources' recipes.

The command is ``lanewise evolve --ablation``.
"""

import numpy as np

from ..evolution import MUTATION_RATE, POPULATION, evolve
from .learning import uninterrupted

__all__ = ["RECIPES", "compare", "table"]

#: By name, what differs from the default.
RECIPES = {
    "the default: mini-batches, crossover, falling rate": {},
    "all rows in every generation": {"batch_size": None},
    "mutation only": {"crossover": None},
    "crossover only": {"mutation_rate": 0.0},
    "a fixed rate of 0.05%": {"mutation_rate": 0.0005},
    "a fixed rate of 1.5%, the sources' recipe": {"mutation_rate": 0.015},
    "each genome's own rate": {"mutation_rate": "adaptive"},
    "level steps": {"mutation": "step", "mutation_rate": tuple(4 * rate for rate in MUTATION_RATE)},
    "Gray-coded flips": {"mutation": "gray"},
    "two-point crossover": {"crossover": "two_point"},
    "linear ranking": {"tournament": 2, "parents": POPULATION},
    "niches of half the mean distance": {"niche_radius": 0.5},
    # a bit that a fair coin flips is as random as a new one
    "all but two fresh at random": {"mutation_rate": 1 / 2, "crossover": None},
}


def compare(network, batch, tested, generations, seeds):
    """Run every recipe with every seed.

    Parameters
    ----------
    network : Network
    batch, tested : Batch
        What to learn from, and what is held out.
    generations : int
    seeds : iterable of int

    Yields
    ------
    name : str
    histories : list of structured ndarray
        One for each seed.
    """
    for name, options in RECIPES.items():
        yield name, [uninterrupted(evolve(network, batch, held_out=tested, generations=generations, seed=seed,
                                          progress=False, **options)).history for seed in seeds]


def table(histories):
    """Tabulate, in Markdown, the last held-out accuracies of each recipe and its loss.

    Parameters
    ----------
    histories : dict of lists of structured ndarrays
        As `compare` yields.

    Returns
    -------
    str
    """
    lines = ["| recipe | held-out accuracy, median | worst | loss, median |", "|---|---|---|---|"]
    for name, runs in histories.items():
        accuracies, losses = ([history[column][-1] for history in runs] for column in ("accuracy", "loss"))
        lines.append(f"| {name} | {np.median(accuracies):.1%} | {min(accuracies):.1%} | {np.median(losses):.3f} |")
    return "\n".join(lines)
