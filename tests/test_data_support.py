from __future__ import annotations

import csv
import re
import runpy
import sys
from collections import Counter
from pathlib import Path

import lessons
import pytest

from kdhelpers.data import Split, load_support, support
from kdhelpers.data.support import GROUPS, QUEUES

FOLDER = lessons.ROOT / "data" / "support"
SPLITS = ("labelled", "validation", "test", "next_quarter", "pool", "security_audit", "new_product")


@pytest.fixture(scope="module")
def rows() -> dict[str, list[dict[str, str]]]:
    found = {}
    for name in SPLITS:
        with (FOLDER / f"{name}.csv").open(encoding="utf-8", newline="") as stream:
            found[name] = list(csv.DictReader(stream))
    return found


@pytest.fixture(scope="module")
def script() -> dict[str, object]:
    sys.path.insert(0, str(FOLDER))
    try:
        return runpy.run_path(str(FOLDER / "make_support.py"))
    finally:
        sys.path.remove(str(FOLDER))


@pytest.fixture(scope="module")
def task():
    return load_support()


def plain(text: str) -> str:
    return " ".join(re.findall(r"[^\W_]+", text.lower()))


# --- how it was made


@pytest.mark.whole
def test_the_script_makes_the_files_byte_for_byte(script) -> None:
    made = script["files"]()
    assert set(made) == {f"{name}.csv" for name in SPLITS}
    for name, content in made.items():
        assert (FOLDER / name).read_bytes() == content.encode(), f"{name} is not what the script makes"


def test_every_core_message_is_one_of_its_own(script) -> None:
    cores = script["read_cores"]()
    assert len(cores) >= 2_400
    assert len({core.name for core in cores}) == len(cores)
    twice = [text for text, n in Counter(plain(core.text) for core in cores).items() if n > 1]
    assert twice == []
    assert {core.queue for core in cores} == set(QUEUES)


def test_core_messages_name_nobody_and_lead_nowhere(script) -> None:
    for core in script["read_cores"]():
        assert not re.search(r"https?:|www\.|\S@\S|\d{9}", core.text), core.name


def test_no_core_message_is_in_two_splits(rows) -> None:
    cores = {name: {row["core"] for row in found} for name, found in rows.items()}
    for name, found in cores.items():
        for other in SPLITS:
            assert name == other or not found & cores[other]
    assert all(len(cores[name]) == len(rows[name]) for name in SPLITS if name != "pool")


def test_nothing_is_left_to_fill_in(rows) -> None:
    for found in rows.values():
        assert not [row["id"] for row in found if re.search(r"[{}]", row["text"])]


# --- what it is like


def test_the_queues_come_as_often_as_the_data_card_says(rows) -> None:
    pool = Counter(row["outcome"] for row in rows["pool"])
    assert sum(pool.values()) == 12_000
    assert 0.008 < pool["security"] / 12_000 < 0.012
    later = ("next_quarter", "new_product")
    assert "solar" not in {row["outcome"] for name in SPLITS if name not in later for row in rows[name]}
    assert {row["outcome"] for row in rows["new_product"]} == {"solar"}
    assert Counter(row["outcome"] for row in rows["next_quarter"])["solar"] > 20
    labelled = Counter(row["outcome"] for row in rows["labelled"])
    assert max(labelled.values()) <= 40
    assert {row["outcome"] for row in rows["security_audit"]} == {"security"}
    assert len(QUEUES) == 16
    assert len(GROUPS) == 4


def test_first_agents_err_in_the_two_documented_ways_and_in_no_other(rows) -> None:
    for found in rows.values():
        for row in found:
            biased = row["tier"] == "Free" and row["outcome"] == "app_faults"
            if row["label"] != row["outcome"] and not (biased and row["label"] == "how_to"):
                assert row["ambiguous"] == "yes", row["id"]
    wrong = [row for row in rows["pool"] if row["label"] != row["outcome"]]
    assert 0.03 < len(wrong) / 12_000 < 0.09


def test_the_bias_is_against_free_customers_alone(rows) -> None:
    def sent_away(*tiers: str) -> float:
        found = [row for row in rows["pool"] if row["outcome"] == "app_faults" and row["tier"] in tiers]
        return sum(row["label"] == "how_to" for row in found) / len(found)

    assert 0.75 < sent_away("Free") < 0.85
    assert sent_away("Plus", "Business") < 0.05


@pytest.mark.parametrize("name", ["pool", "test"])
def test_every_slice_has_its_share(rows, name: str) -> None:
    found = rows[name]
    for column, value, least in (
        ("multi", "yes", 0.05), ("misleading", "yes", 0.08), ("ambiguous", "yes", 0.02),
        ("clarity", "oblique", 0.1), ("length", "short", 0.1), ("length", "long", 0.02),
        ("style", "non_native", 0.05), ("style", "angry", 0.05),
    ):  # fmt: skip
        assert sum(row[column] == value for row in found) / len(found) >= least, (column, value)


# --- how it is loaded


def test_labels_are_the_first_agents_and_outcomes_are_known(task, rows) -> None:
    labels = [QUEUES[label] for label in task.test.labels.tolist()]
    assert labels == [row["label"] for row in rows["test"]]
    outcomes = task.by_outcome(task.test)
    assert [QUEUES[label] for label in outcomes.labels.tolist()] == [row["outcome"] for row in rows["test"]]
    assert outcomes.ids == task.test.ids
    assert outcomes.slices.keys() == task.test.slices.keys()


def test_the_pool_has_labels_only_when_asked_for(task) -> None:
    assert task.pool.labels is None
    assert load_support(pool_labels=True).pool.labelled.all()
    assert task.by_outcome(task.pool).labelled.all()


def test_slices_follow_the_columns(task, rows) -> None:
    slices = task.test.slices
    assert {"multi", "misleading", "ambiguous", "free", "short", "oblique", "angry", "rare", "new"} <= set(
        slices
    )
    assert slices["rare"].sum() == sum(row["outcome"] == "security" for row in rows["test"])
    assert slices["free"].tolist() == [row["tier"] == "Free" for row in rows["test"]]
    assert not slices["new"].any()
    assert task.next_quarter.slices["new"].any()


def test_a_foreign_row_and_a_damaged_file_get_sentences(task, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ValueError, match="'x' is not of this task"):
        task.by_outcome(Split(ids=["x"], inputs=["hello"]))
    content = (FOLDER / "labelled.csv").read_text(encoding="utf-8").replace(",charges,", ",chargez,")
    (tmp_path / "labelled.csv").write_text(content, encoding="utf-8")
    monkeypatch.setattr(support, "shipped_folder", lambda name: tmp_path)
    with pytest.raises(ValueError, match=r"labelled\.csv is damaged: it has an unknown queue 'chargez'"):
        load_support()


def test_texts_and_labels_are_in_step(task) -> None:
    about = task.by_outcome(task.train).labels == QUEUES.index("invoices")
    texts = task.train.take(about).inputs
    assert sum(bool(re.search("invoice|receipt|VAT", text, re.I)) for text in texts) / len(texts) > 0.3


def test_the_data_card_counts_what_is_there(rows, script) -> None:
    card = (FOLDER / "README.md").read_text(encoding="utf-8")
    cores = Counter(core.queue for core in script["read_cores"]())
    counted = {name: Counter(row["outcome"] for row in found) for name, found in rows.items()}
    order = ("labelled", "validation", "test", "pool", "next_quarter", "security_audit", "new_product")
    for queue in QUEUES:
        numbers = [cores[queue], *(counted[name][queue] for name in order)]
        assert f"| {queue} | {' | '.join(f'{n:,}' for n in numbers)} |" in card
