"""The numbers that a parameter has where none is given: of every public function, those of the sources that its
documentation names. A changed one would be another function."""

import inspect
import math

import lanewise as lw
import numpy as np
import pytest

EPS = 1e-5  # of PyTorch's norms
DEFAULTS = {  # of a forward; a backward has them too
    "act_halting": {"eps": 0.01}, "adamw_step": {"lr": 1e-3, "eps": 1e-8, "weight_decay": 0.01},
    "add_rms_norm": {"eps": 1e-6}, "batch_norm": {"momentum": 0.1, "eps": EPS}, "celu": {"alpha": 1.0},
    "clip_grad_norm": {"norm_type": 2.0}, "cross_entropy": {"label_smoothing": 0.0, "z_loss": 0.0},
    "dropout": {"generation": 0}, "elu": {"alpha": 1.0}, "group_norm": {"eps": EPS},
    "gradient_flow": {"depth": 20, "width": 128, "gain": 1.0, "batch": 64, "rng": 0}, "hardshrink": {"lambd": 0.5},
    "hardsigmoid": {"alpha": 1 / 6, "beta": 0.5}, "hardtanh": {"min_val": -1.0, "max_val": 1.0},
    "he_normal": {"generation": 0}, "he_uniform": {"generation": 0}, "huber": {"delta": 1.0},
    "instance_norm": {"momentum": 0.1, "eps": EPS}, "layer_norm": {"eps": EPS}, "leaky_relu": {"negative_slope": 0.01},
    "masked_softmax": {"scale": 1.0, "offset": 0}, "normalize": {"p": 2, "eps": 1e-12},
    "ponder_loss": {"prior": 0.2, "beta": 0.01}, "reparameterize": {"generation": 0}, "rms_norm": {"eps": 1e-6},
    "rotary_tables": {"base": 10000.0}, "sample_halting": {"generation": 0},
    "selu": {"alpha": 1.6732632423543772848, "gamma": 1.0507009873554804934},  # Klambauer et al., 2017
    "sgd_step": {"momentum": 0.0, "dampening": 0.0, "weight_decay": 0.0},
    "softplus": {"beta": 1.0, "threshold": math.inf}, "softshrink": {"lambd": 0.5}, "squareplus": {"b": 4.0},
    "swiglu": {"beta": 1.0, "limit": math.inf, "shift": 0.0}, "swish": {"beta": 1.0},
    "xavier_normal": {"gain": 1.0, "generation": 0}, "xavier_uniform": {"gain": 1.0, "generation": 0},
}
FUNCTIONS = [name for name in lw.__all__
             if inspect.isfunction(getattr(lw, name)) or callable(getattr(getattr(lw, name), "__wrapped__", None))]


def numbers_of(name):
    return {role: parameter.default for role, parameter in inspect.signature(getattr(lw, name)).parameters.items()
            if isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
            and role != "axis"}


def forward_of(name):
    return name.removesuffix("_backward").removesuffix("_with_grad")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_numbers_by_default(name):
    found = numbers_of(name)
    expected = DEFAULTS.get(forward_of(name), {})
    assert found == {role: number for role, number in expected.items() if role in found}
    if name in DEFAULTS:
        assert found == expected


def test_every_default_is_of_a_function():
    assert set(DEFAULTS) <= set(FUNCTIONS)
    assert len(FUNCTIONS) > 80


def test_betas_of_adamw():
    assert inspect.signature(lw.adamw_step).parameters["betas"].default == (0.9, 0.999)


def test_selu_keeps_zero_mean_and_unit_variance():
    """What alpha and gamma are for: over a standard normal x, selu(x) has the mean 0 and the mean square 1."""
    x, step = np.linspace(-12, 12, 2_000_001, retstep=True)
    density = np.exp(-x * x / 2) / math.sqrt(2 * math.pi) * step
    y = lw.selu(x)
    assert abs((y * density).sum()) < 1e-9
    assert abs((y * y * density).sum() - 1) < 1e-9
