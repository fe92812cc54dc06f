"""``lanewise.checkpoint`` is what lanewise.evolution.checkpoint holds: the name it had before it moved."""

from .evolution.checkpoint import *  # noqa: F403
from .evolution.checkpoint import __all__ as __all__
