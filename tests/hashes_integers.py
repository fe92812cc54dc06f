"""Digests of what is computed in integers, linear4 on whole numbers and a population's first layer, as JSON on one
line: the same on every level. avx512/run prints them on an emulated machine."""

import hashlib
import json

import numpy as np
from lanewise import genome
from lanewise.evolution import Network

# rows, inputs, outputs, group: few rows and many, odd and whole blocks
SHAPES = [(1, 129, 17, None), (1, 512, 20, 64), (3, 300, 33, 48), (9, 640, 18, 128), (70, 1025, 37, 16)]
CODEBOOKS = (genome.LOG4, genome.NF4, genome.FLOAT4, genome.INT4)


def digest(array):
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]


def products():
    rng = np.random.default_rng(1)
    for rows, inputs, outputs, group in SHAPES:
        x = rng.normal(size=(rows, inputs)).astype(np.float32)
        codes = rng.integers(0, 256, (outputs, (inputs + 1) // 2), np.uint8)
        scales = rng.uniform(-2, 2, (outputs, -(-inputs // (group or inputs)))).astype(np.float32)
        for codebook in CODEBOOKS:
            for kind in ("int16", "int8"):
                for offset in (None, scales / 3):
                    y = genome.linear4(x, codes, codebook, scales, group=group, offset=offset, activations=kind)
                    name = f"linear4 {rows}x{inputs}x{outputs} {group} {codebook.name} {kind} {offset is not None}"
                    yield name, digest(y)


def populations():
    rng = np.random.default_rng(2)
    for sizes in ((8, 5, 3), (63, 32, 10), (64, 33, 4)):
        x = rng.integers(-16, 17, (130, sizes[0])).astype(np.float32)
        y = rng.integers(0, sizes[-1], 130)
        for codebook in (genome.LOG4, genome.INT4):
            network = Network(sizes, codebook=codebook)
            population = genome.random_population(6, network.n_weights, 3)
            yield f"population {sizes} {codebook.name}", digest(network.loss(population, network.batch(x, y)))


if __name__ == "__main__":
    print(json.dumps(dict([*products(), *populations()])))
