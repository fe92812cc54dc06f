# A type checker passes on what a stub imports by a star, but not what a module does.
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
