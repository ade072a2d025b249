"""Recordings that are killed with no chance to tidy up."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import sys
import threading
import time

import pytest
import torch
from torch import nn
from tqdm import tqdm

from kdhelpers.data import Split
from kdhelpers.teacher_outputs import Manifest, record_teacher

# A forked child has torch loaded already; where forking is not safe, each child takes seconds to start.
FORK = sys.platform == "linux"
KILLS = 50 if FORK else 3
ROWS, BATCH, SHARD, SLEEP = 96, 4, 12, 0.0005


class Teacher(nn.Module):
    """Says when it is asked, and takes a moment for the answer."""

    def __init__(self, told=None):
        super().__init__()
        self.weight = nn.Parameter(torch.arange(12.0).view(3, 4) / 7)
        self.told = told

    def forward(self, inputs):
        if self.told is not None:
            self.told.send(True)
            time.sleep(SLEEP)
        return inputs @ self.weight + len(inputs) / 100


def record(folder, told=None):
    if told is not None:
        tqdm.set_lock(
            threading.RLock()
        )  # the usual one is shared with the parent: a kill would leave it held
    split = Split(range(ROWS), torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1)))
    return record_teacher(Teacher(told), split, folder, batch_size=BATCH, shard_rows=SHARD, progress=False)


def killed(context, folder, batches, seconds):
    """Record in a process of its own, killed some seconds after its teacher was asked for so many batches."""
    heard, told = context.Pipe(duplex=False)
    child = context.Process(target=record, args=(folder, told))
    child.start()
    for _ in range(batches):
        assert heard.poll(60)
        heard.recv()
    time.sleep(seconds)
    child.kill()
    child.join(60)
    told.close()
    heard.close()


def content(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.whole
def test_a_recording_killed_at_any_moment_goes_on_to_the_same_bytes(tmp_path):
    context = multiprocessing.get_context("fork" if FORK else "spawn")
    record(tmp_path / "whole")
    whole, moments, reached, halves = content(tmp_path / "whole"), random.Random(0), [], 0
    for kill in range(KILLS):
        folder = tmp_path / str(kill)
        killed(context, folder, moments.randint(1, ROWS // BATCH), moments.uniform(0, 6 * SLEEP))
        reached.append(Manifest.read(folder).recorded if (folder / "manifest.json").exists() else 0)
        halves += len(list(folder.glob(".*.tmp")))
        record(folder)
        assert content(folder) == whole
        shutil.rmtree(folder)
    print(f"{KILLS} kills, with {sorted(reached)} of {ROWS} rows safe and {halves} files half-written")
    if FORK:
        assert len(set(reached)) > 4  # the moments were spread over the recording
