"""Reports and costs with numbers of one's choosing, for the tests of contracts."""

from __future__ import annotations

import pytest
import torch

from kdhelpers.costs import Costs
from kdhelpers.evaluation import Estimate, Report, wilson


def report(recalls, *, slices=None, ece=None, agreement=None):
    """A report with these classes, each (right, rows), and slices the same way."""
    rows = sum(n for _, n in recalls.values())
    labels = torch.cat([torch.full((n,), label) for label, (_, n) in enumerate(recalls.values())])
    right = torch.cat([torch.arange(n) < hits for hits, n in recalls.values()])
    return Report(
        accuracy=wilson(sum(hits for hits, _ in recalls.values()), rows),
        per_class={name: wilson(*counts) for name, counts in recalls.items()},
        nll=Estimate(0.5, 0.4, 0.6, rows, ".3f"),
        ece=ece or Estimate(0.05, 0.03, 0.07, rows),
        ids=range(rows),
        predictions=torch.where(right, labels, -1),
        labels=labels,
        confidence=torch.ones(rows),
        slices={name: wilson(*counts) for name, counts in (slices or {}).items()},
        agreement=agreement and wilson(*agreement),
    )


def costs(**changed):
    """Plausible costs of a student; 50,000 examples a second."""
    usual = dict(
        parameters=1_000_000,
        bytes=4_000_000,
        flops=2_000_000,
        latency_p50_ms=0.5,
        latency_p95_ms=1.5,
        throughput=50_000.0,
        batch_size=256,
        device="cpu",
        threads=1,
    )
    return Costs(**{**usual, **changed})


def test_a_sample_holds_together():
    found = report({"a": (3, 4), "b": (1, 2)}, slices={"s": (1, 3)}, agreement=(2, 6))
    assert found.accuracy.value == pytest.approx(found.correct.double().mean().item()) == 4 / 6
    assert [int(found.correct[found.labels == label].sum()) for label in (0, 1)] == [3, 1]
    assert found.n == found.accuracy.n == 6
    assert (found.slices["s"].n, found.agreement.value) == (3, pytest.approx(2 / 6))
