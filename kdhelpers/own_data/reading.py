"""A reader's files as data to distil on: classes, labelled texts, a pool, a test, and what was noticed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import torch

from ..data import Split
from .gathered import OwnData
from .likeness import alike_groups, as_read
from .noticing import contradictions, few_examples, texts_shared
from .spelling import Spelling, tidy
from .splitting import rows_for_test
from .table import Row, Table, lines_said, read_table

NO_POOL = (
    "No unlabelled texts: the student learns from the labelled ones alone, through the teacher. Most of what "
    "distillation can bring comes from a pool of texts that nobody labelled; --unlabelled adds one."
)


def read_own_data(
    labelled: str | os.PathLike[str],
    *,
    text: str,
    label: str,
    id: str | None = None,
    unlabelled: str | os.PathLike[str] | None = None,
    test: str | os.PathLike[str] | None = None,
    group: str | None = None,
) -> OwnData:
    """Read CSV files with a header, in UTF-8, and look for what would make the numbers lie.

    Rows without a label join the pool. Class names that differ in case or stray spaces are one. Texts of the
    test that are elsewhere too are taken out there. Without a test, a quarter of the labelled rows becomes
    one: nearly equal texts, and rows of one group, stay on one side. All of that is told in ``notes``.

    Args:
        labelled: The file with labels.
        text: The column of the texts, in all files.
        label: The column of the class names, in the labelled file and the test.
        id: The column of ids in the labelled file. None: rows are called by their lines.
        unlabelled: A file of texts without labels, the more the better.
        test: A file with labels to measure on.
        group: A column of the labelled file that says what belongs together, such as a customer; used when
            there is no test.

    Raises:
        FileNotFoundError: A file is not there.
        ValueError: A file is broken, a column is missing, there is one class only, or a class of the test is
            unknown; with file, line and column.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> bill, post = ("paid twice", "wrong bill", "debited", "fee?"), ("late", "lost", "where", "when")
        >>> rows = [f"{text},billing" for text in bill] + [f"{text},delivery" for text in post]
        >>> _ = file.write_text("\\n".join(["text,queue", *rows]))
        >>> data = read_own_data(file, text="text", label="queue")
        >>> data.classes, len(data.labelled), len(data.test)
        (('billing', 'delivery'), 6, 2)
    """
    if text == label:
        raise ValueError(f"Texts and classes are both asked of the column {text!r}: name a column for each.")
    own_group = (group or "") if test is None else ""
    table = read_table(labelled, text, label=label, id=id or "", group=own_group)
    pool = None if unlabelled is None else read_table(unlabelled, text)
    examined = None if test is None else read_table(test, text, label=label)
    spelling = Spelling(table.name, table.rows)
    rows, unsaid = _with_and_without_label(table.rows)
    notes = [*table.notes, *spelling.notes, *_unsaid_told(table.name, unsaid, label)]
    notes += contradictions(table.name, rows)
    if examined is None:
        tested, rows, told = _taken_apart(table.name, rows, spelling, group)
    else:
        tested, told = _test_rows(examined, spelling, table.name, label)
    parts = {"labelled": (table.name, rows), "unsaid": (table.name, unsaid)}
    parts["pool"] = ("", []) if pool is None else (pool.name, list(pool.rows))
    learnt, shared = _without_test(parts, examined, tested)
    _check_left(table.name, learnt["labelled"])
    notes += [*told, *shared, *few_examples(table.name, learnt["labelled"], tested, spelling)]
    notes += pool.notes if pool else ()
    notes += [f"The column {group!r} is not looked at, as there is a test."] if group and examined else []
    known = [*learnt["labelled"], *tested]
    unlabelled_rows = _pool(_only_once(learnt["unsaid"], known), _only_once(learnt["pool"], known))
    tables = {"labelled": table, "unlabelled": pool, "test": examined}
    return OwnData(
        classes=spelling.classes,
        labelled=_split("labelled", learnt["labelled"], spelling),
        pool=unlabelled_rows,
        test=_split("test", tested, spelling),
        notes=(*notes, *([NO_POOL] if unlabelled_rows is None else ())),
        sources={use: (t.name, t.sha256, len(t.rows)) for use, t in tables.items() if t is not None},
        columns={"text": text, "label": label, "id": id or "", "group": own_group},
        own_test=examined is not None,
    )


def read_test(
    path: str | os.PathLike[str], classes: Sequence[str], *, text: str, label: str
) -> tuple[Split, tuple[str, ...]]:
    """A file of labelled texts to measure a student on, with what was noticed.

    Args:
        path: The file.
        classes: The student's, in its order.
        text: The column of the texts.
        label: The column of the class names.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is broken, lacks a column, or has a class that the student does not know.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> file = Path(tempfile.mkdtemp()) / "test.csv"
        >>> _ = file.write_text("text,queue\\nWhere is it?,delivery\\n")
        >>> read_test(file, ["billing", "delivery"], text="text", label="queue")[0].labels
        tensor([1])
    """
    table = read_table(path, text, label=label)
    spelling = Spelling("the model", [Row(0, "", name) for name in classes])
    rows, notes = _test_rows(table, spelling, "the model's classes", label)
    labels = torch.tensor([list(classes).index(spelling.classes[_known(spelling, row)]) for row in rows])
    return Split([f"line {row.line}" for row in rows], [row.text for row in rows], labels), tuple(notes)


def _with_and_without_label(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    return [row for row in rows if tidy(row.label)], [row for row in rows if not tidy(row.label)]


def _without_test(
    parts: Mapping[str, tuple[str, list[Row]]], test: Table | None, tested: Sequence[Row]
) -> tuple[dict[str, list[Row]], list[str]]:
    """All parts without the texts that a test of its own has as well, and what to say about it."""
    if test is None:  # it was taken from the labelled rows
        return {part: rows for part, (_, rows) in parts.items()}, []
    found, notes = {}, []
    for part, (name, rows) in parts.items():
        found[part], told = texts_shared(name, rows, test.name, tested)
        notes += told
    return found, notes


def _check_left(name: str, rows: Sequence[Row]) -> None:
    if not rows:
        raise ValueError(f"All labelled texts of {name} are in the test as well: nothing to learn from.")
    Spelling(name, rows)  # two classes must be left


def _unsaid_told(name: str, rows: Sequence[Row], column: str) -> list[str]:
    if not rows:
        return []
    many = "1 row has" if len(rows) == 1 else f"{len(rows):,} rows have"
    where = lines_said(rows)
    return [f"{name}: {many} no label in the column {column!r} and will be used as unlabelled ({where})."]


def _test_rows(table: Table, spelling: Spelling, known: str, column: str) -> tuple[list[Row], list[str]]:
    rows = [row for row in table.rows if tidy(row.label)]
    if not rows:
        raise ValueError(f"{table.name} has no label in its column {column!r}: a test needs them.")
    for row in rows:
        if spelling.number(row.label) is None:
            raise ValueError(
                f"{table.name}, line {row.line}: the class {tidy(row.label)!r} in the column {column!r} does "
                f"not occur in {known}; label some rows with it there, or take the row out."
            )
    notes, without = list(table.notes), [row for row in table.rows if not tidy(row.label)]
    if without:
        notes.append(f"{table.name}: rows without a label are left out of the test ({lines_said(without)}).")
    return rows, notes


def _taken_apart(
    name: str, rows: list[Row], spelling: Spelling, group: str | None
) -> tuple[list[Row], list[Row], list[str]]:
    """The rows of the test, those that are left to train on, and what to say about it."""
    groups = alike_groups([row.text for row in rows], [row.group.strip() for row in rows])
    chosen = set(rows_for_test([_known(spelling, row) for row in rows], groups))
    tested = [row for number, row in enumerate(rows) if number in chosen]
    left = [row for number, row in enumerate(rows) if number not in chosen]
    together = f"rows of one {group!r} and nearly equal texts" if group else "nearly equal texts"
    told = (
        f"No test was given: {len(tested):,} of the {len(rows):,} labelled rows of {name} are kept apart as "
        f"one, with {together} on one side; a file of its own, with --test, would leave more to learn from."
    )
    return tested, left, [told]


def _only_once(pool: list[Row], others: Sequence[Row]) -> list[Row]:
    """The pool without what is known from elsewhere: the labelled texts are learnt from already."""
    known = {as_read(row.text) for row in others}
    return [row for row in pool if as_read(row.text) not in known]


def _known(spelling: Spelling, row: Row) -> int:
    number = spelling.number(row.label)
    assert number is not None  # unknown classes were refused
    return number


def _split(kind: str, rows: Sequence[Row], spelling: Spelling) -> Split:
    labels = torch.tensor([_known(spelling, row) for row in rows])
    return Split([_id(kind, row) for row in rows], [row.text for row in rows], labels)


def _pool(unsaid: Sequence[Row], rows: Sequence[Row]) -> Split | None:
    ids = [*(_id("labelled", row) for row in unsaid), *(_id("pool", row) for row in rows)]
    return Split(ids, [row.text for row in (*unsaid, *rows)]) if ids else None


def _id(kind: str, row: Row) -> str:
    # The same id may well stand in two files: it says which it is from.
    return f"{kind} {row.id or f'line {row.line}'}"
