"""What follows from the flat kernels of kernels/activations.pyx: in parts/activations_forms.pxi their other forms, for
callers from C (of one number, of one parameter for all elements, of 16-bit floats), and in activations.pxd the
declarations of all. Run after a kernel has been added, before the build: python tools/forms.py. tests/test_places.py
holds both current."""

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULE, DECLARATIONS = ROOT / "kernels" / "activations.pyx", ROOT / "kernels" / "activations.pxd"
FORMS = ROOT / "kernels" / "parts" / "activations_forms.pxi"
#: What has a form on the bits of 16-bit floats: networks are run in them.
SIXTEEN_BITS = ("relu", "sigmoid", "tanh", "silu", "gelu", "gelu_tanh", "mish", "softplus")
ARRAYS = {"x", "y", "grad", "gate", "up", "grad_x", "grad_gate", "grad_up", "grad_weight"}  # others are parameters
WIDTH = 120
KERNEL = re.compile(r"^cdef void (\w+)_(float32|float64)\(([^)]*)\) noexcept nogil:", re.M)

HEAD = """\
# Other forms of the flat kernels of the activations, for callers from C; a part of activations.pyx, from which
# tools/forms.py writes it.

cdef void passed(void* kernel, Dtype dtype, int arrays, int numbers, int outputs, const operand* operands,
                 Py_ssize_t n) noexcept nogil:
    # called by each form, not copied to it
    pass_through(kernel, dtype, arrays, numbers, outputs, operands, n)


"""
HEADS = {
    "flat": """\
# The flat kernels of the activations, to cimport: contiguous arrays of n elements, no Python, no GIL, no threads; y may
# be x. Parameters and gates are arrays of n elements too. Frozen: names and signatures are checked against
# tests/embedding/signatures.txt.
# Written by tools/forms.py from activations.pyx.
from libc.stdint cimport uint16_t

""",
    "point": """\
# f of one number, for callers that take a `double (double)`: SciPy's LowLevelCallable
""",
    "scalar": """\
# one parameter for all elements; y may be x. In the environment that is described in interface.pxd, whatever the
# caller's
""",
    "short": """\
# on the bits of 16-bit floats: computed in float32 and rounded once; y may be x. In that environment too
""",
}
POINT = """\
    cdef double y
    {name}_float64(&x, &y, 1)
    return y
"""
FORM = """\
    cdef operand[{count}] operands = [{operands}]
    passed(<void*>{kernel}, {dtype}, {arrays}, {numbers}, {outputs}, operands, n)
"""


def signature(result, name, arguments, end=""):
    """A declaration in lines that are not too long; a type and its name stay together."""
    start = f"cdef {result} {name}("
    text = ", ".join(argument.replace(" ", "\0") for argument in arguments)
    lines = textwrap.fill(f"{text})\0noexcept\0nogil{end}", WIDTH, initial_indent=start,
                          subsequent_indent=" " * len(start), break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ") + "\n"


def kernels(text):
    """(name, dtype, arguments) of the flat kernels of the module."""
    for name, dtype, arguments in KERNEL.findall(text):
        yield name, dtype, [" ".join(argument.split()) for argument in arguments.split(",")]


def name_of(argument):
    return argument.rpartition(" ")[2]


def forms(text):
    """{kind: [(result, name, arguments, body)]} of the forms of the kernels in the module's text."""
    found = {"point": [], "scalar": [], "short": []}
    for name, dtype, arguments in kernels(text):
        names = [name_of(argument) for argument in arguments[:-1]]
        numbers = [argument for argument in names if argument not in ARRAYS]
        outputs = sum(not argument.startswith("const ") for argument in arguments[:-1])
        given = {"kernel": f"{name}_{dtype}", "numbers": len(numbers), "outputs": outputs,
                 "arrays": len(names) - len(numbers) - outputs}
        if names == ["x", "y"] and dtype == "float64":
            found["point"].append(("double", f"{name}_point_float64", ["double x"], POINT.format(name=name)))
        if numbers:
            values = [argument.replace("const ", "").replace("*", "") if name_of(argument) in numbers else argument
                      for argument in arguments]
            operands = ", ".join(f"&{operand}" if operand in numbers else operand for operand in names)
            found["scalar"].append(("void", f"{name}_scalar_{dtype}", values, FORM.format(
                count=len(names), operands=operands, dtype=dtype.upper(), **given)))
        if name.removesuffix("_backward") in SIXTEEN_BITS and dtype == "float32":
            values = [argument.replace("float*", "uint16_t*") for argument in arguments]
            for short in ("float16", "bfloat16"):
                found["short"].append(("void", f"{name}_{short}", values, FORM.format(
                    count=len(names), operands=", ".join(names), dtype=short.upper(), **given)))
    return found


def made():
    """The text of each file, as it should be."""
    text = MODULE.read_text("utf-8")
    by_kind = forms(text)
    bodies = [signature(result, name, arguments, ":") + body
              for kind in by_kind.values() for result, name, arguments, body in kind]
    declared = {"flat": [signature("void", f"{name}_{dtype}", arguments) for name, dtype, arguments in kernels(text)],
                **{kind: [signature(*form[:3]) for form in found] for kind, found in by_kind.items()}}
    return {FORMS: HEAD + "\n".join(bodies),
            DECLARATIONS: "\n".join(HEADS[kind] + "".join(lines) for kind, lines in declared.items())}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
