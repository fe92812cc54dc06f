"""The libraries that lanewise.torch and lanewise.jax compile when they are first used: whatever the cache and the
compiler's name are, there is a library or None, and never an error at import."""

import os
import shutil

import pytest
from lanewise.embedding import compiled

pytestmark = pytest.mark.compiler


@pytest.fixture
def library(tmp_path, monkeypatch):
    if shutil.which("cc") is None:
        pytest.skip("no compiler")
    (tmp_path / "three.c").write_text("int three(void) { return 3; }\n")
    monkeypatch.setattr(compiled, "__file__", str(tmp_path / "compiled.py"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.delenv("CC", raising=False)
    return lambda: compiled.library(("three.c",), "CC", [], [], b"")


@pytest.mark.parametrize("content", [b"", b"no library"])
def test_a_damaged_file_is_made_again(library, tmp_path, monkeypatch, content):
    folder = tmp_path / "cache" / "lanewise"
    with monkeypatch.context() as patched:
        patched.setattr(compiled.subprocess, "run", lambda command, **_: command[-1].write_bytes(content))
        assert library() is None
    (kept,) = folder.iterdir()
    assert kept.read_bytes() == content
    assert library().three() == 3
    assert list(folder.iterdir()) == [kept]
    assert library().three() == 3


@pytest.mark.parametrize("command", [" ", '"cc', "false", "/nowhere/cc"])
def test_what_is_no_compiler(library, monkeypatch, command):
    monkeypatch.setenv("CC", command)
    assert library() is None


def test_a_user_without_a_home(library, monkeypatch):
    def nowhere(_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(compiled.Path, "home", classmethod(nowhere))
    assert library() is None


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="a file that is no folder")
def test_a_cache_that_is_no_folder(library, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert library() is None


def test_a_cache_that_cannot_be_looked_into(library, monkeypatch):
    def refuse(_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(compiled.Path, "exists", refuse)
    assert library() is None
