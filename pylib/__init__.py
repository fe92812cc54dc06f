"""Neural-network kernels for the CPU: activations, norms, IEEE-754 and 4-bit evolution, with published error bounds.

This layer is pure Python: names, defaults, errors and documentation. The arithmetic is in ``lanewise.kernels``.
The wings ``lanewise.evolution``, ``lanewise.genome`` and ``lanewise.ieee754`` are imported when they are first used.
"""

from typing import TYPE_CHECKING

from . import activations, channel_norms, gates, losses, norms, parametric
from . import softmax as _softmax
from .activations import *  # noqa: F403
from .channel_norms import *  # noqa: F403
from .config import get_num_threads, set_num_threads, show_config
from .gates import *  # noqa: F403
from .losses import *  # noqa: F403
from .norms import *  # noqa: F403
from .parametric import *  # noqa: F403
from .softmax import *  # noqa: F403

__version__ = "0.1.0"

_WINGS = ("evolution", "genome", "ieee754")
__all__ = [
    "__version__",
    "evolution",
    "genome",
    "get_num_threads",
    "ieee754",
    "set_num_threads",
    "show_config",
    *activations.__all__,
    *channel_norms.__all__,
    *gates.__all__,
    *losses.__all__,
    *norms.__all__,
    *parametric.__all__,
    *_softmax.__all__,
]

if TYPE_CHECKING:
    from . import evolution, genome, ieee754
else:

    def __getattr__(name):
        if name in _WINGS:
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
