"""Figures as one page that opens from disk without a network: a conclusion on top, a map of ratios, time against size,
the roofline, accuracy against speed, norms in one pass and in two, learning with and without a gradient, and the
figures themselves inside. Nothing is timed here; charts are drawn by charts.py.
"""

import html
import json
import math

import numpy as np

from .charts import chart, colour
from .figures import as_json

__all__ = ["NORMS", "NORM_SHAPES", "conclusion", "page"]

#: What the chart of norms is made of, and the shapes that are timed for it: the same number of elements in rows of
#: different length.
NORMS = {"rms_norm": "RMSNorm, one pass", "layer_norm": "LayerNorm, one pass, as it is by default",
         "layer_norm_two_pass": "LayerNorm, two passes"}
NORM_SHAPES = tuple((1 << 18 - k, 1 << k) for k in (6, 8, 10, 12, 14))
_USUAL_LEVELS = {"L1": 32 << 10, "L2": 512 << 10, "L3": 32 << 20}  # bytes, where the machine does not say
_UNSURE = 0.1  # half the distance of the quartiles of the rounds, of which a reader is told
_LEAST_ULP = 0.1
_STYLE = """:root{color-scheme:light dark;--fore:#212529;--back:#fff;--line:#adb5bd;--faint:#e9ecef}
@media(prefers-color-scheme:dark){:root{--fore:#e9ecef;--back:#16191d;--line:#6c757d;--faint:#2b3035}}
*{box-sizing:border-box}
body{font:16px/1.5 system-ui,sans-serif;color:var(--fore);background:var(--back);margin:auto;max-width:72rem;
padding:1rem;overflow-wrap:break-word}
h1{margin:.2rem 0}h2{margin:1.6rem 0 .2rem}p{max-width:46rem}
#conclusion{font-size:1.15rem;border-left:.3rem solid #d9480f;padding-left:.8rem}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,21rem),1fr));gap:.5rem 1rem}
svg{width:100%;height:auto}svg text{fill:var(--fore);font-size:9.5px}svg .name{font-size:11px;font-weight:600}
.axis{stroke:var(--line);fill:none}.grid{stroke:var(--faint)}.level{stroke:var(--line);stroke-dasharray:3}
.legend{margin:.3rem 0}.legend span{white-space:nowrap;margin-right:1rem}.legend b{font-size:1.2em;line-height:1}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums}
caption{text-align:left;font-weight:600;padding:.5rem 0 .2rem}
td,th{padding:.15rem .6rem;text-align:right;white-space:nowrap}
th:first-child{text-align:left;position:sticky;left:0;background:var(--back)}
.map td{color:#111}.map td:empty{background:none}
@media(max-width:40rem){table{font-size:.8rem}td,th{padding:.15rem .3rem}th:first-child{white-space:normal}}"""


def conclusion(figures):
    """One sentence: by how much, and where not."""
    ratios = {}
    for each in figures:
        for name, ratio in each.ratio.items():
            ratios.setdefault(name, []).append(ratio)
    if not ratios:
        return f"{len(figures)} cases were timed beside a copy alone: no peer was there to compare with."
    parts = [f"{name} takes {np.exp(np.mean(np.log(taken))):.2f} times as long as Lanewise ({len(taken)} "
             f"case{'s' * (len(taken) > 1)}; Lanewise is faster in {sum(ratio > 1 for ratio in taken)})"
             for name, taken in ratios.items()]
    unsure = sum(max(map(each.spread, each.times)) > _UNSURE for each in figures)
    doubt = f" In {unsure} of {len(figures)} cases the rounds differ by more than {_UNSURE:.0%}: measure again."
    return "In the geometric mean " + ", ".join(parts) + "." + (doubt if unsure else "")


def _legend(names):
    return ('<p class="legend">' + " ".join(
        f'<span><b style="color:{colour(name, names)}">&#9632;</b> {html.escape(name)}</span>' for name in names)
        + "</p>")


def _charts(found):
    drawn = "".join(found)
    return drawn and f'<div class="charts">{drawn}</div>'


def _kind(figures):
    layout = "" if figures.layout == "contiguous" else f", {figures.layout}"
    return f"{figures.dtype}, {figures.threads} thread{'s' * (figures.threads > 1)}{layout}"


def _groups(figures, key):
    found = {}
    for each in figures:
        found.setdefault(key(each), []).append(each)
    return found


def _shape(figures):
    return "x".join(map(str, figures.shape))


def _map_of_ratios(figures):
    # a table for each peer and kind of case: functions down, sizes across
    tables = []
    for (peer, kind), cases in _groups(
            [(name, each) for each in figures for name in each.ratio], lambda pair: (pair[0], _kind(pair[1]))).items():
        cases = [each for _, each in cases]
        # a column is a number of elements; a shape, where a function was timed in two shapes of as many
        alone = len({(each.work, each.n) for each in cases}) == len(cases)
        sizes = sorted({(each.n, "" if alone else _shape(each)) for each in cases})
        rows = []
        for work, own in _groups(cases, lambda each: each.work).items():
            at = {(each.n, "" if alone else _shape(each)): each.ratio[peer] for each in own}
            named = html.escape(work).replace("_", "_<wbr>")
            rows.append(f"<tr><th>{named}</th>{''.join(_cell(at.get(size)) for size in sizes)}</tr>")
        heads = "".join(f"<th>{shape or f'{n:,}'}</th>" for n, shape in sizes)
        tables.append(f"<table class=map><caption>{html.escape(peer)}: {kind}</caption>"
                      f"<tr><th>function</th>{heads}</tr>{''.join(rows)}</table>")
    if not tables:
        return "<p>No peer was timed.</p>"
    return f'<div class="scroll">{"".join(tables)}</div>'


def _cell(ratio):
    if ratio is None:
        return "<td></td>"
    shade, hue = min(1, abs(math.log2(ratio)) / 3), 140 if ratio >= 1 else 10
    return f'<td style="background:hsl({hue} 60% {90 - 40 * shade:.0f}%)">{ratio:.2f}</td>'


def _against_size(figures, levels):
    for (work, kind), cases in _groups(figures, lambda each: (each.work, _kind(each))).items():
        series = {}
        for each in cases:
            for name, taken in each.nanoseconds.items():
                series.setdefault(name, []).append(
                    (each.moved["lanewise"], taken, f"{name}, {_shape(each)}: {taken:.3g} ns per element"))
        yield chart(f"{work}: {kind}", series, "bytes that a call moves", "ns per element", levels=levels)


def _roofline(figures, levels):
    # what each case moves in a second, under what a copy of the same memory does
    for kind, cases in _groups(figures, _kind).items():
        series = {"copy": [], "lanewise": []}
        for each in cases:
            for name, found in series.items():
                rate = each.moved[name] / each.n / each.nanoseconds[name]
                found.append((each.moved[name], rate, f"{each.work if name == 'lanewise' else name}, {_shape(each)}: "
                                                      f"{rate:.3g} GB/s"))
        roof = [max(points, key=lambda point: point[1]) for points in _groups(
            series["copy"], lambda point: round(math.log2(point[0]))).values()]
        yield chart(kind, {"copy": roof, "lanewise": series["lanewise"]}, "bytes that a call moves", "GB/s",
                    levels=levels, dashed=("copy",), scattered=("lanewise",))


def _accuracy(figures):
    for dtype, cases in _groups(figures, lambda each: each.dtype).items():
        series = {}
        for each in cases:
            for name, ulp in each.ulp.items():
                series.setdefault(name, []).append(
                    (each.nanoseconds[name], max(ulp, _LEAST_ULP),
                     f"{name}, {each.work} {_shape(each)}: {ulp:.3g} ULP, {each.nanoseconds[name]:.3g} ns per element"))
        if series:
            yield chart(f"{dtype}: each point is a case", series, "ns per element", "largest error, ULP",
                        scattered=series)


def _norms(figures):
    for kind, cases in _groups([each for each in figures if each.work in NORMS and len(each.shape) == 2],
                               lambda each: (each.n, _kind(each))).items():
        series = {}
        for each in cases:
            taken = each.nanoseconds["lanewise"]
            series.setdefault(NORMS[each.work], []).append(
                (each.shape[1], taken, f"{each.work}, {_shape(each)}: {taken:.3g} ns per element"))
        if len(series) > 1 and max(map(len, series.values())) > 1:
            yield series, chart(f"{kind[0]:,} elements: {kind[1]}", series, "length of a row", "ns per element")


def _learning(learning):
    series = {name: [(seconds, error, f"{name}: {error:.2%} wrong after {seconds:.2g} s")
                     for seconds, error in found if seconds > 0 and error > 0] for name, found in learning.items()}
    series = {name: found for name, found in series.items() if found}
    if not series:
        return ""
    return _section("A gradient against none", "The share of held-out digits that a network of 64-32-10 classifies "
                    "wrongly, by the seconds that it has learned: 4-bit codes by evolution, and float32 weights by the "
                    "chain rule.", _legend(series) + _charts([chart("held-out digits", series, "seconds",
                                                                    "share of errors")]))


def _section(title, text, content):
    return f"<section><h2>{title}</h2><p>{text}</p>{content}</section>" if content else ""


def page(figures, machine, learning=None):
    """The text of the page.

    Parameters
    ----------
    figures : list of Figures
    machine : dict
        As `machine.describe` gives it.
    learning : dict of str to list of (float, float), optional
        By the name of a way to learn: seconds, and the share of errors on held-out rows.

    Returns
    -------
    str
    """
    names = list(dict.fromkeys(name for each in figures for name in each.times))
    levels = machine.get("caches") or _USUAL_LEVELS
    about = f"{machine['cpu']['brand_raw']}, level {machine['level']}, " + ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items())
    busy = machine["busy"]
    warning = f"<p><strong>{html.escape(busy[0].upper() + busy[1:])}.</strong></p>" if busy else ""
    own = [each for each in figures if each.ratio]  # those that are timed for a chart alone have no peers
    norms = list(_norms(figures))
    sections = [
        _section("The peer's time divided by Lanewise's", "Above 1, green, Lanewise is faster.", _map_of_ratios(own)),
        _section("Time against size", "Dashed lines: where a cache ends.",
                 _charts(_against_size(own or figures, levels))),
        _section("Roofline", "Each point is a function of Lanewise; the dashed line is what a copy of as many bytes "
                 "reaches in the same run. Points on it are as fast as the memory; points far below it compute.",
                 _charts(_roofline(own or figures, levels))),
        _section("Accuracy against speed", "The largest error of this run's results beside the same function in "
                 "float64. The best place is at the bottom left.", _charts(_accuracy(own or figures))),
        _section("One pass against two", "The same rows, normalised by RMSNorm, which needs one pass, and by LayerNorm "
                 "in one pass and in two.", "".join(_legend(series) + _charts([drawn]) for series, drawn in norms)),
        _learning(learning or {}),
    ]
    data = as_json(figures, machine).replace("<", "\\u003c")
    more = json.dumps(learning or {}).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>lanewise bench</title><style>{_STYLE}</style></head><body>
<h1>lanewise bench</h1><p id="conclusion">{html.escape(conclusion(own or figures))}</p>{warning}
<p>{html.escape(about)}; {html.escape(machine["datetime"][:16].replace("T", " "))} UTC</p>{_legend(names)}
{"".join(sections)}
<script type="application/json" id="figures">{data}</script>
<script type="application/json" id="learning">{more}</script>
</body></html>
"""

