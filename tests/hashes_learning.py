"""A digest of what the functions for learning return, as JSON: equal wherever the bits are. Products of matrices, which
are BLAS's, are left out. test_same_bits.py runs it for each level."""

import json

import lanewise as lw
import numpy as np
from hashes import digest

N = 10_007


def results(dtype):
    """Arrays by the name of what made them."""
    rng = np.random.default_rng(4)
    x, grad, mu, logvar, first = (rng.normal(0, 3, N).astype(dtype) for _ in range(5))
    second = first * first
    rows = x[:10_000].reshape(400, 25)
    for name in ("xavier_uniform", "xavier_normal", "he_uniform", "he_normal"):
        yield name, getattr(lw, name)((77, 131), 5, dtype=dtype)
    yield "dropout", lw.dropout(x, 0.3, 5)
    for nesterov in (False, True):
        found = x.copy(), first.copy()
        lw.sgd_step(found[0], grad, found[1], lr=0.1, momentum=0.9, nesterov=nesterov, weight_decay=0.01)
        yield f"sgd_step {nesterov}", found
    for step in (1, 10, 10**6):
        found = x.copy(), first.copy(), second.copy()
        lw.adamw_step(found[0], grad, *found[1:], step)
        yield f"adamw_step {step}", found
    for norm_type in (1, 2):
        found = x.copy()
        yield f"clip_grad_norm {norm_type}", (np.float64(lw.clip_grad_norm(found, 1.0, norm_type)), found)
    yield "linear_backward", lw.linear_backward(rows, rows[:, :1], np.ones((25, 1), dtype), np.ones(25, dtype))[2]
    yield "reparameterize", lw.reparameterize(mu, logvar, 5)
    yield "reparameterize_backward", lw.reparameterize_backward(grad, logvar, 5)
    yield "kl_standard_normal", lw.kl_standard_normal(rows, logvar[:10_000].reshape(rows.shape))
    yield "kl_standard_normal_backward", lw.kl_standard_normal_backward(dtype(2), mu, logvar)
    yield "halting_distribution", (lw.halting_distribution(rows), lw.halting_distribution(rows, log=True))
    yield "ponder_loss_with_grad", lw.ponder_loss_with_grad(rows, rows * rows, reduction="none")
    yield "ponder_loss", lw.ponder_loss(rows, rows * rows)
    yield "sample_halting", lw.sample_halting(rows, 5)
    yield "act_halting", lw.act_halting(lw.sigmoid(rows) / dtype(9))


def main():
    """Print the digests."""
    print(json.dumps({f"{name} {np.dtype(dtype)}": digest(found) for dtype in (np.float32, np.float64)
                      for name, found in results(dtype)}))


if __name__ == "__main__":
    main()
