"""Make the help-desk data set from the messages in core/: the same bytes on every machine.

    python data/support/make_support.py            # writes the csv files beside this script
    python data/support/make_support.py --check    # compares them with what it would write

Every core message goes to one split; there it becomes one row, in the pool several, each varied by a random
stream of its own. So adding a message to one file changes no row that was made from another.
"""

from __future__ import annotations

import argparse
import csv
import io
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from variations import varied

HERE = Path(__file__).resolve().parent
SEED = "hearthloop 1"
COLUMNS = (
    "id", "text", "label", "outcome", "tier", "style", "length", "clarity",
    "multi", "misleading", "ambiguous", "core",
)  # fmt: skip

# How 1,000 messages of an ordinary day fall on the queues; the rare one gets one in a hundred.
TRAFFIC = {
    "charges": 85, "refunds": 75, "invoices": 50, "plans": 70,
    "sign_in": 95, "two_step": 60, "account_details": 65, "security": 10,
    "device_setup": 80, "app_faults": 85, "recordings": 65, "integrations": 60,
    "delivery": 75, "how_to": 90, "feedback": 35, "solar": 0,
}  # fmt: skip
# The next quarter: Sunloop is out, the spring's new hub brings set-up questions, and fewer write about money.
LATER = {
    "charges": 60, "refunds": 55, "invoices": 35, "plans": 60,
    "sign_in": 85, "two_step": 60, "account_details": 55, "security": 10,
    "device_setup": 120, "app_faults": 105, "recordings": 65, "integrations": 60,
    "delivery": 50, "how_to": 75, "feedback": 25, "solar": 80,
}  # fmt: skip
SPLITS = ("labelled", "validation", "test", "next_quarter", "pool", "security_audit", "new_product")
LABELLED, RARE_LABELLED = 40, 20
# Most customers say what the matter is; the others leave it to the reader to find out.
DIRECT_SHARE = 0.9
VALIDATION, TEST, NEXT_QUARTER, POOL = 400, 600, 400, 12_000
TIERS, LATER_TIERS = (
    (("Free", 45), ("Plus", 40), ("Business", 15)),
    (("Free", 60), ("Plus", 30), ("Business", 10)),
)

# The documented bias: what the first agents did with this queue when a customer on the Free plan wrote.
BIASED, BIASED_TO, BIASED_SHARE = "app_faults", "how_to", 0.8
# And in good faith: where a message could be for another queue, this share was sent there.
MISTAKEN_SHARE = 0.2


@dataclass(frozen=True)
class Core:
    """One hand-written message: where it was resolved, and what its writer noted about it."""

    name: str
    queue: str
    style: str
    text: str
    clarity: str
    multi: bool
    misleading: bool
    ambiguous: str


def read_cores() -> list[Core]:
    """All messages of core/, in the order of the files and their lines."""
    return [core for path in sorted((HERE / "core").glob("*.txt")) for core in _cores_of(path)]


def _cores_of(path: Path) -> Iterator[Core]:
    queue, part = path.stem.rsplit("_", 1)
    clarity = "direct" if part > "b" else "oblique"
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        style, tags, text = (part.strip() for part in line.split("|", 2))
        ambiguous = re.search(r"ambiguous=(\w+)", tags)
        yield Core(
            name=f"{path.stem}-{number:03d}",
            queue=queue,
            style=style,
            text=text,
            clarity=clarity,
            multi="multi" in tags,
            misleading="misleading" in tags,
            ambiguous=ambiguous[1] if ambiguous else "",
        )


def split_cores(cores: list[Core]) -> dict[str, list[Core]]:
    """Which messages each split is made of; none is in two."""
    splits: dict[str, list[Core]] = {name: [] for name in SPLITS}
    for queue in TRAFFIC:
        own = [core for core in cores if core.queue == queue]
        random.Random(f"{SEED}/split/{queue}").shuffle(own)
        left = {
            clarity: [core for core in own if core.clarity == clarity] for clarity in ("direct", "oblique")
        }
        for name, size in _sizes(queue).items():
            direct = round(size * DIRECT_SHARE)
            for clarity, count in (("direct", direct), ("oblique", size - direct)):
                splits[name] += left[clarity][:count]
                left[clarity] = left[clarity][count:]
        if queue != "solar":
            splits["pool"] += left["direct"] + left["oblique"]
    return splits


def _sizes(queue: str) -> dict[str, int]:
    rare, new = queue == "security", queue == "solar"
    return {
        "labelled": 0 if new else RARE_LABELLED if rare else LABELLED,
        "validation": _share(VALIDATION, TRAFFIC, queue),
        "test": _share(TEST, TRAFFIC, queue),
        "next_quarter": _share(NEXT_QUARTER, LATER, queue),
        "security_audit": 40 if rare else 0,
        "new_product": 160 if new else 0,
    }


def _share(rows: int, traffic: dict[str, int], queue: str) -> int:
    return round(rows * traffic[queue] / sum(traffic.values()))


def rows_of(name: str, cores: list[Core]) -> list[list[str]]:
    """The rows of one split, shuffled, with ids that say the split."""
    made = [_row(name, core, variant) for core, variant in _variants(name, cores)]
    random.Random(f"{SEED}/order/{name}").shuffle(made)
    return [[f"{name}-{number:05d}", *row] for number, row in enumerate(made)]


def _variants(name: str, cores: list[Core]) -> Iterator[tuple[Core, int]]:
    if name != "pool":
        yield from ((core, 0) for core in cores)
        return
    for queue in TRAFFIC:
        rows = _share(POOL, TRAFFIC, queue)
        direct = round(rows * DIRECT_SHARE)
        for clarity, count in (("direct", direct), ("oblique", rows - direct)):
            own = [core for core in cores if core.queue == queue and core.clarity == clarity]
            for number in range(count if own else 0):
                yield own[number % len(own)], number // len(own)


def _row(name: str, core: Core, variant: int) -> list[str]:
    chance = random.Random(f"{SEED}/{name}/{core.name}/{variant}")
    names, weights = zip(*(LATER_TIERS if name in ("next_quarter", "new_product") else TIERS), strict=True)
    tier = chance.choices(names, weights)[0]
    label = _first_agent(core, tier, chance)
    text = f"{varied(core.text, core.style, chance)} [{tier} plan]"
    flags = ["yes" if flag else "no" for flag in (core.multi, core.misleading, bool(core.ambiguous))]
    return [text, label, core.queue, tier, core.style, _length(core.text), core.clarity, *flags, core.name]


def _length(text: str) -> str:
    words = len(text.split())
    return "short" if words <= 7 else "long" if words > 45 else "medium"


def _first_agent(core: Core, tier: str, chance: random.Random) -> str:
    biased, mistaken = chance.random() < BIASED_SHARE, chance.random() < MISTAKEN_SHARE
    if tier == "Free" and core.queue == BIASED and biased:
        return BIASED_TO
    return core.ambiguous if core.ambiguous and mistaken else core.queue


def files() -> dict[str, str]:
    """The content of every csv file by its name."""
    made = {}
    for name, cores in split_cores(read_cores()).items():
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows_of(name, cores))
        made[f"{name}.csv"] = stream.getvalue()
    return made


def main() -> None:
    """Write the files, or compare them."""
    parser = argparse.ArgumentParser(description="Make the help-desk data set, byte for byte.")
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    check = parser.parse_args().check
    for name, content in files().items():
        path = HERE / name
        if not check:
            path.write_bytes(content.encode())
        elif not path.is_file() or path.read_bytes() != content.encode():
            sys.exit(f"{name} is not what this script makes: run it without --check.")
        print(f"{name}: {content.count(chr(10)) - 1:,} rows")


if __name__ == "__main__":
    main()
