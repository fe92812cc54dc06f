# One generation's evaluation: 100 networks of 64-32-10 over the 1437 training digits, loss of each, beside plain NumPy,
# PyTorch and, where installed, EvoTorch. What share of the float32 multiply-adds this machine can do, by peak.c on as
# many threads, stands in extra_info["peak_share"]: above 1 where the first layer is computed in integers.
# pytest bench/bench_population.py --benchmark-enable
import os
import subprocess
import time
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest
from lanewise import genome
from lanewise.evolution import data, evolve
from lanewise.evolution.network import Batch, Network

SIZE = 100
NETWORKS = [(64, 32, 10), (784, 128, 10)]


def case(sizes):
    network = Network(sizes)
    population = genome.random_population(SIZE, network.n_weights, 1)
    if sizes[0] == 64:
        digits = data.load_digits()
        x, y = digits.x * digits.scale, digits.y
    else:
        rng = np.random.default_rng(1)
        x, y = rng.integers(0, 256, (1437, sizes[0])).astype(np.float32) / 256, rng.integers(0, sizes[-1], 1437)
    return network, population, x, y


def split(network, weights):
    used = 0
    for inputs, outputs in zip(network.sizes, network.sizes[1:], strict=False):
        yield weights[:, used:used + inputs * outputs].reshape(-1, outputs, inputs)
        used += inputs * outputs


def numpy_loss(network, population, x, y):
    z = x[None]
    for k, layer in enumerate(split(network, network.codebook.levels[genome.unpack(population)])):
        z = np.matmul(np.maximum(z, 0) if k else z, layer.transpose(0, 2, 1))
    z = z - z.max(axis=2, keepdims=True)
    return (np.log(np.exp(z).sum(axis=2)) - z[:, np.arange(len(y)), y]).mean(axis=1)


def torch_loss(torch, network, weights, x, y):
    z = x.expand(len(weights), *x.shape)
    for k, layer in enumerate(split(network, weights)):
        z = torch.bmm(torch.relu(z) if k else z, layer.transpose(1, 2))
    return torch.nn.functional.cross_entropy(z.transpose(1, 2), y.expand(len(weights), -1), reduction="none").mean(1)


@pytest.fixture(scope="module")
def peak(tmp_path_factory):
    """Multiply-adds a second, at most; None without a C compiler."""
    program = tmp_path_factory.mktemp("peak") / "peak"
    command = ["cc", "-O3", "-march=native", "-fopenmp", Path(__file__).with_name("peak.c"), "-o", program]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        return None
    threads = os.environ | {"OMP_NUM_THREADS": str(lw.get_num_threads())}
    return float(subprocess.run(program, env=threads, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("sizes", NETWORKS, ids=lambda sizes: "-".join(map(str, sizes)))
@pytest.mark.parametrize("by", ["lanewise", "lanewise in float32", "numpy", "torch"])
def test_generation(by, sizes, benchmark, beside_a_copy, peak):
    network, population, x, y = case(sizes)
    nbytes = SIZE * len(x) * sizes[1] * 4  # the hidden layer, which others write to memory
    rounds = 3 if sizes[0] > 64 else 20
    if by.startswith("lanewise"):
        batch = network.batch(x, y)
        if by == "lanewise in float32":
            batch = Batch(batch.tiles, len(batch), batch.classes)
        losses = beside_a_copy(lambda: network.loss(population, batch), nbytes, rounds)
    elif by == "numpy":
        losses = beside_a_copy(lambda: numpy_loss(network, population, x, y), nbytes, 3)
    else:
        torch = pytest.importorskip("torch")
        inputs, target = torch.from_numpy(x), torch.from_numpy(y)
        weights = torch.from_numpy(genome.decode(population))
        with torch.inference_mode():
            losses = beside_a_copy(lambda: torch_loss(torch, network, weights, inputs, target), nbytes, rounds).numpy()
    assert losses == pytest.approx(numpy_loss(network, population, x, y), rel=1e-4)
    multiply_adds = SIZE * len(x) * network.n_weights
    benchmark.extra_info["multiply_adds"] = multiply_adds
    if benchmark.enabled and peak is not None:
        benchmark.extra_info["peak_share"] = multiply_adds / benchmark.stats.stats.min / peak


def evotorch_problem(by, network, x, y, rows):
    # the losses of EvoTorch's population: by its own SupervisedNE, or all genomes in one batched product; on all rows,
    # or each generation on some of them
    import torch
    from evotorch import Problem
    from evotorch.neuroevolution import SupervisedNE

    inputs, target = torch.from_numpy(x), torch.from_numpy(y)
    if by == "SupervisedNE":
        layers = [torch.nn.Linear(64, 32, bias=False), torch.nn.ReLU(), torch.nn.Linear(32, 10, bias=False)]
        return SupervisedNE(torch.utils.data.TensorDataset(inputs, target), torch.nn.Sequential(*layers),
                            torch.nn.CrossEntropyLoss(), minibatch_size=rows, common_minibatch=True,
                            initial_bounds=(-1, 1))

    class Batched(Problem):
        def __init__(self):
            super().__init__("min", solution_length=network.n_weights, initial_bounds=(-1, 1), dtype=torch.float32)

        def _evaluate_batch(self, solutions):
            some = torch.randperm(len(target))[:rows] if rows < len(target) else slice(None)
            solutions.set_evals(torch_loss(torch, network, solutions.values, inputs[some], target[some]))

    return Batched()


@pytest.mark.parametrize("batch_size", [None, 512], ids=["all rows", "512 rows"])
@pytest.mark.parametrize("by", ["SupervisedNE", "batched"])
def test_beside_evotorch(by, batch_size, benchmark):
    # ten whole generations, since that is what people wait for, each round right after ten of EvoTorch's genetic
    # algorithm on real-valued weights and as many rows: extra_info["ratio"] is how many times as fast they are
    pytest.importorskip("evotorch")
    import torch
    from evotorch.algorithms import GeneticAlgorithm
    from evotorch.operators import GaussianMutation, OnePointCrossOver

    network, _, x, y = case((64, 32, 10))
    batch = network.batch(x, y)
    torch.set_num_threads(lw.get_num_threads())
    problem = evotorch_problem(by, network, x, y, batch_size or len(y))
    search = GeneticAlgorithm(problem, popsize=SIZE, re_evaluate=False, operators=[
        OnePointCrossOver(problem, tournament_size=4), GaussianMutation(problem, stdev=0.05)])
    peers, ours = [], []

    def peer():
        start = time.perf_counter()
        search.run(10)
        peers.append(time.perf_counter() - start)

    def ten_generations():
        start = time.perf_counter()
        result = evolve(network, batch, population=SIZE, batch_size=batch_size, generations=10, progress=False)
        ours.append(time.perf_counter() - start)
        return result

    result = benchmark.pedantic(ten_generations, setup=peer, rounds=10, warmup_rounds=1)
    assert len(result.history) == 10
    assert float(search.status["pop_best_eval"]) < 3
    benchmark.extra_info.update(ratio=min(peers) / min(ours), median_ratio=np.median(peers) / np.median(ours),
                                peer_seconds=min(peers))


def test_evolve(benchmark, beside_a_copy):
    # ten whole generations: breeding, evaluation, ranking, and the history
    network, _, x, y = case((64, 32, 10))
    batch = network.batch(x, y)
    result = beside_a_copy(lambda: evolve(network, batch, population=SIZE, generations=10, progress=False),
                           SIZE * len(x) * 32 * 4, 10)
    assert len(result.history) == 10
    benchmark.extra_info["generations"] = 10
