"""From langchain-redis' RedisChatMessageHistory (0.1 to 0.2) to our chat histories.

| their key | what it holds |
|---|---|
| `chat:{session}:{ulid}` | JSON: `type`, `data` (what `messages_from_dict` takes), `session_id`, `timestamp` |

That class keeps no ids, names, usage and tool calls other than the provider's own: they cannot be brought back.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TypeAlias

from langchain_core.messages import BaseMessage, messages_from_dict

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.serve.migrate.documents import PAGE, fields_of, keys_with, named, read
from langchain_agentmem.serve.migrate.outcome import UNREADABLE, Outcome, Progress, move_groups
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.wire.connection import Connection

Histories: TypeAlias = Callable[[str, float | None], AgentMemoryChatHistory]


class HistoryMover:
    """Moves chat histories.

    Args:
        source: Where they are.
        history: Makes the history of a session that takes them, with the seconds that it lives; None: for ever.
        prefix: What their keys begin with.
        dry_run: Read everything, write nothing.
    """

    def __init__(self, source: Connection, history: Histories, *, prefix: str, dry_run: bool) -> None:
        self._source, self._history, self._prefix, self._dry_run = source, history, prefix, dry_run

    async def move(self, on_progress: Progress | None) -> Outcome:
        """Move all sessions."""
        problems: list[str] = []
        sessions = await self._find(problems)
        return await move_groups("session", sessions, self._move_session, on_progress, problems)

    async def _find(self, problems: list[str]) -> dict[str, list[bytes]]:
        """The keys of each session's messages, in that class's own order."""
        found: dict[str, list[tuple[float, bytes]]] = {}
        keys = await keys_with(self._source, self._prefix)
        async for key, (session_id, moment) in fields_of(self._source, keys, "session_id", "timestamp"):
            if session_id and moment is not None:
                try:
                    found.setdefault(str(session_id), []).append((float(moment), key))
                except UNREADABLE:
                    problems.append(f"message {named(key)}: its timestamp is no number")
        return {session_id: [key for _, key in sorted(entries)] for session_id, entries in found.items()}

    async def _move_session(self, session_id: str, keys: Sequence[bytes], outcome: Outcome) -> None:
        documents: list[tuple[bytes | None, float | None]] = []
        for start in range(0, len(keys), PAGE):
            documents += await read(self._source, keys[start : start + PAGE])
        said = [message for text, _ in documents for message in _message(text)]
        history = self._history(session_id, documents[-1][1])  # it lives as long as its last message
        there = await history.aget_messages()
        known = min(len(there), len(said))
        if there[:known] != said[:known]:
            raise InvalidInputError("the history that is there already begins with other messages; it stays as it is")
        if said[known:] and not self._dry_run:
            await history.aadd_messages(said[known:])
        outcome.moved += len(said) - known
        outcome.kept += known


def _message(text: bytes | None) -> list[BaseMessage]:
    if text is None:  # expired since
        return []
    document = json.loads(text)
    return messages_from_dict([{"type": document["type"], "data": document["data"]}])
