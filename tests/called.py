"""What each public function must be given, by the names of its parameters, so that tests go through all of them."""

import inspect

import lanewise as lw
import numpy as np

RNG = np.random.default_rng(0)
# what is optional to a function, and still given
ALSO = {("batch_norm", "running_mean"), ("batch_norm", "running_var"), ("reparameterize", "rng"),
        ("reparameterize_backward", "rng")}


def parameters(name):
    """The parameters of a public function; none of a ufunc."""
    function = getattr(lw, name)
    return inspect.signature(function).parameters if not isinstance(function, np.ufunc) else {}


def is_elementwise(name):
    """Whether it is a ufunc, or takes a ufunc's keywords: NumPy converts what it is given, and has its errors."""
    return isinstance(getattr(lw, name), np.ufunc) or "keywords" in parameters(name)


def operands(name, shape, dtype, optional=False):
    """What a function is given for rows of a shape, by name, those that may be left out too where they are arrays; of a
    ufunc by number."""
    function, n = getattr(lw, name), shape[-1]

    def numbers(*size):
        return RNG.uniform(0.1, 0.9, size).astype(dtype)

    if isinstance(function, np.ufunc):
        return {k: numbers(*shape) for k in range(function.nin)}
    channels = name.startswith(("batch_norm", "group_norm", "instance_norm"))
    lengths = {**dict.fromkeys(("running_mean", "running_var"), shape[1:2]), **dict.fromkeys(("cos", "sin"), (n // 2,)),
               **dict.fromkeys(("weight", "bias"), shape[1:2] if channels else (n,)), "pos_weight": (n,),
               **dict.fromkeys(("mean", "rstd"), shape[:-1])}
    if channels:
        groups = () if name.startswith("batch") else (shape[0],)
        lengths |= dict.fromkeys(("mean", "rstd"), (*groups, 2 if name.startswith("group") else shape[1]))
    if name.startswith("linear"):
        lengths["weight"] = (n, n)
    if name.startswith(("logsumexp", "kl_")):
        lengths["grad"] = shape[:-1]
    if name == "glu_backward":
        lengths["grad"] = (*shape[:-1], n // 2)
    made = {"num_groups": 2, "rng": 5, "threshold": 0.5, "value": 0.25}
    if "reduction" in parameters(name):
        made["grad"] = 1.0
    if name.startswith("dropout"):
        made["p"] = 0.4
    if not name.startswith(("mse", "l1", "huber", "binary")):
        made["target"] = RNG.integers(0, n, shape[:-1])
    arrays = {*lengths, "where", "mask", "b"} if optional and not is_elementwise(name) else set()
    made |= {role: RNG.random(shape) < 0.8 for role in ("where", "mask")}
    return {role: made[role] if role in made else numbers(*lengths.get(role, shape))
            for role, parameter in parameters(name).items() if parameter.kind is not parameter.VAR_KEYWORD and (
                parameter.default is parameter.empty or (name, role) in ALSO or role in arrays)}
