"""A reader's files as data to distil on: classes, labelled texts, a pool, a test, and what was noticed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from ..data import Split, join
from .likeness import alike_groups, as_read
from .noticing import contradictions, few_examples, texts_shared
from .spelling import Spelling, tidy
from .splitting import rows_for_test
from .table import Row, Table, lines_said, read_table

NO_POOL = (
    "No unlabelled texts: the student learns from the labelled ones alone, through the teacher. Most of what "
    "distillation can bring comes from a pool of texts that nobody labelled; --unlabelled adds one."
)


@dataclass(frozen=True, eq=False)
class OwnData:
    """A reader's data, ready to distil on.

    Args:
        classes: The class names; label 0 is the first.
        labelled: Texts with a label, to train on.
        pool: Texts without; None if there are none.
        test: Texts with a label, to measure on. None of them is in the other two.
        notes: What the reader should know, a sentence each.
        sources: The files by what they are for: name, sha256, rows.
        columns: The columns that were read.
        own_test: Whether the test is a file of its own.

    Example:
        >>> rows = Split(["a", "b"], ["help", "hi"], torch.tensor([0, 1]))
        >>> OwnData(("x", "y"), rows.take([0]), None, rows.take([1])).transfer.ids
        ('a',)
    """

    classes: tuple[str, ...]
    labelled: Split
    pool: Split | None
    test: Split
    notes: tuple[str, ...] = ()
    sources: Mapping[str, tuple[str, str, int]] = field(default_factory=dict)
    columns: Mapping[str, str] = field(default_factory=dict)
    own_test: bool = True

    @property
    def transfer(self) -> Split:
        """All texts that the student learns from, without labels: the teacher answers for them.

        Example:
            >>> one, two = Split(["a"], ["x"], torch.tensor([0])), Split(["b"], ["y"])
            >>> OwnData(("x", "y"), one, two, one).transfer
            Split(2 rows, texts, no labels)
        """
        own = self.labelled.unlabelled()
        return own if self.pool is None else join(own, self.pool)


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
    columns = {"text": text, "label": label, "id": id or "", "group": group or ""}
    if text == label:
        raise ValueError(f"Texts and classes are both asked of the column {text!r}: name a column for each.")
    table = read_table(labelled, text, label=label, id=id or "", group=(group or "") if test is None else "")
    spelling = Spelling(table.name, table.rows)
    unsaid = [row for row in table.rows if not tidy(row.label)]
    rows = [row for row in table.rows if tidy(row.label)]
    pool = None if unlabelled is None else read_table(unlabelled, text)
    notes = [*table.notes, *spelling.notes, *_unsaid_told(table.name, unsaid, label)]
    notes += contradictions(table.name, rows)
    if test is None:
        tested, rows, told = _taken_apart(table.name, rows, spelling, group)
        examined = None
    else:
        examined = read_table(test, text, label=label)
        tested, told = _test_rows(examined, spelling, table.name, label)
    notes += told
    parts = {"labelled": rows, "unsaid": unsaid, "pool": [] if pool is None else list(pool.rows)}
    names = {"labelled": table.name, "unsaid": table.name, "pool": pool.name if pool else ""}
    if examined is not None:
        for part in parts:
            parts[part], shared = texts_shared(names[part], parts[part], examined.name, tested)
            notes += shared
    parts["pool"] = _only_once(parts["pool"], [*parts["labelled"], *tested])
    if not parts["labelled"]:
        raise ValueError(
            f"All labelled texts of {table.name} are in the test as well: nothing to learn from."
        )
    Spelling(table.name, parts["labelled"])  # two classes must be left
    notes += few_examples(table.name, parts["labelled"], tested, spelling)
    notes += (pool.notes if pool else ()) or ()
    if not parts["unsaid"] and not parts["pool"]:
        notes.append(NO_POOL)
    tables = {"labelled": table, "unlabelled": pool, "test": examined}
    return OwnData(
        classes=spelling.classes,
        labelled=_split("labelled", parts["labelled"], spelling),
        pool=_pool(parts["unsaid"], parts["pool"]),
        test=_split("test", tested, spelling),
        notes=tuple(notes),
        sources={use: (t.name, t.sha256, len(t.rows)) for use, t in tables.items() if t is not None},
        columns=columns,
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
