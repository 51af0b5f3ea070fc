"""Searches among items that are all equally similar: each is found once, and few are read for it."""

from __future__ import annotations

from typing import Any

import pytest
from langgraph.store.base import PutOp

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import DOCS, LETTERS
from tests.trips import watch_trips

NUMBER = 700


async def filled(server: Connection, do: Do, **options: Any) -> AgentMemoryStore:
    index: Any = {**LETTERS, "fields": ["text", "more"], **options}
    store = AgentMemoryStore(server, index=index)
    values = [{"text": "ab", "more": "ab" * (i % 3), "n": i % 7, "kind": "xy"[i % 2]} for i in range(NUMBER)]
    await do(store.batch, [PutOp(DOCS, f"{i:03}", value) for i, value in enumerate(values)])
    return store


@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
async def test_pages_of_what_passes_a_filter(search: Connection, do: Do, algorithm: str) -> None:
    store = await filled(search, do, algorithm=algorithm)
    names = [f"{i:03}" for i in range(NUMBER)]
    by_filter: list[tuple[Any, list[str]]] = [
        (None, names),
        ({"kind": "x"}, names[::2]),
        ({"n": {"$gt": 4}}, [name for name in names if int(name) % 7 > 4]),
    ]
    for wanted, expected in by_filter:
        pages = [await do(store.search, DOCS, query="ab", filter=wanted, limit=90, offset=n) for n in range(0, 720, 90)]
        assert [hit.key for page in pages for hit in page] == expected


async def test_what_is_gone_leaves_no_gap(search: Connection, do: Do) -> None:
    store = await filled(search, do)
    for i in range(0, 40, 2):  # as if it expired while it is found
        run(search.send(("HDEL", store.keys.item(DOCS, f"{i:03}"), items.VALUE)))
    await do(store.delete, DOCS, "001")
    found = await do(store.search, DOCS, query="ab", limit=30)
    assert [hit.key for hit in found] == [f"{i:03}" for i in [*range(3, 40, 2), *range(40, 51)]]
    assert len({hit.score for hit in found}) == 1


async def test_few_are_read(search: Connection, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    store, asked = await filled(search, do), list[Any]()
    watch_trips(monkeypatch, asked.extend)
    assert [hit.key for hit in await do(store.search, DOCS, query="ab", limit=3)] == ["000", "001", "002"]
    near = [each for each in asked if each[0] == "FT.SEARCH" and "KNN" in each[2]]
    assert [each[each.index("RETURN") + 1] for each in near] == [1 + len(items.READ), 1, 1]
    assert sum(each[0] == "HMGET" for each in asked) <= 3
