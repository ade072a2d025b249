"""Where the study history lives, and how that place is named in public."""

from __future__ import annotations

import os
from pathlib import Path

from kdhelpers.extras import need


def state_folder() -> Path:
    """Where the history lives: ``$KDHELPERS_STATE``, else the user's state folder.

    Example:
        >>> state_folder().name != ""
        True
    """
    chosen = os.environ.get("KDHELPERS_STATE")
    if chosen:
        return Path(chosen).expanduser()
    return Path(need("platformdirs", extra="course").user_state_path("kdhelpers", appauthor=False))


def readable_place(path: Path) -> str:
    """A path as it may be shown in public: no user name, no temporary folder.

    Example:
        >>> readable_place(Path.home() / "notes" / "study.json")
        '~/notes/study.json'
    """
    if os.environ.get("KDHELPERS_STATE") and path.parent == state_folder():
        return f"$KDHELPERS_STATE/{path.name}"
    try:
        return f"~/{path.relative_to(Path.home()).as_posix()}"
    except ValueError:
        return f"{path.name} in your user's state folder"
