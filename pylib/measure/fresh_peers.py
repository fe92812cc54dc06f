"""The contenders that return an array of their own from every call, having no place to be given: what torch.compile,
numba and simd-ml-kernels make of the functions, and EvoTorch's and PyGAD's evaluation of a population. `lanewise bench`
times them against this library's usual call; with ``--layout fresh`` that call makes an array each time, too."""

import importlib
import importlib.util
import logging
import math
import warnings
from functools import partial

import numpy as np

from .peers import Contender, UnavailableError, not_in_place, tensor_of, torch_here, torch_result

__all__ = ["AXIS", "ELEMENTWISE", "prepare_evotorch", "prepare_pygad"]


def _here(module):
    if importlib.util.find_spec(module) is None:
        raise UnavailableError("not installed")
    return importlib.import_module(module)


def _torch_function(torch, work, shape):
    # PyTorch's function of the name, or what its users write; None where there is neither
    functional = torch.nn.functional
    written = {
        "gelu_tanh": lambda x: functional.gelu(x, approximate="tanh"),
        "swiglu": lambda gate, up: functional.silu(gate) * up,
        "geglu": lambda gate, up: functional.gelu(gate) * up,
        "reglu": lambda gate, up: torch.relu(gate) * up,
        "silu_backward": lambda grad, x: torch.ops.aten.silu_backward(grad, x),
        "gelu_backward": lambda grad, x: torch.ops.aten.gelu_backward(grad, x),
        "softmax": lambda x: torch.softmax(x, -1),
        "log_softmax": lambda x: torch.log_softmax(x, -1),
        "logsumexp": lambda x: torch.logsumexp(x, -1),
        "normalize": lambda x: functional.normalize(x, dim=-1),
        "rms_norm": lambda x, weight: functional.rms_norm(x, shape, weight, 1e-6),
        "layer_norm": lambda x, weight, bias: functional.layer_norm(x, shape, weight, bias),
        "add_rms_norm": lambda x, residual, weight: functional.rms_norm(x + residual, shape, weight, 1e-6),
        "softmax_backward": lambda grad, y: y * (grad - (grad * y).sum(-1, keepdim=True)),
        "cross_entropy": functional.cross_entropy,
    }
    if work.name in written or work.family != "elementwise" or work.name == "prelu":  # whose weight is a tensor
        return written.get(work.name)
    function = getattr(torch, work.name, None) or getattr(functional, work.name, None)
    return function and (lambda x: function(x, *work.values))


def prepare_torch_compile(work, inputs, threads):
    """Prepare PyTorch's function as torch.compile makes it, which takes some seconds each; only where asked for."""
    torch = torch_here(threads)
    not_in_place(work)
    function = _torch_function(torch, work, inputs[0].shape[-1:])
    if function is None:
        raise UnavailableError("has no such function")
    tensors = [tensor_of(torch, x) for x in inputs]
    def call():
        with torch.inference_mode():
            return compiled(*tensors)

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of its own parts, when they are first imported
            torch._dynamo.reset()  # or it stops compiling after some functions of one code
            compiled = torch.compile(function, dynamic=False)
            return Contender.keeping("torch_compile", call, torch_result, inputs)
    except Exception as error:  # whatever its compiler meets
        raise UnavailableError(f"could not compile it: {type(error).__name__}") from None


_NUMBA = {
    "relu": lambda x: max(x, x * 0),
    "exp": lambda x: math.exp(x),
    "tanh": lambda x: math.tanh(x),
    "erf": lambda x: math.erf(x),
    "log1p": lambda x: math.log1p(x),
    "expm1": lambda x: math.expm1(x),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "softplus": lambda x: max(x, 0) + math.log1p(math.exp(-abs(x))),
    "gelu": lambda x: x * (1 + math.erf(x * math.sqrt(0.5))) / 2,
    "mish": lambda x: x * math.tanh(max(x, 0) + math.log1p(math.exp(-abs(x)))),
    "swiglu": lambda gate, up: gate / (1 + math.exp(-gate)) * up,
}


def prepare_numba(work, inputs, threads):
    """Prepare the formula as numba.vectorize compiles it; on one thread always."""
    numba = _here("numba")
    not_in_place(work)
    if work.name not in _NUMBA:
        raise UnavailableError("has no such function")
    dtype = inputs[0].dtype
    if dtype.itemsize == 2:
        raise UnavailableError("has no 16-bit floats")
    one = getattr(numba, dtype.name)
    compiled = numba.vectorize([one(*[one] * len(inputs))])(_NUMBA[work.name])
    return Contender.keeping("numba", partial(compiled, *inputs), np.asarray, inputs)


def prepare_simd_ml_kernels(work, inputs, threads):
    """Prepare the function of simd-ml-kernels; float32 only, and on one thread always."""
    library = _here("simd_ml_kernels")
    not_in_place(work)
    if work.name not in ("relu", "silu", "gelu", "gelu_tanh", "softmax", "layer_norm"):
        raise UnavailableError("has no such function")
    if inputs[0].dtype != np.float32:
        raise UnavailableError("is of float32 only")
    if not all(x.flags.c_contiguous for x in inputs):
        raise UnavailableError("takes contiguous arrays only")
    function = partial(library.gelu, approximate="tanh") if work.name == "gelu_tanh" else getattr(library, work.name)
    return Contender.keeping("simd_ml_kernels", partial(function, *inputs), np.asarray, inputs)


ELEMENTWISE = {"torch_compile": prepare_torch_compile, "numba": prepare_numba,
               "simd_ml_kernels": prepare_simd_ml_kernels}
AXIS = {"torch_compile": prepare_torch_compile, "simd_ml_kernels": prepare_simd_ml_kernels}


def prepare_evotorch(losses, weights, inputs, threads):
    """Prepare EvoTorch's evaluation of a population by a fitness of the whole of it, in PyTorch.

    Parameters
    ----------
    losses : callable
        Of a tensor of weights, a row a network: their losses, a tensor.
    weights : ndarray of float32, shape (networks, weights)
    inputs : list of ndarray
    threads : int

    Returns
    -------
    Contender
    """
    torch = torch_here(threads)
    if importlib.util.find_spec("evotorch") is None:
        raise UnavailableError("not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of PyTorch, for what it imports
        from evotorch import Problem
        from evotorch.decorators import vectorized

    logging.getLogger("evotorch").setLevel(logging.WARNING)
    problem = Problem("min", vectorized(losses), solution_length=weights.shape[1], initial_bounds=(-1, 1),
                      dtype=torch.float32)
    batch = problem.generate_batch(len(weights))
    values = torch.from_numpy(weights)

    def call():
        batch.set_values(values)  # which forgets what they were worth
        problem.evaluate(batch)
        return batch.evals[:, 0]

    return Contender.keeping("evotorch", call, torch_result, inputs)


def prepare_pygad(loss, weights, inputs, threads):
    """Prepare PyGAD's evaluation of a population by a fitness of one network at a time, in NumPy.

    Parameters
    ----------
    loss : callable
        Of one network's weights: its loss.
    weights : ndarray of float32, shape (networks, weights)
    inputs : list of ndarray
    threads : int
        One always: it has a pool of processes or threads, which is slower here.

    Returns
    -------
    Contender
    """
    pygad = _here("pygad")
    algorithm = pygad.GA(num_generations=1, num_parents_mating=2, initial_population=weights, gene_type=np.float32,
                         fitness_func=lambda of, solution, index: -loss(solution), suppress_warnings=True,
                         save_solutions=False, keep_elitism=0, keep_parents=0)

    def call():
        # it looks for a solution that it has seen, and here each is new
        algorithm.previous_generation_fitness = None
        return -np.asarray(algorithm.cal_pop_fitness())

    return Contender.keeping("pygad", call, np.asarray, inputs)
