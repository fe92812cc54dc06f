"""Layers: every backward beside central differences in float64 and beside PyTorch, saving, and networks that learn."""

import lanewise as lw
import numpy as np
import pytest
from lanewise.learning import layers

RNG = np.random.default_rng(11)
MORE = {"dtype": np.float64}


def linear(inputs, outputs, **more):
    return layers.Linear(inputs, outputs, RNG, **MORE, **more)


NETWORKS = {
    "linear": lambda: linear(5, 3),
    "no bias": lambda: linear(5, 3, bias=False),
    "relu in the layer": lambda: linear(5, 3, activation="relu"),
    "relu and no bias": lambda: linear(5, 3, bias=False, activation="relu"),
    "layer norm": lambda: layers.LayerNorm(5, **MORE),
    "rms norm": lambda: layers.RMSNorm(5, **MORE),
    "batch norm": lambda: layers.BatchNorm(5, **MORE),
    "swiglu": lambda: layers.SwiGLU(5, 8, RNG, **MORE),
    "residual": lambda: layers.Residual(layers.RMSNorm(5, **MORE), layers.SwiGLU(5, 8, RNG, **MORE)),
    "network": lambda: layers.Sequential(linear(5, 7), layers.BatchNorm(7, **MORE), layers.Activation("mish"),
                                         layers.Residual(linear(7, 7), layers.LayerNorm(7, **MORE)), linear(7, 2)),
    **{name: lambda name=name: layers.Activation(name) for name in ("tanh", "sigmoid", "gelu", "silu", "softplus")},
    "elu": lambda: layers.Activation("elu", alpha=0.5),
    "prelu": lambda: layers.Activation("prelu", weight=0.25),
}


def spread(layer):
    # weights that are not all one, or all zero
    for parameter in layer.parameters().values():
        parameter += RNG.normal(0, 0.3, parameter.shape)
    return layer


@pytest.mark.parametrize("name", list(NETWORKS))
def test_backward_is_the_derivative(name):
    layer, x = spread(NETWORKS[name]()), RNG.normal(size=(6, 5))
    grad = RNG.normal(size=layer.forward(x).shape)
    grad_x = layer.backward(grad)
    checked = [(x, grad_x), *((parameter, layer.gradients()[key]) for key, parameter in layer.parameters().items())]
    found = [(array, slope.copy()) for array, slope in checked]
    step = 1e-5
    for array, slope in found:
        assert slope.shape == array.shape
        for place in np.ndindex(array.shape):
            kept, difference = array[place], 0.0
            for sign in (1, -1):
                array[place] = kept + sign * step
                difference += sign * (layer.forward(x) * grad).sum()
            array[place] = kept
            assert slope[place] == pytest.approx(difference / (2 * step), rel=1e-6, abs=1e-7)


def test_dropout_is_linear_and_its_backward_has_the_same_mask():
    layer = layers.Dropout(0.5, 3)
    x, ones = RNG.normal(size=(4, 50)), np.ones((4, 50))
    masks = []
    for _ in range(3):
        y = layer.forward(x)
        masks.append(layer.backward(ones))
        assert np.array_equal(y, x * masks[-1])
    assert not np.array_equal(masks[0], masks[1])
    assert layer.forward(x, training=False) is x
    again = layers.Dropout(0.5, 3)
    again.forward(x)
    assert np.array_equal(again.backward(ones), masks[0])


def test_names_arrays_and_gradients_stay_where_they_are():
    network = NETWORKS["network"]()
    assert list(network.parameters()) == ["0.weight", "0.bias", "1.weight", "1.bias", "3.0.weight", "3.0.bias",
                                          "3.1.weight", "3.1.bias", "4.weight", "4.bias"]
    assert list(network.arrays())[-2:] == ["1.running_mean", "1.running_var"]
    assert list(network.gradients()) == list(network.parameters())
    before = {name: id(array) for name, array in [*network.parameters().items(), *network.gradients().items()]}
    x = RNG.normal(size=(6, 5))
    network.backward(network.forward(x))
    lw.sgd_step(list(network.parameters().values()), list(network.gradients().values()), lr=0.1)
    assert before == {name: id(array) for name, array in [*network.parameters().items(), *network.gradients().items()]}


def test_save_and_load(tmp_path):
    network, other = spread(NETWORKS["network"]()), NETWORKS["network"]()
    x = RNG.normal(size=(6, 5))
    network.forward(x)
    network.save(tmp_path / "network.npz")
    assert not np.array_equal(other.forward(x, training=False), network.forward(x, training=False))
    other.load(tmp_path / "network.npz")
    assert other.forward(x, training=False).tobytes() == network.forward(x, training=False).tobytes()
    before = {name: array.copy() for name, array in network.arrays().items()}
    for wrong in (NETWORKS["linear"](), layers.Sequential(*network.layers[:-1], linear(7, 3))):
        wrong.save(tmp_path / "wrong.npz")
        with pytest.raises(ValueError, match=r"of another network: it lacks|this network's is float64\[2, 7\]"):
            network.load(tmp_path / "wrong.npz")
    np.savez(tmp_path / "narrow.npz", **{name: array.astype(np.float32) for name, array in network.arrays().items()})
    with pytest.raises(ValueError, match=r"is float32\[.*this network's is float64\["):
        network.load(tmp_path / "narrow.npz")
    np.savez(tmp_path / "swapped.npz", **{name: array.astype(array.dtype.newbyteorder())
                                          for name, array in network.arrays().items()})
    other.load(tmp_path / "swapped.npz")  # of a machine of the other byte order
    assert all(np.array_equal(before[name], array) for name, array in other.arrays().items())
    (tmp_path / "empty.npz").touch()
    with pytest.raises(ValueError, match=r"not a readable \.npz"):
        network.load(tmp_path / "empty.npz")
    with pytest.raises(FileNotFoundError):
        network.load(tmp_path / "none.npz")
    assert all(np.array_equal(before[name], array) for name, array in network.arrays().items())


def test_a_layer_within_a_network_has_to_pass_gradients_on():
    network = layers.Sequential(linear(5, 4), linear(4, 3, input_grad=False))
    y = network.forward(np.ones((6, 5)))
    with pytest.raises(ValueError, match="Sequential: layer 1 computes no gradient of x, which layer 0 needs"):
        network.backward(np.ones_like(y))


def test_errors_say_what_was_given():
    for name in ("linear", "network", "elu", "batch norm", "rms norm", "layer norm", "swiglu"):
        layer = NETWORKS[name]()
        with pytest.raises(ValueError, match="backward belongs to a forward with training=True; there was none"):
            layer.backward(np.ones((6, 2)))
        layer.forward(np.ones((6, 5)), training=False)
        with pytest.raises(ValueError, match=r"backward belongs to a forward"):
            layer.backward(np.ones(layer.forward(np.ones((6, 5)), training=False).shape))
    with pytest.raises(ValueError, match="Activation: 'sine' is unknown; expected one of relu, "):
        layers.Activation("sine")
    with pytest.raises(TypeError, match="Sequential: expected layers, with forward and backward; got int"):
        layers.Sequential(linear(2, 2), 3)
    with pytest.raises(ValueError, match="Dropout: p must be from 0 to 1, not 2"):
        layers.Dropout(2, 1)


def test_the_first_layer_can_do_without_a_gradient_of_its_input():
    network = layers.Sequential(linear(5, 4, input_grad=False), layers.Activation("relu"))
    network.forward(RNG.normal(size=(6, 5)))
    assert network.backward(np.ones((6, 4))) is None


def test_pytorch_has_the_same_gradients():
    torch = pytest.importorskip("torch")
    first, second = linear(5, 7), linear(7, 3)
    network = spread(layers.Sequential(first, layers.LayerNorm(7, **MORE), layers.Activation("gelu"), second))
    peer = torch.nn.Sequential(torch.nn.Linear(5, 7), torch.nn.LayerNorm(7), torch.nn.GELU(), torch.nn.Linear(7, 3))
    peer = peer.double()
    for tensor, array in zip(peer.parameters(), network.parameters().values(), strict=True):
        tensor.data = torch.tensor(array.copy())
    optimiser = torch.optim.AdamW(peer.parameters(), lr=0.01)
    parameters, gradients = list(network.parameters().values()), list(network.gradients().values())
    means = [[np.zeros_like(each) for each in parameters] for _ in range(2)]
    for step in range(1, 20):
        x, target = RNG.normal(size=(16, 5)), RNG.integers(0, 3, 16)
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(peer(torch.tensor(x)), torch.tensor(target))
        loss.backward()
        found, grad = lw.cross_entropy_with_grad(network.forward(x), target)
        network.backward(grad)
        assert float(found) == pytest.approx(float(loss.detach()), rel=1e-9)
        for tensor, array in zip(peer.parameters(), gradients, strict=True):
            np.testing.assert_allclose(array, tensor.grad, rtol=1e-7, atol=1e-11)
        optimiser.step()
        lw.adamw_step(parameters, gradients, *means, step, lr=0.01)
    assert step == 19


def torch_block(torch):
    class Block(torch.nn.Module):
        """x + down(silu(gate(norm(x))) * up(norm(x)))."""

        def __init__(self):
            super().__init__()
            self.norm = torch.nn.RMSNorm(5, eps=1e-6)
            self.gate, self.up = (torch.nn.Linear(5, 8, bias=False) for _ in range(2))
            self.down = torch.nn.Linear(8, 5, bias=False)

        def forward(self, x):
            y = self.norm(x)
            return x + self.down(torch.nn.functional.silu(self.gate(y)) * self.up(y))

    return Block()


PEERS = {
    "linear": lambda torch: torch.nn.Linear(5, 3),
    "no bias": lambda torch: torch.nn.Linear(5, 3, bias=False),
    "relu in the layer": lambda torch: torch.nn.Sequential(torch.nn.Linear(5, 3), torch.nn.ReLU()),
    "layer norm": lambda torch: torch.nn.LayerNorm(5),
    "rms norm": lambda torch: torch.nn.RMSNorm(5, eps=1e-6),
    "batch norm": lambda torch: torch.nn.BatchNorm1d(5),
    "residual": torch_block,
    "tanh": lambda torch: torch.nn.Tanh(),
    "sigmoid": lambda torch: torch.nn.Sigmoid(),
    "gelu": lambda torch: torch.nn.GELU(),
    "silu": lambda torch: torch.nn.SiLU(),
    "softplus": lambda torch: torch.nn.Softplus(),
    "elu": lambda torch: torch.nn.ELU(0.5),
}


@pytest.mark.parametrize("name", list(PEERS))
def test_each_layer_is_pytorchs(name):
    torch = pytest.importorskip("torch")
    layer, peer = spread(NETWORKS[name]()), PEERS[name](torch).double()
    for tensor, array in zip(peer.parameters(), layer.parameters().values(), strict=True):
        tensor.data = torch.tensor(array.copy())
    for _ in range(3):  # gradients are not added to, and running statistics move on
        x = RNG.normal(size=(6, 5))
        given = torch.tensor(x, requires_grad=True)
        peer.zero_grad()
        found, expected = layer.forward(x), peer(given)
        np.testing.assert_allclose(found, expected.detach(), rtol=1e-9, atol=1e-12)
        grad = RNG.normal(size=found.shape)
        expected.backward(torch.tensor(grad))
        np.testing.assert_allclose(layer.backward(grad), given.grad, rtol=1e-7, atol=1e-11)
        for tensor, array in zip(peer.parameters(), layer.gradients().values(), strict=True):
            np.testing.assert_allclose(array, tensor.grad, rtol=1e-7, atol=1e-11)
    expected = peer.eval()(torch.tensor(x)).detach()
    np.testing.assert_allclose(layer.forward(x, training=False), expected, rtol=1e-9, atol=1e-12)


def test_a_layer_in_two_places_is_refused():
    # the second forward would leave the first place's backward the wrong input
    layer = layers.Linear(3, 3, rng=1)
    for network in (lambda: layers.Sequential(layer, layers.Activation("tanh"), layer),
                    lambda: layers.Sequential(layer, layers.Residual(layers.Sequential(layer)))):
        with pytest.raises(ValueError, match="the same Linear is in it twice"):
            network()


@pytest.mark.parametrize("name", [name for name in NETWORKS if name not in ("batch norm", "network")])
def test_a_batch_of_nothing(name):
    # the statistics of an empty batch are nobody's, so that batch norm has none
    layer = spread(NETWORKS[name]())
    y = layer.forward(np.empty((0, 5)))
    assert y.shape[0] == 0
    assert layer.backward(y).shape == (0, 5)
    assert all(not gradient.any() for gradient in layer.gradients().values())


@pytest.mark.parametrize("p", [0, 1])
def test_dropout_of_nothing_and_of_all(p):
    layer, x = layers.Dropout(p, 3), RNG.normal(size=(4, 50)).astype(np.float32)
    assert np.array_equal(layer.forward(x), x * (1 - p))
    assert np.array_equal(layer.backward(x), x * (1 - p))


def test_a_network_is_shown_with_its_layers():
    network = layers.Sequential(layers.Linear(4, 3, 1, activation="relu"), layers.Dropout(0.25, 1),
                                layers.Residual(layers.LayerNorm(3), layers.Activation("elu", alpha=0.5)),
                                layers.Linear(3, 2, 1, bias=False))
    assert repr(network) == """\
Sequential() of 27 parameters:
    0: Linear(4, 3, activation='relu')
    1: Dropout(0.25)
    2: Residual() of 6 parameters:
        0: LayerNorm(3)
        1: Activation('elu', alpha=0.5)
    3: Linear(3, 2, bias=False)"""
