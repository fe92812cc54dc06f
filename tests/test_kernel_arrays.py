"""What compiled functions refuse of arrays before they read or write one: what the layer above passes is theirs to
check, but memory is never read as what it is not."""

import numpy as np
import pytest
from lanewise.kernels import distances, genome, ieee754

pytestmark = pytest.mark.above_kernels


@pytest.mark.parametrize("codes", [
    np.zeros((2, 8), np.int8), np.zeros((2, 8), np.uint16), np.zeros((2, 8), bool), np.zeros(8, np.uint8),
    np.zeros((2, 2, 8), np.uint8), np.zeros((8, 2), np.uint8).T, np.zeros((2, 16), np.uint8)[:, ::2], [[0] * 8] * 2,
    bytes(16), 0.0,
], ids=["signed", "wide", "bool", "1d", "3d", "columns", "strided", "list", "bytes", "number"])
def test_other_arrays_are_refused(codes):
    packed = np.full((2, 4), 7, np.uint8)
    with pytest.raises(TypeError, match=r"a kernel was given .*; expected C-contiguous numbers of type u1 with 2 dim"):
        genome.pack(codes, packed)
    assert (packed == 7).all()


@pytest.mark.parametrize("codes", [np.array(["a"], "U130"), None], ids=["text", "None"])
def test_what_holds_no_codes_is_not_counted(codes):
    counts = np.zeros(4, np.int64)
    with pytest.raises(TypeError):
        ieee754.count(codes, counts)
    assert not counts.any()


def test_unaligned_numbers_are_refused():
    with pytest.raises(TypeError, match="given an array of float32 and shape"):
        genome.largest(np.zeros(17, np.uint8)[1:].view(np.float32).reshape(1, 4))


def test_other_byte_order_is_refused():
    with pytest.raises(TypeError, match="given an array of >f4 and shape"):
        genome.largest(np.ones((1, 4), ">f4"))


def test_read_only_results_are_refused():
    codes, packed = np.zeros((2, 8), np.uint8), np.zeros((2, 4), np.uint8)
    packed.flags.writeable = codes.flags.writeable = False
    with pytest.raises(ValueError, match="an array to fill that is read-only"):
        genome.pack(codes, packed)


def test_read_only_operands_are_taken():
    own, found = np.array([[1, 2], [3, 3]], np.uint8), np.zeros(2, np.intp)
    own.flags.writeable = False
    distances.hamming_distance(own, own[:1].copy(), False, found)
    assert found.tolist() == [0, 2]
