"""A folder for one distillation: what is done in it stays, and what would not fit to it is refused."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import safetensors
import safetensors.torch
from torch import Tensor

from ..files import write_whole

RUN, FORMAT = "run.json", 1
_PARTIAL = re.compile(r"\..+\.tmp")


class Workplace:
    """The folder of a distillation. A step that is done is a file, written whole: it is not done again.

    Args:
        folder: Made if missing.
        settings: All that decides the result, by its name in words, such as "labelled file".

    Raises:
        ValueError: The folder holds another distillation, or other files.

    Example:
        >>> import tempfile, torch
        >>> folder = Path(tempfile.mkdtemp()) / "out"
        >>> place = Workplace(folder, {"teacher": "a"})
        >>> place.tensors("head", lambda: {"weight": torch.ones(1)})["weight"]
        tensor([1.])
        >>> place.tensors("head", lambda: {"weight": torch.zeros(1)})["weight"]  # done already
        tensor([1.])
        >>> Workplace(folder, {"teacher": "b"})
        Traceback (most recent call last):
        ValueError: .../out holds a distillation with another teacher: ...
    """

    def __init__(self, folder: str | os.PathLike[str], settings: Mapping[str, object]) -> None:
        self.folder = Path(folder)
        self.work = self.folder / "work"
        self._check_folder()
        if (self.work / RUN).is_file():
            self._check(settings)
        else:
            whole = {"format": FORMAT, **settings}
            write_whole(self.work / RUN, json.dumps(whole, indent=1, ensure_ascii=False) + "\n")
        for place in (self.folder, *(path for path in self.folder.rglob("*") if path.is_dir())):
            for path in place.iterdir():  # what a kill left half-written
                if _PARTIAL.fullmatch(path.name) and path.is_file():
                    path.unlink(missing_ok=True)

    def _check_folder(self) -> None:
        if self.folder.is_file():
            raise ValueError(f"{self.folder} is a file: give a folder for what is made.")
        others = sorted(path.name for path in self.folder.iterdir()) if self.folder.is_dir() else []
        strange = [name for name in others if not name.startswith(".") and name != "work"]
        if strange and not (self.work / RUN).is_file():
            raise ValueError(
                f"{self.folder} holds other files, such as {strange[0]}: give a folder of its own."
            )

    def _check(self, settings: Mapping[str, object]) -> None:
        before = self._before()
        wanted = {"format": FORMAT, **settings}
        differing = [name for name in wanted if before.get(name) != wanted[name]]
        if differing:
            raise ValueError(
                f"{self.folder} holds a distillation with another {' and another '.join(differing)}: give "
                "the same again to go on with it, give another folder, or delete this one to start anew."
            )

    def _before(self) -> dict[str, object]:
        try:
            return dict(json.loads((self.work / RUN).read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            return {}

    def tensors(self, name: str, make: Callable[[], Mapping[str, Tensor]]) -> dict[str, Tensor]:
        """What a step gives as tensors: from its file, or made and kept.

        Raises:
            OSError: The file could not be written.
        """
        path = self.work / f"{name}.safetensors"
        if path.is_file():
            try:
                return dict(safetensors.torch.load(path.read_bytes()))
            except safetensors.SafetensorError:
                path.unlink()  # damaged: it is made again
        made = {key: value.detach().cpu().contiguous() for key, value in make().items()}
        write_whole(path, safetensors.torch.save(made))
        return made

    def facts(self, name: str, make: Callable[[], Mapping[str, object]]) -> dict[str, object]:
        """What a step gives as plain values: from its file, or made and kept.

        Raises:
            OSError: The file could not be written.
        """
        path = self.work / f"{name}.json"
        if path.is_file():
            try:
                return dict(json.loads(path.read_text(encoding="utf-8")))
            except (ValueError, TypeError):
                path.unlink()  # damaged: it is made again
        made = dict(make())
        write_whole(path, json.dumps(made, indent=1, ensure_ascii=False) + "\n")
        return made
