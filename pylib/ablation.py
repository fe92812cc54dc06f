"""What each part of the recipe is worth: the default run beside runs that lack one part, and the sources' recipes.

The command is ``lanewise evolve --ablation``.
"""

from .evolution import MUTATION_RATE, evolve

__all__ = ["RECIPES", "compare"]

#: By name, what differs from the default.
RECIPES = {
    "default: crossover, falling rate": {},
    "mutation only, falling rate": {"crossover": None},
    "crossover only": {"mutation_rate": 0.0},
    "fixed rate 0.05%": {"mutation_rate": 0.0005},
    "fixed rate 1.5%, the sources' recipe": {"mutation_rate": 0.015},
    "level steps": {"mutation": "step", "mutation_rate": tuple(4 * rate for rate in MUTATION_RATE)},
    "Gray-coded flips": {"mutation": "gray"},
    "two-point crossover": {"crossover": "two_point"},
    "linear ranking": {"tournament": 2, "parents": 100},
    "98 fresh at random": {"mutation_rate": 1 / 2, "crossover": None},  # a bit flipped by a fair coin is a fresh one
}


def compare(network, batch, tested, generations, seeds, recipes=RECIPES):
    """Run every recipe with every seed.

    Parameters
    ----------
    network : Network
    batch, tested : Batch
        What to learn from, and what is held out.
    generations : int
    seeds : iterable of int
    recipes : dict of dict
        Options of `evolve`, by name.

    Yields
    ------
    name : str
    histories : list of structured ndarray
        One for each seed.
    """
    for name, options in recipes.items():
        yield name, [evolve(network, batch, held_out=tested, generations=generations, seed=seed, progress=False,
                            **options).history for seed in seeds]
