"""Four-bit weights in blocks of bytes: GGUF, MXFP4, NVFP4 and bitsandbytes. lanewise.genome.formats shows them."""

import numpy as np

from ..environment import unflushed
from ..packing import numbers, one_of, pack, plain, unpack, whole
from .codes import FLOAT4, NF4
from .packed import (
    FP4,
    INT4_OFFSET,
    IQ4_NL,
    UINT4,
    array_of,
    as_float16,
    e4m3_bytes,
    e4m3_scales,
    e8m0_bytes,
    e8m0_scales,
    matrix_of,
    packed_of,
    parts_of,
)

__all__ = ["GGUF", "read_bitsandbytes", "read_gguf", "read_mxfp4", "read_nvfp4", "write_bitsandbytes", "write_gguf",
           "write_mxfp4", "write_nvfp4"]

#: Of each kind of block in a GGUF file: how many weights and how many bytes a block has, and the codebook.
GGUF = {"Q4_0": (32, 18, INT4_OFFSET), "Q4_1": (32, 20, UINT4), "IQ4_NL": (32, 18, IQ4_NL), "MXFP4": (32, 17, FLOAT4),
        "Q4_K": (256, 144, UINT4), "IQ4_XS": (256, 136, IQ4_NL), "NVFP4": (64, 36, FLOAT4)}


@unflushed
def read_mxfp4(codes, exponents):
    """Read OCP MXFP4 as ONNX, OpenVINO and torchao keep it: E2M1 codes as they lie, an E8M0 byte for each 32.

    Parameters
    ----------
    codes : array_like of uint8, shape (outputs, inputs / 2)
        The words of mlx's ``mode="mxfp4"`` are such bytes: ``words.view(np.uint8)``.
    exponents : array_like of uint8 or float8_e8m0fnu, shape (outputs, inputs / 32)

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If `codes` or `exponents` is of another dtype.
    ValueError
        If a row does not consist of whole blocks, a block has no exponent, or an exponent is NaN.
    """
    codes = array_of("codes", codes, ("uint8",))
    if codes.shape[1] % 16:
        raise ValueError(f"a block of MXFP4 has 16 bytes of codes; got rows of {codes.shape[1]}")
    scale = e8m0_scales(exponents)
    if scale.shape != (len(codes), codes.shape[1] // 16):
        raise ValueError(f"exponents is [{len(codes)}, {codes.shape[1] // 16}]; got {list(scale.shape)}")
    return packed_of(unpack(codes), FLOAT4, scale, None, 32)


@unflushed
def write_mxfp4(packed):
    """Write what `read_mxfp4` reads: (codes, exponents).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook or the groups are others, or a scale is no power of two from 2^-127 to 2^127.
    """
    codes, scale, _ = parts_of(packed, FLOAT4, 32)
    return pack(codes), e8m0_bytes(scale)


@unflushed
def read_nvfp4(codes, scales, *, multiplier=None, divisor=None):
    """Read NVFP4: E2M1 codes as they lie, an E4M3 byte for each 16, and one number that all scales have in common.

    Nothing in a file says which way that number goes: compressed-tensors divides by its ``weight_global_scale``, a
    `divisor`; ModelOpt's ``weight_scale_2`` and torchao's ``per_tensor_scale`` are a `multiplier`.

    Parameters
    ----------
    codes : array_like of uint8, shape (outputs, inputs / 2)
        The words of mlx's ``mode="nvfp4"`` are such bytes, ``words.view(np.uint8)``, and have no number in common.
    scales : array_like of uint8 or float8_e4m3fn, shape (outputs, inputs / 16)
    multiplier, divisor : float, optional
        At most one of the two, above zero: as float32, what every scale is multiplied or divided by.

    Returns
    -------
    Packed
        With groups of 16.

    Raises
    ------
    TypeError
        If `codes` or `scales` is of another dtype, or the number in common is none.
    ValueError
        If a row does not consist of whole blocks, a block has no scale, a scale is not finite, or `multiplier` or
        `divisor` is not finite and above zero, or both are given.
    """
    codes = array_of("codes", codes, ("uint8",))
    if codes.shape[1] % 8:
        raise ValueError(f"a block of NVFP4 has 8 bytes of codes; got rows of {codes.shape[1]}")
    scale = e4m3_scales(scales, *_common(multiplier, divisor))
    if scale.shape != (len(codes), codes.shape[1] // 8):
        raise ValueError(f"scales is [{len(codes)}, {codes.shape[1] // 8}]; got {list(scale.shape)}")
    return packed_of(unpack(codes), FLOAT4, scale, None, 16)


@unflushed
def write_nvfp4(packed, *, multiplier=None, divisor=None):
    """Write what `read_nvfp4` reads with the same number in common: (codes, scales as uint8).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If a scale is no number of E4M3, times that number: nothing is rounded.
    """
    codes, scale, _ = parts_of(packed, FLOAT4, 16)
    return pack(codes), e4m3_bytes(scale, *_common(multiplier, divisor))


def _common(multiplier, divisor):
    # the number that all scales have in common, and whether they are divided by it
    if multiplier is not None and divisor is not None:
        raise ValueError("multiplier and divisor are the same number in two conventions; give one of them")
    name = "multiplier" if divisor is None else "divisor"
    given = 1 if multiplier is None and divisor is None else multiplier if divisor is None else divisor
    number = numbers(name, given, np.float32)
    if number.size != 1 or not 0 < number.reshape(()) < np.inf:
        raise ValueError(f"{name} is one finite number above zero; got {given!r:.60}")
    return number.reshape(()), divisor is not None


@unflushed
def read_gguf(kind, blocks):
    """Read rows of blocks as GGUF files have them.

    Parameters
    ----------
    kind : {"Q4_0", "Q4_1", "IQ4_NL", "MXFP4", "Q4_K", "IQ4_XS", "NVFP4"}
    blocks : array_like of uint8, shape (outputs, bytes)
        Of a row one block after the other, 32 weights each, of Q4_K and IQ4_XS 256, of NVFP4 64.

    Returns
    -------
    Packed
        With groups of 32, of NVFP4 of 16. Decoded, the numbers of ``gguf.quants.dequantize``, to the bit.

    Raises
    ------
    ValueError
        If a row does not consist of whole blocks, or a scale is not finite.
    """
    weights, size, codebook = GGUF[one_of("kind", kind, GGUF)]
    blocks = array_of("blocks", blocks, ("uint8",))
    if blocks.shape[1] % size:
        raise ValueError(f"a block of {kind} has {size} bytes; got rows of {blocks.shape[1]}")
    rows = len(blocks)
    blocks = np.ascontiguousarray(blocks).reshape(rows, -1, size)
    if kind == "MXFP4":
        # ggml's table is doubled and its scale halved: together E2M1 times E8M0, but that 255 is no NaN there
        scale, offset, halves = e8m0_scales(blocks[..., 0]), None, blocks[..., None, 1:]
    elif kind == "NVFP4":
        scale, offset, halves = e4m3_scales(blocks[..., :4]), None, blocks[..., 4:].reshape(rows, -1, 4, 8)
        if (blocks[..., :4] > 127).any():
            raise ValueError("a scale of NVFP4 in GGUF has no sign; got one with the highest bit")
    elif kind == "IQ4_XS":
        six = _signed_sixes(blocks[..., 2:8])
        scale, offset, halves = _times(_halves(blocks[..., :2])[..., None], six), None, blocks[..., 8:].reshape(
            rows, -1, 8, 16)
    elif kind == "Q4_K":
        d, least = (_halves(blocks[..., k:k + 2])[..., None] for k in (0, 2))
        six, six_of_least = _sixes(blocks[..., 4:16])
        scale, offset, halves = _times(d, six), -_times(least, six_of_least), blocks[..., 16:].reshape(rows, -1, 4, 32)
    else:
        scale, offset = _halves(blocks[..., :2]), _halves(blocks[..., 2:4]) if kind == "Q4_1" else None
        halves = blocks[..., None, size - 16:]
    # a byte holds elements j and j + half of the run
    codes = np.stack([halves & 15, halves >> 4], axis=-2).reshape(rows, blocks.shape[1] * weights)
    offset = None if offset is None else offset.reshape(rows, -1)
    return packed_of(codes, codebook, scale.reshape(rows, -1), offset, _group_of(kind))


@unflushed
def write_gguf(kind, packed):
    """Write what `read_gguf` reads, of a `Packed` with its codebook and groups, and offsets of Q4_1 and Q4_K alone.

    Parameters
    ----------
    kind : str
    packed : Packed

    Returns
    -------
    ndarray of uint8, shape (outputs, bytes)

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the format has not its codebook, groups or offsets, or cannot hold a number exactly: nothing is rounded.
    """
    weights, _, codebook = GGUF[one_of("kind", kind, GGUF)]
    codes, scale, offset = parts_of(packed, codebook, _group_of(kind), kind in ("Q4_1", "Q4_K"))
    rows = len(codes)
    if codes.shape[1] % weights:
        raise ValueError(f"a block of {kind} has {weights} weights; got rows of {codes.shape[1]}")
    runs = codes.reshape(rows, codes.shape[1] // weights, -1, 2, {"Q4_K": 32, "NVFP4": 8}.get(kind, 16))
    halves = (runs[..., 0, :] | runs[..., 1, :] << 4).reshape(*runs.shape[:2], -1)
    if kind == "MXFP4":
        head = [e8m0_bytes(scale)[..., None]]
    elif kind == "NVFP4":
        if np.signbit(scale).any():
            raise ValueError("a scale of NVFP4 in GGUF has no sign; got a negative one")
        head = [e4m3_bytes(scale).reshape(rows, -1, 4)]
    elif kind == "IQ4_XS":
        d, six = _factored(kind, "scale", scale.reshape(rows, -1, 8), -32, 31)
        head = [_bytes_of(d), _of_signed_sixes(six)]
    elif kind == "Q4_K":
        d, six = _factored(kind, "scale", scale.reshape(rows, -1, 8), 0, 63)
        least, six_of_least = _factored(kind, "offset", -offset.reshape(rows, -1, 8), 0, 63)
        head = [_bytes_of(d), _bytes_of(least), _of_sixes(six, six_of_least)]
    else:
        head = [_bytes_of(as_float16("scale", scale))]
        head += [_bytes_of(as_float16("offset", offset))] if kind == "Q4_1" else []
    return np.concatenate([*head, halves], axis=-1).reshape(rows, -1)


def _group_of(kind):
    return 16 if kind == "NVFP4" else 32


def _halves(raw):
    with np.errstate(all="ignore"):  # any bits may stand there
        return np.ascontiguousarray(raw).view("<f2")[..., 0].astype(np.float32)


def _times(factor, six):
    with np.errstate(all="ignore"):  # infinity times 0 is refused later
        return factor * six


def _bytes_of(halves):
    return np.ascontiguousarray(halves.astype("<f2"))[..., None].view(np.uint8)


def _sixes(raw):
    # Q4_K: eight numbers of six bits, and eight more. Bytes 0 to 3 have the first four of the one, bytes 4 to 7 of the
    # other, and in their upper two bits the upper bits of the rest, whose lower four share bytes 8 to 11.
    first, second, shared = raw[..., :4], raw[..., 4:8], raw[..., 8:]
    return (np.concatenate([first & 63, shared & 15 | first >> 6 << 4], axis=-1).astype(np.float32),
            np.concatenate([second & 63, shared >> 4 | second >> 6 << 4], axis=-1).astype(np.float32))


def _of_sixes(six, other):
    low, high, other_low, other_high = six[..., :4], six[..., 4:], other[..., :4], other[..., 4:]
    return np.concatenate([low | high >> 4 << 6, other_low | other_high >> 4 << 6, high & 15 | (other_high & 15) << 4],
                          axis=-1)


def _signed_sixes(raw):
    # IQ4_XS: eight numbers of six bits, less 32: the upper two bits of all, then the lower four, the first one lowest
    high = np.ascontiguousarray(raw[..., :2]).view("<u2") >> np.arange(0, 16, 2, np.uint16) & 3
    low = np.stack([raw[..., 2:] & 15, raw[..., 2:] >> 4], axis=-1).reshape(high.shape)
    return (low | high << 4).astype(np.float32) - 32


def _of_signed_sixes(six):
    six = (six + 32).astype(np.uint16)
    high = (six >> 4 << np.arange(0, 16, 2, np.uint16)).sum(axis=-1, dtype=np.uint16, keepdims=True)
    low = six[..., ::2] & 15 | (six[..., 1::2] & 15) << 4
    return np.concatenate([high.astype("<u2").view(np.uint8), low.astype(np.uint8)], axis=-1)


def _factored(kind, name, given, low, high):
    # A float16 and whole numbers in a range whose products these are: the one of largest magnitude is the end of the
    # range of largest magnitude times the factor wherever that serves, as quantisers have it.
    largest = np.take_along_axis(given, np.abs(given).argmax(axis=-1, keepdims=True), axis=-1)
    factor, found = np.zeros_like(largest), largest == 0
    for k in sorted({*range(low, high + 1)} - {0}, key=abs, reverse=True):
        with np.errstate(all="ignore"):
            candidate = (largest / np.float32(k)).astype(np.float16).astype(np.float32)
            times = np.rint(given / candidate)
            same = times * candidate == given
        fits = (same & (times >= low) & (times <= high)).all(axis=-1, keepdims=True) & ~found
        factor, found = np.where(fits, candidate, factor), found | fits
    if not found.all():
        raise ValueError(f"{kind} keeps each {name} of 256 weights as one float16 times {low} to {high}; got others")
    six = np.rint(np.divide(given, factor, out=np.zeros_like(given), where=factor != 0))
    return factor[..., 0].astype(np.float16), six.astype(np.int8 if low < 0 else np.uint8)


@unflushed
def read_bitsandbytes(kind, codes, absmax, shape, blocksize=64):
    """Read what ``bitsandbytes.functional.quantize_4bit`` makes, without its second quantisation of `absmax`.

    Parameters
    ----------
    kind : {"NF4", "FP4"}
    codes : array_like of uint8, of outputs * inputs / 2 elements
        The higher nibble first.
    absmax : array_like of float32, of outputs * inputs / blocksize elements
    shape : (int, int)
        (outputs, inputs), with inputs a multiple of `blocksize`.
    blocksize : int

    Returns
    -------
    Packed

    Raises
    ------
    TypeError
        If an array is of another dtype, or another argument of another kind.
    ValueError
        If shapes do not fit together, a group is neither a multiple of 16 weights nor a whole row, or a number is not
        finite.
    """
    one_of("kind", kind, ("NF4", "FP4"))
    outputs, inputs = matrix_of(shape)
    codes, absmax = plain("codes", codes), plain("absmax", absmax)
    absmax = absmax.astype(absmax.dtype.newbyteorder("="), copy=False)
    if codes.dtype != np.uint8 or absmax.dtype != np.float32:
        raise TypeError(f"codes hold uint8 and absmax float32; got {codes.dtype} and {absmax.dtype}")
    blocksize = whole("blocksize", blocksize, np.iinfo(np.intp).max)
    if not blocksize or inputs % blocksize or blocksize % 16:
        raise ValueError(f"rows are whole blocks of {blocksize}, a multiple of 16; got {inputs} inputs")
    if 2 * codes.size != outputs * inputs or absmax.size * blocksize != outputs * inputs:
        raise ValueError(f"codes and absmax of [{outputs}, {inputs}] in blocks of {blocksize} have "
                         f"{outputs * inputs // 2} and {outputs * inputs // blocksize} elements; got {codes.size} and "
                         f"{absmax.size}")
    codes = codes.reshape(outputs, -1)
    return packed_of(unpack(codes >> 4 | codes << 4), NF4 if kind == "NF4" else FP4, absmax.reshape(outputs, -1), None,
                   blocksize)


@unflushed
def write_bitsandbytes(kind, packed):
    """Write what `read_bitsandbytes` reads: (codes of shape (n / 2, 1), absmax of shape (n / blocksize,)).

    Raises
    ------
    TypeError
        If `packed` is no `Packed`.
    ValueError
        If the codebook is another one, or there are offsets.
    """
    one_of("kind", kind, ("NF4", "FP4"))
    codes, scale, _ = parts_of(packed, NF4 if kind == "NF4" else FP4)
    codes = pack(codes)
    return (codes >> 4 | codes << 4).reshape(-1, 1), scale.reshape(-1)
