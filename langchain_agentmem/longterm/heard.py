"""When something was said that is remembered only now: what came to be so since, elsewhere, it does not undo."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from langchain_agentmem.longterm import items


class Heard(NamedTuple):
    """When a change was said, and where.

    Attributes:
        at: When it was said.
        thread: In which thread. What that thread itself said before counts as earlier, whatever the clocks say: it is
            taken in in its order.
    """

    at: datetime
    thread: str | None = None

    def words(self) -> tuple[int, str]:
        """As the scripts take it."""
        return items.from_time(self.at), self.thread or ""


NOW = ("", "")
"""What the scripts take of a change that is so from now on, such as one made by hand."""
