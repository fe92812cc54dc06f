"""Four-bit weights in words of eight, and with zero points: mlx, GPTQ, AWQ, compressed-tensors and MatMulNBits.

lanewise.genome.formats shows them.
"""

import numpy as np

from ..environment import unflushed
from ..kernels.operands import truth
from ..packing import numbers, pack, plain, unpack
from .packed import (
    INT4_OFFSET,
    UINT4,
    array_of,
    offset_of,
    offsets_of_zeros,
    packed_of,
    parts_of,
    shaped,
    zeros_of,
)

__all__ = ["read_awq", "read_compressed_tensors", "read_gptq", "read_matmulnbits", "read_mlx", "write_awq",
           "write_compressed_tensors", "write_gptq", "write_matmulnbits", "write_mlx"]

_AWQ_ORDER = np.array([0, 2, 4, 6, 1, 3, 5, 7])  # which output the n-th nibble of a word belongs to


@unflushed
def read_matmulnbits(codes, scales, zero_points=None):
    """Read the weights of ONNX Runtime's MatMulNBits of 4 bits.

    Errors are those of `read_bitsandbytes`.

    Parameters
    ----------
    codes : array_like of uint8, shape (outputs, blocks, bytes)
        The lower nibble first.
    scales : array_like of float, of outputs * blocks elements
    zero_points : array_like of uint8, of outputs * ceil(blocks / 2) elements, optional
        Packed as the codes are; by default 8 for all.

    Returns
    -------
    Packed
        Of whole blocks: where inputs are fewer, cut `weights()`, or fill x with zeros.
    """
    codes = array_of("codes", codes, ("uint8",), 3)
    outputs, blocks, size = codes.shape
    scales = numbers("scales", scales, np.float32)
    if scales.size != outputs * blocks:
        raise ValueError(f"scales are [{outputs}, {blocks}]; got {list(scales.shape)}")
    scales, zeros = scales.reshape(outputs, blocks), None
    if zero_points is not None:
        zero_points = plain("zero_points", zero_points)
        if zero_points.dtype != np.uint8 or zero_points.size != outputs * ((blocks + 1) // 2):
            raise ValueError(f"zero_points are uint8[{outputs}, {(blocks + 1) // 2}]; got {zero_points.dtype}"
                             f"{list(zero_points.shape)}")
        zeros = unpack(zero_points.reshape(outputs, -1), blocks)
    return packed_of(unpack(codes).reshape(outputs, -1), INT4_OFFSET if zeros is None else UINT4, scales,
                   None if zeros is None else offsets_of_zeros(zeros, scales), 2 * size)


@unflushed
def write_matmulnbits(packed):
    """Write what `read_matmulnbits` reads: (codes, scales in float32, zero_points or None).

    Errors are those of `write_gguf`.
    """
    shifted = offset_of(packed) is not None
    codes, scale, offset = parts_of(packed, UINT4 if shifted else INT4_OFFSET, offsets=True)
    zeros = pack(zeros_of(scale, offset, 0, 15)) if shifted else None
    return pack(codes.reshape(len(codes), -1, packed.group)), scale, zeros


@unflushed
def read_mlx(words, scales, biases):
    """Read what ``mlx.core.quantize`` makes with ``mode="affine"`` and 4 bits.

    Errors are those of `read_bitsandbytes`.

    Parameters
    ----------
    words : array_like of uint32, shape (outputs, inputs / 8)
    scales, biases : array_like of float, shape (outputs, groups)

    Returns
    -------
    Packed
    """
    words = array_of("words", words, ("uint32",))
    scales = array_of("scales", scales, ("float16", "bfloat16", "float32"))
    if len(scales) != len(words) or 8 * words.shape[1] % scales.shape[1]:
        raise ValueError(f"scales are [{len(words)}, groups], with as many inputs in each of the {8 * words.shape[1]}; "
                         f"got {list(scales.shape)}")
    biases = shaped("biases", biases, scales.shape)
    return packed_of(_of_words(words), UINT4, scales, biases, 8 * words.shape[1] // scales.shape[1])


@unflushed
def write_mlx(packed):
    """Write what `read_mlx` reads: (words, scales, biases), the last two in float32.

    Errors are those of `write_gguf`.
    """
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    return _words(codes), scale, offset


@unflushed
def read_compressed_tensors(words, scale):
    """Read ``weight_packed`` and ``weight_scale`` of compressed-tensors, "pack-quantized" with 4 bits, symmetric.

    Errors are those of `read_bitsandbytes`.

    Parameters
    ----------
    words : array_like of int32 or uint32, shape (outputs, inputs / 8)
        Of codes with an offset of 8.
    scale : array_like of float, shape (outputs, groups)

    Returns
    -------
    Packed
    """
    words = array_of("words", words, ("int32", "uint32"))
    scale = array_of("scale", scale, ("float16", "bfloat16", "float32"))
    if len(scale) != len(words) or 8 * words.shape[1] % scale.shape[1]:
        raise ValueError(f"scale is [{len(words)}, groups], with as many inputs in each of the {8 * words.shape[1]}; "
                         f"got {list(scale.shape)}")
    return packed_of(_of_words(words), INT4_OFFSET, scale, None, 8 * words.shape[1] // scale.shape[1])


@unflushed
def write_compressed_tensors(packed):
    """Write what `read_compressed_tensors` reads: (words, scale in float32).

    Errors are those of `write_gguf`.
    """
    codes, scale, _ = parts_of(packed, INT4_OFFSET)
    return _words(codes).view(np.int32), scale


@unflushed
def read_gptq(qweight, qzeros, scales, *, zeros_less_one=True):
    """Read a layer of GPTQ, 4 bits, whose inputs are in their own order (``desc_act=False``).

    Errors are those of `read_bitsandbytes`.

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
    """
    less = int(truth("read_gptq", "zeros_less_one", zeros_less_one))
    qweight = array_of("qweight", qweight, ("int32", "uint32"))
    return _with_zeros(_of_words(qweight.T), qzeros, scales, less, None)


@unflushed
def write_gptq(packed, *, zeros_less_one=True):
    """Write what `read_gptq` reads: (qweight, qzeros, scales), the last in float32.

    Errors are those of `write_gguf`.
    """
    less = int(truth("write_gptq", "zeros_less_one", zeros_less_one))
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    zeros = zeros_of(scale, offset, less, 15 + less) - np.uint8(less)
    return (np.ascontiguousarray(_words(codes).T).view(np.int32), _words(zeros.T).view(np.int32),
            np.ascontiguousarray(scale.T))


@unflushed
def read_awq(qweight, qzeros, scales):
    """Read a layer of AWQ, 4 bits ("gemm"): the outputs of a word in the order 0 2 4 6 1 3 5 7.

    Errors are those of `read_bitsandbytes`.

    Parameters
    ----------
    qweight : array_like of int32 or uint32, shape (inputs, outputs / 8)
    qzeros : array_like of int32 or uint32, shape (groups, outputs / 8)
    scales : array_like of float, shape (groups, outputs)

    Returns
    -------
    Packed
    """
    qweight = array_of("qweight", qweight, ("int32", "uint32"))
    return _with_zeros(_reordered(_of_words(qweight), np.argsort(_AWQ_ORDER)).T, qzeros, scales, 0, _AWQ_ORDER)


@unflushed
def write_awq(packed):
    """Write what `read_awq` reads: (qweight, qzeros, scales), the last in float32.

    Errors are those of `write_gguf`.
    """
    codes, scale, offset = parts_of(packed, UINT4, offsets=True)
    zeros = zeros_of(scale, offset, 0, 15)
    return (_words(_reordered(codes.T, _AWQ_ORDER)).view(np.int32),
            _words(_reordered(zeros.T, _AWQ_ORDER)).view(np.int32), np.ascontiguousarray(scale.T))


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
