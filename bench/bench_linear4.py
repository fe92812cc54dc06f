# A linear layer of 4096 x 4096 packed 4-bit weights beside PyTorch's on float32 weights of the same shape, from one row
# to 512: how many times as fast it is stands in extra_info["ratio"], each round being timed right after the peer's.
# pytest bench/bench_linear4.py --benchmark-enable
import time

import lanewise as lw
import numpy as np
import pytest
from lanewise import genome

SIZE = 4096


@pytest.mark.parametrize("group", [None, 64], ids=["one scale", "groups of 64"])
@pytest.mark.parametrize("rows", [1, 4, 32, 512])
def test_linear4(rows, group, benchmark):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    codes = genome.random_population(SIZE, SIZE, 1)
    scales = rng.uniform(0.5, 2, (SIZE, SIZE // (group or SIZE))).astype(np.float32)
    weights = torch.from_numpy(genome.decode(codes, scale=scales, group=group))
    x = rng.normal(size=(rows, SIZE)).astype(np.float32)
    inputs, peers, ours = torch.from_numpy(x), [], []
    torch.set_num_threads(lw.get_num_threads())

    def peer():
        start = time.perf_counter()
        torch.nn.functional.linear(inputs, weights)
        peers.append(time.perf_counter() - start)

    def linear4():
        start = time.perf_counter()
        y = genome.linear4(x, codes, scale=scales, group=group)
        ours.append(time.perf_counter() - start)
        return y

    with torch.inference_mode():
        y = benchmark.pedantic(linear4, setup=peer, rounds=10 if rows > 32 else 40, warmup_rounds=1)
        expected = torch.nn.functional.linear(inputs, weights).numpy()
    assert np.abs(y - expected).max() <= 1e-5 * np.abs(expected).max()
    benchmark.group = f"linear {SIZE} x {SIZE}, {rows} rows"
    benchmark.extra_info.update(ratio=min(peers) / min(ours), peer_seconds=min(peers))
