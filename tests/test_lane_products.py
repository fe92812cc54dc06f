"""Integer products of kernels/lanes, at every level, against integers of 64 bits: the largest ones too, with which a
sum of 16 bits would overflow first."""

import numpy as np

rng = np.random.default_rng(7)


def any_bits(dtype, n):
    return rng.integers(0, 256, n * np.dtype(dtype).itemsize, dtype=np.uint8).view(dtype)


def test_products_i16(registers):
    ends = np.array([-32768, -32767, -1, 0, 1, 2, 32767], np.int16)
    every = np.stack(np.meshgrid(ends, ends), axis=-1).reshape(-1, 2)
    x = np.concatenate([every, any_bits(np.int16, 2 * (1024 - len(every))).reshape(-1, 2)])
    sums = any_bits(np.int32, len(x))
    for w in [*every, *any_bits(np.int16, 20).reshape(-1, 2)]:
        y, z = sums.view(np.uint32).copy(), sums.view(np.uint32).copy()
        pair, halves = w.view(np.uint32)[0], x.view(np.uint32)[:, 0]
        registers.add_products_i16(pair, halves, y)
        assert np.array_equal(y, (sums + (x.astype(np.int64) * w).sum(axis=1)).astype(np.uint32))  # modulo 2^32
        registers.dot_i16(np.where(np.arange(len(x)) % 3, pair, 0).astype(np.uint32), halves, z)
        assert np.array_equal(z, np.where(np.arange(len(x)) % 3, y, sums.view(np.uint32)))


def test_products_u8(registers):
    most = registers.unsigned_most()
    assert 64 <= most <= 255
    for sign, top in ((1, most), (-1, most), (0, most), (0, 128)):
        w = rng.integers(0, top, (2, 1024, 4), np.uint8, endpoint=True)
        x = rng.integers(-128 if top == 128 else -127, 127, (2, 1024, 4), np.int8, endpoint=True)
        if sign:
            w[:, :512], x[:, :512] = top, 127 * sign
        products = w.astype(np.int64) * x
        if top == 128:
            found = np.empty(1024, np.uint32)
            registers.pair_products_u8(w[0].view(np.uint32)[:, 0], x[0].view(np.uint32)[:, 0], found)
            assert np.array_equal(found.view(np.int16), products[0].reshape(-1, 2).sum(axis=1))
        else:
            sums = any_bits(np.int32, 1024).astype(np.int64)
            found = sums.astype(np.uint32)
            registers.dot_u8(w.view(np.uint32)[..., 0], x.view(np.uint32)[..., 0], found)
            assert np.array_equal(found, (sums + products.sum(axis=(0, 2))).astype(np.uint32))
