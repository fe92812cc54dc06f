"""The flat functions that modules write for float32 alone, written in float64 at each module's end: the same lines with
other types. Run after one has been added or changed, before the build: python tools/twins.py. tests/test_places.py
holds the modules current."""

import re
import runpy
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = [ROOT / "kernels" / f"{name}.pyx" for name in (
    "draws", "halting", "optimise", "point_losses", "reparameterise")]
BEGIN = "# From here on written by tools/twins.py: the functions above whose names end in _float32, in float64.\n"
FUNCTION = re.compile(r"^cdef (\w+) (\w+)_float32\(([^)]*)\) noexcept nogil:\n((?: .*\n)+)", re.M)
WIDER = {"float": "double", "f32x": "f64x", "NARROW": "WIDE"}

signature = runpy.run_path(str(Path(__file__).with_name("forms.py")))["signature"]


def widened(text):
    return re.sub(r"\b\w+\b", lambda word: WIDER.get(word[0], word[0]), text)


def twins(text):
    """The float64 functions that belong to the float32 ones in a module's text."""
    return [signature(result, f"{name}_float64", [" ".join(widened(one).split()) for one in arguments.split(",")], ":")
            + widened(body).replace(f"{name}_float32", f"{name}_float64")
            for result, name, arguments, body in FUNCTION.findall(text)]


def made():
    """The text of each module, as it should be."""
    texts = {path: path.read_text("utf-8").partition(BEGIN)[0] for path in MODULES}
    return {path: text + BEGIN + "\n" + "\n\n".join(twins(text)) for path, text in texts.items()}


if __name__ == "__main__":
    for path, text in made().items():
        path.write_text(text, "utf-8")
