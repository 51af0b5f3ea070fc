"""What is known of a memory is asked for by its time alone, and what a recall answers does not depend on it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from langchain_agentmem.longterm import candidates, pool
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.candidates import Sayings
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.conftest import EMBEDDER, Trips

ANNA = Scope("anna")
QUESTIONS = ("Which owls and dogs does Anna have?", "7 owls", "Has Anna any cats?", "Anna", "quantum chromodynamics")


def bank_on(connection: Connection) -> MemoryBank:
    """A bank that knows nothing yet, as another process has."""
    return MemoryBank(AgentMemoryStore(connection, index={"dims": 256, "embed": EMBEDDER}), duplicate_threshold=1.0)


@pytest.fixture
def many(search: Connection, monkeypatch: pytest.MonkeyPatch) -> MemoryBank:
    """A bank whose scopes all count as large ones; of 75 memories of Anna's."""
    monkeypatch.setattr(pool, "_FEW", 0)
    monkeypatch.setattr(pool, "_NOT_MANY", -1)
    bank = bank_on(search)
    things = [(i, thing) for i in range(25) for thing in ("cats", "dogs", "owls")]
    bank.remember(
        [Memory(text=f"Anna has {i} {thing}", id=f"{thing}{i}", importance=i / 25) for i, thing in things], ANNA
    )
    return bank


def told(found: Any) -> list[tuple[Any, ...]]:
    return [(each.memory, pytest.approx(each.score, abs=1e-4)) for each in found]


@pytest.mark.parametrize("share", [1.0, -1.0], ids=["all that is relevant", "times alone"])
async def test_whatever_is_asked_for_the_answer_is_the_same(
    many: MemoryBank, search: Connection, do: Do, monkeypatch: pytest.MonkeyPatch, share: float
) -> None:
    monkeypatch.setattr(pool, "_MOSTLY", share)
    reading = [bank_on(search), many]  # one that knows nothing at first, and one that knows more and more
    monkeypatch.setattr(many._accesses, "note", lambda memories: None)
    for question in (*QUESTIONS, *QUESTIONS):
        monkeypatch.setattr(pool, "_FEW", 1000)
        at_once = await do(bank_on(search).recall, question, ANNA, pool=20)
        monkeypatch.setattr(pool, "_FEW", 0)
        for each in reading:
            monkeypatch.setattr(each._accesses, "note", lambda memories: None)
            assert told(await do(each.recall, question, ANNA, pool=20)) == told(at_once)


async def test_a_recall_of_what_is_known_is_two_trips(many: MemoryBank, do: Do, trips: Trips) -> None:
    for _ in range(2):  # the server learns the scripts
        await do(many.recall, "7 owls", ANNA)
    spent = []
    for _ in range(3):
        trips.taken()
        assert len(await do(many.recall, "7 owls", ANNA)) == 10
        spent.append(trips.taken())
    assert spent == [2, 2, 2]  # what comes into question is read whole, as its history may have changed


async def test_what_another_process_changed_is_seen(many: MemoryBank, search: Connection, do: Do) -> None:
    for _ in range(3):
        assert (await do(many.recall, "7 owls", ANNA))[0].memory.text == "Anna has 7 owls"
    other = bank_on(search)
    await do(other.correct, "owls7", "Anna sold her piano", ANNA)
    found = await do(many.recall, "Who sold a piano?", ANNA)
    assert (found[0].memory.text, found[0].memory.id) == ("Anna sold her piano", "owls7")
    assert "owls7" not in [each.memory.id for each in await do(many.recall, "7 owls", ANNA, limit=3)]
    await do(other.undo, "owls7", ANNA)
    assert (await do(many.recall, "7 owls", ANNA))[0].memory.text == "Anna has 7 owls"
    await do(other.forget, ANNA, ["owls7"])
    assert "owls7" not in [each.memory.id for each in await do(many.recall, "7 owls", ANNA)]


async def test_what_expired_makes_room_for_others(search: Connection, do: Do, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_FEW", 0)
    monkeypatch.setattr(pool, "_NOT_MANY", -1)
    monkeypatch.setattr(pool, "_MOSTLY", -1.0)
    bank = bank_on(search)
    soon = await do(bank.remember, [f"Anna has {i} owls" for i in range(5)], ANNA)
    await do(bank.remember, [f"Bob has {i} owls" for i in range(5)], ANNA)
    for _ in range(2):
        assert len(await do(bank.recall, "How many owls has Anna?", ANNA)) == 10
    # The server deletes what has expired when somebody opens it, or every now and then.
    keys = [bank.store.keys.item(bank._path(ANNA), each.id) for each in soon]
    run(search.send(*(("PEXPIRE", key, 1) for key in keys)))
    await asyncio.sleep(0.005)
    found = await do(bank.recall, "How many owls has Anna?", ANNA, limit=3)
    assert [each.memory.text[:3] for each in found] == ["Bob"] * 3


def fields(text: str, stamp: bytes | None = b"1") -> list[bytes | None]:
    return [stamp, f'{{"text": "{text}"}}'.encode(), text.encode(), None]


def test_what_a_memory_says_is_known_until_it_is_updated() -> None:
    sayings = Sayings()
    assert sayings.known("a", [b"1"]) is None
    read = sayings.read("a", fields("tea"), None)
    assert read is not None
    assert (read.said.text, list(read.said.terms)) == ("tea", ["tea"])
    assert sayings.known("a", [b"1"]) is sayings.known("a", [*fields("tea"), b"more"]) is read
    assert [sayings.known("a", [b"2"]), sayings.known("a", [None]), sayings.known("b", [b"1"])] == [None] * 3
    assert sayings.known("a", fields("an import brought its old time")) is None
    sayings.read("c", fields("coffee", None), None)
    assert sayings.known("c", [None]) is None  # another program left no time
    assert sayings.read("d", [b"1", None, None, None], None) is None  # it is gone
    seen = sayings.known("a", [b"1"], b"vector..")
    assert seen == read._replace(vector=b"vector..") == sayings.known("a", [b"1"])
    sayings.forget()
    assert sayings.known("a", [b"1"]) is None


def test_what_is_known_takes_no_more_room_than_it_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(candidates, "_ROOM", 4000)
    sayings = Sayings()
    long = "a" * (candidates._LONGEST_VALUE + 1)
    assert sayings.read("long", fields(long), None)
    assert sayings.known("long", [b"1"]) is None
    for key in "abcd":
        sayings.read(key, fields(key), None)
    assert [sayings.known(key, [b"1"]) is not None for key in "abcd"] == [False, False, False, True]
    sayings.known("d", [b"1"], bytes(3900))  # a vector takes room, too
    sayings.read("a", fields("a"), None)
    assert [sayings.known(key, [b"1"]) is not None for key in "ad"] == [True, False]


async def test_what_an_import_puts_back_is_read_anew(many: MemoryBank, do: Do) -> None:
    for _ in range(3):
        await do(many.recall, "7 owls", ANNA)
    lines = list(await do(many.export, ANNA))
    await do(many.forget, ANNA, ["owls7"], erase=True)
    assert many._recaller._pools._sayings._read == {}  # of what is erased nothing is kept
    redacted = [line.replace("Anna has 7 owls", "Anna has a piano") for line in lines if '"owls7"' in line]
    await do(many.import_, redacted, ANNA)
    found = await do(many.recall, "Who has a piano?", ANNA, explain=True)
    assert (found[0].memory.id, "lexical" in found[0].terms) == ("owls7", True)
