"""How much of what ONNX and PyTorch test these operators by can be said here, and that all of it is right."""

from collections import Counter

import peer_cases
import pytest

# Of onnx 1.23 and torch 2.13: what is right. Another version may have more, and none may be wrong.
RIGHT = {"onnx": 174, "torch": 471}


def totals(counts):
    found = Counter()
    for (name, verdict), count in counts.items():
        found[verdict] += count
        assert verdict != "wrong", name
    return found


@pytest.mark.peers
def test_cases_of_onnx():
    pytest.importorskip("onnx")
    assert totals(peer_cases.of_onnx())["right"] >= RIGHT["onnx"]


@pytest.mark.peers
def test_samples_of_pytorch():
    pytest.importorskip("torch")
    pytest.importorskip("expecttest")
    assert totals(peer_cases.of_torch())["right"] >= RIGHT["torch"]


def test_a_wrong_result_is_counted():
    counts = Counter()
    peer_cases._judged(counts, "one", lambda: 1, lambda found: found == 2)
    peer_cases._judged(counts, "one", lambda: 2, lambda found: found == 2)
    peer_cases._judged(counts, "one", lambda: peer_cases._need(False), None)
    assert counts == {("one", "wrong"): 1, ("one", "right"): 1, ("one", "cannot be expressed"): 1}
