"""Changes to memories by their id: what a retirement, a reinforcement and an undo do; and what versions say of it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import EMBEDDER

ANNA = Scope("anna")
DIET = Memory(text="Anna is vegan", state="diet", value="vegan")


async def facts(bank: MemoryBank, do: Do) -> dict[str, Any]:
    return {name: fact.value for name, fact in (await do(bank.facts.all, ANNA)).items()}


# --- by id


async def test_what_is_retired_is_past(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, [DIET, "Anna plays the cello"], ANNA))[0].id
    held = datetime.now(UTC)
    done = await do(bank.retire, made, ANNA)
    assert (done.id, done.outcome, done.version) == (made, "retired", 1)
    assert await do(bank.get, made, ANNA) is None
    assert await do(bank.count, ANNA) == 1
    assert await facts(bank, do) == {}
    assert [fact.value for fact in await do(bank.facts.history, ANNA, "diet")] == ["vegan"]
    (past,) = await do(bank.history, made, ANNA)
    assert past.superseded
    assert held < past.valid_to <= datetime.now(UTC)
    assert "Anna is vegan" not in [each.memory.text for each in await do(bank.recall, "Is Anna vegan?", ANNA)]
    then = await do(bank.recall, "Is Anna vegan?", ANNA, as_of=held)
    assert then[0].memory.text == "Anna is vegan"
    with pytest.raises(InvalidInputError, match="no memory"):
        await do(bank.retire, made, ANNA)
    back = await do(bank.undo, made, ANNA)
    assert (back.text, back.valid_to) == ("Anna is vegan", None)
    assert await facts(bank, do) == {"diet": "vegan"}


async def test_a_retirement_may_say_until_when(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    told = Memory(text="Anna lives in Rome", valid_from=now - timedelta(days=30))
    made = (await do(bank.remember, told, ANNA))[0].id
    moved = now - timedelta(days=10)
    await do(bank.retire, made, ANNA, at=moved)
    assert (await do(bank.history, made, ANNA))[0].valid_to == moved
    assert await do(bank.recall, "Where does Anna live?", ANNA, include_history=True)
    assert await do(bank.recall, "Where does Anna live?", ANNA, as_of=moved - timedelta(days=1))
    assert await do(bank.recall, "Where does Anna live?", ANNA, as_of=moved + timedelta(days=1)) == []


async def test_what_is_reinforced_gains(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, "Anna plays the cello", ANNA))[0].id
    said = Source(thread_id="t2", message_ids=("m",))
    done = await do(bank.reinforce, made, ANNA, source=said)
    now = await do(bank.get, made, ANNA)
    assert (done.outcome, done.version) == ("reinforced", 1)
    assert (now.hits, now.confidence, now.sources) == (2, pytest.approx(0.625), (said,))
    with pytest.raises(InvalidInputError, match="no memory"):
        await do(bank.reinforce, "nobody", ANNA)


# --- undo


async def test_undo_goes_back_step_by_step(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, "Anna is 30", ANNA))[0].id
    await do(bank.remember, "anna is 30", ANNA)
    await do(bank.correct, made, "Anna is 31", ANNA)
    await do(bank.correct, made, "Anna is 32", ANNA)
    await do(bank.reinforce, made, ANNA, source=Source(thread_id="t"))
    await do(bank.forget, ANNA, [made])
    found = [await do(bank.undo, made, ANNA) for _ in range(6)]
    assert [each and (each.text, each.hits, len(each.sources)) for each in found] == [
        ("Anna is 32", 2, 1),
        ("Anna is 32", 1, 0),
        ("Anna is 31", 1, 0),
        ("Anna is 30", 2, 0),
        ("Anna is 30", 1, 0),
        None,
    ]
    assert (await do(bank.remember, "Anna is 30", ANNA))[0].outcome == "reinforced"
    assert await do(bank.count, ANNA) == 1


async def test_what_is_forgotten_comes_back_as_it_was(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    await do(bank.remember, Memory(text="Anna lives in Oslo", state="home", value="Oslo"), ANNA)
    await do(bank.pin, made, ANNA)
    history, facts_then = await do(bank.history, made, ANNA), await do(bank.facts.history, ANNA, "home")
    assert await do(bank.forget, ANNA, [made]) == [made]
    for more in ({}, {"include_history": True}, {"as_of": datetime.now(UTC)}):
        assert await do(bank.recall, "Where does Anna live?", ANNA, **more) == []
    assert await do(bank.history, made, ANNA) == await do(bank.facts.history, ANNA, "home") == []
    assert await do(bank.store.search, ANNA.path, query="Anna") == []
    assert (await do(bank.undo, made, ANNA)).text == "Anna lives in Oslo"
    assert await do(bank.history, made, ANNA) == history
    assert await do(bank.facts.history, ANNA, "home") == facts_then
    assert (await do(bank.recall, "Where does Anna live?", ANNA))[0].memory.id == made


async def test_a_memory_that_comes_back_puts_out_what_took_its_place(bank: MemoryBank, do: Do) -> None:
    rome = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    await do(bank.forget, ANNA, [rome])
    oslo = (await do(bank.remember, Memory(text="Anna lives in Oslo", state="home", value="Oslo"), ANNA))[0].id
    await do(bank.undo, rome, ANNA)
    assert [each.id for each in await do(bank.list, ANNA)] == [rome]
    assert await facts(bank, do) == {"home": "Rome"}
    assert (await do(bank.history, oslo, ANNA))[0].superseded_by == f"{rome}@1"
    await do(bank.undo, oslo, ANNA)
    assert [each.id for each in await do(bank.list, ANNA)] == [oslo]
    assert await facts(bank, do) == {"home": "Oslo"}


async def test_what_is_erased_does_not_come_back(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, DIET, ANNA))[0].id
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    await do(bank.facts.set, ANNA, "diet", "vegetarian")
    assert await do(bank.forget, ANNA, [made], erase=True) == [made]  # it was past already
    assert await do(bank.undo, made, ANNA) is None
    assert [each.value for each in await do(bank.facts.history, ANNA, "diet")] == ["vegetarian", "omnivore"]


async def test_with_no_time_to_undo_forgetting_erases(bank: MemoryBank, do: Do) -> None:
    strict = MemoryBank(bank.store, undo_ttl=0)
    made = (await do(strict.remember, DIET, ANNA))[0].id
    await do(strict.forget, ANNA, [made])
    assert await do(strict.undo, made, ANNA) is None


# --- versions


async def test_versions_name_each_other(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, DIET, ANNA))[0].id
    await do(bank.correct, made, "Anna is vegetarian", ANNA)
    now, before = await do(bank.history, made, ANNA)
    assert (now.supersedes, now.superseded_by) == (f"{made}@1", None)
    assert (before.supersedes, before.superseded_by) == (None, f"{made}@2")
    assert await do(bank.get, made, ANNA, version=1) == before
    assert await do(bank.get, made, ANNA, version=2) == now
    assert await do(bank.get, made, ANNA, version=3) is None
    again = await do(bank.remember, await do(bank.history, made, ANNA), Scope("bob"))
    assert [each.outcome for each in again] == ["added", "superseded"]  # of one state


async def test_a_new_memory_of_an_old_id_counts_on(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, Memory(text="Anna sails", id="x"), ANNA)
    await do(bank.retire, "x", ANNA)
    assert (await do(bank.remember, Memory(text="Anna rows", id="x"), ANNA))[0].version == 2
    await do(bank.correct, "x", "Anna swims", ANNA)
    assert [each.text for each in await do(bank.history, "x", ANNA)] == ["Anna swims", "Anna rows", "Anna sails"]


async def test_a_correction_into_what_another_says_leaves_one(bank: MemoryBank, do: Do) -> None:
    one, other = (each.id for each in await do(bank.remember, ["Anna is 30", "Anna is 31"], ANNA))
    await do(bank.correct, one, "Anna is 31.", ANNA)
    assert [each.id for each in await do(bank.list, ANNA)] == [one]
    assert (await do(bank.history, other, ANNA))[0].superseded_by == f"{one}@2"
    await do(bank.undo, one, ANNA)
    assert sorted(each.text for each in await do(bank.list, ANNA)) == ["Anna is 30", "Anna is 31"]


async def test_a_supersession_counts_from_when_it_is_so(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    moved = now - timedelta(days=3)
    rome = Memory(text="Anna lives in Rome", state="home", valid_from=now - timedelta(days=30))
    made = (await do(bank.remember, rome, ANNA))[0].id
    await do(bank.remember, Memory(text="Anna lives in Oslo", state="home", valid_from=moved), ANNA)
    assert (await do(bank.history, made, ANNA))[1].valid_to == moved
    assert (await do(bank.facts.get, ANNA, "home")).since == moved
    for moment, city in ((now - timedelta(days=9), "Rome"), (now - timedelta(days=1), "Oslo")):
        found = await do(bank.recall, "Where does Anna live?", ANNA, as_of=moment)
        assert [each.memory.text for each in found] == [f"Anna lives in {city}"]


async def test_an_event_of_another_day_is_another(bank: MemoryBank, do: Do) -> None:
    may = datetime(2024, 5, 7, 9, tzinfo=UTC)
    days = [may, may.replace(hour=0), may + timedelta(days=30), None]
    told = [Memory(text="Anna ran a race", kind="episodic", event_time=each) for each in days]
    done = await do(bank.remember, told, ANNA)
    assert [each.outcome for each in done] == ["added", "reinforced", "added", "added"]
    lasting = [Memory(text="Anna likes tea", event_time=each) for each in days]
    assert [each.outcome for each in await do(bank.remember, lasting, ANNA)] == ["added"] + ["reinforced"] * 3


async def test_the_last_eight_reinforcements_can_be_taken_back(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, "Anna plays the cello", ANNA))[0].id
    before = await do(bank.get, made, ANNA)
    for n in range(10):
        await do(bank.reinforce, made, ANNA, source=Source(thread_id=f"t{n}"))
    hits = [(each.hits, len(each.sources)) for each in [await do(bank.undo, made, ANNA) for _ in range(8)]]
    assert hits == [(n + 1, n) for n in range(9, 1, -1)]
    assert await do(bank.undo, made, ANNA) is None
    fresh = (await do(bank.remember, "Bob sails", ANNA))[0].id
    await do(bank.reinforce, fresh, ANNA, source=Source(thread_id="t"))
    again = await do(bank.undo, fresh, ANNA)
    assert (again.hits, again.confidence, again.sources) == (1, before.confidence, ())
    assert again.updated == again.created


async def test_why_a_memory_was_taken_so_is_said(bank: MemoryBank, do: Do) -> None:
    told = [
        Memory(text="Anna sails", id="x"),
        Memory(text="Anna rows", id="x"),
        Memory(text="Anna swims", supersedes="x"),
        DIET,
        Memory(text="Anna eats all", state="diet"),
        Memory(text="anna EATS all."),
    ]
    assert [each.reason for each in await do(bank.remember, told, ANNA)] == [
        "new",
        "its id was taken",
        "it supersedes x",
        "new",
        "state diet",
        "says exactly the same",
    ]
    lines = list(await do(bank.export, ANNA))
    assert {each.reason for each in await do(bank.import_, lines, ANNA)} == {"it is there already"}


async def test_what_is_pinned_stays_whatever_the_store_puts(server: Connection, do: Do) -> None:
    fields = ["text", "more"]  # a vector of each
    bank = MemoryBank(AgentMemoryStore(server, index={"dims": 256, "embed": EMBEDDER, "fields": fields}))
    made = (await do(bank.remember, "Anna is allergic to nuts", ANNA))[0].id
    await do(bank.pin, made, ANNA)
    await do(bank.store.put, ANNA.path, made, {"text": "Anna is allergic", "more": "to all nuts"}, ttl=0.001)
    await asyncio.sleep(0.1)
    assert [each.pinned for each in await do(bank.list, ANNA)] == [True]
    assert [hit.key for hit in await do(bank.store.search, ANNA.path, query="to all nuts")] == [made]
    assert await server.send(("EXISTS", f"{bank.store.keys.item(ANNA.path, made)}:x1")) == [1]
    await do(bank.pin, made, ANNA, False)
    await asyncio.sleep(0.1)
    assert await do(bank.list, ANNA) == []
    assert await do(bank.store.list_namespaces) == []


async def test_all_that_said_a_memory_travels(bank: MemoryBank, do: Do) -> None:
    said = tuple(Source(thread_id=f"t{n}") for n in range(3))
    made = (await do(bank.remember, Memory(text="Anna sails", source=said[0]), ANNA))[0].id
    for source in said[1:]:
        await do(bank.reinforce, made, ANNA, source=source)
    await do(bank.correct, made, "Anna rows", ANNA)
    there = Scope("bob")
    await do(bank.import_, list(await do(bank.export, ANNA)), there)
    assert (await do(bank.get, made, there)).sources == said[:1]  # the correction carries over what it comes from
    assert (await do(bank.get, made, there, version=1)).sources == said
    assert (await do(bank.undo, made, there)).sources == said
    await do(bank.import_, list(await do(bank.export, there)), Scope("cleo"))
    assert (await do(bank.get, made, Scope("cleo"))).sources == said
