"""A network learns parity and how long to think: PonderNet's adaptive steps on vectors of plus and minus one.

Is the number of +1 odd? A vector shows 1 to 8 of its places, the others are 0. A recurrent layer looks at the vector
again and again, and after each step it may halt. Takes some seconds; on a busy machine minutes, unless NumPy's products
are left one thread: OPENBLAS_NUM_THREADS=1 (docs/threads.md).
"""

import lanewise as lw
import numpy as np
from lanewise.learning import layers

PLACES, WIDTH, STEPS, BATCH = 8, 64, 6, 128


class Thinker(layers.Layer):
    """A state that is updated by the same weights in every step; each step answers, and says whether to halt."""

    def __init__(self, rng):
        super().__init__()
        self.look = layers.Linear(PLACES, WIDTH, rng, gain="tanh", input_grad=False)
        self.think = layers.Linear(WIDTH, WIDTH, rng, gain="tanh", bias=False)
        self.answer = layers.Linear(WIDTH, 3, rng, gain=1.0)  # two logits of the answer and one of halting

    def children(self):
        """The three linear layers."""
        return {"look": self.look, "think": self.think, "answer": self.answer}

    def forward(self, x, training=True):
        """Answers and halting logits of all steps: [batch, steps, 3]."""
        seen, state, self.kept, found = self.look.forward(x, training), None, [], []
        for _ in range(STEPS):
            total = seen if state is None else seen + self.think.forward(state, training)
            former, state = state, lw.tanh(total)
            self.kept.append((former, state))
            found.append(self.answer.forward(state, training))
        return np.stack(found, axis=1)

    def backward(self, grad):
        """Fill the gradients of the weights, back through the steps."""
        # weights are shared by all steps: their gradients are summed
        total, grad_state, grad_seen = {}, 0.0, 0.0
        for k in range(STEPS - 1, -1, -1):
            former, state = self.kept[k]
            self.answer.kept, self.think.kept = state, former
            grad_state = grad_state + self.answer.backward(np.ascontiguousarray(grad[:, k]))
            grad_total = lw.tanh_backward(grad_state, state)
            grad_seen = grad_seen + grad_total
            if former is not None:
                grad_state = self.think.backward(grad_total)
            for name, layer in (("answer", self.answer), *([("think", self.think)] if former is not None else [])):
                for key, slope in layer.gradients().items():
                    total[name, key] = total.get((name, key), 0.0) + slope
        self.look.backward(grad_seen)
        for (name, key), slope in total.items():
            self.children()[name].gradients()[key][...] = slope


def examples(random, count):
    """Vectors, their parities, and how many places each shows."""
    shown = random.integers(1, PLACES + 1, count)
    x = np.where(np.arange(PLACES) < shown[:, None], random.choice([-1, 1], (count, PLACES)), 0).astype(np.float32)
    return x, ((x > 0).sum(axis=1) % 2).astype(np.int64), shown


def main(steps=1500):
    """Train, and say how often it is right and how long it thinks."""
    random = np.random.default_rng(0)
    model = Thinker(random)
    parameters, gradients = list(model.parameters().values()), list(model.gradients().values())
    first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    for step in range(1, steps + 1):
        x, y, _ = examples(random, BATCH)
        found = model.forward(x)
        answers, halting = np.ascontiguousarray(found[..., :2]), np.ascontiguousarray(found[..., 2])
        every = np.repeat(y, STEPS).reshape(BATCH, STEPS)
        losses, grad_answers = lw.cross_entropy_with_grad(answers, every, reduction="none")
        loss, grad_halting, grad_losses = lw.ponder_loss_with_grad(halting, losses, prior=0.3, beta=0.01)
        model.backward(np.concatenate([grad_answers * grad_losses[..., None], grad_halting[..., None]], axis=2))
        lw.clip_grad_norm(gradients, 1.0)
        lw.adamw_step(parameters, gradients, first, second, step, lr=3e-3)
    x, y, shown = examples(random, 4000)
    found = model.forward(x, training=False)
    halted = lw.sample_halting(np.ascontiguousarray(found[..., 2]), 5)
    right = found[np.arange(len(x)), halted, :2].argmax(axis=1) == y
    few, many = (halted[shown <= 2].mean() + 1, halted[shown >= 7].mean() + 1)
    print(f"accuracy {right.mean():.2%}, loss {float(loss):.4f}; steps for 1 or 2 places {few:.2f}, "
          f"for 7 or 8 {many:.2f}")


if __name__ == "__main__":
    main()
