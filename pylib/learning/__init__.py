"""Learning by the chain rule: a linear layer, dropout, optimisers' steps, initial weights, layers made of these; the
reparametrised normal of variational autoencoders, and when to stop thinking; and how gradients fare in deep stacks.

Here is the namespace, which ``lanewise`` takes over name by name when one is first used. There is no tape: a layer of
`layers` has a forward and a backward, and its arrays are there to be looked at. Defaults, checks and documentation are
here, the arithmetic is in lanewise.kernels, and the bounds are in lanewise.bounds.
"""

from . import dropping, flow, halting, initial, layers, optimise, reparameterise
from . import linear as _linear
from .dropping import *  # noqa: F403
from .flow import *  # noqa: F403
from .halting import *  # noqa: F403
from .initial import *  # noqa: F403
from .linear import *  # noqa: F403
from .optimise import *  # noqa: F403
from .reparameterise import *  # noqa: F403

__all__ = [
    "layers",
    *dropping.__all__,
    *flow.__all__,
    *halting.__all__,
    *initial.__all__,
    *_linear.__all__,
    *optimise.__all__,
    *reparameterise.__all__,
]
