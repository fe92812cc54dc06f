"""``lanewise flow``: how signals and gradients fare in a deep stack of layers. The numbers are `lw.gradient_flow`'s."""

from ..terminal import show, show_table
from . import CommandError, add_force, check_figure, in_words
from . import option_types as types


def add_flow_parser(subparsers):
    """Add ``flow`` and its options."""
    parser = subparsers.add_parser(
        "flow", help="see gradients vanish, explode or pass through a deep stack",
        description="Send a batch forward through a deep stack of equal layers, and a gradient backward: a line for "
                    "each layer says how large its output is, how large the gradient that it passes on, in units of "
                    "what arrives at the top, and how steep its activation. docs/gradient-flow.md says what to try.")
    add = parser.add_argument
    add("--depth", type=types.positive(int), default=20, metavar="N", help="layers (default: 20)")
    add("--width", type=types.positive(int), default=128, metavar="N", help="of each layer (default: 128)")
    add("--activation", default="tanh,relu", metavar="NAMES",
        help="one or more, separated by commas, each a line of the figure; identity for none (default: tanh,relu)")
    add("--norm", choices=("layer_norm", "rms_norm", "batch_norm"), help="before each activation (default: none)")
    add("--init", default="he_uniform",
        choices=("xavier_uniform", "xavier_normal", "he_uniform", "he_normal", "identity"),
        help="how weights are drawn (default: he_uniform)")
    add("--gain", default="1.4142135623730951", metavar="GAIN",
        help="a number, or the name of an activation (default: that of relu, the square root of 2)")
    add("--lr", type=types.positive(float), metavar="RATE",
        help="take a step of gradient descent, and go forward again")
    add("--seed", type=types.seed, default=0, metavar="N", help="the seed (default: 0)")
    add("--output", metavar="FILE", help="where a figure goes, if one is wanted")
    add_force(parser)
    parser.set_defaults(run=run)


def _number(text):
    try:
        return float(text)
    except ValueError:
        return text


def _gain(text):
    # as it is shown
    number = _number(text)
    return number if isinstance(number, str) else f"{number:.4g}"


def run(arguments):
    """Compute, print and draw."""
    from ..learning import gradient_flow

    if arguments.output is not None:
        check_figure("--output", arguments.output, arguments.force)
    found = {}
    for activation in arguments.activation.split(","):
        try:
            found[activation] = gradient_flow(
                arguments.depth, arguments.width, activation.strip(), arguments.norm, arguments.init,
                _number(arguments.gain), rng=arguments.seed, lr=arguments.lr)
        except (TypeError, ValueError) as error:  # an activation may need parameters, which no option gives
            raise CommandError(in_words(error)) from None
    for activation, flow in found.items():
        again = flow.updated is not None
        rows = [[str(k + 1), *(f"{values[k]:.3g}" for values in (flow.activation, flow.gradient, flow.slope)),
                 *([f"{flow.updated[k]:.3g}"] if again else [])] for k in range(arguments.depth)]
        show_table(f"{activation}, {arguments.norm or 'no norm'}, {arguments.init}, gain {_gain(arguments.gain)}",
                   [">layer", ">output", ">gradient", ">slope", *([">output after a step"] if again else [])], rows)
    if arguments.output is not None:
        from .figures import flows

        try:
            flows(found, f"{arguments.depth} layers of {arguments.width}, {arguments.norm or 'no norm'}, "
                         f"{arguments.init}, gain {_gain(arguments.gain)}", arguments.output)
        except (OSError, ValueError) as error:
            raise CommandError(in_words(error)) from None
        show(("figure: ", "dim"), (arguments.output, "bold"))
    return 0
