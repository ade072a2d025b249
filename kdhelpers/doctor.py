"""Is this machine ready for the lessons? Findings in plain sentences, with what to do about each problem."""

from __future__ import annotations

import html
import importlib.metadata
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from kdhelpers.devices import best_device
from kdhelpers.extras import need
from kdhelpers.files import write_whole
from kdhelpers.frontend import has_widgets, in_notebook
from kdhelpers.speed import REFERENCE_STEP_MS, measure_step_ms
from kdhelpers.study.place import state_folder

GIGABYTE = 1024**3
OLDEST = (3, 10)
COLOURS = {"ok": "0, 158, 115", "note": "230, 159, 0", "problem": "213, 94, 0"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at.

    Args:
        name: What it is about.
        level: ``"ok"``, ``"note"`` (works, but worth knowing) or ``"problem"`` (lessons will fail).
        sentence: What was found, and what to do if anything.

    Example:
        >>> Finding("Python", "ok", "Python 3.11.")
        Finding(name='Python', level='ok', sentence='Python 3.11.')
    """

    name: str
    level: str
    sentence: str


class Diagnosis(list[Finding]):
    """All findings, in the order they were made; shows as a table.

    Example:
        >>> Diagnosis([Finding("Python", "problem", "Python 3.8 is too old.")]).ok
        False
    """

    @property
    def ok(self) -> bool:
        """Whether no finding is a problem."""
        return all(finding.level != "problem" for finding in self)

    @property
    def summary(self) -> str:
        """One sentence on the whole."""
        problems = sum(finding.level == "problem" for finding in self)
        if problems:
            return f"{problems} problem{'s' * (problems > 1)} to solve before the lessons run."
        return "This machine is ready for the lessons."

    def __str__(self) -> str:
        wide = max((len(finding.name) for finding in self), default=0)
        lines = [f"{finding.level:<8} {finding.name:<{wide}}  {finding.sentence}" for finding in self]
        return "\n".join([*lines, self.summary])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        rows = "".join(_row(finding) for finding in self)
        style = "border-collapse: collapse; margin: 0.4em 0; font-size: 16px"
        table = f'<table style="{style}"><tbody>{rows}</tbody></table>'
        return f'{table}<p style="font-size: 16px"><strong>{html.escape(self.summary)}</strong></p>'


def doctor() -> Diagnosis:
    """Look at everything the lessons need; takes about a second and changes nothing.

    Example:
        >>> [finding.name for finding in doctor()][:2]
        ['Python', 'PyTorch']
    """
    looks: tuple[Callable[[], Finding], ...] = (
        _python,
        _torch,
        _processor,
        _memory,
        _disk,
        _packages,
        _widgets,
        _history,
        _data,
        _speed,
    )
    return Diagnosis([look() for look in looks])


def _python() -> Finding:
    version = f"Python {sys.version_info.major}.{sys.version_info.minor}"
    if sys.version_info < OLDEST:
        return Finding("Python", "problem", f"{version} is too old: use Python 3.10 or newer.")
    return Finding("Python", "ok", f"{version}.")


def _torch() -> Finding:
    version, device = str(torch.__version__), best_device().type
    where = {
        "cpu": "the processor, which is all the lessons need",
        "cuda": "an NVIDIA GPU",
        "mps": "the Apple GPU",
    }
    if not _at_least(version, "2.4"):
        return Finding("PyTorch", "problem", f"PyTorch {version} is too old: run `pip install 'torch>=2.4'`.")
    return Finding("PyTorch", "ok", f"PyTorch {version}, training on {where[device]}.")


def _processor() -> Finding:
    cores, threads = os.cpu_count() or 1, torch.get_num_threads()
    found = f"{cores} core{'s' * (cores > 1)}, PyTorch uses {threads}."
    if cores < 2:
        return Finding("Processor", "note", f"{found} A lesson keeps one busy: other programs will slow it.")
    return Finding("Processor", "ok", found)


def _memory() -> Finding:
    free = need("psutil", extra="course").virtual_memory().available
    found = f"{free / GIGABYTE:.1f} GB of memory free."
    if free < GIGABYTE:
        return Finding("Memory", "problem", f"Only {found} Close other programs: a lesson needs about 1 GB.")
    if free < 2 * GIGABYTE:
        return Finding("Memory", "note", f"{found} Enough, with one lesson open at a time.")
    return Finding("Memory", "ok", found)


def _disk() -> Finding:
    free = shutil.disk_usage(Path.home()).free
    found = f"{free / GIGABYTE:.1f} GB of disk free."
    if free < GIGABYTE / 5:
        return Finding("Disk", "problem", f"Only {found} Downloaded data needs about 0.2 GB.")
    return Finding("Disk", "ok", found)


def _packages() -> Finding:
    faults, found = [], []
    for name, least in _wanted("course"):
        version = _version(name)
        if version is None:
            faults.append(f"{name} is missing")
        elif not _at_least(version, least):
            faults.append(f"{name} {version} is older than {least}")
        else:
            found.append(f"{name} {version}")
    if faults:
        return Finding(
            "Packages", "problem", f"{'; '.join(faults)}: run `pip install -U 'kdhelpers[course]'`."
        )
    if not found:
        return Finding("Packages", "note", "kdhelpers itself is not installed, so its needs are unknown.")
    return Finding("Packages", "ok", f"{', '.join(found)}.")


def _widgets() -> Finding:
    if has_widgets():
        return Finding("Controls", "ok", "Sliders and buttons are live.")
    if not in_notebook():
        return Finding(
            "Controls", "ok", "Not in a notebook: questions appear as text here, with buttons in a notebook."
        )
    return Finding(
        "Controls", "note", "Sliders and buttons are off: questions and figures appear as text and pictures."
    )


def _history() -> Finding:
    probe = state_folder() / f".doctor-{os.getpid()}"
    try:
        write_whole(probe, "")
        probe.unlink()
    except OSError:
        advice = "answers last a session. Set KDHELPERS_STATE to another folder."
        return Finding("Study history", "note", f"Its folder cannot be written: {advice}")
    return Finding("Study history", "ok", "Your answers are kept on this machine, and nowhere else.")


def _data() -> Finding:
    chosen = os.environ.get("KDHELPERS_DATA")
    if not chosen:
        return Finding(
            "Data folder", "ok", "KDHELPERS_DATA is not set: lessons make their data, or download it."
        )
    if not Path(chosen).expanduser().is_dir():
        return Finding(
            "Data folder", "note", "KDHELPERS_DATA names a folder that is not there: correct or unset it."
        )
    return Finding("Data folder", "ok", "KDHELPERS_DATA is set and there.")


def _speed() -> Finding:
    ratio = measure_step_ms() / REFERENCE_STEP_MS
    if ratio > 1.5:
        times = f"about {ratio:.0f} times" if ratio >= 2 else "up to twice"
        said = (
            f"Just now, lessons would take {times} as long as measured: close other programs if any are busy."
        )
        return Finding("Speed", "note", said)
    pace = "less time than" if ratio < 0.6 else "about as long as"
    return Finding("Speed", "ok", f"Lessons will take {pace} measured.")


def _wanted(extra: str) -> Iterator[tuple[str, str]]:
    # Asked of the installed package itself, so that the list is kept in one place.
    try:
        requirements = importlib.metadata.requires("kdhelpers") or []
    except importlib.metadata.PackageNotFoundError:
        return
    for requirement in requirements:
        match = re.match(r"([\w.-]+)\s*(?:\[.*\])?\s*>=\s*([\d.]+)", requirement)
        older = re.search(r"python_version\s*<\s*['\"]3\.(\d+)", requirement)
        needed = older is None or sys.version_info < (3, int(older[1]))
        if match and needed and re.search(rf"extra\s*==\s*['\"]{extra}['\"]", requirement):
            yield match[1], match[2]


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _at_least(version: str, least: str) -> bool:
    def numbers(text: str) -> list[int]:
        return [int(part) for part in re.findall(r"\d+", text.split("+")[0])[:3]]

    return numbers(version) >= numbers(least)


def _row(finding: Finding) -> str:
    cell = "text-align: left; vertical-align: top; padding: 0.3em 1.2em 0.3em 0.6em"
    mark = f"{cell}; border-left: 6px solid rgb({COLOURS[finding.level]}); font-weight: bold"
    sentence = re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(finding.sentence, quote=False))
    name = f'<th scope="row" style="{cell}">{html.escape(finding.name)}</th>'
    return f'<tr><td style="{mark}">{finding.level}</td>{name}<td style="{cell}">{sentence}</td></tr>'
