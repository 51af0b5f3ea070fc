"""Exports and imports: nothing is lost, no users are merged, nothing that is there changes."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.transfer import Entry, from_lines, write_entry
from tests.conftest import Do

ANNA, BOB, ALL = Scope("anna"), Scope("b.o%b"), Scope()


def told(memories: list[Memory]) -> list[Any]:
    return [(each.version, each.text, each.superseded_by, each.valid_to, each.supersedes) for each in memories]


async def test_users_stay_apart(bank: MemoryBank, do: Do) -> None:
    for scope in (ANNA, BOB):
        await do(bank.remember, Memory(text="I like tea", id="tea", state="drink", value="tea"), scope)
    await do(bank.facts.set, BOB, "diet", "vegan")
    lines = list(await do(bank.export, ALL))
    backup = Scope(namespace=("backup",))
    assert [each.outcome for each in await do(bank.import_, lines, backup)] == ["added", "added"]
    assert [each.namespace for each in await do(bank.list, backup)] == [
        ("backup", *scope.path[1:]) for scope in (BOB, ANNA)
    ]
    copy = Scope(BOB.user, ("backup",))
    assert {name: fact.value for name, fact in (await do(bank.facts.all, copy)).items()} == {
        "diet": "vegan",
        "drink": "tea",
    }
    assert await do(bank.count, ALL) == 2


async def test_what_was_travels_too(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value=""), ANNA))[0].id
    await do(bank.correct, made, "Anna lives in Oslo", ANNA, value={"city": "Oslo"})
    gone = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
    held = datetime.now(UTC)
    await do(bank.retire, gone, ANNA)
    await do(bank.facts.set, ANNA, "diet", "vegan", source=Source(thread_id="t"))
    await do(bank.facts.delete, ANNA, "diet")
    lines = list(await do(bank.export, ANNA))
    assert len(lines) == 3  # a memory, one that is past, and a fact that no memory stands for
    outcomes = [(each.id, each.outcome) for each in await do(bank.import_, lines, BOB)]
    assert outcomes == [(made, "added"), (gone, "retired")]
    for name in (made, gone):
        assert told(await do(bank.history, name, BOB)) == told(await do(bank.history, name, ANNA))
    for name in ("home", "diet"):
        assert await do(bank.facts.history, BOB, name) == await do(bank.facts.history, ANNA, name)
    then = await do(bank.recall, "What does Anna like?", BOB, as_of=held)
    assert "Anna likes tea" in [each.memory.text for each in then]
    assert (await do(bank.undo, made, BOB)).text == "Anna lives in Rome"
    assert (await do(bank.undo, gone, BOB)).text == "Anna likes tea"


async def test_an_old_export_changes_nothing_that_is_there(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    await do(bank.remember, "Anna likes tea", ANNA)
    lines = list(await do(bank.export, ANNA))
    await do(bank.remember, Memory(text="Anna lives in Oslo", state="home", value="Oslo"), ANNA)
    before = await do(bank.list, ANNA), await do(bank.facts.history, ANNA, "home"), await do(bank.history, made, ANNA)
    assert {each.outcome for each in await do(bank.import_, lines, ANNA)} == {"kept"}
    assert before == (
        await do(bank.list, ANNA),
        await do(bank.facts.history, ANNA, "home"),
        await do(bank.history, made, ANNA),
    )
    await do(bank.remember, Memory(text="Bob lives in Bergen", state="home", value="Bergen"), BOB)
    await do(bank.import_, lines, BOB)
    assert (await do(bank.facts.get, BOB, "home")).value == "Bergen"
    assert sorted(each.text for each in await do(bank.list, BOB)) == ["Anna likes tea", "Bob lives in Bergen"]


@pytest.mark.parametrize("corrected", [False, True])
async def test_an_old_export_brings_nothing_back_that_has_ended(bank: MemoryBank, do: Do, corrected: bool) -> None:
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    lines = list(await do(bank.export, ANNA))
    if corrected:
        await do(bank.correct, made, "Anna lives in Oslo", ANNA, value="Oslo")
    await do(bank.retire, made, ANNA)
    before = told(await do(bank.history, made, ANNA))
    assert [(each.id, each.outcome) for each in await do(bank.import_, lines, ANNA)] == [(made, "kept")]
    assert await do(bank.list, ANNA) == []
    assert await do(bank.facts.all, ANNA) == {}
    assert told(await do(bank.history, made, ANNA)) == before


@pytest.mark.parametrize("erase", [False, True])
async def test_an_export_brings_back_what_was_forgotten(bank: MemoryBank, do: Do, erase: bool) -> None:
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    lines = list(await do(bank.export, ANNA))
    await do(bank.forget, ANNA, [made], erase=erase)
    assert [(each.id, each.outcome) for each in await do(bank.import_, lines, ANNA)] == [(made, "added")]
    assert (await do(bank.facts.get, ANNA, "home")).value == "Rome"


async def test_what_was_over_when_it_was_said_is_no_fact_elsewhere(bank: MemoryBank, do: Do) -> None:
    over = Memory(text="Anna lived in Rome", state="home", value="Rome", valid_to=datetime(2022, 1, 1, tzinfo=UTC))
    await do(bank.remember, over, ANNA)
    await do(bank.import_, list(await do(bank.export, ANNA)), BOB)
    assert await do(bank.facts.all, BOB) == {}
    assert [each.text for each in await do(bank.list, BOB)] == [over.text]


async def test_what_is_nearly_the_same_is_not_lost(bank: MemoryBank, do: Do) -> None:
    one, other = (each.id for each in await do(bank.remember, ["Anna plays the cello", "Bob sails"], ANNA))
    await do(bank.correct, other, "Anna plays - the cello", ANNA)  # a correction is taken at its word
    assert [each.outcome for each in await do(bank.import_, await do(bank.export, ANNA), BOB)] == ["added", "added"]
    assert {each.id for each in await do(bank.list, BOB)} == {one, other}


async def test_progress_counts_memories(bank: MemoryBank, do: Do) -> None:
    for scope in (ANNA, BOB):
        await do(bank.remember, ["Anna plays the cello", "Bob sails"], scope)
    seen: list[tuple[int, int]] = []
    await do(
        bank.import_,
        await do(bank.export, ALL),
        Scope(namespace=("copy",)),
        on_progress=lambda done, of: seen.append((done, of)),
    )
    assert seen == [(2, 4), (4, 4)]


def test_a_line_and_back() -> None:
    now = datetime.now(UTC)
    memory = Memory(
        text="Anna is vegan",
        id="x",
        state="diet",
        value="",
        metadata={"a": [1, None]},
        source=Source(thread_id="t", message_ids=("m",)),
        created=now,
        accesses=(now, now),
        version=2,
    )
    past = Memory(text="Anna is an omnivore", id="x", superseded=True, superseded_by="x@2", valid_to=now)
    facts = (Fact("diet", None, 2, now, memory_id="x"), Fact("diet", 0, 1, now, now, None, Source(session="s")))
    entry = Entry(("b", "c"), memory, (past,), facts)
    assert list(from_lines([write_entry(entry), "", write_entry(Entry(facts=facts))])) == [entry, Entry(facts=facts)]


@pytest.mark.parametrize(
    "line",
    [
        "nonsense",
        "[]",
        "3",
        json.dumps({"kind": "x"}),
        json.dumps({"text": "x", "below": "anna"}),
        json.dumps({"text": "x", "below": ["a.b"]}),
        json.dumps({"text": "x", "created": "yesterday"}),
        json.dumps({"text": "x", "history": [{"kind": "x"}]}),
        json.dumps({"facts": [{"name": "x"}]}),
    ],
)
async def test_a_file_with_a_wrong_line_is_refused_whole(bank: MemoryBank, do: Do, line: str) -> None:
    with pytest.raises(InvalidInputError, match="line 2"):
        await do(bank.import_, [json.dumps({"text": "fine"}), line], ANNA)
    assert await do(bank.count, ANNA) == 0


async def test_what_was_stored_long_ago_does_not_end_an_export(bank: MemoryBank, do: Do) -> None:
    deep = "[" * 500 + "]" * 500
    stored = {"deep": deep, "half": r'"\ud800"', "number": '{"a": [NaN, -Infinity, 1e999]}', "diet": '"végan"'}
    fields = [part for name, text in stored.items() for part in (name, f"1 1000 - {text}")]
    await bank.store.connection.send(("HSET", bank.store.keys.facts(ANNA.path), *fields))
    lines = list(await do(bank.export, ANNA))
    for line in lines:
        line.encode()
        json.loads(line, parse_constant=pytest.fail)
    assert "végan" in lines[1]
    await do(bank.import_, lines, BOB)
    taken = {name: fact.value for name, fact in (await do(bank.facts.all, BOB)).items()}
    assert json.dumps(taken.pop("deep")) == deep
    assert taken == {"half": "\ud800", "number": {"a": ["NaN", "-Infinity", "Infinity"]}, "diet": "végan"}


def test_a_line_of_another_program_is_named() -> None:
    for line in ("[" * 100_000, '{"text": "x", "importance": NaN}'):
        with pytest.raises(InvalidInputError, match=r"^line 2: it is not an exported memory"):
            list(from_lines(["", line]))
