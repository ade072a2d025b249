from __future__ import annotations

import re
from html.parser import HTMLParser
from itertools import pairwise

import pytest

from kdhelpers.contract import Clause, Verdict, write_page
from kdhelpers.contract.page import sentence, to_html, to_markdown
from kdhelpers.contract.verdict import HEADER

PASSES = Clause("accuracy", 0.7, 0.74, 0.71, 0.77, 900, "pass")
FAILS = Clause("latency p95", 2.0, 3.0, None, None, None, "fail", False, "ms", "1.5 times what is asked")
OPEN = Clause("recall of security", 0.6, 0.5, 0.2, 0.8, 6, "not enough data", note="about 90 rows would do")
MISSING = Clause("accuracy on short", 0.6, None, None, None, 0, "not enough data", note="no rows")


class Text(HTMLParser):
    """What a reader sees of a page, and whether every tag that is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag, attrs):
        if tag not in ("meta",):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.seen.append(data)


def text_of(page: str) -> str:
    parser = Text()
    parser.feed(page)
    assert parser.open == []
    return " ".join(" ".join(parser.seen).split())


@pytest.mark.parametrize("make", [to_markdown, lambda verdict, **more: text_of(to_html(verdict, **more))])
@pytest.mark.parametrize(
    ("clauses", "outcome", "advice"),
    [
        ((PASSES,), "✓ pass", "Ship it"),
        ((PASSES, FAILS, OPEN), "✗ fail", "Do not ship it as it is"),
        ((PASSES, OPEN), "? not enough data", "Not decided"),
    ],
)
def test_the_first_lines_say_what_to_do(make, clauses, outcome, advice):
    page = make(Verdict("Routing", clauses))
    assert page.index("Routing") < page.index(outcome) < page.index(advice) < page.index("All clauses")


def test_clauses_are_grouped_by_what_they_mean_and_those_that_fail_come_first():
    page = text_of(to_html(Verdict("", (PASSES, OPEN, FAILS, MISSING))))
    order = ["What fails", "latency p95:", "What has not been shown yet", "recall of security:", "What holds"]
    places = [page.index(part) for part in order]
    assert places == sorted(places)
    assert "What fails" not in text_of(to_html(Verdict("", (PASSES,))))
    shown = "What has not been shown yet " + " ".join(map(sentence, (OPEN, MISSING))) + " What holds"
    assert shown in page


def test_sentences_hold_all_numbers():
    assert sentence(PASSES) == "accuracy: 74.0% on 900 rows, [71.0, 77.0]; asked was ≥ 70.0%."
    assert sentence(FAILS) == "latency p95: 3.00 ms; asked was ≤ 2.00 ms (1.5 times what is asked)."
    assert sentence(MISSING) == "accuracy on short: nothing measured; asked was ≥ 60.0% (no rows)."


def test_all_clauses_stand_in_a_table_below():
    verdict = Verdict("Routing", (PASSES, FAILS, OPEN))
    html = to_html(verdict)
    table = html[html.index("<h2>All clauses</h2>") :]
    assert table.count("<tr>") == 1 + len(verdict.clauses)
    for cell in (*HEADER, "≥ 70.0%", "[71.0, 77.0]", "900", "3.00 ms", "about 90 rows would do"):
        assert cell in text_of(table[table.index("<table") : table.index("</table>") + len("</table>")])
    assert verdict.to_markdown() in to_markdown(verdict)


def test_markdown_parts_stand_apart():
    # A list or table that follows its heading or paragraph without an empty line is no list or table.
    lines = to_markdown(Verdict("Routing", (PASSES, FAILS)), notes=["one", "two"]).splitlines()
    kinds = [line[:1] if line.startswith(("- ", "| ", "|:")) else line for line in lines]
    for before, after in pairwise(kinds):
        assert "" in (before, after) or before == after in ("-", "|")
    assert [line for line in lines if line in ("one", "two")] == ["one", "two"]
    assert not [line for line in lines if line != line.strip()]


def test_names_and_notes_mean_nothing_to_a_browser_or_to_markdown():
    evil = Clause("<script>alert(1)</script>|*x*", 0.7, 0.74, 0.71, 0.77, 900, "pass")
    verdict = Verdict("<b>name</b>", (evil,))
    html = to_html(verdict, notes=["<img src=x>"])
    assert not re.search(r"<(script|img|b>)", html)
    assert "<script>alert(1)</script>|*x*" in text_of(html)
    markdown = to_markdown(verdict, notes=["# no heading"])
    assert "<script>" not in markdown
    assert "\n# no heading" not in markdown


def test_a_page_is_one_file_that_fetches_nothing():
    html = to_html(Verdict("Routing", (PASSES, FAILS)))
    assert not re.search(r"https?://|src=|@import|url\(", html)
    assert "lang='en'" in html
    assert "viewport" in html


def test_it_is_written_by_the_ending_of_its_name(tmp_path):
    verdict = Verdict("Routing", (PASSES,))
    assert write_page(verdict, tmp_path / "new" / "a.html").read_text(encoding="utf-8") == to_html(verdict)
    assert write_page(verdict, tmp_path / "a.md").read_text(encoding="utf-8") == to_markdown(verdict)
    noted = write_page(verdict, tmp_path / "noted.md", notes=["of June's test set"])
    assert noted.read_text(encoding="utf-8") == to_markdown(verdict, notes=["of June's test set"])
    with pytest.raises(ValueError, match=r"a\.pdf ends in \.pdf: name a page \.html or \.md"):
        write_page(verdict, tmp_path / "a.pdf")
    with pytest.raises(ValueError, match=r"^verdict ends in nothing: name a page \.html or \.md"):
        write_page(verdict, tmp_path / "verdict")
