"""How much of what ONNX and PyTorch test these operators by can be said here, and that all of it is right."""

import re
from collections import Counter
from pathlib import Path

import lanewise as lw
import numpy as np
import peer_cases
import pytest

# Of onnx 1.23 and torch 2.13: what is right. Another version may have more, and none may be wrong.
RIGHT = {"onnx": 330, "torch": 471}


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


def names_elsewhere():
    # the pairs of expressions of docs/faq.md, theirs and ours
    page = (Path(__file__).parents[1] / "docs" / "faq.md").read_text("utf-8")
    for theirs, ours in re.findall(r"^\| (`(?:F|special|np)\.[^|]*) \| ([^|]*) \|$", page, re.M):
        theirs, ours = (re.findall("`(.*?)`", cell) for cell in (theirs, ours))
        yield from zip(theirs, ours, strict=True)


def arrays():
    rng = np.random.default_rng(3)
    x, t = rng.normal(size=(2, 5, 7))
    return {"x": x, "t": t, "mask": rng.random((5, 7)) < 0.8, "p": rng.random((5, 7)),
            "images": rng.normal(size=(2, 4, 6)), "places": rng.integers(0, 4, (2, 6))}


@pytest.mark.parametrize(("theirs", "ours"), [
    pytest.param(*pair, marks=pytest.mark.peers) if pair[0].startswith("F.") else pair for pair in names_elsewhere()])
def test_names_of_the_page_do_the_same(theirs, ours):
    if theirs.startswith("F."):
        torch = pytest.importorskip("torch")
        names = {"torch": torch, "F": torch.nn.functional, **{
            name: torch.from_numpy(each) for name, each in arrays().items()}}
        expected = eval(theirs, names).numpy()
    else:
        expected = eval(theirs, {"np": np, "special": pytest.importorskip("scipy.special"), **arrays()})
    np.testing.assert_allclose(eval(ours, {"np": np, "lw": lw, **arrays()}), expected, rtol=1e-9, atol=1e-12)


def test_the_page_has_names():
    assert len(list(names_elsewhere())) > 12
