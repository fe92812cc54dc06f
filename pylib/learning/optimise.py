"""Steps of optimisers, in place, over one array or many at once, and the norm of all gradients. Defaults, checks and
documentation; the arithmetic is kernels/optimise.pyx."""

import math

import numpy as np

from ..environment import unflushed
from ..kernels import normalize as _lengths
from ..kernels import optimise as _kernels
from ..kernels.operands import number_given, share_memory
from ._arrays import computed, floating, from_zero, refuse_mask, truth, whole, with_bound

__all__ = ["adamw_step", "clip_grad_norm", "sgd_step"]

_TAKEN = (np.dtype(np.float32), np.dtype(np.float64))


def _lists(name, roles, operands):
    # one array, or many, for each role
    if isinstance(operands[0], np.ndarray):
        operands = [[operand] for operand in operands]
    found = []
    for role, operand in zip(roles, operands, strict=True):
        if not isinstance(operand, (list, tuple)):
            as_first = "" if role == roles[0] else f" as {roles[0]} is"
            raise TypeError(f"{name}: {role} must be an array{as_first}, or a list of arrays{as_first}, not "
                            f"{type(operand).__name__}")
        if len(operand) != len(operands[0]):
            raise ValueError(f"{name}: {len(operand)} arrays of {role} do not fit {len(operands[0])} of {roles[0]}")
        found.append(operand if isinstance(operand, list) else list(operand))
    return tuple(found)


def _updated(name, role, array, shape):
    # an array that a step changes
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: {role} is updated in place and must be an ndarray, not {type(array).__name__}")
    refuse_mask(name, role, array)
    if array.dtype.newbyteorder("=") not in _TAKEN:
        raise TypeError(f"{name}: {role} is updated in place and must hold float32 or float64, not {array.dtype}: in "
                        "16 bits small steps would be rounded away")
    if array.shape != shape:
        raise ValueError(f"{name}: {role} of shape {array.shape} does not fit param of shape {shape}")
    if not array.flags.writeable:
        raise ValueError(f"{name}: {role} is updated in place, and is read-only")
    if _overlaps_itself(array):
        raise ValueError(f"{name}: {role} of shape {array.shape} and strides {array.strides} is updated in place, and "
                         "some of its elements share memory")
    return array


def _overlaps_itself(array):
    # whether elements share memory, as those of a broadcast array or of sliding windows do
    axes = sorted((abs(stride), length) for stride, length in zip(array.strides, array.shape, strict=True)
                  if length > 1)
    if not array.size or array.flags.c_contiguous:
        return False
    reach = array.itemsize
    for stride, length in axes:
        if stride < reach:
            break
        reach += stride * (length - 1)
    else:
        return False
    places = np.zeros(1, np.int64)
    for stride, length in axes:
        places = np.add.outer(places, stride * np.arange(length)).reshape(-1)
    places.sort()
    return bool((np.diff(places) < array.itemsize).any())


def _stepped(name, roles, operands, step):
    # As they lie in memory, or by way of copies. A step that cannot take an array changes none.
    operands = _lists(name, roles, operands)
    if not step(operands):
        with np.errstate(all="ignore"):  # a number may be beyond the parameters' dtype
            _stepped_copies(name, roles, operands, step)


def _stepped_copies(name, roles, operands, step):
    written, copies = [], [[] for _ in operands]
    for arrays in zip(*operands, strict=True):
        for place, (role, array) in enumerate(zip(roles, arrays, strict=True)):
            if role == "grad":
                array = floating(name, role, array)
                if array.shape != arrays[0].shape:
                    raise ValueError(f"{name}: grad of shape {array.shape} does not fit {roles[0]} of shape "
                                     f"{arrays[0].shape}")
                copies[place].append(np.require(array, arrays[0].dtype.newbyteorder("="), "CAE"))
                continue
            array = _updated(name, role, array, getattr(arrays[0], "shape", None))
            for other, former in written:
                if share_memory(array, former):
                    raise ValueError(f"{name}: {role} shares memory with {other}, and both are updated in place")
            written.append((role, array))
            copies[place].append(np.array(array, arrays[0].dtype.newbyteorder("="), order="C"))
    if not step(tuple(copies)):
        raise AssertionError(f"{name}: contiguous copies were not taken")
    for place, role in enumerate(roles):
        if role != "grad":
            for array, copy in zip(operands[place], copies[place], strict=True):
                array[...] = copy


@with_bound
@unflushed
def sgd_step(param, grad, velocity=None, *, lr, momentum=0.0, dampening=0.0, nesterov=False, weight_decay=0.0):
    """A step of stochastic gradient descent, in place and in one pass.

    ``g = grad + weight_decay * param``; without momentum ``param -= lr * g``; with it
    ``velocity = momentum * velocity + (1 - dampening) * g`` and ``param -= lr * velocity``, or, as Nesterov's,
    ``param -= lr * (g + momentum * velocity)``.

    Parameters
    ----------
    param : ndarray of float32 or float64, or a list of them
        Updated. All arrays of a list are updated in one call.
    grad : array_like, or a list of them, of the shapes of `param`
    velocity : ndarray, or a list of them, optional
        Updated; zeros before the first step. Needed with momentum.
    lr : float
        The learning rate, 0 or more.
    momentum : float
    dampening : float
        From 0 to 1. PyTorch's first step takes the gradient undamped: for the same numbers begin with
        ``dampening=0``.
    nesterov : bool
        Wants momentum, and no dampening.
    weight_decay : float

    Raises
    ------
    ValueError
        If shapes do not fit, a number is out of range, an array is read-only, two that are updated or
        two elements of one share memory, or there is momentum and no velocity. Nothing has been changed then.
    TypeError
        If `param` or `velocity` holds anything but float32 or float64.

    Notes
    -----
    %(bound)s

    As torch.optim.SGD; Sutskever, Martens, Dahl and Hinton, "On the importance of initialization and momentum in deep
    learning", 2013.

    Examples
    --------
    >>> import lanewise as lw
    >>> import numpy as np
    >>> param = np.array([1.0, 2.0])
    >>> lw.sgd_step(param, np.array([1.0, -1.0]), lr=0.5)
    >>> param
    array([0.5, 2.5])
    """
    name = "sgd_step"
    lr, momentum = from_zero(name, "lr", lr), from_zero(name, "momentum", momentum)
    dampening, weight_decay = from_zero(name, "dampening", dampening, 1), from_zero(name, "weight_decay", weight_decay)
    if momentum and velocity is None:
        raise ValueError(f"{name}: momentum {momentum:g} needs velocity, an array of zeros before the first step")
    nesterov = truth(name, "nesterov", nesterov)
    if nesterov and (momentum == 0 or dampening != 0):
        raise ValueError(f"{name}: nesterov needs momentum and no dampening, not momentum {momentum:g} and dampening "
                         f"{dampening:g}")
    roles, operands = (("param", "grad"), (param, grad)) if velocity is None else (
        ("param", "grad", "velocity"), (param, grad, velocity))
    _stepped(name, roles, operands,
             lambda arrays: _kernels.sgd(arrays, lr, momentum, dampening, nesterov, weight_decay))


@with_bound
@unflushed
def adamw_step(param, grad, first, second, step, *, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01):
    """A step of AdamW, in place and in one pass.

    ``first`` and ``second`` are running means of the gradient and of its square; with the bias of their start at 0
    taken off, ``param -= lr * (first / (sqrt(second) + eps) + weight_decay * param)``. With ``weight_decay=0`` it is
    Adam.

    Parameters
    ----------
    param : ndarray of float32 or float64, or a list of them
        Updated. All arrays of a list are updated in one call.
    grad : array_like, or a list of them, of the shapes of `param`
    first, second : ndarray, or a list of them
        Updated; zeros before the first step.
    step : int
        The number of this step, from 1.
    lr : float
        The learning rate, 0 or more.
    betas : (float, float)
        From 0 to below 1.
    eps : float
    weight_decay : float

    Raises
    ------
    ValueError
        If shapes do not fit, a number is out of range, an array is read-only, or two that are updated or
        two elements of one share memory. Nothing has been changed then.
    TypeError
        If an array that is updated holds anything but float32 or float64.

    Notes
    -----
    %(bound)s

    As torch.optim.AdamW; Kingma and Ba, "Adam", 2015; Loshchilov and Hutter, "Decoupled weight decay regularization",
    2019.

    Examples
    --------
    >>> import lanewise as lw
    >>> import numpy as np
    >>> param, first, second = np.array([1.0]), np.zeros(1), np.zeros(1)
    >>> lw.adamw_step(param, np.array([3.0]), first, second, 1, lr=0.1, weight_decay=0)
    >>> param.round(6)
    array([0.9])
    """
    name = "adamw_step"
    lr, eps = from_zero(name, "lr", lr), from_zero(name, "eps", eps)
    weight_decay, step = from_zero(name, "weight_decay", weight_decay), whole(name, "step", step)
    if not 1 <= step < 2**63:
        raise ValueError(f"{name}: step counts from 1, to 2^63 - 1 at most; got {step if step < 1 else 'a larger one'}")
    try:
        beta1, beta2 = betas
    except (TypeError, ValueError):
        raise TypeError(f"{name}: betas must be two numbers, not {betas!r:.60}") from None
    beta1, beta2 = from_zero(name, "betas", beta1, 1), from_zero(name, "betas", beta2, 1)
    if beta1 == 1 or beta2 == 1:
        raise ValueError(f"{name}: betas must be below 1, not {betas}")
    _stepped(name, ("param", "grad", "first", "second"), (param, grad, first, second),
             lambda arrays: _kernels.adamw(arrays, step, lr, beta1, beta2, eps, weight_decay))


def _norm(arrays, p):
    # the norm of all arrays together; where powers would leave the range of float64, numbers are scaled first
    if p not in (1, 2):
        found = np.array([_lengths.length(array, p) for array in arrays if array.size])
        return float(found.sum() if p == 0 else _lengths.length(found, p) if found.size else 0.0)

    def total(scale):
        return sum(_kernels.sum_powers(array, p, scale) for array in arrays)

    for scale in (1.0, 2.0**-600, 2.0**700):
        found = total(scale)
        if found != found or 2.0**-900 <= found < math.inf:
            break
    else:
        found, scale = total(1.0), 1.0  # nothing but zeros, or an infinity
    return (math.sqrt(found) if p == 2 else found) / scale


@with_bound
@unflushed
def clip_grad_norm(grads, max_norm, norm_type=2.0, *, error_if_nonfinite=False):
    """Scale gradients down in place, where their norm all together is more than `max_norm`.

    Parameters
    ----------
    grads : ndarray of float32 or float64, or a list of them
        Multiplied by ``max_norm / (norm + 1e-6)`` where that is below 1.
    max_norm : float
        0 or more.
    norm_type : float
        The p of ``sum(|g|**p)**(1 / p)``, any number, such as 2 and 1; inf is the largest magnitude, -inf the smallest,
        and 0 how many elements are not 0, where PyTorch counts arrays.
    error_if_nonfinite : bool
        Whether a norm that is infinite or NaN is an error. If not, gradients become zeros or NaN, as PyTorch's.

    Returns
    -------
    norm : float
        Before scaling.

    Raises
    ------
    ValueError
        If `max_norm` is out of range, `norm_type` is NaN, an array is read-only, two arrays or two elements of one
        share memory, or the norm is not finite and that is an error. Nothing has been changed then.
    TypeError
        If an array holds anything but float32 or float64, or `norm_type` is no number.

    Notes
    -----
    %(bound)s

    As ``torch.nn.utils.clip_grad_norm_``, but summed in float64, and finite where squares leave its range. Pascanu,
    Mikolov and Bengio, "On the difficulty of training recurrent neural networks", 2013.

    Examples
    --------
    >>> import lanewise as lw
    >>> import numpy as np
    >>> grad = np.array([3.0, 4.0])
    >>> lw.clip_grad_norm(grad, 1.0)
    5.0
    >>> grad.round(3)
    array([0.6, 0.8])
    """
    name = "clip_grad_norm"
    error_if_nonfinite = truth(name, "error_if_nonfinite", error_if_nonfinite)
    max_norm = from_zero(name, "max_norm", max_norm)
    p = number_given(name, "norm_type", norm_type, "a number that a float holds")
    if p != p:
        raise ValueError(f"{name}: norm_type must be a number or an infinity, not {norm_type}")
    (arrays,) = _lists(name, ("grads",), (grads,))
    for array in arrays:
        _updated(name, "grads", array, getattr(array, "shape", None))
    norm = _norm([computed(array.astype(array.dtype.newbyteorder("="), copy=False)) for array in arrays], p)
    if error_if_nonfinite and not math.isfinite(norm):
        raise ValueError(f"{name}: the norm is {norm}, and an infinite or NaN norm is an error")
    factor, exponent = max_norm / (norm + 1e-6), 0
    if factor < 2.0**-100:  # of huge gradients it may be below the range: mantissas and exponents apart
        (above, over), (below, under) = math.frexp(max_norm), math.frexp(norm + 1e-6)
        factor, exponent = above / below, over - under
    if exponent or not factor >= 1:
        _stepped(name, ("grads",), (arrays,), lambda operands: _kernels.scale(operands[0], factor, exponent))
    return norm
