"""The study history as a table, and how to delete it."""

from __future__ import annotations

from collections.abc import Iterator

from kdhelpers.frontend import show_html
from kdhelpers.study import cards
from kdhelpers.study.history import Entries, Record, current_history
from kdhelpers.study.place import readable_place

COLUMNS = ("Lesson", "Predictions", "Quizzes", "Exercises", "Last visited")


def progress() -> None:
    """Show what you answered, lesson by lesson, and where that is kept.

    Example:
        >>> import os, tempfile; os.environ["KDHELPERS_STATE"] = tempfile.mkdtemp()
        >>> progress()
        Your study history
        Nothing here yet: it fills as you answer predictions, quizzes and exercises.
        It stays on this machine, in $KDHELPERS_STATE/study.json. Run forget() to delete it.
    """
    history = current_history()
    rows = list(_rows(history.entries()))
    where = f"It stays on this machine, in `{readable_place(history.path)}`. Run `forget()` to delete it."
    empty = "Nothing here yet: it fills as you answer predictions, quizzes and exercises."
    body = (_table(rows) if rows else cards.paragraph(empty)) + cards.small(where)
    lines = _text_table(rows) if rows else [empty]
    text = "\n".join(["Your study history", *lines, cards.plain(where)])
    show_html(cards.card("Your study history", body, cards.GREY), text)


def forget() -> None:
    """Delete the study history.

    Raises:
        OSError: The file is there and cannot be deleted.

    Example:
        >>> import os, tempfile; os.environ["KDHELPERS_STATE"] = tempfile.mkdtemp()
        >>> forget()
        Note: Your study history is deleted.
    """
    current_history().forget()
    cards.note("Your study history is deleted.")


def _rows(entries: Entries) -> Iterator[tuple[str, ...]]:
    for lesson in sorted({key.partition("/")[0] for key in entries}):
        kinds = [kinds for key, kinds in entries.items() if key.partition("/")[0] == lesson]
        yield (
            lesson,
            _predictions([k["prediction"] for k in kinds if "prediction" in k]),
            _quizzes([k["quiz"] for k in kinds if "quiz" in k]),
            _exercises([k["exercise"] for k in kinds if "exercise" in k]),
            max((record.get("at", "") for k in kinds for record in k.values()), default="")[:10],
        )


def _predictions(records: list[Record]) -> str:
    made = [record for record in records if record.get("choice", 0) > 0]
    right = [record for record in made if record["choice"] == record.get("answer")]
    return f"{len(made)} of {len(records)} made, {len(right)} right" if records else "–"


def _quizzes(records: list[Record]) -> str:
    first = [record for record in records if record.get("first") == record.get("answer")]
    last = [record for record in records if record.get("last") == record.get("answer")]
    return f"{len(last)} of {len(records)} right, {len(first)} at the first try" if records else "–"


def _exercises(records: list[Record]) -> str:
    solved = [record for record in records if record.get("solved")]
    return f"{len(solved)} of {len(records)} solved" if records else "–"


def _table(rows: list[tuple[str, ...]]) -> str:
    line = "border-bottom: 1px solid rgba(128, 128, 128, 0.4)"
    cell = f'style="text-align: left; padding: 0.3em 1.2em 0.3em 0; {line}"'
    head = "".join(f'<th scope="col" {cell}>{name}</th>' for name in COLUMNS)
    lines = "".join(
        f"<tr>{''.join(f'<td {cell}>{cards.inline(value)}</td>' for value in row)}</tr>" for row in rows
    )
    style = 'style="border-collapse: collapse; margin: 0.4em 0; font-size: 16px"'
    return f"<table {style}><thead><tr>{head}</tr></thead><tbody>{lines}</tbody></table>"


def _text_table(rows: list[tuple[str, ...]]) -> list[str]:
    table = [COLUMNS, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(COLUMNS))]
    return [
        "  ".join(value.ljust(width) for value, width in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]
