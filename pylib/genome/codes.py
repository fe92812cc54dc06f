"""What the 4-bit codes of a genome stand for: codebooks, encode, decode.

How codes are packed is packing.py, what breeds genomes breeding.py; all are lanewise.genome to the user.
"""

import operator

import numpy as np

from ..environment import unflushed
from ..kernels import genome as _kernels
from ..packing import contiguous, held, numbers, plain, room, rows_of, weights_in, whole

__all__ = ["FLOAT4", "INT4", "LOG4", "LOG4_ZERO", "NF4", "Codebook", "best_scale", "decode", "encode"]


_USUAL = 1e-30, 1e30  # float32 holds any scale between these
LARGEST = float(np.finfo(np.float32).max)
_MOST = np.iinfo(np.intp).max


def _steps_of(levels):
    # the levels as whole numbers of steps, and the step: the largest of those that come nearest to all levels
    largest = np.abs(levels).max()
    if largest == 0:
        return np.zeros(16, np.int16), 1.0
    counts = np.arange(1, 129)[:, None]
    steps = np.rint(levels / largest * counts)
    misses = np.abs(steps / counts - levels / largest).max(axis=1)
    best = int(np.argmax(misses <= misses.min() + 2.0**-40))
    return steps[best].astype(np.int16), float(largest / (best + 1))


class Codebook:
    """What the 16 codes stand for.

    Parameters
    ----------
    levels : array_like of 16 finite float32
        The weight of each code, in any order.
    name : str
        How the codebook is shown.

    Attributes
    ----------
    levels : ndarray of 16 float32
        As given.
    largest : float
        The largest magnitude among them.
    order : ndarray of 16 float32
        The codes by rising level, which the C function ``encode_float32`` asks for.
    middles : ndarray of 16 float64
        The middle between each of these levels and the one below, -inf for the first; so does that function.
    tables : ndarray of (4, 16) uint8
        Of each code the Gray code of its level's rank, and back; the codes a level up and down. The C function
        ``mutate_uint8`` asks for them.
    steps : ndarray of 16 int16
        The levels in whole steps, -128 to 128, with which `linear4` multiplies whole numbers.
    step : float
        The size of a step: of 128 divisions of the largest level the one that comes nearest to all levels. What
        ``steps * step`` misses of them is exactly zero for LOG4, LOG4_ZERO, FLOAT4 and INT4.

    Raises
    ------
    TypeError
        If `levels` holds no numbers.
    ValueError
        If there are not 16 of them, or one is not finite in float32.
    """

    @unflushed
    def __init__(self, levels, name="custom"):
        levels = np.array(numbers("levels", levels, np.float32))
        if levels.shape != (16,) or not np.isfinite(levels).all():
            raise ValueError(f"a codebook has 16 finite levels; got {levels.tolist()!r}")
        self.name = name
        self.levels = levels
        self.levels.flags.writeable = False
        self.largest = float(np.abs(levels).max())
        # What encode asks for: the codes by rising level, and the middle below each. Of equal levels (+0 and -0)
        # the lowest code is used and the others never are, since no weight lies between their equal middles.
        order = np.lexsort((-np.arange(16), levels))
        rising = levels[order].astype(np.float64)
        middles = np.concatenate([[-np.inf], (rising[:-1] + rising[1:]) / 2])
        for i in range(1, 16):
            if rising[i] == rising[i - 1]:
                middles[i] = middles[i - 1]
        self.order = order.astype(np.float32)
        self.middles = middles
        # What mutation asks for: of each code the Gray code of its level's rank, and back; the codes a level up and
        # down.
        ranks = np.arange(16)
        gray = ranks ^ ranks >> 1
        self.tables = np.empty((4, 16), np.uint8)
        self.tables[0, order] = gray
        self.tables[1, gray] = order
        self.tables[2, order] = order[np.minimum(ranks + 1, 15)]
        self.tables[3, order] = order[np.maximum(ranks - 1, 0)]
        self.steps, self.step = _steps_of(levels.astype(np.float64))
        for of in (self.order, self.middles, self.tables, self.steps):
            of.flags.writeable = False

    def __repr__(self):
        return f"Codebook({self.name}: {', '.join(f'{level:g}' for level in self.levels)})"

    def __eq__(self, other):
        return isinstance(other, Codebook) and self.levels.tobytes() == other.levels.tobytes()

    def __hash__(self):
        return hash(self.levels.tobytes())


#: Bit 3 is the sign, bits 0 to 2 the exponent e: the weight is +-2^-e, from 1 down to 1/128, and never zero.
LOG4 = Codebook([sign * 2.0**-e for sign in (1, -1) for e in range(8)], "LOG4")
#: As LOG4, but the smallest exponent gives way to zero: 1 down to 1/64, and 0.
LOG4_ZERO = Codebook([sign * x for sign in (1.0, -1.0) for x in (*(2.0**-e for e in range(7)), 0.0)], "LOG4_ZERO")
#: Quantiles of the normal distribution, scaled to [-1, 1] (Dettmers et al., "QLoRA", 2023, appendix E).
NF4 = Codebook([
    -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
    -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
    0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0], "NF4")
#: The OCP format E2M1: sign, two bits of exponent, one of fraction; the largest is 6.
FLOAT4 = Codebook([sign * x for sign in (1.0, -1.0) for x in (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0)], "FLOAT4")
#: Two's complement, -8 to 7.
INT4 = Codebook([*range(8), *range(-8, 0)], "INT4")


def checked(codebook):
    """A codebook; an error where it is none."""
    if not isinstance(codebook, Codebook):
        raise TypeError(f"codebook is a Codebook such as LOG4; got {codebook!r:.60}")
    return codebook


def seed_of(rng, name="rng"):
    """Take the 64-bit key of a random stream from an int, or draw one from a ``np.random.Generator``."""
    if isinstance(rng, np.random.Generator):
        return int(rng.integers(0, 2**64, dtype=np.uint64))
    try:
        seed = operator.index(rng)
    except TypeError:
        raise TypeError(f"{name} is an int or a np.random.Generator; got {type(rng).__name__}") from None
    return whole(name, seed, 2**64 - 1)


@unflushed
def best_scale(weights, codebook=LOG4, *, group=None):
    """Find the scale with which a codebook is nearest to weights, by least squares.

    Parameters
    ----------
    weights : array_like of float32, shape (n,) or (rows, n)
        Finite.
    codebook : Codebook
    group : int, optional
        How many weights share a scale, a multiple of 16. By default all do.

    Returns
    -------
    ndarray of float32, shape (groups,) or (rows, groups)
        For `encode` and `decode`. The best of 120 starts, each improved once: not proven the best of all.
        1 where all weights are zero.

    Raises
    ------
    TypeError
        If `weights` does not hold float32, or `codebook` is none.
    ValueError
        If there are no weights, one is not finite, or `group` is neither a multiple of 16 nor as many
        as there are, or more.
    """
    weights = held("weights", weights, np.float32)
    rows = rows_of("weights", weights)
    if weights.ndim > 2 or not rows.size:
        raise ValueError(f"weights are [n] or [rows, n], and some; got {list(weights.shape)}")
    if not np.isfinite(rows).all():
        raise ValueError("weights hold a NaN or an infinity")
    _, group, _ = scales_of(1.0, group, rows.shape[1], rows.shape[0])
    scales = np.empty((rows.shape[0], -(-rows.shape[1] // group)), np.float32)
    scratch = np.empty((rows.shape[0], (rows.shape[1] + 1) // 2), np.uint8)
    _kernels.best_scales(rows, checked(codebook).levels, codebook.order, codebook.middles, group, scratch, scales)
    return scales.reshape(*weights.shape[:-1], scales.shape[1])


def scales_of(scale, group, n, rows, later=False):
    # as float32[1 or rows, groups], the group's size, and the largest magnitude: None if the caller will find it later,
    # of an array that has a scale for each row and group
    if group is None:
        group = max(n, 1)
        if type(scale) is float and _USUAL[0] < scale < _USUAL[1]:
            return np.array([[scale]], np.float32), group, scale
    group = whole("group", group, _MOST)
    if group < n and (group == 0 or group % 16):
        raise ValueError(f"group is a multiple of 16, or at least the {n} weights; got {group}")
    groups = max(-(-n // group), 1)
    scales, largest = _of_groups("scale", scale, groups, rows, later)
    return scales, group, largest


def _of_groups(name, given, groups, rows, later=False):
    # float32[1 or rows, groups] of a number, or one for each group, or for each row and group; and the
    # largest magnitude, or None
    values = plain(name, given)
    if values.dtype != np.float32:
        if values.dtype.name == "float8_e8m0fnu" or values.dtype == np.uint8:
            raise TypeError(f"{name} holds numbers; got {values.dtype}, which are exponents: "
                            "lanewise.genome.formats.e8m0_scales makes numbers of them")
        values = numbers(name, given, np.float32)
    values = contiguous(values)
    if later and values.shape == (rows, groups):
        return values, None
    largest = _kernels.largest(values.reshape(1, -1))
    check_finite(name, largest)
    if values.ndim > 2 or (values.ndim and values.shape[-1] not in (1, groups)) or (
            values.ndim == 2 and values.shape[0] not in (1, rows)):
        raise ValueError(f"{name} is a number, [{groups}] for the groups or [{rows}, {groups}] for each genome's; "
                         f"got {list(values.shape)}")
    return spread(values, values.shape[0] if values.ndim == 2 else 1, groups), largest


def check_finite(name, largest):
    """Raise an error if the largest magnitude of these numbers is not finite."""
    if not largest <= LARGEST:
        raise ValueError(f"{name} is finite, also in float32")


def spread(values, rows, groups):
    """Make float32[rows, groups] of numbers, or of one for all rows or groups."""
    return values if values.shape == (rows, groups) else contiguous(np.broadcast_to(values, (rows, groups)))


def offsets_of(offset, codebook, groups, rows, largest_scale):
    """Check offsets, as float32[1 or rows, groups] or None, and find the largest magnitude."""
    if offset is None:
        return None, 0.0
    offsets, largest = _of_groups("offset", offset, groups, rows)
    if not checked(codebook).largest * largest_scale + largest <= LARGEST:
        raise ValueError(f"a level times its scale plus its offset is beyond float32: the largest scale is "
                         f"{largest_scale:g}, the largest offset {largest:g}")
    return offsets, largest


@unflushed
def decode(genomes, codebook=LOG4, scale=1.0, *, group=None, n_weights=None, offset=None):
    """Turn codes into weights, ``levels[code] * scale + offset``, rounded once.

    Parameters
    ----------
    genomes : array_like of uint8, shape (..., ceil(n / 2))
    codebook : Codebook
    scale : float or array_like
        Any finite float32, negative and 0 too: one number; one for each group, shape (groups,); or for each genome and
        group, shape (size, groups).
    group : int, optional
        How many weights share a scale, a multiple of 16. By default all do.
    n_weights : int, optional
        n, where it is odd.
    offset : float or array_like, optional
        What is added, as `scale` has it: to read weights whose least is stored, or a zero point, as minus the zero
        point times the scale.

    Returns
    -------
    ndarray of float32, shape (..., n)

    Raises
    ------
    TypeError
        If genomes are not uint8, or scales are E8M0 or other bytes, which are exponents, not numbers.
    ValueError
        If a shape does not fit, or a scale or offset is not finite in float32.
    """
    genomes = held("genomes", genomes, np.uint8)
    rows = rows_of("genomes", genomes)
    n = weights_in("genomes", rows, n_weights)
    scales, group, largest = scales_of(scale, group, n, rows.shape[0])
    offsets, _ = offsets_of(offset, codebook, scales.shape[1], rows.shape[0], largest)
    weights = np.empty((rows.shape[0], n), np.float32)
    _kernels.decode(rows, checked(codebook).levels, scales, offsets, group, weights)
    return weights.reshape(*genomes.shape[:-1], n)


@unflushed
def encode(weights, codebook=LOG4, scale=1.0, *, group=None):
    """Turn weights into the codes whose ``level * scale`` is nearest.

    In a tie that is the even code, and of two even or two odd codes that of the lower level. So ``encode(-weights)``
    decodes to what ``encode(weights)`` does, negated, wherever a codebook has a level and its negative; and the codes
    of FLOAT4 are those of ``lanewise.ieee754.encode``, but that zero is always code 0.

    Parameters
    ----------
    weights : array_like of float32, shape (..., n)
        Beyond the largest level they take it; NaN is refused.
    codebook, scale, group
        As in `decode`. With a scale of 0 all codes are as near, and which one is taken is not said.

    Returns
    -------
    ndarray of uint8, shape (..., ceil(n / 2))

    Raises
    ------
    TypeError
        If `weights` does not hold float32, or `codebook` is none.
    ValueError
        If a weight is NaN, or a scale or `group` is one that `decode` refuses.
    """
    weights = held("weights", weights, np.float32)
    rows = rows_of("weights", weights)
    n = rows.shape[1]
    scales, group, _ = scales_of(scale, group, n, rows.shape[0])
    genomes = room(rows.shape[0], (n + 1) // 2)
    if not _kernels.encode(rows, checked(codebook).order, codebook.middles, scales, group, genomes):
        raise ValueError("weights hold a NaN, which no code is near to")
    return genomes.reshape(*weights.shape[:-1], genomes.shape[1])
