"""Optional packages: imported where they are used, named when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType


def need(module: str, extra: str) -> ModuleType:
    """Import an optional package, or say which extra brings it.

    Args:
        module: What to import, such as ``"matplotlib"`` or ``"sklearn.datasets"``.
        extra: The extra of this package that installs it.

    Raises:
        ImportError: The package is not installed; the sentence gives the command.

    Example:
        >>> need("json", extra="course").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.split(".")[0]
        # A package that is there but lacks something of its own is not ours to explain.
        if error.name != package:
            raise
        raise ImportError(
            f"This needs {package}, which is not installed: run `pip install 'kdhelpers[{extra}]'`."
        ) from error
