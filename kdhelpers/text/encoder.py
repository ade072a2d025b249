"""Transformers from the library of that name, built from a folder or a configuration, never from code."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from torch import nn

from ..extras import need


def pretrained_encoder(folder: Path) -> nn.Module:
    """The transformer of a folder, with its weights, in float32.

    Raises:
        ImportError: The extra ``text`` is not installed.
        ValueError: The configuration is of no model that the library knows.

    Example:
        >>> from kdhelpers.text import find_minilm
        >>> sum(weight.numel() for weight in pretrained_encoder(find_minilm()).parameters())
        22713216
    """
    with _quiet() as transformers, _explained(folder.name):
        # No code of the folder is run, nothing pickled is read, nothing is looked up on the network.
        model = transformers.AutoModel.from_pretrained(
            str(folder), local_files_only=True, use_safetensors=True, trust_remote_code=False
        )
    return _plain(model)


def empty_encoder(config: dict[str, Any]) -> nn.Module:
    """A transformer of this configuration (a ``config.json``), its weights still to be filled in.

    Raises:
        ImportError: The extra ``text`` is not installed.
        ValueError: The configuration is of no model that the library knows.

    Example:
        >>> shape = dict(hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8)
        >>> empty_encoder({"model_type": "bert", "vocab_size": 50, **shape}).config.hidden_size
        8
    """
    with _quiet() as transformers, _explained("the saved settings"):
        known = {name: value for name, value in config.items() if name not in ("model_type", "architectures")}
        made = transformers.AutoConfig.for_model(config["model_type"], **known)
        return _plain(transformers.AutoModel.from_config(made))


def _plain(model: Any) -> nn.Module:
    module: nn.Module = model.float().eval()
    return module


@contextmanager
def _quiet() -> Iterator[Any]:
    """The library, without its progress bars and load reports, which say nothing a reader could use."""
    transformers = need("transformers", extra="text")
    logging = transformers.utils.logging
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield transformers
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except (KeyError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(f"{where} describes no transformer that the library can build: {reason}") from error
