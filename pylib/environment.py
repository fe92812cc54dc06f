"""What Python and NumPy compute around the kernels keeps subnormals as these do, whatever the caller's thread does."""

import functools

from .kernels.operands import in_default_environment

__all__ = ["unflushed"]


def unflushed(function):
    """Let a function run in the floating-point environment of the kernels, and give back the caller's after it."""
    @functools.wraps(function)
    def kept(*args, **kwargs):
        return in_default_environment(function, args, kwargs)

    return kept
