"""The accuracy contract: the largest error of each function, in ULP of the exact result, as data.

Docstrings and docs/accuracy.md quote this table and the tests assert it: of float32 over samples (and, as
docs/accuracy.md counts, over all 2^32 inputs), of float16 and bfloat16 over all 65 536, of float64 over adversarial
samples, of functions along an axis over millions of numbers in random rows. A backward's bound is for its given inputs,
where the slope is a normal number or the gradient is 1: a slope below the smallest normal number has fewer digits,
which a large gradient shows.

Every public function of floats is here. One that is by definition another, of the same numbers or their negatives, has
that one's name in place of its bounds."""

from collections import ChainMap

__all__ = ["bound", "functions", "of"]

SIXTEEN = 0.51  # computed in float32 and rounded once

BOUNDS = {
    "exp": {"float32": 1.0, "float64": 1.0},
    "expm1": {"float32": 1.0, "float64": 1.0},
    "log": {"float32": 1.0, "float64": 1.0},
    "log1p": {"float32": 1.0, "float64": 1.0},
    "log1mexp": {"float32": 3.0, "float64": 3.0},
    "erf": {"float32": 1.0, "float64": 1.0},
    "erfc": {"float32": 1.0, "float64": 2.0},
    "relu": {"float32": 0.0, "float64": 0.0},
    "relu_backward": {"float32": 0.0, "float64": 0.0},
    "relu6": {"float32": 0.0, "float64": 0.0},
    "relu6_backward": {"float32": 0.0, "float64": 0.0},
    "relu_squared": {"float32": 0.5, "float64": 0.5},
    "relu_squared_backward": {"float32": 1.0, "float64": 1.0},
    "leaky_relu": {"float32": 0.5, "float64": 0.5},
    "leaky_relu_backward": {"float32": 0.5, "float64": 0.5},
    "prelu": {"float32": 0.5, "float64": 0.5},
    "sigmoid": {"float32": 1.0, "float64": 1.0},
    "sigmoid_backward": {"float32": 2.0, "float64": 2.0},
    "tanh": {"float32": 1.0, "float64": 1.0},
    "tanh_backward": {"float32": 2.0, "float64": 2.0},
    "silu": {"float32": 1.0, "float64": 1.0},
    "silu_backward": {"float32": 2.0, "float64": 2.0},
    "swish": {"float32": 1.0, "float64": 2.0},
    "swish_backward": {"float32": 2.0, "float64": 2.0},
    "gelu": {"float32": 1.0, "float64": 2.0},
    "gelu_backward": {"float32": 2.0, "float64": 2.0},
    "gelu_tanh": {"float32": 1.0, "float64": 2.0},
    "gelu_tanh_backward": {"float32": 2.0, "float64": 2.0},
    "mish": {"float32": 1.0, "float64": 2.0},
    "mish_backward": {"float32": 2.0, "float64": 2.0},
    "softplus": {"float32": 1.0, "float64": 2.0},
    "softplus_backward": {"float32": 2.0, "float64": 2.0},
    "logsigmoid": {"float32": 1.0, "float64": 2.0},
    "logsigmoid_backward": {"float32": 2.0, "float64": 2.0},
    "elu": {"float32": 1.0, "float64": 2.0},
    "elu_backward": {"float32": 2.0, "float64": 2.0},
    "celu": {"float32": 1.0, "float64": 2.0},
    "celu_backward": {"float32": 2.0, "float64": 2.0},
    "selu": {"float32": 1.0, "float64": 2.0},
    "selu_backward": {"float32": 2.0, "float64": 2.0},
    "softsign": {"float32": 1.0, "float64": 1.0},
    "softsign_backward": {"float32": 2.0, "float64": 2.0},
    "tanhshrink": {"float32": 1.0, "float64": 2.0},
    "tanhshrink_backward": {"float32": 2.0, "float64": 2.0},
    "squareplus": {"float32": 1.0, "float64": 1.0},
    "squareplus_backward": {"float32": 2.0, "float64": 2.0},
    "hardsigmoid": {"float32": 1.0, "float64": 1.0},
    "hardsigmoid_backward": {"float32": 1.0, "float64": 1.0},
    "hardswish": {"float32": 1.0, "float64": 1.0},
    "hardswish_backward": {"float32": 1.5, "float64": 1.5},
    "hardtanh": {"float32": 0.0, "float64": 0.0},
    "hardtanh_backward": {"float32": 0.0, "float64": 0.0},
    "softshrink": {"float32": 0.5, "float64": 0.5},
    "softshrink_backward": {"float32": 0.0, "float64": 0.0},
    "hardshrink": {"float32": 0.0, "float64": 0.0},
    "hardshrink_backward": {"float32": 0.0, "float64": 0.0},
    "threshold": {"float32": 0.0, "float64": 0.0},
    "threshold_backward": {"float32": 0.0, "float64": 0.0},
    "swiglu": {"float32": 1.0, "float64": 2.0},
    "geglu": {"float32": 1.25, "float64": 2.0},
    "reglu": {"float32": 0.5, "float64": 0.5},
}

# Gated units of the halves of an array, and the backwards of all gated units: each of two gradients keeps the bound. To
# the gradient with respect to the gate, not only the slope must be a normal number, but also the slope times `up`.
GATE_BOUNDS = {
    "glu": {"float32": 1.0, "float64": 1.0},
    "glu_backward": {"float32": 2.0, "float64": 2.0},
    "swiglu_backward": {"float32": 2.0, "float64": 2.0},
    "geglu_backward": {"float32": 2.0, "float64": 2.0},
    "reglu_backward": {"float32": 0.5, "float64": 0.5},
}

# Functions along an axis, and prelu's backward, which sums; for rows of up to 10 000 elements. Where a result cancels
# (a difference near 0), its error is counted in ULP of the terms that cancel, or of the root mean square of the row's
# exact results, or, of layer_norm, of the weight if that is larger; such functions are in CANCELLING.
ROW_BOUNDS = {
    "rms_norm": {"float32": 2.5, "float64": 4.0},
    "rms_norm_backward": {"float32": 5.0, "float64": 5.0},
    "add_rms_norm": {"float32": 4.0, "float64": 5.0},
    "layer_norm": {"float32": 4.0, "float64": 5.0},
    "layer_norm_backward": {"float32": 4.0, "float64": 5.0},
    "batch_norm": {"float32": 4.0, "float64": 6.0},
    "batch_norm_backward": {"float32": 3.5, "float64": 3.0},
    "group_norm": {"float32": 4.0, "float64": 5.0},
    "group_norm_backward": {"float32": 4.0, "float64": 5.0},
    "instance_norm": "group_norm",
    "instance_norm_backward": "group_norm_backward",
    "normalize": {"float32": 2.0, "float64": 4.0},
    "normalize_backward": {"float32": 5.0, "float64": 14.0},
    "softmax": {"float32": 4.0, "float64": 6.0},
    "softmax_backward": {"float32": 6.0, "float64": 6.0},
    "masked_softmax": {"float32": 5.0, "float64": 8.0},
    "softmin": "softmax",
    "masked_softmax_backward": {"float32": 6.0, "float64": 6.0},
    "softmin_backward": "softmax_backward",
    "log_softmax": {"float32": 1.5, "float64": 1.5},
    "log_softmax_backward": {"float32": 2.5, "float64": 5.0},
    "logsumexp": {"float32": 1.0, "float64": 4.0},
    "logsumexp_backward": {"float32": 4.0, "float64": 7.0},
    "rotary_embedding": {"float32": 1.5, "float64": 1.5},
    "rotary_embedding_backward": "rotary_embedding",
    "rotary_tables": {"float32": 0.51, "float64": 3.0},
    "cross_entropy": {"float32": 3.5, "float64": 4.0},
    "cross_entropy_with_grad": {"float32": 3.5, "float64": 4.0},
    "cross_entropy_backward": {"float32": 3.0, "float64": 4.0},
    "nll_loss": {"float32": 0.51, "float64": 1.0},
    "nll_loss_backward": {"float32": 0.51, "float64": 1.5},
    "mse": {"float32": 2.0, "float64": 2.0},
    "mse_backward": {"float32": 1.5, "float64": 1.5},
    "l1": {"float32": 0.5, "float64": 0.5},
    "l1_backward": {"float32": 0.5, "float64": 0.5},
    "huber": {"float32": 2.5, "float64": 2.5},
    "huber_backward": {"float32": 1.5, "float64": 1.5},
    "binary_cross_entropy_with_logits": {"float32": 3.5, "float64": 4.0},
    "binary_cross_entropy_with_logits_backward": {"float32": 4.0, "float64": 4.0},
    "prelu_backward": {"float32": 1.0, "float64": 3.0},
}
CANCELLING = {"rms_norm_backward", "layer_norm", "layer_norm_backward", "batch_norm", "batch_norm_backward",
              "group_norm", "group_norm_backward", "instance_norm", "instance_norm_backward", "normalize_backward",
              "softmax_backward", "masked_softmax_backward", "softmin_backward", "rotary_embedding",
              "rotary_embedding_backward", "rotary_tables", "log_softmax_backward", "logsumexp", "cross_entropy",
              "cross_entropy_with_grad", "cross_entropy_backward", "binary_cross_entropy_with_logits_backward",
              "prelu_backward"}

# Of the mean that batch_norm returns in training: ULP, in the precision of x, of the larger of the mean and the
# deviation, in multiples of which results are. Where one number is 2^53 times each of a thousand others, that is some
# 30 ULP of the mean itself.
BATCH_MEAN = 3.0

# Functions for learning: bounds of float32 and float64, and what they are ULP of where that is not the exact result.
# linear's sums are BLAS's, of up to 1000 terms. A product of random numbers is of what the key says, exactly.
LEARNING_BOUNDS = {
    "linear": {"float32": 16.0, "float64": 16.0},
    "linear_backward": {"float32": 16.0, "float64": 16.0},
    "dropout": {"float32": 1.5, "float64": 1.5},
    "dropout_backward": {"float32": 1.5, "float64": 1.5},
    "sgd_step": {"float32": 3.0, "float64": 3.0},
    "adamw_step": {"float32": 4.0, "float64": 4.0},
    "clip_grad_norm": {"float32": 1.5, "float64": 4.0},
    "xavier_uniform": {"float32": 1.0, "float64": 2.0},
    "xavier_normal": {"float32": 0.51, "float64": 4.0},
    "he_uniform": {"float32": 1.0, "float64": 2.0},
    "he_normal": {"float32": 0.51, "float64": 4.0},
    "reparameterize": {"float32": 2.5, "float64": 2.5},
    "reparameterize_backward": {"float32": 3.0, "float64": 3.0},
    "kl_standard_normal": {"float32": 3.5, "float64": 6.0},
    "kl_standard_normal_backward": {"float32": 2.0, "float64": 2.0},
    "halting_distribution": {"float32": 0.51, "float64": 1000.0},
    "ponder_loss": {"float32": 1.0, "float64": 100.0},
    "ponder_loss_with_grad": {"float32": 1.0, "float64": 100.0},
    "ponder_loss_backward": {"float32": 1.5, "float64": 100.0},
    "act_halting": {"float32": 0.51, "float64": 100.0},
    "act_halting_backward": {"float32": 0.51, "float64": 2.0},
}
LEARNING_UNITS = {
    "linear": "the sum of the terms' magnitudes",
    "linear_backward": "the sum of the terms' magnitudes",
    "sgd_step": "the largest of the terms, for each array that is updated",
    "adamw_step": "the largest of the terms, for each array that is updated",
    "xavier_uniform": "the interval's end",
    "he_uniform": "the interval's end",
    "reparameterize": "the larger of mu and what is added to it",
    "halting_distribution": "the exact result, for up to 100 steps and probabilities above 1e-30",
    "ponder_loss": "the largest of the terms, for up to 100 steps",
    "ponder_loss_with_grad": "the largest of the terms, for up to 100 steps",
    "ponder_loss_backward": "the largest of the terms, for up to 100 steps",
    "act_halting": "1, for up to 100 steps",
    "act_halting_backward": "the largest of the terms",
}
_ALL = ChainMap(BOUNDS, GATE_BOUNDS, ROW_BOUNDS)


def functions():
    """The names of all functions that ``lanewise accuracy`` measures: those with a bound but for LEARNING_BOUNDS'."""
    return [*BOUNDS, *GATE_BOUNDS, *ROW_BOUNDS]


def of(function):
    """The bounds in ULP of a function, or of its name, by the name of a dtype: float32 or float64."""
    name = getattr(function, "__name__", function)
    found = LEARNING_BOUNDS.get(name) or _ALL.get(name)
    if found is None:
        raise KeyError(f"no bound of {name!r}: it is no public function of lanewise that computes")
    return of(found) if isinstance(found, str) else found


def bound(function, dtype):
    """The bound of a function in ULP for the name of a dtype."""
    return SIXTEEN if dtype in ("float16", "bfloat16") else of(function)[dtype]
