"""``lanewise evolve``: train a network of packed 4-bit weights by evolution alone, and show how it went.

A few lines over lanewise.evolution, its data.py and classifier.py; the figure is figures.py.
"""

import concurrent.futures
import contextlib
import multiprocessing
import os
import signal
import time
from pathlib import Path

from ..terminal import say, show, show_table
from . import (
    CommandError,
    add_force,
    check_outputs,
    figure_beside,
    free_output,
    in_words,
    keep,
    refuse_what_is_read,
    require,
)
from . import option_types as types
from .data import load_data, scaled
from .start import network_and_data, read_start, shown

#: What a run is started with, and a resumed one goes on with, and what it is if nobody says.
SETTINGS = {
    "data": None, "label": None, "objective": "cross_entropy", "hidden": (32,), "activation": "relu",
    "population": 200, "elite": 2, "mutation": "flip", "mutation_rate": None, "niche_radius": 0.0, "batch_size": 256,
    "restart_after": None, "seed": 0, "islands": 1, "generations": None, "seconds": None, "target_loss": None,
    "patience": None, "output": "evolved.npz", "start": None, "codebook": None,
}
_CODEBOOKS = ("LOG4", "LOG4_ZERO", "NF4", "FLOAT4", "INT4")
_OF_ABLATION = {"data", "label", "hidden", "activation", "generations", "seed", "output"}


def add_evolve_parser(subparsers):
    """Add ``evolve`` and its options."""
    parser = subparsers.add_parser(
        "evolve", help="train a 4-bit network without a gradient",
        description="Train a network whose weights are 4-bit codes by evolution alone, on the UCI handwritten digits "
                    "or on DATA. Of each class every fifth row is held out. The same seed gives the same network bit "
                    "for bit.")
    add = parser.add_argument
    add("data_given", nargs="?", metavar="DATA",
        help="a .npz with x and y, or a .csv with the label last (default: the digits)")
    add("--data", metavar="DATA", help="the same, by name")
    add("--label", metavar="NAME", help="the column of a .csv, or the array of a .npz, with the labels")
    add("--objective", choices=("cross_entropy", "accuracy", "mse"),
        help="what is minimised: mse learns values, which the labels then are (default: cross_entropy)")
    add("--generations", type=types.positive(int), metavar="N",
        help="generations to run (default: 4800, unless --seconds is given)")
    add("--seconds", type=types.positive(float), metavar="S", help="stop after this time")
    add("--target-loss", type=types.number, metavar="LOSS", help="stop once the loss is this low")
    add("--patience", type=types.positive(int), metavar="N",
        help="stop after so many generations without a better network")
    add("--population", type=types.positive(int), metavar="N", help="genomes in a generation (default: 200)")
    add("--elite", type=types.positive(int), metavar="N", help="the best, which pass on unchanged (default: 2)")
    add("--mutation", choices=("flip", "gray", "step", "redraw"),
        help="what changes: a bit of a code, of its level's rank in Gray code, a code to the next level, or a code to "
             "any (default: flip)")
    add("--mutation-rate", type=types.rate, metavar="RATE",
        help="share of bits flipped, or of codes changed: one number, FIRST,LAST, or adaptive: each genome's own "
             "(default: 0.004,0.0002, and at least a change in a child at first)")
    add("--niche-radius", type=types.radius, metavar="R",
        help="preserve diversity: of genomes nearer to one another than R times the mean distance only the best "
             "breeds (default: 0, which clears none)")
    add("--batch-size", type=types.rows, metavar="N",
        help="rows that a generation is shown, a multiple of 64, or all (default: 256)")
    add("--restart-after", type=types.positive(int), metavar="N",
        help="begin again at random after so many generations without a better network")
    add("--activation", metavar="NAME",
        help="what follows each layer but the last: relu, tanh, silu, gelu ... (default: relu)")
    add("--hidden", type=types.layers, metavar="SIZES", help="hidden layers, such as 32 or 64,32 (default: 32)")
    add("--start", metavar="FILE",
        help="start from a trained network: a .npz with weight0, bias0, weight1 ..., whose weights become codes, or "
             "what evolve has written")
    add("--codebook", choices=_CODEBOOKS, help="what the weights of --start become codes of (default: LOG4)")
    add("--seed", type=types.seed, metavar="N", help="the seed (default: 0)")
    add("--output", metavar="FILE",
        help="where the best network goes; the learning curve goes beside it as .png (default: evolved.npz, with a "
             "number where that exists)")
    add_force(parser)
    add("--islands", type=types.positive(int), metavar="N",
        help="populations side by side, whose best migrate (default: 1)")
    add("--workers", type=types.positive(int), metavar="N", help="processes that evolve the islands")
    add("--executor", choices=("process", "dask"),
        help="what the workers are: processes of this machine, or dask's (default: process)")
    add("--checkpoint", metavar="FILE", help="keep the run's state here, to --resume")
    add("--resume", metavar="FILE",
        help="continue from a checkpoint, with its data and settings, and keep to it")
    add("--ablation", action="store_true",
        help="instead, run the recipes of docs/evolution.md, three seeds each, and write a table and a figure that "
             "compare them")
    add("--compare-sgd", action="store_true",
        help="afterwards train the same network in float32 by the chain rule, and show both in one table")
    parser.set_defaults(run=run)


def _settings(arguments):
    # (all settings, those that were given): a resumed run has those that it was started with
    if arguments.data_given is not None:
        if arguments.data is not None:
            raise CommandError(f"two data files were given, {arguments.data_given} and --data {arguments.data}")
        arguments.data = arguments.data_given
    given = {name: getattr(arguments, name) for name in SETTINGS if getattr(arguments, name) is not None}
    for name in ("data", "start"):
        if given.get(name):
            given[name] = os.path.abspath(given[name])
    former = {}
    if arguments.resume is not None:
        from ..evolution import checkpoint

        try:
            former = checkpoint.notes(arguments.resume).get("settings", {})
        except (checkpoint.CheckpointError, OSError) as error:
            raise CommandError(f"--resume: {in_words(error)}") from None
        for name in ("hidden", "mutation_rate"):
            if isinstance(former.get(name), list):
                former[name] = tuple(former[name])
    return SETTINGS | {name: value for name, value in former.items() if name in SETTINGS} | given, given


@contextlib.contextmanager
def _executor(arguments, islands):
    # the workers asked for, if any, of which no more than there are islands would do anything
    if arguments.workers is None:
        yield None
        return
    workers = min(arguments.workers, islands)
    if arguments.executor == "dask":
        distributed = require("distributed")
        with (distributed.LocalCluster(n_workers=workers, threads_per_worker=1,
                                       dashboard_address=None) as cluster, distributed.Client(cluster) as client):
            yield client.get_executor()
    else:
        callers = multiprocessing.active_children()
        with concurrent.futures.ProcessPoolExecutor(
                workers, multiprocessing.get_context("spawn"), _ignore_interrupt) as pool:
            try:
                yield pool
            finally:
                _end(pool, [process for process in multiprocessing.active_children() if process not in callers])


def _end(pool, workers):
    # What Ctrl-C has left them to do is not waited for, but the pool's thread is: one that still finds cancelled tasks
    # when workers end shows a traceback (CPython 3.11), and leaves them. It takes tasks in their order, so one more
    # that is begun, or cancelled by the shutdown where the queue is full, comes after all of them.
    if workers:
        with contextlib.suppress(concurrent.futures.BrokenExecutor):
            last, until = pool.submit(int), time.monotonic() + 5
            pool.shutdown(wait=False, cancel_futures=True)
            while not (last.running() or last.done()) and time.monotonic() < until:
                time.sleep(0.001)
    for worker in workers:
        worker.terminate()


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


class _Output:
    # Where the network and its figure go. A name that was asked for is written as it is, or the run does not begin;
    # one that was not gets a number where it is taken.
    def __init__(self, settings, given, force):
        self.replaces = "output" in given
        if self.replaces:
            figure = figure_beside(Path(given["output"]))
            check_outputs("--output", [given["output"], *([] if figure is None else [figure])], force)
        self.path = Path(settings["output"])
        self.there = self.path.exists()
        check_outputs("--output", [path for path in self.paths() if path is not None], True)

    def paths(self):
        path = self.path
        # also a name that was free when the run began, and is not any more
        if not (self.replaces and (self.there or not path.exists())):
            path = free_output(path)
        return path, figure_beside(path)


def _check(arguments, settings, given):
    from ..evolution.islands import MOST_ISLANDS

    if settings["islands"] > MOST_ISLANDS:
        raise CommandError(f"--islands is at most {MOST_ISLANDS}; got {settings['islands']}")
    if settings["elite"] > settings["population"]:
        raise CommandError(f"--elite {settings['elite']} is more than --population {settings['population']}")
    if arguments.ablation:
        idle = [f"--{name.replace('_', '-')}" for name in given if name not in _OF_ABLATION]
        idle += [f"--{name}" for name in ("workers", "executor", "checkpoint", "resume")
                 if getattr(arguments, name) is not None]
        idle += ["--compare-sgd"] * arguments.compare_sgd
        if idle:
            raise CommandError(f"--ablation runs its own recipes: {', '.join(idle)} would do nothing")
    if arguments.compare_sgd and settings["objective"] == "mse":
        raise CommandError("--compare-sgd trains a classifier; --objective mse learns values")
    if arguments.compare_sgd:
        from ..learning.layers import Activation

        try:
            Activation(settings["activation"])
        except ValueError as error:
            raise CommandError(f"--compare-sgd needs an activation with a backward: {error}") from None
    if arguments.executor is not None and arguments.workers is None:
        say("--executor does nothing without --workers")
    if arguments.workers is not None and arguments.workers > settings["islands"]:
        say(f"--workers {arguments.workers} of which {arguments.workers - settings['islands']} do nothing: there are "
            f"as many islands as --islands says, {settings['islands']}")


def run(arguments):
    """Evolve, and report."""
    require("matplotlib", "demo")
    from ..evolution import evolve
    from ..evolution.checkpoint import Destination
    from ..evolution.classifier import Classifier
    from ..evolution.network import ACTIVATIONS
    from .figures import learning_curve

    settings, given = _settings(arguments)
    _check(arguments, settings, given)
    kept = arguments.checkpoint if arguments.checkpoint is not None else arguments.resume
    result = given.get("output")
    refuse_what_is_read("--output", result, (settings["data"], settings["start"], arguments.resume))
    if result is not None and kept is not None and os.path.realpath(result) == os.path.realpath(kept):
        raise CommandError(f"--output {result}: the checkpoint is kept there; choose another name for the result")
    refuse_what_is_read("--checkpoint", kept, (settings["data"], settings["start"]))
    if kept is not None:
        goes_on = arguments.resume is not None and os.path.realpath(kept) == os.path.realpath(arguments.resume)
        check_outputs("--checkpoint", [kept], arguments.force or goes_on)
    if settings["activation"] not in ACTIVATIONS:
        raise CommandError(f"--activation {settings['activation']}: expected one of {', '.join(ACTIVATIONS)}")
    start = read_start(settings, given)
    data = load_data(settings["data"] and shown(settings["data"]), settings["label"], settings["objective"] == "mse")
    outputs = len(data.classes) if data.classes is not None else data.y.shape[1]
    network, data = network_and_data(settings, start, data, outputs)
    batch, tested = (network.batch((x - data.offset) * data.scale, y if data.classes is not None else
                                   (y - data.target_offset) * data.target_scale)
                     for x, y in ((data.x, data.y), (data.x_held_out, data.y_held_out)))
    if arguments.ablation:
        return _ablation(settings, given, arguments.force, network, batch, tested)
    output = _Output(settings, given, arguments.force)
    if start is not None:
        before = f"loss {network.loss(start.genome, tested):.4f}"
        if data.classes is not None:
            before += f", accuracy {network.accuracy(start.genome, tested):.2%}"
        say(f"Starting from {shown(settings['start'])}, as codes of {network.codebook.name}: held-out {before}")
    say("Evolving ", ("-".join(map(str, network.sizes)), "bold"), f" in {network.codebook.name} codes on ",
        (data.name, "bold"), f": {len(batch)} rows, {len(tested)} held out, no gradient. ",
        ("Ctrl-C keeps the best so far.", "dim"))
    failed = None
    with _executor(arguments, settings["islands"]) as executor, _terminable():
        try:
            result = evolve(
                network, batch, **{name: settings[name] for name in (
                    "population", "elite", "mutation", "mutation_rate", "niche_radius", "generations", "seconds",
                    "target_loss", "patience", "restart_after", "seed", "islands")},
                batch_size=settings["batch_size"] or None, executor=executor,
                start=None if start is None else start.genome,
                held_out=tested,
                checkpoint=None if kept is None else Destination(kept, {"settings": settings}),
                resume=arguments.resume)
        except (ValueError, OSError, RuntimeError) as error:  # also of a fitness, or a worker that died
            if getattr(error, "result", None) is None or not len(error.result.history):
                raise CommandError(in_words(error)) from None
            failed, result = error, error.result
    if not len(result.history):
        say("Interrupted before the first generation: nothing to keep.")
        return 130
    if result.resumed == len(result.history):
        say(f"{arguments.resume} is of a finished run ({result.stopped}): nothing was left to do. More --generations "
            "or --seconds go on.")
    classifier = Classifier(network, result.genome, data.classes, data.offset, data.scale, data.target_offset,
                            data.target_scale, data.features, data.label)
    npz, png = output.paths()
    npz, error = keep(npz, classifier.save)
    failed = failed or error
    if png is not None:
        try:
            learning_curve(result.history, network, data.name, png)
        except OSError as error:
            failed, png = failed or error, None
    _report(result, classifier, data, tested, npz, png)
    if arguments.compare_sgd:
        _compare_sgd(result, network, data, len(batch), tested, settings)
    if failed is not None:
        raise CommandError(f"{failed}; the best network is in {npz}")
    return 130 if result.stopped == "interrupted" else 0


def _ablation(settings, given, force, network, batch, tested):
    from ..evolution import GENERATIONS
    from ..files import free_name, replacing
    from ..measure import ablation
    from .figures import comparison

    output = Path(settings["output"])
    stem = output.with_suffix("") if output.suffix in (".npz", ".md", ".png") else output
    if "output" not in given:
        stem = free_name(stem, lambda path: any(os.path.lexists(f"{path}{suffix}") for suffix in (".md", ".png")))
    markdown, png = Path(f"{stem}.md"), Path(f"{stem}.png")
    check_outputs("--output", [markdown, png], force)
    generations = settings["generations"] or GENERATIONS
    seeds = range(settings["seed"], settings["seed"] + 3)
    histories = {}
    for name, runs in ablation.compare(network, batch, tested, generations, seeds):
        histories[name] = runs
        say((f"{name}: done", "dim"))
    table = ablation.table(histories)
    show(table)

    def write(path):
        with replacing(path) as file:
            file.write(f"{table}\n".encode())

    markdown, failed = keep(markdown, write)
    if failed is not None:
        raise CommandError(f"{failed}; the table is in {markdown}")
    comparison(histories, png)
    show(f"Three seeds each, {generations} generations. ", ("Table: ", "dim"), str(markdown), (" Figure: ", "dim"),
         str(png))
    return 0


def _compare_sgd(result, network, data, rows, tested, settings):
    # one table: evolution of codes, and the chain rule in float32
    from ..learning import training
    from ..measure.learning import uninterrupted

    x, held_out = scaled(data)
    trained = training.classifier(network.sizes, settings["activation"], settings["seed"])
    found = uninterrupted(training.train(trained, x, data.y, rng=settings["seed"],
                                         held_out=(held_out, data.y_held_out)))
    batch = min(settings["batch_size"] or rows, rows)
    generations = len(result.history)
    evolved = generations * settings["population"] * settings["islands"] * batch * network.n_weights
    size = sum(each.nbytes for each in trained.parameters().values())
    lines = (
        ("evolution, no gradient", network.accuracy(result.genome, tested), result.history["seconds"][-1],
         network.genome_bytes, evolved),
        ("AdamW, the chain rule", found.history["accuracy"][-1], found.history["seconds"][-1], size,
         found.multiply_adds))
    show_table(
        f"{'-'.join(map(str, network.sizes))} on {data.name}: {generations} generations, {len(found.history)} epochs",
        ["", ">held-out accuracy", ">seconds", ">bytes", ">multiply-adds"],
        [[name, f"{accuracy:.2%}", f"{seconds:.2f}", f"{bytes_:,}", f"{products:.2e}"]
         for name, accuracy, seconds, bytes_, products in lines],
        "Multiply-adds are of forward passes and, of the chain rule, of the two products of its backward.")


def _report(result, classifier, data, tested, npz, png):
    network, history = classifier.network, result.history
    float32_bytes = 4 * network.n_weights
    if data.classes is not None:
        held_out = [("held-out accuracy", f"{network.accuracy(result.genome, tested):.2%}")]
    else:
        errors = (classifier.predict(data.x_held_out).reshape(data.y_held_out.shape) - data.y_held_out) ** 2
        held_out = [("held-out loss", f"{network.loss(result.genome, tested):.4f} of the variance"),
                    ("held-out error", f"{errors.mean() ** 0.5:.4g}, root mean square")]
    show()
    for name, value in (
            *held_out, ("best loss", f"{result.loss:.4f}"),
            ("time", f"{history['seconds'][-1]:.1f} s for {len(history)} generations"
                     f"{'' if result.stopped == 'generations' else f' ({result.stopped})'}"),
            ("genome", f"{network.genome_bytes:,} bytes; in float32 {float32_bytes:,} "
                       f"({float32_bytes / network.genome_bytes:.0f} times as many)"),
            ("network", str(npz)), *([] if png is None else [("learning curve", str(png))])):
        show((f"  {name:<19}", "dim"), (value, "bold"))
    show()
