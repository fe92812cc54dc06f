"""Evolving packed 4-bit genomes without a gradient: `evolve` for networks, `minimize` for a fitness of one's own.

Here is the namespace. Runs are runs.py, a generation islands.py, where it is computed workers.py, what networks are
network.py, what is kept checkpoint.py and classifier.py, and whence rows come data.py and table.py.
"""

from .checkpoint import CheckpointError
from .classifier import Classifier
from .islands import HISTORY, FitnessError
from .network import Network
from .runs import BATCH_SIZE, GENERATIONS, MUTATION_RATE, POPULATION, EvolutionResult, State, evolve, minimize

__all__ = ["BATCH_SIZE", "GENERATIONS", "HISTORY", "MUTATION_RATE", "POPULATION", "CheckpointError", "Classifier",
           "EvolutionResult", "FitnessError", "Network", "State", "evolve", "minimize"]
