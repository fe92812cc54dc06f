"""Blocks of numbers that share a scale: the OCP Microscaling formats, and NVFP4, which has a scale for the array too.

The arithmetic is in lanewise.kernels.ieee754; here are options and errors. All is lanewise.ieee754 to the user.
"""

import math
from typing import NamedTuple

import numpy as np

from .. import packing as _packing
from ..environment import unflushed
from ..formats import (
    BINARY32,
    BINARY64,
    FLOAT4_E2M1FN,
    FLOAT6_E2M3FN,
    FLOAT6_E3M2FN,
    FLOAT8_E4M3FN,
    FLOAT8_E5M2,
    FLOAT8_E8M0FNU,
    MXINT8,
    Format,
)
from ..kernels import ieee754 as _kernels
from ..kernels.operands import number_given, precision_given, whole
from .fields import whole_numbers
from .rounding import check_whole

__all__ = ["mx_decode", "mx_encode"]


ROUNDINGS = ("nearest", "half_away", "zero")
_LARGEST_OF_NVFP4 = 6.0 * 448.0  # the largest element times the largest scale of a block


class _Blocks(NamedTuple):
    # what shares a scale
    element: Format
    scale: Format
    size: int


BLOCKS = {
    "mxfp8_e5m2": _Blocks(FLOAT8_E5M2, FLOAT8_E8M0FNU, 32),
    "mxfp8_e4m3": _Blocks(FLOAT8_E4M3FN, FLOAT8_E8M0FNU, 32),
    "mxfp6_e3m2": _Blocks(FLOAT6_E3M2FN, FLOAT8_E8M0FNU, 32),
    "mxfp6_e2m3": _Blocks(FLOAT6_E2M3FN, FLOAT8_E8M0FNU, 32),
    "mxfp4": _Blocks(FLOAT4_E2M1FN, FLOAT8_E8M0FNU, 32),
    "mxint8": _Blocks(MXINT8, FLOAT8_E8M0FNU, 32),
    "nvfp4": _Blocks(FLOAT4_E2M1FN, FLOAT8_E4M3FN, 16),
}


def _named(name, given):
    if not isinstance(given, str):
        raise TypeError(f"{name}: format is a name, one of {', '.join(BLOCKS)}; got {given!r:.60}")
    if given.lower() not in BLOCKS:
        raise ValueError(f"{name}: {given!r} is no format of blocks; expected one of {', '.join(BLOCKS)}")
    return BLOCKS[given.lower()]


def _scale_of(name, value):
    """A tensor's scale as a float32, in a float."""
    with np.errstate(all="ignore"):
        value = float(np.float32(number_given(name, "tensor_scale", value)))
    if not 0 < value < math.inf:
        raise ValueError(f"{name}: tensor_scale must be a finite float32 above 0, not {value}")
    return value


@unflushed
def mx_encode(x, format, *, axis=-1, rounding="nearest", tensor_scale=None):
    """Round numbers into blocks along an axis that share a scale.

    Parameters
    ----------
    x : array_like, shape (..., n)
        Numbers; float16, bfloat16 and integers of up to 16 bits are taken as float32, wider integers as float64.
    format : {"mxfp8_e5m2", "mxfp8_e4m3", "mxfp6_e3m2", "mxfp6_e2m3", "mxfp4", "mxint8", "nvfp4"}
        OCP's formats have blocks of 32 and a scale that is a power of two, in float8_e8m0fnu; nvfp4 has blocks of 16
        elements of float4_e2m1fn, a scale in float8_e4m3fn, and a float32 for the whole array. The elements of mxint8
        are integers in two's complement from -127 to 127, in steps of 2**-6. The last block of a row may have fewer
        numbers.
    axis : int
        The axis of the blocks, n long; the last one by default.
    rounding : {"nearest", "half_away", "zero"}
        As for ``encode``.
    tensor_scale : float, optional
        Of nvfp4 alone: the scale of the whole array. By default the largest magnitude of its finite numbers over
        6 * 448, or 1 where that is 0.

    Returns
    -------
    codes : ndarray of uint8
        The codes of the elements, of the shape of `x`; ``pack`` puts those of four bits two per byte.
    scales : ndarray of uint8, shape (..., ceil(n / block))
        The codes of the scales, along the same axis.
    tensor_scale : numpy.float32
        Of nvfp4 alone.

    Raises
    ------
    TypeError
        If `x` is of a dtype that float64 does not hold, or `format` or `tensor_scale` is of another type.
    ValueError
        If a name is unknown, `x` has no such axis, or `tensor_scale` is not above 0 or is of another format's.

    Notes
    -----
    A block with a NaN or an infinity has a NaN for its scale, and decodes to NaN. One of zeros has the smallest scale,
    2**-127 (nvfp4: 2**-6). The scale of OCP's formats is the largest power of two that is no more than the largest
    magnitude, over the largest power of two of the elements, from 2**-127 to 2**127; numbers that are then beyond the
    largest element become that. Each number is rounded once.

    In nvfp4 a block's scale is its largest magnitude over 6 and over the tensor's scale, rounded to float8_e4m3fn, from
    2**-6 to 448; elements are rounded from the product with 1 / tensor_scale / scale. Each of these steps is rounded to
    float32 (float64 for float64), as torchao's are.

    Source: OCP Microscaling Formats (MX) Specification 1.0, 2023, section 6.3; for nvfp4, torchao's ``nvfp4_quantize``.

    Examples
    --------
    >>> import lanewise as lw
    >>> codes, scales = lw.ieee754.mx_encode([1.0, 100.0, -3.0], "mxfp8_e4m3")
    >>> lw.ieee754.mx_decode(codes, scales, "mxfp8_e4m3")
    array([ 1., 96., -3.], dtype=float32)
    """
    blocks = _named("mx_encode", format)
    if not isinstance(rounding, str) or rounding not in ROUNDINGS:
        raise ValueError(f"mx_encode: rounding={rounding!r:.60} is unknown; expected one of {', '.join(ROUNDINGS)}")
    given, x = x, _packing.plain("x", x)
    check_whole(given, x)
    if x.dtype.kind == "O" or (x.dtype.kind not in "biuf" and x.dtype.name != "bfloat16") or (
            x.dtype.kind == "f" and x.dtype.itemsize > 8):
        raise TypeError(f"mx_encode: numbers of dtype {x.dtype}; expected float16, bfloat16, float32, float64 or "
                        f"integers")
    if x.ndim == 0:
        raise ValueError("mx_encode: x has no axis of blocks; expected shape (..., n)")
    axis = _axis("mx_encode", "x", x, axis)
    if x.dtype.kind in "iu" and x.dtype.itemsize == 8:
        near, _ = _kernels.to_odd(x)  # float64 that a second rounding takes for the integer
        x = x if near is None else near
    wide = BINARY64 if x.dtype.itemsize >= 4 and x.dtype != np.float32 else BINARY32
    x = np.require(np.moveaxis(x, axis, -1), wide.native, "CA")
    two_scales = blocks.scale is FLOAT8_E4M3FN
    if two_scales:
        tensor_scale = _largest(x) if tensor_scale is None else _scale_of("mx_encode", tensor_scale)
    elif tensor_scale is not None:
        raise ValueError(f"mx_encode: tensor_scale is of nvfp4; {format} has none")
    codes = np.empty(x.shape, np.uint8)
    scales = np.empty((*x.shape[:-1], -(-x.shape[-1] // blocks.size)), np.uint8)
    if x.size:
        _kernels.on_blocks(x, codes, scales, blocks.size, blocks.element, blocks.scale, wide, rounding,
                           tensor_scale if two_scales else 1.0, True)
    codes, scales = _moved(codes, -1, axis), _moved(scales, -1, axis)
    return (codes, scales, np.float32(tensor_scale)) if two_scales else (codes, scales)


def _axis(name, role, array, axis):
    axis = whole(name, "axis", axis)
    if not -array.ndim <= axis < array.ndim:
        raise ValueError(f"{name}: axis {axis} is out of range for {role} of shape {array.shape}")
    return axis % array.ndim


def _moved(array, axis, to):
    return np.ascontiguousarray(np.moveaxis(array, axis, to))


def _largest(x):
    """The scale of a tensor of nvfp4, in float32."""
    largest = np.abs(x).max(initial=0, where=np.isfinite(x))
    with np.errstate(all="ignore"):
        scale = float(np.float32(largest) / np.float32(_LARGEST_OF_NVFP4))
    return scale if 0 < scale < math.inf else 1.0


@unflushed
def mx_decode(codes, scales, format, *, axis=-1, tensor_scale=None, dtype=np.float32):
    """The numbers that blocks of codes stand for: each element times its scale.

    Parameters
    ----------
    codes : array_like of uint8, shape (..., n)
        The codes of the elements, one per byte; ``unpack`` takes them from bytes that hold two.
    scales : array_like of uint8, shape (..., ceil(n / block))
        The codes of the scales.
    format : str
        As for `mx_encode`.
    axis : int
        The axis of the blocks, as for `mx_encode`.
    tensor_scale : float, optional
        The scale of the whole array, which nvfp4 has; 1 by default.
    dtype : {float32, float64}
        Of OCP's formats float64 holds every product exactly; in float32 those beyond it are infinite.

    Returns
    -------
    ndarray
        Of the shape of `codes`; NaN where the scale is one.

    Raises
    ------
    TypeError
        If codes or scales are not whole numbers, or the dtype is another.
    ValueError
        If a code does not fit a byte, the shapes do not fit, there is no such axis, or the name is unknown.

    Examples
    --------
    >>> import lanewise as lw
    >>> lw.ieee754.mx_decode([2, 4, 15], [128], "mxfp4")
    array([  2.,   4., -12.], dtype=float32)
    """
    blocks = _named("mx_decode", format)
    wide = BINARY32 if precision_given("mx_decode", dtype) == np.float32 else BINARY64
    if blocks.scale is FLOAT8_E4M3FN:
        tensor_scale = 1.0 if tensor_scale is None else _scale_of("mx_decode", tensor_scale)
    elif tensor_scale is not None:
        raise ValueError(f"mx_decode: tensor_scale is of nvfp4; {format} has none")
    codes, scales = (_bytes(name, given, known) for name, given, known in (
        ("codes", codes, blocks.element), ("scales", scales, blocks.scale)))
    if codes.ndim == 0:
        raise ValueError("mx_decode: codes have no axis of blocks; expected shape (..., n)")
    axis = _axis("mx_decode", "codes", codes, axis)
    expected = (*codes.shape[:axis], -(-codes.shape[axis] // blocks.size), *codes.shape[axis + 1:])
    if scales.shape != expected:
        raise ValueError(f"mx_decode: scales of shape {scales.shape} do not fit codes of shape {codes.shape}; expected "
                         f"{expected}")
    codes, scales = _moved(codes, axis, -1), _moved(scales, axis, -1)
    y = np.empty(codes.shape, wide.native)
    if y.size:
        _kernels.on_blocks(y, codes, scales, blocks.size, blocks.element, blocks.scale, wide, "nearest",
                           tensor_scale or 1.0, False)
    return _moved(y, -1, axis)


def _bytes(name, given, format):
    given = _packing.as_array(name, given)
    if format.dtype is not None and given.dtype == format.dtype:
        given = given.view(np.uint8)
    return np.asarray(whole_numbers(_packing.plain(name, given), np.dtype("u1"), name), order="C")
