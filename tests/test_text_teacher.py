from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from kdhelpers.data import Split
from kdhelpers.text import TransformerTeacher, find_minilm
from kdhelpers.text.encoder import empty_encoder
from kdhelpers.text.logistic import fit_logistic, labelled_texts
from kdhelpers.training import train

TEXTS = [
    "Where is my parcel?",
    "",
    "🙂 посылка",
    "word " * 5_000,
    "a\0b",
    "\ud800 half",
    "Where is my parcel?",
]
LABELLED = Split(
    ids=range(6),
    inputs=["I was charged twice", "you took my money", "wrong amount on my bill",
            "my parcel is late", "the courier lost it", "no delivery yet"],
    labels=torch.tensor([0, 0, 0, 1, 1, 1]),
)  # fmt: skip


@pytest.fixture(scope="module")
def teacher() -> TransformerTeacher:
    return TransformerTeacher(["billing", "delivery"]).fit(LABELLED)


@pytest.fixture
def small() -> TransformerTeacher:
    """A tiny transformer with MiniLM's tokenizer: quick to train and to save."""
    config = json.loads((find_minilm() / "config.json").read_text())
    config |= dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = empty_encoder(config)
    made = TransformerTeacher.__new__(TransformerTeacher)
    nn.Module.__init__(made)
    made.classes = ("billing", "delivery")
    made._build(config, encoder, find_minilm(), 32)
    return made


def test_the_embedding_is_the_mean_over_the_tokens(teacher: TransformerTeacher) -> None:
    ids, mask = (torch.from_numpy(array) for array in teacher.tokens(TEXTS[:1]))
    with torch.no_grad():
        hidden = teacher.encoder(input_ids=ids, attention_mask=mask).last_hidden_state[0]
    torch.testing.assert_close(teacher.embed(TEXTS[:1])[0], F.normalize(hidden.mean(0), dim=0))


def test_a_batch_gives_what_single_texts_give_in_their_order(
    teacher: TransformerTeacher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdhelpers.text.teacher._TOGETHER", 8)  # so that there are three batches
    many = [*TEXTS, *(f"text number {n} " * (n % 7) for n in range(14))]
    alone = torch.cat([teacher([text]) for text in many])
    torch.testing.assert_close(teacher(many), alone, rtol=1e-3, atol=1e-4)
    assert torch.isfinite(alone).all()
    assert teacher([]).shape == (0, 2)


def test_it_understands_words_it_was_not_taught(teacher: TransformerTeacher) -> None:
    assert teacher(["an unknown debit on my statement", "the package has not come"]).argmax(1).tolist() == [
        0,
        1,
    ]


def test_fitting_finds_the_one_best_solution(teacher: TransformerTeacher) -> None:
    before = teacher.head.weight.clone()
    with torch.no_grad():
        teacher.head.weight.normal_()
    teacher.fit(LABELLED)
    torch.testing.assert_close(teacher.head.weight, before, rtol=1e-3, atol=1e-3)


def test_logistic_regression_is_scikit_learns() -> None:
    linear_model = pytest.importorskip("sklearn.linear_model")
    generator = torch.Generator().manual_seed(0)
    inputs = torch.randn(60, 5, generator=generator)
    labels = (inputs @ torch.randn(5, 3, generator=generator)).argmax(1)
    head = nn.Linear(5, 3)
    fit_logistic(head, inputs, labels, weight_decay=0.01)
    reference = linear_model.LogisticRegression(C=1 / (0.01 * 60), tol=1e-8, max_iter=5_000).fit(
        inputs, labels
    )
    expected = torch.from_numpy(reference.predict_log_proba(inputs.double().numpy())).float()
    torch.testing.assert_close(head(inputs).log_softmax(1), expected, rtol=2e-3, atol=2e-3)


def test_frozen_only_the_head_learns_and_unfrozen_all_of_it(small: TransformerTeacher) -> None:
    encoder = {name: value.clone() for name, value in small.encoder.state_dict().items()}
    train(small, LABELLED, epochs=2, learning_rate=0.01, progress=False)
    assert all(torch.equal(value, encoder[name]) for name, value in small.encoder.state_dict().items())
    assert small.head.weight.abs().sum() > 0
    assert not small.encoder.training

    small.unfreeze()
    history = train(small, LABELLED, epochs=8, learning_rate=0.01, progress=False)
    changed = [not torch.equal(value, encoder[name]) for name, value in small.encoder.state_dict().items()]
    assert any(changed)
    assert history.loss[-1] < history.loss[0]
    assert small.train().encoder.training


def test_the_fingerprint_tells_every_change_that_matters(small: TransformerTeacher) -> None:
    first = small.fingerprint()
    assert small.fingerprint() == first
    with torch.no_grad():
        small.head.bias[0] += 1e-6
    second = small.fingerprint()
    with torch.no_grad():
        next(small.encoder.parameters())[0, 0] += 1e-3
    third = small.fingerprint()
    small.tokens.max_length = 31
    fourth = small.fingerprint()
    small.classes = ("delivery", "billing")
    assert len({first, second, third, fourth, small.fingerprint()}) == 5


def test_a_saved_teacher_comes_back_the_same(small: TransformerTeacher, tmp_path: Path) -> None:
    small.fit(LABELLED).save(tmp_path / "saved")
    loaded = TransformerTeacher.load(tmp_path / "saved")
    assert torch.equal(loaded(TEXTS), small(TEXTS))
    assert (loaded.classes, loaded.frozen, loaded.training) == (small.classes, True, False)
    assert loaded.fingerprint() == small.fingerprint()
    assert {file.suffix for file in (tmp_path / "saved").iterdir()} == {".json", ".safetensors"}


def rows(*labels: int | None, inputs=None) -> Split:
    given = torch.tensor(labels) if None not in labels else None
    return Split(range(len(labels)), inputs if inputs is not None else ["x"] * len(labels), given)


@pytest.mark.parametrize(
    ("split", "sentence"),
    [
        (rows(None), "no labels"),
        (rows(1, 1), "All labelled rows are of the class 'b'"),
        (rows(0, 2), "go up to 2, but there are 2 classes"),
        (rows(0, 1, inputs=torch.eye(2)), "not texts"),
    ],
)
def test_what_cannot_be_learnt_from_gets_a_sentence(split: Split, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        labelled_texts(split, ["a", "b"])


def test_rows_without_a_label_are_left_out(teacher: TransformerTeacher) -> None:
    more = Split(
        ids=range(7),
        inputs=[*LABELLED.inputs, "noise"],
        labels=torch.tensor([*LABELLED.labels.tolist(), -100]),
    )
    before = teacher.head.weight.clone()
    torch.testing.assert_close(teacher.fit(more).head.weight, before, rtol=1e-3, atol=1e-3)


def test_no_weight_decay_and_a_plain_text_get_sentences(teacher: TransformerTeacher) -> None:
    with pytest.raises(ValueError, match="infinite"):
        teacher.fit(LABELLED, weight_decay=0)
    with pytest.raises(TypeError, match="put it in a list"):
        teacher("help")
