"""What in a reader's rows would make the numbers lie, or the model worse: told, or put right."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence

from ..data.display import rows_said
from .likeness import as_read
from .spelling import Spelling, tidy
from .splitting import LEAST
from .table import Row, lines_said


def contradictions(name: str, rows: Sequence[Row]) -> list[str]:
    """Texts that stand there more than once, with two labels or with one.

    Example:
        >>> rows = [Row(2, "Help!", "a"), Row(3, "help", "b"), Row(4, "hello", "a"), Row(5, "Hello", "a")]
        >>> for sentence in contradictions("mail.csv", rows):
        ...     print(sentence)
        mail.csv: 1 text has two labels or more, such as 'a' and 'b' (lines 2, 3): one of them is wrong.
        mail.csv: 1 row repeats an earlier text with the same label (line 5): it counts twice in training.
    """
    found: dict[bytes, list[Row]] = defaultdict(list)
    for row in rows:
        found[as_read(row.text)].append(row)
    split = [same for same in found.values() if len(_labels(same)) > 1]
    again = [row for same in found.values() if len(_labels(same)) == 1 for row in same[1:]]
    notes = []
    if split:
        one, other = _labels(split[0])[:2]
        many = "1 text has" if len(split) == 1 else f"{len(split):,} texts have"
        notes.append(
            f"{name}: {many} two labels or more, such as {one!r} and {other!r} ({lines_said(split[0])}): one "
            "of them is wrong."
        )
    if again:
        many = "1 row repeats" if len(again) == 1 else f"{len(again):,} rows repeat"
        it = "it counts" if len(again) == 1 else "they count"
        where = lines_said(again)
        notes.append(f"{name}: {many} an earlier text with the same label ({where}): {it} twice in training.")
    return notes


def texts_shared(
    name: str, rows: Sequence[Row], test_name: str, test: Sequence[Row]
) -> tuple[list[Row], list[str]]:
    """The rows whose text is not in the test, and a sentence about the others.

    Example:
        >>> texts_shared("mail.csv", [Row(2, "Help!"), Row(3, "hi")], "test.csv", [Row(2, "help")])
        ([Row(line=3, text='hi', label='', id='', group='')], ['mail.csv: 1 row has a text ...'])
    """
    known = {as_read(row.text) for row in test}
    shared = [row for row in rows if as_read(row.text) in known]
    if not shared:
        return list(rows), []
    have = "has a text" if len(shared) == 1 else "have a text"
    told = (
        f"{name}: {rows_said(len(shared))} {have} that is in {test_name} as well ({lines_said(shared)}): "
        "left out of training, so that the test stays one."
    )
    return [row for row in rows if as_read(row.text) not in known], [told]


def few_examples(name: str, rows: Sequence[Row], test: Sequence[Row], spelling: Spelling) -> list[str]:
    """Classes with too little to learn from, or nothing to measure on.

    Example:
        >>> rows = [Row(2, "", "a"), Row(3, "", "b"), *[Row(4, "", "c")] * 4]
        >>> few_examples("mail.csv", rows, rows[1:], Spelling("", rows))[0][:60]
        'mail.csv: 2 of 3 classes have fewer than 4 labelled rows to '
    """
    learnt, tested = (Counter(spelling.number(row.label) for row in part) for part in (rows, test))
    names = list(enumerate(spelling.classes))
    few = [label for number, label in names if 0 < learnt[number] < LEAST]
    unseen = [label for number, label in names if not learnt[number]]
    untested = [label for number, label in names if not tested[number]]
    notes: list[str] = []
    total = len(names)
    if few:
        notes.append(
            f"{name}: {len(few)} of {total} classes have fewer than {LEAST} labelled rows to learn from "
            f"({_listed(few)}): expect little there."
        )
    if unseen:
        notes.append(f"{name}: no row is left to learn from of {_listed(unseen)}.")
    if untested:
        notes.append(
            f"{len(untested)} of {total} classes are not in the test ({_listed(untested)}): unmeasured."
        )
    return notes


def _labels(rows: Sequence[Row]) -> list[str]:
    return list({tidy(row.label).casefold(): tidy(row.label) for row in rows}.values())


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
