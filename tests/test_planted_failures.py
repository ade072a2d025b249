"""The data sets that lesson 07's evaluation is tried on, and what the page says came of it."""

from __future__ import annotations

import re

import lessons
import planted_failures as study
import pytest

from kdhelpers.evaluation import wilson

PAGE = (lessons.ROOT / "docs" / "planted_failures.md").read_text(encoding="utf-8")
COUNTED = re.findall(r"^\| ([\w ]+) \| .+ \| (\d+) of (\d+) \| (\d+) of (\d+) \|$", PAGE, re.MULTILINE)
ACCIDENTS = int(re.search(r"they fell, (\d+) of\s", PAGE)[1])


@pytest.fixture(scope="module")
def planted():
    return study.dealt(1, planted=True)


@pytest.fixture(scope="module")
def clean():
    return study.dealt(2, planted=False)


def biased(rows):
    """Of the app faults of Free customers, which share was sent to how_to."""
    of = [row for row in rows if row["outcome"] == "app_faults" and row["tier"] == "Free"]
    return sum(row["label"] == "how_to" for row in of) / len(of)


@pytest.mark.whole
def test_what_is_planted_is_there_and_in_clean_data_is_not(planted, clean):
    assert biased(planted["pool"]) > 0.7
    assert biased(clean["pool"]) < 0.1
    for deal, audited in ((planted, "security"), (clean, study.COMMON)):
        assert [row["outcome"] for row in deal["security_audit"]] == [audited] * study.AUDITED
        share = sum(row["outcome"] == audited for row in deal["pool"]) / study.POOL
        assert share < 0.015 if deal is planted else share > 0.05
    assert any(row["outcome"] == "solar" for row in planted["next_quarter"])
    assert not any(row["outcome"] == "solar" for row in clean["next_quarter"])


@pytest.mark.whole
def test_every_seed_deals_other_messages_and_the_same_seed_the_same(planted):
    again, other = study.dealt(1, planted=True), study.dealt(3, planted=True)
    assert again["test"] == planted["test"]
    shared = {row["core"] for row in other["test"]} & {row["core"] for row in planted["test"]}
    assert len(shared) < 0.3 * len(planted["test"])


@pytest.mark.whole
def test_no_message_is_in_two_splits(planted):
    cores = {name: {row["core"] for row in rows} for name, rows in planted.items()}
    for name in ("validation", "test", "next_quarter", "security_audit"):
        assert not cores[name] & cores["pool"]
        assert not cores[name] & cores["labelled"]


@pytest.mark.whole
def test_clean_deals_hold_back_what_they_audit(clean):
    cores = {name: {row["core"] for row in rows} for name, rows in clean.items()}
    assert not cores["security_audit"] & (cores["pool"] | cores["labelled"])


def test_the_page_is_what_the_script_writes():
    planted, clean = ({name: int(row[at]) for name, *row in COUNTED} for at in (0, 2))
    assert planted.keys() == study.FAILURES.keys()
    assert study.table(planted, clean, int(COUNTED[0][2]), ACCIDENTS) == PAGE


def test_every_planted_failure_was_found_on_every_data_set():
    for name, found, sets, _, _ in COUNTED:
        assert int(found) == int(sets) >= 20, name


def test_clean_data_sets_were_reported_no_more_often_than_stated():
    for name, _, _, alarms, sets in COUNTED:
        assert wilson(int(alarms), int(sets)).low <= 0.05, name
