"""How a verdict looks: in text, HTML and Markdown, whatever its names hold."""

from __future__ import annotations

import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_contract_samples import costs, report

from kdhelpers.contract import Clause, Contract, Verdict
from kdhelpers.contract.verdict import _width

NASTY = "<script>alert('x')</script> | **bold** `code` [a](b) $x$ \\ _it_ & ~~no~~"


def share(name, **changed):
    return Clause(
        **{**dict(name=name, asked=0.7, measured=0.74, low=0.71, high=0.77, n=900, outcome="pass"), **changed}
    )


def test_three_ways_to_show_it_hold_the_same():
    contract = Contract("Support", accuracy=0.7, worst_class=0.3, latency_p95_ms=1, bytes=4_000_000)
    verdict = contract.check(report({"a": (450, 500), "b": (3, 10)}), costs())
    cells = ["accuracy", "≥ 70.0%", "88.8%", "lowest recall (b)", "≤ 1.00 ms", "1.50 ms", "4,000,000", "fail"]
    cells += ["not enough data", "1.5 times what is asked", "2 of 4 clauses passed, 1 failed, 1 undecided"]
    for shown in (str(verdict), html.unescape(verdict._repr_html_()), html.unescape(verdict.to_markdown())):
        assert [cell for cell in cells if cell not in shown] == []
    assert repr(verdict) == "Verdict(Support: fail (2 of 4 clauses passed, 1 failed, 1 undecided))"
    assert verdict._repr_html_().count("<tr>") == verdict.to_markdown().count("\n") - 2 == 5


def test_the_boundary_is_seen_in_the_digits():
    near = str(Verdict("", (share("accuracy", low=0.69996, outcome="not enough data"),)))
    assert "≥ 70.000%" in near
    assert "[69.996, 77.000]" in near
    slow = str(Verdict("", (Clause("latency p95", 2.0, 2.0004, None, None, None, "fail", False, "ms"),)))
    assert "≤ 2.0000 ms  2.0004 ms" in slow
    size = Clause("bytes", 5_000_000, 5_000_001, None, None, None, "fail", False, "bytes")
    assert "≤ 5,000,000  5,000,001" in str(Verdict("", (size,)))


def test_names_are_text_and_nothing_else():
    verdict = Verdict(NASTY, (share(NASTY, note=NASTY),))
    shown = verdict._repr_html_()
    assert "<script" not in shown
    assert html.escape(NASTY) in shown
    markdown = verdict.to_markdown()
    assert not re.search(r"[`\[$~\\<]|\*\*bold|_it_", markdown.replace("[71.0, 77.0]", ""))
    assert {line.count("|") for line in markdown.splitlines()[2:]} == {8}
    assert html.unescape(markdown).count(NASTY) == 3
    assert "| [71.0, 77.0] |" in markdown
    assert "snake_case" in Verdict("snake_case", ()).to_markdown()


@given(name=st.text(), note=st.text())
def test_any_name_stays_on_its_line(name, note):
    verdict = Verdict(name, (share(name, note=note), share("accuracy")))
    lines = str(verdict).split("\n")
    assert len(lines) == 4
    assert len(verdict.to_markdown().split("\n")) == 6
    assert all(line.count("|") == 8 for line in verdict.to_markdown().split("\n")[2:])


@pytest.mark.parametrize("name", ["简体中文", "émail", "🙂 emoji", "naïve", "x" * 300])
def test_columns_stand_below_each_other(name):
    header, *lines = str(Verdict("", (share(name), share("accuracy")))).split("\n")[1:]
    starts = [_width(line[: line.rindex("pass")]) for line in lines]
    assert starts == [_width(header[: header.rindex("outcome")])] * 2
    assert max(map(_width, lines)) < 130


@pytest.mark.parametrize("length", [59, 60, 61, 300])
def test_a_name_takes_sixty_columns_at_most(length):
    shown = str(Verdict("", (share("x" * length),))).splitlines()[-1].split()[0]
    assert shown == ("x" * length if length <= 60 else "x" * 59 + "…")


def test_widths_are_those_on_a_screen():
    widths = {"ab": 2, "简体": 4, "🙂": 2, "e\u0301": 1, "a\u200bb": 2, "a\u20dd": 1, "": 0}
    assert {text: _width(text) for text in widths} == widths


def test_lines_hold_their_reason():
    assert str(share("accuracy", outcome="fail", note="at least 2 points too low")) == (
        "accuracy: fail (at least 2 points too low)"
    )


def test_a_clause_without_rows_shows_a_dash():
    empty = Clause("accuracy on rare", 0.5, None, None, None, 0, "not enough data", note="no rows")
    assert re.search(r"accuracy on rare  ≥ 50.0% +– +0  not enough data  no rows", str(Verdict("", (empty,))))


def test_a_verdict_is_no_yes_or_no():
    with pytest.raises(TypeError, match=r"three outcomes: ask for its \.passed"):
        bool(Verdict("", (share("accuracy"),)))


def test_nothing_asked_is_nothing_passed():
    empty = Verdict("", ())
    assert (empty.passed, empty.outcome, empty.failed) == (False, "not enough data", ())
    assert str(empty).startswith("not enough data (0 of 0 clauses passed)")
    assert empty._repr_html_().count("<tr>") == 1
    assert empty.to_markdown().count("\n") == 3
