"""What breeds packed 4-bit genomes: random starts, mutation, crossover, and how far apart genomes are.

Codes and weights are codes.py; both are lanewise.genome to the user. Whom to breed is decided in lanewise.evolution.
"""

import numpy as np

from ..environment import unflushed
from ..kernels import breeding as _kernels
from ..kernels import distances as _distances
from ..packing import contiguous, held, numbers, one_of, room, rows_of, weights_in, whole
from .codes import LOG4, checked, seed_of

__all__ = ["crossover", "diversity", "hamming_distance", "mutate", "random_population"]

MUTATIONS = ("flip", "gray", "step", "redraw")  # in the order of the enumeration in kernels/breeding.pyx
CROSSOVERS = {"uniform": (0, 0), "bitwise": (1, 0), "one_point": (2, 1), "two_point": (2, 2)}


def _key(rng, generation, first, size):
    # of genomes from `first` on, which are counted in 32 bits: beyond, they would be drawn as the first ones are
    key = seed_of(rng), whole("generation", generation, 2**32 - 1), whole("first", first, 2**32 - 1)
    if key[2] + size > 2**32:
        raise ValueError(f"first is at most 2^32 less the {size} genomes; got {key[2]}")
    return key


def _rates(rate, size):
    # as float64[1 or size]
    if type(rate) is float and 0.0 <= rate <= 1.0:
        return np.array([rate])
    rates = contiguous(numbers("rate", rate, np.float64)).reshape(-1)
    if rates.size not in (1, size):
        raise ValueError(f"rate is one number, or one for each of the {size} genomes; got {rates.size}")
    if not ((rates >= 0) & (rates <= 1)).all():
        raise ValueError(f"rate is between 0 and 1; got {rate!r:.60}")
    return rates


def _output(out, rows, shape):
    # a fresh array; or the caller's, if it can be written in place; or else one that is copied into it afterwards
    if out is None:
        return room(*rows.shape)
    if not isinstance(out, np.ndarray) or isinstance(out, np.ma.MaskedArray):
        raise TypeError(f"out is an array uint8{list(shape)}; got {type(out).__name__}")
    if out.dtype != np.uint8 or out.shape != shape:
        raise ValueError(f"out is an array uint8{list(shape)}; got {out.dtype}{list(out.shape)}")
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

    Raises
    ------
    TypeError
        If `rng` is no seed and no generator, or another argument no int.
    ValueError
        If a number is negative or beyond its range, or no memory could hold the genomes.
    """
    size = whole("size", size, 2**32 - 1)
    n_weights = whole("n_weights", n_weights, np.iinfo(np.intp).max)
    if size * ((n_weights + 1) // 2) > np.iinfo(np.intp).max - 64:
        raise ValueError(f"{size} genomes of {n_weights} weights are beyond any memory")
    key = _key(rng, generation, first, size)
    genomes = room(size, (n_weights + 1) // 2)
    _kernels.random_population(genomes, n_weights, *key)
    return genomes


@unflushed
def mutate(genomes, rate, rng, out=None, *, kind="flip", codebook=LOG4, n_weights=None, generation=0, first=0):
    """Flip each bit, or change each weight, with probability `rate`, independently.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    rate : float or array_like
        Between 0 and 1, right to 1e-12 of itself: 0 copies, and 1 flips every bit or changes every weight. One for
        all, or one for each genome.
    rng : int or np.random.Generator
    out : ndarray of uint8, optional
        Where to write; may be `genomes`.
    kind : {"flip", "gray", "step", "redraw"}
        "flip" flips bits of the codes. "gray" flips bits of the Gray code of a code's rank among the codebook's
        levels, where neighbours differ in one bit. "step" moves each weight, with probability `rate`, to the level
        above or below its own, by a fair coin; beyond the ends there is none, and it stays. Equal levels are two as
        well, such as the two zeros of FLOAT4 and LOG4_ZERO, between which a step changes no weight. "redraw" gives each
        weight, with probability `rate`, a fresh code, any of the 16 alike, its own among them.
    codebook : Codebook
        Whose levels "gray" and "step" go by.
    n_weights : int, optional
        n, where it is odd: the spare nibble stays zero.
    generation, first : int
        Genome i draws from the key (seed, generation, first + i).

    Returns
    -------
    ndarray of uint8, of the shape of `genomes`

    Raises
    ------
    TypeError
        If `genomes` does not hold uint8, `rate` holds no numbers, `out` is no array, `rng` is no seed and no generator,
        or `codebook` is none.
    ValueError
        If a rate is not between 0 and 1, or there is not one for all or one for each; if `kind` is unknown, `n_weights`
        does not fit, or `out` has another shape or dtype or is read-only.
    """
    genomes = held("genomes", genomes, np.uint8)
    rows = rows_of("genomes", genomes)
    n = weights_in("genomes", rows, n_weights)
    rates = _rates(rate, rows.shape[0])
    one_of("kind", kind, MUTATIONS)
    key = _key(rng, generation, first, len(rows))
    y = _output(out, rows, genomes.shape)
    _kernels.mutate(rows, y, n, rates, MUTATIONS.index(kind), checked(codebook).tables, *key)
    return _finish(y, out, genomes.shape)


def crossover(a, b, rng, children=1, *, kind="uniform", n_weights=None, generation=0, first=0):
    """Breed genomes: each weight's code comes whole from one parent, by a fair coin.

    Parameters
    ----------
    a, b : array_like of uint8, shape (..., ceil(n / 2))
        The parents, pair by pair.
    rng : int or np.random.Generator
    children : {1, 2}
        With 2, the second child takes what the first did not.
    kind : {"uniform", "bitwise", "one_point", "two_point"}
        "bitwise" tosses a coin for each bit. "one_point" takes the weights up to a random place from `a` and the rest
        from `b`, and "two_point" those between two random places from `b`.
    n_weights : int, optional
        n, where it is odd.
    generation, first : int
        Pair i draws from the key (seed, generation, first + i).

    Returns
    -------
    ndarray of uint8, of the shape of `a`, or a pair of them

    Raises
    ------
    TypeError
        If a parent does not hold uint8, or `rng` is no seed and no generator.
    ValueError
        If the parents differ in shape, `kind` is unknown, `children` is neither 1 nor 2, or `n_weights` does not fit.
    """
    one_of("kind", kind, CROSSOVERS)
    if not (type(children) is int or isinstance(children, np.integer)) or children not in (1, 2):
        raise ValueError(f"children is 1 or 2; got {children!r:.60}")
    a, b = held("a", a, np.uint8), held("b", b, np.uint8)
    if a.shape != b.shape:
        raise ValueError(f"a and b have one shape; got {list(a.shape)} and {list(b.shape)}")
    rows, others = rows_of("a", a), rows_of("b", b)
    n = weights_in("a and b", rows, n_weights)
    key = _key(rng, generation, first, len(rows))
    pairs = np.arange(rows.shape[0])
    child = np.empty_like(rows)
    sibling = np.empty_like(rows) if children == 2 else None
    _kernels.crossover(rows, pairs, others, pairs, child, sibling, n, *CROSSOVERS[kind], *key)
    child = child.reshape(a.shape)
    return child if sibling is None else (child, sibling.reshape(a.shape))


@unflushed
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

    Raises
    ------
    TypeError
        If `a` or `b` does not hold uint8.
    ValueError
        If `b` has neither the shape of `a` nor that of one genome, or `unit` is unknown.
    """
    one_of("unit", unit, ("bits", "weights"))
    a, b = held("a", a, np.uint8), held("b", b, np.uint8)
    if b.shape not in (a.shape, a.shape[-1:]):
        raise ValueError(f"b has the shape of a, {list(a.shape)}, or of one genome; got {list(b.shape)}")
    rows, others = rows_of("a", a), rows_of("b", b)
    distances = np.zeros(rows.shape[0], np.intp)
    if rows.size:
        _distances.hamming_distance(rows, others, unit == "weights", distances)
    return distances.reshape(a.shape[:-1]) if a.ndim > 1 else int(distances[0])


@unflushed
def diversity(population):
    """Compute the mean number of bits in which two genomes of a population differ.

    Parameters
    ----------
    population : array_like of uint8, shape (size, bytes)
        At least two genomes.

    Returns
    -------
    float
        Every pair is counted, in time proportional to the size: exact up to 2^53 differences.

    Raises
    ------
    TypeError
        If `population` does not hold uint8.
    ValueError
        If it is no matrix, or has fewer than two genomes.
    """
    population = held("population", population, np.uint8)
    rows = rows_of("population", population)
    if population.ndim != 2 or len(rows) < 2:
        raise ValueError(f"population is [size, bytes] with a size of at least 2; got {list(population.shape)}")
    return _distances.diversity(rows) if rows.size else 0.0
