# A type checker passes on what a stub imports by a star, but not what a module does.
from ..packing import pack as pack
from ..packing import unpack as unpack
from . import formats as formats
from .breeding import *  # noqa: F403
from .codes import *  # noqa: F403
from .linear4 import *  # noqa: F403
