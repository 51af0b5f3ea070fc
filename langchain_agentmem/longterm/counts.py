"""Counts, remembered a while: the larger one is, the less a change of it matters, and the longer it took to make."""

from __future__ import annotations

import time

_PER_DOCUMENT = 0.3  # seconds: a count of 10 is good for 3
_LONGEST = 300.0
_MOST = 4096


class Counts:
    """How many documents match a query. That there are none is never remembered: the next one makes a difference."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, float]] = {}

    def known(self, query: str) -> int | None:
        """The count of a query, if it was noted lately."""
        total, until = self._noted.get(query, (0, 0.0))
        return total if time.monotonic() < until else None

    def note(self, query: str, total: int) -> None:
        """Remember a count that was just made; one that is known keeps its time."""
        if total and self.known(query) is None:
            if len(self._noted) >= _MOST:
                self._noted.clear()
            self._noted[query] = total, time.monotonic() + min(_LONGEST, total * _PER_DOCUMENT)
