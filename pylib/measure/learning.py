"""Learning with a gradient and without: the share of errors of one network by the seconds that it has learned, for the
chart of report.py. Both ways are the package's own; nothing here is timed against anybody else."""

import numpy as np

__all__ = ["courses", "uninterrupted"]

_SIZES = (64, 32, 10)
_KEPT = 60  # points of a course at most, evenly spread over the logarithm of time


def _thinned(course):
    # the last point before each of some moments
    seconds = np.array([each[0] for each in course])
    moments = np.geomspace(seconds[0], seconds[-1], _KEPT)
    return [course[k] for k in np.unique(np.searchsorted(seconds, moments, "right") - 1)]


def courses(generations=1200, epochs=30):
    """Learn the bundled digits by evolution of 4-bit codes and by the chain rule in float32.

    Parameters
    ----------
    generations, epochs : int

    Returns
    -------
    dict of str to list of (float, float)
        By the name of the way: seconds, and the share of held-out digits that are classified wrongly.

    Raises
    ------
    ModuleNotFoundError
        If scikit-learn, which ships the digits, is not installed.
    """
    from ..evolution import Network, evolve
    from ..evolution.data import load_digits
    from ..learning import training

    data = load_digits()
    x, held_out = ((part - data.offset) * np.asarray(data.scale, np.float32) for part in (data.x, data.x_held_out))
    x, held_out = (np.ascontiguousarray(part, np.float32) for part in (x, held_out))
    evolved = uninterrupted(evolve(Network(_SIZES), x, data.y, generations=generations, progress=False,
                                   held_out=(held_out, data.y_held_out)))
    trained = uninterrupted(training.train(training.classifier(_SIZES, rng=0), x, data.y, epochs=epochs, rng=0,
                                           held_out=(held_out, data.y_held_out)))
    return {"evolution, no gradient": _course(evolved.history), "AdamW, the chain rule": _course(trained.history)}


def uninterrupted(run):
    """Return a run of evolution or of training, which give what they have where Ctrl-C ends them.

    Raises
    ------
    KeyboardInterrupt
        If Ctrl-C has ended it: half a run is not what was to be measured.
    """
    if run.stopped == "interrupted":
        raise KeyboardInterrupt
    return run


def _course(history):
    return _thinned([(float(row["seconds"]), 1 - float(row["accuracy"])) for row in history])
