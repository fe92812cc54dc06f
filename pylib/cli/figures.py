"""Figures of a run, drawn by matplotlib (the extra ``demo``): the learning curve."""

import os

import numpy as np

from ..files import replacing

__all__ = ["check_format", "comparison", "exponent_histogram", "flows", "learning_curve",
           "training_curve"]

_LOSS, _ACCURACY, _DIVERSITY, _QUIET = "#3b5b92", "#d1495b", "#2a9d8f", "#6b7280"


def _format(path):
    # what the name asks for; .png if nothing
    return os.path.splitext(os.fspath(path))[1][1:].lower() or "png"


def check_format(path):
    """Raise ValueError if a figure cannot have the format that its name asks for."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    known = sorted(FigureCanvasAgg.get_supported_filetypes())
    if _format(path) not in known:
        raise ValueError(f"a figure is a file of {', '.join('.' + name for name in known)}; got {path}")


def _save(figure, path):
    with replacing(path) as file:
        figure.savefig(file, format=_format(path))
    return path


def _scale(values):
    # that of an axis: one of logarithms cannot be drawn where there is nothing to show on it
    return "log" if (np.isfinite(values) & (values > 0)).any() else "linear"


def learning_curve(history, network, name, path):
    """Draw best and mean loss, accuracy or loss held out, diversity and mutation rate against generations.

    Parameters
    ----------
    history : structured ndarray
        As in `lanewise.evolution.HISTORY`.
    network : Network
    name : str
        What it learned from.
    path : path-like

    Returns
    -------
    path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import FuncFormatter

    generation = history["generation"]
    figure = Figure(figsize=(8, 6), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    losses, below = figure.subplots(2, height_ratios=(3, 1), sharex=True)
    accuracies = losses.twinx()
    finite = np.where(np.isfinite(history["mean_loss"]), history["mean_loss"], np.nan)
    losses.fill_between(generation, history["loss"], finite, color=_LOSS, alpha=0.12, linewidth=0)
    losses.plot(generation, history["loss"], color=_LOSS, linewidth=2)
    losses.set(xlim=(1, max(len(generation), 2)), yscale=_scale(history["loss"]))
    losses.set_ylabel("loss of the best (shaded: up to the mean)", color=_LOSS)
    losses.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    losses.yaxis.set_minor_formatter(FuncFormatter(lambda y, _: ""))
    if np.isnan(history["accuracy"]).all():  # nothing held out, or values and not classes
        accuracies.set_axis_off()
        _draw_held_out_loss(losses, generation, history["held_out_loss"])
    else:
        _draw_accuracy(accuracies, generation, history["accuracy"])
    for axes in (losses, accuracies):
        axes.spines[["top"]].set_visible(False)
        axes.tick_params(colors=_QUIET)
        axes.set_zorder(1 if axes is losses else 0)
    losses.patch.set_visible(False)
    rates = below.twinx()
    below.plot(generation, history["diversity"], color=_DIVERSITY, linewidth=1.5)
    below.set(xlabel="generation", ylim=(0, None))
    below.locator_params(axis="x", integer=True)
    below.set_ylabel("bits that differ", color=_DIVERSITY)
    rates.plot(generation, history["mutation_rate"], color=_QUIET, linewidth=1.5, linestyle=(0, (4, 2)))
    rates.set(ylim=(0, None))
    rates.set_ylabel("bits flipped", color=_QUIET)
    for axes in (below, rates):
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:g}%"))
        axes.spines[["top"]].set_visible(False)
        axes.tick_params(colors=_QUIET)
    sizes = "-".join(map(str, network.sizes))
    losses.set_title(f"{sizes} network of 4-bit weights, evolved on {name} without a gradient",
                     loc="left", pad=24, weight="bold", size=12)
    losses.text(0, 1.02, f"{network.genome_bytes:,} bytes of genome, {len(generation):,} generations in "
                         f"{history['seconds'][-1]:.1f} s", transform=losses.transAxes, color=_QUIET)
    return _save(figure, path)


def _draw_accuracy(axes, generation, accuracy):
    from matplotlib.ticker import PercentFormatter

    axes.plot(generation, accuracy, color=_ACCURACY, linewidth=2)
    axes.set(ylim=(0, 1.02))
    axes.set_ylabel("held-out accuracy", color=_ACCURACY)
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.annotate(f"{accuracy[-1]:.1%}", (generation[-1], accuracy[-1]), xytext=(-6, -18), textcoords="offset points",
                  ha="right", color=_ACCURACY, weight="bold", size=13)
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)


def _draw_held_out_loss(axes, generation, loss):
    if np.isnan(loss).all():
        return
    axes.plot(generation, loss, color=_ACCURACY, linewidth=2)
    axes.annotate(f"held-out loss {loss[-1]:.4g}", (generation[-1], loss[-1]), xytext=(-6, 8),
                  textcoords="offset points", ha="right", color=_ACCURACY, weight="bold", size=11)


def training_curve(history, sizes, name, path):
    """Draw loss and held-out accuracy against epochs.

    Parameters
    ----------
    history : structured ndarray
        As in lanewise.learning's training.py.
    sizes : sequence of int
        Of the network's layers.
    name : str
        What it learned from.
    path : path-like

    Returns
    -------
    path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    epoch = np.arange(1, len(history) + 1)
    figure = Figure(figsize=(8, 5), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    losses = figure.add_subplot()
    accuracies = losses.twinx()
    losses.plot(epoch, history["loss"], color=_LOSS, linewidth=2)
    losses.set(xlim=(1, max(len(history), 2)), yscale=_scale(history["loss"]), xlabel="epoch")
    losses.locator_params(axis="x", integer=True)
    losses.set_ylabel("loss", color=_LOSS)
    if not np.isnan(history["accuracy"]).all():
        _draw_accuracy(accuracies, epoch, history["accuracy"])
    for axes in (losses, accuracies):
        axes.spines[["top"]].set_visible(False)
        axes.tick_params(colors=_QUIET)
    losses.set_title(f"{'-'.join(map(str, sizes))} network, trained on {name} in {history['seconds'][-1]:.2f} s",
                     loc="left", weight="bold", size=12)
    return _save(figure, path)


def flows(found, title, path):
    """Draw activations, gradients and slopes of deep stacks, layer by layer.

    Activations after a step of gradient descent are dashed lines beside those before it.

    Parameters
    ----------
    found : dict of GradientFlow
        By what a line is called.
    title : str
    path : path-like

    Returns
    -------
    path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    parts = figure.subplots(1, 3)
    for name, flow in found.items():
        layer = np.arange(1, len(flow.activation) + 1)
        for axes, values in zip(parts, (flow.activation, flow.gradient, flow.slope), strict=True):
            (line,) = axes.plot(layer, np.where(np.isfinite(values) & (values > 0), values, np.nan), linewidth=2,
                                label=name)
        if flow.updated is not None:
            parts[0].plot(layer, np.where(np.isfinite(flow.updated) & (flow.updated > 0), flow.updated, np.nan),
                          "--", color=line.get_color(), linewidth=2, label=f"{name}, after a step")
    for axes, label in zip(parts, ("size of a layer's output", "size of the gradient passed on", "mean slope"),
                           strict=True):
        axes.set(xlabel="layer", xlim=(1, None))
        axes.locator_params(axis="x", integer=True)
        axes.set_title(label, loc="left", size=10)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(which="both", colors=_QUIET)
        axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    for axes, shown in zip(parts, (("activation", "updated"), ("gradient",)), strict=False):
        values = [getattr(flow, part) for flow in found.values() for part in shown]
        axes.set_yscale(_scale(np.concatenate([each for each in values if each is not None])))
    parts[2].set_ylim(0, None)
    figure.legend(*parts[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(title, x=0.01, ha="left", weight="bold", size=12)
    return _save(figure, path)


def comparison(histories, path):
    """Draw the held-out accuracy of several recipes against generations.

    Parameters
    ----------
    histories : dict of lists of structured ndarrays
        By the recipe's name, one history for each seed: the median is drawn.
    path : path-like

    Returns
    -------
    path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import PercentFormatter

    figure = Figure(figsize=(8, 5), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for i, (name, runs) in enumerate(histories.items()):
        median = np.median([history["accuracy"] for history in runs], axis=0)
        axes.plot(np.arange(1, len(median) + 1), median, linewidth=2.5 if i == 0 else 1.3,
                  linestyle="-" if i < 10 else "--",  # there are ten colours
                  label=f"{median[-1]:.1%}  {name}", zorder=10 if i == 0 else 2)
    axes.set(xscale="log", xlabel="generation", ylabel="held-out accuracy", ylim=(0, 1.02))
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="y", color="#e5e7eb", linewidth=0.8)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=9)
    return _save(figure, path)


def exponent_histogram(statistics, name, path):
    """Draw how many numbers have each exponent, over the range that each format covers.

    Parameters
    ----------
    statistics : lanewise.ieee754.FieldStatistics
    name : str
        Whose numbers they are.
    path : path-like

    Returns
    -------
    path
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    low, high = statistics.exponent_range or (0, 0)
    exponents = np.arange(low, high + 1)
    counts = statistics.exponents[low + statistics.format.bias : high + statistics.format.bias + 1]
    formats = list(statistics.losses)
    figure = Figure(figsize=(8, 3.2 + 0.32 * len(formats)), dpi=160, layout="constrained")
    FigureCanvasAgg(figure)
    bars, ranges = figure.subplots(2, 1, sharex=True, height_ratios=[3, 0.38 * max(len(formats), 1)])
    bars.bar(exponents, 100 * counts / max(statistics.size, 1), width=0.9, color=_LOSS)
    bars.set_ylabel("% of the numbers")
    for row, format in enumerate(formats):
        subnormal = format.smallest_exponent - (format.mantissa_bits if format.has_subnormals else 0)
        ranges.barh(row, format.largest_exponent - format.smallest_exponent + 1,
                    left=format.smallest_exponent - 0.5, height=0.56, color=_LOSS)
        ranges.barh(row, format.smallest_exponent - subnormal, left=subnormal - 0.5, height=0.56, color=_LOSS,
                    alpha=0.3)
    margin = max(3, (high - low) // 10)
    ranges.set_xlim(low - margin, high + margin)
    ranges.set_yticks(range(len(formats)), [format.name for format in formats])
    ranges.invert_yaxis()
    ranges.set_xlabel("exponent: floor(log2 |x|); pale: only as subnormals, with fewer bits")
    for axes in (bars, ranges):
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=_QUIET)
    bars.set_title(f"{name}: {statistics.size:,} numbers of {statistics.format.name}", loc="left", weight="bold",
                   size=12)
    return _save(figure, path)
