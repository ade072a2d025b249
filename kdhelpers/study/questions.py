"""Questions to a reader: a prediction before a result, its answer beside the result, and a quiz."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from kdhelpers.frontend import has_widgets, show_html
from kdhelpers.study import cards, controls
from kdhelpers.study.history import Record, StudyHistory, check_key, current_history


@dataclass(frozen=True)
class Question:
    """A question with numbered options, checked on construction.

    Args:
        key: ``"lesson/name"``.
        text: The question; `code` in backticks and **bold** are shown as such.
        options: At least two different texts.

    Raises:
        ValueError: A bad key, an empty question, or options that are too few, empty or repeated.

    Example:
        >>> Question("03/t", "Which way?", ("up", "down")).number_of("down")
        2
    """

    key: str
    text: str
    options: tuple[str, ...]

    def __post_init__(self) -> None:
        check_key(self.key)
        if not self.text.strip():
            raise ValueError(f"The question {self.key} is empty: ask something.")
        if len(self.options) < 2 or not all(isinstance(o, str) and o.strip() for o in self.options):
            raise ValueError(
                f"The question {self.key} needs at least two options, each a text that is not empty."
            )
        if len(set(self.options)) < len(self.options):
            raise ValueError(f"The question {self.key} has the same option twice: make them differ.")

    def number_of(self, answer: int | str) -> int:
        """The 1-based number of an option, given by number or by its text."""
        if isinstance(answer, str) and answer in self.options:
            return self.options.index(answer) + 1
        if isinstance(answer, int) and not isinstance(answer, bool) and 1 <= answer <= len(self.options):
            return answer
        raise ValueError(
            f"{answer!r} is not an option of {self.key}: give a number from 1 to {len(self.options)} "
            "or the option's own text."
        )

    def option(self, number: int) -> str:
        """An option's text by its 1-based number."""
        return self.options[number - 1]


def predict(key: str, question: str, options: Sequence[str], choose: int | str | None = None) -> None:
    """Ask for a prediction before a result is shown.

    With widgets, a click on an option saves it. Without, the options are listed and the cell takes
    ``choose=2``. The answer is shown by :func:`reveal`.

    Args:
        key: ``"lesson/name"``, such as ``"03/temperature"``.
        question: What to predict.
        options: At least two different answers.
        choose: The reader's pick: the option's number (from 1) or its text.

    Raises:
        ValueError: A bad key, question or options, or a pick that is not among them.

    Example:
        >>> import os, tempfile; os.environ["KDHELPERS_STATE"] = tempfile.mkdtemp()
        >>> predict("03/t", "Which way does it go?", ["up", "down"], choose=2)
        Predict first: Which way does it go?
          1. up
          2. down
        Your prediction: 2. down
    """
    asked = Question(key, question, tuple(options))
    history = current_history()
    chosen = _remember(asked, history, choose)
    if has_widgets():
        controls.show(controls.prediction_form(asked.text, asked.options, chosen, _saver(key, history)))
        return
    answered = f"Your prediction: {chosen}. {asked.option(chosen)}" if chosen else ""
    hint = (
        ""
        if chosen
        else "Pick one before you read on. To save your pick, run this cell with `choose=1` (or 2, …)."
    )
    body = cards.paragraph(question) + cards.numbered(list(asked.options))
    body += cards.paragraph(answered) if answered else cards.small(hint)
    _show("Predict first", asked, body, answered or hint, cards.BLUE)


def reveal(key: str, answer: int | str, because: str) -> None:
    """Show what is true beside what the reader predicted.

    Args:
        key: The prediction's key.
        answer: The right option: its number (from 1) or its text.
        because: Why, in a sentence or two.

    Raises:
        ValueError: A bad key, or an answer that is not among the prediction's options.

    Example:
        >>> import os, tempfile; os.environ["KDHELPERS_STATE"] = tempfile.mkdtemp()
        >>> predict("03/t", "Which way does it go?", ["up", "down"], choose=1)
        Predict first: Which way does it go?
          1. up
          2. down
        Your prediction: 1. up
        >>> reveal("03/t", "down", because="gravity pulls.")
        Not as you predicted
        You predicted: up
        What happens: down
        Why: gravity pulls.
    """
    history = current_history()
    record = history.recall(key, "prediction")
    truth, right = _judge(key, answer, record, history)
    lines = [("What happens", truth), ("Why", because)]
    if right is None:
        title, colour = "What happens", cards.BLUE
        lines[0] = ("Answer", truth)
    else:
        title, colour = ("As you predicted", cards.GREEN) if right else ("Not as you predicted", cards.ORANGE)
        lines.insert(0, ("You predicted", record["options"][record["choice"] - 1]))
    body = "".join(cards.paragraph(f"**{name}:** {text}") for name, text in lines)
    plain = [title, *(f"{name}: {cards.plain(text)}" for name, text in lines)]
    show_html(cards.card(title, body, colour), "\n".join(plain))


def quiz(key: str, question: str, options: Sequence[str], answer: int | str, because: str) -> None:
    """Ask a question whose answer can be checked on the spot.

    With widgets, a *Check* button says right or not and keeps the first and the last try. Without, the answer
    is there to unfold.

    Args:
        key: ``"lesson/name"``.
        question: What to ask.
        options: At least two different answers.
        answer: The right one: its number (from 1) or its text.
        because: Why, in a sentence or two.

    Raises:
        ValueError: A bad key, question or options, or an answer that is not among them.

    Example:
        >>> quiz("03/q", "Is T = 1 softer than T = 4?", ["yes", "no"], "no", because="a higher T is softer.")
        Quiz: Is T = 1 softer than T = 4?
          1. yes
          2. no
        Answer: 2. no. Why: a higher T is softer.
    """
    asked = Question(key, question, tuple(options))
    number = asked.number_of(answer)
    if has_widgets():
        recorder = _recorder(key, number, current_history())
        controls.show(controls.quiz_form(asked.text, asked.options, number, because, recorder))
        return
    told = f"{number}. {asked.option(number)}"
    unfolded = cards.paragraph(f"**{told}**") + cards.paragraph(because)
    body = (
        cards.paragraph(question)
        + cards.numbered(list(asked.options))
        + cards.folded("Show the answer", unfolded)
    )
    _show("Quiz", asked, body, f"Answer: {told}. Why: {because}", cards.BLUE)


def _remember(asked: Question, history: StudyHistory, choose: int | str | None) -> int:
    earlier = history.recall(asked.key, "prediction")
    same = earlier.get("options") == list(asked.options)
    # A pick among other options (the lesson changed) says nothing about these: 0 is "none yet".
    chosen = asked.number_of(choose) if choose is not None else int(same and earlier.get("choice", 0))
    chosen = chosen if 0 <= chosen <= len(asked.options) else 0
    history.record(asked.key, "prediction", question=asked.text, options=list(asked.options), choice=chosen)
    return chosen


def _saver(key: str, history: StudyHistory) -> controls.OnPick:
    return lambda number: history.record(key, "prediction", choice=number)


def _recorder(key: str, answer: int, history: StudyHistory) -> controls.OnPick:
    def record(number: int) -> None:
        first = history.recall(key, "quiz").get("first", number)
        history.record(key, "quiz", first=first, last=number, answer=answer)

    return record


def _judge(key: str, answer: int | str, record: Record, history: StudyHistory) -> tuple[str, bool | None]:
    options = tuple(record.get("options", ()))
    if not options:
        if isinstance(answer, str):
            return answer, None
        raise ValueError(f"{key} has no options yet: run the cell with its predict(...) first.")
    asked = Question(key, record.get("question", "") or key, options)
    number = asked.number_of(answer)
    history.record(key, "prediction", answer=number)
    chosen = record.get("choice", 0)
    made = 1 <= chosen <= len(options)
    return asked.option(number), (chosen == number) if made else None


def _show(title: str, asked: Question, body: str, last_line: str, colour: str) -> None:
    lines = [
        f"{title}: {asked.text}",
        *(f"  {n}. {option}" for n, option in enumerate(asked.options, 1)),
        last_line,
    ]
    show_html(cards.card(title, body, colour), cards.plain("\n".join(lines)))
