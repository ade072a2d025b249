"""Does lesson 07's evaluation find what is planted, and is it silent where nothing is?

    python scripts/planted_failures.py            # 20 planted and 20 clean data sets; writes docs/
    python scripts/planted_failures.py --sets 2   # a try; writes nothing

Each data set is dealt anew from the help desk's hand-written messages, with a seed of its own: other
messages are labelled, in the pool, in the test; other names, slips and plans; other agents' mistakes. In the
clean ones agents have no bias and follow today's rule, each message that is learnt from is there once a
plan, the audited queue is a common one, the pool is answered softly, being "oblique" or the like is drawn by
lot, and the next quarter is like the last. Teacher and student are trained anew each time, as in the lesson;
to spare an hour, the teacher reads each message once, as its writer first wrote it (kept in build/), and the
student reads it with its slips and greetings.
"""

from __future__ import annotations

import argparse
import re
import runpy
import sys
from collections.abc import Iterable
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from lessons import ROOT
from safetensors.torch import load_file, save
from torch import Tensor, nn
from torch.nn import functional as F

from kdhelpers.bars import progress_bar
from kdhelpers.contract import Contract
from kdhelpers.data import Split
from kdhelpers.data.support import QUEUES
from kdhelpers.evaluation import (
    class_parts,
    evaluate,
    gaps_to_rest,
    outcome_gap,
    paired_gaps,
    reliability,
    wilson,
)
from kdhelpers.files import write_whole
from kdhelpers.losses import kd_loss
from kdhelpers.ngrams import NgramHasher
from kdhelpers.seeding import seeded
from kdhelpers.teacher_outputs import MemoryOutputs
from kdhelpers.text import NgramStudent, TransformerTeacher
from kdhelpers.text.logistic import fit_logistic
from kdhelpers.training import distill

SUPPORT = ROOT / "data" / "support"
POOL, TEST = 4000, 1000
COMMON, AUDITED = (
    "delivery",
    40,
)  # a queue as frequent as others, audited in clean data in place of the rare one
PLANS = ("Free", "Plus", "Business")
NUMBER = {name: place for place, name in enumerate(QUEUES)}
KINDS = ("oblique", "multi", "misleading", "ambiguous")
OLD_RULE = {"refunds": "charges", "two_step": "sign_in"}
RARE_FLOOR, QUEUE_FLOOR, TOLERANCE = 0.35, 0.25, 0.03
FAILURES = {
    "wrong teacher": "right less often by outcome than by the labels that its teacher learnt from",
    "bias": f"a queue is worse by over {100 * TOLERANCE:.0f} points for the same message if Free (Holm)",
    "rare queue": f"recall of the audited queue ({AUDITED} messages) is shown to be below {RARE_FLOOR:.0%}",
    "overconfident": "confidence exceeds accuracy",
    "hard messages": "one of four kinds is worse than the rest (Holm)",
    "unseen messages": f"a queue's recall is shown to be below {QUEUE_FLOOR:.0%} a quarter later (Šidák)",
}


PAGE = """# Does the evaluation find what is planted?

Lesson 07's six checks on data sets that are dealt anew from the help desk's hand-written messages, teacher
and student trained anew each time (`scripts/planted_failures.py`, which says what the clean ones are). The
checks that look at outcomes use 1,400 messages, the rare queue has 40 of its own, the next quarter 400.

| failure | is reported when | planted: reported | clean: reported |
|:--|:--|--:|--:|
{lines}

On clean data {alarms} of {looks} checks report something, {share}; each is built to do so in at most one
of twenty cases.

The clean data sets show every message once for each plan. Where plans stay as they fell, {accidents} of
{sets} students treat the same message differently by plan, though no agent did: with a few dozen labels a
queue and a finite pool, plans and queues go together by accident, and a student learns that too. The check is
right to report it; to show each message once for each plan is the cure.
"""


def dealt(seed: int, planted: bool) -> dict[str, list[dict[str, str]]]:
    """The rows of every split, from the data set's own script with another seed."""
    script = SimpleNamespace(**script_of_the_data())
    inside = script.split_cores.__globals__
    inside |= {"SEED": f"planted {seed}", "POOL": POOL, "TEST": TEST}
    if not planted:
        inside |= {"BIASED_SHARE": 0.0, "LATER": script.TRAFFIC}
        inside["LATER_TIERS"] = script.TIERS
    splits = script.split_cores(script.read_cores())
    if not planted:
        audited = [core for core in splits["pool"] if core.queue == COMMON][:AUDITED]
        splits["security_audit"] = audited
        splits["pool"] = [core for core in splits["pool"] if core not in audited]
    return {
        name: [dict(zip(script.COLUMNS[1:], row[1:], strict=True)) for row in script.rows_of(name, cores)]
        for name, cores in splits.items()
    }


def split_of(name: str, rows: list[dict[str, str]], column: str) -> Split:
    """Rows as a split, labelled by the first agent or by outcome."""
    labels = torch.tensor([NUMBER[row[column]] for row in rows])
    flags = {kind: [row[kind] == "yes" for row in rows] for kind in KINDS[1:]}
    flags["oblique"] = [row["clarity"] == "oblique" for row in rows]
    slices = {kind: torch.tensor(flags[kind]) for kind in KINDS}
    ids = [f"{name}-{number}" for number in range(len(rows))]
    return Split(ids, [row["text"] for row in rows], labels, slices)


def with_plan(split: Split, plan: str) -> Split:
    """The same messages, as if written by a customer on this plan."""
    texts = [text_with_plan(text, plan) for text in split.inputs]
    return Split(split.ids, texts, split.labels, split.slices)


def text_with_plan(text: str, plan: str) -> str:
    """A message that ends in another plan."""
    return re.sub(r" \[\w+ plan\]$", f" [{plan} plan]", text)


def once_a_plan(rows: list[dict[str, str]]) -> list[dict[str, str]]:
    """Each message once for each plan; the teacher reads it as it was, and so says the same each time."""
    return [
        {**row, "text": text_with_plan(row["text"], plan), "tier": plan, "read as": row["tier"]}
        for row in rows
        for plan in PLANS
    ]


def by_old_rule(split: Split) -> Split:
    """The same rows with the labels of a time when two queues did not exist."""
    assert split.labels is not None
    labels = split.labels.clone()
    for new, old in OLD_RULE.items():
        labels[labels == NUMBER[new]] = NUMBER[old]
    return Split(split.ids, split.inputs, labels, split.slices)


def read_once() -> dict[str, Tensor]:
    """What MiniLM makes of each hand-written message, for each plan, by ``core [plan]``."""
    kept = ROOT / "build" / "planted_vectors.safetensors"
    if not kept.is_file():
        script = SimpleNamespace(**script_of_the_data())
        cores = {core.name: core.text for core in script.read_cores()}
        texts = {f"{name} {plan}": f"{text} [{plan} plan]" for name, text in cores.items() for plan in PLANS}
        with torch.no_grad():
            vectors = TransformerTeacher(QUEUES).embed(list(texts.values()), progress=True)
        write_whole(kept, save({name: vector.clone() for name, vector in zip(texts, vectors, strict=True)}))
    return load_file(kept)


def script_of_the_data() -> dict[str, Any]:
    """The names of the script that made the data set, fresh."""
    if str(SUPPORT) not in sys.path:
        sys.path.insert(0, str(SUPPORT))
    return runpy.run_path(str(SUPPORT / "make_support.py"))


class Setting:
    """One data set, and the students that are trained on it."""

    def __init__(self, seed: int, planted: bool, vectors: dict[str, Tensor], even: bool = False) -> None:
        self.seed, self.planted, self.even = seed, planted, even
        rows = dealt(seed, planted)
        if even:  # nothing ties a plan to a queue, not even by accident
            rows |= {name: once_a_plan(rows[name]) for name in ("labelled", "pool")}
        both = [*rows["validation"], *rows["test"]]
        self.labelled, self.pool = (split_of(name, rows[name], "label") for name in ("labelled", "pool"))
        self.test, self.by_agents = (split_of("test", both, column) for column in ("outcome", "label"))
        self.audit = split_of("audit", rows["security_audit"], "outcome")
        self.later = split_of("later", rows["next_quarter"], "outcome")
        self.seen = [
            torch.stack([vectors[f"{row['core']} {row.get('read as', row['tier'])}"] for row in rows[name]])
            for name in ("labelled", "pool")
        ]

    def student(self, labelled: Split, *, hard: bool = False) -> NgramStudent:
        """A student of the teacher that these labels make."""
        head = nn.Linear(self.seen[0].shape[1], len(QUEUES))
        assert labelled.labels is not None
        fit_logistic(head, self.seen[0], labelled.labels)
        outputs = MemoryOutputs(self.pool.ids, head(self.seen[1]).detach())
        hasher = NgramHasher(buckets=2**14)
        student = seeded(lambda: NgramStudent(QUEUES, hasher=hasher), self.seed)
        distill(
            student, self.pool.unlabelled(), outputs, loss=of_choices if hard else soft, kd_weight=1.0,
            epochs=10 if hard else 1 if self.even else 3, seed=self.seed, batch_size=256,
            learning_rate=4e-2, schedule="one-cycle", progress=False,
        )  # fmt: skip
        return student.eval()


soft = partial(kd_loss, temperature=1.0)


def of_choices(student_logits: Tensor, teacher_logits: Tensor) -> Tensor:
    """Cross-entropy with the teacher's first choice."""
    return F.cross_entropy(student_logits, teacher_logits.argmax(dim=-1))


def by_plan(student: NgramStudent, split: Split) -> bool:
    """Whether a queue is worse for the same messages on the Free plan than on Plus."""
    free, plus = (evaluate(student, with_plan(split, plan)) for plan in ("Free", "Plus"))
    return bool(paired_gaps(free, plus, class_parts(free), tolerance=TOLERANCE).worse)


def reported(setting: Setting) -> dict[str, bool]:
    """What the evaluation reports on one data set."""
    student = setting.student(setting.labelled)
    report = evaluate(student, setting.test)
    masks = {kind: setting.test.slices[kind] for kind in KINDS}
    if setting.planted:
        old, hard = (
            setting.student(by_old_rule(setting.labelled)),
            setting.student(setting.labelled, hard=True),
        )
        taught = by_old_rule(setting.by_agents)
    else:
        old, hard, taught = student, student, setting.by_agents
        lot = torch.randperm(len(report.ids), generator=torch.Generator().manual_seed(setting.seed))
        masks = {kind: mask[lot] for kind, mask in masks.items()}
    return {
        "wrong teacher": outcome_gap(evaluate(old, setting.test), evaluate(old, taught)).verdict == "worse",
        "bias": by_plan(student, setting.test),
        "rare queue": evaluate(student, setting.audit).accuracy.high < RARE_FLOOR,
        "overconfident": reliability(evaluate(hard, setting.test)).verdict == "overconfident",
        "hard messages": bool(gaps_to_rest(report, masks).worse),
        "unseen messages": bool(
            Contract("every queue", worst_class=QUEUE_FLOOR).check(evaluate(student, setting.later)).failed
        ),
    }


def counted(seeds: Iterable[int], planted: bool, vectors: dict[str, Tensor]) -> dict[str, int]:
    """On how many data sets each failure is reported."""
    counts = dict.fromkeys(FAILURES, 0)
    for seed in progress_bar(list(seeds), title="planted" if planted else "clean", unit="data set"):
        found = reported(Setting(seed, planted, vectors, even=not planted))
        print(seed, planted, {name: hit for name, hit in found.items() if hit != planted}, flush=True)
        for name, hit in found.items():
            counts[name] += hit
    return counts


def by_accident(seeds: Iterable[int], vectors: dict[str, Tensor]) -> int:
    """How many students treat plans differently though no agent did: by how plans fell in labels and pool."""
    count = 0
    for seed in progress_bar(list(seeds), title="by accident", unit="data set"):
        setting = Setting(seed, False, vectors)
        count += by_plan(setting.student(setting.labelled), setting.test)
    return count


def table(planted: dict[str, int], clean: dict[str, int], sets: int, accidents: int) -> str:
    """The counts as Markdown."""
    lines = [
        f"| {name} | {what} | {planted[name]} of {sets} | {clean[name]} of {sets} |"
        for name, what in FAILURES.items()
    ]
    alarms, looks = sum(clean.values()), sets * len(FAILURES)
    return PAGE.format(
        lines="\n".join(lines),
        alarms=alarms,
        looks=looks,
        share=wilson(alarms, looks),
        accidents=accidents,
        sets=sets,
    )


def main() -> None:
    """Count, print, and write the page."""
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--sets", type=int, default=20, help="planted data sets, and clean ones")
    sets = options.parse_args().sets
    vectors, other = read_once(), range(100, 100 + sets)
    planted, clean = counted(range(sets), True, vectors), counted(other, False, vectors)
    page = table(planted, clean, sets, by_accident(other, vectors))
    print(page)
    if sets >= 20:
        write_whole(ROOT / "docs" / "planted_failures.md", page)


if __name__ == "__main__":
    main()
