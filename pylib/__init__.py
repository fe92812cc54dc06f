"""Neural-network kernels for the CPU: activations, norms, IEEE-754 and 4-bit evolution, with published error bounds.

This layer is pure Python: names, defaults, errors and documentation. The arithmetic is in ``lanewise.kernels``.
The functions stand in ``lanewise.functions``; the wings ``lanewise.embedding``, ``lanewise.evolution``,
``lanewise.genome``, ``lanewise.ieee754`` and ``lanewise.learning``, whose names are the package's too, are imported
when they are first used.
"""

from sys import modules as _modules
from typing import TYPE_CHECKING

from . import bounds, functions, kernels
from .config import get_num_threads, set_num_threads, show_config
from .functions import *  # noqa: F403

__version__ = "0.1.0"

_WINGS = ("embedding", "evolution", "genome", "ieee754", "learning")
_LEARNING = (  # lanewise.learning.__all__, without importing it
    "act_halting", "act_halting_backward", "adamw_step", "clip_grad_norm", "dropout", "dropout_backward",
    "gradient_flow", "GradientFlow", "halting_distribution", "he_normal", "he_uniform", "kl_standard_normal",
    "kl_standard_normal_backward", "layers", "linear", "linear_backward", "ponder_loss", "ponder_loss_backward",
    "ponder_loss_with_grad", "reparameterize", "reparameterize_backward", "sample_halting", "sgd_step",
    "xavier_normal", "xavier_uniform",
)
_FRAMEWORKS = ("jax", "torch")  # imported where they are asked for by name: they import the framework
_MOVED = ("checkpoint", "data", "network")  # into evolution; scripts import them from here
__all__ = [
    "__version__",
    "bounds",
    "embedding",
    "evolution",
    "genome",
    "get_include",
    "get_num_threads",
    "ieee754",
    "learning",
    "set_num_threads",
    "show_config",
    *functions.__all__,
    *_LEARNING,
]

if TYPE_CHECKING:
    from . import embedding, evolution, genome, ieee754, learning
    from .embedding import get_include
    from .learning import *  # noqa: F403
else:

    def __getattr__(name):
        if name in (*_WINGS, *_FRAMEWORKS, *_MOVED):
            from importlib import import_module

            return import_module(f"{__name__}.{name}")
        if name == "get_include":
            from .embedding import get_include

            return get_include
        if name in _LEARNING:
            from . import learning

            return globals().setdefault(name, getattr(learning, name))
        missing = f"module {__name__!r} has no attribute {name!r}"
        # PyTorch's name, with "_loss" or without it; Python, which knows spellings alone, would find another loss
        other = name.removesuffix("_loss") if name.endswith("_loss") else f"{name}_loss"
        if other in functions.__all__:
            raise AttributeError(f"{missing}; here it is called {other!r}", name=name, obj=None)
        # by name and obj Python finds what is spelled like it: "Did you mean: 'silu'?"
        raise AttributeError(missing, name=name, obj=_modules[__name__])


def _describe_format(name):
    from .formats import described

    return described(name)


kernels.describe_format = _describe_format  # for kernels.ieee754, which imports nothing of this layer


def __dir__():
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
