"""The model card: what a student is, what it was made from, how good it is, and where that ends."""

from __future__ import annotations

from collections.abc import Sequence

from .. import __version__
from ..data.display import escaped_markdown
from .outcome import Outcome
from .students import TEMPERATURE, Recipe
from .teaching import MAX_TOKENS

USES = {"labelled": "labelled texts", "unlabelled": "pool", "test": "test"}


def model_card(outcome: Outcome) -> str:
    """A student's card in Markdown. It names no message, only files, counts and class names.

    Source: Mitchell et al. 2019, "Model Cards for Model Reporting", arXiv:1810.03993.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> model_card(example_outcome()).splitlines()[0]
        '# Model card: a text classifier with 3 classes'
    """
    classes = outcome.data.classes
    parts = [
        f"# Model card: a text classifier with {len(classes)} classes",
        "",
        "A student of hashed n-grams that was distilled from a transformer. It names one of "
        f"{len(classes)} classes for a text, and how sure it is: {_listed(classes)}.",
        *_section("How good it is", _quality(outcome)),
        *_section("What it was made from", data_lines(outcome)),
        *_section("How it was made", settings_lines(outcome)),
        *_section("What to keep in mind", limit_lines(outcome)),
        *_section("Use", _use_lines()),
    ]
    return "\n".join(parts) + "\n"


def data_lines(outcome: Outcome) -> list[str]:
    """The files with their counts and hashes, and what was noticed in them.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> data_lines(example_outcome())[0]
        'labelled texts: mail.csv, 60 rows, sha256 5f70bf18a086'
    """
    data = outcome.data
    files = [
        f"{USES[use]}: {name}, {rows:,} rows, sha256 {sha256}"
        for use, (name, sha256, rows) in data.sources.items()
    ]
    pool = 0 if data.pool is None else len(data.pool)
    used = (
        f"used: {len(data.labelled):,} labelled texts and {pool:,} unlabelled ones to learn from, "
        f"{len(data.test):,} to measure on"
    )
    return [*files, used, *data.notes]


def settings_lines(outcome: Outcome) -> list[str]:
    """Teacher, student and settings.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> settings_lines(example_outcome())[3]
        "seeds: 0 to 1, each with both ways off one starting point; the student kept is seed 0's"
    """
    data, seeds = outcome.data, len(outcome.distilled)
    plain, soft = Recipe.for_labels(len(data.labelled)), Recipe.for_teacher(len(data.transfer))
    return [
        f"teacher: a transformer (weights' sha256 {outcome.weights}), of each text the first {MAX_TOKENS} "
        "tokens; on its embeddings a logistic head, fitted to the labelled texts; n-grams beside it or alone "
        "where they know more, by cross-validation on the labelled texts",
        f"student: NgramStudent of kdhelpers {__version__}; it learns the teacher's logits at temperature "
        f"{TEMPERATURE:g} and sees no label itself",
        f"passes: {soft.epochs} over all texts in steps of {soft.batch_size}; labels alone {plain.epochs} "
        f"over the labelled ones in steps of {plain.batch_size}",
        f"seeds: 0 to {seeds - 1}, each with both ways off one starting point; the student kept is seed 0's",
        "nothing was chosen on the test: the settings are the same for all data",
    ]


def limit_lines(outcome: Outcome) -> list[str]:
    """What the numbers do not say, and whose terms apply.

    Example:
        >>> from kdhelpers.own_data.examples import example_outcome
        >>> limit_lines(example_outcome())[1]
        'It answers every text with one of its classes, also one that belongs to none of them.'
    """
    tests = "" if outcome.data.own_test else "; it was taken from the labelled rows, so it is small"
    return [
        f"The numbers hold for texts like those of the test ({len(outcome.data.test):,} rows{tests}). Other "
        "sources, languages or a later time need a test of their own.",
        "It answers every text with one of its classes, also one that belongs to none of them.",
        "It copies its teacher, also where that is wrong or unfair: look at each class, not only at the "
        "average.",
        "The intervals of students are over seeds: they say how far chance in training goes. Those of a "
        "single model, and of classes, are over the rows of the test.",
        "Licence: a student made from a teacher's answers may be bound by the teacher's terms. Before you "
        "ship it, read the licence of the weights, and what it says of training other models on outputs.",
        "Texts of customers may be personal data: the files in work/ hold what the teacher said of each row, "
        "by its id, and no texts.",
    ]


def _quality(outcome: Outcome) -> list[str]:
    ways = [f"{way}: accuracy {found} (n={found.n:,})" for way, found in outcome.accuracies.items()]
    verdict = [] if outcome.verdict is None else [f"contract: {outcome.verdict.outcome}"]
    kept = f"the student kept: accuracy {outcome.student.accuracy}, calibration error {outcome.student.ece}"
    return [outcome.headline, *ways, kept, *verdict]


def _use_lines() -> list[str]:
    return [
        "`kdhelpers predict FOLDER messages.csv` answers a file",
        "`kdhelpers check FOLDER test.csv --contract contract.toml` holds it to a contract",
        '`OnnxPredictor.load("FOLDER").predict(["a text"])` in Python, without torch',
        '`NgramStudent.load("FOLDER")` in PyTorch',
    ]


def _section(title: str, lines: Sequence[str]) -> list[str]:
    # What stands in backquotes is ours; all else may hold a file's or a class's name.
    told = [line if line.startswith("`") else escaped_markdown(line) for line in lines]
    return ["", f"## {title}", "", *(f"- {line}" for line in told)]


def _listed(classes: Sequence[str]) -> str:
    shown = ", ".join(escaped_markdown(name) for name in classes[:200])
    return shown + (", …" if len(classes) > 200 else "")
