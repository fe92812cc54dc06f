"""Which C functions there are, where they are and what they take: read from the installed lanewise.h and from the
capsules of the kernels. The table of pointers itself is made by lanewise.kernels.interface."""

import difflib
import functools as _functools
import importlib
import re
from pathlib import Path
from typing import NamedTuple

from ..kernels import interface

_HEADER = Path(__file__).parents[1] / "include" / "lanewise.h"
_ABI = re.compile(r"#define LANEWISE_ABI (\d+)")
_MODULE = re.compile(r"/\* lanewise\.kernels\.(?P<module>\w+) \*/|"
                     r"^    (?P<result>\w+(?: \*)?) ?\(\*(?P<name>\w+)\)\((?P<arguments>[^()]*)\);", re.M)


class Signature(NamedTuple):
    """What a C function returns and takes. ``str()`` of it is its C declaration.

    Attributes
    ----------
    name : str
        Of the function, such as ``silu_float32``.
    module : str
        The module of ``lanewise.kernels`` that exports it.
    result : str
        Its C type.
    arguments : tuple of (str, str)
        The C type and the name of each, such as ``("const float *", "x")``.
    """

    name: str
    module: str
    result: str
    arguments: tuple[tuple[str, str], ...]

    def __str__(self):
        arguments = ", ".join(f"{ctype}{'' if ctype.endswith('*') else ' '}{name}" for ctype, name in self.arguments)
        return f"{self.result} {self.name}({arguments or 'void'})"

    @property
    def pointer(self):
        """The C type of a pointer to it, in standard C alone: ``void (*)(const float *, float *, ptrdiff_t)``."""
        types = ", ".join(ctype for ctype, _ in self.arguments) or "void"
        return f"{self.result} (*)({types})".replace("Py_ssize_t", "ptrdiff_t")


def _argument(declaration):
    ctype, star, name = declaration.rpartition("*")
    if not star:
        ctype, _, name = declaration.rpartition(" ")
    return f"{ctype}{star}".strip(), name.strip()


@_functools.cache
def _declared():
    found, module = {}, ""
    for match in _MODULE.finditer(_HEADER.read_text(encoding="utf-8")):
        if match["module"]:
            module = match["module"]
        else:
            listed = "" if match["arguments"] == "void" else " ".join(match["arguments"].split())
            arguments = tuple(_argument(argument) for argument in listed.split(", ") if argument)
            found[match["name"]] = Signature(match["name"], module, match["result"], arguments)
    return found


def _capsule(of):
    exported = importlib.import_module(f"lanewise.kernels.{of.module}").__pyx_capi__
    if of.name not in exported:
        raise ImportError(f"lanewise.h declares {of.name} and lanewise.kernels.{of.module} has none: this installation "
                          "is made of two versions; install lanewise again")
    return exported[of.name]


@_functools.cache
def table():
    """The capsule of the table that lanewise.h describes; all kernels are imported for it."""
    abi = int(_ABI.search(_HEADER.read_text(encoding="utf-8"))[1])
    return interface.table_of(abi, [_capsule(of) for of in _declared().values()])


def get_include():
    """Return the folder to compile against: that of ``lanewise.h``.

    Below it ``lanes/lanes.h`` leads to the registers of ``lanewise.kernels.lanes``, for modules that cimport these.

    Returns
    -------
    str
        For ``include_dirs`` of setuptools, or ``target_include_directories`` of CMake.

    Examples
    --------
    >>> import lanewise
    >>> folder = lanewise.get_include()
    """
    return str(_HEADER.parent)


def functions():
    """Return the names of all C functions, in the order of the table of ``lanewise.h``.

    Returns
    -------
    tuple of str
        A later lanewise has these too, in the same places, and more after them.
    """
    return tuple(_declared())


def signature(name):
    """Return what a C function returns and takes.

    Parameters
    ----------
    name : str
        Such as ``"silu_float32"``; `functions` has them all.

    Returns
    -------
    Signature
        ``str()`` of it is its C declaration, ``.pointer`` the C type of its address.

    Raises
    ------
    ValueError
        If there is no such function.

    Examples
    --------
    >>> from lanewise import embedding
    >>> str(embedding.signature("silu_float32"))
    'void silu_float32(const float *x, float *y, Py_ssize_t n)'
    """
    if not isinstance(name, str):
        raise TypeError(f"the name of a C function is a str; got {type(name).__name__}")
    found = _declared().get(name)
    if found is None:
        wanted = name.strip().lower()
        # a name without its dtype is the commonest slip
        near = [of for of in _declared() if of.startswith((f"{wanted}_float", f"{wanted}_bfloat"))]
        near = near or difflib.get_close_matches(wanted, _declared(), 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "lanewise.embedding.functions() has them all"
        raise ValueError(f"lanewise has no C function {name!r:.60}: {hint}")
    return found


def address(name):
    """Return where a C function is in memory, for whoever calls by address: cffi, llvmlite, a JIT compiler.

    Parameters
    ----------
    name : str
        Such as ``"silu_float32"``; `functions` has them all.

    Returns
    -------
    int
        It is valid as long as this process lives, and in no other: keep the name, not the number, in what is saved.

    Raises
    ------
    ValueError
        If there is no such function.
    """
    return interface.address_in(_capsule(signature(name)))
