"""How often this process has changed things, for whoever shows them and would rather not read them again in vain."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

_ROOM = 1_024  # counters; names share them


class Changes:
    """Counts changes by the name of what was changed, in bounded room and for all threads.

    Two names may share a counter. So who compares two counts may see a change that was another's, and misses none.
    """

    def __init__(self) -> None:
        self._counts = [0] * _ROOM
        self._lock = Lock()

    def note(self, name: Sequence[str]) -> None:
        """Count a change, once it is made. It is one of all names, too, that this name begins with."""
        places = {_place(name[:length]) for length in range(1, len(name) + 1)}
        with self._lock:
            for place in places:
                self._counts[place] += 1

    def count(self, name: Sequence[str]) -> int:
        """How many changes there were."""
        return self._counts[_place(name)]


def _place(name: Sequence[str]) -> int:
    return hash(tuple(name)) % _ROOM
