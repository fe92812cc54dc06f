"""The page of figures: what it concludes, that it needs no network, and that a browser draws it."""

import dataclasses
import json
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from lanewise import cli
from lanewise.measure import charts, figures, learning, machine, report
from lanewise.measure.benchmark import Figures

LEARNING = {"evolution, no gradient": [(0.1, 0.6), (1.0, 0.1), (5.0, 0.03)], "AdamW, the chain rule": [(0.05, 0.2),
                                                                                                       (1.0, 0.025)]}


def cases():
    return [Figures("silu", (n,), n, 1, "float32", {"copy": [0.1, 0.1], "lanewise": [1.0, 1.0], "torch": [ratio] * 2},
                    dict.fromkeys(("copy", "lanewise", "torch"), 8 * n), {"lanewise": 0.9, "torch": 2.0})
            for n, ratio in ((1024, 4.0), (65536, 0.25 * 4))]


def norms():
    return [Figures(name, shape, 1 << 18, 1, "float32", {"copy": [0.1], "lanewise": [0.3 + k / 10]},
                    {"copy": 1 << 21, "lanewise": 1 << 21})
            for k, name in enumerate(report.NORMS) for shape in report.NORM_SHAPES]


def test_the_conclusion_is_computed():
    assert report.conclusion(cases()) == (
        "In the geometric mean torch takes 2.00 times as long as Lanewise (2 cases; Lanewise is faster in 1).")
    restless = cases()
    restless[0].times["torch"][:] = [3.0, 5.0]
    assert report.conclusion(restless).endswith("In 1 of 2 cases the rounds differ by more than 10%: measure again.")
    alone = Figures("silu", (1,), 1, 1, "float32", {"copy": [1], "lanewise": [1]}, {})
    assert "no peer was there" in report.conclusion([alone])


def test_the_page_is_whole(tmp_path):
    page = report.page(cases() + norms(), machine.describe(), LEARNING)
    assert not re.search(r"""(src|href)=|url\(|https?://""", page)
    for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(chart)
    headings = re.findall("<h2>(.*?)</h2>", page)
    assert headings == ["The peer's time divided by Lanewise's", "Time against size", "Roofline",
                        "Accuracy against speed", "One pass against two", "A gradient against none"]
    assert page.count("<svg") == 5  # one of each: the first is a table
    inside = tmp_path / "inside.json"
    inside.write_text(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])
    assert figures.read(inside).figures[0].label == cases()[0].label
    assert len(json.loads(inside.read_text())["benchmarks"]) == 2 * 3 + len(norms()) * 2
    assert json.loads(re.search(r'id="learning">(.*?)</script>', page)[1]).keys() == LEARNING.keys()


def test_the_map_has_functions_down_and_sizes_across():
    page = report.page([*cases(), *norms()], machine.describe())
    assert "<th>function</th><th>1,024</th><th>65,536</th></tr>" in page
    (row,) = re.findall("<tr><th>silu</th>(.*?)</tr>", page)
    assert re.findall(">([0-9.]+)<", row) == ["4.00", "1.00"]
    assert "A gradient against none" not in page
    rows = Figures("softmax", (1, 1024), 1024, 1, "float32", {"copy": [1.0], "lanewise": [1.0], "torch": [3.0]},
                   dict.fromkeys(("copy", "lanewise", "torch"), 8192))
    assert "<th>function</th><th>1,024</th><th>65,536</th></tr>" in report.page([*cases(), rows], machine.describe())
    page = report.page([*cases(), rows, dataclasses.replace(rows, shape=(4, 256))], machine.describe())
    assert "<th>function</th><th>1024</th><th>1x1024</th><th>4x256</th><th>65536</th></tr>" in page


def test_the_roofline_has_the_copy_above_and_functions_below():
    page = report.page(cases(), machine.describe())
    roofline = page[page.index("<h2>Roofline"):page.index("<h2>Accuracy")]
    assert "copy, 65536: 80 GB/s" in roofline  # 8 bytes per element in 0.1 ns
    assert "silu, 65536: 8 GB/s" in roofline
    assert 'stroke-dasharray="4 3"' in roofline


def test_what_is_within_the_range_of_an_axis_is_within_the_picture():
    drawn = charts.chart("t", {"lanewise": [(1, 1e-3, ""), (1e9, 7.0, "")]}, "x", "y", levels={"L1": 100, "far": 1e12})
    chart = ElementTree.fromstring(drawn)
    _, _, width, height = map(float, chart.get("viewBox").split())
    for point in chart.iter("circle"):
        assert 0 < float(point.get("cx")) < width
        assert 0 < float(point.get("cy")) < height
    texts = [text.text for text in chart.iter("text")]
    assert "L1" in texts
    assert "far" not in texts


def test_names_fit_a_phone_and_a_chart():
    long = dataclasses.replace(cases()[0], work="binary_cross_entropy_with_logits_backward")
    page = report.page([*cases(), long], machine.describe())
    assert "<th>binary_<wbr>cross_<wbr>entropy_<wbr>with_<wbr>logits_<wbr>backward</th>" in page
    (size,) = re.findall(r'<text class="name" style="font-size:([\d.]+)px"[^>]*>binary_cross_entropy', page)
    assert float(size) * 0.62 * len("binary_cross_entropy_with_logits_backward: float32, 1 thread") < 340 - 44
    assert 'class="name" x="44" y="15">silu: float32, 1 thread<' in page


def test_learning_is_thinned_evenly_and_ends_where_it_ended():
    course = [(k / 100, 1 / k) for k in range(1, 2001)]
    kept = learning._thinned(course)
    assert kept[0] == course[0]
    assert kept[-1] == course[-1]
    assert 40 < len(kept) <= 60


def test_both_ways_of_learning_are_measured():
    pytest.importorskip("sklearn")
    found = learning.courses(generations=6, epochs=2)
    assert list(found) == ["evolution, no gradient", "AdamW, the chain rule"]
    for course in found.values():
        assert all(seconds > 0 and 0 <= error <= 1 for seconds, error in course)
    assert found["AdamW, the chain rule"][-1][1] < 0.3


def test_the_command_writes_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(learning, "courses", lambda: LEARNING)
    monkeypatch.setattr(report, "NORM_SHAPES", ((16, 16), (8, 32)))
    file = tmp_path / "report.html"
    arguments = ["bench", "relu", "softmax", "--sizes", "60,2x60", "--peers", "numpy", "--report", str(file)]
    assert cli.main(arguments) == 0
    page = file.read_text("utf-8")
    for label in ("relu float32 60 1 thread", "softmax float32 2x60 1 thread", "In the geometric mean numpy",
                  "A gradient against none", "LayerNorm, two passes"):
        assert label in page
    assert cli.main([*arguments[:-1], str(tmp_path / "none" / "x.html")]) == 2
    assert "--report" in capsys.readouterr().err


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_draws_it(tmp_path, width, scheme):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    (tmp_path / "report.html").write_text(report.page(cases() + norms(), machine.describe(), LEARNING), "utf-8")
    # a window may be no narrower than 500 pixels, a frame may
    (tmp_path / "frame.html").write_text(
        f'<body style="margin:0"><iframe src="report.html" style="border:0;width:{width}px;height:3000px"></iframe>'
        f'<script>onload = () => {{ const page = document.querySelector("iframe").contentDocument.documentElement; '
        f'if (page.scrollWidth > {width}) console.error(`${{page.scrollWidth}} pixels wide`); }}</script>', "utf-8")
    picture = tmp_path / f"report-{width}-{scheme}.png"
    done = subprocess.run([
        browser, "--enable-logging=stderr", "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={picture}",
        "--allow-file-access-from-files", f"--blink-settings=preferredColorScheme={0 if scheme == 'dark' else 1}",
        f"--window-size={max(width, 500)},3000", f"--user-data-dir={tmp_path / 'profile'}",
        (tmp_path / "frame.html").as_uri()], check=True, capture_output=True, text=True, timeout=300)
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 20_000
