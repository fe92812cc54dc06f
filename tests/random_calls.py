"""Calls of every public function with random arguments, right ones and wrong ones, in child processes.

    python tests/random_calls.py [--calls 100000] [--seed 0] [--only PATTERN] [--first NUMBER]

Each call returns, or raises what Lanewise raises itself with a message of its own: of NumPy's errors only those pass
that a ufunc raises, since elementwise functions are ufuncs. A crash, a hang, any other error, a warning, something
printed or an "Exception ignored" is a fault; so are errors that name another function than the called one, arrays that
a call changed though they were none of its outputs, or though it raised, and results that are not those of the same
numbers in plain memory, each array apart from the others.
A number and a seed make a call again: --first NUMBER --calls 1.
"""

import argparse
import contextlib
import faulthandler
import fnmatch
import inspect
import io
import itertools
import os
import re
import signal
import subprocess
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import lanewise as lw
import numpy as np
import random_arguments
import random_functions

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = Path(lw.__file__).resolve().parent
CALLS_IN_A_PROCESS = 2000
SECONDS = 120  # that a call may take on a busy machine
PRODUCTS = ("linear", "linear_backward", "gradient_flow")  # of NumPy, whose order of sums depends on the layout
UPDATED = ("running_mean", "running_var")
IN_PLACE = ("sgd_step", "adamw_step", "clip_grad_norm")
INITIAL = ("he_normal", "he_uniform", "xavier_normal", "xavier_uniform")  # which draw for layers, and are arguments
OWN = (TypeError, ValueError, MemoryError, OSError, lw.evolution.FitnessError, lw.evolution.CheckpointError)
# errors of a ufunc, of the call itself: what was given is of a wrong type, dtype or shape, or cannot be written to
UFUNC_ERRORS = ("ufunc", "could not be broadcast", "return arrays must be of ArrayType", "output array is read-only",
                "must have exactly as many entries as there are ufunc outputs", "Cannot cast", "no loop with signature",
                "Exceeds the limit", "doesn't match the broadcast shape", "'out' must be a tuple of arrays",
                "inhomogeneous shape", "int too large to convert to float", "expected number, got",
                "is only allowed as a keyword", "could not convert string", "setting an array element with a sequence",
                "Iterator operand", "float() argument must be", "takes no keyword arguments")


def is_raised_here(error):
    """Whether the innermost line of a traceback is a `raise` of the package."""
    *_, last = traceback.extract_tb(error.__traceback__)
    path = Path(last.filename)
    if last.filename == "<lanewise.functions.parametric>":  # made source, whose calls are of compiled functions
        return True
    if path.suffix in (".pyx", ".pxi"):  # as the compiler was shown it
        path = next((ROOT / "kernels").rglob(path.name), None)
        if path is None:  # another package's
            return False
    elif PACKAGE not in path.resolve().parents and ROOT / "pylib" not in path.resolve().parents:
        return False
    lines = path.read_text().splitlines()
    return last.lineno is not None and "raise" in lines[last.lineno - 1]


def is_elementwise(function):
    return isinstance(function, np.ufunc) or function in (lw.glu, lw.glu_backward, lw.prelu_backward) or any(
        parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(function).parameters.values())


def arrays_in(values):
    for value in values:
        if isinstance(value, np.ndarray) and not value.dtype.hasobject:
            yield value.view(np.ndarray)
        elif isinstance(value, tuple):
            yield from arrays_in(value)


def names_another(error, function):
    """Whether an error begins with the name of another function than the one that was called."""
    named = re.match(r"(\w+): |ufunc '(\w+)'", str(error))
    return named is not None and "." not in function.__qualname__ and not (
        {function.__name__, *INITIAL} & set(named.groups()))


def fault_of(error, function, given):
    """What is wrong with an error of a call, or None; `given` are its arguments that are paths."""
    if isinstance(error, Warning):
        # but NumPy's of results that nobody has written, and of a name for a dtype that was given
        allowed = ("'where' used without 'out'", "Data type alias")
        return None if any(part in str(error) for part in allowed) else "leaked a warning"
    if not isinstance(error, (*OWN, OverflowError) if is_elementwise(function) else OWN):
        return "raised an error of another type"
    if names_another(error, function):
        return "named another function"
    if isinstance(error, MemoryError) or is_raised_here(error):
        return None if str(error) or isinstance(error, MemoryError) else "raised an error that says nothing"
    if traceback.extract_tb(error.__traceback__)[-1].name == "drawn_by":  # an initialisation of the caller's
        return None
    if isinstance(error, OSError) and error.filename in given:  # the system's error, of the path that was given
        return None
    if is_elementwise(function) and any(part in str(error) for part in UFUNC_ERRORS):
        return None
    return "let another's error through"


def in_plain_memory(value):
    """A copy of an array as a caller would usually have it, contiguous and in the machine's byte order, apart from all
    others; of anything else the thing itself."""
    if isinstance(value, np.ndarray) and not isinstance(value, np.ma.MaskedArray) and not value.dtype.hasobject:
        own = value.dtype.newbyteorder("=") if value.dtype.kind in "iufc" else value.dtype
        return np.array(value.view(np.ndarray), own, order="C", copy=True)
    return type(value)(map(in_plain_memory, value)) if type(value) in (tuple, list) else value


def bits(values):
    """What was returned, as far as it is arrays and numbers: their shapes and bits, every NaN the same."""
    found = []
    for value in values if isinstance(values, tuple | list) else (values,):
        if isinstance(value, tuple | list):
            found += bits(value)
        elif isinstance(value, np.ndarray | np.generic | float) and not isinstance(value, np.ma.MaskedArray):
            array = np.asarray(value)
            if array.dtype.kind in "iufcbV" and not array.dtype.hasobject and array.dtype.names is None:
                array = array.astype(array.dtype.newbyteorder("=")) if array.dtype.kind in "iufc" else array
                if array.dtype.type is np.longdouble:  # whose padding has no value
                    array = array.astype(np.float64)
                if array.dtype.type is not np.void and (array != array).any():
                    array = np.where(array == array, array, array.dtype.type(np.nan))
                found.append((array.shape, array.tobytes()))
    return found


def flat(values):
    for value in values:
        yield from flat(value) if type(value) in (tuple, list) else (value,)


def is_repeatable(name, function, given, keywords):
    """Whether a call gives the same again: it draws from no generator, keeps no state, writes every result, and where
    it updates its arguments these are apart."""
    values = [*given, *keywords.values()]
    if is_elementwise(function):  # what is masked, or is nobody's choice, has any value
        partly = keywords.get("where") is not None and any(place is None for place in flat([keywords.get("out")]))
        if partly or any(isinstance(value, np.ma.MaskedArray) for value in flat(values)):
            return False
        outputs = arrays_in([keywords.get("out")])
        if any(itertools.starmap(np.may_share_memory, itertools.combinations(outputs, 2))):  # one is written over
            return False
    if name in IN_PLACE and any(itertools.starmap(np.may_share_memory, itertools.combinations(arrays_in(values), 2))):
        return False
    return name not in PRODUCTS and "." not in name.removeprefix("ieee754.").removeprefix("genome.") and not any(
        isinstance(value, np.random.Generator) for value in values)


def updated_by(keywords):
    """The roles of statistics that a call may update: not those that it only read, and then wrote `out` over."""
    outputs = list(arrays_in([keywords.get("out")]))
    return [role for role in UPDATED if not any(
        np.may_share_memory(array, out) for array in arrays_in([keywords.get(role)]) for out in outputs)]


def differs(function, results, roles, plain, plain_keywords):
    """How what a call gave, and what it wrote, differs from what the same numbers in plain memory give; or None."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            expected = function(*plain, **plain_keywords)
    except Exception as error:
        return f"raised nothing, but of the same numbers in plain memory {type(error).__name__}: {str(error)[:200]}"
    written = [plain_keywords.get(role) for role in roles] + (list(plain) if function.__name__ in IN_PLACE else [])
    return None if bits([expected, written]) == bits(results) else "gave other results than in plain memory"


def call(seed, number, catalogue, chosen=None):
    """Make one call, with random arguments or those chosen; return its description and what is wrong with it, or None.
    """
    case = random_arguments.Case(seed, number)
    name = case.one_of(list(catalogue))
    of_case, function, table = catalogue[name]
    given, keywords = chosen or random_arguments.arguments(case, function, table)
    told = ", ".join([*map(shown, given), *(f"{k}={shown(value)}" for k, value in keywords.items())])
    arrays = [(array, array.tobytes()) for array in arrays_in([*given, *keywords.values()])]
    outputs = list(arrays_in([keywords.get(role) for role in ("out", *UPDATED)]))
    plain = [in_plain_memory(value) for value in given], {k: in_plain_memory(v) for k, v in keywords.items()}
    outputs += arrays_in([*given, *keywords.values()]) if name in IN_PLACE else []
    print(number, name, flush=True)
    unraisable, printed = [], io.StringIO()
    sys.unraisablehook = unraisable.append
    fault = None
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            warnings.simplefilter("error")
            found = of_case(case)(*given, **keywords)
        if is_repeatable(name, function, given, keywords):
            roles = updated_by(keywords)
            written = [keywords.get(role) for role in roles] + (list(given) if name in IN_PLACE else [])
            fault = differs(function, [found, written], roles, *plain)
    except Exception as error:
        outputs = [] if not isinstance(error, Warning) else outputs
        paths = [value for value in (*given, *keywords.values()) if isinstance(value, str | bytes)]
        # NumPy itself makes of a ufunc's operands and results what `dtype`, `out` and operands of several dtypes ask
        # for, and warns of it: under the ufunc's name, where they pass through its buffer
        dtypes = {array.dtype for array in arrays_in(given)}
        cast = isinstance(error, RuntimeWarning) and is_elementwise(function) and (
            {"dtype", "out"} & set(keywords) or len(dtypes) > 1 or "in cast" in str(error))
        if fault := None if cast else fault_of(error, function, paths):
            place = "".join(traceback.format_tb(error.__traceback__)[-2:])
            fault += f": {type(error).__name__}: {str(error)[:300]}\n{place}"
    for array, before in arrays:
        if array.tobytes() != before and not any(np.may_share_memory(array, out) for out in outputs):
            fault = f"{fault or ''} changed an array of shape {array.shape} that was none of its outputs"
    if unraisable:
        fault = f"ignored an exception: {unraisable[0].exc_value!r}"
    if printed.getvalue() and name != "show_config":
        fault = f"printed {printed.getvalue()[:200]!r}"
    return f"{number}: {name}({told})", fault


def shown(value):
    if isinstance(value, np.ndarray):
        kind = "" if type(value) is np.ndarray else type(value).__name__
        return f"{kind}{value.dtype.str if value.dtype.kind != 'V' else value.dtype}{list(value.shape)}" + (
            f"={value.tolist()!r:.80}" if value.size < 4 else "")
    return f"({', '.join(map(shown, value))},)" if isinstance(value, tuple) else f"{value!r:.80}"


def child(seed, first, calls, only):
    faulthandler.enable()
    catalogue = random_functions.functions()
    catalogue = {name: catalogue[name] for name in catalogue if fnmatch.fnmatchcase(name, only or "*")}
    if not catalogue:
        raise SystemExit(f"{only} is no public function")
    with contextlib.suppress(ImportError, ValueError):
        import resource

        if "asan" not in os.environ.get("LD_PRELOAD", ""):  # AddressSanitizer takes more than any limit
            resource.setrlimit(resource.RLIMIT_AS, (8 << 30, 8 << 30))
    faults = 0
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        Path("other.npz").write_bytes(b"PK\x03\x04 damaged")
        for number in range(first, first + calls):
            signal.alarm(SECONDS)
            description, fault = call(seed, number, catalogue)
            signal.alarm(0)
            if fault:
                faults += 1
                print(f"FAULT {description}\n      {fault}", file=sys.stderr, flush=True)
    return faults > 0


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--calls", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--only")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        return child(options.seed, options.first, options.calls, options.only)
    failed, first, end = False, options.first, options.first + options.calls
    while first < end:
        calls = min(CALLS_IN_A_PROCESS, end - first)
        command = [sys.executable, __file__, "--child", "--seed", str(options.seed), "--first", str(first), "--calls",
                   str(calls), *(["--only", options.only] if options.only else [])]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        failed = failed or done.returncode != 0
        first += calls
        if done.returncode not in (0, 1) or (done.returncode == 1 and not done.stdout):
            *_, last = done.stdout.splitlines() or ["before the first call"]
            print(f"FAULT the process ended with {done.returncode} in {last}", file=sys.stderr, flush=True)
            if last.split()[0].isdigit():
                first = int(last.split()[0]) + 1
    print(f"{options.calls} calls: {'faults' if failed else 'no fault'}")
    return failed


if __name__ == "__main__":
    sys.exit(main())
