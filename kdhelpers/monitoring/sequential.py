"""An audit that goes on week by week, and may be looked at every time."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..evaluation import Estimate, wilson
from ..files import write_whole
from .betting import Bets
from .checks import checked_share, checked_whole

RECENT = 4
VERSION = 1


@dataclass(frozen=True)
class AuditState:
    """Where an audit stands after a week.

    Args:
        week: How many weeks have been audited.
        recent: Accuracy over the last four weeks, with its 95% interval; to read, not to decide by.
        evidence: That accuracy is below the floor; the alarm rings at 1 / rate.
        alarm: Whether it has rung, this week or before.
        since: If so, the week in which the fall most probably began; otherwise None.

    Example:
        >>> print(AuditState(3, wilson(100, 150), 0.4, False, None))
        week 3: 66.7% [58.8, 73.7] of the last weeks' audits right, evidence 0.4, quiet
    """

    week: int
    recent: Estimate
    evidence: float
    alarm: bool
    since: int | None

    def __str__(self) -> str:
        told = f"ALARM: below the floor since about week {self.since}" if self.alarm else "quiet"
        audits = f"{self.recent} of the last weeks' audits right"
        return f"week {self.week}: {audits}, evidence {self.evidence:.2g}, {told}"


class SequentialAudit:
    """Tests each week whether accuracy on audited messages has fallen below a floor, at an unknown time.

    However often one looks, the probability that it rings in any of its weeks is at most `rate` while
    accuracy is at the floor or above in all of them: see :class:`Bets`. Audited rows must be drawn uniformly
    (:func:`audit_sample` without confidences). Put the floor where you would act, not where accuracy is:
    between the two lies the room for chance. "Right" may mean the outcome, or that the teacher agrees; only
    the first measures harm.

    Args:
        floor: The accuracy that is to be held, between 0 and 1.
        rate: The probability of a false alarm in all weeks together.
        weeks: How many there will be; then start another audit.

    Raises:
        ValueError: floor or rate outside 0 to 1, or weeks below 1.

    Example:
        >>> audit = SequentialAudit(floor=0.8)
        >>> for right in (45, 43, 30, 22):
        ...     state = audit.update(right, audited=50)
        >>> state.alarm, state.since
        (True, 3)
    """

    def __init__(self, floor: float, *, rate: float = 0.05, weeks: int = 52) -> None:
        self.floor, self.rate = checked_share(floor, "floor"), checked_share(rate, "rate")
        self.weeks = checked_whole(weeks, "weeks", least=1)
        self.counts: list[tuple[int, int]] = []
        self._bets = Bets(self.floor, self.weeks)
        self._most = 1.0

    def update(self, right: int, audited: int) -> AuditState:
        """Add a week and say where the audit stands.

        Args:
            right: How many of the audited answers were right.
            audited: How many were audited; 0 for a week without an audit.

        Raises:
            ValueError: Counts that do not fit, or a week after the last.

        Example:
            >>> SequentialAudit(floor=0.6).update(31, 50).alarm
            False
        """
        checked_whole(audited, "audited", least=0)
        if checked_whole(right, "right", least=0) > audited:
            raise ValueError(f"{right} right of {audited} audited: give 0 to {audited}.")
        if len(self.counts) == self.weeks:
            raise ValueError(f"All {self.weeks} weeks of this audit are over: start another one.")
        self.counts.append((int(right), int(audited)))
        self._bets.add(right, audited)
        self._most = max(self._most, self._bets.evidence)
        return self.state

    @property
    def state(self) -> AuditState:
        """Where the audit stands.

        Raises:
            ValueError: No row has been audited in the last weeks.

        Example:
            >>> audit = SequentialAudit(floor=0.6)
            >>> audit.update(31, 50) == audit.state
            True
        """
        right, audited = map(sum, zip(*self.counts[-RECENT:], strict=True)) if self.counts else (0, 0)
        recent = wilson(right, audited) if audited else Estimate(float("nan"), 0.0, 1.0, 0)
        rang = self._most >= 1 / self.rate
        since = self._bets.since if rang else None
        return AuditState(len(self.counts), recent, self._bets.evidence, rang, since)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the audit as JSON, whole or not at all, so that next week's run goes on from it.

        Raises:
            OSError: The file could not be written; what was there before is still there.

        Example:
            >>> import tempfile
            >>> file = Path(tempfile.mkdtemp()) / "audit.json"
            >>> audit = SequentialAudit(floor=0.6)
            >>> state = audit.update(31, 50)
            >>> audit.save(file)
            >>> SequentialAudit.load(file).state == state
            True
        """
        told = {"version": VERSION, "floor": self.floor, "rate": self.rate, "weeks": self.weeks}
        counts = [{"right": right, "audited": audited} for right, audited in self.counts]
        write_whole(path, json.dumps({**told, "counts": counts}, indent=1) + "\n")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> SequentialAudit:
        """Read an audit that was saved.

        Raises:
            FileNotFoundError: There is no such file.
            ValueError: It is no audit, or damaged.

        Example:
            >>> SequentialAudit.load("nowhere.json")
            Traceback (most recent call last):
            FileNotFoundError: [Errno 2] No such file or directory: 'nowhere.json'
        """
        text = Path(path).read_text(encoding="utf-8")
        try:
            return cls._from(json.loads(text))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"{Path(path).name} is no saved audit, or damaged: {error}") from error

    @classmethod
    def _from(cls, told: dict[str, Any]) -> SequentialAudit:
        if told["version"] != VERSION:
            raise ValueError(f"its version is {told['version']}, this program reads {VERSION}.")
        audit = cls(told["floor"], rate=told["rate"], weeks=told["weeks"])
        for week in told["counts"]:
            audit.update(week["right"], week["audited"])
        return audit
