from __future__ import annotations

import sys
from typing import Any

import pytest

from langchain_agentmem.longterm import pool
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import EMBEDDER, Trips

ANNA = Scope("anna")


async def test_accesses_are_counted_without_a_trip_of_their_own(bank: MemoryBank, do: Do, trips: Trips) -> None:
    made = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
    await do(bank.recall, "tea", ANNA)
    await do(bank.recall, "tea", ANNA)
    trips.taken()
    memory = await do(bank.get, made, ANNA)
    assert trips.taken() == 1
    assert (memory.access_count, len(memory.accesses)) == (1, 1)  # the second one came too soon to count
    assert memory.last_accessed == memory.accesses[0]
    eager = MemoryBank(bank.store, access_interval=0)
    for _ in range(12):
        await do(eager.recall, "tea", ANNA)
        await do(eager.flush)
    memory = await do(bank.get, made, ANNA)
    assert (memory.access_count, len(memory.accesses)) == (13, 8)


async def test_all_that_a_recall_finds_was_used_whatever_its_id_and_scope(bank: MemoryBank, do: Do) -> None:
    for name, count in (("ada", 60), ("bob:*", 2)):
        told = [Memory(text=f"Tea number {number}", id=f"{name} %:{number}") for number in range(count)]
        await do(bank.remember, told, Scope(name))
    everyone = Scope(None, ("memories",))
    found = await do(bank.recall, "tea", everyone, limit=100, pool=100)
    assert len(found) == 62
    await do(bank.forget, Scope("ada"), ["ada %:7"])  # what is gone does not come back
    await do(bank.flush)
    used = await do(bank.list, everyone, limit=100)
    assert [each.access_count for each in used] == [1] * 61


async def test_recall_and_remember_are_one_round_trip(search: Connection, do: Do, trips: Trips) -> None:
    bank = MemoryBank(AgentMemoryStore(search, index={"dims": 256, "embed": EMBEDDER}))
    await do(bank.remember, "Anna likes tea", ANNA)
    await do(bank.recall, "tea", ANNA)
    await do(bank.recall, "tea", ANNA)
    trips.taken()
    await do(bank.recall, "What does Anna like to drink?", ANNA)
    assert trips.taken() == 1
    await do(bank.remember, "Bob sails on Sundays", ANNA)
    assert trips.taken() == 1
    await do(bank.facts.all, ANNA)
    assert trips.taken() == 1


async def test_recall_among_many_takes_a_second_trip_and_finds_the_same(
    search: Connection, do: Do, trips: Trips, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = MemoryBank(AgentMemoryStore(search, index={"dims": 256, "embed": EMBEDDER}), duplicate_threshold=1.0)
    said = [
        Memory(text=f"Anna has {i} {thing}", importance=i / 25) for i in range(25) for thing in ("cats", "dogs", "owls")
    ]
    await do(bank.remember, said, ANNA)
    for asked in ("7 owls", "7 owls", "dogs"):  # what was recalled before weighs more
        await do(bank.recall, asked, ANNA)
        await do(bank.flush)
    trips.taken()
    found = await do(bank.recall, "Which owls and dogs does Anna have?", ANNA, explain=True)
    assert (len(found), trips.taken()) == (10, 2)
    assert await do(bank.recall, "quantum chromodynamics", ANNA) == []  # and of what is noise nothing is asked for
    assert trips.taken() == 1
    monkeypatch.setattr(pool, "_FEW", 1000)
    at_once = await do(bank.recall, "Which owls and dogs does Anna have?", ANNA, explain=True)
    assert trips.taken() == 1
    assert [each.memory.id for each in found] == [each.memory.id for each in at_once]
    assert [each.score for each in found] == pytest.approx([each.score for each in at_once], abs=1e-4)


async def test_a_recall_needs_no_numpy(search: Connection, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    index: Any = {"dims": 2, "embed": lambda texts: [[1.0, float(len(text))] for text in texts]}
    monkeypatch.setitem(sys.modules, "numpy", None)
    monkeypatch.setattr(pool, "find_spec", lambda name: None)
    bank = MemoryBank(AgentMemoryStore(search, index=index))
    await do(bank.remember, ["Anna likes tea", "Bob sails"], ANNA)
    found = await do(bank.recall, "Who likes tea?", ANNA, pool=1)
    assert found[0].memory.text == "Anna likes tea"


async def test_of_a_scope_not_seen_yet_all_is_read_at_once_only_where_the_index_is_small(
    search: Connection, do: Do, trips: Trips, monkeypatch: pytest.MonkeyPatch
) -> None:
    bank = MemoryBank(AgentMemoryStore(search, index={"dims": 256, "embed": EMBEDDER}))
    for name in ("anna", "bob", "eve"):
        await do(bank.remember, "Tea is hot", Scope(name))
    trips.taken()
    spent = []
    for name, many in (("anna", 1000), ("bob", 1000), ("eve", 2), ("eve", 2)):
        monkeypatch.setattr(pool, "_NOT_MANY", many)
        assert [each.memory.text for each in await do(bank.recall, "hot tea", Scope(name))] == ["Tea is hot"]
        spent.append(trips.taken())
    assert spent == [1, 1, 2, 1]  # the second time it is known how many eve has
