"""A linear layer on packed 4-bit weights, as lanewise.genome shows it; the arithmetic is kernels/linear4.pyx."""

import numpy as np

from ..environment import unflushed
from ..kernels import linear4 as _kernels
from ..kernels import linear4_int as _whole
from ..packing import contiguous, held, rows_of
from .codes import LARGEST, LOG4, Codebook, check_finite, checked, offsets_of, scales_of, spread

__all__ = ["linear4"]

_GROUPS = int, type(None)
_BITS = {"float32": 32, "int16": 16, "int8": 8}


def linear4(x, codes, codebook=LOG4, scale=1.0, bias=None, *, group=None, offset=None,
            activations="float32"):
    """Apply a linear layer whose weights are packed codes: ``x @ decode(codes).T + bias``.

    No unpacked copy of the weights is made in memory.

    Parameters
    ----------
    x : array_like of float32, shape (..., inputs)
    codes : array_like of uint8, shape (outputs, ceil(inputs / 2))
        As `encode` packs a matrix of weights, shape (outputs, inputs). A layer of a genome whose rows have an even
        number of weights is ``genome[first:last].reshape(outputs, -1)``.
    codebook : Codebook
    scale : float or array_like
        Any finite float32, negative and 0 too: one number; one for each group of a row's weights, shape (groups,); or
        for each output and group, shape (outputs, groups), such as `best_scale` gives.
    bias : array_like of float32, shape (outputs,), optional
    group : int, optional
        How many weights of a row share a scale, a multiple of 16. By default all do.
    offset : float or array_like, optional
        What is added to each weight, as `scale` has it: ``levels[code] * scale + offset``, rounded once.

    activations : {"float32", "int16", "int8"}
        What `x` is multiplied as. The whole numbers are ``round(x / max(abs(x)) * top)`` of each row, ties to even,
        with top 32639 or 127, and the levels then are ``codebook.steps * codebook.step``.

    Returns
    -------
    ndarray of float32, shape (..., outputs)
        Summed in float32, as 16 partial sums in one fixed order: the same bits for a row on its own or among others,
        on any level and any number of threads. A row that holds a NaN or an infinity is NaN throughout where
        `activations` are whole numbers.

    Notes
    -----
    With whole numbers the products are exact, and so are their sums of 8 to 32 inputs that share a
    scale. For weights w of these levels, a result is within
    ``sum(abs(w)) * max(abs(x)) / (2 * top)`` of the exact one for the rounding of `x`, and within
    ``(inputs / 64 + 16) * 2**-24 * (sum(abs(x * level * scale)) + sum(abs(x * offset)) + abs(bias))`` for float32's,
    x being the rounded one.

    Raises
    ------
    TypeError
        If `x`, `codes` or `bias` has another dtype, or is a masked array.
    ValueError
        If the shapes do not fit, if a level times its scale, plus its offset, is beyond float32, or if a sum of whole
        numbers may be; or if `activations` is none of the three.
    """
    if type(activations) is str and activations != "float32" and (
            type(x) is type(codes) is type(scale) is np.ndarray) and x.ndim == codes.ndim == 2:
        y = _at_once(x, codes, codebook, scale, bias, group, offset, activations)
        if y is not None:
            return y
    return _linear4(x, codes, codebook, scale, bias, group, offset, activations)


def _at_once(x, codes, codebook, scale, bias, group, offset, activations):
    # of whole numbers, where there is nothing to convert and nothing to refuse; else None
    if type(codebook) is not Codebook or offset is not None or type(group) not in _GROUPS or (
            bias is not None and type(bias) is not np.ndarray) or activations not in _BITS:
        return None
    found = _whole.linear4_at_once(codes, codebook.steps, codebook.step, scale, group, bias, x, np.empty,
                                   _BITS[activations])
    if found is None:
        return None
    largest, y = found
    if not codebook.largest * largest <= LARGEST or not _holds_sums(largest, x.shape[1]):
        return None
    return y


@unflushed
def _linear4(x, codes, codebook, scale, bias, group, offset, activations):
    if not isinstance(activations, str) or activations not in _BITS:
        raise ValueError(f"activations is one of {', '.join(_BITS)}; got {activations!r:.60}")
    x, codes = held("x", x, np.float32), held("codes", codes, np.uint8)
    rows, matrix = rows_of("x", x), rows_of("codes", codes)
    inputs = rows.shape[1]
    if codes.ndim != 2 or codes.shape[1] != (inputs + 1) // 2:
        raise ValueError(f"codes of {inputs} inputs are [outputs, {(inputs + 1) // 2}]; got {list(codes.shape)}")
    outputs = codes.shape[0]
    # whole numbers' kernel sees the largest scale on its way; what it has made of one that is too large is thrown away
    later = activations != "float32" and offset is None and rows.size > 0 and outputs > 0
    scales, group, largest = scales_of(scale, group, inputs, outputs, later)
    checked(codebook)
    if largest is not None:
        _check_levels(codebook, largest)
    offsets, largest_offset = offsets_of(offset, codebook, scales.shape[1], outputs, largest)
    if bias is not None:
        bias = contiguous(held("bias", bias, np.float32))
        if bias.shape != (outputs,):
            raise ValueError(f"bias is [{outputs}], a number for each output; got {list(bias.shape)}")
    y = np.empty((rows.shape[0], outputs), np.float32)
    if inputs == 0:
        y[...] = 0 if bias is None else bias
    elif y.size:
        groups = scales.shape[1]
        scales, offsets = spread(scales, outputs, groups), None if offsets is None else spread(offsets, outputs, groups)
        if activations == "float32":
            _kernels.linear4(matrix, codebook.levels, scales, offsets, group, bias, rows, y)
        else:
            if largest is not None:
                _check_sums(codebook, largest, largest_offset, inputs)
            found = _whole.linear4_int(matrix, codebook.steps, codebook.step, scales, offsets, group, bias, rows, y,
                                       _BITS[activations])
            if largest is None:
                check_finite("scale", found)
                _check_levels(codebook, found)
                _check_sums(codebook, found, 0.0, inputs)
    return y if x.ndim == 2 else y.reshape(*x.shape[:-1], outputs)


def _check_levels(codebook, scale):
    if not codebook.largest * scale <= LARGEST:
        raise ValueError(f"a level times its scale is beyond float32: the largest scale is {scale:g}")


def _holds_sums(scale, inputs, offset=0.0):
    # whether float32 does: of 128 steps times 32639 each, before they are brought back to size
    return (max(scale, 1.0) * 128 + offset) * 32639 * inputs <= LARGEST


def _check_sums(codebook, scale, offset, inputs):
    offset /= codebook.step
    if not _holds_sums(scale, inputs, offset):
        raise ValueError(f"sums of {inputs} whole numbers may be beyond float32 before they are scaled: the largest "
                         f"scale is {scale:g}, the largest offset over the codebook's step {offset:g}; take "
                         "activations='float32'")
