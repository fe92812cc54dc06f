"""Four-bit weights as others write them, read into genomes and written back: arrays of bytes, never files.

A reader takes the other library's arrays and gives a `Packed`, whose parts `decode` and `linear4` take; the writer of
the same name takes a `Packed` and gives those arrays. Tables, nibble order and block layout are those of the real
libraries, held by tests against arrays that they have made. No other library is imported.

Read nothing of ``torch.ops.aten._weight_int4pack_mm_for_cpu``: which rows share a byte there depends on their number
and on the processor.
"""

from .blocks import (
    GGUF,
    read_bitsandbytes,
    read_gguf,
    read_mxfp4,
    read_nvfp4,
    write_bitsandbytes,
    write_gguf,
    write_mxfp4,
    write_nvfp4,
)
from .packed import FP4, INT4_OFFSET, IQ4_NL, UINT4, Packed, e8m0_bytes, e8m0_scales
from .words import (
    read_awq,
    read_compressed_tensors,
    read_gptq,
    read_hqq,
    read_matmulnbits,
    read_mlx,
    write_awq,
    write_compressed_tensors,
    write_gptq,
    write_hqq,
    write_matmulnbits,
    write_mlx,
)

__all__ = ["FP4", "GGUF", "INT4_OFFSET", "IQ4_NL", "UINT4", "Packed", "e8m0_bytes", "e8m0_scales", "read_awq",
           "read_bitsandbytes", "read_compressed_tensors", "read_gguf", "read_gptq", "read_hqq", "read_matmulnbits",
           "read_mlx", "read_mxfp4", "read_nvfp4", "write_awq", "write_bitsandbytes", "write_compressed_tensors",
           "write_gguf", "write_gptq", "write_hqq", "write_matmulnbits", "write_mlx", "write_mxfp4", "write_nvfp4"]
