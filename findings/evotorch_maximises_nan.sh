#!/usr/bin/env bash
# A fitness that cannot be computed, of a simulation that fell apart say, is often NaN. EvoTorch ranks fitnesses by
# torch.argsort, for which NaN is above every number. So it is the worst where the problem is minimised, and the best
# where it is maximised: "centered", "linear" and "nes" give NaN the highest utility. A search for a maximum that meets
# such a region goes there and stays, and so the same problem has another end with its sign changed. A population that
# has settled there is all NaN.
#
# evotorch 0.6.1, torch 2.13.0: "centered" of 1, NaN, 3, 2, higher is better: -0.5 0.5 0.17 -0.17
#   SNES from 0 with deviation 0.3, maximum at 2, NaN where x0 > 2.5, 100 generations of 50: 98 or 100% NaN, 2 to 3.6
#   away; the same minimised with the sign changed: no NaN, 4e-7 away (seeds 1, 2, 3)
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet evotorch==0.6.1 torch==2.13.0 numpy==2.4.6
"$work/venv/bin/python" 2> "$work/log" - <<'SCRIPT' || { cat "$work/log"; exit 1; }
import torch
from evotorch import Problem
from evotorch.algorithms import SNES
from evotorch.tools.ranking import rank

fitnesses = torch.tensor([1, float("nan"), 3, 2])
for method in ("centered", "linear", "nes"):
    for higher_is_better in (True, False):
        utilities = rank(fitnesses, method, higher_is_better=higher_is_better)
        print(method, "of 1, NaN, 3, 2,", "higher" if higher_is_better else "lower", "is better:",
              *[f"{each:.2f}" for each in utilities.tolist()])
        assert utilities[1] == (utilities.max() if higher_is_better else utilities.min())


def search(sense, seed):
    """The share of NaN in the last population, and how far its center is from the maximum at 2."""
    sign = 1 if sense == "max" else -1

    def fitness(x):
        return torch.where(x[:, 0] > 2.5, float("nan"), -sign * ((x - 2) ** 2).sum(1))

    problem = Problem(sense, fitness, solution_length=4, initial_bounds=(-0.1, 0.1), vectorized=True,
                      dtype=torch.float32, seed=seed)
    strategy = SNES(problem, stdev_init=0.3, popsize=50)
    strategy.run(100)
    lost = strategy.population.evals[:, 0].isnan().float().mean().item()
    return lost, (strategy.status["center"] - 2).norm().item()


for seed in (1, 2, 3):
    (lost, away), (lost_below, away_below) = search("max", seed), search("min", seed)
    print(f"seed {seed}: maximised {lost:.0%} NaN, {away:.2g} away; minimised {lost_below:.0%}, {away_below:.2g} away")
    assert lost > 0.5 and away > 0.5
    assert lost_below == 0 and away_below < 1e-3
SCRIPT
