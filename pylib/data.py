"""``lanewise.data`` is lanewise.evolution.data, by the name it had before it moved."""

import sys

from .evolution import data as _moved
from .evolution.data import *  # noqa: F403 - a type checker sees no more than this
from .evolution.data import __all__ as __all__

sys.modules[__name__] = _moved
