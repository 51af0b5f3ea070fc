"""When memories were recalled: noted at once and written later, so that no recall makes a trip for it."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.journal import MemoryEvents
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape
from langchain_agentmem.wire.scripts import Script

_TOUCH = Script("memory_touch")
_KEPT = 8  # access times of a memory; ACT-R's activation takes the older ones as spread evenly
_AT_ONCE = 50  # notes of one command: it holds the server up for 2 ms or so
_MOST = 1000  # notes that wait; more are dropped, oldest first, as they are but tie-breaks


class AccessLog:
    """Notes accesses. They go out in the background along with events, or when something is sent anyway.

    Args:
        store: The store that holds the memories.
        interval: Seconds within which two accesses count as one.
        events: Who sends in the background, if anybody does, and to the same server.
    """

    def __init__(self, store: AgentMemoryStore, interval: float, events: MemoryEvents | None) -> None:
        self._store = store
        self._interval = round(interval * 1_000_000)
        self._events = events if events is not None and events.connection is store.connection else None
        self._noted: dict[tuple[Namespace, str], int] = {}
        self._lock = threading.Lock()

    def note(self, memories: Iterable[Memory]) -> None:
        """Note that memories were used now."""
        now = items.from_time(datetime.now(UTC))
        with self._lock:
            for memory in memories:
                last = memory.last_accessed
                if not memory.superseded and (last is None or now - items.from_time(last) > self._interval):
                    self._noted[memory.namespace, memory.id] = now
            for each in list(self._noted)[:-_MOST]:
                del self._noted[each]
        if self._events is not None and (commands := self.take()):
            self._events.soon(commands)

    async def flush(self) -> None:
        """Write what was noted."""
        await self._store.connection.send(*self.take())
        if self._events is not None:
            await self._events.aflush()

    def take(self) -> list[Command]:
        """The commands that write what was noted."""
        with self._lock:
            noted, self._noted = self._noted, {}
        used: dict[Namespace, list[tuple[str, int]]] = {}
        for (namespace, key), when in noted.items():
            used.setdefault(namespace, []).append((key, when))
        return [
            self._touch(namespace, there[start : start + _AT_ONCE])
            for namespace, there in used.items()
            for start in range(0, len(there), _AT_ONCE)
        ]

    def _touch(self, namespace: Namespace, used: Sequence[tuple[str, int]]) -> Command:
        told = [word for key, when in used for word in (escape(key), when)]
        return self._store.item_command(_TOUCH, namespace, used[0][0], _KEPT, self._interval, *told)
