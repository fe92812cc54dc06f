"""The functions of ``lanewise`` on arrays of floats: activations, gates, norms, softmaxes and losses, with backwards.

This is the namespace, and ``lanewise`` has each of its names. Each family has a file, with defaults, checks and
documentation; table.py says what there is to say of each elementwise function. The arithmetic is in lanewise.kernels,
the bounds are in lanewise.bounds.
"""

from . import (
    activations,
    attention,
    channel_norms,
    gates,
    instance_norms,
    logarithms_of_sums,
    losses,
    norms,
    parametric,
    point_losses,
)
from . import normalize as _normalize
from . import softmax as _softmax
from .activations import *  # noqa: F403
from .attention import *  # noqa: F403
from .channel_norms import *  # noqa: F403
from .gates import *  # noqa: F403
from .instance_norms import *  # noqa: F403
from .logarithms_of_sums import *  # noqa: F403
from .losses import *  # noqa: F403
from .normalize import *  # noqa: F403
from .norms import *  # noqa: F403
from .parametric import *  # noqa: F403
from .point_losses import *  # noqa: F403
from .softmax import *  # noqa: F403

__all__ = [
    *activations.__all__,
    *attention.__all__,
    *channel_norms.__all__,
    *gates.__all__,
    *instance_norms.__all__,
    *logarithms_of_sums.__all__,
    *losses.__all__,
    *_normalize.__all__,
    *norms.__all__,
    *parametric.__all__,
    *point_losses.__all__,
    *_softmax.__all__,
]
