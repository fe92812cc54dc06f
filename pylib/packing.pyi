from typing import SupportsIndex

from ._typing import Bytes, Numbers

__all__ = ["pack", "unpack"]

def pack(codes: Numbers) -> Bytes: ...
def unpack(genomes: Numbers, n_weights: SupportsIndex | None = None) -> Bytes: ...
