"""Memories listed and counted, rather than recalled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import filters, items, record
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
        end = offset + limit
        if not await self._store.index.usable():
            rows = await self._rows(path, filter)
            rows.sort(key=lambda row: (-float(row.fields.get(_FIELD[order], 0)), row.key))
            return [self._memory(row) for row in rows[offset:end]]
        found: list[Memory] = []
        seen, query = 0, Wanted(path, filter, end).query("l")
        while len(found) < end:
            size = max(end, _PAGE) if not filters.is_covered(filter) else end - len(found)
            command = search.listing(
                self._store.index.name, query, record.READ, offset=seen, limit=size, sort=_FIELD[order]
            )
            rows = search.rows((await self._store.index.ask([command]))[0])
            found += [self._memory(row) for row in rows if self._passes(row, path, filter)]
            seen += len(rows)
            if len(rows) < size:
                break
        return found[offset:end]

    async def all(self, path: Namespace, *, filter: Mapping[str, Any] | None) -> list[Memory]:
        """Every memory that a filter lets pass."""
        found: list[Memory] = []
        while len(page := await self.page(path, "updated", filter, _PAGE, len(found))) == _PAGE:
            found += page
        return found + page

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
