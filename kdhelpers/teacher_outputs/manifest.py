"""What a folder of stored outputs says about itself, and how damage to it is noticed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

FORMAT, VERSION = "kdhelpers teacher outputs", 1
MANIFEST = "manifest.json"


class StaleTeacherOutputs(ValueError):
    """Stored outputs of another teacher, other data or other classes than those at hand."""


class CorruptTeacherOutputs(ValueError):
    """Stored outputs that are damaged, unfinished, or none at all."""


@dataclass(frozen=True)
class StoredFile:
    """One file of a store, as it was written.

    Args:
        name: In the folder.
        rows: Rows in it.
        size: In bytes.
        sha256: Of its content, in hexadecimal.

    Example:
        >>> StoredFile.of("ids.json", 2, b'["a", "b"]').size
        10
    """

    name: str
    rows: int
    size: int
    sha256: str

    @classmethod
    def of(cls, name: str, rows: int, content: bytes) -> StoredFile:
        """The entry of a file with this content.

        Example:
            >>> StoredFile.of("a", 1, b"").sha256[:6]
            'e3b0c4'
        """
        return cls(name, rows, len(content), hashlib.sha256(content).hexdigest())

    def check_size(self, folder: Path) -> None:
        """Look whether the file is there and whole, without reading it.

        Raises:
            CorruptTeacherOutputs: It is missing, or has another size than was written.

        Example:
            >>> StoredFile.of("a", 1, b"").check_size(Path("nowhere"))
            Traceback (most recent call last):
            kdhelpers.teacher_outputs.manifest.CorruptTeacherOutputs: nowhere lacks the file a: ...
        """
        path = folder / self.name
        if not path.is_file():
            raise CorruptTeacherOutputs(f"{folder} lacks the file {self.name}: {_MEND}")
        found = path.stat().st_size
        if found != self.size:
            raise CorruptTeacherOutputs(
                f"{path} has {found:,} bytes of {self.size:,} that were written: {_MEND}"
            )

    def check(self, folder: Path, content: Any) -> None:
        """Compare what was read (bytes, or another buffer) with the hash of what was written.

        Raises:
            CorruptTeacherOutputs: They differ.

        Example:
            >>> StoredFile.of("a", 1, b"x").check(Path(), b"y")
            Traceback (most recent call last):
            kdhelpers.teacher_outputs.manifest.CorruptTeacherOutputs: a is not what was written ...
        """
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise CorruptTeacherOutputs(
                f"{folder / self.name} is not what was written (its hash differs): {_MEND}"
            )

    def read(self, folder: Path) -> bytes:
        """The content of the file.

        Raises:
            CorruptTeacherOutputs: It is missing, truncated or altered.

        Example:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> _ = (folder / "a").write_bytes(b"x")
            >>> StoredFile.of("a", 1, b"x").read(folder)
            b'x'
        """
        self.check_size(folder)
        content = (folder / self.name).read_bytes()
        self.check(folder, content)
        return content


_MEND = "fetch an undamaged copy, or record it anew with resume=False."


@dataclass(frozen=True)
class Manifest:
    """What is stored, and of whom. No times, no names of machines: the same outputs are the same bytes.

    Args:
        teacher: Fingerprint of the teacher.
        data: Fingerprint of the ids and inputs it saw.
        classes: Names, in the order of the logits.
        dtype: Of the stored logits, such as "float16".
        top_k: How many logits a row are kept; None: all.
        rows: How many there will be.
        shard_rows: How many in each shard but the last.
        augmented: Whether the inputs were altered views of the data.
        ids: The file of the ids.
        row_hashes: The file of 8 bytes a row that tell what the teacher saw.
        shards: The files of the logits, as far as they are written.

    Example:
        >>> file = StoredFile.of("x", 2, b"")
        >>> Manifest("t", "d", ("no", "yes"), "float16", None, 2, 4096, False, file, file, ()).recorded
        0
    """

    teacher: str
    data: str
    classes: tuple[str, ...]
    dtype: str
    top_k: int | None
    rows: int
    shard_rows: int
    augmented: bool
    ids: StoredFile
    row_hashes: StoredFile
    shards: tuple[StoredFile, ...]

    @property
    def recorded(self) -> int:
        """How many rows are safe."""
        return sum(shard.rows for shard in self.shards)

    @property
    def complete(self) -> bool:
        """Whether all rows are there."""
        return self.recorded == self.rows

    @property
    def files(self) -> tuple[StoredFile, ...]:
        """All files but the manifest's own."""
        return (self.ids, self.row_hashes, *self.shards)

    def rendered(self) -> bytes:
        """The content of ``manifest.json``, which ends with a hash of all before it.

        Example:
            >>> import tempfile
            >>> folder, file = Path(tempfile.mkdtemp()), StoredFile.of("x", 2, b"")
            >>> manifest = Manifest("t", "d", ("a", "b"), "float16", None, 2, 4096, False, file, file, ())
            >>> _ = (folder / "manifest.json").write_bytes(manifest.rendered())
            >>> Manifest.read(folder) == manifest
            True
        """
        fields = {"format": FORMAT, "version": VERSION, "complete": self.complete, **asdict(self)}
        return _sealed(fields)

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """What ``manifest.json`` says.

        Raises:
            FileNotFoundError: There is no such folder.
            CorruptTeacherOutputs: No manifest, another kind of file, an unknown version, or a byte altered.

        Example:
            >>> Manifest.read(Path("nowhere"))
            Traceback (most recent call last):
            FileNotFoundError: There is no folder nowhere: record_teacher(teacher, split, path) makes one.
        """
        fields = _unsealed(folder, _manifest_bytes(folder))
        files = {name: StoredFile(**fields[name]) for name in ("ids", "row_hashes")}
        shards = tuple(StoredFile(**shard) for shard in fields["shards"])
        plain = {
            name: value for name, value in fields.items() if name not in ("format", "version", "complete")
        }
        return cls(**{**plain, **files, "shards": shards, "classes": tuple(fields["classes"])})


def _manifest_bytes(folder: Path) -> bytes:
    if not folder.is_dir():
        raise FileNotFoundError(
            f"There is no folder {folder}: record_teacher(teacher, split, path) makes one."
        )
    if not (folder / MANIFEST).is_file():
        raise CorruptTeacherOutputs(
            f"{folder} has no {MANIFEST}: it holds no teacher outputs, or recording them stopped before the "
            "first shard. record_teacher(teacher, split, path) makes them."
        )
    return (folder / MANIFEST).read_bytes()


def _sealed(fields: dict[str, Any]) -> bytes:
    seal = hashlib.sha256(json.dumps(fields).encode()).hexdigest()
    return (json.dumps({**fields, "sha256": seal}, indent=1) + "\n").encode()


def _unsealed(folder: Path, data: bytes) -> dict[str, Any]:
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        raise CorruptTeacherOutputs(f"{folder / MANIFEST} is damaged, it is no JSON: {_MEND}") from None
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        raise CorruptTeacherOutputs(
            f"{folder / MANIFEST} does not describe teacher outputs: give their folder."
        )
    fields.pop("sha256", None)
    if _sealed(fields) != data:
        raise CorruptTeacherOutputs(f"{folder / MANIFEST} was altered after it was written: {_MEND}")
    if fields["version"] != VERSION:
        raise CorruptTeacherOutputs(
            f"{folder} is in format version {fields['version']}, and this kdhelpers reads version {VERSION}: "
            "update kdhelpers."
        )
    return fields
