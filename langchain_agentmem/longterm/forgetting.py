"""Which memories are forgotten, and how they go: what is chosen by what it is goes only while it is that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.browsing import Browser
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.keys import escape
from langchain_agentmem.wire.scripts import Script

_DROP = Script("store_drop")
_SPARED = -1  # what the script answers of a memory that was changed since it was chosen


class Chosen(NamedTuple):
    """A memory that is to be forgotten.

    Attributes:
        path: Where it lies.
        id: Its id.
        updated: When it was last changed, where it is to be spared if it was changed, pinned or retired since.
    """

    path: Namespace
    id: str
    updated: datetime | None = None


class Forgetter:
    """Chooses memories and drops them.

    Args:
        store: The store that holds them.
        browser: Lists them.
        undo_ttl: Milliseconds in which it can be undone; 0: it cannot.
    """

    def __init__(self, store: AgentMemoryStore, browser: Browser, *, undo_ttl: int) -> None:
        self._store, self._browser = store, browser
        self._undoable = undo_ttl

    async def named(self, ids: Sequence[str], path: Namespace, *, forgotten: bool) -> list[Chosen]:
        """Those that are there, or were; with `forgotten`, also those that undoing would bring back."""
        keys, names = self._store.keys, list(dict.fromkeys(ids))
        where = [[keys.item(path, name), keys.gone(path, name)][: 2 if forgotten else 1] for name in names]
        past = [("HEXISTS", keys.known(path), f"#{escape(name)}") for name in names]
        found = await self._store.connection.send(*(("EXISTS", *each) for each in where), *past)
        there = [name for place, name in enumerate(names) if found[place] or found[place + len(names)]]
        return [Chosen(path, name) for name in there]

    async def like(self, path: Namespace, filter: Mapping[str, Any] | None, before: datetime | None) -> list[Chosen]:
        """Those that a filter lets pass, last remembered before a time, and not pinned."""
        found = [each for each in await self._browser.all(path, filter=filter) if not each.pinned]
        return [Chosen(each.namespace, each.id, each.updated) for each in found if _is_older(each, before)]

    async def drop(self, chosen: Sequence[Chosen], *, erase: bool) -> list[str]:
        """Drop memories, in one round trip. Returns the ids of those that were not spared."""
        undoable = "" if erase else self._undoable or ""
        unless = [(items.from_time(each.updated),) if each.updated else () for each in chosen]
        commands = [
            self._store.item_command(_DROP, each.path, each.id, undoable, *changed)
            for each, changed in zip(chosen, unless, strict=True)
        ]
        replies = await self._store.connection.send(*commands)
        return [each.id for each, reply in zip(chosen, replies, strict=True) if reply != _SPARED]


def _is_older(memory: Memory, before: datetime | None) -> bool:
    if before is None:
        return True
    return memory.updated is not None and items.from_time(memory.updated) < items.from_time(before)
