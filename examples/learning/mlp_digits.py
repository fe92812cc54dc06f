"""A two-layer network learns the handwritten digits by the chain rule: forward, loss, backward, step.

Needs scikit-learn for the digits. Prints what it reached and the time from the start of the process.
"""

import time

import lanewise as lw
import numpy as np
from lanewise.evolution.data import load_digits
from lanewise.learning import layers

digits = load_digits()
x, held_out = ((each - digits.offset) * digits.scale for each in (digits.x, digits.x_held_out))

network = layers.Sequential(
    layers.Linear(64, 64, rng=1, input_grad=False),  # nobody asks for the gradient of a pixel
    layers.Activation("relu"),
    layers.Linear(64, 10, rng=2, gain=1.0),
)
parameters, gradients = list(network.parameters().values()), list(network.gradients().values())
first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))

order, step = np.random.default_rng(0), 0
for _epoch in range(40):
    rows = order.permutation(len(x))
    for batch in (rows[k:k + 32] for k in range(0, len(rows), 32)):
        loss, grad = lw.cross_entropy_with_grad(network.forward(x[batch]), digits.y[batch])
        network.backward(grad)
        step += 1
        lw.adamw_step(parameters, gradients, first, second, step, lr=3e-3)

accuracy = (network.forward(held_out, training=False).argmax(axis=1) == digits.y_held_out).mean()
print(f"held-out accuracy {accuracy:.2%}, loss {float(loss):.4f}, {step} steps, {time.process_time():.2f} s of CPU")
