"""Four-bit weights in words of eight, and with zero points: mlx, GPTQ, AWQ, compressed-tensors, MatMulNBits, HQQ.

lanewise.genome.formats shows them.
"""

import numpy as np

from ..environment import unflushed
from ..kernels.operands import truth
from ..packing import numbers, pack, unpack
from .packed import (
    INT4_OFFSET,
    UINT4,
    array_of,
    flat_or,
    matrix_of,
    offset_of,
    offsets_of_zeros,
    packed_of,
    parts_of,
    shaped,
    zeros_of,
)

__all__ = ["read_awq", "read_compressed_tensors", "read_gptq", "read_hqq", "read_matmulnbits", "read_mlx", "write_awq",
           "write_compressed_tensors", "write_gptq", "write_hqq", "write_matmulnbits", "write_mlx"]

_AWQ_ORDER = np.array([0, 2, 4, 6, 1, 3, 5, 7])  # which output the n-th nibble of a word belongs to


@unflushed
def read_matmulnbits(codes, scales, zero_points=None):
    """Read the weights of ONNX Runtime's MatMulNBits of 4 bits.

    Parameters
    ----------
    codes : array_like of uint8, shape (outputs, blocks, bytes)
        The lower nibble first.
    scales : array_like of float, shape (outputs, blocks) or (outputs * blocks,)
    zero_points : array_like of uint8, shape (outputs, ceil(blocks / 2)) or as many along one axis, optional
        Packed as the codes are; by default 8 for all.

    Returns
    -------
    Packed
        Of whole blocks: where inputs are fewer, cut `weights()`, or fill x with zeros.

    Raises
    ------
    TypeError
        If an array is of another dtype.
    ValueError
        If an array has another shape, or a scale is not finite.
    """
    codes = array_of("codes", codes, ("uint8",), 3)
    outputs, blocks, size = codes.shape
    scales, zeros = numbers("scales", flat_or("scales", scales, (outputs, blocks)), np.float32), None
    if zero_points is not None:
        zeros = unpack(flat_or("zero_points", zero_points, (outputs, (blocks + 1) // 2), ("uint8",)), blocks)
    return packed_of(unpack(codes).reshape(outputs, -1), INT4_OFFSET if zeros is None else UINT4, scales,
                   None if zeros is None else offsets_of_zeros(zeros, scales), 2 * size)


@unflushed
def write_matmulnbits(packed):
    """Write what `read_matmulnbits` reads: (codes, scales in float32, zero_points or None).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, or an offset is not minus 0 to 15 times its scale.
    """
    shifted = offset_of(packed) is not None
    codes, scale, offset = parts_of(packed, UINT4 if shifted else INT4_OFFSET, offsets=True)
    zeros = pack(zeros_of(scale, offset, 0, 15)) if shifted else None
    return pack(codes.reshape(len(codes), -1, packed.group)), scale, zeros


@unflushed
def read_mlx(words, scales, biases):
    """Read what ``mlx.core.quantize`` makes with ``mode="affine"`` and 4 bits.

    Parameters
    ----------
    words : array_like of uint32, shape (outputs, inputs / 8)
    scales, biases : array_like of float, shape (outputs, groups)

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If an array is of another dtype.
    ValueError
        If `scales` or `biases` have another shape, or hold what is not finite.
    """
    words = array_of("words", words, ("uint32",))
    scales, group = _scales_of("scales", scales, words)
    return packed_of(_of_words(words), UINT4, scales, shaped("biases", biases, scales.shape), group)


@unflushed
def write_mlx(packed):
    """Write what `read_mlx` reads: (words, scales, biases), the last two in float32.

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, or inputs are no multiple of 8.
    """
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    return _words(codes), scale, offset


@unflushed
def read_compressed_tensors(words, scale):
    """Read ``weight_packed`` and ``weight_scale`` of compressed-tensors, "pack-quantized" with 4 bits, symmetric.

    Parameters
    ----------
    words : array_like of int32 or uint32, shape (outputs, inputs / 8)
        Of codes with an offset of 8.
    scale : array_like of float, shape (outputs, groups)

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If an array is of another dtype.
    ValueError
        If `scale` has another shape, or holds what is not finite.
    """
    words = array_of("words", words, ("int32", "uint32"))
    scale, group = _scales_of("scale", scale, words)
    return packed_of(_of_words(words), INT4_OFFSET, scale, None, group)


@unflushed
def write_compressed_tensors(packed):
    """Write what `read_compressed_tensors` reads: (words, scale in float32).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, there are offsets, or inputs are no multiple of 8.
    """
    codes, scale, _ = parts_of(packed, INT4_OFFSET)
    return _words(codes).view(np.int32), scale


@unflushed
def read_gptq(qweight, qzeros, scales, *, zeros_less_one=True):
    """Read a layer of GPTQ, 4 bits, whose inputs are in their own order (``desc_act=False``).

    Parameters
    ----------
    qweight : array_like of int32 or uint32, shape (inputs / 8, outputs)
    qzeros : array_like of int32 or uint32, shape (groups, outputs / 8)
    scales : array_like of float, shape (groups, outputs)
    zeros_less_one : bool
        Whether zero points are stored less one, as the format's first version ("gptq") has them and "gptq_v2" has not.

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If an array is of another dtype.
    ValueError
        If `qzeros` or `scales` do not fit `qweight`, or a scale is not finite.
    """
    less = int(truth("read_gptq", "zeros_less_one", zeros_less_one))
    qweight = array_of("qweight", qweight, ("int32", "uint32"))
    return _with_zeros(_of_words(qweight.T), qzeros, scales, less, None)


@unflushed
def write_gptq(packed, *, zeros_less_one=True):
    """Write what `read_gptq` reads: (qweight, qzeros, scales), the last in float32.

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, an offset is not minus a zero point times its scale, or
        inputs or outputs are no multiple of 8.
    """
    less = int(truth("write_gptq", "zeros_less_one", zeros_less_one))
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    zeros = zeros_of(scale, offset, less, 15 + less) - np.uint8(less)
    return (np.ascontiguousarray(_words(codes).T).view(np.int32), _words(zeros.T).view(np.int32),
            np.ascontiguousarray(scale.T))


@unflushed
def read_awq(qweight, qzeros, scales):
    """Read a layer of AWQ, 4 bits ("gemm"): the outputs of a word in the order 0 2 4 6 1 3 5 7.

    Parameters
    ----------
    qweight : array_like of int32 or uint32, shape (inputs, outputs / 8)
    qzeros : array_like of int32 or uint32, shape (groups, outputs / 8)
    scales : array_like of float, shape (groups, outputs)

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If an array is of another dtype.
    ValueError
        If `qzeros` or `scales` do not fit `qweight`, or a scale is not finite.
    """
    qweight = array_of("qweight", qweight, ("int32", "uint32"))
    return _with_zeros(_reordered(_of_words(qweight), np.argsort(_AWQ_ORDER)).T, qzeros, scales, 0, _AWQ_ORDER)


@unflushed
def write_awq(packed):
    """Write what `read_awq` reads: (qweight, qzeros, scales), the last in float32.

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, an offset is not minus a zero point times its scale, or
        outputs are no multiple of 8.
    """
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    zeros = zeros_of(scale, offset, 0, 15)
    return (_words(_reordered(codes.T, _AWQ_ORDER)).view(np.int32),
            _words(_reordered(zeros.T, _AWQ_ORDER)).view(np.int32), np.ascontiguousarray(scale.T))


def _scales_of(name, given, words):
    # scales [outputs, groups] of words along the inputs, and how many inputs a group has
    inputs, scales = 8 * words.shape[1], array_of(name, given, ("float16", "bfloat16", "float32"))
    if len(scales) != len(words) or inputs % scales.shape[1]:
        raise ValueError(f"{name} is [{len(words)}, groups], with as many of the {inputs} inputs in each; got "
                         f"{list(scales.shape)}")
    return scales, inputs // scales.shape[1]


def _words(codes):
    # eight codes of the last axis in a uint32, the first lowest
    if codes.shape[-1] % 8:
        raise ValueError(f"eight codes share a word; got {codes.shape[-1]}")
    return pack(codes).view(np.dtype("<u4")).astype(np.uint32)


def _of_words(words):
    return unpack(np.ascontiguousarray(words).view(np.uint32).astype("<u4").view(np.uint8))


def _reordered(codes, order):
    # within each eight of the last axis
    if codes.shape[-1] % 8:
        raise ValueError(f"eight outputs share a word; got {codes.shape[-1]}")
    return codes.reshape(*codes.shape[:-1], -1, 8)[..., order].reshape(codes.shape)


def _with_zeros(codes, qzeros, scales, less, order):
    # codes[outputs, inputs], with zero points in words along the outputs
    outputs, inputs = codes.shape
    scales = array_of("scales", scales, ("float16", "bfloat16", "float32"))
    if scales.shape[1] != outputs or inputs % len(scales):
        raise ValueError(f"scales are [groups, {outputs}], with as many of the {inputs} inputs in each; got "
                         f"{list(scales.shape)}")
    qzeros = array_of("qzeros", qzeros, ("int32", "uint32"))
    if qzeros.shape != (len(scales), outputs // 8) or outputs % 8:
        raise ValueError(f"qzeros are [{len(scales)}, {outputs / 8:g}], eight outputs a word; got {list(qzeros.shape)}")
    zeros = _of_words(qzeros)
    zeros = (zeros if order is None else _reordered(zeros, np.argsort(order))) + np.uint8(less)
    return packed_of(codes, UINT4, scales.T, offsets_of_zeros(zeros, scales).T, inputs // len(scales))


@unflushed
def read_hqq(codes, scale, zero, shape):
    """Read a layer of HQQ, 4 bits along axis 1: groups as rows, the first half of them in the higher nibbles.

    Parameters
    ----------
    codes : array_like of uint8, shape (groups / 2, group)
        Of all groups of the matrix, row by row.
    scale, zero : array_like of float, shape (groups, 1) or (groups,)
    shape : (int, int)
        (outputs, inputs).

    Returns
    -------
    Packed

    Raises
    ------
    TypeError, ValueError
        If an array is of another dtype or shape, a row no whole groups, or a scale not finite.
    """
    codes = array_of("codes", codes, ("uint8",))
    outputs, inputs = matrix_of(shape)
    count, group = 2 * len(codes), codes.shape[1]
    if count * group != outputs * inputs or inputs % group:
        raise ValueError(f"codes of [{outputs}, {inputs}] in groups of {group} are "
                         f"[{outputs * inputs / (2 * group):g}, {group}], whole groups in a row; got "
                         f"{list(codes.shape)}")
    scale, zero = (numbers(name, flat_or(name, given, (count, 1)), np.float32)
                   for name, given in (("scale", scale), ("zero", zero)))
    scale = scale.reshape(outputs, -1)
    codes = np.concatenate([codes >> 4, codes & 15]).reshape(outputs, inputs)
    return packed_of(codes, UINT4, scale, offsets_of_zeros(zero.reshape(outputs, -1), scale), group)


@unflushed
def write_hqq(packed):
    """Write what `read_hqq` reads: (codes, scale, zero), the last two float32 of shape (groups, 1).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the number of groups is odd, or an offset is no zero point times its scale in float32.
    """
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    groups = codes.reshape(-1, packed.group)
    if len(groups) % 2:
        raise ValueError(f"half of the groups share bytes with the other half; got {len(groups)}")
    with np.errstate(all="ignore"):
        zero = np.where(scale == 0, np.float32(0), -offset / scale)
    if not (offsets_of_zeros(zero, scale) == offset).all():
        raise ValueError("this format keeps a zero point for each group, an offset that is minus so many scales in "
                         "float32; got another offset")
    first, second = groups[:len(groups) // 2], groups[len(groups) // 2:]
    return first << 4 | second, scale.reshape(-1, 1), zero.reshape(-1, 1)
