"""Two ways of looking in one pipeline: what is found does not depend on what was guessed."""

from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, cast

import pytest

from langchain_agentmem.longterm import legs as module
from langchain_agentmem.longterm.counts import Counts
from langchain_agentmem.longterm.features import Corpus
from langchain_agentmem.longterm.index import ItemIndex
from langchain_agentmem.longterm.legs import Found, Legs
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.search import Query, VectorField
from tests.conftest import Do
from tests.longterm.conftest import Trips

KEYS = Keys("agentmem", "legs")
ALL = Query().tagged("n", "l")


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def index(request: pytest.FixtureRequest, search: Connection, search_url: str) -> Iterator[ItemIndex]:
    """An empty index, in one of the two protocols."""
    with Connection(search_url, protocol=request.param) as connection:
        made = ItemIndex(connection, KEYS, VectorField(2))
        assert run(made.usable())
        yield made


def store(search: Connection, *texts: str, tag: str = "l") -> None:
    run(
        search.send(
            *(
                ("HSET", f"{KEYS.item_prefix}{tag}{i}", "n", tag, "t", text, "v", text, "x", vector(1, i))
                for i, text in enumerate(texts)
            )
        )
    )


def legs(index: ItemIndex, *words: str, counts: Counts | None = None, **more: Any) -> Legs:
    asked: dict[str, Any] = {"vector": vector(1, 0), "pool": 2, "fields": ("v",), "measured": True} | more
    return Legs(index, counts or Counts(), query=ALL, scope=ALL, words=words, **asked)


def texts(found: Found) -> list[str]:
    return [fields[0].decode() for _, fields, _, _ in found.hits if fields[0]]


def test_each_memory_once_nearest_first_with_the_vectors_of_those_that_words_found(
    index: ItemIndex, search: Connection
) -> None:
    store(search, "red car", "red", "blue", "blue car", "green")
    found = run(legs(index, "car", "yellow").look([("PING",)]))
    assert [str(each) for each in found.heard] in (["True"], ["b'PONG'"])
    assert texts(found) == ["red car", "red", "blue car"]
    distances, vectors = zip(*((distance, own) for _, _, distance, own in found.hits), strict=True)
    assert [distance is None for distance in distances] == [False, False, True]
    assert vectors == (None, None, vector(1, 3))
    assert (found.corpus.documents, dict(found.corpus.frequencies)) == (5, {"car": 2, "yellow": 0})
    unmeasured = run(legs(index, "car", measured=False).look())
    assert unmeasured.hits[2][2:] == (None, None)
    assert texts(run(legs(index, "car", vector=None).look())) == ["red car", "blue car"]
    assert texts(run(legs(index).look())) == ["red car", "red"]
    assert texts(run(legs(index, vector=None).look())) == []


def test_what_most_hold_finds_nothing_by_itself(index: ItemIndex, search: Connection) -> None:
    store(search, "bob", "bob tea", *["anna"] * 5, "anna cello")
    assert texts(run(legs(index, "anna", "cello").look())) == ["bob", "bob tea", "anna cello"]
    assert texts(run(legs(index, "anna", "unknown").look()))[2:] == ["anna", "anna"]  # better than nothing
    assert len(texts(run(legs(index, "anna", "cello", pool=8).look()))) == 8  # a small scope is in the pool anyway
    by_words = run(legs(index, "anna", "cello", vector=None, pool=7).look())
    assert sorted(texts(by_words)) == ["anna"] * 5 + ["anna cello"]  # without vectors all words find


def test_of_a_large_scope_a_word_finds_that_not_many_hold_or_else_the_rarest(
    index: ItemIndex, search: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(search, *["tea"] * 4, *["cake"] * 3, "jam", *["bread"] * 22)
    assert module._COMMON * 30 > 4  # none is too common for a scope of this size
    found = {}
    for many in (4, 3, 2):
        monkeypatch.setattr(module, "_MANY", many)
        looking = legs(index, "tea", "cake", "jam" if many > 2 else "unknown", pool=8, vector=vector(0, 1))
        found[many] = [text for text in texts(run(looking.look())) if text != "bread"]  # those are the nearest
    assert {many: sorted(texts) for many, texts in found.items()} == {
        4: ["cake"] * 3 + ["jam"] + ["tea"] * 4,
        3: ["cake"] * 3 + ["jam"],
        2: ["cake"] * 3,
    }


async def test_a_wrong_guess_costs_a_trip_and_changes_nothing(
    search: Connection, do: Do, trips: Trips, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("langchain_agentmem.longterm.counts._PER_DOCUMENT", 0.0)  # known for no time, but remembered
    made = ItemIndex(search, KEYS, VectorField(2))
    assert await made.usable()
    store(search, "bob", "bob tea", *["anna"] * 5, "anna cello")
    counts = Counts()

    class Looking:
        """Both colours of a look."""

        async def alook(self) -> Found:
            return await legs(made, "anna", "cello", counts=counts).look()

        def look(self) -> Found:
            return run(self.alook())

    trips.taken()
    first = await do(Looking().look)
    assert trips.taken() == 2  # it could not know that most say "anna"
    assert texts(await do(Looking().look)) == texts(first)
    assert trips.taken() == 1
    store(search, *["bob"] * 40, tag="l")  # now few say "anna", of whom one remains
    run(search.send(*(("HSET", f"{KEYS.item_prefix}m{i}", "n", "l", "t", "anna", "v", "anna") for i in range(3))))
    later = await do(Looking().look)
    assert texts(later)[2:] == ["anna", "anna"]
    assert later.corpus.frequencies == {"anna": 3, "cello": 0}


def test_one_way_of_comparing_vectors_finds_what_the_other_finds(index: ItemIndex, search: Connection) -> None:
    rng = random.Random(3)
    store(search, *(rng.choice(["red", "blue", "red car"]) for _ in range(300)))
    store(search, *["red"] * 200, tag="o")
    counts = Counts()
    sparse = run(legs(index, "car", counts=counts, pool=20).look())
    asked = legs(index, "car", counts=counts, pool=20)
    assert "HYBRID_POLICY BATCHES" in str(asked._nearest()[0])  # now it is known how much of the index the scope is
    dense = run(asked.look())
    assert [key for key, *_ in dense.hits] == [key for key, *_ in sparse.hits]
    graph = ItemIndex(index._redis, KEYS, VectorField(2, algorithm="hnsw"))
    assert "HYBRID_POLICY" not in str(legs(graph, "car", counts=counts, pool=20)._nearest()[0])


def test_counts_that_are_forgotten_on_the_way_still_count(index: ItemIndex, search: Connection) -> None:
    store(search, *["zebra"] * 20, "walrus")
    counts = Counts()
    told = run(legs(index, "walrus", "zebra", counts=counts).look()).corpus

    class Forgetful:
        """An index during whose answer another thread's recall empties what is known."""

        name, flat = index.name, index.flat

        async def ask(self, commands: Any) -> Any:
            counts._noted.clear()
            return await index.ask(commands)

    again = run(
        replace(legs(index, "walrus", "zebra", counts=counts), index=cast("ItemIndex", Forgetful())).look()
    ).corpus
    assert again == told == Corpus(21, {"walrus": 1, "zebra": 20})


def test_counts_that_are_known_are_not_made(
    index: ItemIndex, search: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store(search, "red car", "red")
    counts, ask = Counts(), index.ask
    sent: list[int] = []

    async def listening(commands: Any) -> Any:
        sent.append(sum("KNN" not in str(command[2]) and command[3:6] == ("LIMIT", 0, 0) for command in commands))
        return await ask(commands)

    monkeypatch.setattr(index, "ask", listening)
    asked = legs(index, "car", "red", counts=counts)
    assert run(asked.look()).corpus == Corpus(2, {"car": 1, "red": 2})
    counts.note(ALL, 9)
    counts.note(ALL.worded("t", "red"), 8)
    monkeypatch.setattr(counts, "known", counts.last)  # however long ago they were noted
    assert run(asked.look()).corpus == Corpus(9, {"car": 1, "red": 8})
    assert sent == [4, 0]  # of everything, of the scope, and of each word
