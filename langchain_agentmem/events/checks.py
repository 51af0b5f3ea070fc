"""What a user says about the log, checked: numbers, cursors, points in time."""

from __future__ import annotations

from datetime import datetime

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.streams import START


def checked_cursor(after_id: str, thread_id: str | None) -> str:
    """A user's cursor.

    Raises:
        InvalidInputError: It is none, or nothing says which stream it belongs to.
    """
    if thread_id is None and after_id != START:
        raise InvalidInputError("after_id: a cursor belongs to one thread's stream; name the thread, or use consume()")
    ms, _, seq = after_id.partition("-")
    if not (ms.isdecimal() and (seq or "0").isdecimal()):
        raise InvalidInputError(f"after_id: {after_id!r} is not a cursor; pass the `cursor` of an event")
    return after_id


def require_positive(**numbers: float) -> None:
    """Check a user's numbers.

    Raises:
        InvalidInputError: One is not above 0.
    """
    for name, number in numbers.items():
        if number <= 0:
            raise InvalidInputError(f"{name}: {number} is too small; it must be positive")


def cursor_at(name: str, moment: datetime | None, otherwise: str) -> str:
    """A user's point in time as the first part of a cursor.

    Raises:
        InvalidInputError: It has no time zone.
    """
    if moment is None:
        return otherwise
    if moment.tzinfo is None:
        raise InvalidInputError(f"{name}: a time without a zone is ambiguous; use datetime.now(UTC) or .astimezone()")
    return str(max(0, int(moment.timestamp() * 1000)))
