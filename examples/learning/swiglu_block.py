"""A pre-norm block with QK-norm, the recipe of Chameleon and of most language models since, made of layers by hand.

Eight pixels make a token, a digit is a row of eight of them. Queries and keys are normed over the head dimension before
their product, so that no logit of the softmax outgrows the root of that dimension. Every backward stands beside its
forward. Needs scikit-learn for the digits; takes some seconds, on a busy machine with
OPENBLAS_NUM_THREADS=1 (docs/threads.md).
"""

import lanewise as lw
import numpy as np
from lanewise.evolution.data import load_digits
from lanewise.learning import layers

TOKENS, WIDTH, HEADS = 8, 32, 4


class Attention(layers.Layer):
    """Attention of every token to all, with queries and keys normed."""

    def __init__(self, width, heads, rng):
        super().__init__()
        self.heads = heads
        more = {"gain": 1.0, "bias": False}
        self.parts = {name: layers.Linear(width, width, rng, **more) for name in ("query", "key", "value", "out")}
        self.norms = {name: layers.RMSNorm(width // heads) for name in ("query_norm", "key_norm")}

    def children(self):
        """The linear layers and the norms."""
        return {**self.parts, **self.norms}

    def split(self, x):
        """From [rows, tokens, width] to [rows, heads, tokens, size]."""
        return np.ascontiguousarray(x.reshape(*x.shape[:2], self.heads, -1).swapaxes(1, 2))

    def joined(self, x):
        """And back."""
        return np.ascontiguousarray(x.swapaxes(1, 2)).reshape(len(x), x.shape[2], -1)

    def forward(self, x, training=True):
        """Mix the values of all tokens, as much of each as its key fits the query."""
        query, key, value = (self.split(self.parts[name].forward(x, training)) for name in ("query", "key", "value"))
        query = self.norms["query_norm"].forward(query, training)
        key = self.norms["key_norm"].forward(key, training)
        scale = np.float32(query.shape[-1] ** -0.5)
        shares = lw.softmax(query @ key.swapaxes(-1, -2) * scale)
        self.kept = query, key, value, shares, scale
        return self.parts["out"].forward(self.joined(shares @ value), training)

    def backward(self, grad):
        """Fill the gradients of all parts; return that of x."""
        query, key, value, shares, scale = self.kept
        grad = self.split(self.parts["out"].backward(grad))
        grad_value = shares.swapaxes(-1, -2) @ grad
        grad_logits = lw.softmax_backward(grad @ value.swapaxes(-1, -2), shares) * scale
        grad_query = self.norms["query_norm"].backward(grad_logits @ key)
        grad_key = self.norms["key_norm"].backward(grad_logits.swapaxes(-1, -2) @ query)
        return sum(self.parts[name].backward(self.joined(each)) for name, each in (
            ("query", grad_query), ("key", grad_key), ("value", grad_value)))


class MeanOfTokens(layers.Layer):
    """The mean over the tokens of a row."""

    def forward(self, x, training=True):
        """One row of [rows, tokens, width] for each of its rows of tokens."""
        self.kept = x.shape
        return x.mean(axis=1)

    def backward(self, grad):
        """The same share to each token."""
        return np.broadcast_to(grad[:, None] / np.float32(self.kept[1]), self.kept)


def block(rng):
    """Attention and a feed-forward layer, each normed before and beside what came in."""
    return layers.Sequential(
        layers.Residual(layers.RMSNorm(WIDTH), Attention(WIDTH, HEADS, rng)),
        layers.Residual(layers.RMSNorm(WIDTH), layers.SwiGLU(WIDTH, 64, rng)))


def network(rng):
    """Two blocks, from pixels to classes."""
    return layers.Sequential(
        layers.Linear(64 // TOKENS, WIDTH, rng, gain=1.0, input_grad=False), block(rng), block(rng),
        layers.RMSNorm(WIDTH), MeanOfTokens(), layers.Linear(WIDTH, 10, rng, gain=1.0))


if __name__ == "__main__":
    digits = load_digits()
    # each token knows its place: a ramp is added to its pixels
    ramp = np.linspace(-1, 1, TOKENS, dtype=np.float32)[:, None]
    x, held_out = (((each - digits.offset) * digits.scale).reshape(-1, TOKENS, 8) + ramp
                   for each in (digits.x, digits.x_held_out))
    model = network(np.random.default_rng(1))
    parameters, gradients = list(model.parameters().values()), list(model.gradients().values())
    first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    order, step = np.random.default_rng(0), 0
    for _epoch in range(8):
        rows = order.permutation(len(x))
        for batch in (rows[k:k + 32] for k in range(0, len(rows), 32)):
            loss, grad = lw.cross_entropy_with_grad(model.forward(x[batch]), digits.y[batch], z_loss=1e-4)
            model.backward(grad)
            norm = lw.clip_grad_norm(gradients, 1.0)
            step += 1
            lw.adamw_step(parameters, gradients, first, second, step, lr=3e-3)
    accuracy = (model.forward(held_out, training=False).argmax(axis=1) == digits.y_held_out).mean()
    print(f"held-out accuracy {accuracy:.2%}, loss {float(loss):.4f}, {step} steps, last gradient's norm {norm:.2f}")
