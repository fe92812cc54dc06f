# One training step of a network with one hidden layer beside PyTorch's eager step, with AdamW or SGD: how many times as
# long PyTorch takes stands in extra_info["ratio"], each round being timed right after the peer's. Steps of optimisers
# alone stand beside PyTorch's fused ones and, out of cache, beside a copy. Dropout stands beside PyTorch's.
# pytest bench/bench_learning.py --benchmark-enable
import time

import lanewise as lw
import numpy as np
import pytest

STEPS = {"64-32-10, batch 32": (64, 32, 10, 32), "784-256-10, batch 128": (784, 256, 10, 128)}


def beside(benchmark, ours, peer, rounds=40, calls=1):
    """Time ours right after the peer, again and again; the ratio is of the best of both."""
    peers, found = [], []

    def setup():
        start = time.perf_counter()
        for _ in range(calls):
            peer()
        peers.append(time.perf_counter() - start)

    def run():
        start = time.perf_counter()
        for _ in range(calls):
            ours()
        found.append(time.perf_counter() - start)

    benchmark.pedantic(run, setup=setup, rounds=rounds, warmup_rounds=3)
    benchmark.extra_info.update(ratio=min(peers) / min(found), seconds=min(found) / calls,
                                peer_seconds=min(peers) / calls)


def network_step(torch, sizes, optimiser):
    """A step of Lanewise and the same of PyTorch, from the same weights: the losses must agree."""
    inputs, hidden, classes, batch = sizes
    rng = np.random.default_rng(3)
    x, target = rng.normal(size=(batch, inputs)).astype(np.float32), rng.integers(0, classes, batch)
    layers = lw.layers
    network = layers.Sequential(layers.Linear(inputs, hidden, 1, input_grad=False), layers.Activation("relu"),
                                layers.Linear(hidden, classes, 2, gain=1.0))
    peer = torch.nn.Sequential(torch.nn.Linear(inputs, hidden), torch.nn.ReLU(), torch.nn.Linear(hidden, classes))
    parameters, gradients = list(network.parameters().values()), list(network.gradients().values())
    for tensor, array in zip(peer.parameters(), parameters, strict=True):
        tensor.data = torch.from_numpy(array.copy())
    tensor_x, tensor_target = torch.from_numpy(x), torch.from_numpy(target)
    first, second = ([np.zeros_like(each) for each in parameters] for _ in range(2))
    steps = [0]
    if optimiser == "adamw":
        of_torch = torch.optim.AdamW(peer.parameters(), lr=1e-3, fused=True)
    else:
        of_torch = torch.optim.SGD(peer.parameters(), lr=1e-2, momentum=0.9, fused=True)

    def ours():
        loss, grad = lw.cross_entropy_with_grad(network.forward(x), target)
        network.backward(grad)
        steps[0] += 1
        if optimiser == "adamw":
            lw.adamw_step(parameters, gradients, first, second, steps[0])
        else:
            lw.sgd_step(parameters, gradients, first, lr=1e-2, momentum=0.9)
        return loss

    def theirs():
        of_torch.zero_grad(set_to_none=True)
        loss = torch.nn.functional.cross_entropy(peer(tensor_x), tensor_target)
        loss.backward()
        of_torch.step()
        return loss

    for _ in range(3):
        assert float(ours()) == pytest.approx(float(theirs().detach()), rel=1e-4)
    return ours, theirs


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("sizes", list(STEPS))
def test_training_step(sizes, optimiser, threads, benchmark):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(threads)
    lw.set_num_threads(threads)
    benchmark.group = f"training step, {sizes}"
    beside(benchmark, *network_step(torch, STEPS[sizes], optimiser), calls=10)


@pytest.mark.parametrize("optimiser", ["adamw", "sgd"])
@pytest.mark.parametrize("n", [2_000, 50_000, 1 << 24])
def test_optimiser(n, optimiser, threads, benchmark):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(threads)
    lw.set_num_threads(threads)
    rng = np.random.default_rng(3)
    param, grad, first, second = (rng.random(n, np.float32) for _ in range(4))
    tensor = torch.nn.Parameter(torch.from_numpy(param.copy()))
    tensor.grad = torch.from_numpy(grad)
    if optimiser == "adamw":
        peer = torch.optim.AdamW([tensor], fused=True).step
    else:
        peer = torch.optim.SGD([tensor], lr=1e-3, momentum=0.9, fused=True).step

    def ours():
        if optimiser == "adamw":
            lw.adamw_step(param, grad, first, second, 10)
        else:
            lw.sgd_step(param, grad, first, lr=1e-3, momentum=0.9)

    benchmark.group = f"{optimiser} step of {n}"
    beside(benchmark, ours, peer, rounds=10 if n > 1 << 20 else 60, calls=1 if n > 1 << 20 else 10)
    copy = np.empty_like(param)
    seconds = []
    for _ in range(10):
        start = time.perf_counter()
        np.copyto(copy, grad)
        seconds.append(time.perf_counter() - start)
    moved = 7 if optimiser == "adamw" else 5  # arrays read and written; a copy reads one and writes one
    benchmark.extra_info["share_of_copy"] = (moved / benchmark.extra_info["seconds"]) / (2 / min(seconds))


@pytest.mark.parametrize("n", [2_000, 50_000])
def test_dropout(n, threads, benchmark):
    torch = pytest.importorskip("torch")
    torch.set_num_threads(threads)
    lw.set_num_threads(threads)
    x = np.random.default_rng(3).random(n, np.float32)
    tensor, y = torch.from_numpy(x), np.empty_like(x)
    benchmark.group = f"dropout of {n}"
    beside(benchmark, lambda: lw.dropout(x, 0.5, 7, out=y), lambda: torch.nn.functional.dropout(tensor, 0.5), calls=10)
