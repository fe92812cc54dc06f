"""Makes tests/four_bit_arrays.json: small four-bit tensors of the real libraries, and what these decode them to.

A library that is not installed keeps what the file has. Run it with the libraries to be asked:
gguf, bitsandbytes, mlx, torchao, onnx and onnxruntime, auto_gptq, autoawq, compressed-tensors, hqq.
"""

import importlib.metadata
import json
from pathlib import Path

import numpy as np

FILE = Path(__file__).with_suffix("").with_name("four_bit_arrays.json")
WEIGHTS = np.random.default_rng(20).normal(0, 0.05, (16, 64)).astype(np.float32)
WEIGHTS[0] *= -1  # whose largest weights are positive then, so that Q4_0 has negative scales
WEIGHTS[1, 32:] = 0  # a group of zeros


def gguf():
    import gguf

    made = {}
    kinds = gguf.GGMLQuantizationType
    for kind in ("Q4_0", "Q4_1", "MXFP4"):
        made[kind] = gguf.quants.quantize(WEIGHTS[:2], kinds[kind])
    rng = np.random.default_rng(1)  # of the others it has the decoder alone
    halves = np.array([0.003, -0.002], np.float16).view(np.uint8).reshape(2, 2)
    made["IQ4_NL"] = np.concatenate([halves, rng.integers(0, 256, (2, 16), np.uint8)], axis=1)
    made["Q4_K"] = np.concatenate([halves[:1], np.array([[0.001]], np.float16).view(np.uint8),
                                   rng.integers(0, 256, (1, 140), np.uint8)], axis=1)
    made["IQ4_XS"] = np.concatenate([halves[:1], rng.integers(0, 256, (1, 134), np.uint8)], axis=1)
    made["NVFP4"] = np.concatenate([rng.integers(0, 127, (2, 4), np.uint8), rng.integers(0, 256, (2, 32), np.uint8)],
                                   axis=1)
    return {kind: ({"blocks": blocks}, gguf.quants.dequantize(blocks, kinds[kind])) for kind, blocks in made.items()}


def bitsandbytes():
    import torch
    from bitsandbytes import functional

    made = {}
    for kind in ("NF4", "FP4"):
        codes, state = functional.quantize_4bit(torch.from_numpy(WEIGHTS[:2]), blocksize=64, quant_type=kind.lower())
        made[kind] = {"codes": codes.numpy(), "absmax": state.absmax.numpy()}, functional.dequantize_4bit(
            codes, state).numpy()
    return made


def mlx():
    from mlx import core

    words, scales, biases = core.quantize(core.array(WEIGHTS[:2]), group_size=32, bits=4)
    made = {"affine": ({"words": np.array(words), "scales": np.array(scales), "biases": np.array(biases)},
                       np.array(core.dequantize(words, scales, biases, group_size=32, bits=4)))}
    for mode, name in (("mxfp4", "exponents"), ("nvfp4", "scales")):
        words, scales = core.quantize(core.array(WEIGHTS[:2]), mode=mode)
        weights = core.dequantize(words, scales, mode=mode).astype(core.float32)
        made[mode] = {"codes": np.array(words), name: np.array(scales)}, np.array(weights)
    return made


def torchao():
    import torch
    from torchao.prototype.mx_formats.mx_tensor import MXTensor
    from torchao.prototype.mx_formats.nvfp4_tensor import NVFP4Tensor, per_tensor_amax_to_scale

    weights = torch.from_numpy(WEIGHTS[:2])
    nvfp4 = NVFP4Tensor.to_nvfp4(weights, per_tensor_scale=per_tensor_amax_to_scale(weights.abs().max()))
    made = MXTensor.to_mx(weights, torch.float4_e2m1fn_x2, 32)
    return {"NVFP4": ({"codes": nvfp4.qdata.numpy(), "scales": nvfp4.scale.view(torch.uint8).numpy(),
                       "multiplier": nvfp4.per_tensor_scale.numpy().reshape(1)},
                      nvfp4.dequantize(torch.float32).numpy()),
            "MXFP4": ({"codes": made.qdata.view(torch.uint8).numpy(),
                       "exponents": made.scale.view(torch.uint8).numpy().reshape(2, 2)},
                      made.dequantize(torch.float32).numpy())}


def onnx():
    from onnx import TensorProto, helper, numpy_helper

    codes, made = np.random.default_rng(4).integers(0, 256, (2, 8), np.uint8), {}
    for kind in ("INT4", "UINT4", "FLOAT4E2M1"):
        tensor = helper.make_tensor(kind, getattr(TensorProto, kind), (2, 16), codes.tobytes(), raw=True)
        made[kind] = {"codes": codes}, numpy_helper.to_array(tensor).astype(np.float32)
    return made


def onnxruntime():
    import onnxruntime as ort
    from onnx import TensorProto, helper, numpy_helper

    rng, made = np.random.default_rng(2), {}
    for name in ("MatMulNBits", "MatMulNBits with zero points"):
        given = {"codes": rng.integers(0, 256, (3, 2, 16), np.uint8),
                 "scales": np.round(rng.normal(size=(3, 2)), 3).astype(np.float32)}
        if "zero" in name:
            given["zero_points"] = rng.integers(0, 256, (3, 1), np.uint8)
        node = helper.make_node("MatMulNBits", ["x", *given], ["y"], domain="com.microsoft", K=64, N=3, bits=4,
                                block_size=32)
        graph = helper.make_graph(
            [node], "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, [64, 64])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [64, 3])],
            [numpy_helper.from_array(array.reshape(-1) if key != "codes" else array, key)
             for key, array in given.items()])
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21),
                                                        helper.make_opsetid("com.microsoft", 1)], ir_version=10)
        session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
        made[name] = given, session.run(None, {"x": np.eye(64, dtype=np.float32)})[0].T
    return made


def grouped(outputs):
    """A layer of 64 inputs in groups of 32: codes, float16 scales and zero points, and what they stand for."""
    import torch

    rng = np.random.default_rng(3)
    codes, zeros = (torch.from_numpy(rng.integers(low, 16, (outputs, n))) for low, n in ((0, 64), (1, 2)))
    scales = torch.from_numpy(rng.uniform(0.01, 0.1, (outputs, 2)).astype(np.float16))
    layer = torch.nn.Linear(64, outputs, bias=False)
    layer.weight.data = (codes - zeros.repeat_interleave(32, 1)).float() * scales.repeat_interleave(32, 1).float()
    return layer, scales, zeros


def auto_gptq():
    import torch
    from auto_gptq.nn_modules.qlinear.qlinear_cuda_old import QuantLinear

    layer, scales, zeros = grouped(32)
    packed = QuantLinear(4, 32, 64, 32, False, weight_dtype=torch.float32)
    packed.pack(layer, scales.float(), zeros.float(), None)
    given = {"qweight": packed.qweight.numpy(), "qzeros": packed.qzeros.numpy(), "scales": packed.scales.numpy()}
    return {"GPTQ": (given, packed(torch.eye(64)).numpy().T)}


def autoawq():
    from awq.modules.linear.gemm import WQLinear_GEMM
    from awq.utils.packing_utils import dequantize_gemm

    layer, scales, zeros = grouped(32)
    packed = WQLinear_GEMM.from_linear(layer, 4, 32, scales=scales.float().T.contiguous(),
                                       zeros=zeros.float().T.contiguous())
    given = {name: getattr(packed, name) for name in ("qweight", "qzeros", "scales")}
    # as float32, in which a scale times a whole number is exact
    weights = dequantize_gemm(given["qweight"], given["qzeros"], given["scales"].float(), 4, 32)
    return {"AWQ": ({name: tensor.numpy() for name, tensor in given.items()}, weights.numpy().T)}


def compressed_tensors():
    import torch
    from compressed_tensors.compressors.pack_quantized.helpers import pack_to_int32, unpack_from_int32

    layer, scales, _ = grouped(4)
    whole = (layer.weight.data / scales.float().repeat_interleave(32, 1)).round().clamp(-8, 7)
    words = pack_to_int32(whole.to(torch.int8), 4)
    weights = unpack_from_int32(words, 4, whole.shape).float() * scales.float().repeat_interleave(32, 1)
    return {"int4": ({"words": words.numpy(), "scale": scales.numpy()}, weights.numpy()), "NVFP4": _nvfp4()}


def _nvfp4():
    import torch
    from compressed_tensors.compressors import NVFP4PackedCompressor
    from compressed_tensors.compressors.nvfp4.helpers import unpack_fp4_from_uint8
    from compressed_tensors.quantization import preset_name_to_scheme
    from compressed_tensors.quantization.lifecycle.forward import dequantize

    weights, scheme = torch.from_numpy(WEIGHTS[:2]), preset_name_to_scheme("NVFP4A16", ["Linear"])
    common = (448 * 6 / weights.abs().max()).reshape(1)
    scale = (weights.reshape(2, 4, 16).abs().amax(dim=2) / 6 * common).to(torch.float8_e4m3fn)
    made = NVFP4PackedCompressor.compress({"weight": weights, "weight_scale": scale.float(),
                                           "weight_global_scale": common}, scheme)
    given = {"codes": made["weight_packed"].numpy(), "scales": made["weight_scale"].view(torch.uint8).numpy(),
             "divisor": common.numpy()}
    # as float32: its decompressor rounds to bfloat16
    whole = unpack_fp4_from_uint8(made["weight_packed"], 2, 64, torch.float32)
    return given, dequantize(whole, made["weight_scale"].float(), args=scheme.weights, global_scale=common,
                             dtype=torch.float32).numpy()


def hqq():
    import torch
    from hqq.core.quantize import Quantizer

    made, meta = Quantizer.quantize(torch.from_numpy(WEIGHTS[:2]), 4, group_size=32, axis=1, device="cpu",
                                    compute_dtype=torch.float32, optimize=False)
    given = {"codes": made.numpy(), "scale": meta["scale"].numpy(), "zero": meta["zero"].numpy()}
    return {"axis 1": (given, Quantizer.dequantize(made, meta).numpy())}


def plain(array):
    array = np.ascontiguousarray(array)
    return {"dtype": array.dtype.name, "shape": list(array.shape), "hex": array.tobytes().hex()}


def main():
    """Ask each library that is here."""
    found = json.loads(FILE.read_text()) if FILE.exists() else {}
    for ask in (gguf, bitsandbytes, mlx, torchao, onnx, onnxruntime, auto_gptq, autoawq, compressed_tensors, hqq):
        try:
            version = importlib.metadata.version(ask.__name__)
            made = ask()
        except ImportError as error:
            print(f"{ask.__name__}: kept as it was ({error})")
            continue
        found[ask.__name__] = {"version": version, "arrays": {
            name: {**{key: plain(array) for key, array in given.items()}, "weights": plain(weights)}
            for name, (given, weights) in made.items()}}
        print(ask.__name__, version, list(made))
    FILE.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
