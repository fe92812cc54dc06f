"""A variational autoencoder of the handwritten digits: an encoder, a reparametrised normal, a decoder, two losses.

Needs scikit-learn for the digits; with matplotlib, and a file's name as argument, draws digits that nobody wrote.
"""

import sys

import lanewise as lw
import numpy as np
from lanewise.evolution.data import load_digits
from lanewise.learning import layers

LATENT = 8
digits = load_digits()
x = np.ascontiguousarray((digits.x - digits.offset) * digits.scale, np.float32)
random = np.random.default_rng(1)
encoder = layers.Sequential(layers.Linear(64, 128, random, input_grad=False), layers.Activation("silu"),
                            layers.Linear(128, 2 * LATENT, random, gain=0.3))
decoder = layers.Sequential(layers.Linear(LATENT, 128, random), layers.Activation("silu"),
                            layers.Linear(128, 64, random, gain=1.0))
parameters = [*encoder.parameters().values(), *decoder.parameters().values()]
gradients = [*encoder.gradients().values(), *decoder.gradients().values()]
first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))

step = 0
for _epoch in range(60):
    rows, error, divergence = random.permutation(len(x)), 0.0, 0.0
    for batch in (x[rows[k:k + 64]] for k in range(0, len(rows), 64)):
        step += 1
        mu, logvar = np.split(encoder.forward(batch), 2, axis=1)
        z = lw.reparameterize(mu, logvar, 7, generation=step)
        apart = lw.sigmoid(logits := decoder.forward(z)) - batch
        # binary cross-entropy, summed over pixels: softplus(logits) - x logits, whose slope is sigmoid(logits) - x
        error += float((lw.softplus(logits) - batch * logits).sum())
        divergence += float(lw.kl_standard_normal(mu, logvar).sum())
        grad_z = decoder.backward(apart / np.float32(len(batch)))
        grad_mu, grad_logvar = lw.reparameterize_backward(grad_z, logvar, 7, generation=step)
        of_mu, of_logvar = lw.kl_standard_normal_backward(np.float32(1 / len(batch)), mu, logvar)
        encoder.backward(np.concatenate([grad_mu + of_mu, grad_logvar + of_logvar], axis=1))
        lw.adamw_step(parameters, gradients, first, second, step, lr=3e-3, weight_decay=0)

print(f"a digit's error {error / len(x):.2f} nats, divergence {divergence / len(x):.2f} nats, {step} steps")
if len(sys.argv) > 1:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    samples = lw.sigmoid(decoder.forward(random.normal(size=(40, LATENT)).astype(np.float32), training=False))
    figure = Figure(figsize=(8, 4), dpi=100)
    FigureCanvasAgg(figure)
    for axes, sample in zip(figure.subplots(4, 10).ravel(), samples.reshape(-1, 8, 8), strict=True):
        axes.imshow(sample, cmap="gray_r", vmin=0, vmax=1)
        axes.set_axis_off()
    figure.suptitle("Digits drawn from the prior of a variational autoencoder")
    figure.savefig(sys.argv[1])
