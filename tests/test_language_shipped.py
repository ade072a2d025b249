"""What ships for the lesson on language models: teacher, pool and tables say what their card says."""

from __future__ import annotations

import csv
import re
from collections import Counter

import lessons
import pytest
import torch

from kdhelpers.data.places import shipped_folder
from kdhelpers.language import (
    ANSWER,
    ARITHMETIC,
    PROMPT,
    answer_of,
    draw_problems,
    generate,
    load_language_teacher,
    load_taught,
    trace_of,
)


def test_the_pool_is_the_teacher_s_and_tests_are_not_in_it() -> None:
    pool = load_taught()
    prompts, traces = zip(*pool, strict=True)
    assert len(set(prompts)) == len(pool) == 6_000
    assert {len(trace_of(prompt)) for prompt in prompts} == {3, 5}
    assert sum(trace == trace_of(prompt) for prompt, trace in pool) > 5_940
    tested = {p for n in (3, 4, 5, 6) for p in draw_problems(500, [n], seed=10_000 + n)}
    assert not tested & set(prompts)
    tokens = ARITHMETIC.encode(prompts[:100])
    written = generate(load_language_teacher(), tokens, ANSWER, end_token=ARITHMETIC.end_token)
    texts = ARITHMETIC.decode(written[:, PROMPT:])
    # Another machine rounds otherwise: a rare near tie may fall the other way.
    assert sum(text.startswith(trace + ".") for text, trace in zip(texts, traces, strict=False)) >= 98


@pytest.mark.parametrize("operations", [1, 4, 6])
def test_the_teacher_can_do_sums(operations: int) -> None:
    prompts = draw_problems(60, [operations], seed=77)
    tokens = generate(
        load_language_teacher(), ARITHMETIC.encode(prompts), ANSWER, end_token=ARITHMETIC.end_token
    )
    answers = [answer_of(text) for text in ARITHMETIC.decode(tokens[:, PROMPT:])]
    assert sum(a == trace_of(p)[-1] for a, p in zip(answers, prompts, strict=True)) >= 58


def test_the_teacher_is_frozen_and_small() -> None:
    teacher = load_language_teacher()
    assert not teacher.training
    assert not any(weight.requires_grad for weight in teacher.parameters())
    assert sum(weight.numel() for weight in teacher.parameters()) == 228_000
    assert torch.isfinite(teacher(torch.zeros(1, 5, dtype=torch.long))).all()


@pytest.mark.parametrize("name", ["results.csv", "sums.csv"])
def test_the_tables_hold_as_many_students_as_the_card_says(name: str) -> None:
    with (shipped_folder("language") / name).open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    counts = Counter(row["method"] for row in rows)
    of_each = {way: 1 if way == "teacher" else 10 for way in counts}
    assert counts == of_each
    assert len(counts) > 5
    shares = [float(v) for row in rows for k, v in row.items() if k in ("valid", "share") or "length" in k]
    assert all(0 <= value <= 1 for value in shares)


def test_each_file_is_on_its_card_and_goes_along_with_the_package() -> None:
    folder = lessons.ROOT / "data" / "language"
    card = (folder / "README.md").read_text(encoding="utf-8")
    included = set(
        re.findall(r'"data/language/(\S+)" =', (lessons.ROOT / "pyproject.toml").read_text("utf-8"))
    )
    shipped = {path.name for path in folder.iterdir() if path.suffix in (".csv", ".safetensors")}
    assert shipped | {"README.md"} == included
    assert all(f"`{name}`" in card for name in shipped)
    assert sum((folder / name).stat().st_size for name in shipped) < 3_000_000
