"""The first sign of a new topic: words that many messages hold this week, and none ever did before."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import chain

import numpy as np

from .alarms import WeekCheck
from .checks import checked_share, checked_whole

# Two letters or more of any script: numbers are new all the time.
_WORD = re.compile(r"[^\W\d_]{2,}")
SHOWN = 5


class NewWordsAlarm:
    """Rings when a word that no message of the reference held is in too many of a week's messages.

    Every week has some new words: names, slips of the finger. One that turns up in *several* messages is
    news. If the week's messages are like the reference's, a word that j of all N + m messages hold is with
    probability C(m, j) / C(N + m, j) in the week's m alone. Summed over all words held by j or more messages,
    this is the most that the probability of such a week can be, whatever the words' frequencies are; the
    threshold is the smallest number for which it is at most rate / weeks. Exact theory, no simulation. Equal
    messages count once.

    Args:
        reference: Texts of a time when all was well; here those that the model learnt from will do.
        weeks: How many looks there will be.
        rate: The probability of a false alarm in all of them together.

    Raises:
        ValueError: No text, weeks below 1, or a rate outside 0 to 1.
        TypeError: Not a list of texts.

    Example:
        >>> things, times = ("parcel", "order", "hub", "refund", "app"), ("today", "again", "still", "now")
        >>> alarm = NewWordsAlarm([f"my {thing} is late {time}" for thing in things for time in times])
        >>> print(alarm.check(["my hub is brokken", *[f"solar: my {thing} is late" for thing in things]]))
        ALARM: 5 is above 1 (solar, brokken)
    """

    def __init__(self, reference: Sequence[str], *, weeks: int = 52, rate: float = 0.05) -> None:
        self.weeks, self.rate = checked_whole(weeks, "weeks", least=1), checked_share(rate, "rate")
        texts = _distinct(reference, "reference")
        self._texts, self._counts = len(texts), _counted(texts)
        self._held = Counter(self._counts.values())

    def check(self, this_week: Sequence[str]) -> WeekCheck:
        """The new word that is in most of the week's messages: in how many, and how many are too many.

        Args:
            this_week: The week's texts.

        Raises:
            ValueError: No text.
            TypeError: Not a list of texts.

        Example:
            >>> found = NewWordsAlarm(["where is it"] * 3).check(["where is the hub"])
            >>> found.value, list(found.parts)
            (1, ['the', 'hub'])
        """
        texts = _distinct(this_week, "this_week")
        counts = _counted(texts)
        new = Counter({word: n for word, n in counts.items() if word not in self._counts})
        most = dict(new.most_common(SHOWN))
        return WeekCheck(max(most.values(), default=0), self._most(counts, len(texts)), most)

    def _most(self, counts: Counter[str], texts: int) -> int:
        held = self._held.copy()  # how many words are held by j messages, this week's included
        held.subtract(self._counts[word] for word in counts)
        held.update(self._counts[word] + n for word, n in counts.items())
        tail, level = np.zeros(texts + 2), self.rate / self.weeks
        chance = 1.0
        for j in range(1, texts + 1):
            chance *= (texts - j + 1) / (self._texts + texts - j + 1)
            tail[j] = held[j] * chance
        beyond = tail[::-1].cumsum()[::-1]  # the bound for j messages or more
        return int(np.flatnonzero(beyond[1:] <= level)[0])


def _distinct(texts: Sequence[str], name: str) -> list[str]:
    if isinstance(texts, str) or not all(isinstance(text, str) for text in texts):
        raise TypeError(f"{name} must be a list of texts.")
    if len(texts) == 0:
        raise ValueError(f"{name} holds no text: give one or more.")
    return list(dict.fromkeys(texts))


def _counted(texts: Iterable[str]) -> Counter[str]:
    """In how many texts each word is."""
    return Counter(chain.from_iterable(map(_words, texts)))


@lru_cache(maxsize=2**16)  # the last four weeks are asked for four times
def _words(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_WORD.findall(text.lower())))
