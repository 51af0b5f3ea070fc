"""The sessions of one tenant: open one, list them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.messages import at_least_one
from langchain_agentmem.thread.working import DEFAULT_TTL, DEFAULT_WINDOW, WorkingMemory
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.changes import Changes
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, unescape


@dataclass(frozen=True, slots=True)
class SessionInfo:
    """One session in a listing.

    Attributes:
        thread_id: The thread it belongs to.
        user: The user it belongs to, or None.
        goal: Its goal, or None.
        created_at: When it was first written to, by the server's clock.
        updated_at: When it was last written to, by the server's clock.
        turn_count: How many turns there ever were.
    """

    thread_id: str
    user: str | None
    goal: str | None
    created_at: datetime
    updated_at: datetime
    turn_count: int


_FIELDS = ("user", "goal", "created", "updated", "last")


class Sessions:
    """The sessions of one tenant.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        window: How many recent turns each keeps.
        ttl: Seconds after its last write at which one expires; None = never.
        serde: Serializer of the turns, `JsonPlusSerializer` by default.

    Attributes:
        changes: How often the texts of each thread were changed through this.
    """

    def __init__(
        self,
        redis: Connection,
        *,
        keys: Keys | None = None,
        window: int = DEFAULT_WINDOW,
        ttl: float | None = DEFAULT_TTL,
        serde: SerializerProtocol | None = None,
    ) -> None:
        self._redis, self._keys, self.changes = redis, keys or Keys(), Changes()
        names = {"prefix": self._keys.prefix, "tenant": self._keys.tenant}
        self._settings: dict[str, Any] = names | {"window": window, "ttl": ttl, "serde": serde, "changes": self.changes}

    def open(self, thread_id: str, user: str | None = None) -> WorkingMemory:
        """The working memory of a thread. Sends nothing: a session begins with its first write."""
        return WorkingMemory(self._redis, thread_id, user=user, **self._settings)

    async def alist(self, *, user: str | None = None, limit: int = 50, offset: int = 0) -> list[SessionInfo]:
        """The sessions that are alive, those that expire last first: with one ttl, the last active. Two round trips.

        Args:
            user: Only this user's: those that were opened with it.
            limit: The most to return.
            offset: How many to pass over.

        Raises:
            InvalidInputError: `limit` is below 1 or `offset` below 0.
        """
        if offset < 0:
            raise InvalidInputError(f"offset is {offset}; it must not be below 0")
        registry = self._keys.sessions(user)
        last = offset + at_least_one("limit", limit) - 1
        members = (await self._redis.send(("ZREVRANGE", registry, offset, last)))[0]
        threads = [unescape(member) for member in members]
        rows = await self._redis.send(*(("HMGET", self._keys.session(thread), *_FIELDS) for thread in threads))
        found = [_info(thread, row) for thread, row in zip(threads, rows, strict=True) if row[2] is not None]
        return [session for session in found if user is None or session.user == user]

    list = sync_of(alist)


def _info(thread_id: str, row: Sequence[Any]) -> SessionInfo:
    user, goal = (None if text is None else text.decode("utf-8", "surrogatepass") for text in row[:2])
    created, updated = (datetime.fromtimestamp(int(at) / 1000, UTC) for at in row[2:4])
    return SessionInfo(thread_id, user, goal, created, updated, int(row[4] or 0))
