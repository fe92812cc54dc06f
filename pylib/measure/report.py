"""Figures as one page that opens from disk without a network: a conclusion, a map of ratios, time against size, and
accuracy against speed, with the figures themselves inside. Nothing is timed here.
"""

import html
import math

import numpy as np

from .figures import as_json

__all__ = ["conclusion", "page"]

_COLOURS = {"lanewise": "#d9480f", "copy": "#868e96", "numpy": "#1c7ed6", "scipy": "#0c8599", "torch": "#ae3ec9",
            "onnxruntime": "#2f9e44", "mkl": "#e67700", "ml_dtypes": "#5c7cfa"}
_LEVELS = {"L1": 32 << 10, "L2": 512 << 10, "memory": 32 << 20}  # bytes that a call reads and writes, usual ends
_UNSURE = 0.1  # half the distance of the quartiles of the rounds, of which a reader is told
_WIDTH, _HEIGHT, _EDGE = 320, 220, 36
_STYLE = """:root{color-scheme:light dark;--fore:#212529;--back:#fff;--line:#ced4da}
@media(prefers-color-scheme:dark){:root{--fore:#e9ecef;--back:#16191d;--line:#495057}}
body{font:16px/1.5 system-ui,sans-serif;color:var(--fore);background:var(--back);margin:auto;
max-width:70rem;padding:1rem}
svg{width:100%;max-width:26rem;height:auto}svg text{fill:var(--fore);font-size:10px}.charts{display:flex;flex-wrap:wrap}
.axis{stroke:var(--line);fill:none}.scroll{overflow-x:auto}table{border-collapse:collapse}
td,th{padding:.2rem .6rem;text-align:right}th:first-child{text-align:left}.map td{color:#111}"""


def conclusion(figures):
    """One sentence: by how much, and where not."""
    ratios = {}
    for each in figures:
        for name, ratio in each.ratio.items():
            ratios.setdefault(name, []).append(ratio)
    if not ratios:
        return f"{len(figures)} cases were timed beside a copy alone: no peer was there to compare with."
    parts = [f"{name}'s time is {np.exp(np.mean(np.log(taken))):.2f} times Lanewise's ({len(taken)} cases, slower in "
             f"{sum(ratio > 1 for ratio in taken)})" for name, taken in ratios.items()]
    unsure = sum(max(map(each.spread, each.times)) > _UNSURE for each in figures)
    doubt = f" In {unsure} of {len(figures)} cases the rounds differ by more than {_UNSURE:.0%}: measure again."
    return "In the geometric mean " + "; ".join(parts) + "." + (doubt if unsure else "")


def _scale(values, low, high):
    # logarithmic, from the least to the largest value
    logs = [math.log(value) for value in values]
    least, span = min(logs), max(max(logs) - min(logs), 1e-9)
    return lambda value: low + (math.log(value) - least) / span * (high - low)


def _short(value):
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _chart(title, series, x_name, y_name, levels=(), joined=True):
    # series: by contender, pairs of positive numbers
    points = [pair for pairs in series.values() for pair in pairs]
    across = _scale([x for x, _ in points], _EDGE, _WIDTH - 12)
    up = _scale([y for _, y in points], _HEIGHT - _EDGE, 24)
    least, most = min(x for x, _ in points), max(x for x, _ in points)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{html.escape(title)}</title>'
             f'<text x="{_EDGE}" y="14">{html.escape(title)}</text>'
             f'<path class="axis" d="M{_EDGE} 24V{_HEIGHT - _EDGE}H{_WIDTH - 12}"/>'
             f'<text x="{_EDGE}" y="{_HEIGHT - 20}">{_short(least)}</text>'
             f'<text x="{_WIDTH - 12}" y="{_HEIGHT - 20}" text-anchor="end">{_short(most)}</text>'
             f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 6}" text-anchor="middle">{x_name}</text>'
             f'<text x="10" y="{_HEIGHT / 2}" transform="rotate(-90 10 {_HEIGHT / 2})" text-anchor="middle">'
             f'{y_name}</text>'
             f'<text x="{_EDGE - 3}" y="30" text-anchor="end">{max(y for _, y in points):.2g}</text>'
             f'<text x="{_EDGE - 3}" y="{_HEIGHT - _EDGE}" text-anchor="end">{min(y for _, y in points):.2g}</text>']
    for name, end in dict(levels).items():
        if least < end <= most:
            parts.append(f'<path class="axis" stroke-dasharray="3" d="M{across(end):.1f} 24V{_HEIGHT - _EDGE}"/>'
                         f'<text x="{across(end) - 2:.1f}" y="34" text-anchor="end">{name}</text>')
    for name, pairs in series.items():
        places = [f"{across(x):.1f},{up(y):.1f}" for x, y in sorted(pairs)]
        if joined:
            parts.append(f'<polyline fill="none" stroke="{_COLOURS[name]}" stroke-width="2" '
                         f'points="{" ".join(places)}"/>')
        for place in places:
            cx, cy = place.split(",")
            parts.append(f'<circle cx="{cx}" cy="{cy}" r="3" fill="{_COLOURS[name]}"><title>{name}</title></circle>')
    return "".join(parts) + "</svg>"


def _ratios(figures):
    peers = list(dict.fromkeys(name for each in figures for name in each.ratio))
    rows = []
    for each in figures:
        cells = []
        for name in peers:
            ratio = each.ratio.get(name)
            if ratio is None:
                cells.append("<td></td>")
                continue
            shade = min(1, abs(math.log2(ratio)) / 3)
            hue = 140 if ratio >= 1 else 10
            cells.append(f'<td style="background:hsl({hue} 60% {90 - 40 * shade:.0f}%)">{ratio:.2f}</td>')
        rows.append(f"<tr><th>{html.escape(each.label)}</th>{''.join(cells)}</tr>")
    return (f"<table class=map><tr><th>case</th>{''.join(f'<th>{name}</th>' for name in peers)}</tr>"
            f"{''.join(rows)}</table>")


def _against_size(figures):
    groups = {}
    for each in figures:
        groups.setdefault((each.work, each.dtype, each.threads), []).append(each)
    for (work, dtype, threads), cases in groups.items():
        series = {}
        for each in cases:
            for name, taken in each.nanoseconds.items():
                series.setdefault(name, []).append((each.moved["lanewise"], taken))
        yield _chart(f"{work} {dtype}, {threads} thread{'s' * (threads > 1)}", series, "bytes a call moves",
                     "ns per element", _LEVELS)


def page(figures, machine):
    """The text of the page."""
    errors = {}
    for each in figures:
        for name, ulp in each.ulp.items():
            errors.setdefault(name, []).append((each.nanoseconds[name], max(ulp, 0.1)))
    legend = " ".join(f'<span style="color:{_COLOURS[name]}">&#9632; {name}</span>'
                      for name in dict.fromkeys(name for each in figures for name in each.times))
    about = f"{machine['cpu']['brand_raw']}, level {machine['level']}, " + ", ".join(
        f"{name} {version}" for name, version in machine["versions"].items())
    warning = f"<p><strong>{html.escape(machine['busy'])}</strong></p>" if machine["busy"] else ""
    accuracy = "<p>No errors were counted.</p>"
    if errors:
        accuracy = _chart("each point a case", errors, "ns per element", "largest error, ULP", joined=False)
    data = as_json(figures, machine).replace("<", "\\u003c")
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width,initial-scale=1">
<title>lanewise bench</title><style>{_STYLE}</style></head><body>
<h1>lanewise bench</h1><p id="conclusion">{html.escape(conclusion(figures))}</p>{warning}
<p>{html.escape(about)}; {html.escape(machine["datetime"])}</p><p>{legend}</p>
<h2>The peer's time divided by Lanewise's</h2><div class="scroll">{_ratios(figures)}</div>
<h2>Time against size</h2><div class="charts">{"".join(_against_size(figures))}</div>
<h2>Accuracy against speed</h2><div class="charts">{accuracy}</div>
<script type="application/json" id="figures">{data}</script>
</body></html>
"""
