"""Choosing a level: the best is taken, LANEWISE_LEVEL overrides, and a bad name is an ImportError that says why.
That all levels compute the same bits is test_same_bits.py's."""

import platform
import shutil
from pathlib import Path

import lanewise
import pytest
from lanewise.kernels import BUILT_LEVELS, levels, machine

BEST_LEVEL = [level for level in levels.supported(machine.cpu_features()) if level in BUILT_LEVELS][-1]
SHOW = """
    import lanewise
    import lanewise.kernels.activations as kernels
    print(lanewise.show_config("dicts")["level"], kernels.__file__)
"""


def error_of(result):
    assert result.returncode != 0
    return result.stderr.strip().splitlines()[-1]


def test_best_level_is_taken(run_python):
    result = run_python(SHOW, LANEWISE_LEVEL=None)
    assert result.stdout.split()[0] == BEST_LEVEL, result.stderr


def test_override(run_python, level):
    result = run_python(SHOW, LANEWISE_LEVEL=level)
    chosen, file = result.stdout.split()
    assert chosen == level, result.stderr
    assert Path(file).parent.name == next(
        name for name in levels.lineage(level) if "activations" in (levels.LEVELS[name].modules or ["activations"]))


def test_empty_override_is_none(run_python):
    assert run_python(SHOW, LANEWISE_LEVEL="").stdout.split()[0] == BEST_LEVEL


def test_unknown_level(run_python):
    error = error_of(run_python(SHOW, LANEWISE_LEVEL="sse9"))
    assert error == (f"ImportError: LANEWISE_LEVEL='sse9' is not a level; expected one of {', '.join(levels.LEVELS)}")


def test_level_that_was_not_built(run_python):
    foreign = next(level for level in levels.LEVELS if level not in BUILT_LEVELS)
    error = error_of(run_python(SHOW, LANEWISE_LEVEL=foreign))
    assert error == (
        f"ImportError: LANEWISE_LEVEL='{foreign}' was not built; this installation has {', '.join(BUILT_LEVELS)}"
    )


LESSER = """
    # in place of the compiled module, what it says on another machine
    import sys, types
    lesser = types.ModuleType("lanewise.kernels.machine")
    lesser.cpu_features = lambda: {features!r}
    sys.modules["lanewise.kernels.machine"] = lesser
    import lanewise
"""


@pytest.mark.skipif("avx512" not in BUILT_LEVELS, reason="needs a level that asks for CPU features")
def test_level_that_the_machine_lacks(run_python):
    features = (*levels.features_of("avx2"), "avx512f", "avx512bw")
    error = error_of(run_python(LESSER.format(features=features), LANEWISE_LEVEL="avx512"))
    assert error == "ImportError: LANEWISE_LEVEL='avx512' needs avx512cd, avx512dq, avx512vl, which this machine lacks"


def test_a_level_takes_what_its_parents_take():
    assert levels.lineage("avx512") == ["avx512", "avx2", "baseline"]
    assert set(levels.features_of("avx512")) > set(levels.features_of("avx2")) > set(levels.features_of("baseline"))
    assert levels.supported(()) == ("baseline",)
    assert levels.supported(levels.features_of("avx512")) == ("baseline", "avx2", "avx512")
    assert levels.supported(set(levels.features_of("avx512")) - {"bmi2"}) == ("baseline",)
    assert levels.lineage("avx512vnni") == ["avx512vnni", *levels.lineage("avx512")]
    assert levels.supported(levels.features_of("avx512vnni"))[-1] == "avx512vnni"


def test_levels_of_a_few_modules_name_modules_of_their_parents():
    sources = {path.stem for path in Path(lanewise.kernels.__file__).parent.glob("*.pyx")}
    held = {level: set(entry.modules) for level, entry in levels.LEVELS.items() if entry.modules}
    assert held == {"avx512vnni": {"linear4_int", "population"}}
    assert not sources or all(modules <= sources for modules in held.values())


@pytest.mark.skipif(not Path("/proc/cpuinfo").exists(), reason="needs what Linux says of the processor")
def test_features_are_those_that_the_system_names():
    other_names = {"lzcnt": "abm", "neon": "asimd"}
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    (flags,) = {line.partition(":")[2] for line in lines if line.startswith(("flags", "Features"))}
    named = {feature for level in levels.LEVELS for feature in levels.features_of(level)}
    assert named & {name for name in named if other_names.get(name, name) in flags.split()} == (
        named & set(machine.cpu_features()))


@pytest.fixture
def copied(tmp_path):
    """Return the kernels' folder of a copy of the installation, which PYTHONPATH=tmp_path imports."""
    shutil.copytree(Path(lanewise.__file__).parent, tmp_path / "lanewise")
    shutil.rmtree(tmp_path / "lanewise/kernels", ignore_errors=True)
    libraries = Path(lanewise.__file__).parents[1] / "lanewise.libs"  # what a repaired wheel brings with it
    if libraries.exists():
        shutil.copytree(libraries, tmp_path / "lanewise.libs")
    kernels = Path(lanewise.kernels.machine.__file__).parent
    shutil.copytree(kernels, tmp_path / "lanewise/kernels", ignore=shutil.ignore_patterns("*.pyx"))
    return tmp_path / "lanewise/kernels"


def test_installation_with_fewer_levels(run_python, tmp_path, copied):
    for level in BUILT_LEVELS:
        if level != "baseline":
            shutil.rmtree(copied / level)
    result = run_python(SHOW, LANEWISE_LEVEL=None, PYTHONPATH=str(tmp_path))
    assert result.stdout.split()[0] == "baseline", result.stderr
    assert str(tmp_path) in result.stdout
    if BEST_LEVEL != "baseline":
        assert result.stderr.count("RuntimeWarning") == 1
        assert "many times slower than" in result.stderr
    asked = run_python(SHOW, LANEWISE_LEVEL="baseline", PYTHONPATH=str(tmp_path))
    assert (asked.stdout, asked.stderr) == (result.stdout, "")


def test_level_of_a_few_modules_goes_on_to_its_parents(run_python, tmp_path, copied):
    whole = [level for level in BUILT_LEVELS if not levels.LEVELS[level].modules]
    lineage = [level for level in levels.lineage(BEST_LEVEL) if level in whole]
    if len(lineage) == 1:
        pytest.skip("this installation has one level of all modules")
    for file in (copied / lineage[0]).glob("softmax.*"):
        file.unlink()
    script = """
        import lanewise, lanewise.kernels.softmax as softmax, lanewise.kernels.norms as norms
        print(softmax.__file__, norms.__file__, lanewise.softmax([0.0, 0.0]))
    """
    result = run_python(script, LANEWISE_LEVEL=BEST_LEVEL, PYTHONPATH=str(tmp_path))
    softmax, norms, *values = result.stdout.split()
    assert (Path(softmax).parent.name, Path(norms).parent.name) == (lineage[1], lineage[0]), result.stderr
    assert values == ["[0.5", "0.5]"]


def test_no_level_that_the_machine_runs(run_python, tmp_path, copied):
    for level in BUILT_LEVELS:
        if level != BEST_LEVEL:
            shutil.rmtree(copied / level)
    if BEST_LEVEL == "baseline":
        pytest.skip("baseline runs anywhere")
    error = error_of(run_python(LESSER.format(features=()), LANEWISE_LEVEL=None, PYTHONPATH=str(tmp_path)))
    assert error == (f"ImportError: this installation of lanewise has the levels {BEST_LEVEL}, and this machine runs "
                     "baseline: install it again on this machine")


@pytest.mark.above_kernels
@pytest.mark.parametrize(("asked", "built"), [
    ("avx2", {"avx2"}), ("avx512,baseline", {"avx512", "baseline"}),
    ("avx512vnni", {"avx512vnni", "avx512"})])  # a parent has the modules that a level of a few does not hold
def test_levels_that_a_build_is_asked_for(run_python, asked, built):
    setup = Path(__file__).parents[1] / "setup.py"
    if not setup.exists() or platform.machine() not in levels.LEVELS["avx2"].machines:
        pytest.skip("needs the build, on x86-64")
    script = f"""
        import os, runpy, setuptools
        given = {{}}
        setuptools.setup = lambda **keywords: given.update(keywords)
        os.chdir({str(setup.parent)!r})
        runpy.run_path("setup.py")
        print(*(module.name for module in given["ext_modules"]))
    """
    found = run_python(script, LANEWISE_BUILD_LEVELS=asked)
    names = [name.split(".") for name in found.stdout.split()]
    assert {name[2] for name in names if len(name) == 4} == built, found.stderr
