"""The shipped league is what its script says it is: complete, chosen on validation, tested once."""

from __future__ import annotations

import csv
import runpy
from collections import defaultdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from kdhelpers.data.places import shipped_folder
from kdhelpers.evaluation import evaluate
from kdhelpers.models import SignalCNN

FOLDER = Path(__file__).parent.parent / "data" / "league"
SCRIPT = runpy.run_path(str(FOLDER / "make_league.py"))
METHODS = SCRIPT["METHODS"]
TASKS = {"signals": tuple(METHODS), "digits": tuple(METHODS), "patient": SCRIPT["PATIENT"]}

Runs = dict[tuple[str, str, str], list[dict[str, str]]]


@pytest.fixture(scope="module")
def runs() -> Runs:
    found: Runs = defaultdict(list)
    with open(shipped_folder("league") / "league.csv", encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found[row["task"], row["method"], row["purpose"]].append(row)
    return found


def test_every_method_of_every_task_is_there_and_nothing_else(runs: Runs) -> None:
    assert {key[:2] for key in runs} == {(task, name) for task, names in TASKS.items() for name in names}
    for (task, name, purpose), rows in runs.items():
        seeds = [int(row["seed"]) for row in rows]
        if purpose == "final":
            assert seeds == list(SCRIPT["FINAL_SEEDS"]), (task, name)
        else:
            tried = sorted({float(row["setting"]) for row in rows})
            assert tried == pytest.approx(sorted(METHODS[name].settings)), (task, name)
            assert seeds == [*SCRIPT["TUNING_SEEDS"]] * len(METHODS[name].settings)


def test_validation_chose_the_settings(runs: Runs) -> None:
    for (task, name, purpose), rows in runs.items():
        if purpose == "tuning":
            found = defaultdict(list)
            for row in rows:
                found[row["setting"]].append(float(row["validation"]))
            settings = {row["setting"] for row in runs[task, name, "final"]}
            assert len(settings) == 1
            assert sum(found[settings.pop()]) >= max(map(sum, found.values())) - 2e-4  # they are rounded


def test_controls_take_the_setting_of_what_they_control(runs: Runs) -> None:
    for task, names in TASKS.items():
        for name in names:
            if other := METHODS[name].like:
                one, two = (runs[task, method, "final"][0]["setting"] for method in (name, other))
                assert one == two


def test_only_the_final_runs_were_tested(runs: Runs) -> None:
    for (_, _, purpose), rows in runs.items():
        assert all(bool(row["test"]) == (purpose == "final") for row in rows)
        assert all(0 <= float(row[part]) <= 1 for row in rows for part in ("validation", "test") if row[part])


@pytest.mark.whole
def test_the_shipped_teacher_is_a_good_one(signals_made) -> None:
    teacher = SignalCNN(channels=50)
    teacher.load_state_dict(load_file(shipped_folder("league") / "teacher.safetensors"))
    assert evaluate(teacher, signals_made.task.test).accuracy.low > 0.9


def test_what_is_kept_of_an_order() -> None:
    logits = torch.tensor([[0.3, 5.0, -1.0, 2.0], [4.0, 3.0, 2.5, 1.0]])
    assert SCRIPT["ranks"](logits).tolist() == [[1, 3, 0, 2], [3, 2, 1, 0]]
    assert SCRIPT["top_two"](logits).tolist() == [[0, 2, 0, 1], [2, 1, 0, 0]]
    shuffled = SCRIPT["shuffled_below_top"](
        torch.randn(2_000, 10, generator=torch.Generator().manual_seed(0))
    )
    draws = torch.randn(2_000, 10, generator=torch.Generator().manual_seed(0))
    assert torch.equal(shuffled.argmax(1), draws.argmax(1))
    # What was second is anywhere now: below the top, each place is as likely.
    second = draws.argsort(1)[:, -2:-1]
    place = (shuffled > shuffled.gather(1, second)).sum(1)
    assert torch.bincount(place, minlength=10)[1:].float().std() < 40


def test_smoothing_turns_cross_entropy_into_label_smoothing() -> None:
    answer = SCRIPT["Answer"](torch.randn(5, 10), torch.zeros(5, 1))
    labels = torch.arange(5)
    plain = torch.nn.functional.cross_entropy(answer.logits, labels)
    smooth = torch.nn.functional.cross_entropy(answer.logits, labels, label_smoothing=0.3)
    torch.testing.assert_close(plain + SCRIPT["smoothing"](answer, answer, labels, 0.3), smooth)
