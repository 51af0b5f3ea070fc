"""How long what is remembered lives: by its kind, pinned, past, forgotten; and that nothing outlives its time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do

ANNA = Scope("anna")
EVENT = Memory(text="Anna ran a race", kind="episodic")
HOUR, DAY, YEAR = 3600, 86_400, 31_536_000  # s


@pytest.fixture
def brief(server: Connection) -> MemoryBank:
    """A bank whose episodic memories live for an hour, and what is forgotten for a day."""
    return MemoryBank(AgentMemoryStore(server), ttls={"episodic": HOUR}, history_ttl=YEAR, undo_ttl=DAY)


def left(bank: MemoryBank, *names: str) -> list[int]:
    """Seconds that keys have to live, rounded up to a minute; -1: for ever; -2: there is no such key."""
    found = run(bank.store.connection.send(*(("TTL", name) for name in names)))
    return [each if each < 0 else -(-each // 60) * 60 for each in found]


def item(bank: MemoryBank, name: str) -> str:
    return bank.store.keys.item(ANNA.path, name)


async def test_what_is_undone_lives_no_longer(brief: MemoryBank, do: Do) -> None:
    made = (await do(brief.remember, EVENT, ANNA))[0].id
    key = item(brief, made)
    changes: list[tuple[Any, tuple[Any, ...]]] = [
        (brief.correct, (made, "Anna ran two races", ANNA)),
        (brief.forget, (ANNA, [made])),
        (brief.retire, (made, ANNA)),
    ]
    for change, args in changes:
        await do(change, *args)
        await do(brief.undo, made, ANNA)
        assert left(brief, key) == [HOUR]
    assert left(brief, f"{key}:v1", f"{key}:v2") == [YEAR, YEAR]


async def test_what_is_pinned_does_not_expire(brief: MemoryBank, do: Do) -> None:
    pinned = Memory(text="Anna won a race", kind="episodic", pinned=True)
    made = [each.id for each in await do(brief.remember, [EVENT, pinned], ANNA)]
    where = [item(brief, each) for each in made]
    assert left(brief, *where) == [HOUR, -1]
    await do(brief.pin, made[0], ANNA)
    await do(brief.reinforce, made[0], ANNA)
    await do(brief.recall, "race", ANNA)
    await do(brief.flush)
    assert left(brief, *where, brief.store.keys.known(ANNA.path)) == [-1, -1, -1]
    for each in made:
        await do(brief.pin, each, ANNA, False)
    assert left(brief, *where) == [HOUR, HOUR]


async def test_when_a_fact_was_last_said_is_known_as_long_as_the_past(brief: MemoryBank, do: Do) -> None:
    known, race = brief.store.keys.known(ANNA.path), Memory(text="Anna ran", kind="episodic", state="race", value=1)
    await do(brief.remember, EVENT, ANNA)
    assert left(brief, known) == [HOUR]
    await do(brief.remember, race, ANNA)
    assert left(brief, known) == [YEAR]


async def test_what_is_known_of_the_past_lives_as_long(brief: MemoryBank, do: Do) -> None:
    known = brief.store.keys.known(ANNA.path)
    made = (await do(brief.remember, EVENT, ANNA))[0].id
    assert left(brief, known) == [HOUR]
    await do(brief.facts.set, ANNA, "diet", "vegan")
    await do(brief.facts.set, ANNA, "diet", "omnivore")
    await do(brief.correct, made, "Anna ran two races", ANNA)
    await do(brief.store.put, ANNA.path, "note", {"text": "x"}, ttl=1)
    await do(brief.remember, Memory(text="Anna swam", kind="episodic"), ANNA)
    assert left(brief, known) == [YEAR]
    assert left(brief, brief.store.keys.items(ANNA.path)) == [HOUR]


async def test_nothing_is_left_behind_for_ever(brief: MemoryBank, do: Do, keys: Any) -> None:
    one, two = await do(brief.remember, [EVENT, Memory(text="Anna likes tea", state="drink")], ANNA)
    await do(brief.correct, one.id, "Anna ran two races", ANNA)
    await do(brief.correct, two.id, "Anna likes coffee", ANNA)
    await do(brief.forget, ANNA, [two.id])
    await do(brief.remember, "Anna likes milk", ANNA, operation="o")
    await do(brief.retire, (await do(brief.list, ANNA, filter={"kind": "semantic"}))[0].id, ANNA)
    registries = (brief.store.keys.namespaces(), brief.store.keys.namespace_names())
    assert -1 not in left(brief, *(key.decode() for key in keys() if key.decode() not in registries))
    gone = [key.decode() for key in keys() if b":gone:" in key]
    assert left(brief, *gone) == [DAY] * 2


async def test_what_was_known_of_expired_memories_is_swept(server: Connection, do: Do) -> None:
    bank = MemoryBank(AgentMemoryStore(server), ttls={"episodic": 0.001})
    await do(bank.remember, "Anna likes tea", ANNA)  # which stays, and with it what lists it
    for sport in ("ran", "swam", "rode"):
        await do(bank.remember, [Memory(text=f"Anna {sport} {n} m", kind="episodic") for n in range(200)], ANNA)
        await asyncio.sleep(0.01)
    known = run(server.send(("HLEN", bank.store.keys.known(ANNA.path))))[0]
    assert known < 300  # of the 601 that there were
    assert [each.text for each in await do(bank.list, ANNA)] == ["Anna likes tea"]


async def test_answers_to_operations_expire(brief: MemoryBank, do: Do) -> None:
    await do(brief.remember, "Anna likes tea", ANNA, operation="o")
    await do(brief.facts.set, ANNA, "diet", "vegan")
    answers = run(brief.store.connection.send(("KEYS", "*:done:*")))[0]
    assert sorted(left(brief, *(key.decode() for key in answers))) == [120, DAY]
