"""The stubs of the elementwise functions, activations.pyi, gates.pyi and parametric.pyi of pylib/functions, from their
table there; and those of torch.py and jax.py, from the same table and their own lists. Run after a change to one of
them: python tools/stubs.py. tests/test_stubs.py holds that they are current."""

import ast
import runpy
from math import inf
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "pylib"
FOLDER = PACKAGE / "functions"
TABLE = runpy.run_path(str(FOLDER / "table.py"))  # by its path, since lanewise cannot be imported before it is built
FUNCTIONS, GATES = TABLE["FUNCTIONS"], TABLE["GATES"]
BY_HAND = {  # whose signature the table does not say
    "prelu_backward": "def prelu_backward(grad: Numbers, x: Numbers, weight: Numbers) -> tuple[Array, Array]: ...\n",
    "glu": "def glu(x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...\n",
    "glu_backward": "def glu_backward(grad: Numbers, x: Numbers, axis: int = -1, *, out: Array | None = None) -> "
                    "Array: ...\n",
    "swiglu": """\
@overload
def swiglu(
    gate: NDArray[F], up: NDArray[F], out: None = None, *, beta: float = 1.0, limit: float = ..., shift: float = 0.0,
    where: Numbers = ..., dtype: None = ..., **keywords: Unpack[Keywords],
) -> NDArray[F]: ...
@overload
def swiglu(
    gate: Numbers, up: Numbers, out: Out = None, *, beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0,
    **keywords: Unpack[Where],
) -> Any: ...
""",
    "swiglu_backward": """\
def swiglu_backward(
    grad: Numbers, gate: Numbers, up: Numbers, out: tuple[Array | None, Array | None] | None = None, *,
    beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0, **keywords: Unpack[Where],
) -> tuple[Any, Any]: ...
""",
}
TORCH_CROSS_ENTROPY = """\
def cross_entropy(
    x: Tensor, target: Tensor, weight: Tensor | None = None,
    *, ignore_index: int = -100, reduction: Literal["mean", "sum", "none"] = "mean", label_smoothing: float = 0.0,
    z_loss: float = 0.0,
) -> Tensor: ...
"""
WIDTH = 120


def with_backwards(names):
    """Yield each name and that of its backward, where there is one."""
    for name in names:
        yield name
        if name in GATES or FUNCTIONS[name].slope:
            yield f"{name}_backward"


def declared(name):
    """Return the declaration of a function with parameters, or of its backward."""
    if name in BY_HAND:
        return BY_HAND[name]
    backward = name.endswith("_backward")
    entry = FUNCTIONS[name.removesuffix("_backward")]

    def overload(operand, number, result):
        # one of them: what operands are, what parameters are, what comes of it; the last one takes all keywords
        operands = [f"grad: {operand}"] * backward + [f"x: {operand}"]
        for parameter, given in entry.parameters.items():
            needed = given.in_slope or not backward
            default = "" if needed and given.default is None else f" = {given.default}"
            operands.append(f"{parameter}: {number}{'' if needed else ' | None'}{default}")
        last = operand == "Numbers"
        place = f"out: {'Out' if last else 'None'} = None"
        out = ["*", place] if entry.parameters else [place, "*"]
        options = [f"{option}: {number} = {'...' if given.default == inf else given.default}"
                   for option, given in entry.options.items()]
        more = ["**keywords: Unpack[Where]"] if last else [
            "where: Numbers = ...", "dtype: None = ...", "**keywords: Unpack[Keywords]"]
        first, keywords = ", ".join(operands), ", ".join([*out, *options, *more])
        line = f"def {name}({first}, {keywords}) -> {result}: ...\n"
        if len(keywords) > WIDTH - len("    ,"):
            keywords = f"{', '.join([*out, *options])},\n    {', '.join(more)}"
        return "@overload\n" + (
            line if len(line) <= WIDTH + 1 else f"def {name}(\n    {first},\n    {keywords},\n) -> {result}: ...\n")

    # a parameter that is an array or a scalar of NumPy has a dtype of its own, which may decide the result's
    kinds = [("NDArray[F]", "float", "NDArray[F]"), ("F", "float", "F"), ("float", "float", "np.float64")]
    return "".join(overload(*kind) for kind in [*kinds, ("Numbers", "Numbers", "Any")])


def ufuncs(names, forward, backward):
    """Return the declarations of ufuncs, whose types are named by pylib/_typing.py."""
    return "".join(f"{name}: {backward if name.endswith('_backward') else forward}\n" for name in with_backwards(names))


def lists_of(file):
    """Return what a module says in literals by the names of its own variables; the module is not imported."""
    found = {}
    for node in ast.parse((PACKAGE / file).read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def framework_functions(array, plain, parametric, gates, norms, axis):
    """Return the declarations that PyTorch and JAX have in common."""
    lines = [f"def {name}(x: {array}) -> {array}: ..." for name in plain]
    for name, parameters in parametric.items():
        given = ", ".join(f"{key}: float{'' if default is None else f' = {default}'}"
                          for key, default in parameters.items())
        lines.append(f"def {name}(x: {array}, {given}) -> {array}: ...")
    lines += [f"def {name}({gates}) -> {array}: ..." for name in ("geglu", "reglu", "swiglu")]
    lines += [f"def {name}(x: {array}, {axis}: SupportsIndex = -1) -> {array}: ..." for name in ("softmax",
                                                                                               "log_softmax")]
    for name, (vectors, eps) in norms.items():
        given = ", ".join(f"{vector}: {array} | None = None" for vector in vectors)
        lines.append(f"def {name}(\n    x: {array}, {given}, *, eps: float = {eps}\n) -> {array}: ...")
    return "\n".join(lines) + "\n"


def defaults_of(names):
    return {name: {key: given.default for key, given in FUNCTIONS[name].parameters.items()} for name in names}


def of_torch():
    """Return the stub of lanewise.torch."""
    plain = [name for name, entry in FUNCTIONS.items() if entry.slope and not entry.parameters]
    parametric = defaults_of(name for name, entry in FUNCTIONS.items()
                             if entry.slope and entry.parameters and name != "prelu")
    return ("from typing import Literal, SupportsIndex\n\nfrom torch import Tensor\n\n"
            "def operators() -> str: ...\n"
            + framework_functions("Tensor", plain, parametric, "x: Tensor, up: Tensor", lists_of("torch.py")["_NORMS"],
                                  "dim")
            + "def prelu(x: Tensor, weight: Tensor) -> Tensor: ...\n" + TORCH_CROSS_ENTROPY)


def of_jax():
    """Return the stub of lanewise.jax."""
    lists = lists_of("jax.py")
    plain = [name for name, entry in FUNCTIONS.items() if entry.slope and not entry.parameters]
    return ("from typing import SupportsIndex\n\nfrom jax import Array\nfrom jax.typing import ArrayLike\n\n"
            "def handler() -> str: ...\n"
            + framework_functions("ArrayLike", plain, defaults_of(lists["_PARAMETRIC"]),
                                  "gate: ArrayLike, up: ArrayLike",
                                  lists["_NORMS"], "axis").replace("-> ArrayLike", "-> Array"))


def made():
    """The text of each file, as it should be."""
    parametric = [name for name, entry in FUNCTIONS.items() if entry.parameters or entry.options]
    plain = [name for name in FUNCTIONS if name not in parametric]
    return {
        FOLDER / "activations.pyi": "from .._typing import Binary, Unary\n\n" + ufuncs(plain, "Unary", "Binary"),
        FOLDER / "gates.pyi": "from typing import Any, Unpack, overload\n\nfrom numpy.typing import NDArray\n\n"
        "from .._typing import Array, Binary, F, Keywords, Numbers, Out, TernaryPair, Where\n\n"
        + ufuncs([name for name in GATES if name not in BY_HAND], "Binary", "TernaryPair") + "\n"
        + "".join(BY_HAND[name] for name in ("swiglu", "swiglu_backward", "glu", "glu_backward")),
        FOLDER / "parametric.pyi": "from typing import Any, Unpack, overload\n\nimport numpy as np\n"
        "from numpy.typing import NDArray\n\nfrom .._typing import Array, F, Keywords, Numbers, Out, Where\n\n"
        + "".join(map(declared, with_backwards(parametric))),
        PACKAGE / "torch.pyi": of_torch(),
        PACKAGE / "jax.pyi": of_jax(),
    }


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
