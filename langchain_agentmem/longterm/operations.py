"""Changes that are made once. An operation keeps its answer; whoever asks for it again gets that, and nothing changes.

redis-py sends again what it got no reply to, within seconds: for that, every change that could not otherwise tell that
it was made has an operation. One that a caller gives a name is kept for a day, so that a worker that died half-way, or
another in its place, may do all of its work again.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import uuid4

from langchain_agentmem.longterm import checks
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.wire.keys import Keys, escape

_DAY = 86_400  # s
_REPLAY = 120  # s; redis-py repeats what it could not finish within seconds
UNGUARDED = ("", 0)


def guard(keys: Keys, path: Namespace, operation: str | None, *change: str) -> tuple[str, int]:
    """Key and seconds under which a script keeps its answer to an operation; one without a name is made one up.

    Args:
        keys: The tenant's key names.
        path: The namespace.
        operation: Its name.
        change: What it changes: two changes may have the same name.

    Raises:
        InvalidInputError: The name is no text, or empty.
    """
    if operation is None:
        return keys.done(keys.known(path), uuid4().hex), _REPLAY
    return named(keys, path, operation, *change), _DAY


def named(keys: Keys, path: Namespace, operation: str, *change: str) -> str:
    """The key of an operation that a caller gave a name."""
    checks.name("operation", operation)
    return keys.done(keys.known(path), escape(":".join((operation, *change))))


def answer_of(kept: bytes | None) -> list[Any] | None:
    """What an operation answered, from what is kept under its key; None for one that was not made."""
    return None if kept is None else list(json.loads(kept))
