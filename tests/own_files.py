"""Files as readers have them, small: labelled texts, a pool, a test; and a tiny transformer as teacher."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import safetensors.torch
import torch

from kdhelpers.text import find_minilm
from kdhelpers.text.encoder import empty_encoder

THINGS = {
    "billing": (
        ["card", "bill", "payment", "invoice", "fee"],
        ["charged twice", "declined", "refused", "wrong"],
    ),
    "delivery": (["parcel", "courier", "box", "order", "van"], ["late", "lost", "missing", "broken"]),
}
REST = [
    "please help",
    "what now",
    "since monday",
    "for days",
    "again and again",
    "as ever",
    "thanks",
    "once more",
]


def messages(count: int, seed: int) -> list[tuple[str, str]]:
    """Texts with their class, no two alike."""
    found = [
        (f"my {thing} is {trouble} {rest}", name)
        for name, (things, troubles) in THINGS.items()
        for thing in things
        for trouble in troubles
        for rest in REST
    ]
    return random.Random(seed).sample(found, count)


def write_csv(path: Path, rows: list[tuple[str, str]], header: str = "message,queue") -> Path:
    path.write_text("\n".join([header, *(f"{text},{name}" for text, name in rows), ""]), encoding="utf-8")
    return path


def own_files(folder: Path, labelled: int = 16, pool: int = 40, test: int = 24) -> dict[str, Path]:
    """The three files, without a text in two of them."""
    rows = messages(labelled + pool + test, seed=3)
    texts = [(text, "") for text, _ in rows[labelled:-test]]
    return {
        "labelled": write_csv(folder / "mail.csv", rows[:labelled]),
        "unlabelled": write_csv(folder / "pool.csv", texts, "message,remark"),
        "test": write_csv(folder / "test.csv", rows[-test:]),
    }


def tiny_teacher(folder: Path) -> Path:
    """A transformer with MiniLM's tokenizer and random weights, as a Hugging Face folder."""
    config = json.loads((find_minilm() / "config.json").read_text(encoding="utf-8"))
    config |= dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    return teacher_of(config, folder)


def teacher_of(config: dict, folder: Path) -> Path:
    """The same for another kind of transformer."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        weights = {name: value.contiguous() for name, value in empty_encoder(config).state_dict().items()}
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    shutil.copy(find_minilm() / "tokenizer.json", folder)
    safetensors.torch.save_file(weights, folder / "model.safetensors")
    return folder
