from __future__ import annotations

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

from kdhelpers.models import ImageCNN, ImageMLP, SignalCNN, SignalMLP, WindowConv1d

MODELS = [
    (lambda: SignalCNN(channels=3), (40,)),
    (lambda: SignalMLP(hidden=7), (40,)),
    (lambda: ImageCNN(channels=3), (1, 8, 8)),
    (lambda: ImageCNN(channels=2, size=28), (1, 28, 28)),
    (lambda: ImageMLP(hidden=5), (1, 8, 8)),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(5, 2, 1), (3, 2, 1), (3, 1, 0), (1, 1, 0), (4, 3, 5)]
)
@pytest.mark.parametrize("length", [40, 19, 10, 5])
def test_window_convolution_equals_pytorch(length, kernel, stride, padding, bias):
    ours = WindowConv1d(2, 3, kernel, stride, padding, bias=bias).double()
    theirs = nn.Conv1d(2, 3, kernel, stride, padding, bias=bias).double()
    theirs.load_state_dict(ours.state_dict())
    one = torch.randn(4, 2, length, dtype=torch.float64, requires_grad=True)
    two = one.detach().clone().requires_grad_()

    result, reference = ours(one), theirs(two)
    weight = torch.randn_like(reference)
    (result * weight).sum().backward()
    (reference * weight).sum().backward()

    torch.testing.assert_close(result, reference)
    torch.testing.assert_close(one.grad, two.grad)
    for name, parameter in ours.named_parameters():
        torch.testing.assert_close(parameter.grad, theirs.get_parameter(name).grad)


def test_window_convolution_takes_one_signal_like_pytorch():
    conv = WindowConv1d(2, 3, 5, stride=2, padding=1)
    signal = torch.randn(2, 20)
    torch.testing.assert_close(conv(signal), nn.Conv1d.forward(conv, signal))


def test_window_convolution_starts_as_pytorch_does():
    torch.manual_seed(1)
    ours = WindowConv1d(2, 3, 5)
    torch.manual_seed(1)
    theirs = nn.Conv1d(2, 3, 5)
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


def test_window_longer_than_the_signal_is_refused():
    with pytest.raises(ValueError, match="window of 5 does not fit a signal of 2"):
        WindowConv1d(1, 1, 5, padding=1)(torch.zeros(1, 1, 2))
    assert WindowConv1d(1, 1, 5, padding=1)(torch.zeros(1, 1, 3)).shape == (1, 1, 1)


@pytest.mark.parametrize(("build", "shape"), MODELS)
def test_stacked_models_equal_single_ones(build, shape):
    models = [build().double() for _ in range(3)]
    inputs = torch.randn(3, 6, *shape, dtype=torch.float64)
    labels = torch.randint(0, 10, (3, 6))
    skeleton = copy.deepcopy(models[0]).to("meta")

    def loss(parameters, rows, targets):
        return F.cross_entropy(functional_call(skeleton, parameters, (rows,)), targets)

    stacked, buffers = stack_module_state(models)
    assert not buffers
    gradients = vmap(grad(loss))(stacked, inputs, labels)
    for at, model in enumerate(models):
        F.cross_entropy(model(inputs[at]), labels[at]).backward()
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(gradients[name][at], parameter.grad)


@pytest.mark.parametrize(("build", "shape"), MODELS)
def test_rows_do_not_influence_each_other(build, shape):
    model, inputs = build().double(), torch.randn(5, *shape, dtype=torch.float64)
    torch.testing.assert_close(model(inputs)[2:3], model(inputs[2:3]))
    assert model(inputs[:0]).shape == (0, 10)


@pytest.mark.parametrize(("build", "shape"), MODELS)
def test_train_mode_changes_nothing(build, shape):
    model, inputs = build(), torch.randn(5, *shape)
    assert torch.equal(model.train()(inputs), model.eval()(inputs))


def test_parameters_are_the_papers():
    def count(model):
        return sum(parameter.numel() for parameter in model.parameters())

    assert count(SignalCNN()) == 5210
    assert count(SignalMLP()) == 15210


def test_signal_cnn_is_the_papers_network():
    model = SignalCNN(channels=4).double()
    state = list(model.parameters())
    x = torch.randn(3, 40, dtype=torch.float64)
    h = F.conv1d(x.view(-1, 1, 40), state[0], state[1], stride=2, padding=1).relu()
    h = F.conv1d(h, state[2], state[3], stride=2, padding=1).relu()
    h = F.conv1d(h, state[4], state[5], stride=2, padding=1).relu()
    torch.testing.assert_close(model(x), F.linear(h.reshape(3, -1), state[6], state[7]))


def test_signal_mlp_adds_its_layers():
    model = SignalMLP(hidden=6, layers=3, classes=4).double()
    x = torch.randn(3, 40, dtype=torch.float64)
    h = model.first(x).relu()
    h = h + model.middle[0](h).relu()
    h = h + model.middle[1](h).relu()
    torch.testing.assert_close(model(x), model.last(h))


@pytest.mark.parametrize("size", [1, 2, 7, 8, 9, 28])
def test_image_cnn_fits_any_size(size):
    assert ImageCNN(channels=2, classes=3, size=size)(torch.zeros(2, 1, size, size)).shape == (2, 3)


@pytest.mark.parametrize(
    ("model", "shape", "wanted"),
    [
        (SignalCNN(), (2, 41), r"SignalCNN takes inputs \(B, 40\), not \(2, 41\)"),
        (SignalMLP(), (2, 1, 40), r"SignalMLP takes inputs \(B, 40\)"),
        (SignalMLP(), (), r"not \(\)"),
        (ImageCNN(), (2, 1, 28, 28), r"ImageCNN takes inputs \(B, 1, 8, 8\), not \(2, 1, 28, 28\)"),
        (ImageMLP(), (2, 64), r"ImageMLP takes inputs \(B, 1, 8, 8\)"),
    ],
)
def test_another_shape_is_named(model, shape, wanted):
    with pytest.raises(ValueError, match=wanted):
        model(torch.zeros(shape))


@pytest.mark.parametrize(
    ("build", "size"),
    [(SignalCNN, "channels"), (SignalMLP, "layers"), (ImageCNN, "size"), (ImageMLP, "classes")],
)
def test_sizes_start_at_one(build, size):
    with pytest.raises(ValueError, match=f"{size} must be 1 or more, not 0"):
        build(**{size: 0})
