"""The contenders of a benchmark of learning: a linear layer, optimisers' steps, a training step, the reparametrised
normal and halting, beside what users of PyTorch compose of its functions. Each returns one array, which is compared."""

import itertools

import numpy as np

from .code_peers import entry_of, ours
from .peers import tensor_of, torch_here, torch_result

__all__ = ["ENTRIES", "NETWORK", "STEPS"]

NETWORK = (64, 32, 10)
STEPS = 16  # of a row that halts
_LR = 1e-7  # so small that a call changes nothing that the next one could be compared by


def _drawn(count):
    def draw(shape, dtype, rng):
        return [rng.standard_normal(shape).astype(dtype) for _ in range(count)]

    return draw


def _layer(shape, dtype, rng):
    # x, a weight that gives as many as it takes, its bias, and a gradient
    size = shape[1]
    return [rng.standard_normal(each).astype(dtype) for each in (shape, (size, size), size, shape)]


def _layer_after_relu(shape, dtype, rng):
    # as _layer, and what the layer put out: one forward's, since two products' roundings differ about relu's corner
    x, weight, bias, grad = _layer(shape, dtype, rng)
    return [x, weight, bias, grad, np.maximum(x @ weight.T + bias, 0)]


def _divergence(shape, dtype, rng):
    return [rng.standard_normal(shape[:1]).astype(dtype), *_drawn(2)(shape, dtype, rng)]


def _halting(shape, dtype, rng):
    return [rng.standard_normal(shape).astype(dtype), rng.exponential(1, shape).astype(dtype)]


def _probabilities(shape, dtype, rng):
    # in whole 64ths, whose sums are exact: whoever adds them halts at the same step
    return [(rng.integers(1, 16, shape) / 64).astype(dtype)]


def _classes(shape, dtype, rng):
    return [*_drawn(1)(shape, dtype, rng), rng.integers(0, NETWORK[-1], shape[0])]


def _composed(function, *, grad=False):
    """What PyTorch's users write: of PyTorch and the inputs as tensors."""
    def calls(inputs, threads):
        torch = torch_here(threads)
        tensors = [tensor_of(torch, each) for each in inputs]

        def run():
            with torch.set_grad_enabled(grad):
                found = function(torch, *tensors)
                return tuple(map(torch_result, found)) if isinstance(found, tuple) else torch_result(found)

        return run

    return calls


def _linear_backward(torch, x, weight, bias, grad, y):
    grad = grad * (y > 0)
    torch.mm(grad, weight)
    grad.sum(0)
    return torch.mm(grad.T, x)


def _our_linear_backward(lw):
    return lambda x, weight, bias, grad, y: lw.linear_backward(grad, x, weight, bias, activation="relu", y=y)[1]


def _log_halting(torch, logits):
    # in log space, as lanewise
    log_sigmoid = torch.nn.functional.logsigmoid
    going = torch.cumsum(log_sigmoid(-logits[:, :-1]), 1)
    nothing = torch.zeros_like(logits[:, :1])
    return torch.cat([nothing, going], 1) + torch.cat([log_sigmoid(logits[:, :-1]), nothing], 1)


def _ponder(torch, logits, losses):
    log_q = torch.arange(logits.shape[1], dtype=torch.float64) * np.log(0.8)
    log_q = (log_q - torch.logsumexp(log_q, 0)).to(logits.dtype)
    log_p = _log_halting(torch, logits)
    return (log_p.exp() * (losses + 0.01 * (log_p - log_q))).sum(1).mean()


def _ponder_backward(torch, logits, losses):
    leaf, others = logits.detach().requires_grad_(), losses.detach().requires_grad_()
    return torch.autograd.grad(_ponder(torch, leaf, others), (leaf, others))[0]


def _act(torch, h):
    sums, index = torch.cumsum(h, 1), torch.arange(h.shape[1])
    reached = sums >= 0.99
    reached[:, -1] = True
    last = reached.int().argmax(1, keepdim=True)
    return torch.where(index < last, h, torch.where(index == last, 1 - (sums - h), torch.zeros_like(h)))


def _our_step(name, count, step):
    # a step on arrays of its own: the first that was drawn, the gradient, and what is remembered
    def calls(inputs, threads):
        import lanewise as lw

        lw.set_num_threads(threads)
        param, grad = inputs[0].copy(), inputs[1]
        remembered, turns = [np.zeros_like(param) for _ in range(count)], itertools.count(1)

        def run():
            step(getattr(lw, name), next(turns), param, grad, *remembered)
            return param

        return run

    return calls


def _their_step(name, **options):
    def calls(inputs, threads):
        torch = torch_here(threads)
        param = torch.nn.Parameter(tensor_of(torch, inputs[0].copy()))
        param.grad = tensor_of(torch, inputs[1])
        step = getattr(torch.optim, name)([param], lr=_LR, fused=True, **options).step

        def run():
            step()
            return param.detach().numpy()

        return run

    return calls


def _our_training(inputs, threads):
    import lanewise as lw

    lw.set_num_threads(threads)
    x, target = inputs
    network = lw.layers.Sequential(lw.layers.Linear(x.shape[1], NETWORK[1], 1, activation="relu", input_grad=False),
                                   lw.layers.Linear(*NETWORK[1:], 2, gain=1.0))
    parameters, gradients = list(network.parameters().values()), list(network.gradients().values())
    velocities = [np.zeros_like(each) for each in parameters]

    def run():
        loss, grad = lw.cross_entropy_with_grad(network.forward(x), target)
        network.backward(grad)
        lw.sgd_step(parameters, gradients, velocities, lr=_LR, momentum=0.9)
        return loss

    return run


def _their_training(inputs, threads):
    import lanewise as lw

    torch = torch_here(threads)
    nn, (x, target) = torch.nn, (torch.from_numpy(each) for each in inputs)
    network = nn.Sequential(nn.Linear(x.shape[1], NETWORK[1]), nn.ReLU(), nn.Linear(*NETWORK[1:]))
    with torch.no_grad():
        for layer, key, gain in ((network[0], 1, "relu"), (network[2], 2, 1.0)):
            layer.weight.copy_(torch.from_numpy(lw.he_uniform(tuple(layer.weight.shape), key, gain)))
            layer.bias.zero_()
    optimiser = torch.optim.SGD(network.parameters(), lr=_LR, momentum=0.9, fused=True)

    def run():
        optimiser.zero_grad(set_to_none=True)
        loss = nn.functional.cross_entropy(network(x), target)
        loss.backward()
        optimiser.step()
        return loss.detach().numpy()

    return run


def _entries():
    rows = {
        "linear": (_layer, lambda lw: lambda x, weight, bias, grad: lw.linear(x, weight, bias),
                   lambda torch, x, weight, bias, grad: torch.nn.functional.linear(x, weight, bias)),
        "linear_relu": (_layer, lambda lw: lambda x, weight, bias, grad: lw.linear(x, weight, bias, activation="relu"),
                        lambda torch, x, weight, bias, grad: torch.relu(torch.nn.functional.linear(x, weight, bias))),
        "linear_relu_backward": (_layer_after_relu, _our_linear_backward, _linear_backward),
        "reparameterize": (_drawn(3), lambda lw: lambda mu, logvar, eps: lw.reparameterize(mu, logvar, eps=eps),
                           lambda torch, mu, logvar, eps: mu + torch.exp(0.5 * logvar) * eps),
        "reparameterize_backward": (
            _drawn(3), lambda lw: lambda grad, logvar, eps: lw.reparameterize_backward(grad, logvar, eps=eps)[1],
            lambda torch, grad, logvar, eps: grad * eps * torch.exp(0.5 * logvar) * 0.5),
        "kl_standard_normal": (_drawn(2), lambda lw: lw.kl_standard_normal,
                               lambda torch, mu, logvar: -0.5 * (1 + logvar - mu * mu - logvar.exp()).sum(1)),
        "kl_standard_normal_backward": (
            _divergence, lambda lw: lw.kl_standard_normal_backward,
            lambda torch, grad, mu, logvar: (grad[:, None] * mu, grad[:, None] * (logvar.exp() - 1) * 0.5)),
        "halting_distribution": (_drawn(1), lambda lw: lw.halting_distribution,
                                 lambda torch, logits: _log_halting(torch, logits).exp()),
        "ponder_loss": (_halting, lambda lw: lw.ponder_loss, _ponder),
        "act_halting": (_probabilities, lambda lw: lambda h: lw.act_halting(h)[3], _act),
    }
    for name, (draw, function, composed) in rows.items():
        yield name, entry_of("learning", draw, ours(function), torch=_composed(composed))
    yield "ponder_loss_with_grad", entry_of(
        "learning", _halting, ours(lambda lw: lambda *given: lw.ponder_loss_with_grad(*given)[1]),
        torch=_composed(_ponder_backward, grad=True))
    yield "sgd_step", entry_of(
        "learning", _drawn(2), _our_step("sgd_step", 1, lambda step, _, *arrays: step(*arrays, lr=_LR, momentum=0.9)),
        more=2, torch=_their_step("SGD", momentum=0.9))
    yield "adamw_step", entry_of(
        "learning", _drawn(2), _our_step("adamw_step", 2, lambda step, turn, *arrays: step(*arrays, turn, lr=_LR)),
        more=4, torch=_their_step("AdamW"))
    yield "training_step", entry_of("learning", _classes, _our_training, torch=_their_training)


ENTRIES = dict(_entries())
