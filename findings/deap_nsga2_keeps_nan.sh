#!/usr/bin/env bash
# No comparison with NaN is true, so no individual dominates one whose objectives are all NaN: in DEAP's NSGA-II it stands
# in the first front for good, beside those that are best. Each individual that cannot be evaluated, such as a net whose
# loss is NaN, takes the place of one that can, until the population consists of nothing else. pymoo's NSGA-II has the
# same problem solved with no NaN left.
#
# deap 1.4.4, pymoo 0.6.2, objectives x + y / 10 and 1 - x + y from 0 to 1, NaN where x is above 0.9 (a tenth of all),
# 40 individuals, NaNs after 1, 10 and 50 generations (seeds 0, 1, 2):
#   DEAP: 8, 35 and 40; 13, 34 and 40; 12, 36 and 40. pymoo: 0 after 50
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet deap==1.4.4 pymoo==0.6.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import math
import random

import numpy as np
from deap import base, creator, tools
from pymoo.algorithms.moo.nsga2 import NSGA2
from pymoo.core.problem import Problem
from pymoo.optimize import minimize

creator.create("Objectives", base.Fitness, weights=(-1.0, -1.0))
creator.create("Individual", list, fitness=creator.Objectives)


def evaluate(individual):
    x, y = individual
    individual.fitness.values = (math.nan, math.nan) if x > 0.9 else (x + y / 10, 1 - x + y)


def offspring(population):
    children = [creator.Individual(parent) for parent in tools.selTournamentDCD(population, 40)]
    for one, other in zip(children[::2], children[1::2], strict=True):
        if random.random() < 0.9:
            tools.cxSimulatedBinaryBounded(one, other, eta=15.0, low=0.0, up=1.0)
        for child in (one, other):
            tools.mutPolynomialBounded(child, eta=20.0, low=0.0, up=1.0, indpb=0.5)
            evaluate(child)
    return children


class Same(Problem):
    def __init__(self):
        super().__init__(n_var=2, n_obj=2, xl=0, xu=1)

    def _evaluate(self, x, out, *args, **kwargs):
        objectives = np.column_stack((x[:, 0] + x[:, 1] / 10, 1 - x[:, 0] + x[:, 1]))
        objectives[x[:, 0] > 0.9] = np.nan
        out["F"] = objectives


for seed in range(3):
    random.seed(seed)
    population = [creator.Individual((random.random(), random.random())) for _ in range(40)]
    for individual in population:
        evaluate(individual)
    population, lost = tools.selNSGA2(population, 40), []
    for _ in range(50):
        population = tools.selNSGA2(population + offspring(population), 40)
        lost.append(sum(math.isnan(individual.fitness.values[0]) for individual in population))
    result = minimize(Same(), NSGA2(pop_size=40), ("n_gen", 50), seed=seed)
    kept = np.isnan(result.pop.get("F")).any(1).sum()
    print(f"seed {seed}: NaNs of DEAP after 1, 10 and 50 generations {lost[0]}, {lost[9]}, {lost[49]}; of pymoo {kept}")
    assert lost[9] > 20 and lost[49] == 40 and kept == 0
SCRIPT
