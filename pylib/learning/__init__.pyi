# A type checker passes on what a stub imports by a star, but not what a module does.
from . import layers as layers
from .dropping import *  # noqa: F403
from .flow import *  # noqa: F403
from .halting import *  # noqa: F403
from .initial import *  # noqa: F403
from .linear import *  # noqa: F403
from .optimise import *  # noqa: F403
from .reparameterise import *  # noqa: F403
