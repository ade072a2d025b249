from __future__ import annotations

import dataclasses
import json
import struct
import time

import pytest
import safetensors.torch
import torch
from torch import nn

from kdhelpers.costs import (
    Costs,
    bytes_on_disk,
    costs_table,
    count_flops,
    count_parameters,
    measure_costs,
    measuring,
)
from kdhelpers.models import ImageCNN, SignalCNN


@pytest.fixture(autouse=True)
def quick(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(measuring, "THROUGHPUT_SECONDS", 0)


class Tied(nn.Module):
    """Token numbers in, logits over the same vocabulary out; both ends share one matrix."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(50, 8)
        self.head = nn.Linear(8, 50, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, tokens):
        return self.head(self.embed(tokens).mean(1))


class TextLengths(nn.Module):
    """Reads texts, as a model with its own tokeniser does."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 2)
        self.seen = []

    def forward(self, texts):
        self.seen.append(texts)
        return self.linear(torch.tensor([[float(len(text))] * 3 for text in texts]))


def test_parameters_by_hand():
    assert count_parameters(nn.Sequential(nn.Linear(4, 3), nn.Conv1d(2, 5, 3))) == (4 * 3 + 3) + (
        5 * 2 * 3 + 5
    )
    assert count_parameters(nn.BatchNorm1d(7)) == 14
    assert count_parameters(Tied()) == 50 * 8
    assert count_parameters(nn.ReLU()) == 0


@pytest.mark.parametrize(
    ("model", "example", "flops"),
    [
        (nn.Linear(40, 10), torch.zeros(1, 40), 2 * 40 * 10),
        (nn.Linear(40, 10, bias=False), torch.zeros(1, 6, 40), 2 * 6 * 40 * 10),
        (nn.Conv1d(3, 25, 5, stride=2, padding=1), torch.zeros(1, 3, 40), 2 * 25 * 3 * 5 * 19),
        (nn.Conv2d(1, 8, 3, padding=1), torch.zeros(1, 1, 8, 8), 2 * 8 * 9 * 64),
        (nn.Conv2d(4, 8, 3, groups=4), torch.zeros(1, 4, 8, 8), 2 * 8 * 9 * 36),
        (SignalCNN(), torch.zeros(1, 40), 2 * (25 * 5 * 19 + 25 * 75 * 10 + 25 * 75 * 5 + 125 * 10)),
        (
            ImageCNN(channels=4),
            torch.zeros(1, 1, 8, 8),
            2 * (4 * 9 * 64 + 8 * 36 * 16 + 8 * 72 * 4 + 32 * 10),
        ),
        (Tied(), torch.zeros(1, 9, dtype=torch.long), 2 * 8 * 50),
        (nn.ReLU(), torch.zeros(1, 9), 0),
        # Fused kernels would hide these: 4 gates of 8 from 4 inputs and 8 states, five times.
        (nn.LSTM(4, 8, batch_first=True), torch.zeros(1, 5, 4), 2 * 5 * 32 * (4 + 8)),
        # Query, key, value; scores and mixing; output; two feed-forward layers.
        (
            nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
            torch.zeros(1, 5, 16),
            2 * (5 * 16 * 48 + 2 * 5 * 5 * 16 + 5 * 16 * 16 + 2 * 5 * 16 * 32),
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_flops_by_hand(model, example, flops):
    assert count_flops(model, example) == flops


def test_counting_leaves_pytorch_as_it_was():
    before = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    with pytest.raises(RuntimeError):
        count_flops(nn.Linear(3, 2), torch.zeros(1, 4))
    assert before == (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled)
    assert torch.backends.cuda.flash_sdp_enabled()


@pytest.mark.parametrize(
    "build", [SignalCNN, Tied, lambda: nn.BatchNorm1d(5), nn.ReLU, lambda: nn.Linear(2, 2).half()]
)
def test_bytes_are_those_of_a_saved_file(build, tmp_path):
    model = build()
    safetensors.torch.save_model(model, str(tmp_path / "model.safetensors"))
    content = (tmp_path / "model.safetensors").read_bytes()
    # save_model also notes which shared tensors it dropped, which is no part of the weights.
    (header,) = struct.unpack("<Q", content[:8])
    notes = json.loads(content[8 : 8 + header]).get("__metadata__", {})
    assert abs(len(content) - bytes_on_disk(model)) <= (128 if notes else 0)


def test_bytes_count_shared_memory_once():
    tied, loose = Tied(), Tied()
    loose.head.weight = nn.Parameter(loose.embed.weight.clone())
    assert 50 * 8 * 4 <= bytes_on_disk(loose) - bytes_on_disk(tied) < 50 * 8 * 4 + 128
    with torch.no_grad():
        overlapping = nn.Linear(8, 25, bias=False)
        overlapping.register_buffer("part", overlapping.weight[:3])
    assert bytes_on_disk(overlapping) >= 28 * 8 * 4


def test_what_safetensors_cannot_hold_is_named():
    class Odd(nn.Module):
        def get_extra_state(self):
            return {"version": 1}

        def set_extra_state(self, state):
            raise AssertionError("never loaded")

    with pytest.raises(ValueError, match="_extra_state is a dict that safetensors cannot store"):
        bytes_on_disk(Odd())


def test_measured_costs_are_consistent():
    costs = measure_costs(SignalCNN(), torch.zeros(1, 40), repeats=40, warmup=2, batch_size=16)
    assert (costs.parameters, costs.flops) == (5210, count_flops(SignalCNN(), torch.zeros(1, 40)))
    assert costs.bytes == bytes_on_disk(SignalCNN())
    assert 0 < costs.latency_p50_ms <= costs.latency_p95_ms
    assert costs.throughput > 0
    assert (costs.batch_size, costs.device, costs.threads) == (16, "cpu", torch.get_num_threads())


def test_times_follow_the_clock(monkeypatch):
    class Clocked(nn.Module):
        """Takes 1 ms a row; every tenth call of one row takes 100 ms more."""

        calls = now = 0.0

        def forward(self, rows):
            self.calls += 1
            self.now += len(rows) / 1e3 + (0.1 if len(rows) == 1 and self.calls % 10 == 0 else 0)

    model = Clocked()
    monkeypatch.setattr(time, "perf_counter", lambda: model.now)
    costs = measure_costs(model, torch.zeros(1, 2), repeats=100, warmup=7, batch_size=50)
    assert costs.latency_p50_ms == pytest.approx(1)
    assert costs.latency_p95_ms == pytest.approx(101)
    assert costs.throughput == pytest.approx(1000)
    # Warm-up, timed calls, a warm-up batch, three batches, and one to count FLOPs.
    assert model.calls == 7 + 100 + 1 + 3 + 1


def test_every_modules_mode_is_kept():
    model = nn.Sequential(nn.Linear(3, 3), nn.Dropout(0.5), nn.Sequential(nn.BatchNorm1d(3)))
    model.train()
    model[2].eval()
    before = [module.training for module in model.modules()]
    statistics = model[2][0].running_mean.clone()
    measure_costs(model, torch.ones(1, 3), repeats=10)
    assert [module.training for module in model.modules()] == before == [True, True, True, False, False]
    assert torch.equal(model[2][0].running_mean, statistics)

    class Broken(nn.Linear):
        def forward(self, input):
            raise KeyError("broken")

    broken = Broken(3, 3)
    with pytest.raises(KeyError):
        measure_costs(broken, torch.ones(1, 3))
    assert broken.training


def test_it_runs_in_eval_mode_without_gradients():
    modes = set()

    class Watch(nn.Linear):
        def forward(self, input):
            result = super().forward(input)
            modes.add((self.training, result.requires_grad))
            return result

    measure_costs(Watch(3, 2), torch.zeros(1, 3), repeats=10)
    assert modes == {(False, False)}


def test_texts_are_passed_on_as_lists():
    model = TextLengths()
    costs = measure_costs(model, ["hello"], repeats=10, batch_size=4)
    assert costs.flops == 2 * 3 * 2
    assert {tuple(texts) for texts in model.seen} == {("hello",), ("hello",) * 4}


@pytest.mark.parametrize(
    "example", [torch.zeros(2, 3), torch.zeros(0, 3), torch.tensor(1.0), [], ["a", "b"], "a"]
)
def test_the_example_is_one_row(example):
    for measured in (measure_costs, count_flops):
        with pytest.raises(ValueError, match="example must be the inputs of one row"):
            measured(nn.Linear(3, 2), example)


@pytest.mark.parametrize("wrong", [{"repeats": 9}, {"warmup": -1}, {"batch_size": 0}])
def test_too_small_numbers_are_refused(wrong):
    with pytest.raises(ValueError, match="repeats must be 10 or more"):
        measure_costs(nn.Linear(3, 2), torch.zeros(1, 3), **wrong)


BIG = Costs(25_557_032, 102_228_128, 8_178_368_512, 123.4, 2345.6, 9.5, 256, "cpu", 2)
SMALL = Costs(5_210, 21_000, 999_960, 0.0512, 0.3, 95_000.0, 256, "cpu", 2)


def test_table_compares_with_the_first():
    lines = str(costs_table({"teacher": BIG, "student": SMALL})).splitlines()
    assert lines[1].split("  ")[-1].strip() == "9.5 /s"
    for told in ("25,557,032", "102 MB", "8.18 G", "123 ms", "2,346 ms"):
        assert told in lines[1]
    for told in ("5,210 (0.0002×)", "21 kB (0.00021×)", "1 M (0.00012×)", "0.051 ms", "95 k/s (10,000×)"):
        assert told in lines[2]
    assert len({len(line) for line in lines}) == 1


def test_table_in_a_notebook():
    html = costs_table({"<teacher>": BIG, "student": SMALL})._repr_html_()
    assert "&lt;teacher&gt;" in html
    assert "<teacher>" not in html
    assert "measured on cpu with 2 threads, throughput in batches of 256" in html
    assert html.count("<tr>") == 3
    assert "25,557,032" in BIG._repr_html_()


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="no costs to compare"):
        costs_table({})


def test_what_is_unknown_is_a_dash():
    unknown = dataclasses.replace(SMALL, flops=None)
    for costs in ({"teacher": BIG, "student": unknown}, {"student": unknown, "teacher": BIG}):
        lines = str(costs_table(costs)).splitlines()
        assert any("  – " in line for line in lines)
        assert "–" in costs_table(costs)._repr_html_()
        assert "8.18 G (" not in "".join(lines)


def test_price_of_a_million():
    # 95,000 a second are 342 million an hour.
    assert SMALL.per_million(3.42) == pytest.approx(0.01)
    assert SMALL.per_million(0) == 0
    for price in (-1, float("nan"), float("inf")):
        with pytest.raises(ValueError, match=r"price_per_hour is .*: give the price of the machine"):
            SMALL.per_million(price)


def test_what_runs_outside_torch_tells_its_own_size():
    class Elsewhere:
        parameters, bytes, threads = 7, 99, 3

        def __call__(self, inputs):
            return [[0.0, 1.0]] * len(inputs)

    costs = measure_costs(Elsewhere(), torch.zeros(1, 4), repeats=10, batch_size=5)
    assert (costs.parameters, costs.bytes, costs.flops, costs.threads) == (7, 99, None, 3)
    assert (costs.device, costs.batch_size) == ("cpu", 5)
    assert costs.throughput > 0


class Exported:
    """What an OnnxPredictor is to `measure_costs`."""

    parameters, bytes, threads = 7, 99, 1

    def __init__(self):
        self.asked = []

    def __call__(self, inputs):
        return [[0.0, 1.0]] * len(inputs)

    def memory(self, example):
        self.asked.append(example)
        return 12_345_678


def test_memory_is_asked_of_what_is_served_and_only_then():
    model = Exported()
    assert measure_costs(model, ["help"], repeats=10).memory is None
    assert model.asked == []
    assert measure_costs(model, ["help"], repeats=10, memory=True).memory == 12_345_678
    assert model.asked == [["help"]]


@pytest.mark.parametrize("model", [nn.Linear(3, 2), SignalCNN(), len])
def test_memory_of_what_is_not_exported_is_refused(model):
    with pytest.raises(ValueError, match="only a served model can be started by itself"):
        measuring.memory_of(model)
    if isinstance(model, nn.Module):
        with pytest.raises(ValueError, match="To measure its memory, export the"):
            measure_costs(model, torch.zeros(1, 3), memory=True)


def test_a_function_that_tells_no_size_is_refused():
    with pytest.raises(ValueError, match=r"The costs of a function are unknown: give an nn\.Module, an Onnx"):
        measure_costs(lambda inputs: inputs, torch.zeros(1, 3))


def test_memory_has_a_column_once_it_was_measured():
    first, second = (dataclasses.replace(SMALL, memory=memory) for memory in (40_000_000, 10_000_000))
    assert "memory" not in str(costs_table({"a": BIG, "b": SMALL}))
    assert "memory" not in SMALL._repr_html_()
    lines = str(costs_table({"a": first, "b": second, "c": SMALL})).splitlines()
    assert lines[0].split()[:4] == ["parameters", "size", "memory", "FLOPs"]
    assert "40 MB" in lines[1]
    assert "10 MB (0.25×)" in lines[2]
    assert "–" in lines[3]
    assert "40 MB" in first._repr_html_()
    # Nothing to be a share of.
    assert "10 MB (" not in str(costs_table({"c": SMALL, "b": second}))
