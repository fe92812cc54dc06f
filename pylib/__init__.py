"""Neural-network kernels for the CPU: activations, norms, IEEE-754 and 4-bit evolution, with published error bounds.

This layer is pure Python: names, defaults, errors and documentation. The arithmetic is in ``lanewise.kernels``.
"""

from . import activations, evolution, genome
from .activations import *  # noqa: F403
from .config import get_num_threads, set_num_threads, show_config

__version__ = "0.1.0"

__all__ = [
    "__version__",
    "evolution",
    "genome",
    "get_num_threads",
    "set_num_threads",
    "show_config",
    *activations.__all__,
]
