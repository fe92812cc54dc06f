"""IEEE-754 taken apart: fields, classes, ULPs and neighbours of floating-point numbers, of any format.

Arrays of NumPy's and ml_dtypes' floating-point dtypes work directly; raw unsigned codes of any format with ``format=``.
This is the namespace of fields.py, rounding.py, blocks.py, field_statistics.py, describe.py, and of the formats.py
beside this folder, which describes the formats for lanewise.kernels too.
"""

from .. import formats as _formats
from ..formats import *  # noqa: F403
from . import blocks as _blocks
from . import describe as _describe
from . import field_statistics as _field_statistics
from . import fields as _fields
from . import rounding as _rounding
from .blocks import *  # noqa: F403
from .describe import *  # noqa: F403
from .field_statistics import *  # noqa: F403
from .fields import *  # noqa: F403
from .rounding import *  # noqa: F403

__all__ = [
    *_blocks.__all__,
    *_describe.__all__,
    *_field_statistics.__all__,
    *_fields.__all__,
    *_formats.__all__,
    *_rounding.__all__,
]
