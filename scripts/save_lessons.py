"""Run the lessons from top to bottom in fresh kernels and save them with their outputs.

    python scripts/save_lessons.py                     # all of them
    python scripts/save_lessons.py 03_soft_targets     # one
    python scripts/save_lessons.py --no-run            # only tidy, and write badges and install cells anew

Each header's time, memory and download, the README's table and its picture are written from what was measured
and drawn; the download is all that reaches this machine meanwhile, so let it do nothing else. A lesson that
fails is not saved.
"""

from __future__ import annotations

import argparse
import base64
import html
import os
import re
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
import psutil
from lessons import HEADLINE, ROOT, TABLE, Cost, lesson_paths, readme_table
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from tidy_lesson import tidy

from kdhelpers.files import write_whole

IMAGE = re.compile(r"<img\b[^>]*>")
PICTURE = re.compile(r'src="data:image/png;base64,([A-Za-z0-9+/=\s]+)"')
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
ALT = re.compile(r'alt="([^"]*)"')


class PeakMemory(threading.Thread):
    """Watch the memory of this process' children (the kernel) from outside; ``gigabytes`` is the peak."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.gigabytes = 0.0
        self._over = threading.Event()

    def run(self) -> None:
        while not self._over.wait(0.1):
            self.gigabytes = max(
                self.gigabytes, sum(map(_resident, psutil.Process().children(recursive=True)))
            )

    def stop(self) -> None:
        self._over.set()
        self.join()


def received() -> int:
    """Bytes that came to this machine from others since it was started."""
    addresses = psutil.net_if_addrs()
    here = {name for name, found in addresses.items() if "127.0.0.1" in (one.address for one in found)}
    counts = psutil.net_io_counters(pernic=True)
    return sum(count.bytes_recv for name, count in counts.items() if name not in here)


def _resident(process: psutil.Process) -> float:
    try:
        return process.memory_info().rss / 1e9
    except psutil.Error:  # It ended while we looked.
        return 0.0


def run(notebook: nbformat.NotebookNode, folder: Path) -> Cost:
    """Execute a notebook in place in a fresh kernel, as a reader without a front end would.

    Args:
        notebook: What to run; its outputs are replaced.
        folder: Where the kernel starts.
    """
    client = NotebookClient(
        notebook, timeout=600, kernel_name="python3", record_timing=False, store_widget_state=False,
        resources={"metadata": {"path": str(folder)}},
    )  # fmt: skip
    memory = PeakMemory()
    memory.start()
    started, before = time.perf_counter(), received()
    try:
        with tempfile.TemporaryDirectory() as state:  # its reader has answered nothing before
            client.execute(env={**os.environ, "KDHELPERS_WIDGETS": "0", "KDHELPERS_STATE": state})
    finally:
        memory.stop()
    seconds = round(time.perf_counter() - started)
    return Cost(seconds, memory.gigabytes, (received() - before) // 1_000_000)


def save(path: Path, execute: bool = True) -> Cost | None:
    """Run (unless told not to), tidy and write one lesson."""
    notebook = nbformat.read(path, as_version=4)
    tidy(notebook, path.stem)  # Before it runs, so that the cells that run are the cells that are saved.
    if execute:
        cost = run(notebook, path.parent)
        tidy(notebook, path.stem, cost)
    else:
        cost = None
    nbformat.validate(notebook)
    write_whole(path, nbformat.writes(notebook, version=nbformat.NO_CONVERT) + "\n")
    return cost


def headline(notebook: nbformat.NotebookNode) -> tuple[bytes, str] | None:
    """The picture under the cell tagged ``headline`` and its alt text, if there is one."""
    for cell in notebook.cells:
        outputs = cell.outputs if "headline" in cell.metadata.get("tags", []) else []
        for output in outputs:
            image = IMAGE.search("".join(output.get("data", {}).get("text/html", "")))
            picture = image and PICTURE.search(image[0])
            if picture:
                return base64.b64decode(picture[1]), html.unescape(ALT.search(image[0])[1])
    return None


def write_readme(root: Path = ROOT) -> None:
    """Write what the README shows of the lessons: their table, and the picture in docs/headline.png."""
    readme = root / "README.md"
    text = readme.read_text(encoding="utf-8")
    text = TABLE.sub(lambda found: found[1] + readme_table(root) + found[2], text)
    for path in lesson_paths(root):
        if found := headline(nbformat.read(path, as_version=4)):
            picture, alt = found
            write_whole(root / "docs" / "headline.png", picture)
            line = f"![{alt}](docs/headline.png)\n"
            text = HEADLINE.sub(lambda marks, line=line: marks[1] + line + marks[2], text)
    write_whole(readme, text)


def chosen(names: list[str]) -> list[Path]:
    """The lessons asked for, by name or number; all when none is named."""
    wanted = {Path(name).name.removesuffix(".ipynb") for name in names}
    paths = {path.stem: path for path in lesson_paths()}
    by_number = {stem[:2]: stem for stem in paths}
    stems = {by_number.get(name, name) for name in wanted}
    if unknown := stems - paths.keys():
        sys.exit(
            f"No such lesson: {', '.join(sorted(unknown))}. There are: {', '.join(paths) or 'none yet'}."
        )
    return [path for stem, path in paths.items() if not names or stem in stems]


def told(cost: Cost) -> str:
    return f"{cost.seconds} s, {cost.memory:.2f} GB, downloads {cost.download_said}"


def main() -> int:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument(
        "names", nargs="*", help="lessons to save, by name or number; all when none is given"
    )
    options.add_argument("--no-run", action="store_true", help="tidy without executing")
    arguments = options.parse_args()
    failed = []
    for path in chosen(arguments.names):
        print(f"{path.stem} ... ", end="", flush=True)
        try:
            cost = save(path, execute=not arguments.no_run)
        except CellExecutionError as error:
            failed.append(path.stem)
            print("failed, not saved\n" + COLOURS.sub("", str(error)), flush=True)
        else:
            print(told(cost) if cost else "tidied", flush=True)
    if failed:
        print(f"Not saved: {', '.join(failed)}. README left as it was.")
        return 1
    try:
        write_readme()
    except ValueError as error:  # A lesson that is still being written needn't hold the others up.
        print(f"README left as it was: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
