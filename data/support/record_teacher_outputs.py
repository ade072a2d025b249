"""Record what the lesson's teacher says about the whole pool: a minute or two.

    python data/support/record_teacher_outputs.py

The weights of the last layer, and so the logits, differ in their last digits from one kind of processor to
another: made anew elsewhere, these files need not have the same bytes.
"""

from __future__ import annotations

from pathlib import Path

import torch

from kdhelpers.data import load_support
from kdhelpers.teacher_outputs import record_teacher
from kdhelpers.text import TransformerTeacher


def main() -> None:
    """Train the teacher on the labelled messages and store its outputs beside this script."""
    torch.set_num_threads(1)
    support = load_support()
    teacher = TransformerTeacher(support.classes).fit(support.train)
    outputs = record_teacher(teacher, support.pool, Path(__file__).parent / "teacher_outputs", resume=False)
    print(f"{len(outputs):,} rows")


if __name__ == "__main__":
    main()
