"""What the tests of lanewise.torch call its operators with, and what they expect. Imports PyTorch."""

import lanewise as lw
import ml_dtypes
import torch
from elementwise import UNUSUAL
from lanewise import torch as lt

DTYPES = [torch.float16, torch.bfloat16, torch.float32, torch.float64]
NAMES = [name for name in lt.__all__ if name != "operators"]
GATES = {"geglu", "reglu", "swiglu"}
NORMS = {"rms_norm": 1, "layer_norm": 2}  # how many weights
# numbers that are none of the defaults; prelu's are a tensor
NUMBERS = {name: list(numbers) for name, numbers in UNUSUAL.items() if name != "prelu"}


def tensors_of(name, dtype, shape=(5, 7), requires_grad=False):
    generator = torch.Generator().manual_seed(3)
    shapes = [shape] * (2 if name in GATES else 1) + [shape[-1:]] * (1 if name == "prelu" else NORMS.get(name, 0))
    tensors = [(torch.randn(of, generator=generator, dtype=torch.float64) * 3).to(dtype).requires_grad_(requires_grad)
               for of in shapes]
    return tensors + [torch.tensor([1, 0, -100, 6, 2])] * (name == "cross_entropy")


def array(tensor):
    if tensor.dtype == torch.bfloat16:
        return tensor.detach().view(torch.int16).numpy().view(ml_dtypes.bfloat16)
    return tensor.detach().numpy()


def operator_arguments(name, tensors):
    op = getattr(torch.ops.lanewise, name).default
    others = NUMBERS | {"softmax": [-1], "log_softmax": [-1], "rms_norm": [1e-6], "layer_norm": [1e-5],
                        "cross_entropy": [None, -100, "mean", 0.1, 1e-4]}
    return op, (*tensors, *others.get(name, []))


def expected_of(name, tensors):
    keywords = {"cross_entropy": {"ignore_index": -100, "label_smoothing": 0.1, "z_loss": 1e-4}}
    return getattr(lw, name)(*map(array, tensors), *NUMBERS.get(name, []), **keywords.get(name, {}))


def published(name, *tensors):
    keywords = {"label_smoothing": 0.1, "z_loss": 1e-4} if name == "cross_entropy" else {}
    return getattr(lt, name)(*tensors, *NUMBERS.get(name, []), **keywords)
