"""``lanewise.network`` is what lanewise.evolution.network holds: the name it had before it moved."""

from .evolution.network import *  # noqa: F403
from .evolution.network import __all__ as __all__
