"""The page on scaling holds what is so: its numbers are computed, its sizes are those of real stores."""

from __future__ import annotations

import doctest
import re
import runpy

import lessons
import pytest
import torch
from accelerate.state import AcceleratorState
from torch import nn

from kdhelpers.data import Split
from kdhelpers.teacher_outputs import record_teacher

PAGE = (lessons.ROOT / "docs" / "scaling.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def said():
    """What the page's sessions define, after running them and comparing all that they print."""
    sessions = "\n".join(re.findall(r"```pycon\n(.*?)```", PAGE, re.DOTALL))
    test = doctest.DocTestParser().get_doctest(sessions, {}, "scaling.md", None, 0)
    assert len(test.examples) > 10
    names = test.globs
    assert doctest.DocTestRunner().run(test, clear_globs=False).failed == 0
    return names


@pytest.mark.parametrize(("classes", "top_k"), [(10, None), (77, None), (77, 5)])
@pytest.mark.parametrize("dtype", [torch.float16, torch.float32])
def test_a_row_takes_the_bytes_that_the_page_says(said, tmp_path, classes, top_k, dtype):
    ids = [f"pool-{row:06d}" for row in range(2_000)]
    split = Split(ids, torch.randn(len(ids), 4, generator=torch.Generator().manual_seed(0)))
    outputs = record_teacher(
        nn.Linear(4, classes), split, tmp_path, top_k=top_k, dtype=dtype, shard_rows=1_000, progress=False
    )
    expected = said["bytes_of_a_row"](classes, top_k=top_k, logit_bytes=dtype.itemsize, id_bytes=len(ids[0]))
    around = 400 * len(outputs.manifest.shards)  # each shard says what it holds
    assert 0 <= sum(file.size for file in outputs.manifest.files) - expected * len(ids) < around


@pytest.mark.whole
def test_the_script_runs_in_one_process_too(tmp_path, monkeypatch):
    (script,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "distil.py").write_text(script)
    monkeypatch.chdir(tmp_path)
    AcceleratorState._reset_state(reset_partial_state=True)
    found = runpy.run_path("distil.py", run_name="__main__")
    AcceleratorState._reset_state(reset_partial_state=True)
    assert found["history"].steps == 2 * 24
    assert (tmp_path / "student.pt").is_file()
