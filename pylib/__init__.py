"""Lanewise: neural-network kernels for the CPU, with published error bounds."""

from .activations import *  # noqa: F403
