"""The stubs of the elementwise functions, activations.pyi, gates.pyi and parametric.pyi of pylib/functions, from their
table there. Run after a change to table.py: python tools/stubs.py. tests/test_stubs.py holds that they are current."""

import runpy
from math import inf
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "pylib" / "functions"
TABLE = runpy.run_path(str(FOLDER / "table.py"))  # by its path, since lanewise cannot be imported before it is built
FUNCTIONS, GATES = TABLE["FUNCTIONS"], TABLE["GATES"]
BY_HAND = {  # whose signature the table does not say
    "prelu_backward": "def prelu_backward(grad: Numbers, x: Numbers, weight: Numbers) -> tuple[Array, Array]: ...\n",
    "glu": "def glu(x: Numbers, axis: int = -1, *, out: Array | None = None) -> Array: ...\n",
    "glu_backward": "def glu_backward(grad: Numbers, x: Numbers, axis: int = -1, *, out: Array | None = None) -> "
                    "Array: ...\n",
    "swiglu": """\
def swiglu(
    gate: Numbers, up: Numbers, out: Out = None, *, beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0,
    **keywords: Any,
) -> Any: ...
""",
    "swiglu_backward": """\
def swiglu_backward(
    grad: Numbers, gate: Numbers, up: Numbers, out: tuple[Array | None, Array | None] | None = None, *,
    beta: Numbers = 1.0, limit: Numbers = ..., shift: Numbers = 0.0, **keywords: Any,
) -> tuple[Any, Any]: ...
""",
}
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
    operands = ["grad: Numbers"] * backward + ["x: Numbers"]
    entry = FUNCTIONS[name.removesuffix("_backward")]
    for parameter, given in entry.parameters.items():
        needed = given.in_slope or not backward
        default = "" if needed and given.default is None else f" = {given.default}"
        operands.append(f"{parameter}: Numbers{'' if needed else ' | None'}{default}")
    out = ["*", "out: Out = None"] if entry.parameters else ["out: Out = None", "*"]
    options = [f"{option}: Numbers = {'...' if given.default == inf else given.default}"
               for option, given in entry.options.items()]
    first, keywords = ", ".join(operands), ", ".join([*out, *options, "**keywords: Any"])
    line = f"def {name}({first}, {keywords}) -> Any: ...\n"
    return line if len(line) <= WIDTH + 1 else f"def {name}(\n    {first},\n    {keywords},\n) -> Any: ...\n"


def ufuncs(names, forward, backward):
    """Return the declarations of ufuncs, whose types are named by pylib/_typing.py."""
    return "".join(f"{name}: {backward if name.endswith('_backward') else forward}\n" for name in with_backwards(names))


def stubs():
    """Return the text of each stub by the name of its file."""
    parametric = [name for name, entry in FUNCTIONS.items() if entry.parameters or entry.options]
    plain = [name for name in FUNCTIONS if name not in parametric]
    return {
        "activations.pyi": "from .._typing import Binary, Unary\n\n" + ufuncs(plain, "Unary", "Binary"),
        "gates.pyi": "from typing import Any\n\nfrom .._typing import Array, Binary, Numbers, Out, TernaryPair\n\n"
                     + ufuncs([name for name in GATES if name not in BY_HAND], "Binary", "TernaryPair") + "\n"
                     + "".join(BY_HAND[name] for name in ("swiglu", "swiglu_backward", "glu", "glu_backward")),
        "parametric.pyi": "from typing import Any\n\nfrom .._typing import Array, Numbers, Out\n\n"
                          + "".join(map(declared, with_backwards(parametric))),
    }


def made():
    """The text of each file, as it should be."""
    return {FOLDER / file: text for file, text in stubs().items()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
