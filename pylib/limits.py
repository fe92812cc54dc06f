"""What `threadpoolctl.threadpool_limits` needs to limit this library too. threadpoolctl is not imported here: it is
told of the kernels' threads when it is there, or once somebody imports it."""

import sys

from .kernels import machine
from .processors import MOST_THREADS

__all__ = ["tell_threadpoolctl"]


def tell_threadpoolctl():
    """Register with threadpoolctl: now where it has been imported, or right after it is."""
    if "threadpoolctl" in sys.modules:
        _register(sys.modules["threadpoolctl"])
    else:
        sys.meta_path.insert(0, _Finder())


def _register(threadpoolctl):
    class LanewiseController(threadpoolctl.LibController):
        """The threads of Lanewise's kernels."""

        user_api = "lanewise"
        internal_api = "lanewise"
        filename_prefixes = ("machine.", "machine_")  # other libraries of that name lack the symbol
        check_symbols = ("lanewise_num_threads",)

        def get_num_threads(self):
            return machine.get_num_threads()

        def set_num_threads(self, num_threads):
            machine.set_num_threads(min(max(num_threads, 1), MOST_THREADS))

        def get_version(self):
            from . import __version__

            return __version__

    threadpoolctl.register(LanewiseController)


class _Finder:  # no subclass of importlib.abc's, whose import takes longer than all of the package's Python
    # finds threadpoolctl as it would be found without it, until it has been imported

    def find_spec(self, name, path=None, target=None):
        """Find nothing, but for threadpoolctl what the other finders find, with a loader that registers."""
        if name != "threadpoolctl":
            return None
        for finder in [finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec")]:
            if (spec := finder.find_spec(name, path, target)) is not None:
                if spec.loader is not None:
                    spec.loader = _Loader(spec.loader, self)
                return spec
        return None


class _Loader:
    def __init__(self, loader, finder):
        self.loader, self.finder = loader, finder

    def __getattr__(self, name):
        return getattr(self.loader, name)

    def create_module(self, spec):
        """Create the module as its own loader does."""
        return self.loader.create_module(spec)

    def exec_module(self, module):
        """Run the module, and register with it."""
        module.__loader__ = module.__spec__.loader = self.loader
        self.loader.exec_module(module)
        if self.finder in sys.meta_path:
            sys.meta_path.remove(self.finder)
        _register(module)
