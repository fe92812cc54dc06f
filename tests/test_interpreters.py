"""Interpreters: a second one in the process, and one without a GIL, where Python's threads run side by side. Kernels on
threads are test_threads.py's."""

import sysconfig

import pytest

WITHOUT_GIL = pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="needs a free-threaded Python")

IN_A_SECOND = """
    import lanewise as lw
    import numpy as np

    try:
        import _interpreters as interpreters
    except ImportError:
        import _xxsubinterpreters as interpreters
    run = getattr(interpreters, "exec", None) or interpreters.run_string
    second = interpreters.create()
    run(second, "\\n".join((
        "try:", "    import lanewise", "    print('imported')", "except ImportError:", "    print('refused')")))
    interpreters.destroy(second)
    print(lw.relu(np.float32(3)))
"""


def test_a_second_interpreter_is_refused_the_import(run_python):
    found = run_python(IN_A_SECOND)
    assert (found.returncode, found.stdout) == (0, "refused\n3.0\n"), found.stderr


IMPORTS_AT_ONCE = """
    import sys, threading

    ready = threading.Barrier(8)
    found = []

    def imports():
        ready.wait()
        import lanewise as lw
        found.append((lw.evolution, lw.genome, lw.ieee754, lw.embedding, lw.layers, lw.linear))

    threads = [threading.Thread(target=imports) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(found), all(names == found[0] for names in found))
"""


def test_imports_of_many_threads_at_once(run_python):
    found = run_python(IMPORTS_AT_ONCE)
    assert (found.stdout, found.stderr) == ("8 True\n", "")


@WITHOUT_GIL
def test_no_module_brings_the_gil_back(run_python):
    # Python would say in a warning which one does
    found = run_python("""
        import pkgutil, sys
        import lanewise.kernels

        for module in pkgutil.iter_modules(lanewise.kernels.__path__):
            __import__(f"lanewise.kernels.{module.name}")
        print(sys._is_gil_enabled())
    """, PYTHON_GIL=None)
    assert (found.stdout, found.stderr) == ("False\n", "")


# Operands that were made of Python numbers are kept for the next call, a thousand of them. Many threads find them, put
# more there and drop all, which without a GIL is side by side.
NUMBERS_OF_MANY_THREADS = """
    import threading, tracemalloc
    import lanewise as lw
    import numpy as np

    ready = threading.Barrier(4)
    wrong = []

    def calls(thread):
        x = np.float32([-1.0])
        ready.wait()
        for k in range(6000):
            for slope in (0.1 + k % 37 / 64, 0.25 + (4 * k + thread) * 2.0**-20):
                if lw.leaky_relu(x, slope, where=True)[0] != -np.float32(slope):
                    wrong.append(slope)

    tracemalloc.start()
    threads = [threading.Thread(target=calls, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(len(wrong), tracemalloc.get_traced_memory()[0] < 1 << 20)
"""


def test_numbers_of_many_threads(run_python):
    found = run_python(NUMBERS_OF_MANY_THREADS)
    assert (found.returncode, found.stdout) == (0, "0 True\n"), found.stderr
