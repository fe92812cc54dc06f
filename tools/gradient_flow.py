"""Draw the figures of docs/gradient-flow.md, and print the numbers that it quotes.

python tools/gradient_flow.py
"""

from pathlib import Path

import lanewise as lw
import numpy as np
from lanewise.cli.figures import flows
from lanewise.evolution.data import load_digits
from lanewise.learning import training

IMAGES = Path(__file__).parents[1] / "docs/images"
DEPTH = 30
STACKS = {
    "sigmoid, Xavier": ("sigmoid", None, "xavier_uniform", 1.0),
    "tanh, Xavier": ("tanh", None, "xavier_uniform", 1.0),
    "ReLU, Xavier": ("relu", None, "xavier_uniform", 1.0),
    "ReLU, He": ("relu", None, "he_uniform", "relu"),
    "ReLU, He, gain 2": ("relu", None, "he_uniform", 2.0),
    "the same and layer norm": ("relu", "layer_norm", "he_uniform", 2.0),
}


def stacks():
    """Vanishing, passing, exploding, and what a norm repairs."""
    found = {name: lw.gradient_flow(DEPTH, 128, *settings) for name, settings in STACKS.items()}
    flows(found, f"{DEPTH} layers of 128: what goes forward, and what comes back", IMAGES / "gradient-flow.png")
    for name, flow in found.items():
        print(f"{name}: output {flow.activation[-1]:.2g}, gradient {flow.gradient[0]:.2g}, "
              f"slope {flow.slope.mean():.3f}")


def update():
    """A gradient that explodes in one step is a signal that explodes in the next."""
    found = {}
    for lr in (1e-6, 1e-4):
        flow = lw.gradient_flow(DEPTH, 128, "relu", None, "he_uniform", 2.0, lr=lr)
        found["before"] = type(flow)(flow.activation, flow.gradient, flow.slope)
        nothing = np.full(DEPTH, np.nan)  # gradient and slope are those before the step
        found[f"after a step of {lr:g}"] = type(flow)(flow.updated, nothing, nothing)
        print(f"lr {lr:g}: output {flow.activation[-1]:.3g} before, {flow.updated[-1]:.3g} after")
    flows(found, "ReLU, He, gain 2: before a step of gradient descent, and after it",
          IMAGES / "gradient-flow-update.png")


def singular_values():
    """How much longer than its input a linear layer's output can be."""
    weight = lw.xavier_uniform((128, 128), 1, dtype=np.float64)
    _, values, directions = np.linalg.svd(weight)
    longest = np.linalg.norm(lw.linear(directions[0], weight)) / np.linalg.norm(directions[0])
    print(f"Xavier 128 x 128: largest singular value {values[0]:.4f}, length out over length in {longest:.4f}, "
          f"mean square gain {np.sqrt((values**2).mean()):.3f}")


def scaled_inputs():
    """Sigmoid with Xavier uniform on the digits: pixels from 0 to 1, against other scales."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    digits = load_digits()
    figure = Figure(figsize=(8, 4), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    mean, deviation = digits.x.mean(), digits.x.std()  # of all pixels
    for name, xavier, offset, unit in (("pixels less their mean, over their deviation, Xavier", True, mean, deviation),
                                       ("pixels from 0 to 16, Xavier", True, 0.0, 1.0),
                                       ("pixels from 0 to 16, normal weights of deviation 1", False, 0.0, 1.0),
                                       ("pixels from 0 to 1, Xavier", True, 0.0, 16.0)):
        x, held_out = (np.ascontiguousarray((each - offset) / unit, np.float32)
                       for each in (digits.x, digits.x_held_out))
        curves = []
        for seed in range(5):
            network = training.classifier((64, 64, 64, 10), "sigmoid", seed)
            for k, (key, weight) in enumerate(network.parameters().items()):
                if key.endswith("weight"):
                    weight[...] = lw.xavier_uniform(weight.shape, seed, generation=k) if xavier else \
                        np.random.default_rng([seed, k]).normal(size=weight.shape)
            found = training.train(network, x, digits.y, epochs=40, optimizer="sgd", lr=0.05, rng=seed,
                                   held_out=(held_out, digits.y_held_out))
            curves.append(found.history["accuracy"])
        median = np.median(curves, axis=0)
        axes.plot(np.arange(1, 41), median, linewidth=2, label=f"{median[-1]:.1%}  {name}")
        print(f"{name}: {median[0]:.1%} after one epoch, {median[4]:.1%} after five, {median[-1]:.1%} after forty")
    axes.set(xlabel="epoch", ylabel="held-out accuracy, median of five seeds", ylim=(0, 1.02), xlim=(1, 40))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.legend(frameon=False)
    axes.set_title("64-64-64-10 network of sigmoids on the digits", loc="left", weight="bold")
    figure.savefig(IMAGES / "sigmoid-inputs.png")


if __name__ == "__main__":
    stacks()
    update()
    singular_values()
    scaled_inputs()
