"""Charts as SVG for a page that needs no network: axes by decades, lines, points. What is drawn is report.py's."""

import html
import math

import numpy as np

__all__ = ["COLOURS", "chart", "colour"]

#: Of whoever is timed: the same in every chart, and told apart on white and on black.
COLOURS = {"lanewise": "#d9480f", "copy": "#868e96", "numpy": "#1c7ed6", "scipy": "#0c8599", "torch": "#ae3ec9",
           "torch_compile": "#e64980", "onnxruntime": "#2f9e44", "mkl": "#e67700", "ml_dtypes": "#5c7cfa",
           "numba": "#66a80f", "simd_ml_kernels": "#a0522d", "evotorch": "#7048e8", "pygad": "#f59f00"}
_OTHERS = ("#1c7ed6", "#2f9e44", "#ae3ec9", "#e67700", "#0c8599", "#5c7cfa")
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 340, 240, 44, 10, 26, 38
_LONGEST_TITLE = 42  # characters that fit at full size


def colour(name, names):
    """The colour of a series among others."""
    return COLOURS.get(name, _OTHERS[list(names).index(name) % len(_OTHERS)])


def _ticks(low, high):
    # powers of ten; where there are few of them, also 2 and 5 of each, and where they are many, some
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    mantissas = (1,) if last - first > 2 else (1, 2, 5)
    found = [m * 10.0**e for e in range(first, last + 1) for m in mantissas if low <= m * 10.0**e <= high]
    return found[::-(-len(found) // 7)] if len(found) > 7 else found


def _number(value):
    if value >= 10_000:
        exponent = int(math.log10(value))
        return f"{value / 10**exponent:g}e{exponent}"
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def _size(value):
    # bytes, as people say them
    for unit, name in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if value >= unit:
            return f"{value / unit:g} {name}"
    return f"{value:g} B"


def _scale(low, high, start, end):
    span = max(math.log(high / low), 1e-9)
    return lambda value: start + math.log(value / low) / span * (end - start)


def chart(title, series, x_name, y_name, *, levels=None, scattered=(), dashed=()):
    """Draw a chart of two logarithmic axes.

    Parameters
    ----------
    title : str
    series : dict of str to list of (float, float, str)
        By name the points, positive numbers and what a pointer that rests on them reads.
    x_name, y_name : str
    levels : dict of str to float, optional
        Marks on the x axis.
    scattered : collection of str
        Series whose points are not joined by a line.
    dashed : collection of str
        Series that are no measurement of this library or a peer, but what they are held against.

    Returns
    -------
    str
    """
    points = np.array([point[:2] for each in series.values() for point in each], float)
    (x_low, y_low), (x_high, y_high) = points.min(axis=0), points.max(axis=0)
    x_low, x_high, y_low, y_high = x_low / 1.1, x_high * 1.1, y_low / 1.15, y_high * 1.15
    across = _scale(x_low, x_high, _LEFT, _WIDTH - _RIGHT)
    up = _scale(y_low, y_high, _HEIGHT - _BOTTOM, _TOP)
    base, told = _HEIGHT - _BOTTOM, _size if x_name.startswith("bytes") else _number
    smaller = f' style="font-size:{11 * _LONGEST_TITLE / len(title):.1f}px"' if len(title) > _LONGEST_TITLE else ""
    parts = [f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img"><title>{html.escape(title)}</title>'
             f'<text class="name"{smaller} x="{_LEFT}" y="15">{html.escape(title)}</text>']
    for tick in _ticks(x_low, x_high):
        parts.append(f'<path class="grid" d="M{across(tick):.1f} {_TOP}V{base}"/>'
                     f'<text x="{across(tick):.1f}" y="{base + 12}" text-anchor="middle">{told(tick)}</text>')
    for tick in _ticks(y_low, y_high):
        parts.append(f'<path class="grid" d="M{_LEFT} {up(tick):.1f}H{_WIDTH - _RIGHT}"/>'
                     f'<text x="{_LEFT - 4}" y="{up(tick) + 3:.1f}" text-anchor="end">{_number(tick)}</text>')
    parts.append(f'<path class="axis" d="M{_LEFT} {_TOP}V{base}H{_WIDTH - _RIGHT}"/>'
                 f'<text x="{(_LEFT + _WIDTH) / 2}" y="{_HEIGHT - 8}" text-anchor="middle">{html.escape(x_name)}</text>'
                 f'<text x="10" y="{_HEIGHT / 2}" transform="rotate(-90 10 {_HEIGHT / 2})" text-anchor="middle">'
                 f'{html.escape(y_name)}</text>')
    for name, end in (levels or {}).items():
        if x_low < end < x_high:
            parts.append(f'<path class="level" d="M{across(end):.1f} {_TOP}V{base}"/>'
                         f'<text x="{across(end) - 3:.1f}" y="{_TOP + 9}" text-anchor="end">{html.escape(name)}</text>')
    for name, found in series.items():
        shade = colour(name, series)
        places = [(across(x), up(y), rests) for x, y, rests in sorted(found)]
        if name not in scattered and len(places) > 1:
            dash = ' stroke-dasharray="4 3"' if name in dashed else ""
            line = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
            parts.append(f'<polyline fill="none" stroke="{shade}" stroke-width="2"{dash} points="{line}"/>')
        radius = 4 if name == "lanewise" else 2.5
        for x, y, rests in places:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{shade}">'
                         f'<title>{html.escape(rests)}</title></circle>')
    return "".join(parts) + "</svg>"
