from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import pytest
from langgraph.store.base import GetOp, InvalidNamespaceError, ListNamespacesOp, MatchCondition, PutOp, SearchOp

from langchain_agentmem.errors import (
    CorruptDataError,
    InvalidInputError,
    UnsupportedServerError,
)
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.vectors import VectorIndexConfig
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import DOCS, LETTERS


def texts(hits: list[Any]) -> list[str]:
    return [hit.value["text"] for hit in hits]


async def test_an_item_is_put_read_updated_and_deleted(store: AgentMemoryStore, do: Do) -> None:
    await do(store.put, DOCS, "a", {"text": "one", "n": [1, {"x": None}]})
    first = await do(store.get, DOCS, "a")
    await do(store.put, DOCS, "a", {"text": "two"})
    second = await do(store.get, DOCS, "a")
    assert first.value == {"text": "one", "n": [1, {"x": None}]}
    assert (second.namespace, second.key, second.value) == (DOCS, "a", {"text": "two"})
    assert second.created_at == first.created_at == first.updated_at < second.updated_at
    assert second.updated_at.utcoffset() is not None
    await do(store.delete, DOCS, "a")
    assert await do(store.get, DOCS, "a") is None
    assert await do(store.search, DOCS, query="two") == []


async def test_nothing_is_left_of_deleted_items(
    store: AgentMemoryStore, do: Do, keys: Callable[[], list[bytes]]
) -> None:
    await do(store.put, DOCS, "a", {"l": ["x", "y", "z"]}, index=["l[*]"])
    await do(store.put, DOCS, "a", {"l": ["x", "y"]}, index=["l[*]"])
    assert len([key for key in keys() if b":x" in key]) == 1
    await do(store.delete, DOCS, "a")
    assert keys() == []


async def test_a_batch_reads_before_it_writes_and_the_last_put_wins(store: AgentMemoryStore, do: Do) -> None:
    await do(store.put, DOCS, "a", {"text": "old"})
    found = await do(
        store.batch,
        [
            PutOp(DOCS, "a", {"text": "newer"}),
            GetOp(DOCS, "a"),
            SearchOp(DOCS),
            PutOp(DOCS, "a", {"text": "newest"}),
            ListNamespacesOp(),
            PutOp(("other",), "b", {}),
        ],
    )
    assert found[0] is found[3] is found[5] is None
    assert (found[1].value["text"], texts(found[2]), found[4]) == ("old", ["old"], [DOCS])
    assert (await do(store.get, DOCS, "a")).value == {"text": "newest"}


async def test_namespaces_match_by_whole_labels(store: AgentMemoryStore, do: Do) -> None:
    for namespace in [
        ("users", "1"),
        ("users", "10"),
        ("users", "1", "x"),
        ("us",),
        ("users", "ünï:{}*|,"),
        ("users", "1\n"),
    ]:
        await do(store.put, namespace, "k", {"text": "/".join(namespace)})

    async def under(*prefix: str, **more: Any) -> set[tuple[str, ...]]:
        return {hit.namespace for hit in await do(store.search, prefix, limit=50, **more)}

    assert (
        await under("users", "1") == await under("users", "1", query="users") == {("users", "1"), ("users", "1", "x")}
    )
    assert await under("users", "ünï:{}*|,") == {("users", "ünï:{}*|,")}
    assert await under("user") == set()
    assert len(await under()) == 6
    assert await do(store.get, ("users", "ünï:{}*|,"), "k") is not None


async def test_list_namespaces(store: AgentMemoryStore, do: Do) -> None:
    for namespace in [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("z",)]:
        await do(store.put, namespace, "k", {})

    async def listed(**more: Any) -> list[tuple[str, ...]]:
        found: list[tuple[str, ...]] = await do(store.list_namespaces, **more)
        return found

    assert await listed() == [("a", "b", "c"), ("a", "b", "d"), ("a", "x", "c"), ("z",)]
    assert await listed(prefix=("a", "*", "c")) == [("a", "b", "c"), ("a", "x", "c")]
    assert await listed(suffix=("*", "c")) == [("a", "b", "c"), ("a", "x", "c")]
    assert await listed(max_depth=2) == [("a", "b"), ("a", "x"), ("z",)]
    assert await listed(max_depth=2, offset=1, limit=1) == [("a", "x")]
    assert await listed(prefix=("a", "b", "c", "d")) == []
    await do(store.delete, ("z",), "k")
    assert ("z",) not in await listed()


@pytest.mark.parametrize("size", [3, 700])
@pytest.mark.parametrize("query", [None, "text"])
async def test_filters_are_exact_at_every_limit(server: Connection, do: Do, size: int, query: str | None) -> None:
    store = AgentMemoryStore(server, index=LETTERS)
    ops = [
        PutOp(DOCS, str(i), {"text": "a" * (i % 7 + 1), "n": i, "odd": bool(i % 2), "s": f"{i:03}"})
        for i in range(size)
    ]
    await do(store.batch, ops)

    async def found(filter: dict[str, Any], limit: int = 1000) -> set[int]:
        return {hit.value["n"] for hit in await do(store.search, DOCS, filter=filter, query=query, limit=limit)}

    assert await found({"n": 2}, limit=1) == await found({"n": {"$eq": 2.0}}, limit=1) == {2}
    assert await found({"n": {"$gte": size - 2}}, limit=2) == {size - 2, size - 1}
    assert await found({"n": {"$lt": 2, "$ne": 1}}) == {0}
    assert await found({"s": {"$lte": "001"}, "odd": True}) == {1}
    assert await found({"odd": False}) == set(range(0, size, 2))
    assert (
        await found({"s": {"$gt": 1}})
        == await found({"missing": {"$lt": 1}})
        == await found({"missing": None})
        == set()
    )
    assert await found({"missing": {"$ne": 1}}) == set(range(size))


@pytest.mark.parametrize("query", [None, "abc"])
async def test_pages_hold_every_item_once(server: Connection, do: Do, query: str | None) -> None:
    store = AgentMemoryStore(server, index=LETTERS)
    await do(store.batch, [PutOp(DOCS, str(i), {"text": "abc"}, index=None if i % 5 else False) for i in range(43)])
    for where in [{}, {"filter": {"text": {"$gte": "abc"}}}]:
        pages = [await do(store.search, DOCS, query=query, limit=10, offset=at, **where) for at in range(0, 60, 10)]
        seen = [hit.key for page in pages for hit in page]
        assert [len(page) for page in pages] == [10, 10, 10, 10, 3, 0]
        assert len(set(seen)) == 43
        assert query or seen == [str(i) for i in reversed(range(43))]


@pytest.mark.parametrize("fields", [["text"], ["text", "more"]])
async def test_pages_hold_every_item_once_where_many_are_equally_similar(
    server: Connection, do: Do, fields: list[str]
) -> None:
    store = AgentMemoryStore(server, index={**LETTERS, "fields": fields})
    texts = [{"text": "abcdefg"[: i % 7 + 1], "more": "abcdefghijk"[i % 11 :]} for i in range(120)]
    await do(store.batch, [PutOp((*DOCS, "xyz"[i % 3]), str(i), text) for i, text in enumerate(texts)])
    whole = await do(store.search, DOCS, query="abc", limit=200)
    pages = [await do(store.search, DOCS, query="abc", limit=10, offset=at) for at in range(0, 120, 10)]
    names = [(hit.namespace, hit.key) for hit in whole]
    assert len(set(names)) == 120
    assert names == [(hit.namespace, hit.key) for page in pages for hit in page]


async def test_limits_of_nothing_find_nothing(store: AgentMemoryStore, do: Do) -> None:
    await do(store.put, DOCS, "a", {"text": "x"})
    assert await do(store.search, DOCS, limit=0) == await do(store.search, DOCS, limit=0, query="x") == []


async def test_items_without_a_vector_are_found_where_neighbours_used_to_suffice(
    store: AgentMemoryStore, do: Do
) -> None:
    for key in "abc":
        await do(store.put, DOCS, key, {"text": key})
    await do(store.put, ("few",), "plain", {"text": "b"}, index=False)
    await do(store.put, ("few",), "near", {"text": "a"})
    for _ in range(10):
        assert len(await do(store.search, DOCS, query="a", limit=3)) == 3
    for _ in range(2):
        assert texts(await do(store.search, ("few",), query="a", limit=3)) == ["a", "b"]
    await do(store.put, DOCS, "c", {"text": "c"}, index=False)
    for _ in range(2):
        assert texts(await do(store.search, DOCS, query="a", limit=3)) == ["a", "b", "c"]


async def test_the_best_vector_of_an_item_counts_and_unindexed_items_come_last(server: Connection, do: Do) -> None:
    store = AgentMemoryStore(server, index=LETTERS)
    await do(store.put, DOCS, "many", {"l": ["aaa", "bbb"], "t": "c"}, index=["l[*]", "t"])
    await do(store.put, DOCS, "one", {"text": "ab"})
    await do(store.put, DOCS, "none", {"text": "b"}, index=False)
    for query in "abc":
        first = (await do(store.search, DOCS, query=query))[0]
        assert (first.key, first.score) == ("many", pytest.approx(1.0, abs=1e-5))
    hits = await do(store.search, DOCS, query="b")
    assert [(hit.key, hit.score and round(hit.score, 3)) for hit in hits] == [
        ("many", 1.0),
        ("one", 0.707),
        ("none", None),
    ]
    await do(store.put, DOCS, "many", {"l": ["aaa"]}, index=["l[*]"])
    assert (await do(store.search, DOCS, query="b"))[0].key == "one"
    assert len(await do(store.search, DOCS, query="b", filter={"text": "b"})) == 1


@pytest.mark.parametrize(("metric", "score"), [("cosine", 0.8), ("inner_product", 8.0), ("l2", -3.0)])
@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("algorithm", ["flat", "hnsw"])
async def test_scores_are_similarities(
    server: Connection, do: Do, metric: Any, score: float, dtype: Any, algorithm: Any
) -> None:
    options: VectorIndexConfig = {"distance_type": metric, "dtype": dtype, "algorithm": algorithm}
    store = AgentMemoryStore(server, index=LETTERS | options)
    await do(store.put, DOCS, "k", {"text": "aab"})  # (2, 1, 0)
    assert (await do(store.search, (), query="aabbbb"))[0].score == pytest.approx(score, abs=1e-3)  # (2, 4, 0)


async def test_items_expire_and_use_keeps_them(server: Connection, do: Do, keys: Callable[[], list[bytes]]) -> None:
    store = AgentMemoryStore(server, index=LETTERS, ttl={"default_ttl": 60, "refresh_on_read": True})
    await do(store.put, DOCS, "short", {"text": "a", "l": ["b", "c"]}, ttl=0.01, index=["text", "l[*]"])
    await do(store.put, ("kept",), "default", {"text": "b"})
    await do(store.put, ("kept",), "never", {"text": "c"}, ttl=None)
    key = store.keys.item
    left = await server.send(*(("PTTL", key(("kept",), name)) for name in ("default", "never")))
    assert 59 * 60_000 < left[0] <= 60 * 60_000
    assert left[1] == -1

    async def remaining() -> int:
        return int((await server.send(("PTTL", key(DOCS, "short"))))[0])

    await asyncio.sleep(0.3)
    before = await remaining()
    assert await do(store.get, DOCS, "short", refresh_ttl=False)
    assert await remaining() <= before
    assert await do(store.get, DOCS, "short")
    assert await remaining() > before
    await asyncio.sleep(0.2)
    assert len(await do(store.search, DOCS, query="c")) == 1
    assert await remaining() > before
    await asyncio.sleep(0.75)
    assert await do(store.get, DOCS, "short") is None
    assert await do(store.search, DOCS) == await do(store.search, DOCS, query="c") == []
    assert await do(store.list_namespaces) == [("kept",)]
    assert not [each for each in keys() if b"{docs}" in each]


async def test_putting_again_starts_or_ends_the_time_to_live(
    store: AgentMemoryStore, do: Do, server: Connection
) -> None:
    at = ("PTTL", store.keys.item(DOCS, "a"))
    await do(store.put, DOCS, "a", {"text": "a"}, ttl=1)
    assert (await server.send(at))[0] > 0
    await do(store.put, DOCS, "a", {"text": "b"})
    assert (await server.send(at))[0] == -1
    assert (await do(store.get, DOCS, "a")).value == {"text": "b"}


@pytest.mark.parametrize(
    ("op", "error"),
    [
        (PutOp((), "a", {}), InvalidInputError),
        (PutOp(("a.b",), "a", {}), InvalidNamespaceError),
        (PutOp(("",), "a", {}), InvalidNamespaceError),
        (GetOp(("a\0",), "a"), InvalidNamespaceError),
        (SearchOp((1,)), InvalidNamespaceError),  # type: ignore[arg-type]
        (ListNamespacesOp((MatchCondition("prefix", ("a.b",)),)), InvalidNamespaceError),
        (ListNamespacesOp((MatchCondition("infix", ("a",)),)), InvalidInputError),  # type: ignore[arg-type]
        (SearchOp(DOCS, {"a": {"$like": 1}}), InvalidInputError),
        (PutOp(DOCS, "a", {"x": object()}), InvalidInputError),
        (PutOp(DOCS, "a", {("x",): 1}), InvalidInputError),  # type: ignore[dict-item]
        (PutOp(DOCS, "a", {}, ttl=0), InvalidInputError),
        (PutOp(DOCS, "a", {}, ttl=float("nan")), InvalidInputError),
        ("op", InvalidInputError),
    ],
)
async def test_what_cannot_be_done_is_refused(store: AgentMemoryStore, do: Do, op: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        await do(store.batch, [PutOp(DOCS, "good", {}), op])
    assert await do(store.get, DOCS, "good") is None


async def test_concurrent_calls_share_the_way_and_fail_alone(store: AgentMemoryStore, trips: Any) -> None:
    asked: list[int] = []
    embeddings: Any = store.embeddings
    original = embeddings.func

    def counting(texts: list[str]) -> Any:
        asked.append(len(texts))
        return original(texts)

    embeddings.func = counting
    await store.aput(DOCS, "x", {"text": "first"})
    bad = store.aput(DOCS, "bad", {"x": object()})
    outcomes = await asyncio.gather(
        *(store.aput(DOCS, str(i), {"text": "a" * i + "b"}) for i in range(30)), bad, return_exceptions=True
    )
    assert [outcome for outcome in outcomes if outcome is not None] == [outcomes[-1]]
    assert isinstance(outcomes[-1], InvalidInputError)
    trips.taken()
    asked.clear()
    found = await asyncio.gather(*(store.asearch(DOCS, query="a" * (i % 10) + "b", limit=3) for i in range(30)))
    assert asked == [10]
    assert trips.taken() <= (1 if await store.index.usable() else 40)
    assert found[0] == found[10]
    assert found[0][0].value is not found[10][0].value


async def test_each_operation_is_one_round_trip(search: Connection, do: Do, trips: Any) -> None:
    store = AgentMemoryStore(search, index=LETTERS)
    await do(store.put, DOCS, "warm", {"text": "a"})  # the index is made, the server learns the scripts
    await do(store.get, DOCS, "warm")
    await do(store.list_namespaces)
    await do(store.delete, DOCS, "warm")

    async def cost(method: Any, *args: Any, **named: Any) -> int:
        trips.taken()
        await do(method, *args, **named)
        return int(trips.taken())

    assert await cost(store.put, DOCS, "a", {"text": "a", "n": 1}) == 1
    assert await cost(store.batch, [PutOp(DOCS, f"b{i}", {"text": "b", "n": i}) for i in range(100)]) == 1
    assert await cost(store.get, DOCS, "a") == 1
    assert await cost(store.search, DOCS, filter={"n": 1}) == 1
    assert await cost(store.search, DOCS, query="a", filter={"n": 1}) == 1
    assert await cost(store.search, (), query="a", limit=500) == 1
    assert await cost(store.list_namespaces) == 1
    assert await cost(store.delete, DOCS, "a") == 1


async def test_tenants_and_prefixes_do_not_meet(server: Connection, do: Do) -> None:
    stores = [AgentMemoryStore(server, index=LETTERS, prefix=p, tenant=t) for p in ("a", "b") for t in ("x", "y")]
    for i, store in enumerate(stores):
        await do(store.put, DOCS, "k", {"text": "abc"[: i + 1]})
    for i, store in enumerate(stores):
        assert texts(await do(store.search, (), query="a")) == texts(await do(store.search, ())) == ["abc"[: i + 1]]


async def test_without_search_a_query_has_a_limit(plain: Connection, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    store = AgentMemoryStore(plain, index=LETTERS, exact_search_limit=5)
    await do(store.batch, [PutOp(DOCS, str(i), {"text": "a", "i": i}) for i in range(6)])
    assert len(await do(store.search, DOCS, filter={"i": {"$gt": 2}})) == 3
    with pytest.raises(UnsupportedServerError, match="exact_search_limit=5"):
        await do(store.search, DOCS, query="a")
    await do(store.delete, DOCS, "0")
    assert len(await do(store.search, DOCS, query="a")) == 5
    monkeypatch.setattr("langchain_agentmem.longterm.exact.find_spec", lambda name: find_spec("no such module"))
    with pytest.raises(UnsupportedServerError, match="numpy"):
        await do(store.search, DOCS, query="a")


async def test_foreign_bytes_are_refused(store: AgentMemoryStore, do: Do, server: Connection) -> None:
    await do(store.put, DOCS, "a", {"text": "a"})
    await server.send(("HSET", store.keys.item(DOCS, "a"), "v", "no JSON"))
    with pytest.raises(CorruptDataError):
        await do(store.get, DOCS, "a")


async def test_values_keep_their_content(store: AgentMemoryStore, do: Do) -> None:
    value = {"text": "é😀\ud800\0", "big": 2**70, "f": 0.1, "": {"": []}, "n": None, "t": True}
    await do(store.put, DOCS, "k:{}/é\0", value)
    assert (await do(store.get, DOCS, "k:{}/é\0")).value == value
    assert (await do(store.search, DOCS))[0].key == "k:{}/é\0"


def test_a_store_opens_from_a_url_and_closes(plain_url: str) -> None:
    with AgentMemoryStore.from_conn_string(plain_url) as store:
        store.setup()
        assert store.start_ttl_sweeper().result() is store.stop_ttl_sweeper().result() is None
        assert store.sweep_ttl() == 0
        store.put(DOCS, "a", {})
        assert store.get(DOCS, "a")


async def test_what_other_stores_ask_to_await(plain: Connection) -> None:
    store = AgentMemoryStore(plain)
    await store.setup()
    await store.asetup()
    await store.start_ttl_sweeper()
    await store.stop_ttl_sweeper()
    assert await store.sweep_ttl() == 0


def test_a_store_runs_on_one_loop_after_another(store: AgentMemoryStore) -> None:
    async def story(key: str) -> int:
        await asyncio.gather(store.aput(DOCS, key, {"text": key}), store.aget(DOCS, key))
        return len(await store.asearch(DOCS, query=key))

    assert [asyncio.run(story(key)) for key in "abc"] == [1, 2, 3]
    assert len(store.search(DOCS)) == 3
    assert run(store.asearch(DOCS)) == store.search(DOCS)
