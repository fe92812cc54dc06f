"""Packed 4-bit genomes: codebooks, packing, random starts, mutation, crossover and distance.

A genome of n weights is ``uint8[ceil(n / 2)]``: weight 2i in the low nibble of byte i, weight 2i + 1 in the high
one, the spare nibble of an odd n zero. A population is ``uint8[size, ceil(n / 2)]``. Random operators draw from a
counter-based generator, keyed by (seed, generation, individual, position): the same seed gives the same bits on any
machine and any number of threads, and each genome can be remade on its own.
"""

import operator

import numpy as np

from .kernels import genome as _kernels

__all__ = [
    "FLOAT4", "INT4", "LOG4", "NF4", "Codebook", "crossover", "decode", "encode", "hamming_distance", "mutate", "pack",
    "random_population", "unpack",
]


class Codebook:
    """What the 16 codes stand for.

    Parameters
    ----------
    levels : array_like of 16 finite float32
        The weight of each code, in any order.
    name : str
        How the codebook is shown.

    """

    def __init__(self, levels, name="custom"):
        levels = np.array(levels, dtype=np.float32)
        if levels.shape != (16,) or not np.isfinite(levels).all():
            raise ValueError(f"a codebook has 16 finite levels; got {levels.tolist()!r}")
        self.name = name
        self.levels = levels
        self.levels.flags.writeable = False
        # What encode asks for: the codes by rising level, and the middle below each. Of equal levels (+0 and -0)
        # the lowest code is used and the others never are, since no weight lies between their equal middles.
        order = np.lexsort((-np.arange(16), levels))
        rising = levels[order].astype(np.float64)
        middles = np.concatenate([[-np.inf], (rising[:-1] + rising[1:]) / 2])
        for i in range(1, 16):
            if rising[i] == rising[i - 1]:
                middles[i] = middles[i - 1]
        self._order = order.astype(np.float32)
        self._middles = middles

    def __repr__(self):
        return f"Codebook({self.name}: {', '.join(f'{level:g}' for level in self.levels)})"

    def __eq__(self, other):
        return isinstance(other, Codebook) and self.levels.tobytes() == other.levels.tobytes()

    def __hash__(self):
        return hash(self.levels.tobytes())


#: Bit 3 is the sign, bits 0 to 2 the exponent e: the weight is +-2^-e, from 1 down to 1/128, and never zero.
LOG4 = Codebook([sign * 2.0**-e for sign in (1, -1) for e in range(8)], "LOG4")
#: Quantiles of the normal distribution, scaled to [-1, 1] (Dettmers et al., "QLoRA", 2023, appendix E).
NF4 = Codebook([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], "NF4")
#: The OCP format E2M1: sign, two bits of exponent, one of fraction; the largest is 6.
FLOAT4 = Codebook([sign * x for sign in (1.0, -1.0) for x in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)], "FLOAT4")
#: Two's complement, -8 to 7.
INT4 = Codebook([*range(8), *range(-8, 0)], "INT4")


def seed_of(rng):
    """Take the 64-bit key of a random stream from an int, or draw one from a ``np.random.Generator``."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**64, dtype=np.uint64))
    try:
        seed = operator.index(rng)
    except TypeError:
        raise TypeError(f"rng is an int or a np.random.Generator; got {type(rng).__name__}") from None
    return _whole("rng", seed, 2**64 - 1)


def _whole(name, value, largest):
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} is an int; got {type(value).__name__}") from None
    if not 0 <= number <= largest:
        raise ValueError(f"{name} is between 0 and {largest}; got {number}")
    return number


def _rows(name, array, dtype):
    # as a C-contiguous matrix with one row for each index of the leading axes
    array = np.asarray(array)
    if array.dtype != dtype:
        raise TypeError(f"{name} holds {np.dtype(dtype)}; got {array.dtype}")
    if array.ndim == 0:
        raise ValueError(f"{name} has at least one axis; got a scalar")
    return np.ascontiguousarray(array).reshape(-1, array.shape[-1]) if array.size else array.reshape(
        int(np.prod(array.shape[:-1])), array.shape[-1])


def _weights_in(name, genomes, n_weights):
    # the number of weights, checked against the number of bytes
    if n_weights is None:
        return 2 * genomes.shape[-1]
    n_weights = _whole("n_weights", n_weights, np.iinfo(np.intp).max)
    if (n_weights + 1) // 2 != genomes.shape[-1]:
        raise ValueError(f"{name} of {n_weights} weights have {(n_weights + 1) // 2} bytes; got {genomes.shape[-1]}")
    return n_weights


def _output(out, rows, shape):
    # a fresh array, or the caller's where it can be written in place; else one to be copied into it
    if out is None:
        return np.empty(rows.shape, np.uint8)
    if not isinstance(out, np.ndarray) or out.dtype != np.uint8 or out.shape != shape:
        given = f"{out.dtype}{list(out.shape)}" if isinstance(out, np.ndarray) else type(out).__name__
        raise ValueError(f"out is an array uint8{list(shape)}; got {given}")
    if not out.flags.writeable:
        raise ValueError("out is read-only")
    apart = out.ctypes.data == rows.ctypes.data or not np.may_share_memory(out, rows)
    return out.reshape(rows.shape) if out.flags.c_contiguous and apart else np.empty(rows.shape, np.uint8)


def _finish(y, out, shape):
    if out is None:
        return y.reshape(shape)
    if not np.may_share_memory(y, out):
        out[...] = y.reshape(shape)
    return out


def pack(codes):
    """Pack codes two to a byte.

    Parameters
    ----------
    codes : array_like of uint8, shape (..., n)
        One code each, 0 to 15.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))

    Raises
    ------
    ValueError
        If a code is above 15.

    """
    codes = np.asarray(codes)
    rows = _rows("codes", codes, np.uint8)
    genomes = np.empty((rows.shape[0], (rows.shape[1] + 1) // 2), np.uint8)
    if not _kernels.pack(rows, genomes):
        raise ValueError(f"a code is between 0 and 15; got {rows.max()}")
    return genomes.reshape(*codes.shape[:-1], genomes.shape[1])


def unpack(genomes, n_weights=None):
    """Unpack to one code a byte; the inverse of `pack`.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    n_weights : int, optional
        n, where it is odd.

    Returns
    -------
    ndarray of uint8, shape (..., n)

    """
    genomes = np.asarray(genomes)
    rows = _rows("genomes", genomes, np.uint8)
    codes = np.empty((rows.shape[0], _weights_in("genomes", rows, n_weights)), np.uint8)
    _kernels.unpack(rows, codes)
    return codes.reshape(*genomes.shape[:-1], codes.shape[1])


def _scales(scale, group, n, rows):
    # as float32[1 or rows, groups], and the group's size
    if group is None:
        group = max(n, 1)
    group = _whole("group", group, np.iinfo(np.intp).max)
    if group < n and (group == 0 or group % 16):
        raise ValueError(f"group is a multiple of 16, or at least the {n} weights; got {group}")
    groups = max(-(-n // group), 1)
    scales = np.asarray(scale, dtype=np.float32)
    if not (np.isfinite(scales) & (scales > 0)).all():
        raise ValueError("scale is positive and finite")
    if scales.ndim > 2 or (scales.ndim and scales.shape[-1] not in (1, groups)) or (
            scales.ndim == 2 and scales.shape[0] not in (1, rows)):
        raise ValueError(f"scale is a number, [{groups}] for the groups or [{rows}, {groups}] for each genome's; "
                         f"got {list(scales.shape)}")
    leading = scales.shape[0] if scales.ndim == 2 else 1
    return np.ascontiguousarray(np.broadcast_to(scales, (leading, groups))), group


def decode(genomes, codebook=LOG4, scale=1.0, *, group=None, n_weights=None):
    """Turn codes into weights, ``levels[code] * scale``, rounded once.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    codebook : Codebook
    scale : float or array_like
        One number; one for each group, shape (groups,); or for each genome and group, shape (size, groups).
    group : int, optional
        How many weights share a scale, a multiple of 16. By default all do.
    n_weights : int, optional
        n, where it is odd.

    Returns
    -------
    ndarray of float32, shape (..., n)

    """
    genomes = np.asarray(genomes)
    rows = _rows("genomes", genomes, np.uint8)
    n = _weights_in("genomes", rows, n_weights)
    scales, group = _scales(scale, group, n, rows.shape[0])
    weights = np.empty((rows.shape[0], n), np.float32)
    _kernels.decode(rows, codebook.levels, scales, group, weights)
    return weights.reshape(*genomes.shape[:-1], n)


def encode(weights, codebook=LOG4, scale=1.0, *, group=None):
    """Turn weights into the codes whose ``level * scale`` is nearest, the lower one in a tie.

    Parameters
    ----------
    weights : array_like of float32, shape (..., n)
        Beyond the largest level they take it; NaN is refused.
    codebook, scale, group
        As in `decode`.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))

    Raises
    ------
    ValueError
        If a weight is NaN.

    """
    weights = np.asarray(weights)
    rows = _rows("weights", weights, np.float32)
    n = rows.shape[1]
    scales, group = _scales(scale, group, n, rows.shape[0])
    genomes = np.empty((rows.shape[0], (n + 1) // 2), np.uint8)
    if not _kernels.encode(rows, codebook._order, codebook._middles, scales, group, genomes):
        raise ValueError("weights hold a NaN, which no code is near to")
    return genomes.reshape(*weights.shape[:-1], genomes.shape[1])


def random_population(size, n_weights, rng, *, generation=0, first=0):
    """Draw genomes with every code equally likely.

    Parameters
    ----------
    size, n_weights : int
    rng : int or np.random.Generator
        The seed, or where to draw one from.
    generation, first : int
        Genome i is drawn from the key (seed, generation, first + i).

    Returns
    -------
    ndarray of uint8, shape (size, ceil(n_weights / 2))

    """
    size = _whole("size", size, 2**32 - 1)
    n_weights = _whole("n_weights", n_weights, np.iinfo(np.intp).max)
    genomes = np.empty((size, (n_weights + 1) // 2), np.uint8)
    _kernels.random_population(genomes, n_weights, seed_of(rng), _whole("generation", generation, 2**32 - 1),
                               _whole("first", first, 2**32 - 1))
    return genomes


def mutate(genomes, rate, rng, out=None, *, n_weights=None, generation=0, first=0):
    """Flip each bit with probability `rate`, independently.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    rate : float or array_like
        Between 0 and 1, to 2^-64: 0 copies and 1 flips every bit. One for all, or one for each genome.
    rng : int or np.random.Generator
    out : ndarray of uint8, optional
        Where to write; may be `genomes`.
    n_weights : int, optional
        n, where it is odd: the spare nibble stays zero.
    generation, first : int
        Genome i draws from the key (seed, generation, first + i).

    Returns
    -------
    ndarray of uint8, of the shape of `genomes`

    """
    genomes = np.asarray(genomes)
    rows = _rows("genomes", genomes, np.uint8)
    n = _weights_in("genomes", rows, n_weights)
    rates = np.ascontiguousarray(rate, dtype=np.float64).reshape(-1)
    if rates.size not in (1, rows.shape[0]):
        raise ValueError(f"rate is one number, or one for each of the {rows.shape[0]} genomes; got {rates.size}")
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError(f"rate is between 0 and 1; got {rate!r}")
    key = seed_of(rng), _whole("generation", generation, 2**32 - 1), _whole("first", first, 2**32 - 1)
    y = _output(out, rows, genomes.shape)
    _kernels.mutate(rows, y, n, rates, *key)
    return _finish(y, out, genomes.shape)


def crossover(a, b, rng, children=1, *, n_weights=None, generation=0, first=0):
    """Breed genomes: each weight's code comes whole from one parent, by a fair coin.

    Parameters
    ----------
    a, b : array_like of uint8, shape (..., ceil(n / 2))
        The parents, pair by pair.
    rng : int or np.random.Generator
    children : {1, 2}
        With 2, the second child takes what the first did not.
    n_weights : int, optional
        n, where it is odd.
    generation, first : int
        Pair i draws from the key (seed, generation, first + i).

    Returns
    -------
    ndarray of uint8, of the shape of `a`, or a pair of them

    """
    if children not in (1, 2):
        raise ValueError(f"children is 1 or 2; got {children!r}")
    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape:
        raise ValueError(f"a and b have one shape; got {list(a.shape)} and {list(b.shape)}")
    rows, others = _rows("a", a, np.uint8), _rows("b", b, np.uint8)
    n = _weights_in("a and b", rows, n_weights)
    pairs = np.arange(rows.shape[0])
    child = np.empty_like(rows)
    sibling = np.empty_like(rows) if children == 2 else None
    _kernels.crossover(rows, pairs, others, pairs, child, sibling, n, seed_of(rng),
                       _whole("generation", generation, 2**32 - 1), _whole("first", first, 2**32 - 1))
    child = child.reshape(a.shape)
    return child if sibling is None else (child, sibling.reshape(a.shape))


def hamming_distance(a, b, unit="bits"):
    """Count in how many bits, or weights, genomes differ.

    Parameters
    ----------
    a : array_like of uint8, shape (..., bytes)
    b : array_like of uint8
        Of the shape of `a`, or one genome, shape (bytes,), that all are compared with.
    unit : {"bits", "weights"}

    Returns
    -------
    ndarray of intp, shape (...), or an int for one genome

    """
    if unit not in ("bits", "weights"):
        raise ValueError(f"unit is 'bits' or 'weights'; got {unit!r}")
    a, b = np.asarray(a), np.asarray(b)
    if b.shape not in (a.shape, a.shape[-1:]):
        raise ValueError(f"b has the shape of a, {list(a.shape)}, or of one genome; got {list(b.shape)}")
    rows, others = _rows("a", a, np.uint8), _rows("b", b, np.uint8)
    distances = np.zeros(rows.shape[0], np.intp)
    if rows.size:
        _kernels.hamming_distance(rows, others, unit == "weights", distances)
    return distances.reshape(a.shape[:-1]) if a.ndim > 1 else int(distances[0])
