#!/usr/bin/env bash
# softmax is the same for numbers that are all larger by one amount, and implementations subtract the largest for its sake.
# awkward's ak.softmax, which is for lists of different lengths, divides exp(x) by its sum as it stands: a list with a
# number above 709.78 in float64, or 88.72 in float32, has NaN in its place and 0 for all others, and one whose numbers are
# all below -745 is NaN throughout. ak.softmax(x - ak.max(x, axis=-1, keepdims=True), axis=-1) is right.
#
# awkward 2.14.0, numpy 2.4.6, lists (1000 0), (-1000 -1001), (1 2 3):
#   nan 0; nan nan; 0.0900 0.2447 0.6652. Of float32 (89 0): nan 0. The largest subtracted: 1 0; 0.731 0.269
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet awkward==2.14.0 numpy==2.4.6
"$work/venv/bin/python" - 2> "$work/log" <<'SCRIPT' || { cat "$work/log"; exit 1; }
import awkward as ak
import numpy as np

lists = ak.Array([[1000.0, 0.0], [-1000.0, -1001.0], [1.0, 2.0, 3.0]])
found = ak.softmax(lists, axis=-1).to_list()
print("softmax of", lists.to_list(), "is", found)
assert np.isnan(found[0][0]) and found[0][1] == 0 and np.isnan(found[1]).all()
np.testing.assert_allclose(found[2], np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum())
row = ak.softmax(ak.values_astype(ak.Array([[89, 0]]), np.float32), axis=-1).to_list()[0]
print("softmax of 89 and 0 in float32 is", row)
assert np.isnan(row[0]) and row[1] == 0
below = ak.softmax(lists - ak.max(lists, axis=-1, keepdims=True), axis=-1).to_list()
print("of the numbers less the largest", below)
np.testing.assert_allclose(below[0] + below[1], [1, 0, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(1))])
SCRIPT
