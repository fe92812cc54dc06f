#!/usr/bin/env bash
# PyGAD adds to a gene a random number from random_mutation_min_val to random_mutation_max_val. With genes of integers
# the upper end is left out, as in range(), so the symmetric -1 and 1 add -1 or 0: no mutation ever raises a gene, and
# what selection does not hold falls. Integers need an upper end of one more. Genes of floats move both ways, rounded
# ones (gene_type=[float, 0]) too.
#
# pygad 3.9.2, numpy 2.4.6, 4 000 genes of 5, each mutated once with -1 and 1:
#   gene_type int: 2007 become 4, 1993 stay 5; with -1 and 2: 4, 5 and 6, a third each
#   gene_type float: from 4.0002 to 5.9998, mean 5.003
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet pygad==3.9.2 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import numpy as np
import pygad


def mutated(gene_type, low, high):
    run = pygad.GA(
        num_generations=1, num_parents_mating=2, fitness_func=lambda run, genes, index: 0.0, sol_per_pop=400,
        num_genes=10, gene_type=gene_type, initial_population=np.full((400, 10), 5), mutation_percent_genes=100,
        random_mutation_min_val=low, random_mutation_max_val=high, crossover_type=None, keep_elitism=0, keep_parents=0,
        random_seed=1, suppress_warnings=True,
    )
    run.run()
    return run.population.astype(float).ravel()


for gene_type, high, expected in ((int, 1, [4, 5]), (int, 2, [4, 5, 6])):
    values, counts = np.unique(mutated(gene_type, -1, high), return_counts=True)
    print(gene_type, -1, high, dict(zip(values.tolist(), counts.tolist())))
    assert values.tolist() == expected
floats = mutated(float, -1, 1)
print(float, -1, 1, floats.min(), floats.max(), floats.mean())
assert floats.min() < 4.1 and floats.max() > 5.9 and abs(floats.mean() - 5) < 0.05
SCRIPT
