"""How long a command may wait at the server."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

_SOCKET_TIMEOUT = 5.0  # redis-py's own, for a client that does not say
_TICK = 0.1  # seconds between two looks of an idle server at who has waited long enough


def in_time(command: tuple[Any, ...], client: Any) -> tuple[Any, ...]:
    """A command whose BLOCK, in milliseconds, is at most about half of the client's socket timeout.

    redis-py counts an answer that takes longer than the timeout as lost, also where the server was told to wait.
    """
    limit = client.get_connection_kwargs().get("socket_timeout", _SOCKET_TIMEOUT)
    if limit is None:
        return command
    longest = max(1, int(1000 * (limit - _TICK) / 2))
    return command[:1] + tuple(
        # A group may have that name, too: what follows it is text.
        min(argument, longest) if before == "BLOCK" and isinstance(argument, int) else argument
        for before, argument in pairwise(command)
    )
