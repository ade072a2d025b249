"""Where data lies: what ships with the course, what the reader keeps, and the cache."""

from __future__ import annotations

import os
from pathlib import Path

from ..extras import need

_PACKAGE = Path(__file__).resolve().parent.parent


def data_folder(root: str | os.PathLike[str] | None = None) -> Path:
    """The folder given, else the one in KDHELPERS_DATA, else the user's cache folder.

    Raises:
        ImportError: platformdirs is not installed, and no folder is given.

    Example:
        >>> data_folder("my data").name
        'my data'
    """
    chosen = root or os.environ.get("KDHELPERS_DATA")
    if chosen:
        return Path(chosen).expanduser()
    return Path(need("platformdirs", extra="course").user_cache_path("kdhelpers"))


def shipped_folder(name: str) -> Path:
    """A folder of data that comes with the course: inside an installed package, or beside it in a checkout.

    Raises:
        FileNotFoundError: It is in neither place.

    Example:
        >>> (shipped_folder("support") / "README.md").is_file()
        True
    """
    for folder in (_PACKAGE / "shipped" / name, _PACKAGE.parent / "data" / name):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(
        f"The course's data folder {name!r} is not with this installation of kdhelpers: install it anew."
    )
