from __future__ import annotations

import struct
from typing import Any

import pytest
import redis
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.wire import search as module
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.search import IndexInfo, Query, Row, VectorField

FIELD = VectorField(2)
FIELDS: list[module.Command] = [("n", "TAG"), ("t", "TEXT", "NOSTEM"), ("u", "NUMERIC", "SORTABLE"), FIELD.schema("x")]


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def ask(request: pytest.FixtureRequest, search: Connection, search_url: str) -> Any:
    """Sends one command to a server with three documents, in one of the two protocols."""
    run(
        search.send(
            module.create("i", "d:", FIELDS),
            ("HSET", "d:1", "n", "a,b", "t", "red car", "u", 1, "x", vector(1, 0)),
            ("HSET", "d:2", "n", "b", "t", "red red red bike bike", "u", 2, "x", vector(0, 1)),
            ("HSET", "d:3", "n", "c|d", "t", "blue car", "u", 3),
        )
    )
    with Connection(search_url, protocol=request.param) as connection:
        yield lambda command: run(connection.send(command))[0]


def keys(reply: Any) -> list[str]:
    return [row.key for row in module.rows(reply)]


def test_listings_counts_and_pages(ask: Any) -> None:
    everything = module.listing("i", Query(), ("u", "t"), offset=0, limit=10, sort="u")
    assert module.rows(ask(everything))[0] == Row("d:3", {"u": b"3", "t": b"blue car"})
    assert keys(ask(module.listing("i", Query(), ("u",), offset=1, limit=1, sort="u", ascending=True))) == ["d:2"]
    assert module.total(ask(module.count("i", Query()))) == 3
    assert module.total(ask(module.count("i", Query().tagged("n", "nobody")))) == 0


def test_queries_say_what_must_be(ask: Any) -> None:
    def found(query: Query) -> set[str]:
        return set(keys(ask(module.listing("i", query, ("u",), offset=0, limit=10, sort="u"))))

    assert found(Query().tagged("n", "b")) == {"d:1", "d:2"}
    assert found(Query().tagged("n", "a", "c|d")) == {"d:1", "d:3"}
    assert found(Query().tagged("n", "c")) == set()
    assert found(Query().within("u", 2)) == {"d:2", "d:3"}
    assert found(Query().within("u", 2, 2).tagged("n", "b")) == {"d:2"}
    assert found(Query().outside("u", high=1)) == {"d:2", "d:3"}
    assert found(Query().worded("t", "car")) == {"d:1", "d:3"}


def test_words_rank_what_holds_any_of_them(ask: Any) -> None:
    def ranked(query: Query, *words: str, finding: list[str]) -> list[str]:
        return keys(ask(module.ranked("i", query.favouring("t", words, finding), ("t",), limit=5)))

    scope = Query().tagged("n", "a", "b")
    assert ranked(scope, "red", "bike", "unknown", finding=["red", "bike", "unknown"]) == ["d:2", "d:1"]
    assert ranked(scope, "red", "bike", finding=["bike"]) == ["d:2"]
    assert ranked(Query(), "bike", "blue", finding=["bike", "blue"]) == ["d:2", "d:3"]
    assert ranked(Query(), "unknown", finding=["unknown"]) == []


def test_neighbours_come_nearest_first(ask: Any) -> None:
    def near(query: Query, k: int) -> list[tuple[str, float]]:
        reply = ask(module.nearest("i", query, ("u",), vector=vector(0, 2), name="x", k=k))
        return [(row.key, round(FIELD.similarity(row.distance), 3)) for row in module.rows(reply)]

    assert near(Query(), 5) == [("d:2", 1.0), ("d:1", 0.0)]
    assert near(Query(), 1) == [("d:2", 1.0)]
    assert near(Query().tagged("n", "a"), 5) == [("d:1", 0.0)]


def test_an_index_tells_its_vectors(ask: Any) -> None:
    info = IndexInfo.read(ask(module.info("i")))
    assert (info.vector, info.busy, info.documents) == (FIELD, False, 3)
    ask(module.create("plain", "p:", FIELDS[:1]))
    assert IndexInfo.read(ask(module.info("plain"))).vector is None
    graph = VectorField(3, "inner_product", "hnsw", "float16")
    ask(module.alter("plain", graph.schema("x")))
    assert IndexInfo.read(ask(module.info("plain"))).vector == graph


@given(st.text(), st.text(max_size=3))
def test_nothing_but_letters_and_digits_stands_bare(text: str, more: str) -> None:
    escaped = module.escape(text)
    bare = escaped.replace("\\\\", "")
    assert all(char.isalnum() or (i and bare[i - 1] == "\\") for i, char in enumerate(bare) if char != "\\"), escaped
    assert text == more or module.escape(more) != escaped


@pytest.mark.parametrize(
    "text", ["a|b", "}", "{x}", "@n:{b}", "*", "-a", "a b", "é|ü", "(", '"', "~", "$v", "\\", "a\\|b"]
)
def test_any_text_is_one_tag(search: Connection, text: str) -> None:
    run(search.send(module.create("i", "d:", FIELDS), ("HSET", "d:1", "n", text), ("HSET", "d:2", "n", "b")))
    found = run(search.send(module.count("i", Query().tagged("n", text))))[0]
    assert module.total(found) == 1


def test_a_document_that_expired_is_said_to_be_gone() -> None:
    assert [row.gone for row in module.rows([2, b"d:1", None, b"d:2", [b"u", b"1"]])] == [True, False]
    assert module.rows({b"total_results": 1, b"results": [{b"id": b"d:1"}]})[0].gone
    assert Row("d:1", {module.DISTANCE: b"0.1"}).gone


@pytest.mark.parametrize(("metric", "similarity"), [("cosine", 0.75), ("inner_product", 0.75), ("l2", -0.5)])
def test_distances_become_similarities(metric: Any, similarity: float) -> None:
    assert VectorField(1, metric).similarity(0.25) == similarity


def test_stop_words_ahead_do_not_harm_the_server(search: Connection, search_url: str) -> None:
    run(search.send(module.create("i", "d:", FIELDS), ("HSET", "d:1", "n", "a", "t", "is a the group")))
    words = ["is", "a", "the", "group"]
    query = Query().tagged("n", "a").favouring("t", words, words)
    assert keys(run(search.send(module.ranked("i", query, ("t",), limit=5)))[0]) == ["d:1"]
    with redis.Redis.from_url(search_url) as client:
        assert client.ping()
