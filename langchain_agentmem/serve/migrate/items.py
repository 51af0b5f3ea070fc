r"""From RedisStore and AsyncRedisStore (langgraph-checkpoint-redis 0.2 to 0.5) to our store.

| their key | what it holds |
|---|---|
| `store:{ulid}` | JSON: `prefix` (labels joined by periods, escaped by `\`), `key`, `value`, times in microseconds |
| `store_vectors:{ulid}` | JSON: a vector of the item of the same ULID |

A value with Python objects in it is `{"__serde_type__", "__serde_data__"}` there. Ours are JSON, so such objects arrive
in LangChain's JSON form, which `langchain_core.load` reads. Items that had a vector get a new one, of the target's
embedder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias, cast

from langgraph.store.base import GetOp, Item, PutOp

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.longterm.items import from_time, to_time
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.serve.migrate.documents import PAGE, fields_of, keys_with, read
from langchain_agentmem.serve.migrate.outcome import UNREADABLE, Outcome, Progress
from langchain_agentmem.serve.migrate.values import TheirSerializer
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.scripts import Script

Place: TypeAlias = tuple[tuple[str, ...], str]

_DATE = Script("item_date")
_ESCAPED = re.compile(r"\\(.)")
_WRAPPED = {"__serde_type__", "__serde_data__"}


class Stored(NamedTuple):
    """An item of the source."""

    key: bytes
    place: Place
    updated: int


class Dated(NamedTuple):
    """An item on its way: what to put, and when it was created and changed."""

    op: PutOp
    created: int
    updated: int


class ItemMover:
    """Moves the items of a store.

    Args:
        source: Where they are.
        target: The store that takes them.
        prefix: What their keys begin with, without the colon.
        vector_prefix: What the keys of their vectors begin with.
        dry_run: Read everything, write nothing.
    """

    def __init__(
        self, source: Connection, target: AgentMemoryStore, *, prefix: str, vector_prefix: str, dry_run: bool
    ) -> None:
        self._source, self._target, self._dry_run = source, target, dry_run
        self._prefix, self._vector_prefix = f"{prefix}:", f"{vector_prefix}:"
        self._with_vector: set[bytes] = set()

    async def move(self, on_progress: Progress | None) -> Outcome:
        """Move all items, those that were changed last at the end, so that they are listed in the same order."""
        problems: list[str] = []
        stored = await self._find(problems)
        self._with_vector = {_ulid(key) for key in await keys_with(self._source, self._vector_prefix)}
        outcome = Outcome(len({each.place[0] for each in stored}), len(stored) + len(problems), problems=problems)
        nowhere = [each for each in stored if not all(each.place[0])]
        outcome.problems += [
            _problem(each.place, CorruptDataError("its namespace has an empty label")) for each in nowhere
        ]
        stored = [each for each in stored if all(each.place[0])]
        for start in range(0, len(stored), PAGE):
            page = stored[start : start + PAGE]
            await self._move_page(page, outcome)
            if on_progress:
                on_progress(start + len(page), len(stored))
        return outcome

    async def _find(self, problems: list[str]) -> list[Stored]:
        newest: dict[Place, Stored] = {}
        keys = await keys_with(self._source, self._prefix)
        async for key, (labels, name, updated) in fields_of(self._source, keys, "prefix", "key", "updated_at"):
            if isinstance(labels, str) and name is not None:
                place = tuple(_ESCAPED.sub(r"\1", labels).split(".")), str(name)
                try:
                    each = Stored(key, place, _moment(updated or 0))
                except UNREADABLE as error:
                    problems.append(_problem(place, error))
                    continue
                if place not in newest or newest[place].updated < each.updated:  # two, where two wrote at once
                    newest[place] = each
        return sorted(newest.values(), key=lambda each: each.updated)

    async def _move_page(self, page: Sequence[Stored], outcome: Outcome) -> None:
        there = cast("list[Item | None]", await self._target.abatch([GetOp(*each.place, False) for each in page]))
        wanted = [each for each, item in zip(page, there, strict=True) if item is None or _is_older(item, each.updated)]
        outcome.kept += len(page) - len(wanted)
        documents = await read(self._source, [each.key for each in wanted])
        puts: list[Dated] = []
        for each, (text, seconds) in zip(wanted, documents, strict=True):
            try:
                puts += self._puts(each, text, seconds)
            except UNREADABLE as error:
                outcome.problems.append(_problem(each.place, error))
        await self._put(puts, outcome)

    def _puts(self, stored: Stored, text: bytes | None, seconds: float | None) -> list[Dated]:
        if text is None:  # expired since
            return []
        document = json.loads(text)
        indexed = not self._with_vector or _ulid(stored.key) in self._with_vector
        ttl = None if seconds is None else seconds / 60
        op = PutOp(*stored.place, _value(document["value"]), None if indexed else False, ttl)
        return [Dated(op, _moment(document["created_at"]), stored.updated)]

    async def _put(self, puts: Sequence[Dated], outcome: Outcome) -> None:
        if puts and not self._dry_run:
            try:
                await self._target.abatch([put.op for put in puts])
            except ValueError as error:  # nothing was written; alone, all but the one at fault will be
                if len(puts) == 1:
                    outcome.problems.append(_problem((puts[0].op.namespace, puts[0].op.key), error))
                    return
                for put in puts:
                    await self._put([put], outcome)
                return
            keys = [self._target.keys.item(put.op.namespace, put.op.key) for put in puts]
            dates = [_DATE([key], [put.created, put.updated]) for key, put in zip(keys, puts, strict=True)]
            await self._target.connection.send(*dates)
        outcome.moved += len(puts)


def _problem(place: Place, error: Exception) -> str:
    return f"{_named(place)}: {type(error).__name__}: {error}"


def _named(place: Place) -> str:
    return f"item {place[1]!r} of {'.'.join(place[0])!r}"


def _value(stored: Any) -> dict[str, Any]:
    if isinstance(stored, dict) and stored.keys() == _WRAPPED:
        kind, data = stored["__serde_type__"], stored["__serde_data__"]
        stored = json.loads(data) if kind == "json" else TheirSerializer().loads_typed((kind, bytes.fromhex(data)))
    if not isinstance(stored, dict):
        raise CorruptDataError(f"its value is no object but {type(stored).__name__}")
    json.dumps(stored)  # a TypeError where it holds what JSON cannot
    return stored


def _moment(stored: Any) -> int:
    """A time of theirs, if it is one."""
    microseconds = int(stored)
    if from_time(to_time(microseconds)) != microseconds:  # it is beyond the calendar
        raise OverflowError("a time beyond the calendar")
    return microseconds


def _is_older(item: Item, updated: int) -> bool:
    return from_time(item.updated_at) < updated


def _ulid(key: bytes) -> bytes:
    return key.rpartition(b":")[2]
