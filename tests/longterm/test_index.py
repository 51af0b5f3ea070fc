from __future__ import annotations

from typing import Any

import pytest
from langgraph.store.base import PutOp

from langchain_agentmem.errors import ConfigurationError, IndexMismatchError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.vectors import VectorIndexConfig
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import DOCS, EMBEDDER, LETTERS, count_of_letters

ANNA = Scope("anna")


async def test_an_index_for_other_vectors_is_refused(search: Connection, do: Do) -> None:
    await do(AgentMemoryStore(search, index=LETTERS).put, DOCS, "a", {"text": "a"})
    others: list[VectorIndexConfig] = [{"dims": 4}, {"distance_type": "l2"}, {"dtype": "float16"}]
    for other in others:
        store = AgentMemoryStore(search, index=LETTERS | other)
        with pytest.raises(IndexMismatchError, match=r"3 dimensions, cosine.*prefix= or tenant="):
            await do(store.search, DOCS)
    await do(AgentMemoryStore(search, index={**LETTERS, "dims": 4}, tenant="other").search, DOCS)
    assert len(await do(AgentMemoryStore(search, index=LETTERS).search, DOCS, query="a")) == 1


async def test_without_an_index_vectors_of_another_embedder_are_told(plain: Connection, do: Do) -> None:
    wide = [0.0, 1.0, 1.0, 1.0]
    wider: VectorIndexConfig = {"dims": 4, "embed": lambda texts: [wide for _ in texts], "fields": ["text"]}
    bank, other = (MemoryBank(AgentMemoryStore(plain, index=index)) for index in (LETTERS, wider))
    await do(bank.remember, "a", ANNA)
    told = r"vectors of 3 dimensions lie in this scope.* set up for 4; use"
    for call in (other.remember, other.recall):
        with pytest.raises(IndexMismatchError, match=told):
            await do(call, "b", ANNA)
    with pytest.raises(IndexMismatchError, match=told):
        await do(other.store.search, ANNA.path, query="b")
    assert [each.memory.text for each in await do(bank.recall, "a", ANNA)] == ["a"]


@pytest.mark.parametrize("there", ["flat", "hnsw"])
async def test_how_it_compares_vectors_the_index_that_is_there_says(search: Connection, do: Do, there: Any) -> None:
    await do(AgentMemoryStore(search, index={**LETTERS, "algorithm": there}).put, DOCS, "a", {"text": "a"})
    for asked in ("flat", "hnsw"):
        store = AgentMemoryStore(search, index={**LETTERS, "algorithm": asked})
        assert len(await do(store.search, DOCS, query="a")) == 1
        assert store.index.flat is (there == "flat")


async def test_an_index_is_made_over_what_was_there(search: Connection, do: Do) -> None:
    bare = AgentMemoryStore(search)
    await do(bare.batch, [PutOp(DOCS, str(i), {"text": "a", "i": i}) for i in range(300)])
    embedding = AgentMemoryStore(search, index=LETTERS)
    await do(embedding.put, DOCS, "new", {"text": "a"})
    assert (await do(embedding.search, DOCS, query="a"))[0].key == "new"
    await search.send(("FT.DROPINDEX", embedding.index.name))
    for store in (embedding, bare):
        assert len(await do(store.search, DOCS, limit=400)) == 301
        assert len(await do(store.search, DOCS, filter={"i": 250})) == 1
    assert len(await do(AgentMemoryStore(search).search, DOCS, limit=400)) == 301


@pytest.mark.parametrize(
    "index",
    [
        {"embed": count_of_letters},
        {**LETTERS, "dims": 0},
        {**LETTERS, "distance_type": "manhattan"},
        {**LETTERS, "ef": 3},
    ],
)
def test_an_index_that_cannot_be_is_refused(index: Any) -> None:
    with pytest.raises(ConfigurationError, match="index: "):
        AgentMemoryStore("redis://localhost", index=index)


async def test_an_embedder_of_other_dimensions_is_named(server: Connection, do: Do) -> None:
    store = AgentMemoryStore(server, index={**LETTERS, "dims": 4})
    with pytest.raises(ConfigurationError, match=r"'dims' is 4.*vector of 3"):
        await do(store.put, DOCS, "a", {"text": "a"})


@pytest.mark.parametrize("gone", [("FLUSHALL",), ("FT.DROPINDEX", "agentmem:default:index")])
async def test_memories_are_taken_in_after_the_index_is_gone(search: Connection, do: Do, gone: Any) -> None:
    bank = MemoryBank(AgentMemoryStore(search, index={"dims": 256, "embed": EMBEDDER}))
    await do(bank.remember, "Anna likes tea", ANNA)
    await search.send(gone)
    made = await do(bank.remember, ["Anna likes tea", "Anna plays chess", "anna plays chess"], ANNA)
    assert [each.outcome for each in made[1:]] == ["added", "reinforced"]
    assert sorted((each.text, each.hits) for each in await do(bank.list, ANNA)) == [
        ("Anna likes tea", 1 if gone[0] == "FLUSHALL" else 2),
        ("Anna plays chess", 2),
    ]
    await search.send(gone)
    if gone[0] != "FLUSHALL":
        assert (await do(bank.correct, made[0].id, "Anna likes coffee", ANNA)).outcome == "superseded"
    assert (await do(bank.remember, "Anna rides a horse", ANNA))[0].outcome == "added"
    assert (await do(bank.recall, "What does Anna ride?", ANNA))[0].memory.text == "Anna rides a horse"
