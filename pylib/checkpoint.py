"""``lanewise.checkpoint`` is lanewise.evolution.checkpoint, by the name it had before it moved."""

import sys

from .evolution import checkpoint as _moved
from .evolution.checkpoint import *  # noqa: F403 - a type checker sees no more than this
from .evolution.checkpoint import __all__ as __all__

sys.modules[__name__] = _moved
