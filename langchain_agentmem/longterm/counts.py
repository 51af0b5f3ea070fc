"""Counts, remembered a while: the larger one is, the less a change of it matters, and the longer it took to make."""

from __future__ import annotations

import time

from langchain_agentmem.wire.search import Query

_PER_DOCUMENT = 0.3  # seconds: a count of 10 is good for 3
_LONGEST = 300.0
_MOST = 4096


class Counts:
    """How many documents match a query. That there are none is never remembered: the next one makes a difference."""

    def __init__(self) -> None:
        self._noted: dict[Query, tuple[int, float]] = {}

    def known(self, query: Query) -> int | None:
        """The count of a query, if it was noted lately enough to be true."""
        total, until = self._noted.get(query, (0, 0.0))
        return total if time.monotonic() < until else None

    def last(self, query: Query) -> int | None:
        """The count of a query that was noted last, however long ago: to guess by."""
        total, _ = self._noted.get(query, (None, 0.0))
        return total

    def note(self, query: Query, total: int) -> None:
        """Remember a count that was just made."""
        if not total:
            self._noted.pop(query, None)
            return
        if len(self._noted) >= _MOST:
            self._noted.clear()
        self._noted[query] = total, time.monotonic() + min(_LONGEST, total * _PER_DOCUMENT)
