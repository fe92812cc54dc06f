"""``lanewise.data`` is what lanewise.evolution.data holds: the name it had before it moved."""

from .evolution.data import *  # noqa: F403
from .evolution.data import __all__ as __all__
