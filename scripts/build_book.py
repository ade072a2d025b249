"""Build the web book from the saved lessons, the documents and the package's docstrings; nothing is run.

    python scripts/build_book.py

The book is in build/book: open build/book/index.html. A warning is an error.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from book_sources import gather
from lessons import ROOT
from sphinx.cmd.build import build_main


def build(folder: Path) -> int:
    """Make the book; 0 if all went well.

    Args:
        folder: Where the pages go; what Sphinx reads and remembers is beside it.
    """
    sources = folder.with_name(f"{folder.name}-sources")
    gather(sources)
    strict = ["--fail-on-warning", "--keep-going", "--quiet", "--fresh-env"]
    places = ["-c", str(ROOT / "docs" / "book"), "-d", f"{folder}-memory", str(sources), str(folder)]
    return build_main([*strict, "-b", "html", *places])


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--to", type=Path, default=ROOT / "build" / "book", help="where the pages go")
    return build(options.parse_args().to)


if __name__ == "__main__":
    sys.exit(main())
