#!/usr/bin/env bash
# Symmetric int4 has codes from -8 to 7. torchao and compressed-tensors take the largest number over 7.5 as the step, so that
# the error is shared by both ends: what stands at the end becomes 7 or, as a half is rounded to even, -8. Weights that are
# whole steps from -7 to 7 already, as a quantised model that is loaded, merged and quantised again has them, do not come
# back: -7 becomes -7.47 and 7 becomes 6.53, of another size each. With torchao further rounds make all of
# them larger still, -7 after ten is -11.7. In float8 compressed-tensors divides by the largest of the format, and all stay.
#
# torchao 0.18.0, compressed-tensors 0.20.1, torch 2.13.0, CPU, -7, -6 ... 7 in one group, the ends after 1 and 10 rounds:
#   torchao -7.47 6.53, -11.68 10.22; compressed-tensors -7.47 6.53, -7.82 6.85
# Exits with another code than 0 where this has changed.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"${PYTHON:-python3}" -m venv "$work/venv"
"$work/venv/bin/pip" install --quiet torch==2.13.0 torchao==0.18.0 compressed-tensors==0.20.1 numpy==2.4.6
"$work/venv/bin/python" - <<'SCRIPT'
import logging
import warnings

logging.disable()
warnings.simplefilter("ignore")
import torch
from compressed_tensors.quantization import QuantizationArgs
from compressed_tensors.quantization.lifecycle.forward import fake_quantize
from compressed_tensors.quantization.utils import calculate_qparams
from torchao.quantization.quant_primitives import (
    MappingType,
    choose_qparams_affine,
    dequantize_affine,
    quantize_affine,
)

given = torch.arange(-7.0, 9.0).clamp(max=7)[None]


def by_torchao(weight):
    group = weight.shape
    scale, zero = choose_qparams_affine(weight, MappingType.SYMMETRIC, group, torch.int8, -8, 7)
    codes = quantize_affine(weight, group, scale, zero, torch.int8, -8, 7)
    return dequantize_affine(codes, group, scale, zero, torch.int8, -8, 7)


def by_compressed_tensors(weight, kind="int", bits=4):
    format = QuantizationArgs(num_bits=bits, type=kind, symmetric=True, strategy="group", group_size=16)
    scale, zero = calculate_qparams(weight.amin(-1, keepdim=True), weight.amax(-1, keepdim=True), format)
    return fake_quantize(weight, scale, zero, format)


for quantised, last in ((by_torchao, -11.68), (by_compressed_tensors, -7.82)):
    weight = given
    for rounds in range(1, 11):
        weight = quantised(weight)
        if rounds in (1, 10):
            print(quantised.__name__, rounds, *[f"{end:.4g}" for end in (weight.min(), weight.max())])
        if rounds == 1:
            assert abs(weight.min() + 7.467) < 0.01 and abs(weight.max() - 6.533) < 0.01
    assert abs(weight.min() - last) < 0.1
assert torch.allclose(by_compressed_tensors(given, "float", 8), given)
SCRIPT
