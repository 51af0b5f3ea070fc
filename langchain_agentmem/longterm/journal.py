"""What was done with memories, told to the event log without waiting for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, TypeAlias

from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.wire.changes import Changes
from langchain_agentmem.wire.connection import Command, Connection

Action: TypeAlias = Literal["remembered", "recalled", "corrected", "forgotten"]

_MOST = 200  # memories named in one event


class MemoryEvents(Protocol):
    """Who wants to know what is done with memories: the event log.

    Attributes:
        connection: Over which events are sent.
    """

    connection: Connection

    def memory(
        self,
        action: Action,
        memories: Mapping[str, float | None] | Sequence[str],
        *,
        scope: Namespace | None = None,
        query: str | None = None,
    ) -> Sequence[Command]:
        """The commands that log it, as done by the code that is running."""

    def soon(self, commands: Sequence[Command]) -> None:
        """Send commands in the background."""

    async def aflush(self) -> object:
        """Wait until what goes out in the background is written."""


class Journal:
    """Counts the changes of each scope, and tells the event log what was done, once it is done.

    Which memories a recall finds, and which of those to be remembered were known already, only the server's answer
    says. So the events cannot travel with the operation. They go out in the background instead, and no operation waits
    for a second round trip. Where in a graph it happened is noted at once.

    Args:
        events: The event log, if there is one.
        changes: The counts of this process.
    """

    def __init__(self, events: MemoryEvents | None, changes: Changes) -> None:
        self._events, self._changes = events, changes

    def note(self, action: Action, ids: Sequence[str], scope: Namespace) -> None:
        """Tell that memories of a scope were remembered, corrected or forgotten."""
        self._changes.note(scope)
        if self._events is not None:
            for start in range(0, len(ids), _MOST):
                self._events.soon(self._events.memory(action, ids[start : start + _MOST], scope=scope))

    def recalled(self, query: str, scores: Mapping[str, float | None], scope: Namespace) -> None:
        """Tell what was recalled from a scope for a query; that nothing was, too."""
        if self._events is not None:
            self._events.soon(self._events.memory("recalled", scores, scope=scope, query=query))
