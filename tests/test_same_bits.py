"""Same value, same bits: no ufunc's result depends on the level, nor on position, stride, alignment, tail, being in
place, or the number of threads. Whether the bits are right is each family's own test."""

import json
from pathlib import Path

import lanewise as lw
import numpy as np
import pytest
from lanewise.bounds import BOUNDS
from lanewise.kernels import BUILT_LEVELS, activations, levels, machine

LEVELS_HERE = [level for level in levels.supported(machine.cpu_features()) if level in BUILT_LEVELS]
# those that a thin function hides are among the kernels', under a name of their own
EVERYTHING = {**vars(lw), **vars(activations)}
UFUNCS = {name: f for name, f in EVERYTHING.items()
          if isinstance(f, np.ufunc) and EVERYTHING.get(f"{name}_ufunc") is not f}
CASES = [
    pytest.param(f, types, id=f"{name}-{types}")
    for name, f in UFUNCS.items()
    for types in f.types
    if set(types) <= set("efd->")
]

TESTS = str(Path(__file__).parent)


@pytest.mark.above_kernels
@pytest.mark.parametrize(("script", "least"), [("hashes", 3 * len(UFUNCS)), ("hashes_rows", 2500),
                                              ("hashes_learning", 40), ("hashes_measured", 4 * len(BOUNDS))])
def test_levels_agree(run_python, script, least):
    found = {}
    for level in LEVELS_HERE:
        result = run_python(f"import sys; sys.path.insert(0, {TESTS!r}); import {script}; {script}.main()",
                            LANEWISE_LEVEL=level)
        assert result.returncode == 0, result.stderr
        found[level] = json.loads(result.stdout)
    first = found[LEVELS_HERE[0]]
    assert len(first) >= least > 0
    for level, hashes in found.items():
        assert [name for name in first if hashes[name] != first[name]] == [], f"{level} differs from {LEVELS_HERE[0]}"


def operands(types, n, seed=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(0, 6, n).astype(char) for char in types.partition("->")[0]]


def outputs(f, *inputs, **keywords):
    with np.errstate(all="raise"):  # and no flag leaks
        found = f(*inputs, **keywords)
    return found if isinstance(found, tuple) else (found,)


def bits(y):
    # a NaN is a NaN: its sign and payload are the processor's business
    return np.where(np.isnan(y), np.asarray(np.nan, y.dtype), y).tobytes() if y.dtype.kind == "f" else y.tobytes()


def assert_same(computed, expected):
    for y, e in zip(computed, expected, strict=True):
        assert y.dtype == e.dtype
        assert bits(y) == bits(e)


@pytest.mark.parametrize(("f", "types"), CASES)
def test_position_does_not_matter(f, types):
    inputs = operands(types, 203)
    whole = outputs(f, *inputs)
    for i in range(0, 203, 7):  # alone, as a 0-d array, and as a tail of any length
        assert_same(outputs(f, *(x[i] for x in inputs)), [y[i] for y in whole])
        assert_same(outputs(f, *(x[i:] for x in inputs)), [y[i:] for y in whole])
        assert_same(outputs(f, *(x[: i + 1] for x in inputs)), [y[: i + 1] for y in whole])


@pytest.mark.parametrize(("f", "types"), CASES)
def test_strides_and_alignment_do_not_matter(f, types):
    inputs = operands(types, 301)
    whole = outputs(f, *inputs)
    for step in (2, 3, -1, -2):
        assert_same(outputs(f, *(x[::step] for x in inputs)), [y[::step] for y in whole])
    itemsize = inputs[0].itemsize
    for offset in (1, itemsize, 3 * itemsize):
        moved = [np.frombuffer(b"\0" * offset + x.tobytes(), np.uint8)[offset:].view(x.dtype) for x in inputs]
        assert_same(outputs(f, *moved), whole)
    strided = [np.zeros((301, 2), y.dtype) for y in whole]
    outputs(f, *inputs, out=tuple(y[:, 1] for y in strided))
    assert_same([y[:, 1] for y in strided], whole)
    assert all(np.all(y[:, 0] == 0) for y in strided)
    first, *others = inputs
    column = first[:77, np.newaxis]
    rows = [x[np.newaxis, :50] for x in others]
    if others:  # broadcast, as against spelt out
        assert_same(outputs(f, column, *rows), outputs(f, *(x.copy() for x in np.broadcast_arrays(column, *rows))))


@pytest.mark.parametrize(("f", "types"), CASES)
def test_in_place_and_overlapping(f, types):
    inputs = operands(types, 301)
    whole = outputs(f, *inputs)
    for k in range(f.nin):
        if inputs[k].dtype != whole[0].dtype:
            continue  # a parameter of more digits than the result
        again = [x.copy() for x in inputs]
        outputs(f, *again, out=(again[k],) + (None,) * (f.nout - 1))
        assert_same([again[k]], whole[:1])
    buffer = np.concatenate([inputs[0], inputs[0][:5]])
    outputs(f, buffer[:301], *inputs[1:], out=(buffer[5:],) + (None,) * (f.nout - 1))
    assert_same([buffer[5:]], whole[:1])


@pytest.mark.parametrize(("f", "types"), CASES)
def test_thread_count_does_not_matter(f, types):
    inputs = operands(types, (1 << 18) + 7)
    lw.set_num_threads(1)
    one = outputs(f, *inputs)
    for n in (2, 3, 16):
        lw.set_num_threads(n)
        assert_same(outputs(f, *inputs), one)


@pytest.mark.parametrize(("f", "types"), [case for case in CASES if case.values[0].nout == 1])
def test_an_output_that_begins_before_an_operand(f, types):
    """NumPy copies none of these: element by element from the first on, each would be read before it is written over.
    So chunks of them are not computed at once."""
    n = (1 << 16) + 7
    inputs = operands(types, n)
    expected = outputs(f, *inputs)[0]
    lw.set_num_threads(4)
    for shift in (1, 8192):
        for k in range(f.nin):
            if inputs[k].dtype == expected.dtype:
                buffer = np.concatenate([np.zeros(shift, inputs[k].dtype), inputs[k]])
                outputs(f, *inputs[:k], buffer[shift:], *inputs[k + 1:], out=buffer[:n])
                assert bits(buffer[:n]) == bits(expected), (shift, k)


@pytest.mark.parametrize("offset", [0, 1, 5, 15])
@pytest.mark.parametrize(("call", "dtype"), [
    (lw.silu, "f4"), (lw.silu, "f8"), (lw.silu, "f2"), (lw.leaky_relu, "f4"), (lw.leaky_relu, "f8"), (lw.elu, "f2"),
    (lambda x, **out: lw.silu_backward(x, x[::-1], **out), "f4")])
def test_large_outputs_written_past_the_caches(call, dtype, offset):
    """From 8 MiB an output is streamed, where it starts wherever it may; not where it is the input too."""
    n = (9 << 20) // np.dtype(dtype).itemsize + 3
    x = np.random.default_rng(1).normal(0, 3, n).astype(dtype)
    room = np.empty((n + 2 * offset) * x.itemsize + 64, np.uint8)
    start = -room.ctypes.data % 64  # so that the offset is one from a register's boundary
    y = room[start : start + (n + 2 * offset) * x.itemsize].view(dtype)
    y[:] = 7
    lw.set_num_threads(1)
    lw.leaky_relu(x[:5000], -7.0)  # which leaves its parameter where the next call's blocks will be
    call(x, out=y[offset : offset + n])
    lw.set_num_threads(2)
    assert (y[:offset] == 7).all()
    assert (y[offset + n :] == 7).all()
    if call in (lw.silu, lw.leaky_relu, lw.elu):
        assert_same([y[offset : offset + n]], [np.concatenate([call(part) for part in np.array_split(x, 200)])])
        inplace = x.copy()
        call(inplace, out=inplace)
        assert_same([inplace], [y[offset : offset + n]])
    else:
        assert_same([y[offset : offset + 500]], [lw.silu_backward(x[:500], x[::-1][:500])])
