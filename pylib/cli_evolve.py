"""``lanewise evolve``: train a classifier of packed 4-bit weights by evolution alone, and show how it went.

A few lines over evolution.py, data.py and classifier.py; the figure is figures.py.
"""

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
from pathlib import Path

from .cli import CommandError, require


def add_evolve_parser(subparsers):
    """Add ``evolve`` and its options."""
    parser = subparsers.add_parser(
        "evolve", help="train a 4-bit network without a gradient",
        description="Train a classifier whose weights are 4-bit codes by evolution alone, on the UCI handwritten "
                    "digits or on DATA. Every fifth row is held out. The same seed gives the same network bit for bit.")
    parser.add_argument("data", nargs="?", metavar="DATA",
                        help="a .npz with x and y, or a .csv with the label last (default: the digits)")
    parser.add_argument("--data", dest="data_option", metavar="DATA", help="the same, by name")
    parser.add_argument("--generations", type=_positive(int), metavar="N",
                        help="generations to run (default: 4800, unless --seconds is given)")
    parser.add_argument("--seconds", type=_positive(float), metavar="S", help="stop after this time")
    parser.add_argument("--target-loss", type=float, metavar="LOSS", help="stop once the loss is this low")
    parser.add_argument("--patience", type=_positive(int), metavar="N",
                        help="stop after so many generations without a better network")
    parser.add_argument("--population", type=_positive(int), default=200, metavar="N",
                        help="genomes in a generation (default: %(default)s)")
    parser.add_argument("--elite", type=_positive(int), default=2, metavar="N",
                        help="the best, which pass on unchanged (default: %(default)s)")
    parser.add_argument("--mutation-rate", type=_rate, metavar="RATE",
                        help="share of bits flipped: one number, FIRST,LAST, or adaptive: each genome's own "
                             "(default: 0.004,0.0002)")
    parser.add_argument("--niche-radius", type=_radius, default=0.0, metavar="R",
                        help="preserve diversity: of genomes nearer to one another than R times the mean distance only "
                             "the best breeds (default: 0, which clears none)")
    parser.add_argument("--batch-size", type=_rows, metavar="N",
                        help="rows that a generation is shown, a multiple of 64, or all (default: 256)")
    parser.add_argument("--restart-after", type=_positive(int), metavar="N",
                        help="begin again at random after so many generations without a better network")
    parser.add_argument("--activation", default="relu", metavar="NAME",
                        help="what follows each layer but the last: relu, tanh, silu, gelu ... (default: %(default)s)")
    parser.add_argument("--hidden", type=_layers, default=(32,), metavar="SIZES",
                        help="hidden layers, such as 32 or 64,32 (default: 32)")
    parser.add_argument("--seed", type=_seed, default=0, metavar="N", help="the seed (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=Path("evolved.npz"), metavar="FILE",
                        help="where the best network goes; the learning curve goes beside it as .png "
                             "(default: %(default)s)")
    parser.add_argument("--islands", type=_positive(int), default=1, metavar="N",
                        help="populations side by side, whose best migrate (default: %(default)s)")
    parser.add_argument("--workers", type=_positive(int), metavar="N", help="processes that evolve the islands")
    parser.add_argument("--executor", choices=("process", "dask"), default="process",
                        help="what the workers are: processes of this machine, or dask's (default: %(default)s)")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="keep the run's state here, to --resume")
    parser.add_argument("--resume", type=Path, metavar="FILE", help="continue from a checkpoint, and keep to it")
    parser.add_argument("--ablation", action="store_true",
                        help="instead, run the recipes of docs/evolution.md, three seeds each, and write a table and a "
                             "figure that compare them")
    parser.set_defaults(run=run)


def _positive(kind):
    def parse(text):
        value = kind(text)
        if not value > 0:
            raise argparse.ArgumentTypeError(f"{text} is not positive")
        return value

    parse.__name__ = kind.__name__
    return parse


def _seed(text):
    value = int(text)
    if not 0 <= value < 2**64:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 2^64 - 1")
    return value


def _layers(text):
    return tuple(_positive(int)(part) for part in text.split(",")) if text.strip() else ()


def _rows(text):
    rows = 0 if text == "all" else int(text)
    if rows < 0 or rows % 64 or (rows == 0 and text != "all"):
        raise argparse.ArgumentTypeError(f"{text} is not a multiple of 64, nor all")
    return rows


def _radius(text):
    value = float(text)
    if not 0 <= value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return value


def _rate(text):
    if text == "adaptive":
        return text
    rates = [float(part) for part in text.split(",")]
    if len(rates) > 2 or not all(0 <= rate <= 1 for rate in rates):
        raise argparse.ArgumentTypeError(f"{text} is not one rate from 0 to 1, nor two")
    return rates[0] if len(rates) == 1 else tuple(rates)


def _data(path):
    from . import data

    if path is None:
        require("sklearn")
        return data.load_digits()
    try:
        return data.load(path)
    except data.DataError as error:
        raise CommandError(error) from None


@contextlib.contextmanager
def _executor(arguments):
    # the workers asked for, if any
    if arguments.workers is None:
        yield None
    elif arguments.executor == "dask":
        distributed = require("distributed", "distributed")
        with (distributed.LocalCluster(n_workers=arguments.workers, threads_per_worker=1,
                                       dashboard_address=None) as cluster, distributed.Client(cluster) as client):
            yield client.get_executor()
    else:
        with concurrent.futures.ProcessPoolExecutor(
                arguments.workers, multiprocessing.get_context("spawn"), _ignore_interrupt) as pool:
            yield pool


def _ignore_interrupt():
    # Ctrl-C reaches every process of a terminal; the parent decides
    signal.signal(signal.SIGINT, signal.SIG_IGN)


@contextlib.contextmanager
def _terminable():
    # SIGTERM ends a run as Ctrl-C does
    callers = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, callers)


def run(arguments):
    """Evolve, and report."""
    require("rich")
    require("matplotlib")
    from rich.console import Console

    from .checkpoint import CheckpointError
    from .classifier import Classifier
    from .evolution import BATCH_SIZE, MUTATION_RATE, evolve
    from .figures import learning_curve
    from .network import ACTIVATIONS, Network

    console = Console(highlight=False)
    data = _data(arguments.data or arguments.data_option)
    npz = arguments.output.with_suffix(".npz")
    if not npz.parent.is_dir() or not os.access(npz.parent, os.W_OK):
        raise CommandError(f"--output {arguments.output}: cannot write to {npz.parent}")
    if arguments.elite > arguments.population:
        raise CommandError(f"--elite {arguments.elite} is more than --population {arguments.population}")
    if arguments.activation not in ACTIVATIONS:
        raise CommandError(f"--activation {arguments.activation}: expected one of {', '.join(ACTIVATIONS)}")
    network = Network((data.x.shape[1], *arguments.hidden, len(data.classes)), arguments.activation)
    batch = network.batch((data.x - data.offset) * data.scale, data.y)
    tested = network.batch((data.x_held_out - data.offset) * data.scale, data.y_held_out)
    if arguments.ablation:
        return _ablation(console, arguments, network, batch, tested)
    console.print(f"Evolving [bold]{'-'.join(map(str, network.sizes))}[/] in {network.codebook.name} codes on "
                  f"[bold]{data.name}[/]: {len(batch)} rows, {len(tested)} held out, no gradient. "
                  "[dim]Ctrl-C keeps the best so far.[/]")
    with _executor(arguments) as executor, _terminable():
        try:
            result = evolve(
                network, batch, population=arguments.population, elite=arguments.elite,
                mutation_rate=MUTATION_RATE if arguments.mutation_rate is None else arguments.mutation_rate,
                niche_radius=arguments.niche_radius,
                batch_size=BATCH_SIZE if arguments.batch_size is None else arguments.batch_size or None,
                generations=arguments.generations, seconds=arguments.seconds, target_loss=arguments.target_loss,
                patience=arguments.patience, restart_after=arguments.restart_after, seed=arguments.seed,
                held_out=tested, islands=arguments.islands, executor=executor,
                checkpoint=arguments.checkpoint or arguments.resume, resume=arguments.resume)
        except (CheckpointError, OSError) as error:
            raise CommandError(error) from None
    if not len(result.history):
        console.print("Interrupted before the first generation: nothing to keep.")
        return 130
    Classifier(network, result.genome, data.classes, data.offset, data.scale).save(npz)
    png = learning_curve(result.history, network, data.name, npz.with_suffix(".png"))
    _report(console, result, network, network.accuracy(result.genome, tested), npz, png)
    return 130 if result.stopped == "interrupted" else 0


def _ablation(console, arguments, network, batch, tested):
    from . import ablation
    from .evolution import GENERATIONS
    from .figures import comparison

    generations = arguments.generations or GENERATIONS
    histories = {}
    for name, runs in ablation.compare(network, batch, tested, generations, range(arguments.seed, arguments.seed + 3)):
        histories[name] = runs
        console.print(f"[dim]{name}: done[/]")
    table = ablation.table(histories)
    console.print(table)
    markdown = arguments.output.with_suffix(".md")
    markdown.write_text(f"{table}\n", encoding="utf-8")
    png = comparison(histories, arguments.output.with_suffix(".png"))
    console.print(f"Three seeds each, {generations} generations. [dim]Table:[/] {markdown} [dim]Figure:[/] {png}")
    return 0


def _report(console, result, network, accuracy, npz, png):
    from rich import box
    from rich.table import Table

    float32_bytes = 4 * network.n_weights
    seconds = result.history["seconds"][-1]
    table = Table(box=box.SIMPLE, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column(style="bold")
    table.add_row("held-out accuracy", f"{accuracy:.2%}")
    table.add_row("best loss", f"{result.loss:.4f}")
    table.add_row("time", f"{seconds:.1f} s for {len(result.history)} generations"
                          f"{'' if result.stopped == 'generations' else f' ({result.stopped})'}")
    table.add_row("genome", f"{network.genome_bytes:,} bytes; in float32 {float32_bytes:,} "
                            f"({float32_bytes / network.genome_bytes:.0f} times as many)")
    table.add_row("network", str(npz))
    table.add_row("learning curve", str(png))
    console.print(table)
