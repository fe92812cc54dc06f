"""``lanewise.network`` is lanewise.evolution.network, by the name it had before it moved."""

import sys

from .evolution import network as _moved
from .evolution.network import *  # noqa: F403 - a type checker sees no more than this
from .evolution.network import __all__ as __all__

sys.modules[__name__] = _moved
