"""Integer products of kernels/lanes, at every level, against integers of 64 bits: the largest ones too, with which a
sum of 16 bits would overflow first."""

import itertools

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
        registers.add_products(pair, halves, False, y)
        assert np.array_equal(y, (sums + (x.astype(np.int64) * w).sum(axis=1)).astype(np.uint32))  # modulo 2^32
        registers.dot_i16(np.where(np.arange(len(x)) % 3, pair, 0).astype(np.uint32), halves, z)
        assert np.array_equal(z, np.where(np.arange(len(x)) % 3, y, sums.view(np.uint32)))


def test_products_of_four_bytes(registers):
    ends = np.array([0, 1, 127, 128, 255], np.uint8)
    every = np.stack(np.meshgrid(ends, ends, ends, ends), axis=-1).reshape(-1, 4)
    x = np.concatenate([every, any_bits(np.uint8, 4 * (1024 - len(every))).reshape(-1, 4)])
    sums = any_bits(np.int32, len(x))
    for w in [*every.view(np.int8)[::7], *any_bits(np.int8, 80).reshape(-1, 4)]:
        y = sums.view(np.uint32).copy()
        registers.add_products(w.view(np.uint32)[0], x.view(np.uint32)[:, 0], True, y)
        assert np.array_equal(y, (sums + (x.astype(np.int64) * w).sum(axis=1)).astype(np.uint32))  # modulo 2^32


def test_products_u8(registers):
    most = registers.unsigned_most()
    assert 32 <= most <= 255
    cases = [(largest, top, count) for largest in (127, -128, 0)
             for top, count in ((most, 1), (most, 2), (most, 4), (most // 2, 8))]
    for largest, top, count in [*cases, (0, 128, 1)]:
        w = rng.integers(0, top, (count, 1024, 4), np.uint8, endpoint=True)
        x = rng.integers(-128, 127, (count, 1024, 4), np.int8, endpoint=True)
        if largest:
            w[:, :512], x[:, :512] = top, largest
        products = w.astype(np.int64) * x
        if top == 128:
            found = np.empty(1024, np.uint32)
            registers.pair_products_u8(w[0].view(np.uint32)[:, 0], x[0].view(np.uint32)[:, 0], found)
            assert np.array_equal(found.view(np.int16), products[0].reshape(-1, 2).sum(axis=1))
            continue
        for shift in (0, 8):
            sums = any_bits(np.int32, 1024).astype(np.int64)
            found = sums.astype(np.uint32)
            registers.dot_u8(w.view(np.uint32)[..., 0], x.view(np.uint32)[..., 0], shift, found)
            assert np.array_equal(found, (sums + (products.sum(axis=(0, 2)) << shift)).astype(np.uint32))


def test_four_rows_of_pairs(registers):
    for count in (1, 2, 4, 8):
        w, x = any_bits(np.int16, count * 1024 * 2), any_bits(np.int16, 4 * count * 1024 * 2)
        w[:600], x[:600] = -32768, -32768
        w, x = w.reshape(count, 1024, 2), x.reshape(4, count, 1024, 2)
        sums = any_bits(np.int32, 4 * 1024).reshape(4, 1024)
        found = sums.view(np.uint32).copy()
        registers.dots(w.view(np.uint32)[None, ..., 0], x.view(np.uint32)[..., 0], 0, 0, found[None])
        assert np.array_equal(found, (sums + (w.astype(np.int64) * x).sum(axis=(1, 3))).astype(np.uint32))


def test_runs_of_bytes(registers):
    # of one plane in each of four rows, and of two planes in each of two; of outputs that are abreast, in each of two
    # rows; and of one row, where the weights of odd registers may be sixteen times as large
    most, outputs = registers.unsigned_most(), registers.abreast()
    for count, at_once, top in ((2, 4, most), (8, 4, most), (8, 8, most // 2)):
        for largest, planes, alone in itertools.product((127, -128), (1, 2), (False, True)):
            rows = 1 if alone else 4 // max(planes, outputs)
            lift = 4 if alone and outputs > 1 else 0
            w = rng.integers(0, top, (outputs, count, 1024, 4), np.uint8, endpoint=True)
            x = rng.integers(-128, 127, (rows * planes, count, 1024, 4), np.int8, endpoint=True)
            w[:, :, :512], x[:, :, :512] = top, largest
            w[:, 1::2] &= 0xF0 if lift else 0xFF
            products = w[:, None].astype(np.int64) * x
            products[:, :, 1::2] >>= lift
            products = products.sum(axis=(2, 4))
            sums = any_bits(np.int32, outputs * rows * 1024).reshape(outputs, rows, 1024).astype(np.int64)
            found = sums.astype(np.uint32)
            registers.dots(w.view(np.uint32)[..., 0], x.view(np.uint32)[..., 0], at_once, planes, found, lift)
            added = products if planes == 1 else products[:, ::2] * 256 + products[:, 1::2]
            assert np.array_equal(found, (sums + added).astype(np.uint32))


def test_where_other_u32(registers):
    a, b, mask = any_bits(np.uint32, 3 * 64).reshape(3, 64)
    y = np.empty(64, np.uint32)
    registers.where_other(a, b, mask, y)
    assert np.array_equal(y, (a ^ b) & mask)


def test_turned_f32(registers):
    x = np.arange(16 * 7, dtype=np.float32).reshape(16, 7)
    turned, back = np.zeros((4, 16), np.float32), np.zeros((16, 5), np.float32)
    registers.turned_f32(x, turned, back)
    assert (turned == x[:, :4].T).all()
    assert (back[:, :4] == x[:, :4]).all()
    assert not back[:, 4:].any()


def test_turned_eight_f32(registers):
    x, back = np.arange(8 * 16, dtype=np.float32).reshape(8, 16), np.zeros((16, 9), np.float32)
    registers.turned_eight_f32(x, back)
    assert (back[:, :8] == x.T).all()
    assert not back[:, 8:].any()


def test_transposed_u32(registers):
    # chunk c of four words is lane c // 4 + 4 * (c % 4), its word r in register r
    y = np.empty((4, 16), np.uint32)
    registers.transposed_u32(np.arange(64, dtype=np.uint32), y)
    chunks = np.arange(64).reshape(16, 4)
    assert np.array_equal(y.T, chunks.reshape(4, 4, 4).swapaxes(0, 1).reshape(16, 4))
