"""Lanewise."""
from .kernels import LEVEL  # noqa: F401
