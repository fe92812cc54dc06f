"""Print the table of docs/benchmarks.md, "By port": what llvm-mca predicts for the hot loops along an axis, in cycles
per element, from the objects that a build has left for the levels avx2 and avx512:

    pip install --no-build-isolation . && python tools/loop_ports.py llvm-mca-19
"""

import pathlib
import re
import subprocess
import sys

COMPILED = pathlib.Path(__file__).parents[1] / "build" / "compiled"
PROCESSORS = {"Zen 3": ("avx2", "znver3"), "Zen 4": ("avx512", "znver4"),
              "Sapphire Rapids": ("avx512", "sapphirerapids")}
REGISTERS = {"avx2": "%ymm", "avx512": "%zmm"}
MOST = 260  # instructions of a loop
# What a row of the table says, the module, the end of the function's name, and for either level its loops: how many
# elements they compute and how many registers they store. Of a function's loops like that, it is the one with the most
# vector instructions, or the fewest where the elements are negative: that of rows without a sign and a shift.
NORMS, SOFTMAX = "norms", "softmax"
SUM = {"avx2": [(64, 0)], "avx512": [(64, 0)]}
LOOPS = [
    ("`rms_norm`, sum of squares", NORMS, "norms_squares", SUM),
    ("`layer_norm`, deviations and their squares", NORMS, "norms_centred", SUM),
    ("`layer_norm`, results of two rows", NORMS, "norms_layer_group", {"avx2": [(16, 2)], "avx512": [(32, 2)]}),
    ("`layer_norm_backward`, sums of a row", NORMS, "norm_terms_terms", SUM),
    ("`layer_norm_backward`, gradients of four rows", NORMS, "norm_groups_gradients_block",
     {"avx2": [(16, 4), (16, 6)], "avx512": [(64, 8)]}),
    ("`softmax_backward`, sum of a row", SOFTMAX, "softmax_grad_y_block", {"avx2": [(64, 0)], "avx512": [(32, 0)]}),
    ("`softmax_backward`, results", SOFTMAX, "softmax_softmax_slope_block", {"avx2": [(16, 2)], "avx512": [(32, 2)]}),
    ("`softmax`, exponentials and their sum", SOFTMAX, "exponentials_all_block",
     {"avx2": [(-64, 8)], "avx512": [(-64, 4)]}),
    ("`log_softmax`, exponentials and their sums", SOFTMAX, "exponentials_closer_block",
     {"avx2": [(-16, 0)], "avx512": [(-16, 0)]}),
]


def functions(level, module):
    """Instructions by function: (address, text) each."""
    (path,) = COMPILED.glob(f"*/{level}/build/lanewise/kernels/{module}_kernels.o")
    found, name = {}, None
    for line in subprocess.run(["objdump", "-d", "--no-show-raw-insn", str(path)], capture_output=True, text=True,
                               check=True).stdout.splitlines():
        if start := re.match(r"[0-9a-f]+ <(.*)>:", line):
            name = start[1]
            found[name] = []
        elif name and (instruction := re.match(r"\s*([0-9a-f]+):\s+(\S.*)", line)):
            found[name].append((int(instruction[1], 16), instruction[2]))
    return found


def ways_round(code):
    """Every way from the target of a jump back to it that meets no other such target."""
    places = {address: k for k, (address, _) in enumerate(code)}
    jumps = {k: (jump[1], places.get(int(jump[2], 16))) for k, (_, text) in enumerate(code)
             if (jump := re.match(r"(j\w+)\s+([0-9a-f]+)", text))}
    heads = {target for k, (_, target) in jumps.items() if target is not None and target <= k}
    ways = [(head, ()) for head in heads]
    while ways:
        at, way = ways.pop()
        if way and at == way[0]:
            yield [code[k][1] for k in way]
        if at is None or at >= len(code) or len(way) > MOST or at in way or (way and at in heads):
            continue
        name, target = jumps.get(at, ("", None))
        way = (*way, at)
        if name != "jmp" and not code[at][1].startswith("ret"):
            ways.append((at + 1, way))
        if name:
            ways.append((target, way))


def hot_loop(code, register, elements, stores):
    """The instructions of that loop."""
    sign, best, found = (1 if elements > 0 else -1), -MOST, []
    elements = abs(elements)
    for texts in ways_round(code):
        vectors = sign * sum(register in text for text in texts)
        written = sum(bool(re.match(rf"vmov(u|a|dqu|dqa)\w*\s+{register}\d+,[^%]*\((?!%rsp)", text)) for text in texts)
        steps = {int(step[1], 16) for text in texts if (step := re.match(r"(?:add|sub)\s+\$0x(\w+),%r", text))}
        sums = stores > 0 or sign < 0 or steps & {elements, 4 * elements, (1 << 64) - 4 * elements}
        short = any(text.startswith(("vpermw", "vpmovzx", "vcvtph")) for text in texts)  # rows of 16-bit floats
        if vectors > best and (sign > 0 or -vectors * 8 > elements) and written == stores and sums and not short:
            best, found = vectors, [re.sub(r"\s*[<#].*", "", text) for text in texts if text[0] != "j"]
    return found


def predicted(mca, processor, texts):
    """Cycles of one way round, bound by ports alone."""
    report = subprocess.run([mca, f"-mcpu={processor}"], input="\n".join(texts), capture_output=True, text=True,
                            check=True).stdout
    if processor != "sapphirerapids":
        return float(re.search(r"Block RThroughput: +([0-9.]+)", report)[1])
    # between the two ports that compute on 512 bits, of which the model knows one for most instructions
    used = re.search(r"Resource pressure per iteration:\n.*\n(.*)", report)[1].replace("-", "0").split()
    return (float(used[0]) + float(used[1]) + float(used[5])) / 2


def main(mca="llvm-mca"):
    code = {(level, module): functions(level, module) for level in REGISTERS for module in (NORMS, SOFTMAX)}
    print(f"| loop | {', ports | '.join(PROCESSORS)}, ports |", "|---|" + "--:|" * len(PROCESSORS), sep="\n")
    for title, module, name, loops in LOOPS:
        cells = []
        for level, processor in PROCESSORS.values():
            (own,) = (text for function, text in code[level, module].items()
                      if re.search(rf"{name}(\.\w+)*$", function) and "fuse_1" not in function)
            found = [(hot_loop(own, REGISTERS[level], *loop), loop[0]) for loop in loops[level]]
            cycles = sum(predicted(mca, processor, texts) for texts, _ in found)
            cells.append(f"{cycles / sum(abs(elements) for _, elements in found):.2f}")
        print(f"| {title} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
