"""A trained network as a thing to keep: genome, network, classes and how inputs are scaled, in one .npz."""

import json
import math
from dataclasses import dataclass, field

import numpy as np

from ..environment import unflushed
from ..files import read_arrays, replacing
from ..functions import softmax
from ..genome.codes import Codebook
from ..packing import plain
from .batch import numbers_of
from .network import Network

__all__ = ["Classifier"]

_FORMAT = "lanewise classifier 1"  # the first files had no objective and no targets, which then are the usual ones
_WITH_SCALES = "lanewise classifier 2"  # as 1, and with scales or biases, which a reader of 1 would overlook


@dataclass(frozen=True, eq=False)
class Classifier:
    """A genome and all that is needed to classify with it, or to predict values.

    Attributes
    ----------
    network : Network
    genome : ndarray of uint8
    classes : ndarray, optional
        What each output stands for, of any dtype, each once. None: the outputs are values.
    offset, scale : ndarray of float64, shape (inputs,)
        Inputs enter the network as ``(x - offset) * scale``, computed in float64; by default as they are.
    target_offset, target_scale : ndarray of float64, shape (outputs,)
        Values are ``outputs / target_scale + target_offset``; by default the outputs.
    features : tuple of str, optional
        The inputs' names.
    label : str, optional
        The name of what is predicted.

    Raises
    ------
    TypeError
        If an argument is of another kind.
    ValueError
        If one has another length than the network has inputs or outputs, a class stands there twice, or a number is
        not finite, or 0 in `target_scale`.
    """

    network: Network
    genome: np.ndarray = field(repr=False)
    classes: np.ndarray | None = None
    offset: np.ndarray = field(default=0.0, repr=False)
    scale: np.ndarray = field(default=1.0, repr=False)
    target_offset: np.ndarray = field(default=0.0, repr=False)
    target_scale: np.ndarray = field(default=1.0, repr=False)
    features: tuple | None = field(default=None, repr=False)
    label: str | None = field(default=None, repr=False)

    @unflushed
    def __post_init__(self):
        if not isinstance(self.network, Network):
            raise TypeError(f"network is a Network; got {type(self.network).__name__}")
        inputs, outputs = self.network.sizes[0], self.network.sizes[-1]
        genome = np.array(plain("genome", self.genome))
        if genome.dtype != np.uint8 or genome.shape != (self.network.genome_bytes,):
            raise ValueError(f"genome is uint8[{self.network.genome_bytes}]; got {genome.dtype}{list(genome.shape)}")
        classes = self.classes
        if classes is not None:
            try:
                classes = np.array(plain("classes", classes))
            except ValueError:  # rows of several lengths
                raise TypeError(f"classes is a list of labels; got {classes!r:.60}") from None
            if classes.shape != (outputs,):
                raise ValueError(f"classes has one for each of the {outputs} outputs; got {list(classes.shape)}")
            known = [(type(label), label) for label in classes.tolist()]  # 1 is another class than True
            for k, label in enumerate(known):
                if label in known[:k]:
                    raise ValueError(f"classes has each once; got {label[1]!r:.60} at {known.index(label)} and {k}")
        checked = {"genome": genome, "classes": classes}
        for name, length in (("offset", inputs), ("scale", inputs), ("target_offset", outputs),
                             ("target_scale", outputs)):
            given = numbers_of(name, getattr(self, name))
            if given.shape not in ((), (length,)):
                raise ValueError(f"{name} is a number, or one for each of the {length}; got {list(given.shape)}")
            with np.errstate(all="ignore"):  # a long double beyond float64 becomes an infinity
                array = np.array(np.broadcast_to(given, length), np.float64)
            if not np.isfinite(array).all() or (name == "target_scale" and not array.all()):
                raise ValueError(f"{name} holds a NaN, an infinity{', or 0' * (name == 'target_scale')}")
            checked[name] = array
        if self.features is not None:
            try:
                named = not isinstance(self.features, str) and np.ndim(self.features) == 1
            except ValueError:  # rows of several lengths
                named = False
            if not named:
                raise TypeError(f"features is a list of names; got {self.features!r:.60}")
            checked["features"] = tuple(map(str, self.features))
            if len(checked["features"]) != inputs:
                raise ValueError(f"features has a name for each of the {inputs} inputs; got {len(self.features)}")
        if not isinstance(self.label, str | None):
            raise TypeError(f"label is a name; got {self.label!r:.60}")
        for name, value in checked.items():
            object.__setattr__(self, name, value)

    @unflushed
    def prepare(self, x):
        """Scale inputs as the network wants them.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)
            Finite.

        Returns
        -------
        ndarray of float32, shape (rows, inputs)

        Raises
        ------
        TypeError
            If x holds no numbers.
        ValueError
            If x has another shape, or a number is not finite, or beyond float32 once it is scaled.
        """
        x = numbers_of("x", x)
        inputs = self.network.sizes[0]
        if x.ndim != 2 or x.shape[1] != inputs:
            raise ValueError(f"x is [rows, {inputs}]; got {list(x.shape)}")
        with np.errstate(all="ignore"):  # a long double beyond float64 becomes an infinity, which is said below
            x = x.astype(np.float64)
        if not np.isfinite(x).all():
            row, column = np.argwhere(~np.isfinite(x))[0]
            raise ValueError(f"x holds a NaN or an infinity, first in row {row}, column {column}")
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = ((x - self.offset) * self.scale).astype(np.float32)
        if not np.isfinite(scaled).all():
            row, column = np.argwhere(~np.isfinite(scaled))[0]
            raise ValueError(f"x[{row}, {column}] = {x[row, column]:g} is beyond float32 once it is scaled")
        return scaled

    @unflushed
    def outputs(self, x):
        """Compute what the network puts out: a logit for each class, or values as it has learned them.

        Errors are those of `prepare`.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)

        Returns
        -------
        ndarray of float32, shape (rows, outputs)
        """
        prepared = self.prepare(x)
        if not len(prepared):
            return np.empty((0, self.network.sizes[-1]), np.float32)
        return self.network.forward(self.genome, prepared)

    @unflushed
    def predict(self, x):
        """Classify inputs, or predict values. Errors are those of `prepare`.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)

        Returns
        -------
        ndarray, shape (rows,), of the classes' dtype
            Or of float64, shape (rows,), or (rows, outputs) if the network has several.
        """
        outputs = self.outputs(x)
        if self.classes is not None:
            return self.classes[outputs.argmax(axis=-1)]
        values = outputs.astype(np.float64) / self.target_scale + self.target_offset
        return values[:, 0] if values.shape[1] == 1 else values

    @unflushed
    def predict_proba(self, x):
        """Compute a probability for each class: the softmax of the logits.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)

        Returns
        -------
        ndarray of float32, shape (rows, outputs)
            In the order of `classes`. A network that was evolved for "mse" or "accuracy" has not learned probabilities.

        Raises
        ------
        TypeError, ValueError
            As `prepare`; TypeError too where values are predicted, which have no probabilities.
        """
        if self.classes is None:
            raise TypeError("this predicts values, not classes, and has no probabilities")
        return softmax(self.outputs(x))

    @unflushed
    def score(self, x, y):
        """Compute the share of rows that are classified right, or the coefficient of determination of values.

        Parameters
        ----------
        x : array_like of float, shape (rows, inputs)
        y : array_like, shape (rows,)
            What is right: classes, or values as `predict` gives them.

        Returns
        -------
        float

        Raises
        ------
        TypeError, ValueError
            As `prepare`; ValueError too if y has another shape than the predictions, no rows, or none of the classes.
        """
        predicted = self.predict(x)
        y = np.asarray(plain("y", y)) if self.classes is not None else numbers_of("y", y)
        if y.shape != predicted.shape:
            raise ValueError(f"y is {list(predicted.shape)}, as the predictions; got {list(y.shape)}")
        if len(y) == 0:
            raise ValueError("a score is of at least one row; got none")
        if self.classes is not None:
            known = self.classes.tolist()
            if not any(label in known for label in y.tolist()):
                raise ValueError(f"y holds none of the classes {known[:10]}; got {y.dtype}, such as {y.tolist()[0]!r}")
            return float(np.mean([bool(a == b) for a, b in zip(predicted.tolist(), y.tolist(), strict=True)]))
        with np.errstate(all="ignore"):
            error, spread = ((predicted - y) ** 2).sum(axis=0), ((y - y.mean(axis=0)) ** 2).sum(axis=0)
            return float(np.mean(np.where(spread > 0, 1 - error / spread, np.where(error > 0, -np.inf, 1.0))))

    def summary(self):
        """Describe the network in a few lines.

        Returns
        -------
        str
        """
        network = self.network
        lines = [("sizes", "-".join(map(str, network.sizes))), ("activation", network.activation),
                 ("codebook", network.codebook.name), ("objective", network.objective),
                 ("weights", f"{network.n_weights:,} in {network.genome_bytes:,} bytes")]
        for name in ("scales", "biases"):
            if getattr(network, name) is not None:
                count = sum(array.size for array in getattr(network, name) if array is not None)
                lines.append((name, f"{count:,} in float32"))
        if self.classes is not None:
            lines.append(("classes", ", ".join(map(str, self.classes[:10])) + ", ..." * (len(self.classes) > 10)))
        if self.label is not None:
            lines.append(("label", self.label))
        if self.features is not None:
            lines.append(("features", ", ".join(self.features[:10]) + ", ..." * (len(self.features) > 10)))
        return "\n".join(f"{name:<12}{value}" for name, value in lines)

    def save(self, path):
        """Write to a file, under just this name, that `load` reads; it replaces an old one once it is whole.

        Raises
        ------
        TypeError
            If `path` is none, or the classes are objects other than text and numbers.
        OSError
            If the file cannot be written.
        """
        arrays = {"genome": self.genome, "sizes": self.network.sizes, "activation": self.network.activation,
                  "objective": self.network.objective, "levels": self.network.codebook.levels,
                  "codebook": self.network.codebook.name, "offset": self.offset, "scale": self.scale,
                  "target_offset": self.target_offset, "target_scale": self.target_scale}
        if self.classes is not None:
            objects = self.classes.dtype.kind == "O"
            arrays["classes_json" if objects else "classes"] = _as_json(self.classes) if objects else self.classes
        if self.features is not None:
            arrays["features"] = json.dumps(self.features)
        if self.label is not None:
            arrays["label"] = json.dumps(self.label)
        fixed = {f"{name}{k}": array for name in ("scales", "biases")
                 for k, array in enumerate(getattr(self.network, name) or ()) if array is not None}
        if self.network.group is not None:
            fixed["group"] = self.network.group
        with replacing(path) as file:
            np.savez(file, format=_WITH_SCALES if fixed else _FORMAT, **arrays, **fixed)

    @classmethod
    def load(cls, path):
        """Read what `save` wrote.

        Raises
        ------
        ValueError
            If the file is something else, or damaged.
        """
        arrays = read_arrays(path)
        if "format" not in arrays and "weight0" in arrays:
            raise ValueError(f"{path} holds floats, as lanewise train writes them; lanewise evolve --start makes a "
                             "classifier of them")
        if str(arrays.get("format")) not in (_FORMAT, _WITH_SCALES):
            raise ValueError(f"{path} is not a {_FORMAT} or {_WITH_SCALES[-1]}; it holds "
                             f"{', '.join(arrays) or 'nothing'}")
        try:
            layers = range(arrays["sizes"].size - 1)
            scales, biases = ([arrays.get(f"{name}{k}") for k in layers] for name in ("scales", "biases"))
            if not any(array is not None for array in (*scales, *biases)):
                scales = biases = None
            group = arrays["group"].item() if "group" in arrays else None
            network = Network(arrays["sizes"].tolist(), str(arrays["activation"]),
                              Codebook(arrays["levels"], str(arrays["codebook"])),
                              str(arrays.get("objective", "cross_entropy")), scales, biases, group=group)
            classes = arrays.get("classes")
            if "classes_json" in arrays:
                listed = json.loads(str(arrays["classes_json"]))
                classes = np.empty(len(listed), object)
                classes[:] = listed
            features, label = (json.loads(str(arrays[name])) if name in arrays else None
                               for name in ("features", "label"))
            return cls(network, arrays["genome"], classes, arrays["offset"], arrays["scale"],
                       arrays.get("target_offset", 0.0), arrays.get("target_scale", 1.0), features, label)
        except KeyError as error:
            raise ValueError(f"{path} is damaged: there is no {error.args[0]}") from None
        except (TypeError, ValueError) as error:
            raise ValueError(f"{path} is damaged: {error}") from None


def _as_json(classes):
    # text, whole numbers, numbers, truth values and None come back as they were
    plain = [value.item() if isinstance(value, np.generic) else value for value in classes.tolist()]
    for value in plain:
        if not isinstance(value, str | int | float | None) or (isinstance(value, float) and math.isnan(value)):
            raise TypeError(f"classes of dtype object are saved if they are text or numbers; got {value!r}")
    return json.dumps(plain)
