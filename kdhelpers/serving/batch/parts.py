"""What a run has done so far, in a folder beside its target: another run goes on from there."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from ...files import write_whole
from .rows import Place

SETTINGS = "run.json"
_OURS = re.compile(r"run\.json|part-\d{6,}|whole\..+|\..+\.tmp")


@dataclass(frozen=True)
class Part:
    """What is known of some rows that follow each other.

    Args:
        rows: How many were answered.
        broken: How many were not.
        after: Where the next part begins in the source.

    Example:
        >>> Part(rows=2, broken=1, after=Place(60, 4)).read
        3
    """

    rows: int
    broken: int
    after: Place

    @property
    def read(self) -> int:
        """How many rows were read."""
        return self.rows + self.broken


class Parts:
    """The parts that are done. Each is one file, written whole: it is there with all it says, or not.

    Args:
        folder: Where they are; made if missing.
        settings: What all parts have in common, such as the model: each with its name in words.

    Raises:
        ValueError: The folder holds parts of a run with other settings.
        FileExistsError: The folder holds what no run has written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp()) / "out.csv.parts"
        >>> Parts(folder, {"model": "a"}).add(Part(1, 0, Place(9, 2)), b"answers", b"")
        >>> [part.rows for part in Parts(folder, {"model": "a"}).done]
        [1]
        >>> Parts(folder, {"model": "b"})
        Traceback (most recent call last):
        ValueError: out.csv.parts holds a run with another model: go on with the same, or delete it ...
    """

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self.folder = folder
        if (folder / SETTINGS).is_file():
            self._check(settings)
        else:
            self.remove()
            write_whole(folder / SETTINGS, json.dumps(settings, indent=1, ensure_ascii=False) + "\n")
        self.done = list(self._found())

    def _check(self, settings: Mapping[str, object]) -> None:
        try:
            before = dict(json.loads((self.folder / SETTINGS).read_text(encoding="utf-8")))
        except (ValueError, TypeError):
            before = {}
        for name, value in settings.items():
            if before.get(name) != value:
                raise ValueError(
                    f"{self.folder.name} holds a run with another {name}: go on with the same, or delete it "
                    "to start anew."
                )

    def _found(self) -> Iterator[Part]:
        number = 0
        while self._file(number).is_file():
            with self._file(number).open("rb") as stream:
                yield _head(stream)[0]
            number += 1

    def _file(self, number: int) -> Path:
        return self.folder / f"part-{number:06}"

    def add(self, part: Part, answers: bytes, errors: bytes) -> None:
        """Write the next part, with what it adds to the target and to the file of errors.

        Raises:
            OSError: It could not be written.
        """
        head = json.dumps({**asdict(part), "bytes": len(answers)}).encode()
        write_whole(self._file(len(self.done)), b"".join((head, b"\n", answers, errors)))
        self.done.append(part)

    def answers(self) -> Iterator[bytes]:
        """What each part adds to the target, one in memory at a time."""
        for number in range(len(self.done)):
            with self._file(number).open("rb") as stream:
                yield stream.read(_head(stream)[1])

    def errors(self) -> Iterator[bytes]:
        """What each part adds to the file of errors."""
        for number in range(len(self.done)):
            with self._file(number).open("rb") as stream:
                stream.seek(_head(stream)[1], os.SEEK_CUR)
                yield stream.read()

    def remove(self) -> None:
        """Delete the folder; the settings first, so that what a kill leaves is no run any more."""
        if not self.folder.is_dir():
            return
        strange = sorted(path.name for path in self.folder.iterdir() if not _OURS.fullmatch(path.name))
        if strange:
            raise FileExistsError(
                f"{self.folder} is needed for the parts of a run, but holds {strange[0]}: move that away."
            )
        (self.folder / SETTINGS).unlink(missing_ok=True)
        shutil.rmtree(self.folder)


def _head(stream: BinaryIO) -> tuple[Part, int]:
    """A part, and how many bytes of answers follow."""
    told = json.loads(stream.readline())
    return Part(told["rows"], told["broken"], Place(*told["after"])), int(told["bytes"])
