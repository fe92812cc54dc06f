"""Rows that must be copied, and no memory for it: a MemoryError that says what was wanted and how many bytes, and
outputs as they were."""

import sys
from pathlib import Path

import pytest
from along_axis import ALONG, CHANNELS

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the limit is Linux's")

# A process that holds its operands may have so many bytes more, fewer than a tile of one of the long rows.
PROGRAM = """
import resource
import sys
sys.path.insert(0, sys.argv[1])
import along_axis
import lanewise as lw
import numpy as np
import oracles

threads, shape, names = int(sys.argv[2]), tuple(map(int, sys.argv[3].split(","))), sys.argv[4].split(";")
EXTRA = 1 << 20
lw.set_num_threads(threads)
lw.softmax(np.zeros((1024, 128), np.float32))  # starts the threads


def limit(more):
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + more if more else resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def said(error):
    # what there was no memory for, and its size: as NumPy says it, in bytes or their multiples
    words = str(error)
    return "MemoryError" if " bytes" in words or "iB for an array" in words else repr(error)


def strided(array):
    # whose rows do not stand as a kernel takes them
    wide = np.zeros((*array.shape[:-1], 2 * array.shape[-1]), array.dtype)
    wide[..., ::2] = array
    return wide[..., ::2]


for name in names if len(sys.argv) == 5 else ():
    for dtype in ("float16", "float64"):
        arrays = along_axis.operands(name, shape, dtype)
        arrays = [strided(array) if kind in "rv" else array
                  for kind, array in zip(along_axis.EVERY[name][0], arrays)]
        count = 0 if name in along_axis.NO_OUT else 2 if name in along_axis.TWO_OUTPUTS else 1
        outs = tuple(strided(np.full(shape, 7, dtype)) for _ in range(count)) or None
        limit(EXTRA)
        try:
            along_axis.results(name, arrays, outs)
            found = "no error"
        except MemoryError as error:
            found = said(error)
        except BaseException as error:
            found = repr(error)
        limit(0)
        untouched = all((out == 7).all() for out in outs or ())
        if found != "MemoryError" or not untouched:
            print(name, dtype, found, "untouched" if untouched else "written")
"""

# The rest of a program that tries functions on long rows which need room of their own, or results as long.
OTHERS = """
from lanewise import evolution, genome, ieee754

for name in lw.__all__:  # loads what is loaded at its first use
    getattr(lw, name)
N = 400_000
rows, halves, apart = np.ones((3, N), "f"), np.ones((3, N), "e"), strided(np.zeros((3, N)))
codes = np.zeros((64, N // 2), np.uint8)
network = evolution.Network((3000, 200, 10))
batch = network.batch(np.ones((640, 3000)), np.zeros(640, int))
genomes = genome.random_population(4, network.n_weights, 0)
many = [[np.ones(3) for _ in range(60_000)] for _ in range(4)]
out = np.full((3, N), 7.0)
places = genome.random_population(60_000, 8, 1)
for name, call in {
    "linear4": lambda: genome.linear4(rows[:1], codes), "linear4, rows": lambda: genome.linear4(rows, codes),
    "linear4, int16": lambda: genome.linear4(rows[:1], codes, activations="int16"),
    "linear4, int8": lambda: genome.linear4(rows, codes, activations="int8"),
    "best_scale": lambda: genome.best_scale(rows), "encode": lambda: genome.encode(rows),
    "Network.loss": lambda: network.loss(genomes, batch), "Network.forward": lambda: network.forward(genomes, batch),
    "sgd_step": lambda: lw.sgd_step(*many[:2], lr=0.1), "adamw_step": lambda: lw.adamw_step(*many, 1),
    "clip_grad_norm": lambda: lw.clip_grad_norm([apart], 1.0), "dropout": lambda: lw.dropout(halves, 0.5, 1),
    "linear": lambda: lw.linear(halves, halves), "reparameterize": lambda: lw.reparameterize(halves, halves, 1),
    "linear_backward": lambda: lw.linear_backward(np.ones((3, 3), "e"), halves, halves),
    "kl_standard_normal": lambda: lw.kl_standard_normal(apart, apart), "mse": lambda: lw.mse(halves, apart),
    "halting_distribution": lambda: lw.halting_distribution(apart), "act_halting": lambda: lw.act_halting(apart),
    "ponder_loss": lambda: lw.ponder_loss(halves, halves), "glu": lambda: lw.glu(apart),
    "mse_backward": lambda: lw.mse_backward(1.0, apart, halves, out=out),
    "binary_cross_entropy_with_logits": lambda: lw.binary_cross_entropy_with_logits(halves, halves),
    "huber_backward": lambda: lw.huber_backward(1.0, apart, halves, reduction="none", out=out),
    "cross_entropy of probabilities": lambda: lw.cross_entropy(halves, apart, weight=halves[0]),
    "softmax over axes": lambda: lw.softmax(apart, axis=None, out=out),
    "layer_norm over axes": lambda: lw.layer_norm(apart, apart, axis=(0, 1), out=out),
    "masked_softmax": lambda: lw.masked_softmax(apart, halves[:1], out=out), "geglu": lambda: lw.geglu(apart, apart),
    "dropout_backward": lambda: lw.dropout_backward(halves, 0.5, 1), "glu_backward": lambda: lw.glu_backward(
        apart[:, :N // 2], apart), "rotary_tables": lambda: lw.rotary_tables(np.arange(5000), 128),
    "reparameterize_backward": lambda: lw.reparameterize_backward(halves, halves, 1),
    "kl_standard_normal_backward": lambda: lw.kl_standard_normal_backward(1.0, halves, halves),
    "ponder_loss_with_grad": lambda: lw.ponder_loss_with_grad(halves, halves),
    "ponder_loss_backward": lambda: lw.ponder_loss_backward(1.0, halves, halves),
    "act_halting_backward": lambda: lw.act_halting_backward(halves[:, 0], apart, np.ones(3, int)),
    "sample_halting": lambda: lw.sample_halting(apart, 1), "he_normal": lambda: lw.he_normal((600, 600), 1),
    "gradient_flow": lambda: lw.gradient_flow(20, 300), "layers": lambda: lw.layers.Linear(600, 600, 1),
    "decode": lambda: genome.decode(codes), "pack": lambda: genome.pack(codes), "unpack": lambda: genome.unpack(codes),
    "mutate": lambda: genome.mutate(codes, 0.5, 1), "crossover": lambda: genome.crossover(codes, codes, 1, 2),
    "random_population": lambda: genome.random_population(64, N, 1),
    "hamming_distance": lambda: genome.hamming_distance(places, places),
    "read_gguf": lambda: genome.formats.read_gguf("Q4_0", codes[:, :18 * 5000]),
    "read_mxfp4": lambda: genome.formats.read_mxfp4(codes, np.zeros((64, N // 32), np.uint8)),
    "encode to e4m3": lambda: ieee754.encode(rows, "e4m3"), "decode e4m3": lambda: ieee754.decode(codes, "e4m3"),
    "rounding_error": lambda: ieee754.rounding_error(rows, "e4m3"), "ulp": lambda: ieee754.ulp(rows),
    "mx_encode": lambda: ieee754.mx_encode(rows, "mxfp8_e4m3"), "mx_encode, apart": lambda: ieee754.mx_encode(
        apart, "nvfp4"), "mx_decode": lambda: ieee754.mx_decode(codes, codes[:, ::32], "mxfp8_e4m3"),
    "field_statistics": lambda: ieee754.field_statistics(apart), "decompose": lambda: ieee754.decompose(rows),
}.items():
    limit(1 << 18)
    try:
        call()
        found = "no error"
    except MemoryError as error:
        found = said(error)
    except BaseException as error:
        found = repr(error)
    limit(0)
    if found != "MemoryError" or not (out == 7).all():
        print(name, found)
if not all((array == 1).all() for array in many[0]):
    print("a step changed some of its arrays")
"""


def check(run_python, threads, shape, names, more=""):
    done = run_python(PROGRAM + more, Path(__file__).parent, threads, shape, ";".join(names), *["others"] * bool(more),
                      MALLOC_ARENA_MAX="1", MALLOC_MMAP_THRESHOLD_="65536",
                      OPENBLAS_NUM_THREADS="1")  # what is freed is no longer there
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert done.stderr == ""


# one number of a row is taken where it stands
IN_TILES = [name for name in ALONG if not name.startswith("nll_loss")]


def test_functions_along_an_axis(run_python):
    check(run_python, 1, "1,400000", IN_TILES)


def test_many_threads(run_python):
    # a tile for each of eight threads, where there is memory for some of them
    check(run_python, 8, "32,40000", IN_TILES)


def test_functions_over_channels(run_python):
    check(run_python, 1, "2,3,400000", CHANNELS)
    check(run_python, 1, "2,100000", [name for name in CHANNELS if name.startswith("batch_norm")])


@pytest.mark.parametrize("threads", [1, 4])
def test_functions_for_learning_and_of_genomes(run_python, threads):
    check(run_python, threads, "1", [], OTHERS)
