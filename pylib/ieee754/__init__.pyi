# A type checker passes on what a stub imports by a star, but not what a module does.
from ..formats import *  # noqa: F403
from .blocks import *  # noqa: F403
from .describe import *  # noqa: F403
from .field_statistics import *  # noqa: F403
from .fields import *  # noqa: F403
from .rounding import *  # noqa: F403
