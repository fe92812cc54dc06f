"""Makes tests/mx_values.json: blocks of the real libraries, and what these decode them to.

Run it with torchao installed, and with the checkout of https://github.com/microsoft/microxcaling (commit 7bc4195, which
has no version) on the path.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix("").with_name("mx_values.json")


def rows():
    """Rows of 64: plain, of every exponent, saturating, zeros, NaN, infinite, subnormal, large, and ties."""
    rng = np.random.default_rng(24)
    made = [*rng.normal(0, 1, (4, 64)), rng.normal(0, 1, 64) * 2.0 ** rng.integers(-20, 20, 64),
            np.r_[1.9999, rng.uniform(-2, 2, 63)], np.zeros(64), np.r_[1.0, np.zeros(63)], np.r_[np.nan, np.ones(63)],
            np.r_[rng.normal(0, 1, 40), -np.nan, rng.normal(0, 1, 23)],
            np.r_[3e38, rng.normal(0, 1e38, 63).clip(-3e38, 3e38)],
            rng.normal(0, 1e-30, 64), -rng.integers(0, 257, 64) / 64, rng.integers(-64, 65, 64) / 16,
            np.r_[-0.0, 511, 480, 464, 448, 449, rng.uniform(-500, 500, 58)]]
    return np.array(made).astype(np.float32)


X = rows()
TINY = (np.random.default_rng(3).normal(0, 1, (2, 64)) * 2.0 ** -122).astype(np.float32)


def hexadecimal(array):
    return np.ascontiguousarray(array).tobytes().hex()


def torchao():
    import torch
    from torchao.prototype.mx_formats import nvfp4_tensor
    from torchao.prototype.mx_formats.constants import DTYPE_FP6_E2M3, DTYPE_FP6_E3M2
    from torchao.prototype.mx_formats.kernels import unpack_uint4
    from torchao.prototype.mx_formats.mx_tensor import to_dtype, to_mx

    made, dtypes = {}, {"mxfp8_e5m2": torch.float8_e5m2, "mxfp8_e4m3": torch.float8_e4m3fn,
                        "mxfp4": torch.float4_e2m1fn_x2, "mxfp6_e3m2": DTYPE_FP6_E3M2, "mxfp6_e2m3": DTYPE_FP6_E2M3}
    for name, dtype in dtypes.items():
        scales, codes = to_mx(torch.from_numpy(X), dtype, 32)
        back = to_dtype(codes, scales, dtype, 32, torch.float32)
        codes = unpack_uint4(codes) if name == "mxfp4" else codes.view(torch.uint8)
        made[name] = {"codes": hexadecimal(codes.numpy()), "scales": hexadecimal(scales.view(torch.uint8).numpy()),
                      "values": hexadecimal(back.numpy())}
    finite = X[np.isfinite(X).all(1) & (np.abs(X).max(1) < 1e30)]
    scale = nvfp4_tensor.per_tensor_amax_to_scale(torch.from_numpy(np.abs(finite).max()[None]))
    scales, codes = nvfp4_tensor.nvfp4_quantize(torch.from_numpy(finite), 16, scale)
    made["nvfp4"] = {"rows": np.flatnonzero(np.isfinite(X).all(1) & (np.abs(X).max(1) < 1e30)).tolist(),
                     "tensor_scale": hexadecimal(scale.numpy()), "codes": hexadecimal(unpack_uint4(codes).numpy()),
                     "scales": hexadecimal(scales.view(torch.uint8).numpy())}
    return {"version": importlib.metadata.version("torchao"), "made": made}


def microxcaling():
    import torch
    from mx.mx_ops import _quantize_mx

    names = {"mxfp8_e5m2": "fp8_e5m2", "mxfp8_e4m3": "fp8_e4m3", "mxfp6_e3m2": "fp6_e3m2", "mxfp6_e2m3": "fp6_e2m3",
             "mxfp4": "fp4_e2m1", "mxint8": "int8"}
    made = {}
    for name, theirs in names.items():
        for rounding, ours in ("even", "nearest"), ("nearest", "half_away"), ("floor", "zero"):
            values = _quantize_mx(torch.from_numpy(np.r_[X, TINY]), 8, theirs, axes=[-1], block_size=32, round=rounding)
            made[f"{name} {ours}"] = hexadecimal(values.numpy())
    return {"version": "7bc41952de394f5cc5e782baf132e7c7542eb4e4", "made": made}


if __name__ == "__main__":
    FILE.write_text(json.dumps({"torchao": torchao(), "microxcaling": microxcaling()}, indent=1) + "\n")
