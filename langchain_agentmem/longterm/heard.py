"""When something was said that is remembered only now: what was said since, elsewhere, it does not undo."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from langchain_agentmem.longterm import items
from langchain_agentmem.wire.keys import escape, unescape

NOW = ("", "")
"""What the scripts take of a change that is made by hand."""


class Heard(NamedTuple):
    """When a change was said, and where.

    Attributes:
        at: When it was said.
        thread: In which thread. What that thread itself said before counts as earlier, whatever the clocks say: it is
            taken in in its order. None: in none, or not in its order, as of a dead letter.
    """

    at: datetime
    thread: str | None = None

    @classmethod
    def read(cls, noted: bytes) -> Heard | None:
        """When it was last said what a fact is, or that it is not, if what `memory.lua` notes of it tells that."""
        _, _, told = noted.partition(b" ")
        at, _, thread = told.partition(b" ")
        return cls(items.to_time(at), unescape(thread) if thread else None) if at else None


def words_of(heard: Heard | None) -> tuple[int | str, str]:
    """As the scripts take it; None: it is done by hand."""
    return NOW if heard is None else (items.from_time(heard.at), escape(heard.thread) if heard.thread else "")
