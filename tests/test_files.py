# Files that are written whole or not at all, and read with errors that say what is wrong; what is said without rich.
import os
import sys

import numpy as np
import pytest
from lanewise import files, terminal


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path):
    path = tmp_path / "kept"
    path.write_bytes(b"old")

    def fail():
        with files.replacing(path) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 250, "\N{OLD ITALIC LETTER A}" * 60], ids=["one byte", "four bytes"])
def test_a_long_name(tmp_path, name):
    path = tmp_path / name
    files.check_writable(path)
    with files.replacing(path) as file:
        file.write(b"whole")
    assert path.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(os.name != "posix", reason="links and permissions")
def test_a_link_stays_a_link_and_permissions_stay(tmp_path):
    path, link = tmp_path / "kept", tmp_path / "link"
    path.write_bytes(b"old")
    path.chmod(0o640)
    link.symlink_to(path)
    with files.replacing(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o640


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device that is always full")
def test_a_device_is_written_to():
    files.check_writable("/dev/null")
    with files.replacing("/dev/null") as file:
        file.write(b"x")
    with files.replacing("/dev/null") as file:  # a zip goes back and forth, which a device does not
        np.savez(file, **{f"array{k}": np.arange(100) for k in range(10)})
    with pytest.raises(OSError, match="No space left"), files.replacing("/dev/full") as file:
        file.write(b"x" * 100_000)


@pytest.mark.parametrize(("name", "error", "message"), [
    ("", FileNotFoundError, "got an empty one"),
    ("folder", IsADirectoryError, "this is a folder"),
    ("none/", FileNotFoundError, "there is no such folder"),
    ("none/x", FileNotFoundError, "there is no folder"),
    ("file/x", OSError, "no folder|Not a directory"),
    ("x" * 300, OSError, "File name too long"),
])
def test_what_cannot_be_written(tmp_path, monkeypatch, name, error, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(error, match=message):
        files.check_writable(name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_free_name(tmp_path):
    path = tmp_path / "run.npz"
    assert files.free_name(path) == path
    path.touch()
    (tmp_path / "run-1.npz").touch()
    assert files.free_name(path) == tmp_path / "run-2.npz"


@pytest.mark.parametrize(("content", "message"), [
    (b"", "it is empty"), (b"a,b\n1,2\n", "another kind of file"), (b"\x93NUMPY\x01", "one array, as of a .npy"),
    (b"PK\x03\x04 cut", "not a readable")])
def test_arrays_of_a_foreign_file(tmp_path, content, message):
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        files.read_arrays(tmp_path / "x")
    np.savez(tmp_path / "o.npz", x=np.array([None]))
    with pytest.raises(ValueError, match="Object arrays"):
        files.read_arrays(tmp_path / "o.npz")


def test_without_standard_streams(monkeypatch, capsys):
    with open(os.devnull) as closed:
        pass
    for stream in (None, closed):
        for name in ("stdin", "stdout", "stderr"):
            monkeypatch.setattr(sys, name, stream)
        assert not terminal.is_terminal(sys.stderr)
        terminal.say("nobody hears this")
        terminal.show("nor this")
        terminal.show_table("nor", ["a"], [["b"]])
        assert not terminal.confirm("Is anybody there?")


@pytest.mark.parametrize("rich", [True, False])
def test_a_table(monkeypatch, capsys, rich):
    if not rich:
        monkeypatch.setitem(sys.modules, "rich.console", None)
    terminal.show_table("sizes", ["name", ">bytes"], [["a", ("10", "bold")], ["longer", "9"]], "of two")
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "sizes"
    assert [line.split() for line in lines if line.startswith(("a ", "longer"))] == [["a", "10"], ["longer", "9"]]
    assert lines[-1] == "of two" or "of two" in lines


def test_a_table_breaks_lines_between_words_and_numbers(capsys, monkeypatch):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", "50")
    numbers = ["0.5001", "4,294,967,296", "-1.1754944e-38, 3.4028235e+38"]
    terminal.show_table("t", ["function", ">error", ">inputs", "where"], [["layer_norm_backward", *numbers]])
    shown = capsys.readouterr().out
    for word in ("layer_norm_backward", *" ".join(numbers).split()):
        assert word in shown


@pytest.mark.parametrize(("width", "expected"), [
    (80, ["name a b c", "x 1.0 ±2% 3 ULP 4.0 5.0"]),
    (26, ["name a b c", "x 1.0 ±2% 4.0 5.0", "3 ULP"]),  # the lines of a cell below one another
    (21, ["name a b", "x 1.0 ±2% 4.0", "3 ULP", "name a c", "x 1.0 ±2% 5.0", "3 ULP"]),  # in parts
])
def test_a_table_that_is_too_wide_is_folded_and_then_parted(capsys, monkeypatch, width, expected):
    pytest.importorskip("rich")
    monkeypatch.setenv("COLUMNS", str(width))
    terminal.show_table("t", ["name", ">a", ">b", ">c"], [["x", "1.0 ±2%\n3 ULP", "4.0", "5.0"]], "end", keep=2)
    shown = capsys.readouterr().out.splitlines()
    found = [" ".join(line.split()) for line in shown if line.strip() and not line.strip().startswith("─")]
    assert [line for line in found if line not in ("t", "end")] == expected
    assert found[-1] == "end"
    assert all(len(line) <= width for line in shown)


def test_no_room_at_all_is_no_reason_to_be_silent(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "0")
    terminal.show("result")
    terminal.say("message")
    terminal.show_table("sizes", ["name", ">bytes"], [["a", "10"]])
    printed = capsys.readouterr()
    assert printed.out.startswith("result\n")
    assert "10" in printed.out
    assert printed.err == "message\n"


@pytest.mark.skipif(sys.platform != "linux", reason="the limit is POSIX's, the device Linux's")
def test_a_full_disk_is_an_error_that_names_the_file(run_python, tmp_path):
    done = run_python("""
        import resource, signal, sys
        from pathlib import Path
        from lanewise.files import replacing

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        Path("kept").write_bytes(b"old")
        for path in "kept", "/dev/full":
            try:
                with replacing(path) as file:
                    file.write(bytes(5000))
            except OSError as error:
                print(error.filename, error.strerror)
        print(Path("kept").read_text(), [str(path) for path in Path().iterdir()])
    """)
    assert done.stdout.splitlines() == [
        "kept cannot write: File too large", "/dev/full cannot write: No space left on device", "old ['kept']"]


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="a device")
@pytest.mark.parametrize("options", [["evolve", "--generations", "2", "--population", "4"], ["train", "--epochs", "1"]])
def test_no_figure_beside_a_device(tmp_path, capsys, options):
    pytest.importorskip("matplotlib")
    from lanewise import cli

    rows = tmp_path / "rows.csv"
    rows.write_text("a,b\n" + "".join(f"{k % 7},{'yes' if k % 2 else 'no'}\n" for k in range(20)))
    assert cli.main([*options, str(rows), "--output", "/dev/null"]) == 0
    assert "learning curve" not in capsys.readouterr().out
    assert not os.path.exists("/dev/null.png")
