"""Lanewise."""
from .kernels import LEVEL  # noqa: F401
from .norms import layer_norm, layer_norm_backward, rms_norm, rms_norm_backward  # noqa: F401
