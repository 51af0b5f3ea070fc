"""How long what a thread has is kept: a time to live, checked, as the scripts take it."""

from __future__ import annotations

from typing import Any

from langchain_agentmem.errors import InvalidInputError


def milliseconds(ttl: Any) -> int | str:
    """A time to live in milliseconds, "" = never.

    Args:
        ttl: Seconds; None = never.

    Raises:
        InvalidInputError: It is no finite number above 0.
    """
    if ttl is None:
        return ""
    if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl < float("inf"):
        raise InvalidInputError(f"ttl: pass seconds over 0, or None for never, not {ttl!r}")
    return max(1, round(ttl * 1000))
