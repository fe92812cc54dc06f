"""``lanewise train``: train a network of float32 weights by the chain rule, and show how it went.

A few lines over lanewise.learning; data are read by lanewise.evolution's data.py, the figure is figures.py.
"""

import contextlib
import sys
from pathlib import Path

from ..terminal import is_terminal, say, show
from . import CommandError, add_force, check_outputs, figure_beside, free_output, keep, refuse_what_is_read
from . import option_types as types
from .data import load_data, scaled


def add_train_parser(subparsers):
    """Add ``train`` and its options."""
    parser = subparsers.add_parser(
        "train", help="train a network by the chain rule",
        description="Train a network of dense float32 layers by backpropagation, on the UCI handwritten digits or on "
                    "DATA. Of each class every fifth row is held out. What it writes, evolve --start reads.")
    add = parser.add_argument
    add("data", nargs="?", metavar="DATA",
        help="a .npz with x and y, or a .csv with the label last (default: the digits)")
    add("--label", metavar="NAME", help="the column of a .csv, or the array of a .npz, with the labels")
    add("--epochs", type=types.positive(int), default=40, metavar="N", help="passes over all rows (default: 40)")
    add("--batch-size", type=types.positive(int), default=32, metavar="N", help="rows of a step (default: 32)")
    add("--optimizer", choices=("adamw", "sgd"), default="adamw", help="(default: adamw; sgd has a momentum of 0.9)")
    add("--lr", type=types.positive(float), metavar="RATE", help="learning rate (default: 0.003, of sgd 0.05)")
    add("--weight-decay", type=types.radius, metavar="W", help="(default: 0.01, of sgd 0.0001)")
    add("--max-norm", type=types.positive(float), metavar="NORM", help="clip the norm of all gradients to this")
    add("--dropout", type=types.share, default=0.0, metavar="P",
        help="share of a hidden layer's outputs dropped while training (default: 0)")
    add("--activation", default="relu", metavar="NAME",
        help="what follows each layer but the last: relu, tanh, silu, gelu ... (default: relu)")
    add("--hidden", type=types.layers, default=(32,), metavar="SIZES",
        help="hidden layers, such as 32 or 64,32 (default: 32)")
    add("--seed", type=types.seed, default=0, metavar="N", help="the seed (default: 0)")
    add("--output", metavar="FILE",
        help="where the network goes; the learning curve goes beside it as .png (default: trained.npz, with a number "
             "where that exists)")
    add_force(parser)
    parser.set_defaults(run=run)


@contextlib.contextmanager
def _bar(epochs):
    # a live line for a person; nothing where nobody watches, or without rich
    try:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    except ImportError:
        yield None
        return
    if not is_terminal(sys.stderr):
        yield None
        return
    columns = (TextColumn("[bold]epoch {task.completed:.0f}/{task.total:.0f}"), BarColumn(bar_width=None),
               TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), expand=True) as progress:
        task = progress.add_task("", total=epochs)
        yield lambda epoch, row: progress.update(
            task, completed=epoch, description=f"loss [bold]{row[0]:.4f}[/] held-out [bold green]{row[1]:.1%}[/]")


def _paths(output, force):
    # where the network and its figure go, which is found out before the work
    path = free_output(Path("trained.npz")) if output is None else Path(output)
    png = figure_beside(path)
    check_outputs("--output", [path] if png is None else [path, png], force)
    return path, png


def save(path, network, activation, data):
    """Write a network as ``weight0``, ``bias0``, ``weight1`` ..., with its activation, scaling and classes."""
    import numpy as np

    from ..files import replacing

    named = {f"{'bias' if k % 2 else 'weight'}{k // 2}": array
             for k, array in enumerate(network.parameters().values())}
    with replacing(path) as file:
        np.savez(file, **named, activation=activation, objective="cross_entropy", offset=data.offset, scale=data.scale,
                 classes=np.array(data.classes.tolist()))


def run(arguments):
    """Train, and report."""
    from ..learning import training

    data = load_data(arguments.data, arguments.label)
    refuse_what_is_read("--output", arguments.output, (arguments.data,))
    npz, png = _paths(arguments.output, arguments.force)
    sizes = (data.x.shape[1], *arguments.hidden, len(data.classes))
    try:
        network = training.classifier(sizes, arguments.activation, arguments.seed, arguments.dropout)
    except (TypeError, ValueError) as error:  # an activation may need parameters, which no option gives
        option = "--activation" if str(error).startswith("Activation") else "--hidden"
        raise CommandError(f"{option}: {error}") from None
    x, held_out = scaled(data)
    say("Training ", ("-".join(map(str, sizes)), "bold"), " in float32 on ", (data.name, "bold"),
        f": {len(x)} rows, {len(held_out)} held out. ", ("Ctrl-C keeps what there is.", "dim"))
    sgd = arguments.optimizer == "sgd"
    with _bar(arguments.epochs) as callback:
        found = training.train(
            network, x, data.y, epochs=arguments.epochs, batch_size=arguments.batch_size,
            optimizer=arguments.optimizer, lr=arguments.lr or (0.05 if sgd else 3e-3), max_norm=arguments.max_norm,
            weight_decay=(1e-4 if sgd else 0.01) if arguments.weight_decay is None else arguments.weight_decay,
            rng=arguments.seed, held_out=(held_out, data.y_held_out), callback=callback)
    if not len(found.history):
        say("Interrupted before the first epoch: nothing to keep.")
        return 130
    if found.stopped == "diverged":
        raise CommandError(f"the loss is no number any more after {len(found.history)} epochs; nothing is written. A "
                           "smaller --lr, or --max-norm, may help")
    npz, failed = keep(npz, lambda path: save(path, network, arguments.activation, data))
    try:
        shown = png and _figure(found, sizes, data.name, png)
    except OSError as error:
        failed, shown = failed or error, "not drawn"
    history, bytes_ = found.history, sum(each.nbytes for each in network.parameters().values())
    ended = "" if found.stopped == "epochs" else f" ({found.stopped})"
    show()
    for name, value in (
            ("held-out accuracy", f"{history['accuracy'][-1]:.2%}"), ("loss", f"{history['loss'][-1]:.4f}"),
            ("time", f"{history['seconds'][-1]:.2f} s for {len(history)} epochs, {found.steps:,} steps{ended}"),
            ("parameters", f"{bytes_:,} bytes"), ("network", str(npz)),
            *([] if shown is None else [("learning curve", shown)])):
        show((f"  {name:<19}", "dim"), (value, "bold"))
    show()
    if failed is not None:
        raise CommandError(f"{failed}; the network is in {npz}")
    return 130 if found.stopped == "interrupted" else 0


def _figure(found, sizes, name, png):
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        return "not drawn: pip install 'lanewise[demo]'"
    from .figures import training_curve

    return str(training_curve(found.history, sizes, name, png))
