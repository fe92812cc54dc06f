# A type checker passes on what a stub imports by a star, but not what a module does.
from .blocks import *  # noqa: F403
from .packed import FP4 as FP4
from .packed import INT4_OFFSET as INT4_OFFSET
from .packed import IQ4_NL as IQ4_NL
from .packed import UINT4 as UINT4
from .packed import Packed as Packed
from .packed import e8m0_bytes as e8m0_bytes
from .packed import e8m0_scales as e8m0_scales
from .words import *  # noqa: F403
