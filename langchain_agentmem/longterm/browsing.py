"""Memories listed and counted, rather than recalled."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Literal, TypeAlias

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks, filters, items, record
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.searching import Wanted
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire import search
from langchain_agentmem.wire.search import Row

Order: TypeAlias = Literal["updated", "accessed", "confidence"]

_FIELD: dict[str, str] = {"updated": items.UPDATED, "accessed": "r", "confidence": "k"}
_PAGE = 500


class Browser:
    """Lists the memories of a store.

    Args:
        store: The store that holds them.
    """

    def __init__(self, store: AgentMemoryStore) -> None:
        self._store = store

    async def page(
        self, path: Namespace, order: Order, filter: Mapping[str, Any] | None, limit: int, offset: int
    ) -> list[Memory]:
        """A page, highest first."""
        filters.check(filter)
        if order not in _FIELD:
            raise InvalidInputError(f"order_by: {order!r} is none of {', '.join(_FIELD)}")
        checks.whole("limit", limit)
        checks.whole("offset", offset)
        end = offset + limit
        if limit <= 0:
            return []
        size = end if filters.is_covered(filter) else max(end, _PAGE)
        found: list[Memory] = []
        async for memory in self._walk(path, order, filter, size):
            found.append(memory)
            if len(found) >= end:
                break
        return found[offset:end]

    async def all(self, path: Namespace, *, filter: Mapping[str, Any] | None) -> list[Memory]:
        """Every memory that a filter lets pass, last remembered first."""
        filters.check(filter)
        return [memory async for memory in self._walk(path, "updated", filter, _PAGE)]

    async def _walk(
        self, path: Namespace, order: Order, filter: Mapping[str, Any] | None, size: int
    ) -> AsyncIterator[Memory]:
        """Memories that a filter lets pass, highest first, read from the index in pages of a size."""
        if not await self._store.index.usable():
            rows = await self._rows(path, filter)
            rows.sort(key=lambda row: (-float(row.fields.get(_FIELD[order], 0)), row.key))
            for row in rows:
                yield self._memory(row)
            return
        query, seen = Wanted(path, filter, size).query("l"), 0
        while True:
            command = search.listing(
                self._store.index.name, query, record.READ, offset=seen, limit=size, sort=_FIELD[order]
            )
            rows = search.rows((await self._store.index.ask([command]))[0])
            for row in rows:
                if self._passes(row, path, filter):
                    yield self._memory(row)
            seen += len(rows)
            if len(rows) < size:
                return

    async def count(self, path: Namespace, filter: Mapping[str, Any] | None) -> int:
        """How many a filter lets pass."""
        filters.check(filter)
        if not await self._store.index.usable():
            return len(await self._rows(path, filter))
        if not filters.is_covered(filter):
            return len(await self.all(path, filter=filter))
        command = search.count(self._store.index.name, Wanted(path, filter, 0).query("l"))
        return search.total((await self._store.index.ask([command]))[0])

    async def _rows(self, path: Namespace, filter: Mapping[str, Any] | None) -> list[Row]:
        scope = await self._store.namespaces_below(path)
        rows = await self._store.exact.rows(scope, record.READ)
        return [row for row in rows if self._passes(row, path, filter)]

    def _passes(self, row: Row, path: Namespace, filter: Mapping[str, Any] | None) -> bool:
        if "v" not in row.fields or self._store.keys.read_item(row.key)[0][: len(path)] != path:
            return False
        return filters.matches(items.load_value(row.fields["v"]), filter)

    def _memory(self, row: Row) -> Memory:
        namespace, key, _ = self._store.keys.read_item(row.key)
        return record.read(row.fields, id=key, namespace=namespace)
