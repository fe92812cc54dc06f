"""The page of figures: what it concludes, that it needs no network, and that a browser draws it."""

import json
import re
import shutil
import subprocess
from xml.etree import ElementTree

import pytest
from lanewise import cli
from lanewise.measure import figures, machine, report
from lanewise.measure.benchmark import Figures


def cases():
    return [Figures("silu", (n,), n, 1, "float32", {"copy": [0.1, 0.1], "lanewise": [1.0, 1.0], "torch": [ratio] * 2},
                    dict.fromkeys(("copy", "lanewise", "torch"), 8 * n), {"lanewise": 0.9, "torch": 2.0})
            for n, ratio in ((1024, 4.0), (65536, 0.25 * 4))]


def test_the_conclusion_is_computed():
    assert report.conclusion(cases()) == (
        "In the geometric mean torch's time is 2.00 times Lanewise's (2 cases, slower in 1).")
    restless = cases()
    restless[0].times["torch"][:] = [3.0, 5.0]
    assert report.conclusion(restless).endswith("In 1 of 2 cases the rounds differ by more than 10%: measure again.")
    alone = Figures("silu", (1,), 1, 1, "float32", {"copy": [1], "lanewise": [1]}, {})
    assert "no peer was there" in report.conclusion([alone])


def test_the_page_is_whole(tmp_path):
    page = report.page(cases(), machine.describe())
    assert not re.search(r"""(src|href)=|url\(|https?://""", page)
    for chart in re.findall(r"<svg.*?</svg>", page, re.DOTALL):
        ElementTree.fromstring(chart)
    assert page.count("<svg") == 2
    inside = tmp_path / "inside.json"
    inside.write_text(re.search(r'id="figures">(.*?)</script>', page, re.DOTALL)[1])
    assert figures.read(inside).figures[0].label == cases()[0].label
    assert len(json.loads(inside.read_text())["benchmarks"]) == 6


def test_the_command_writes_it(tmp_path, capsys):
    file = tmp_path / "report.html"
    arguments = ["bench", "relu", "softmax", "--sizes", "60,2x60", "--peers", "numpy", "--report", str(file)]
    assert cli.main(arguments) == 0
    page = file.read_text("utf-8")
    for label in ("relu float32 60 1 thread", "softmax float32 2x60 1 thread", "In the geometric mean numpy"):
        assert label in page
    assert cli.main([*arguments[:-1], str(tmp_path / "none" / "x.html")]) == 2
    assert "--report" in capsys.readouterr().err


def test_a_browser_draws_it(tmp_path):
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        pytest.skip("chromium is not installed")
    file, picture = tmp_path / "report.html", tmp_path / "report.png"
    file.write_text(report.page(cases(), machine.describe()), encoding="utf-8")
    done = subprocess.run([
        browser, "--enable-logging=stderr", "--headless", "--no-sandbox", "--disable-gpu", f"--screenshot={picture}",
        "--window-size=420,1400", f"--user-data-dir={tmp_path / 'profile'}", file.as_uri()],
        check=True, capture_output=True, text=True, timeout=300)
    assert "CONSOLE" not in done.stderr
    assert picture.stat().st_size > 10_000
