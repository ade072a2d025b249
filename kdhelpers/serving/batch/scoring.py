"""A file of messages in, a file of labels out."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from ...files import writing_whole
from ..answers import Answering, logits_of
from ..artefact import TENSORS
from ..export import PROBES
from .answering import answered
from .csv_source import CsvSource
from .parquet_source import ParquetSource
from .parts import Part, Parts
from .rows import Row, Source
from .targets import CsvTarget, ParquetTarget, Target, csv_lines

# The most that a part holds, but for its last row.
CHARACTERS, FORMAT = 2**24, 1
SOURCES: dict[str, Callable[[Path, str, str | None], Source]] = {
    ".csv": CsvSource,
    ".parquet": ParquetSource,
}
TARGETS: dict[str, Callable[[], Target]] = {".csv": CsvTarget, ".parquet": ParquetTarget}


@dataclass(frozen=True)
class BatchResult:
    """What became of a file.

    Args:
        target: The file with id, label and confidence of each answered row.
        rows: How many that are.
        broken: How many rows could not be answered.
        errors: The file that names them, with the reason of each; None if there are none.
        resumed: How many rows, answered or broken, an earlier run had done.

    Example:
        >>> print(BatchResult(Path("out.csv"), 998, 2, Path("out.csv.errors.csv"), 0))
        998 rows answered in out.csv, 2 rows that could not be in out.csv.errors.csv
    """

    target: Path
    rows: int
    broken: int
    errors: Path | None
    resumed: int

    def __str__(self) -> str:
        told = f"{_rows(self.rows)} answered in {self.target.name}"
        if self.errors is not None:
            told += f", {_rows(self.broken)} that could not be in {self.errors.name}"
        return told


def predict_file(
    model: Answering,
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    text: str = "text",
    id: str | None = "id",
    batch_rows: int = 10_000,
    progress: bool = True,
) -> BatchResult:
    """Score every row of a file: its id, the likeliest label, and the label's probability.

    Both files may be CSV (UTF-8, with a header) or Parquet, as their suffixes say. Memory does not grow with
    the file. A row that cannot be answered (broken CSV, bytes that are not UTF-8, no id or text) is named in
    ``<target>.errors.csv`` with its line, and the others go on.

    What is done is kept in the folder ``<target>.parts`` until all is done. A run that was killed or
    interrupted goes on from there when it is called again, and ends in the same bytes; it is refused if the
    file, the model or a setting is another. The target appears when it is whole. Let one run at a time write
    to it.

    Args:
        model: An OnnxPredictor, an nn.Module or any function from n texts to logits (n, C). If it has
            ``classes``, these are the labels, else numbers. What is no OnnxPredictor from a folder is known
            again by its answers to six messages.
        source: The file to read.
        target: The file to write; what was there is replaced.
        text: The column of the messages.
        id: The column of the ids. None: the number of the row's first line (in Parquet: of the row).
        batch_rows: How many rows make a part (fewer, where they are very long): the most that an interrupted
            run loses.
        progress: Whether a bar shows how far it is.

    Raises:
        FileNotFoundError: There is no such source.
        ImportError: Parquet without the extra ``parquet``.
        ValueError: A suffix that is neither, an empty or damaged file, a missing column, a model that takes
            no texts, a run begun with other settings, or a source that changed meanwhile.
        OSError: A file could not be written.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "mail.csv").write_text("id,text\\n7,help\\n8,\\n9,where is it\\n")
        >>> def model(texts):
        ...     return [[0, len(text) - 5] for text in texts]
        >>> print(predict_file(model, folder / "mail.csv", folder / "out.csv"))
        2 rows answered in out.csv, 1 row that could not be in out.csv.errors.csv
        >>> print((folder / "out.csv").read_text(), (folder / "out.csv.errors.csv").read_text())
        id,label,confidence
        7,0,0.731059
        9,1,0.997527
         line,reason
        3,the text is empty
        <BLANKLINE>
    """
    source, target = Path(source), Path(target)
    _check(model, source, target, batch_rows)
    reader, writer = SOURCES[_suffix(source)](source, text, id), TARGETS[_suffix(target)]()
    state = source.stat()
    settings = {
        "format": FORMAT,
        "source file": _digest(source),
        "model": _identity(model),
        "text column": text,
        "id column": id,
        "batch_rows": batch_rows,
    }
    parts = Parts(target.with_name(f"{target.name}.parts"), settings)
    resumed = sum(part.read for part in parts.done)
    _score(model, reader, writer, parts, batch_rows, progress)
    if (source.stat().st_size, source.stat().st_mtime_ns) != (state.st_size, state.st_mtime_ns):
        raise ValueError(
            f"{source.name} changed while it was read: delete {parts.folder.name} and run again."
        )
    rows, broken = sum(part.rows for part in parts.done), sum(part.broken for part in parts.done)
    return BatchResult(target, rows, broken, _finished(parts, writer, target, reader.unit), resumed)


def _rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def _check(model: Answering, source: Path, target: Path, batch_rows: int) -> None:
    if batch_rows < 1:
        raise ValueError(f"batch_rows is {batch_rows}: give 1 or more.")
    for file in (source, target):
        if _suffix(file) not in SOURCES:
            raise ValueError(f"{file.name} has the suffix {file.suffix!r}: use {' or '.join(SOURCES)}.")
    if not source.is_file():
        raise FileNotFoundError(f"There is no file {source.name} in {source.parent}.")
    if target.is_dir() or source.resolve() == target.resolve():
        what = "a folder" if target.is_dir() else "the file to read"
        raise ValueError(f"The answers cannot go to {target.name}, which is {what}: give another name.")
    if getattr(model, "kind", None) == TENSORS:
        raise ValueError("This model takes arrays: only one that takes texts can score a file of texts.")


def _suffix(file: Path) -> str:
    return file.suffix.lower()


def _digest(file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while block := stream.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def _identity(model: Answering) -> str:
    """What tells one model from another: its files' sha256, or else what it answers."""
    settings, classes = getattr(model, "settings", None), list(getattr(model, "classes", None) or ())
    if isinstance(settings, dict) and "sha256" in settings:
        return hashlib.sha256(json.dumps([settings, classes], sort_keys=True).encode()).hexdigest()
    # Rounded, as another number of threads may give another last digit; plus 0 makes -0 one with 0.
    answers = np.round(logits_of(model, list(PROBES), "the model"), 3) + 0
    return hashlib.sha256(json.dumps(classes).encode() + answers.tobytes()).hexdigest()


def _score(
    model: Answering, reader: Source, writer: Target, parts: Parts, batch_rows: int, progress: bool
) -> None:
    from ...bars import progress_bar  # here, as what only serves has no need of tqdm

    rows = reader.rows(parts.done[-1].after if parts.done else reader.start)
    with progress_bar(title="scoring", unit="row", total=reader.total, shown=progress) as bar:
        bar.update(sum(part.read for part in parts.done))
        while some := _next_part(rows, batch_rows):
            answers, broken = answered(model, some)
            part = Part(len(answers), len(broken), some[-1].after)
            parts.add(part, writer.part(answers), csv_lines(broken))
            bar.update(len(some))


def _next_part(rows: Iterator[Row], batch_rows: int) -> list[Row]:
    """The next rows: so many, or fewer where they are long."""
    part, size = [], 0
    for row in islice(rows, batch_rows):
        part.append(row)
        size += len(row.text)
        if size > CHARACTERS:
            break
    return part


def _finished(parts: Parts, writer: Target, target: Path, unit: str) -> Path | None:
    """Both files, each made in the folder and moved; the target last, as it says that all is done."""
    errors = target.with_name(f"{target.name}.errors.csv")
    if any(part.broken for part in parts.done):
        with _moved(parts.folder, errors) as stream:
            stream.write(csv_lines([(unit, "reason")]))
            stream.writelines(parts.errors())
    else:
        errors.unlink(missing_ok=True)
    with _moved(parts.folder, target) as stream:
        writer.join(parts.answers(), stream)
    parts.remove()
    return errors if errors.exists() else None


@contextmanager
def _moved(folder: Path, file: Path) -> Iterator[BinaryIO]:
    whole = folder / f"whole.{file.name}"
    with writing_whole(whole) as stream:
        yield stream
    os.replace(whole, file)
