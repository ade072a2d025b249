"""The losses equal those of independent libraries, in value and in gradient.

Where a library deviates from the definition, the deviation is asserted as a relation, so that a correction of
theirs shows. Run with `pip install -e ".[peers]"` and `pytest -m peers`; without any of them there are no
tests here.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from loss_references import logits
from torch import Tensor

from kdhelpers.losses import (
    attention_transfer_loss,
    contrastive_loss,
    dist_loss,
    distillation_loss,
    hint_loss,
    js_divergence_loss,
    kd_loss,
    linear_kd_loss,
    logit_mse_loss,
    reverse_kl_loss,
    rkd_loss,
    similarity_loss,
    soft_cross_entropy,
    standardized_kd_loss,
    token_kd_loss,
)

PACKAGES = ("torchdistill", "textbrewer", "liger_kernel", "trl", "modelopt")
INSTALLED = {name for name in PACKAGES if importlib.util.find_spec(name)}
if not INSTALLED:
    __test__: dict[str, str] = {}  # how pytest and doctest are told that a module has no tests
pytestmark = pytest.mark.peers

B, C, T = 6, 5, 3.0
LABELS = torch.tensor([3, 0, 1, 2, 4, 0])


def needs(name: str) -> pytest.MarkDecorator:
    reason = f'{name} is not installed: pip install -e ".[peers]"'
    return pytest.mark.skipif(name not in INSTALLED, reason=reason)


def peer(name: str) -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def close(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], *inputs: Tensor, factor: float = 1.0
) -> None:
    """Ours is ``factor`` times theirs, and so are the gradients of the first input."""
    found, expected = ([], [])
    for loss, results in ((ours, found), (theirs, expected)):
        student = inputs[0].detach().clone().requires_grad_()
        value = loss(student, *inputs[1:])
        value.backward()
        results += [value.detach().squeeze(), student.grad]
    torch.testing.assert_close(found[0], factor * expected[0])
    torch.testing.assert_close(found[1], factor * expected[1])


def pair(*shape: int) -> tuple[Tensor, Tensor]:
    return logits(*(shape or (B, C)), seed=1), logits(*(shape or (B, C)), seed=2)


# --- torchdistill


def torchdistills(name: str, **options: Any) -> Callable[..., Tensor]:
    """A loss of torchdistill's on tensors, without the dictionaries it takes them from."""
    modules = {f"{whose}_module_{what}": what for whose in ("student", "teacher") for what in ("path", "io")}
    paths = {f"{whose}_output_path": "path" for whose in ("student", "teacher")}
    places = paths if name in ("RKDLoss", "SPKDLoss") else {} if name == "ATLoss" else modules
    loss = getattr(peer("torchdistill.losses.mid_level"), name)(**places, **options)

    def call(student: Tensor, teacher: Tensor, targets: Tensor | None = None) -> Tensor:
        found = [{"path": {"io": x, "output": x}} for x in (student, teacher)]
        return loss(*found, targets)

    return call


@needs("torchdistill")
def test_the_mixture_is_torchdistills_at_one_half() -> None:
    # Their alpha is the weight of the labels, the opposite of what it is elsewhere.
    theirs = torchdistills("KDLoss", temperature=T, alpha=0.5)
    close(
        lambda s, t: distillation_loss(s, t, LABELS, T, kd_weight=0.5),
        lambda s, t: theirs(s, t, LABELS),
        *pair(),
    )
    theirs = torchdistills("KDLoss", temperature=T, alpha=0.2)
    close(
        lambda s, t: distillation_loss(s, t, LABELS, T, kd_weight=0.8),
        lambda s, t: theirs(s, t, LABELS),
        *pair(),
    )


@needs("torchdistill")
def test_deviation_torchdistill_drops_the_square_without_labels() -> None:
    for alpha in (0, None):
        theirs = torchdistills("KDLoss", temperature=T, alpha=alpha, beta=1.0)
        close(lambda s, t: kd_loss(s, t, T), theirs, *pair(), factor=T**2)


@needs("torchdistill")
@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_dist_is_torchdistills(temperature: float) -> None:
    theirs = torchdistills("DISTLoss", beta=0.7, gamma=2.0, tau=temperature)
    close(lambda s, t: dist_loss(s, t, temperature, beta=0.7, gamma=2.0), theirs, *pair())


@needs("torchdistill")
def test_standardised_kd_is_torchdistills() -> None:
    theirs = torchdistills("LogitStdKDLoss", temperature=2.0, alpha=0.5, beta=1.0)

    def without_labels(student: Tensor, teacher: Tensor) -> Tensor:
        return theirs(student, teacher, LABELS) - 0.5 * F.cross_entropy(student, LABELS)

    close(standardized_kd_loss, without_labels, *pair())


@needs("torchdistill")
def test_rkd_is_torchdistills() -> None:
    student, teacher = logits(B, 4, seed=1), logits(B, 7, seed=2)
    for distance, angle in ((25.0, 50.0), (1.0, 0.0), (0.0, 2.0)):
        theirs = torchdistills("RKDLoss", dist_factor=distance, angle_factor=angle, reduction="mean")
        close(lambda s, t, d=distance, a=angle: rkd_loss(s, t, d, a), theirs, student, teacher)


@needs("torchdistill")
@pytest.mark.parametrize("mode", ["code", "paper"])
def test_attention_transfer_is_torchdistills_two_modes(mode: str) -> None:
    place = {"io": "io", "path": "path"}
    theirs = torchdistills("ATLoss", at_pairs={"one": {"student": place, "teacher": place}}, mode=mode)
    student, teacher = logits(B, 3, 4, 2, seed=1), logits(B, 5, 4, 2, seed=2)
    close(lambda s, t: attention_transfer_loss(s, t, mode), theirs, student, teacher)


@needs("torchdistill")
def test_deviation_torchdistill_normalises_similarities_by_their_sum() -> None:
    """Rows are brought to L1 norm 1 where the paper has L2; the rest is the paper's."""

    def with_l1(student: Tensor, teacher: Tensor) -> Tensor:
        g_s, g_t = (F.normalize(x @ x.T, p=1, dim=1) for x in (student, teacher))
        return (g_t - g_s).square().sum() / B**2

    theirs = torchdistills("SPKDLoss", reduction="batchmean")
    close(with_l1, theirs, *pair())
    assert (similarity_loss(*pair()) - theirs(*pair())).abs() > 0.01


@needs("torchdistill")
def test_contrastive_is_torchdistills_with_its_memory() -> None:
    rows, k, d = 50, 6, 4
    module = peer("torchdistill.losses.mid_level").CRDLoss(
        "norm", "empty", "norm", d, rows, k, rows, temperature=0.5
    )
    module.double()
    generator = torch.Generator().manual_seed(0)
    own = torch.randperm(rows, generator=generator)[:B]
    drawn = torch.randint(0, rows, (B, k), generator=generator)
    # Theirs takes the pair from its memory too, so that it must hold what this batch brings.
    student, teacher = (F.normalize(x, dim=1) for x in pair(B, d))
    for memory, seen in ((module.memory_v1, student), (module.memory_v2, teacher)):
        memory.copy_(F.normalize(memory, dim=1)).index_copy_(0, own, seen)
    of_student, of_teacher = module.memory_v1[drawn].clone(), module.memory_v2[drawn].clone()

    def theirs(s: Tensor, t: Tensor) -> Tensor:
        indices = dict(pos_idx=own, contrast_idx=torch.cat([own[:, None], drawn], 1))
        return module({"norm": {"output": s}, "empty": {"input": indices}}, {"norm": {"output": t}})

    found = contrastive_loss(student, teacher, 0.5, of_student, of_teacher)
    torch.testing.assert_close(found, theirs(student, teacher).squeeze(), rtol=1e-4, atol=0)  # their epsilon


# --- TextBrewer


@needs("textbrewer")
@pytest.mark.parametrize("shape", [(B, C), (2, 3, C)])
def test_deviation_textbrewer_has_no_square(shape: tuple[int, ...]) -> None:
    theirs = peer("textbrewer.losses")
    close(
        lambda s, t: soft_cross_entropy(s, t, T),
        lambda s, t: theirs.kd_ce_loss(s, t, T),
        *pair(*shape),
        factor=T**2,
    )
    # Squared errors of logits over T are T² times too small as well.
    close(logit_mse_loss, lambda s, t: theirs.kd_mse_loss(s, t, T), *pair(*shape), factor=T**2)


@needs("textbrewer")
def test_hints_are_textbrewers_hidden_states() -> None:
    theirs = peer("textbrewer.losses").hid_mse_loss
    student, teacher = pair(2, 4, 3)
    close(hint_loss, theirs, student, teacher)
    mask = torch.tensor([[True, True, False, False], [True, True, True, False]])
    close(lambda s, t: hint_loss(s, t, mask=mask), lambda s, t: theirs(s, t, mask), student, teacher)


# --- ModelOpt


@needs("modelopt")
def test_kd_is_modelopts_with_batchmean() -> None:
    theirs = peer("modelopt.torch.distill.losses").LogitsDistillationLoss
    close(lambda s, t: kd_loss(s, t, T), theirs(temperature=T, reduction="batchmean"), *pair())
    rows = theirs(temperature=T, reduction="none")(*pair(2, 3, C))
    torch.testing.assert_close(kd_loss(*pair(2, 3, C), T, reduction="none"), rows)


@needs("modelopt")
def test_deviation_modelopts_default_divides_by_the_classes() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch warns of this reduction
        theirs = peer("modelopt.torch.distill.losses").LogitsDistillationLoss(temperature=T)
        close(lambda s, t: kd_loss(s, t, T), theirs, *pair(), factor=C)


# --- TRL and Liger


@needs("trl")
@pytest.mark.parametrize("beta", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("temperature", [1.0, 2.0])
def test_jsd_is_trls_gkd(beta: float, temperature: float) -> None:
    theirs = peer("trl.experimental.gkd.gkd_trainer").GKDTrainer.generalized_jsd_loss
    student, teacher = pair(2, 4, C)
    labels = torch.tensor([[-100, 1, 2, -100], [-100, -100, 3, 1]])
    close(
        lambda s, t: js_divergence_loss(s, t, temperature, beta, labels != -100),
        lambda s, t: theirs(s, t, labels=labels, beta=beta, temperature=temperature),
        student,
        teacher,
        factor=temperature**2,  # it has no T²: its temperature is the one samples are drawn at
    )
    close(
        lambda s, t: token_kd_loss(s, t, labels != -100, kd_loss),
        lambda s, t: theirs(s, t, labels=labels, beta=0.0),
        student,
        teacher,
    )


@needs("trl")
def test_deviation_trl_jumps_to_other_divergences_at_the_edges() -> None:
    theirs = peer("trl.experimental.gkd.gkd_trainer").GKDTrainer.generalized_jsd_loss
    student, teacher = pair(2, 4, C)
    mask = torch.ones(2, 4, dtype=torch.int64)
    close(lambda s, t: kd_loss(s, t, 1.0), lambda s, t: theirs(s, t, mask, beta=0.0), student, teacher)
    close(
        lambda s, t: reverse_kl_loss(s, t, 1.0), lambda s, t: theirs(s, t, mask, beta=1.0), student, teacher
    )
    nearly = theirs(student, teacher, mask, beta=1e-4)
    assert nearly < 0.01 * theirs(student, teacher, mask, beta=0.0)
    torch.testing.assert_close(js_divergence_loss(student, teacher, 1.0, beta=1e-4), nearly)


def ligers(
    beta: float, temperature: float, words: int = 12
) -> tuple[Callable[..., Tensor], dict[str, Tensor]]:
    loss = peer("liger_kernel.chunked_loss").LigerFusedLinearJSDLoss(
        weight_hard_loss=0.0,
        weight_soft_loss=1.0,
        beta=beta,
        temperature=temperature,
        compiled=False,
        chunk_size=2,
    )
    sizes = dict(
        student_hidden=(B, 3), student_weight=(words, 3), teacher_hidden=(B, 4), teacher_weight=(words, 4)
    )
    tensors = {name: logits(*size, seed=n, scale=1).float() for n, (name, size) in enumerate(sizes.items())}
    labels = torch.arange(B) % words

    def call(hidden: Tensor, **rest: Tensor) -> Tensor:
        return loss(hidden, rest["student_weight"], rest["teacher_hidden"], rest["teacher_weight"], labels)

    return call, tensors


@needs("liger_kernel")
@pytest.mark.parametrize("beta", [0.0, 0.3, 0.5, 1.0])
def test_divergences_of_hidden_states_are_ligers(beta: float) -> None:
    theirs, tensors = ligers(beta, temperature=2.0)
    hidden = tensors.pop("student_hidden")
    divergence = {0.0: kd_loss, 1.0: reverse_kl_loss}.get(beta)

    def ours(student: Tensor) -> Tensor:
        s, t = student @ tensors["student_weight"].T, tensors["teacher_hidden"] @ tensors["teacher_weight"].T
        return divergence(s, t, 2.0) if divergence else js_divergence_loss(s, t, 2.0, beta)

    close(ours, lambda h: theirs(h, **tensors), hidden, factor=4.0)  # no T² there


@needs("liger_kernel")
def test_linear_kd_is_ligers_for_hidden_states_and_weights() -> None:
    theirs, tensors = ligers(beta=0.0, temperature=1.0)
    gradients = []
    for loss in (
        lambda **x: linear_kd_loss(**x, chunk_size=4),
        lambda **x: theirs(x.pop("student_hidden"), **x),
    ):
        inputs = {n: x.clone().requires_grad_(n.startswith("student")) for n, x in tensors.items()}
        value = loss(**inputs)
        value.backward()
        gradients.append((value.detach(), inputs["student_hidden"].grad, inputs["student_weight"].grad))
    for ours, other in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, other)
