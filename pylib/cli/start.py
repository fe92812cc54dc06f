"""What ``lanewise evolve --start`` reads: a trained network, and data as it wants them."""

import os
from dataclasses import replace

from . import CommandError, in_words


def shown(path):
    """A path as a person would write it: beside where they are, without the way there."""
    relative = os.path.relpath(path) if path else ""
    return path if relative.startswith(os.pardir) else relative


def read_start(settings, given):
    """What to start from, if anything; it says itself what is minimised."""
    from .. import genome
    from ..evolution.trained import load_start

    if settings["start"] is None:
        if settings["codebook"] is not None:
            raise CommandError("--codebook is of the weights of --start; a network that starts at random is of LOG4")
        return None
    path = shown(settings["start"])
    if own := [f"--{name}" for name in ("hidden", "activation", "objective") if name in given]:
        raise CommandError(f"--start {path} says itself what {' and '.join(own)} would")
    try:
        start = load_start(path, settings["codebook"] and getattr(genome, settings["codebook"]))
    except (OSError, ValueError) as error:
        raise CommandError(f"--start: {in_words(error)}") from None
    settings["objective"] = start.network.objective
    return start


def network_and_data(settings, start, data, outputs):
    """The network, and the data with its classes and scaled as it wants them."""
    from ..evolution.network import Network
    from ..evolution.trained import places_of

    if start is None:
        sizes = data.x.shape[1], *settings["hidden"], outputs
        try:
            return Network(sizes, settings["activation"], objective=settings["objective"]), data
        except ValueError as error:  # beyond what memory can be
            raise CommandError(f"--hidden: {error}") from None
    path, sizes = shown(settings["start"]), start.network.sizes
    if (sizes[0], sizes[-1]) != (data.x.shape[1], outputs):
        kind = "classes" if data.classes is not None else "values"
        raise CommandError(f"--start {path} has {sizes[0]} inputs and {sizes[-1]} outputs; {data.name} has "
                           f"{data.x.shape[1]} features and {outputs} {kind}")
    if start.classes is not None and data.classes is not None:
        places = places_of(data.classes, start.classes)
        if places is None:
            raise CommandError(f"--start {path} has the classes {', '.join(map(str, start.classes))}; {data.name} has "
                               f"{', '.join(map(str, data.classes))}")
        data = replace(data, y=places[data.y], y_held_out=places[data.y_held_out], classes=start.classes)
    return start.network, replace(data, **start.scaling)
