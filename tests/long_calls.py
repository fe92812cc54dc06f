"""Calls of functions that need room of their own or make results as long as their operands, but for those of
along_axis.py: what the tests of too little memory share."""

import lanewise as lw
import numpy as np
from lanewise import evolution, genome, ieee754


def apart_in_memory(array):
    """Equal numbers, with room between neighbours: rows that do not stand as a kernel takes them."""
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


def calls(n, count, out):
    """By name, of rows of n numbers, which 32 divides, and of `count` arrays. Some write to `out`, (3, n) of float64;
    `many` are the arrays that steps change."""
    for name in lw.__all__:  # loads what is loaded at its first use
        getattr(lw, name)
    rows, halves, apart = np.ones((3, n), "f"), np.ones((3, n), "e"), apart_in_memory(np.zeros((3, n)))
    codes = np.zeros((64, n // 2), np.uint8)
    network = evolution.Network((3000, 200, 10))
    batch = network.batch(np.ones((640, 3000)), np.zeros(640, int))
    genomes = genome.random_population(4, network.n_weights, 0)
    many = [[np.ones(3) for _ in range(count)] for _ in range(4)]
    places = genome.random_population(count, 8, 1)
    return many, {
        "linear4": lambda: genome.linear4(rows[:1], codes), "linear4, rows": lambda: genome.linear4(rows, codes),
        "linear4, int16": lambda: genome.linear4(rows[:1], codes, activations="int16"),
        "linear4, int8": lambda: genome.linear4(rows, codes, activations="int8"),
        "best_scale": lambda: genome.best_scale(rows), "encode": lambda: genome.encode(rows),
        "Network.loss": lambda: network.loss(genomes, batch),
        "Network.forward": lambda: network.forward(genomes, batch),
        "sgd_step": lambda: lw.sgd_step(*many[:2], lr=0.1), "adamw_step": lambda: lw.adamw_step(*many, 1),
        "clip_grad_norm": lambda: lw.clip_grad_norm([apart], 1.0), "dropout": lambda: lw.dropout(halves, 0.5, 1),
        "linear": lambda: lw.linear(halves, halves), "reparameterize": lambda: lw.reparameterize(halves, halves, 1),
        "linear_backward": lambda: lw.linear_backward(np.ones((3, 3), "e"), halves, halves),
        "kl_standard_normal": lambda: lw.kl_standard_normal(apart, apart), "mse": lambda: lw.mse(halves, apart),
        "halting_distribution": lambda: lw.halting_distribution(apart), "act_halting": lambda: lw.act_halting(apart),
        "ponder_loss": lambda: lw.ponder_loss(halves, halves), "glu": lambda: lw.glu(apart),
        "mse_backward": lambda: lw.mse_backward(1.0, apart, halves, out=out),
        "binary_cross_entropy_with_logits": lambda: lw.binary_cross_entropy_with_logits(apart, halves),
        "huber_backward": lambda: lw.huber_backward(apart, apart, halves, reduction="none", out=out),
        "cross_entropy of probabilities": lambda: lw.cross_entropy(halves, apart, weight=halves[0]),
        "softmax over axes": lambda: lw.softmax(apart, axis=None, out=out),
        "layer_norm over axes": lambda: lw.layer_norm(apart, apart, axis=(0, 1), out=out),
        "masked_softmax": lambda: lw.masked_softmax(apart, halves[:1], out=out),
        "geglu": lambda: lw.geglu(apart, apart),
        "dropout_backward": lambda: lw.dropout_backward(halves, 0.5, 1), "glu_backward": lambda: lw.glu_backward(
            apart[:, :n // 2], apart), "rotary_tables": lambda: lw.rotary_tables(np.arange(5000), 128),
        "reparameterize_backward": lambda: lw.reparameterize_backward(halves, halves, 1),
        "kl_standard_normal_backward": lambda: lw.kl_standard_normal_backward(1.0, halves, halves),
        "ponder_loss_with_grad": lambda: lw.ponder_loss_with_grad(halves, halves),
        "ponder_loss_backward": lambda: lw.ponder_loss_backward(1.0, halves, halves),
        "act_halting_backward": lambda: lw.act_halting_backward(halves[:, 0], apart, np.ones(3, int)),
        "sample_halting": lambda: lw.sample_halting(apart, 1), "he_normal": lambda: lw.he_normal((600, 600), 1),
        "gradient_flow": lambda: lw.gradient_flow(20, 300), "layers": lambda: lw.layers.Linear(600, 600, 1),
        "decode": lambda: genome.decode(codes),
        "pack": lambda: genome.pack(codes), "unpack": lambda: genome.unpack(codes),
        "mutate": lambda: genome.mutate(codes, 0.5, 1), "crossover": lambda: genome.crossover(codes, codes, 1, 2),
        "random_population": lambda: genome.random_population(64, n, 1),
        "hamming_distance": lambda: genome.hamming_distance(places, places),
        "read_gguf": lambda: genome.formats.read_gguf("Q4_0", codes[:, :18 * (n // 80)]),
        "read_mxfp4": lambda: genome.formats.read_mxfp4(codes, np.zeros((64, n // 32), np.uint8)),
        "encode to e4m3": lambda: ieee754.encode(rows, "e4m3"), "decode e4m3": lambda: ieee754.decode(codes, "e4m3"),
        "rounding_error": lambda: ieee754.rounding_error(rows, "e4m3"), "ulp": lambda: ieee754.ulp(rows),
        "mx_encode": lambda: ieee754.mx_encode(rows, "mxfp8_e4m3"), "mx_encode, apart": lambda: ieee754.mx_encode(
            apart, "nvfp4"), "mx_decode": lambda: ieee754.mx_decode(codes, codes[:, ::32], "mxfp8_e4m3"),
        "field_statistics": lambda: ieee754.field_statistics(apart), "decompose": lambda: ieee754.decompose(rows),
    }
