"""Evolving packed 4-bit genomes without a gradient: `evolve` for networks, `minimize` for a fitness of one's own.

This is the namespace. runs.py decides when a run stops and what it records, in the types of results.py; islands.py
breeds a generation; workers.py computes it, here or in other processes; network.py says what a network is.
checkpoint.py keeps a run, classifier.py a trained network; data.py and table.py read the data.
"""

from .checkpoint import CheckpointError
from .classifier import Classifier
from .network import Network
from .results import HISTORY, EvolutionResult, FitnessError, State
from .runs import BATCH_SIZE, GENERATIONS, MUTATION_RATE, POPULATION, evolve, minimize

__all__ = ["BATCH_SIZE", "GENERATIONS", "HISTORY", "MUTATION_RATE", "POPULATION", "CheckpointError", "Classifier",
           "EvolutionResult", "FitnessError", "Network", "State", "evolve", "minimize"]
