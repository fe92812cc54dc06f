"""Everything that follows from the sources of a function and needs no measurement: the forms and declarations of its
kernels, stubs, lanewise.h, signatures and the lists of the reference. Run before the build: python tools/generate.py"""

import runpy
from pathlib import Path

TOOLS = ("forms", "twins", "stubs", "reference", "header")  # header reads the declarations that forms writes


def made(tool):
    """The text of each file that a tool writes, as it should be."""
    return runpy.run_path(str(Path(__file__).parent / f"{tool}.py"))["made"]()


if __name__ == "__main__":
    for tool in TOOLS:
        for path, text in made(tool).items():
            if path.read_text("utf-8") != text:
                path.write_text(text, "utf-8")
                print(f"{path.name} written")
