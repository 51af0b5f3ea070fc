"""Large counts, remembered for minutes: what takes the server longest to count changes least meanwhile."""

from __future__ import annotations

import time

_LARGE = 1000
_VALID = 300.0  # seconds
_MOST = 4096


class Counts:
    """How many documents match a query, where they are many. Smaller counts are cheap, and each document matters."""

    def __init__(self) -> None:
        self._noted: dict[str, tuple[int, float]] = {}

    def known(self, query: str) -> int | None:
        """The count of a query, if it was noted lately."""
        total, until = self._noted.get(query, (0, 0.0))
        return total if time.monotonic() < until else None

    def note(self, query: str, total: int) -> None:
        """Remember a count that was just made, if it is large; one that is known keeps its time."""
        if total >= _LARGE and self.known(query) is None:
            if len(self._noted) >= _MOST:
                self._noted.clear()
            self._noted[query] = total, time.monotonic() + _VALID
