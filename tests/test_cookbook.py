"""Every recipe of the cookbook is run as it stands on the page."""

from __future__ import annotations

import math
import re

import lessons
import pytest

from kdhelpers.seeding import seeded_randomness

PAGE = (lessons.ROOT / "docs" / "cookbook.md").read_text(encoding="utf-8")
RECIPES = {
    part.partition("\n")[0]: "\n".join(re.findall(r"```python\n(.*?)```", part, re.DOTALL))
    for part in PAGE.split("\n## ")[1:]
}


def lines(source):
    return [line for line in source.splitlines() if line.strip()]


def test_there_are_eight_recipes_of_at_most_twenty_lines():
    assert len(RECIPES) == 8
    assert {name: len(lines(source)) for name, source in RECIPES.items() if len(lines(source)) > 20} == {}
    assert all(len(line) <= 110 for source in RECIPES.values() for line in source.splitlines())


@pytest.mark.whole
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_runs(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "recipe"}
    with seeded_randomness(0):
        exec(compile(RECIPES[name], name, "exec"), names)
    if "report" in names:
        assert names["report"].accuracy.value > 0.8
        return
    history = names["history"]
    assert history.loss[-1] < history.loss[0]
    assert math.isfinite(history.loss[-1])
