"""Bets against "the model is still good enough": a fortune that grows is evidence that it is not."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Shares of the floor that accuracy may have fallen to: a bet on each, as nobody knows how far it falls.
FALLEN = np.arange(1, 20) / 20


class Bets:
    """The evidence that accuracy is below a floor, since a week that nobody knows.

    For each week that the fall may begin in, a fortune of 1 / weeks is put on it. From then on it is staked,
    in equal parts, on accuracies below the floor: with a stake on p, a right answer multiplies it by p /
    floor, a wrong one by (1 - p) / (1 - floor). While accuracy is at the floor or above no such bet gains on
    average, so that the whole fortune, 1 at first, ever reaches 1 / rate with probability at most rate (Ville
    1939), whenever one looks. Sources: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random
    variables by betting", arXiv:2010.09686; Shin, Ramdas & Rinaldo 2022, "E-detectors", arXiv:2203.03532.

    Args:
        floor: The accuracy that is to be held, between 0 and 1.
        weeks: How many there will be.

    Example:
        >>> bets = Bets(floor=0.8, weeks=10)
        >>> for right in (45, 43, 30, 28):
        ...     bets.add(right, audited=50)
        >>> bets.evidence > 20, bets.since
        (True, 3)
    """

    def __init__(self, floor: float, weeks: int) -> None:
        self.floor, self.weeks, self.done = floor, weeks, 0
        lower = floor * FALLEN
        self._steps = np.log(lower / floor), np.log((1 - lower) / (1 - floor))
        self._logs = np.zeros((weeks, len(FALLEN)))  # by the week of the start, and by the accuracy bet on

    def add(self, right: int, audited: int) -> None:
        """One more week.

        Args:
            right: How many of the audited answers were right.
            audited: How many were audited.

        Example:
            >>> bets = Bets(0.5, 1)
            >>> bets.add(0, audited=5)
            >>> round(bets.evidence, 1)
            10.2
        """
        won, lost = self._steps
        self._logs[: self.done + 1] += right * won + (audited - right) * lost
        self.done += 1

    @property
    def by_start(self) -> NDArray[np.float64]:
        """(weeks,) the fortune that was put on each week, those to come included.

        Example:
            >>> Bets(0.5, 4).by_start
            array([0.25, 0.25, 0.25, 0.25])
        """
        # Capped, as e to the 700th is all that a number can hold and far more than any evidence asked for.
        fortunes: NDArray[np.float64] = np.exp(self._logs.clip(max=600)).mean(1) / self.weeks
        return fortunes

    @property
    def evidence(self) -> float:
        """The whole fortune: 1 at first, and large when accuracy is below the floor.

        Example:
            >>> Bets(0.5, 4).evidence
            1.0
        """
        return float(self.by_start.sum())

    @property
    def since(self) -> int:
        """The week, counted from 1, from which a fall is most probable: the one whose bet won most.

        Example:
            >>> Bets(0.5, 4).since
            1
        """
        return int(self.by_start.argmax()) + 1
