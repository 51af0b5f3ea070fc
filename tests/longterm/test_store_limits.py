"""A store at its limits: numbers without end, keys that are no texts, very many vectors, rows and words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langgraph.store.base import PutOp

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import DOCS, LETTERS

ANNA = Scope("anna")


@pytest.mark.parametrize(
    ("value", "where"),
    [
        ({"n": 10**400}, {"n": 10**400}),
        ({"n": 2**53 + 1}, {"n": {"$gt": 2**53}}),
        ({1: "a", None: {True: "b"}}, {"1": "a", "null": {"true": "b"}}),
    ],
)
async def test_a_filter_finds_what_json_made_of_a_value(
    store: AgentMemoryStore, do: Do, value: dict[Any, Any], where: dict[str, Any]
) -> None:
    await do(store.put, DOCS, "k", value)
    assert [item.key for item in await do(store.search, DOCS, filter=where)] == ["k"]
    with pytest.raises(InvalidInputError, match="filter"):
        await do(store.search, DOCS, filter={1: "a"})


@pytest.mark.parametrize("query", [None, "a"])
async def test_a_limit_may_be_larger_than_what_a_server_answers(
    store: AgentMemoryStore, do: Do, query: str | None
) -> None:
    await do(store.put, DOCS, "k", {"text": "a", "n": 1})
    for where in (None, {"n": {"$gt": 0}}):
        assert len(await do(store.search, DOCS, query=query, filter=where, limit=10**9)) == 1
        assert await do(store.search, DOCS, query=query, filter=where, limit=1, offset=10**9) == []


def test_an_item_of_thousands_of_vectors_is_replaced_whole(server: Connection) -> None:
    store = AgentMemoryStore(server, index={**LETTERS, "fields": ["parts[*]"]})
    store.put(DOCS, "k", {"parts": ["a" * (i % 7 + 1) for i in range(9000)]})
    store.put(DOCS, "k", {"parts": ["b"]})
    assert run(server.send(("KEYS", "*:item:*")))[0] == [store.keys.item(DOCS, "k").encode()]


async def test_one_batch_writes_items_of_any_number_of_vectors_and_any_time_to_live(server: Connection, do: Do) -> None:
    store = AgentMemoryStore(server, index={**LETTERS, "fields": ["parts[*]"]})
    parts: dict[str, list[str]] = {"none": [], "one": ["a"], "three": ["a", "b", "c"], "two": ["ab", "bc"]}
    for ttls in ((None, 60, None, 60), (60, None, 60, None)):
        ops = [PutOp(DOCS, k, {"parts": said}, ttl=ttl) for (k, said), ttl in zip(parts.items(), ttls, strict=True)]
        await do(store.batch, ops)
        assert {item.key: item.value["parts"] for item in await do(store.search, DOCS)} == parts
        near = [item.key for item in await do(store.search, DOCS, query="c")]
        assert (near[0], near[-1]) == ("three", "none")
        for name, ttl in zip(parts, ttls, strict=True):
            own = store.keys.item(DOCS, name)
            beside = [f"{own}:x{i}" for i in range(1, len(parts[name]))]
            left = await server.send(
                *(("TTL", key) for key in (own, *beside)), ("EXISTS", f"{own}:x{len(parts[name])}")
            )
            assert left == [-1 if ttl is None else 3600] * (1 + len(beside)) + [0]
        assert await server.send(("TTL", store.keys.items(DOCS))) == [-1]  # one of them never expires
        assert await do(store.list_namespaces) == [DOCS]


def test_a_memory_of_thousands_of_versions_is_forgotten(bank: MemoryBank) -> None:
    made = bank.remember("Anna has 1 point", ANNA)[0].id
    run(bank.store.connection.send(("HSET", bank.store.keys.known(ANNA.path), f"#{made}", 9000)))
    assert bank.forget(ANNA, [made]) == [made]
    assert bank.history(made, ANNA) == []


def test_a_page_of_words_is_a_query_like_any_other(bank: MemoryBank) -> None:
    bank.remember("Anna sells lemonade", ANNA)
    page = " ".join(f"word{i}" for i in range(15_000))
    assert bank.recall(page, ANNA) == []
    assert [each.memory.text for each in bank.recall(f"lemonade? {'lemonade, ' * 10_000}", ANNA)] == [
        "Anna sells lemonade"
    ]


async def test_namespaces_below_one_are_found_among_many_others(plain: Connection, do: Do) -> None:
    store = AgentMemoryStore(plain)
    family = [("u", "1"), ("u", "1", "a"), ("u", "1", "a:b"), ("u", "1", "\u00e9")]
    others = [("u",), ("u", "10"), ("u", "1:a"), ("u", "1 "), ("u", "1;"), ("u", "1-1"), ("v", "1", "a")]
    for namespace in (*family, *others):
        await do(store.put, namespace, "k", {"n": 1})
    await do(store.put, ("u", "1", "brief"), "k", {"n": 1}, ttl=0.001)
    await do(store.delete, ("u", "1", "a"), "k")
    family.remove(("u", "1", "a"))
    await asyncio.sleep(0.1)
    for _ in range(2):
        found = await do(store.search, ("u", "1"), limit=100)
        assert sorted(item.namespace for item in found) == family
        assert await do(store.list_namespaces, prefix=("u", "1")) == family
        run(plain.send(("DEL", store.keys.namespace_names())))  # as a server that evicts may


async def test_reads_go_on_where_the_server_refuses_writes(plain: Connection, do: Do) -> None:
    store, bank = AgentMemoryStore(plain), MemoryBank(AgentMemoryStore(plain, index=LETTERS))
    await do(store.put, ("u", "1"), "k", {"n": 1})
    await do(store.put, ("u", "1", "brief"), "k", {"n": 1}, ttl=0.001)
    await do(bank.remember, "abba", ANNA)
    await asyncio.sleep(0.1)
    run(plain.send(("CONFIG", "SET", "min-replicas-to-write", 1)))
    try:
        assert [item.namespace for item in await do(store.search, ("u",))] == [("u", "1")]
        assert await do(store.list_namespaces, prefix=("u",)) == [("u", "1")]
        assert [each.memory.text for each in await do(bank.recall, "abba", ANNA)] == ["abba"]
    finally:
        run(plain.send(("CONFIG", "SET", "min-replicas-to-write", 0)))
