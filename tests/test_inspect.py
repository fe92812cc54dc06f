"""What `describe` and `lanewise inspect` say: exact expansions, neighbours, errors of literals, files, bad input."""

import math
from decimal import Decimal
from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lanewise.cli import main
from lanewise.ieee754 import BFLOAT16, BINARY32, BINARY64, FORMATS, describe, exact_decimal, parse_number


@pytest.mark.parametrize(("text", "expected"), [
    ("0.1", (False, Fraction(1, 10))), ("-2.5e-3", (True, Fraction(1, 400))), ("0x1.8p3", (False, Fraction(12))),
    ("-0x.8", (True, Fraction(1, 2))), ("1/3", (False, Fraction(1, 3))), ("2**-1074", (False, Fraction(1, 2**1074))),
    ("-0", (True, Fraction(0))), ("inf", (False, "inf")), ("-Infinity", (True, "inf")), ("NaN", (False, "nan")),
    ("-snan", (True, "snan")), ("+7.", (False, Fraction(7))), (".5", (False, Fraction(1, 2))),
    ("1_000", (False, Fraction(1000))), (" 3 ", (False, Fraction(3))), ("10^3", (False, Fraction(1000))),
])
def test_numbers_are_understood(text, expected):
    assert parse_number(text) == expected


@pytest.mark.parametrize("text", ["", "abc", "1.2.3", "0x", "--1", "1e", "1/0", "0**-1", "1e999999999", "2**99999999",
                                  "9" * 6000, "nano", "1 2", "__import__('os')", "- inf"])
def test_bad_numbers_get_a_clear_error(text):
    with pytest.raises(ValueError, match=r"is not a number; expected|is beyond every format; expected|divides by zero"):
        parse_number(text)


@given(st.floats())
def test_binary64_literals_round_as_python_reads_them(x):
    d = describe(repr(x))
    same_sign = math.copysign(1, d.value) == math.copysign(1, x)
    assert (math.isnan(d.value) and math.isnan(x)) or (d.value == x and same_sign)
    if math.isfinite(x):
        assert Decimal(d.exact) == Decimal(x)
        assert d.ulp == math.ulp(x)
        assert d.neighbours == (math.nextafter(x, -math.inf), math.nextafter(x, math.inf))
        assert d.literal == Fraction(repr(x))


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-10**6, max_value=10**6))
def test_literals_are_rounded_once(number):
    size = abs(Fraction(number))
    for format in FORMATS:
        if not format.signed:
            continue
        found = describe(str(number), format)
        if not found.is_finite or abs(found.value) == format.largest:
            continue
        step = Fraction(found.ulp)
        assert abs(abs(Fraction(found.value)) - size) <= step / 2
        assert found.error == Fraction(found.value) - Fraction(number)


def test_a_literal_is_not_rounded_by_way_of_binary64():
    # halfway between two bfloat16 numbers, and a little more than binary64 can see
    assert describe("1.00390625", BFLOAT16).value == 1.0
    assert describe("1.00390625000000000000000001", BFLOAT16).value == 1.0078125


def test_descriptions_of_numpy_numbers_take_their_format():
    assert describe(np.float32(0.1)).format is BINARY32
    assert describe(ml_dtypes.bfloat16(0.1)).format is BFLOAT16
    assert describe(np.int64(3)) == describe(3) == describe("3")
    assert describe(2147483647, BINARY32).value == 2147483648.0
    assert describe(2147483647, BINARY32).error == 1
    assert describe(2147483647, BINARY64).error == 0


def test_exact_expansions_keep_every_digit():
    assert exact_decimal(0.1) == "0.1000000000000000055511151231257827021181583404541015625"
    assert exact_decimal(-0.0) == "-0"
    assert exact_decimal(2.0**100) == str(2**100)
    assert exact_decimal(2.0**-33) == "0.000000000116415321826934814453125"
    assert exact_decimal(2.0**-34) == "5.82076609134674072265625e-11"  # where ten zeros would follow the point
    for value in (5e-324, 2.0**-1022 - 5e-324, 1.7976931348623157e308):
        assert Fraction(exact_decimal(value)) == Fraction(value)


def inspect(capsys, *arguments):
    assert main(["inspect", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


@pytest.mark.parametrize("rich", [True, False])
def test_one_number(capsys, monkeypatch, rich):
    if not rich:
        monkeypatch.setattr("lanewise.terminal._console", lambda error=False: None)
    out = inspect(capsys, "0.1", "--format", "binary32")
    for expected in ("0 01111011 10011001100110011001101", "0x3dcccccd", "0.100000001490116119384765625",
                     "0.0999999940395355224609375", "0.10000000894069671630859375", "+1.49e-09, +0.2 ulp", "normal"):
        assert expected in out


def test_several_numbers_formats_and_negatives(capsys):
    out = inspect(capsys, "-0", "-inf", "-1e-3", "-0x1p3", "--format", "bfloat16", "--format", "e4m3fn")
    assert out.count(" in bfloat16") == out.count(" in float8_e4m3fn") == 4
    assert "zero" in out
    assert "infinity" in out
    out = inspect(capsys, "1e5", "nan", "--all-formats")
    for format in FORMATS:
        assert out.count(f"{format.name} ") == 2
    assert "out of range" in out


def test_every_kind_in_every_format(capsys):
    for format in FORMATS:
        for text in ("0", "-0", "1", "-1.1", "2**-1074", "2**1023", "inf", "-inf", "nan", "snan", "1e-4000"):
            assert f"in {format.name}" in inspect(capsys, text, "--format", format.name)


def test_a_file(capsys, tmp_path):
    x = np.random.default_rng(0).standard_normal((40, 50)).astype(np.float32)
    x[0, :4] = [0, np.inf, 1e6, 1e-9]
    np.save(tmp_path / "x.npy", x)
    out = inspect(capsys, str(tmp_path / "x.npy"), "--plot", str(tmp_path / "x.png"))
    assert "40x50 numbers of binary32" in out
    assert "1 positive infinity" in out
    assert (tmp_path / "x.png").stat().st_size > 10_000
    np.savez(tmp_path / "two.npz", a=x, b=x[1:].astype(np.float16))
    out = inspect(capsys, str(tmp_path / "two.npz"))
    assert "numbers of binary16" in out
    np.save(tmp_path / "b.npy", x.astype(ml_dtypes.bfloat16))
    assert "numbers of bfloat16" in inspect(capsys, str(tmp_path / "b.npy"), "--format", "bfloat16")
    np.save(tmp_path / "none.npy", x[:0])
    assert "empty" in inspect(capsys, str(tmp_path / "none.npy"))


@pytest.mark.parametrize(("arguments", "message"), [
    (["abc"], "'abc' is not a number; expected something like"),
    (["missing.npy"], "cannot read missing.npy"),
    (["0.1", "--plot", "x.png"], "--plot draws the figure of one file; 0 were given"),
    (["0.1", "--all-formats", "--format", "binary16"], "--all-formats is of numbers, and excludes --format"),
    (["x.npy", "--all-formats"], "--all-formats is of numbers, and excludes --format"),
    (["x.npy", "--format", "binary16", "--format", "bfloat16"], "a file is looked at in one --format; 2 were given"),
])
def test_errors(capsys, arguments, message):
    assert main(["inspect", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_an_unknown_format_and_an_array_of_integers(capsys, tmp_path):
    with pytest.raises(SystemExit):
        main(["inspect", "1", "--format", "float7"])
    assert "float7" in capsys.readouterr().err
    np.save(tmp_path / "i.npy", np.arange(3))
    assert main(["inspect", str(tmp_path / "i.npy")]) == 2
    assert "int64 has no format" in capsys.readouterr().err


def test_decimals_and_long_doubles_are_rounded_once():
    halfway = 2**24 + 1  # between two numbers of binary32, up by less than binary64 sees
    for value in (Decimal(f"{halfway}.{'0' * 30}1"), np.longdouble(halfway) + np.finfo(np.longdouble).eps * 2**25):
        assert describe(value, BINARY32).value == halfway + 1
        negative = value.copy_negate() if isinstance(value, Decimal) else -value
        assert describe(negative, BINARY32).value == -halfway - 1
    eps = np.finfo(np.longdouble).eps
    assert describe(np.longdouble(1) + eps).error in (0, -float(eps))  # of as many digits as binary64, and of more
    for nothing in (Decimal("-0"), np.longdouble("-0.0")):
        assert math.copysign(1, describe(nothing).value) == -1
    for text in ("inf", "nan", "-inf"):
        for kind in (Decimal, np.longdouble):
            assert repr(describe(kind(text)).value) == repr(float(text))
    assert describe(np.bool_(True)).value == 1


def test_numbers_far_beyond_any_format_are_described_or_refused_at_once():
    for text in ("1e999999999999", "-1e-1000000000"):
        for value in (text, Decimal(text)):
            with pytest.raises(ValueError, match="is beyond every format; expected an exponent of at most 20000"):
                describe(value)
    assert describe(Decimal("-0e999999999")).code == 1 << 63
    for kind in (str, Decimal):
        assert describe(kind("-snan")).kind == "signalling NaN"
        assert describe(kind("1e5000")).value == math.inf
        assert repr(describe(kind("1e5000"), BINARY32)) == (
            f"Description(format={BINARY32!r}, code={BINARY32.infinity_code}, literal=Fraction(...))")
    assert repr(describe("1/3")).endswith("literal=Fraction(1, 3))")


def run_inspect(capsys, *arguments):
    status = main(["inspect", *arguments])
    found = capsys.readouterr()
    return status, found.out, found.err


@pytest.mark.parametrize(("arguments", "expected"), [
    (["--bits", "0x3dcccccd"], ["0x3dcccccd in binary32", "0.100000001490116119384765625", "none: it is exact"]),
    (["--bits", "0x3c00"], ["0x3c00 in binary16", "  value       1\n"]),
    (["--bits", "0x7ff8000000000000"], ["in binary64", "quiet NaN"]),
    (["--bits", "0b00111101", "--format", "e4m3fn"], ["in float8_e4m3fn", "1.625"]),
    (["--bits", "61", "--format", "e4m3fn"], ["in float8_e4m3fn", "1.625"]),
    (["0.1", "--to", "binary16"], ["0.1 in binary64 in binary16", "0x2e66", "-2.441e-05, -0.4 ulp"]),
    (["--bits", "0x3dcccccd", "--to", "binary16", "--to", "bfloat16"],
     ["0x3dcccccd in binary32 in binary16", "0x2e66", "0x3dcccccd in binary32 in bfloat16", "0x3dcd"]),
    (["--bits", "0x80000000", "--to", "binary16"], ["0x8000"]),
    (["--bits", "0x3c00", "--all-formats"], ["binary32", "0x3f800000"])])
def test_codes_and_other_formats(capsys, arguments, expected):
    status, out, _ = run_inspect(capsys, *arguments)
    assert not status
    assert [text for text in expected if text not in out] == []


@pytest.mark.parametrize(("arguments", "message"), [
    (["--bits", "0x3d"], "does not say which format it is of; expected 0x and 16, 8 or 4 digits, or --format"),
    (["--bits", "0.1"], "'0.1' is not a code; expected something like 0x3dcccccd"),
    (["--bits", "0x100", "--format", "e4m3fn"], "'0x100' is not a code of float8_e4m3fn, which has 8 bits")])
def test_what_are_no_codes(capsys, arguments, message):
    status, _, err = run_inspect(capsys, *arguments)
    assert status
    assert message in err


def test_a_file_and_the_format_it_goes_to(capsys, tmp_path):
    np.save(tmp_path / "x.npy", np.array([1, 0.1], ">f4"))
    _, out, _ = run_inspect(capsys, str(tmp_path / "x.npy"), "--to", "e4m3fn")
    assert [line.split()[0] for line in out.splitlines()[-1:]] == ["float8_e4m3fn"]
    assert "binary32" in out
    assert "bfloat16" not in out


def test_files_that_cannot_be_read(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.savez("good.npz", step=np.int64(3), names=np.array(["a", None], object), w=np.ones((9, 9), np.float32))
    whole = (tmp_path / "good.npz").read_bytes()
    contents = {"empty.npy": b"", "empty.npz": b"", "text.npy": b"1,2\n", "cut.npz": whole[:300],
                "damaged.npz": whole.replace(np.ones(9, np.float32).tobytes(), np.zeros(9, np.float32).tobytes(), 1)}
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
        assert main(["inspect", name]) == 2
        assert f"cannot read {name}: " in capsys.readouterr().err
    assert main(["inspect", "good.npz"]) == 0  # what can be shown is, and the rest is named
    captured = capsys.readouterr()
    assert "good.npz:w  9x9 numbers of binary32" in captured.out
    assert "good.npz:step is left out" in captured.err
    assert "good.npz:names is left out: it holds Python objects" in captured.err
    np.savez("none.npz", step=np.int64(3), other=np.arange(3))
    assert main(["inspect", "none.npz"]) == 2
    assert "there is no array of numbers to inspect" in capsys.readouterr().err


@pytest.mark.parametrize(("name", "message"), [
    ("none/x.png", "cannot write: there is no folder"), ("x.xyz", "a figure is a file of "),
    ("folder", "this is a folder"), ("", "got an empty one"), ("kept.png", "kept.png would be lost; --force replaces")])
def test_a_figure_that_cannot_be_written_is_told_before_the_work(capsys, tmp_path, monkeypatch, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "kept.png").write_bytes(b"mine")
    np.save("x.npy", np.ones((9, 9), np.float32))
    assert main(["inspect", "x.npy", "--plot", name]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "--plot" in captured.err
    assert message in captured.err
    assert (tmp_path / "kept.png").read_bytes() == b"mine"


def test_a_figure_has_the_name_that_is_given(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("x.npy", np.ones((9, 9), np.float32))
    inspect(capsys, "x.npy", "--plot", "figure")
    inspect(capsys, "x.npy", "--plot", "FIGURE.SVG")
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "figure", "FIGURE.SVG"}
    assert (tmp_path / "figure").read_bytes().startswith(b"\x89PNG")
