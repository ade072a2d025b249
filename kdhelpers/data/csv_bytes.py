"""A file's bytes as text for a CSV reader, or one sentence that says what else it is."""

from __future__ import annotations

import re
from pathlib import Path

# What other kinds of files begin with, and what to do with them.
_OTHER_KINDS = (
    (b"PK\x03\x04", "a spreadsheet (.xlsx) or another zip file"),
    (b"\xd0\xcf\x11\xe0", "an old spreadsheet (.xls)"),
    (b"\x1f\x8b", "compressed with gzip"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
)
_AS_UTF8 = "save it as UTF-8, in a spreadsheet as 'CSV UTF-8'"
# Of text in UTF-16 about every other byte is NUL; of text with a slip in it, hardly any.
_MANY_NULS = 0.2


def text_of_csv(file: Path) -> str:
    """The content of a CSV file, which must be UTF-8; a NUL byte becomes a space.

    Raises:
        FileNotFoundError: There is no such file, or it is a folder.
        ValueError: It is not UTF-8, or another kind of file, or begins with Excel's ``sep=`` line.

    Example:
        >>> import tempfile
        >>> file = Path(tempfile.mkdtemp()) / "mail.csv"
        >>> _ = file.write_bytes(b"PK\\x03\\x04...")
        >>> text_of_csv(file)
        Traceback (most recent call last):
        ValueError: mail.csv is not a CSV file, but a spreadsheet (.xlsx) or another zip file: save it as ...
    """
    content = _bytes(file)
    for start, kind in _OTHER_KINDS:
        if content.startswith(start):
            raise ValueError(f"{file.name} is not a CSV file, but {kind}: {_AS_UTF8}.")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or content.count(0) > _MANY_NULS * len(content):
        raise ValueError(f"{file.name} is in UTF-16: {_AS_UTF8}.")
    text = _decoded(file, content)
    if found := re.match(r"sep=(.?)[\r\n]", text, re.IGNORECASE):
        raise ValueError(
            f"{file.name}, line 1: 'sep={found[1]}' is a hint for Excel and no header: delete the line, and "
            "save with commas between the cells."
        )
    # NUL bytes break Python 3.10's reader and mean nothing in a text.
    return text.replace("\0", " ")


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except FileNotFoundError as error:
        raise FileNotFoundError(f"There is no file {file.name} in {file.parent}.") from error
    except (IsADirectoryError, NotADirectoryError, PermissionError) as error:
        if not file.is_dir():  # which Windows answers with a refusal as well
            raise FileNotFoundError(f"The file {file.name} in {file.parent} cannot be read.") from error
        raise FileNotFoundError(f"{file.name} in {file.parent} is a folder: give a CSV file.") from error


def _decoded(file: Path, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{file.name}, line {line}: not UTF-8 (byte 0x{content[error.start]:02x}); {_AS_UTF8}."
        ) from error
