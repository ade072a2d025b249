"""What cannot be stored: each mistake gets one sentence that says where it is and what to do."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from .manifest import Manifest

_DTYPES = (torch.float16, torch.float32)


def check_settings(batch_size: int, shard_rows: int, top_k: int | None, dtype: torch.dtype) -> None:
    """Refuse settings of a recording that no teacher could fit.

    Raises:
        ValueError: A number below 1, or a dtype that is not stored.

    Example:
        >>> check_settings(256, 4096, None, torch.float16)
    """
    counts = {"batch_size": batch_size, "shard_rows": shard_rows, "top_k": 1 if top_k is None else top_k}
    for name, value in counts.items():
        if value < 1:
            raise ValueError(f"{name} is {value}: give 1 or more.")
    if dtype not in _DTYPES:
        raise ValueError(f"dtype is {dtype}: logits are stored as torch.float16 or torch.float32.")


def check_storable(ids: Sequence[str | int], logits: Tensor, manifest: Manifest) -> None:
    """Refuse logits (n, C) that do not fit the class names, ``top_k`` or the dtype.

    Raises:
        ValueError: They don't; the first row that is too large is named.

    Example:
        >>> from kdhelpers.teacher_outputs import StoredFile
        >>> file = StoredFile.of("x", 1, b"")
        >>> manifest = Manifest("t", "d", (), "float16", None, 1, 4096, False, file, file, ())
        >>> check_storable(["a"], torch.tensor([[1.0, -2.0]]), manifest)
    """
    width, top_k = logits.shape[1], manifest.top_k
    if manifest.classes and width != len(manifest.classes):
        raise ValueError(
            f"The teacher gives {width} logits a row, but there are {len(manifest.classes)} class names: "
            "give one name for each logit, in their order."
        )
    if top_k is not None and top_k >= width:
        raise ValueError(
            f"top_k is {top_k}, but the teacher gives {width} logits a row: give less, or leave top_k out to "
            "keep all."
        )
    kept = logits if top_k is None else logits.topk(top_k).values
    large = ((kept.abs() > torch.finfo(getattr(torch, manifest.dtype)).max) & kept.isfinite()).any(1)
    if large.any():
        row = int(large.nonzero()[0])
        raise ValueError(
            f"The teacher's logits go beyond what {manifest.dtype} holds (65,504 at most) in "
            f"{int(large.sum()):,} of {len(ids):,} rows, the first is {ids[row]!r}: record them with "
            "dtype=torch.float32."
        )


def check_not_probabilities(logits: Tensor) -> None:
    """Refuse what has every sign of probabilities: all rows of (n, C) non-negative, with a sum of 1.

    Raises:
        ValueError: They are probabilities, and distillation needs logits.

    Example:
        >>> check_not_probabilities(torch.tensor([[2.0, -1.0]]))
    """
    if bool((logits >= 0).all()) and bool(((logits.sum(1) - 1).abs() <= 1e-4).all()):
        raise ValueError(
            "These look like probabilities (every row is non-negative and sums to 1): give logits, the "
            "scores before the softmax."
        )
