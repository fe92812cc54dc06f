"""What all layers share. layers.py has the layers."""

import os

import numpy as np

from ..files import read_arrays, replacing

__all__ = ["Layer"]


class Layer:
    """What all layers share: names of parameters and gradients, saving and loading.

    A layer of one's own defines `forward` and `backward`, and lists its parameters in ``self.own``: name to array,
    with an array of gradients of the same name in ``self.own_gradients``.
    """

    def __init__(self):
        self.own, self.own_gradients, self.state = {}, {}, {}
        self.kept = None

    def children(self):
        """The layers that this one is made of, by name."""
        return {}

    def parameter_count(self):
        """How many numbers the parameters hold together.

        Returns
        -------
        int
        """
        return sum(array.size for array in self.parameters().values())

    def _arguments(self):
        # what it was made with, as it is written
        return ""

    def __repr__(self):
        shown = f"{type(self).__name__}({self._arguments()})"
        if not self.children():
            return shown
        inside = [f"\n    {name}: " + repr(child).replace("\n", "\n    ") for name, child in self.children().items()]
        return f"{shown} of {self.parameter_count()} parameters:{''.join(inside)}"

    def _named(self, which):
        found = dict(getattr(self, which))
        for name, layer in self.children().items():
            found.update({f"{name}.{key}": array for key, array in layer._named(which).items()})
        return found

    def parameters(self):
        """Every parameter by name: the arrays themselves, which a step updates in place.

        Returns
        -------
        dict of str to ndarray
        """
        return self._named("own")

    def gradients(self):
        """The gradient of every parameter, by the same names: filled by each backward, not added to.

        Returns
        -------
        dict of str to ndarray
        """
        return self._named("own_gradients")

    def arrays(self):
        """Parameters and running statistics by name: what a file holds.

        Returns
        -------
        dict of str to ndarray
        """
        return {**self.parameters(), **self._named("state")}

    def save(self, path):
        """Save parameters and running statistics as an ``.npz``, whole or not at all.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        OSError
            If the file cannot be written.
        """
        with replacing(path) as file:
            np.savez(file, **self.arrays())

    def load(self, path):
        """Fill parameters and running statistics from an ``.npz`` that a network of the same layers saved.

        Parameters
        ----------
        path : path-like

        Raises
        ------
        ValueError
            If the file is of another network; nothing has been changed then.
        OSError
            If it cannot be read.
        """
        own = self.arrays()
        found = read_arrays(path)
        missing, more = sorted(set(own) - set(found)), sorted(set(found) - set(own))
        if missing or more:
            raise ValueError(f"{os.fspath(path)}: of another network: it lacks {', '.join(missing) or 'nothing'} and "
                             f"has {', '.join(more) or 'nothing'} besides")
        for name, array in own.items():
            if found[name].shape != array.shape or found[name].dtype.newbyteorder("=") != array.dtype:
                raise ValueError(f"{os.fspath(path)}: {name} is {found[name].dtype}{list(found[name].shape)}; this "
                                 f"network's is {array.dtype}{list(array.shape)}")
        for name, array in own.items():
            array[...] = found[name]

    def _forwarded(self):
        # what the last forward kept
        if self.kept is None:
            raise ValueError(f"{type(self).__name__}: backward belongs to a forward with training=True; there was none")
        return self.kept

    def _parameter(self, name, array):
        self.own[name] = array
        self.own_gradients[name] = np.zeros_like(array)

    def _filled(self, **gradients):
        with np.errstate(all="ignore"):  # a gradient may be beyond the parameters' dtype
            for name, gradient in gradients.items():
                if name in self.own_gradients:
                    self.own_gradients[name][...] = gradient
