#!/usr/bin/env bash
# NumPy takes the mean of float16 in float32, so that it is a number of float16 whenever the data are. dask.array, which
# does the same in chunks, keeps sum and count in float16, whose largest number is 65504: the mean of more elements than
# that is NaN, and that of fewer is infinity where their sum is larger. So is its average, and so is the mean of an xarray
# in chunks. dtype="float32" is right. (NumPy's own std and nanmean of float16 overflow too.)
#
# dask 2026.8.0, xarray 2026.9.0, numpy 2.4.6, in chunks of 1 000:
#   70 000 ones: mean nan (NumPy: 1); 1 000 times 100: mean inf (NumPy: 100); with dtype="float32": 1, 100
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet 'dask[array]==2026.8.0' xarray==2026.9.0 numpy==2.4.6
"$work/venv/bin/python" -W ignore - <<'SCRIPT'
import dask.array as da
import numpy as np
import xarray

for number, times, mean in ((1, 70_000, np.nan), (100, 1_000, np.inf)):
    whole = np.full(times, number, np.float16)
    chunked = da.from_array(whole, chunks=1_000)
    found = [each.compute() for each in (chunked.mean(), da.average(chunked), chunked.mean(dtype="float32"))]
    labelled = xarray.DataArray(whole, dims="x").chunk(x=1_000).mean().compute().item()
    print(times, "times", number, "- mean, average, mean in float32:", *found, "xarray:", labelled, "NumPy:", whole.mean())
    np.testing.assert_array_equal(found, [mean, mean, number])
    np.testing.assert_array_equal(labelled, mean)
    assert whole.mean() == number
SCRIPT
