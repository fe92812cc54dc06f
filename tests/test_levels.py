"""Choosing a level: the best is taken, LANEWISE_LEVEL overrides, and a bad name is an ImportError that says why.
That all levels compute the same bits is test_same_bits.py's."""

import platform
from pathlib import Path

import lanewise
import pytest
from lanewise.kernels import BUILT_LEVELS, levels, machine

BEST_LEVEL = [level for level in levels.supported(machine.cpu_features()) if level in BUILT_LEVELS][-1]
SHOW = """
    import lanewise
    import lanewise.kernels.activations as kernels
    print(lanewise.show_config("dicts")["level"], kernels.__level__)
"""


def error_of(result):
    assert result.returncode != 0
    return result.stderr.strip().splitlines()[-1]


def test_best_level_is_taken(run_python):
    result = run_python(SHOW, LANEWISE_LEVEL=None)
    assert result.stdout.split()[0] == BEST_LEVEL, result.stderr


def test_override(run_python, level):
    result = run_python(SHOW, LANEWISE_LEVEL=level)
    chosen, of_kernels = result.stdout.split()
    assert chosen == level, result.stderr
    assert of_kernels == next(
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


OTHER = """
    # the compiled module, but for what it says of another machine or another installation
    import importlib.util, sys, types
    class Other(types.ModuleType):
        def __getattr__(self, name):
            # by now the package is on its way, which the module imports
            spec = importlib.util.spec_from_file_location(self.__name__, FILE)
            compiled = importlib.util.module_from_spec(spec)
            spec.loader.exec_module(compiled)
            self.__dict__.update(vars(compiled) | vars(self))
            return vars(self)[name]
    other = sys.modules["lanewise.kernels.machine"] = Other("lanewise.kernels.machine")
    other.BUILT_LEVELS, other.cpu_features = LEVELS, lambda: FEATURES
""".replace("FILE", repr(machine.__file__)) + SHOW


def of_other(levels_built=BUILT_LEVELS, features=None):
    features = machine.cpu_features() if features is None else features
    return OTHER.replace("LEVELS, lambda", f"{levels_built}, lambda").replace("FEATURES", repr(features))


@pytest.mark.skipif("avx512" not in BUILT_LEVELS, reason="needs a level that asks for CPU features")
def test_level_that_the_machine_lacks(run_python):
    features = (*levels.features_of("avx2"), "avx512f", "avx512bw")
    error = error_of(run_python(of_other(features=features), LANEWISE_LEVEL="avx512"))
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


def test_installation_with_fewer_levels(run_python):
    fewer = of_other(("baseline",))
    result = run_python(fewer, LANEWISE_LEVEL=None)
    assert result.stdout.split() == ["baseline", "baseline"], result.stderr
    if BEST_LEVEL != "baseline":
        assert result.stderr.count("RuntimeWarning") == 1
        assert "many times slower than" in result.stderr
    asked = run_python(fewer, LANEWISE_LEVEL="baseline")
    assert (asked.stdout, asked.stderr) == (result.stdout, "")


@pytest.mark.skipif(BEST_LEVEL != "avx512vnni", reason="needs a level of a few modules")
def test_level_of_a_few_modules_goes_on_to_its_parents(run_python):
    script = """
        import lanewise.kernels.softmax as softmax, lanewise.kernels.population as population
        print(softmax.__level__, population.__level__)
    """
    assert run_python(script, LANEWISE_LEVEL="avx512vnni").stdout.split() == ["avx512", "avx512vnni"]


@pytest.mark.skipif(BEST_LEVEL == "baseline", reason="baseline runs anywhere")
def test_no_level_that_the_machine_runs(run_python):
    error = error_of(run_python(of_other((BEST_LEVEL,), features=()), LANEWISE_LEVEL=None))
    assert error == (f"ImportError: this installation of lanewise has the levels {BEST_LEVEL}, and this machine runs "
                     "baseline: install it again on this machine")


def test_module_without_kernels_of_the_level(run_python):
    # as after the name of a level that this module was not built for: an error, not a call to nowhere
    script = """
        import lanewise.kernels.machine as machine
        machine.choose_level(["sse9"])
        import lanewise.kernels.distances
    """
    error = error_of(run_python(script))
    assert error == "ImportError: lanewise.kernels.distances was built for none of the levels sse9"


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
        setuptools.setup = lambda **keywords: None
        os.chdir({str(setup.parent)!r})
        print(*runpy.run_path("setup.py")["wanted_levels"]())
    """
    found = run_python(script, LANEWISE_BUILD_LEVELS=asked)
    assert set(found.stdout.split()) == built, found.stderr
