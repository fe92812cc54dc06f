"""A trained network as a thing to keep: genome, sizes, codebook, classes and how inputs are scaled, in one .npz."""

from dataclasses import dataclass, field

import numpy as np

from .codes import Codebook
from .network import Network

__all__ = ["Classifier"]

_FORMAT = "lanewise classifier 1"


@dataclass(frozen=True)
class Classifier:
    """A genome and all that is needed to classify with it.

    Attributes
    ----------
    network : Network
    genome : ndarray of uint8
    classes : ndarray
        What each output stands for.
    offset, scale : ndarray of float32, shape (inputs,)
        Inputs enter the network as ``(x - offset) * scale``.

    """

    network: Network
    genome: np.ndarray = field(repr=False)
    classes: np.ndarray
    offset: np.ndarray = field(repr=False)
    scale: np.ndarray = field(repr=False)

    def prepare(self, x):
        """Scale inputs as the network wants them."""
        return (np.asarray(x, np.float32) - self.offset) * self.scale

    def predict(self, x):
        """Classify inputs.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)

        Returns
        -------
        ndarray, shape (rows,), of the classes' dtype

        """
        return self.classes[self.network.forward(self.genome, self.prepare(x)).argmax(axis=-1)]

    def save(self, path):
        """Write to a ``.npz`` that `load` reads."""
        np.savez(path, format=_FORMAT, genome=self.genome, sizes=self.network.sizes, classes=self.classes,
                 activation=self.network.activation, levels=self.network.codebook.levels,
                 codebook=self.network.codebook.name, offset=self.offset, scale=self.scale)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is something else.

        """
        with open(path, "rb") as file:
            try:
                with np.load(file, allow_pickle=False) as saved:
                    arrays = dict(saved)
            except Exception as error:  # a damaged zip raises errors with no common base
                raise ValueError(f"{path} is not a readable .npz ({error})") from None
        if str(arrays.get("format")) != _FORMAT:
            raise ValueError(f"{path} is not a {_FORMAT}; it holds {', '.join(arrays) or 'nothing'}")
        network = Network(arrays["sizes"].tolist(), str(arrays["activation"]),
                          Codebook(arrays["levels"], str(arrays["codebook"])))
        return cls(network, arrays["genome"], arrays["classes"], arrays["offset"], arrays["scale"])
