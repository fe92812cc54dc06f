"""Neural-network kernels for the CPU: activations, norms, IEEE-754 and 4-bit evolution, with published error bounds.

This layer is pure Python: names, defaults, errors and documentation. The arithmetic is in ``lanewise.kernels``.
The functions stand in ``lanewise.functions``; the wings ``lanewise.embedding``, ``lanewise.evolution``,
``lanewise.genome`` and ``lanewise.ieee754`` are imported when they are first used.
"""

from typing import TYPE_CHECKING

from . import functions, kernels
from .config import get_num_threads, set_num_threads, show_config
from .functions import *  # noqa: F403

__version__ = "0.1.0"

_WINGS = ("embedding", "evolution", "genome", "ieee754")
_FRAMEWORKS = ("jax", "torch")  # imported where they are asked for by name: they import the framework
_MOVED = ("checkpoint", "data", "network")  # into evolution; scripts import them from here
__all__ = [
    "__version__",
    "embedding",
    "evolution",
    "genome",
    "get_include",
    "get_num_threads",
    "ieee754",
    "set_num_threads",
    "show_config",
    *functions.__all__,
]

if TYPE_CHECKING:
    from . import embedding, evolution, genome, ieee754
    from .embedding import get_include
else:

    def __getattr__(name):
        if name in (*_WINGS, *_FRAMEWORKS, *_MOVED):
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        if name == "get_include":
            from .embedding import get_include

            return get_include
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def _describe_format(name):
    from .formats import format_named

    return format_named(name)


kernels.describe_format = _describe_format  # for kernels.ieee754, which imports nothing of this layer


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
