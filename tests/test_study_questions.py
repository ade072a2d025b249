"""Predictions, reveals and quizzes: as text, as saved HTML, and with live controls."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from kdhelpers import frontend
from kdhelpers.study import cards, controls, predict, questions, quiz, reveal
from kdhelpers.study.history import current_history
from kdhelpers.study.questions import Question

OPTIONS = ["it falls", "it rises", "it stays"]


@pytest.fixture(autouse=True)
def _own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KDHELPERS_STATE", str(tmp_path))


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The HTML that a notebook without widgets would save."""
    pages: list[str] = []
    for module in (questions, cards):
        monkeypatch.setattr(module, "show_html", lambda html, text: pages.append(html))
    return pages


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The live forms that a notebook with widgets would show."""
    widgets: list[Any] = []
    monkeypatch.setattr(questions, "has_widgets", lambda: True)
    monkeypatch.setattr(controls, "show", widgets.append)
    return widgets


class _Balanced(HTMLParser):
    """Fails on a tag that is closed wrongly."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def assert_sound_html(page: str) -> set[str]:
    parser = _Balanced()
    parser.feed(page)
    assert parser.open == []
    assert not parser.tags & {"script", "style", "link", "iframe"}
    # Text takes the theme's colour; only borders and thin backgrounds have their own.
    assert "; color:" not in page
    assert '"color:' not in page
    return parser.tags


def test_without_widgets_options_are_listed_with_a_hint(capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS)
    out = capsys.readouterr().out
    assert out.splitlines()[:4] == [
        "Predict first: What happens?",
        "  1. it falls",
        "  2. it rises",
        "  3. it stays",
    ]
    assert "choose=1" in out
    assert current_history().recall("03/t", "prediction")["choice"] == 0


@pytest.mark.parametrize("choose", [2, "it rises"])
def test_a_pick_by_number_or_text_is_saved_and_shown(choose: Any, capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS, choose=choose)
    assert "Your prediction: 2. it rises" in capsys.readouterr().out
    assert current_history().recall("03/t", "prediction")["choice"] == 2


def test_an_earlier_pick_is_still_there_when_the_cell_runs_again(capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS, choose=2)
    predict("03/t", "What happens?", OPTIONS)
    assert capsys.readouterr().out.count("Your prediction: 2. it rises") == 2


def test_a_pick_among_other_options_does_not_count_for_new_ones(capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS, choose=2)
    predict("03/t", "What happens?", ["up", "down"])
    assert current_history().recall("03/t", "prediction")["choice"] == 0


def test_reveal_says_right_or_not_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS, choose=2)
    capsys.readouterr()
    reveal("03/t", 2, because="of `T`.")
    assert capsys.readouterr().out.splitlines() == [
        "As you predicted", "You predicted: it rises", "What happens: it rises", "Why: of T.",
    ]  # fmt: skip
    reveal("03/t", "it falls", because="of T.")
    assert capsys.readouterr().out.splitlines()[:3] == [
        "Not as you predicted", "You predicted: it rises", "What happens: it falls",
    ]  # fmt: skip
    assert current_history().recall("03/t", "prediction")["answer"] == 1


def test_reveal_without_a_prediction_shows_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    predict("03/t", "What happens?", OPTIONS)
    capsys.readouterr()
    reveal("03/t", 3, because="so.")
    assert capsys.readouterr().out.splitlines() == ["What happens", "Answer: it stays", "Why: so."]


def test_reveal_without_its_question_shows_a_text_answer_and_explains_a_number(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reveal("03/t", "it stays", because="so.")
    assert "Answer: it stays" in capsys.readouterr().out
    with pytest.raises(ValueError, match="run the cell with its predict"):
        reveal("03/t", 3, because="so.")


def test_reveal_works_in_memory_when_nothing_can_be_saved(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from kdhelpers.study import history

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(history, "write_whole", refuse)
    predict("03/t", "What happens?", OPTIONS, choose=1)
    reveal("03/t", 1, because="so.")
    out = capsys.readouterr().out
    assert out.count("cannot be saved here") == 1
    assert "As you predicted" in out


def test_a_stored_choice_out_of_range_is_no_choice(capsys: pytest.CaptureFixture[str]) -> None:
    current_history().record("03/t", "prediction", options=OPTIONS, choice=99)
    reveal("03/t", 1, because="so.")
    predict("03/t", "What happens?", OPTIONS)
    assert "predicted" not in capsys.readouterr().out


def test_saved_html_is_semantic_and_escapes_what_it_is_given(shown: list[str]) -> None:
    predict("03/t", "Is `T < 1` <b>sharp</b>?", ["a & b", "<script>x</script>"], choose=1)
    reveal("03/t", 2, because="x < y & **bold**")
    quiz("03/q", "a < b?", OPTIONS, answer=1, because="<i>")
    for page in shown:
        assert {"fieldset", "legend"} <= assert_sound_html(page)
    assert "<code>T &lt; 1</code> &lt;b&gt;sharp&lt;/b&gt;" in shown[0]
    assert "a &amp; b" in shown[0]
    assert "<strong>bold</strong>" in shown[1]
    assert "ol" in assert_sound_html(shown[0])


def test_a_saved_quiz_folds_its_answer(shown: list[str]) -> None:
    quiz("03/q", "Which?", OPTIONS, answer="it rises", because="of T.")
    before, after = shown[0].split("<details", 1)
    assert "2. it rises" in after
    assert "of T." in after
    assert "of T." not in before
    assert "open" not in after.split(">", 1)[0]


def test_a_click_saves_the_prediction_and_says_so(forms: list[Any]) -> None:
    predict("03/t", "What happens?", OPTIONS)
    _, radio, reply = forms[0].children
    assert radio.index is None
    radio.index = 1
    assert current_history().recall("03/t", "prediction")["choice"] == 2
    assert "Saved" in reply.value
    assert "it rises" in reply.value
    radio.index = 2
    assert current_history().recall("03/t", "prediction")["choice"] == 3


def test_a_live_form_remembers_the_earlier_pick(forms: list[Any]) -> None:
    predict("03/t", "What happens?", OPTIONS, choose=3)
    assert forms[0].children[1].index == 2


def test_a_live_quiz_answers_and_keeps_first_and_last_try(forms: list[Any]) -> None:
    quiz("03/q", "Which?", OPTIONS, answer=2, because="of `T`.")
    _, radio, button, reply = forms[0].children
    button.click()
    assert "Pick an option first" in reply.value
    assert current_history().recall("03/q", "quiz") == {}
    radio.index = 0
    button.click()
    assert "Not that one" in reply.value
    assert "of <code>T</code>." in reply.value.split("<details")[1]
    radio.index = 1
    button.click()
    assert "Right." in reply.value
    assert "details" not in reply.value
    assert {"first": 1, "last": 2, "answer": 2}.items() <= current_history().recall("03/q", "quiz").items()


def test_live_forms_show_marks_only_where_they_are_rendered(forms: list[Any]) -> None:
    predict("03/t", "Is `T` **large**?", ["`yes` & no", "no"])
    head, radio, _ = forms[0].children
    assert "<code>T</code> is" not in head.value
    assert "<code>T</code>" in head.value
    assert radio.options[0][0] == "1. yes & no"


def test_widgets_are_off_where_nobody_can_click(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frontend, "in_notebook", lambda: True)
    monkeypatch.setenv("KDHELPERS_WIDGETS", "0")
    assert not questions.has_widgets()
    monkeypatch.setenv("KDHELPERS_WIDGETS", "1")
    assert questions.has_widgets()


@pytest.mark.parametrize(
    ("key", "text", "options", "says"),
    [
        ("03", "Q?", OPTIONS, "lesson/name"),
        ("03/t", "  ", OPTIONS, "is empty"),
        ("03/t", "Q?", ["one"], "at least two options"),
        ("03/t", "Q?", ["one", ""], "at least two options"),
        ("03/t", "Q?", ["one", 2], "at least two options"),
        ("03/t", "Q?", ["one", "one"], "same option twice"),
    ],
)
def test_a_bad_question_is_refused_in_one_sentence(key: str, text: str, options: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        predict(key, text, options)


@pytest.mark.parametrize("answer", [0, 4, -1, True, "it flies", 2.0, None])
def test_an_answer_that_is_no_option_is_refused(answer: Any) -> None:
    with pytest.raises(ValueError, match="a number from 1 to 3"):
        Question("03/t", "Q?", tuple(OPTIONS)).number_of(answer)
    with pytest.raises(ValueError, match="is not an option of 03/q"):
        quiz("03/q", "Q?", OPTIONS, answer=answer, because="so.")
