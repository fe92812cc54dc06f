"""What the functions of attention are tried on, as row_accuracy.py's trials are: their results on random rows, what is
exact, and the size of what cancels."""

import lanewise as lw
import numpy as np

from . import row_formulas as formulas

__all__ = ["ATTENTION"]


def _masked_softmax(wide, rng, x, grad, weight, bias):
    # a scale that rounds no score
    for mask in rng.random(x.shape) < 0.5, np.where(rng.random(x.shape) < 0.5, x.dtype.type(0), -np.inf):
        seen = np.where(mask if mask.dtype == bool else mask == 0, x.astype(wide) / 4, -np.inf)
        some = np.isfinite(seen).any(-1)
        top, log_rest = formulas.log_sum(seen[some])
        yield lw.masked_softmax(x[some], mask[some], 0.25), np.exp((seen[some] - top) - log_rest), 0


def _masked_softmax_backward(wide, rng, x, grad, weight, bias):
    y = lw.masked_softmax(x, rng.random(x.shape) < 0.5)
    exact, terms = formulas.softmax_gradient(grad.astype(wide), y.astype(wide))
    yield lw.masked_softmax_backward(grad, y, 0.3), exact * wide(0.3), terms * wide(0.3)


def _rotary(function, sign):
    def trial(wide, rng, x, grad, weight, bias):
        x = x[:, :x.shape[-1] // 2 * 2]
        cos, sin = lw.rotary_tables(rng.integers(0, 1000, len(x)), x.shape[-1],
                                    dtype=np.float64 if x.dtype == np.float64 else np.float32)
        a, b = np.split(x.astype(wide), 2, -1)
        wide_cos, wide_sin = cos.astype(wide), sin.astype(wide) * sign
        yield (function(x, cos, sin), np.concatenate([a * wide_cos - b * wide_sin, a * wide_sin + b * wide_cos], -1),
               np.concatenate([np.abs(a * wide_cos) + np.abs(b * wide_sin),
                               np.abs(a * wide_sin) + np.abs(b * wide_cos)], -1))

    return trial


def _rotary_tables(wide, rng, x, grad, weight, bias):
    # of one position and many pairs: the angle in mpmath's digits would take hours for more
    import mpmath

    positions, n = rng.integers(0, 1 << 20, 2), 2 * min(x.shape[-1], 100)
    tables = lw.rotary_tables(positions, n, dtype=np.float64 if x.dtype == np.float64 else np.float32)
    for table, function in zip(tables, (mpmath.cos, mpmath.sin), strict=True):
        with mpmath.workdps(50):
            exact = [[function(int(position) * mpmath.mpf(10000) ** (-mpmath.mpf(2 * i) / n)) for i in range(n // 2)]
                     for position in positions]
            yield table.astype(x.dtype), np.array(exact, object).astype(wide), 1


ATTENTION = {
    "masked_softmax": _masked_softmax,
    "masked_softmax_backward": _masked_softmax_backward,
    "rotary_embedding": _rotary(lw.rotary_embedding, 1),
    "rotary_embedding_backward": _rotary(lw.rotary_embedding_backward, -1),
    "rotary_tables": _rotary_tables,
}
