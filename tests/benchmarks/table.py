"""Run the benchmarks and write what they find into docs/benchmarks.md.

    python tests/benchmarks/table.py [--peers PYTHON] [--only training losses …]

``--peers`` is the Python of an environment with torchdistill, if it is not installed beside this package.
Every number in the page is from the run. ``--only`` prints what it finds and writes nothing.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import json
import os
import platform
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from measured import Row, markdown

from kdhelpers.files import write_whole

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "benchmarks.md"
PARTS = {
    "losses": "Losses",
    "training": "Training",
    "many": "Several models at once",
    "peers": "Training beside torchdistill",
    "teacher_outputs": "Stored outputs of a teacher",
    "serving": "Serving",
    "batch": "Scoring a file",
}
OPENING = """# Benchmarks

Written by `python tests/benchmarks/table.py`, every number from one run of it. A ratio (×) says how many
times of the second the first takes: below 1, it takes less. In brackets: the middle half of the repeats.
What is asked is what the project wants to keep to; no test depends on it.

"""


def rows_of(part: str, peers: str | None) -> list[Row]:
    """What a benchmark finds; nothing of torchdistill where it is not installed."""
    if part != "peers" or peers is None:
        if part == "peers" and importlib.util.find_spec("torchdistill") is None:
            return []
        found: list[Row] = importlib.import_module(f"bench_{part}").rows()
        return found
    environment = {**os.environ, "PYTHONPATH": str(HERE.parents[1])}
    command = [peers, str(HERE / "bench_peers.py"), "--json"]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout
    return [Row(**fields) for fields in json.loads(output.splitlines()[-1])]


def machine(loads: list[float]) -> str:
    busy = f"{min(loads):.1f} to {max(loads):.1f}"
    return (
        f"Machine: {os.cpu_count()} cores ({platform.machine()}), one thread used; "
        f"PyTorch {torch.__version__}, Python {platform.python_version()}. "
        f"Meanwhile {busy} processes wanted these cores at a time.\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--peers", help="the Python of an environment with torchdistill")
    parser.add_argument("--only", nargs="+", choices=PARTS, help="print what these find")
    options = parser.parse_args()
    sys.argv = sys.argv[:1]
    page, loads = [], []
    for part in options.only or PARTS:
        found = rows_of(part, options.peers)
        print(*found, sep="\n", flush=True)
        loads.append(os.getloadavg()[0])
        left_out = "Left out: torchdistill is not installed here.\n"
        page.append(f"\n## {PARTS[part]}\n\n{markdown(found) if found else left_out}")
    if not options.only:
        write_whole(PAGE, OPENING + machine(loads) + "".join(page))


if __name__ == "__main__":
    main()
