"""Hidden layers by name, and projectors that learn."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.losses import Projector, WithProjectors, hint_loss, tap_layers
from kdhelpers.training import train


class Block(nn.Module):
    """Gives what a transformer's layer does: a tuple, or a mapping, or something without a tensor."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.kind, self.linear = kind, nn.Linear(3, 3)

    def forward(self, x):
        y = self.linear(x)
        given = {
            "tuple": (None, (y, x)),
            "dict": {"loss": None, "hidden": y},
            "none": 7,
            "string": "no",
            "empty": (None, [7]),
        }
        return given[self.kind]


def model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 4), nn.ReLU(), nn.Linear(4, 3))


def test_taps_hold_the_latest_outputs_with_their_gradient() -> None:
    net = model()
    with tap_layers(net, "0", "2") as features:
        assert features == {}
        net(torch.ones(1, 2))
        logits = net(torch.ones(5, 2))
        assert features["2"] is logits
        assert features["0"].shape == (5, 4)
        features["0"].sum().backward()
    assert net[0].weight.grad.abs().sum() > 0


def test_hooks_are_gone_afterwards_even_after_an_error() -> None:
    net = model()
    with pytest.raises(RuntimeError, match="stop"), tap_layers(net, "1"):
        raise RuntimeError("stop")
    with tap_layers(net, "1") as features:
        pass
    net(torch.ones(1, 2))
    assert features == {}
    assert not net[1]._forward_hooks


@pytest.mark.parametrize("kind", ["tuple", "dict"])
def test_the_first_tensor_of_what_a_layer_gives(kind: str) -> None:
    block = Block(kind)
    with tap_layers(block, "") as features:
        block(torch.ones(2, 3))
    torch.testing.assert_close(features[""], block.linear(torch.ones(2, 3)))


@pytest.mark.parametrize(("kind", "type_name"), [("none", "int"), ("string", "str"), ("empty", "tuple")])
def test_a_layer_that_gives_no_tensor(kind: str, type_name: str) -> None:
    block = Block(kind)
    with (
        tap_layers(block, ""),
        pytest.raises(TypeError, match=f"^Layer '' gives a {type_name} without a tensor; tap another.$"),
    ):
        block(torch.ones(2, 3))


def test_an_unknown_layer_names_the_near_ones() -> None:
    net = nn.Module()
    net.encoder = nn.ModuleDict({"layer1": nn.ReLU(), "layer2": nn.ReLU(), "head": nn.ReLU()})
    with pytest.raises(ValueError, match="no layer") as error, tap_layers(net, "encoder.layer3"):
        pass
    assert str(error.value) == (
        "The Module has no layer 'encoder.layer3': "
        "did you mean 'encoder.layer2', 'encoder.layer1' or 'encoder.head'?"
    )
    # Nothing near: the first ones there are.
    with (
        pytest.raises(ValueError, match=r"has no layer 'zzz': did you mean '0', '1' or '2'\?$"),
        tap_layers(model(), "zzz"),
    ):
        pass
    with (
        pytest.raises(ValueError, match=r"^The ReLU has no layer 'x': it has no layers\.$"),
        tap_layers(nn.ReLU(), "x"),
    ):
        pass
    with pytest.raises(ValueError, match=r"did you mean '0'\?$"), tap_layers(nn.Sequential(nn.ReLU()), "x"):
        pass


def test_no_hook_stays_where_one_name_of_two_is_unknown() -> None:
    net = model()
    with pytest.raises(ValueError, match="no layer 'nope'"), tap_layers(net, "1", "nope"):
        pass
    assert not net[1]._forward_hooks


def test_a_projector_over_channels_is_a_1_by_1_convolution() -> None:
    projector, images = Projector(3, 5, dim=1), torch.randn(2, 3, 4, 6)
    expected = F.conv2d(images, projector.linear.weight[:, :, None, None], projector.linear.bias)
    torch.testing.assert_close(projector(images), expected)
    last, tokens = Projector(3, 5), torch.randn(2, 7, 3)
    torch.testing.assert_close(last(tokens), F.linear(tokens, last.linear.weight, last.linear.bias))


def test_projectors_of_the_wrong_width() -> None:
    with pytest.raises(
        ValueError, match=r"^The features have shape \(2, 4\); dimension -1 must be 3, the projecto"
    ):
        Projector(3, 5)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="student_width is 0"):
        Projector(0, 5)
    with pytest.raises(ValueError, match="teacher_width is 0"):
        Projector(5, 0)
    with pytest.raises(ValueError, match=r"^There are no projectors; give one or more"):
        WithProjectors(model())


def test_projectors_learn_with_the_student_and_stay_behind() -> None:
    torch.manual_seed(0)
    student, teacher = model(), nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 3)).eval()
    both = WithProjectors(student, hidden=Projector(4, 16))
    split = Split(range(32), torch.randn(32, 2), torch.randint(0, 3, (32,)))
    first = {name: weight.clone() for name, weight in both.state_dict().items()}

    with tap_layers(student, "1") as learnt, tap_layers(teacher, "1") as taught:

        def loss(logits, batch):
            with torch.no_grad():
                teacher(batch.inputs)
            return hint_loss(both.projectors["hidden"](learnt["1"]), taught["1"])

        history = train(both, split, loss, epochs=30, learning_rate=0.02, progress=False, device="cpu")
    assert history.loss[-1] < history.loss[0] / 2
    for name in ("student.0.weight", "projectors.hidden.linear.weight", "projectors.hidden.linear.bias"):
        assert not torch.equal(both.state_dict()[name], first[name]), name
    assert all(weight.grad is None for weight in teacher.parameters())
    torch.testing.assert_close(both(split.inputs), student(split.inputs))
    assert [name for name in student.state_dict() if "proj" in name] == []


def test_a_projector_outside_of_what_is_trained_never_learns() -> None:
    # The mistake that WithProjectors is for.
    torch.manual_seed(0)
    student, projector = model(), Projector(4, 16)
    first = projector.linear.weight.clone()
    split, target = Split(range(8), torch.randn(8, 2)), torch.randn(8, 16)
    with tap_layers(student, "1") as learnt:
        train(
            student,
            split,
            lambda logits, batch: hint_loss(projector(learnt["1"]), target[batch.rows]),
            epochs=3,
            progress=False,
            device="cpu",
        )
    assert torch.equal(projector.linear.weight, first)


def test_at_most_three_layers_are_told_and_a_student_gets_all_its_arguments() -> None:
    net = nn.Sequential(nn.ReLU(), nn.ReLU(), nn.ReLU(), nn.ReLU())
    with pytest.raises(ValueError, match=r"did you mean '0', '1' or '2'\?$"), tap_layers(net, "x"):
        pass

    class Student(nn.Module):
        def forward(self, a, *, b):
            return a + b

    assert WithProjectors(Student(), hidden=Projector(1, 1))(1, b=2) == 3
