"""The picture and the table of rooms in docs/architecture.md, from the import and cimport lines. Run after a change to
who imports whom: python tools/architecture.py. tests/test_architecture.py holds that they are current.

An arrow leads from a room to one that it imports. Where a chain of other arrows says the same, it is left out."""

import sys
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

import test_kernel_rooms as kernels  # noqa: E402 - the tests hold the tables, and read the lines
import test_rooms as pylib  # noqa: E402
from lanewise import _MOVED  # noqa: E402

PAGE, PICTURE = ROOT / "docs" / "architecture.md", ROOT / "docs" / "images" / "rooms.svg"
BEGIN, END = "<!-- rooms: written by tools/architecture.py -->\n", "<!-- end of rooms -->\n"
MODULES = "kernels/*.pyx"
ROLES = {  # what a room holds, in a few words; two lines of the picture
    "cli/": "the command line, a file per command",
    "measure/": "oracles, errors in ULP, timing, peers",
    "lanewise": "the names that users import",
    "functions/": "activations, gates, norms, softmaxes, losses",
    "ieee754/": "fields, rounding, neighbours",
    "genome/": "packed 4-bit codes and their breeding",
    "evolution/": "networks, runs, checkpoints",
    "learning/": "layers and steps of training",
    "embedding/": "the table of C functions, addresses",
    "torch.py": "the functions on PyTorch's tensors",
    "jax.py": "the functions on JAX's arrays",
    "bounds.py": "the accuracy contract, in ULP",
    "config.py": "versions, level, threads",
    "limits.py": "threadpoolctl's way to the threads",
    "processors.py": "how many threads by default",
    "environment.py": "subnormals kept, whoever calls",
    "files.py": "files written whole or not at all",
    "formats.py": "descriptions of formats",
    "packing.py": "two codes per byte",
    "terminal.py": "what is printed where",
    "_typing.py": "types, for the stubs",
    MODULES: "compiled modules and their C interface",
    "points/": "activations on one register",
    "rowwise/": "mathematics along a row",
    "math/": "exp, log, tanh on one register",
    "loops/": "arrays to registers; threads",
    "formats/": "floating-point formats on codes",
    "lanes/": "register types and primitives",
}
WIDTH, HEIGHT, GAP, RISE = 168, 60, 18, 46  # of a box, and between boxes and between layers
INK, QUIET, LINE = "#1f2937", "#6b7280", "#3b5b92"
ZONES = {"pylib": ("pylib/, installed as lanewise: pure Python", "#eef2f9"),
         "kernels": ("kernels/, installed as lanewise.kernels: Cython, compiled once per level", "#eaf5f2")}


def python_room(room):
    """Return how the picture and the table call a room of pylib."""
    if room == "kernels":
        return MODULES
    return room if room == "lanewise" else f"{room}/" if (pylib.ROOT / "pylib" / room).is_dir() else f"{room}.py"


def kernel_room(room):
    """Return how they call a room of kernels."""
    return f"{room}/" if room in kernels.ROOMS else MODULES


def arrows():
    """Return (who, whom) for every room and each that it imports."""
    left_out = {"__main__", *_MOVED}  # which only pass on the names of one other
    found = set()
    for file in (pylib.ROOT / "pylib").rglob("*.py"):
        parts = file.relative_to(pylib.ROOT / "pylib").parts
        room = "lanewise" if parts[0] == "__init__.py" else parts[0].removesuffix(".py")
        if room != "kernels" and room not in left_out:
            lines = pylib.PACKAGE.joinpath(*parts)
            found |= {(python_room(room), python_room(target)) for target in pylib.imported(lines)}
    found -= {(python_room(room), "lanewise") for room in ("config", "limits")}  # which tells them the version
    for file in kernels.sources():
        folder = file.parent.relative_to(kernels.KERNELS)
        found |= {(kernel_room(kernels.room_of(file)), kernel_room(target.split(".")[0]))
                  for top, target in kernels.imported(file.read_text(encoding="utf-8"), folder) if top == "kernels"}
    return {(who, whom) for who, whom in found if who != whom}


def reached(room, found):
    """Return all rooms that arrows lead to from a room."""
    ahead, seen = [room], set()
    while ahead:
        here = ahead.pop()
        ahead += [whom for who, whom in found if who == here and whom not in seen]
        seen |= {whom for who, whom in found if who == here}
    return seen


def needed(found):
    """Return the arrows that no chain of others says."""
    beyond = {room: reached(room, found) for room in {room for arrow in found for room in arrow}}
    return sorted((who, whom) for who, whom in found
                  if not any(whom in beyond[via] for other, via in found if other == who and via != whom))


def layers_of(found):
    """Return the layer of each room, from 0 at the top: below all that import it, and kernels below all of pylib."""
    rooms = sorted({room for arrow in found for room in arrow})
    layer = dict.fromkeys(rooms, 0)
    for _ in rooms:
        for who, whom in found:
            layer[whom] = max(layer[whom], layer[who] + 1)
        layer[MODULES] = max(layer[MODULES], 1 + max(layer[room] for room in rooms if zone_of(room) == "pylib"))
    return layer


def zone_of(room):
    """Return which of the two folders a room stands in."""
    folder = room.removesuffix("/")
    return "kernels" if room == MODULES or (folder != room and folder in kernels.ROOMS) else "pylib"


def placed(found):
    """Return the boxes as {room: (x, y)}, the arrows as lists of points, and the size of the whole."""
    layer, chains = layers_of(found), []
    rows = [[room for room in layer if layer[room] == k] for k in range(max(layer.values()) + 1)]
    for who, whom in found:  # an arrow over several layers passes between the boxes of those it crosses
        passing = [(who, whom, k) for k in range(layer[who] + 1, layer[whom])]
        for mark in passing:
            rows[mark[2]].append(mark)
        chains.append([who, *passing, whom])
    links = [link for chain in chains for link in pairwise(chain)]
    for turn in range(24):  # each row in the order of its neighbours' middles, downwards and upwards in turn
        order = {node: (k + 0.5) / len(row) for row in rows for k, node in enumerate(row)}
        for k in (range(len(rows)) if turn % 2 == 0 else reversed(range(len(rows)))):
            near = {node: [order[a if turn % 2 == 0 else b] for a, b in links if (b if turn % 2 == 0 else a) == node]
                    for node in rows[k]}
            rows[k].sort(key=lambda node: sum(near[node]) / len(near[node]) if near[node] else order[node])
            order |= {node: (i + 0.5) / len(rows[k]) for i, node in enumerate(rows[k])}
    spans = [[WIDTH if isinstance(node, str) else GAP for node in row] for row in rows]
    whole = max(sum(span) + GAP * (len(span) + 1) for span in spans)
    place = {}
    for k, (row, span) in enumerate(zip(rows, spans, strict=True)):
        below = zone_of(next(node for node in row if isinstance(node, str))) == "kernels"
        gap = (whole - sum(span)) / (len(row) + 1)
        x, y = gap, 40 + k * (HEIGHT + RISE) + 44 * below
        for node, width in zip(row, span, strict=True):
            place[node] = (x + width / 2, y)
            x += width + gap
    height = max(y for _, y in place.values()) + HEIGHT + 24
    return place, chains, (whole, height)


def svg():
    """Return the picture."""
    found = needed(arrows())
    place, chains, (width, height) = placed(found)
    middle = place[MODULES][1] - 44
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" width="{width:.0f}" '
             f'height="{height:.0f}" font-family="Helvetica, Arial, sans-serif">',
             "<title>Who imports whom in Lanewise</title>",
             '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" '
             f'orient="auto"><path d="M0 0L8 4L0 8z" fill="{LINE}"/></marker></defs>',
             f'<rect width="{width:.0f}" height="{height:.0f}" fill="#ffffff"/>']
    for (caption, colour), (top, bottom) in zip(ZONES.values(), ((6, middle - 8), (middle, height - 6)), strict=True):
        parts += [f'<rect x="6" y="{top:.0f}" width="{width - 12:.0f}" height="{bottom - top:.0f}" rx="8" '
                  f'fill="{colour}"/>',
                  f'<text x="18" y="{top + 20:.0f}" font-size="13" fill="{QUIET}">{caption}</text>']
    for chain in chains:
        line = [place[chain[0]][0], place[chain[0]][1] + HEIGHT]
        path = f"M{line[0]:.0f} {line[1]:.0f}"
        for k, node in enumerate(chain[1:]):
            x, y = place[node]
            bend = (line[1] + y) / 2
            path += f"C{line[0]:.0f} {bend:.0f} {x:.0f} {bend:.0f} {x:.0f} {y:.0f}"
            if k < len(chain) - 2:
                path += f"V{y + HEIGHT:.0f}"
                y += HEIGHT
            line = [x, y]
        parts.append(f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="1.4" marker-end="url(#head)"/>')
    for room in (node for node in place if isinstance(node, str)):
        x, y = place[room]
        first, second = in_two(ROLES[room])
        parts += [f'<rect x="{x - WIDTH / 2:.0f}" y="{y:.0f}" width="{WIDTH}" height="{HEIGHT}" rx="6" fill="#ffffff" '
                  f'stroke="{LINE}"/>']
        for text, down, style in ((room, 19, f'font-size="14" font-weight="bold" fill="{INK}"'),
                                  (first, 36, f'font-size="11.5" fill="{QUIET}"'),
                                  (second, 50, f'font-size="11.5" fill="{QUIET}"')):
            if text:
                parts.append(f'<text x="{x:.0f}" y="{y + down:.0f}" text-anchor="middle" {style}>{text}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def in_two(text):
    """Split a text where a line of the picture ends."""
    words, first = text.split(), ""
    while words and len(first) + len(words[0]) < 27:
        first = f"{first} {words.pop(0)}".strip()
    return first, " ".join(words)


def table():
    """Return who may import whom, as the tests hold it."""
    lines = ["| room | holds | may import, beside itself |", "|---|---|---|"]
    for room, allowed in pylib.MAY_IMPORT.items():
        if room not in ("__main__", *_MOVED):
            names = sorted(f"`{python_room(other)}`" for other in allowed)
            lines.append(f"| `{python_room(room)}` | {ROLES[python_room(room)]} | {', '.join(names) or 'nothing'} |")
    lines.append(f"| `{MODULES}` | {ROLES[MODULES]} | every room of `kernels/` below, and no other module |")
    for room, allowed in reversed(kernels.ROOMS.items()):
        names = sorted(f"`{other}/`" for other in allowed)
        lines.append(f"| `{room}/` | {ROLES[f'{room}/']} | {', '.join(names) or 'nothing'} |")
    return "\n".join(lines) + "\n"


def page():
    """Return the page with the table of rooms as it should be."""
    before, _, rest = PAGE.read_text("utf-8").partition(BEGIN)
    return before + BEGIN + "\n" + table() + "\n" + END + rest.partition(END)[2]


if __name__ == "__main__":
    PICTURE.write_text(svg(), "utf-8")
    PAGE.write_text(page(), "utf-8")
