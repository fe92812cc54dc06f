"""Small libraries that ship as source, since they are compiled against the headers of a framework that the user has
installed: built when they are first used, and kept in the user's cache for the next process."""

import contextlib
import ctypes
import hashlib
import os
import shlex
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path


def library(sources, variable, options, link_options, made_for, kind=ctypes.CDLL):
    """Load a shared library made of a source file of this folder; None where nothing compiles it or keeps it.

    Parameters
    ----------
    sources : tuple of str
        The file, such as ``"xla.c"``, and those of this folder that it includes.
    variable : {"CC", "CXX"}
        The environment variable that names another compiler than the one Python was built with.
    options, link_options : list of str
        For compiling and for linking, which are two commands.
    made_for : bytes
        What the result depends on, beside the source and the platform: another value is compiled anew.
    kind : type
        Of ctypes, that loads it.
    """
    source, *others = (Path(__file__).with_name(name) for name in sources)
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in (source, *others)) + made_for).hexdigest()[:16]
    try:
        command = shlex.split(os.environ.get(variable) or sysconfig.get_config_var(variable) or variable.lower())
        compiler = shutil.which(command[0]) if command else None
        if compiler is None:
            return None
        cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "lanewise")
        kept = cache / f"{source.stem}-{digest}-{sysconfig.get_platform()}.so"
        if kept.exists():
            with contextlib.suppress(OSError):  # of a damaged file, which is made again
                return kind(str(kept))
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as folder:
            compiled, made = Path(folder, "of.o"), Path(folder, "of.so")
            for step in (["-O2", "-fPIC", *options, "-c", source, "-o", compiled],
                         ["-shared", compiled, *link_options, "-o", made]):
                subprocess.run([compiler, *command[1:], *step], check=True, capture_output=True)
            made.replace(kept)  # in one step: another process may make it at the same time
        return kind(str(kept))
    # a cache that cannot be read or written, or none: of a user without a home; a compiler whose name does not parse
    except (OSError, RuntimeError, ValueError, subprocess.CalledProcessError):
        return None
