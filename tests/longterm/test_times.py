"""What a memory's times do to it: which of two wins, what has ended, what was so before the present."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from tests.conftest import Do

ANNA = Scope("anna")
BOB = Scope("bob")


async def facts(bank: MemoryBank, do: Do) -> dict[str, Any]:
    return {name: fact.value for name, fact in (await do(bank.facts.all, ANNA)).items()}


async def texts(bank: MemoryBank, do: Do, query: str, **more: Any) -> list[str]:
    return sorted(each.memory.text for each in await do(bank.recall, query, ANNA, **more))


# --- the order of a list


async def test_of_one_list_the_last_of_a_state_wins(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, "Anna works at Acme in Oslo", ANNA)  # so near the first that the client must judge it
    jobs = [
        Memory(text="Anna in Oslo works at Acme", state="job", value="Acme"),
        Memory(text="Anna teaches at a school", state="job", value="school"),
        Memory(text="Anna has retired", state="job", value="none"),
    ]
    done = await do(bank.remember, jobs, ANNA)
    assert [each.outcome for each in done[1:]] == ["superseded", "superseded"]
    assert await facts(bank, do) == {"job": "none"}
    assert [each.text for each in await do(bank.list, ANNA) if each.state] == ["Anna has retired"]


async def test_of_one_list_the_last_of_an_id_wins(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, "Anna works at Acme in Oslo", ANNA)
    told = [
        Memory(text="Anna in Oslo works at Acme for 2 years", id="x"),
        Memory(text="Anna teaches at a school", id="x"),
        Memory(text="Anna has retired", supersedes="x"),
    ]
    await do(bank.remember, told, ANNA)
    assert (await do(bank.get, "x", ANNA)).text == "Anna has retired"
    assert [each.text for each in await do(bank.history, "x", ANNA)] == [each.text for each in reversed(told)]


# --- before 1970


async def test_what_is_so_since_before_1970_changes_as_anything_else(bank: MemoryBank, do: Do) -> None:
    born = datetime(1950, 1, 1, tzinfo=UTC)
    made = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", valid_from=born), ANNA))[0].id
    moved = born + timedelta(days=3000)
    oslo = Memory(text="Anna lives in Oslo", state="home", value="Oslo", valid_from=moved)
    assert (await do(bank.remember, oslo, ANNA))[0].id == made
    assert await do(bank.facts.set, ANNA, "home", "Bergen") == 3
    spans = [(fact.since, fact.until) for fact in await do(bank.facts.history, ANNA, "home")][1:]
    assert spans[1] == (born, moved)
    assert spans[0][0] == moved


async def test_what_is_so_since_before_1970_is_erased_whole(bank: MemoryBank, do: Do) -> None:
    born = datetime(1950, 1, 1, tzinfo=UTC)
    rome = Memory(text="Anna lives in Rome", state="home", value="Rome", valid_from=born)
    made = (await do(bank.remember, rome, ANNA))[0].id
    await do(bank.retire, made, ANNA, at=born + timedelta(days=3000))
    assert await do(bank.facts.history, ANNA, "home")
    back = await do(bank.undo, made, ANNA)
    assert back.text == "Anna lives in Rome"
    await do(bank.forget, ANNA, [made], erase=True)
    assert await do(bank.facts.all, ANNA) == {}
    assert await do(bank.facts.history, ANNA, "home") == []


async def test_what_was_changed_before_1970_elsewhere_can_be_taken_back(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, "Anna plays the cello", ANNA))[0].id
    now = (await do(bank.get, made, ANNA)).updated.isoformat()
    lines = [line.replace(now, "1950-01-01T00:00:00+00:00") for line in await do(bank.export, ANNA)]
    await do(bank.import_, lines, BOB)
    await do(bank.reinforce, made, BOB)
    back = await do(bank.undo, made, BOB)
    assert (back.hits, back.updated.year) == (1, 1950)


# --- what has ended


async def test_what_has_ended_and_is_so_again_is_recalled(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    began, ended, soon = (now + timedelta(days=days) for days in (-110, -100, 5))
    before = Memory(text="Anna is on vacation in Spain", valid_from=began, valid_to=ended)
    again = Memory(text="Anna is on vacation in Spain", valid_from=now - timedelta(days=1), valid_to=soon)
    made = (await do(bank.remember, before, ANNA))[0].id
    assert (await do(bank.remember, before, ANNA))[0].outcome == "reinforced"  # the same time again
    done = (await do(bank.remember, again, ANNA))[0]
    assert (done.id, done.outcome, done.reason) == (made, "superseded", "it is so again")
    assert (await do(bank.remember, again, ANNA))[0].outcome == "reinforced"
    assert await texts(bank, do, "Is Anna on vacation?") == ["Anna is on vacation in Spain"]
    assert [(each.valid_from, each.valid_to) for each in await do(bank.history, made, ANNA)] == [
        (again.valid_from, soon),
        (began, ended),
    ]
    for moment, count in ((began, 1), (ended, 0), (now, 1), (soon, 0)):
        assert len(await texts(bank, do, "Is Anna on vacation?", as_of=moment)) == count
    assert (await do(bank.undo, made, ANNA)).hits == 1
    assert (await do(bank.undo, made, ANNA)).valid_to == ended


async def test_a_state_that_has_ended_is_so_again(bank: MemoryBank, do: Do) -> None:
    ended = datetime.now(UTC) - timedelta(days=10)
    stay = Memory(text="Anna stays at the Ritz", state="stay", value="Ritz")
    made = (await do(bank.remember, replace(stay, valid_to=ended), ANNA))[0].id
    assert await facts(bank, do) == {}
    again = (await do(bank.remember, "Anna stays at the Ritz", ANNA))[0]
    assert (again.id, again.outcome, again.reason) == (made, "superseded", "it is so again")
    assert await facts(bank, do) == {}
    done = (await do(bank.remember, stay, ANNA))[0]
    assert (done.id, done.outcome) == (made, "superseded")
    assert await texts(bank, do, "Where does Anna stay?") == ["Anna stays at the Ritz"]
    assert await facts(bank, do) == {"stay": "Ritz"}


async def test_what_has_ended_is_nobodys_neighbour(bank: MemoryBank, do: Do) -> None:
    ended = datetime.now(UTC) - timedelta(days=10)
    await do(bank.remember, Memory(text="Anna, who is a nurse, is in Spain", valid_to=ended), ANNA)
    told = [
        Memory(text="Anna who is - a nurse - is in Spain", valid_to=ended),
        "Anna, who is the nurse, is in Spain",
        "Anna, who is a nurse, is in the Spain",
    ]
    done = await do(bank.remember, told, ANNA)
    assert [each.outcome for each in done] == ["added", "added", "reinforced"]
    assert await texts(bank, do, "Where is Anna?") == ["Anna, who is the nurse, is in Spain"]


# --- what was so before the present

OSLO = Memory(text="Anna lives in Oslo", state="home", value="Oslo", valid_from=datetime(2023, 1, 1, tzinfo=UTC))
ROME = Memory(
    text="Anna lived in Rome",
    state="home",
    value="Rome",
    valid_from=datetime(2019, 1, 1, tzinfo=UTC),
    valid_to=datetime(2022, 1, 1, tzinfo=UTC),
)


async def home(bank: MemoryBank, do: Do, **more: Any) -> list[str]:
    return await texts(bank, do, "Where does Anna live?", **more)


async def test_a_state_of_the_past_leaves_the_present_alone(bank: MemoryBank, do: Do) -> None:
    oslo, rome = (each.id for each in await do(bank.remember, [OSLO, ROME], ANNA))
    assert oslo != rome
    fact = await do(bank.facts.get, ANNA, "home")
    assert (fact.value, fact.memory_id, fact.version) == ("Oslo", oslo, 1)
    assert await home(bank, do) == ["Anna lives in Oslo"]
    assert await home(bank, do, include_history=True) == ["Anna lived in Rome", "Anna lives in Oslo"]
    for year, told in ((2018, []), (2020, [ROME.text]), (2022, []), (2024, [OSLO.text])):
        assert await home(bank, do, as_of=datetime(year, 6, 1, tzinfo=UTC)) == told
    assert (await do(bank.remember, ROME, ANNA))[0].outcome == "reinforced"
    await do(bank.import_, list(await do(bank.export, ANNA)), BOB)
    assert {each.id for each in await do(bank.list, BOB)} == {oslo, rome}
    await do(bank.forget, ANNA, [rome], erase=True)
    assert await facts(bank, do) == {"home": "Oslo"}
    assert await do(bank.undo, oslo, ANNA) is None


async def test_only_the_memory_that_a_fact_comes_from_ends_it(bank: MemoryBank, do: Do) -> None:
    await do(bank.facts.set, ANNA, "home", "Bergen")
    await do(bank.remember, ROME, ANNA)
    assert await facts(bank, do) == {"home": "Bergen"}
    oslo = (await do(bank.remember, OSLO, ANNA))[0].id
    for end in ({"id": oslo}, {"supersedes": oslo}):
        done = (await do(bank.remember, replace(ROME, text="Anna lived somewhere", **end), ANNA))[0]
        assert (done.id, done.outcome) == (oslo, "superseded")
        assert await facts(bank, do) == {}
        assert (await do(bank.facts.history, ANNA, "home"))[0].value == "Oslo"
        await do(bank.undo, oslo, ANNA)
        assert await facts(bank, do) == {"home": "Oslo"}


async def test_a_state_that_has_ended_is_no_fact(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    stay = Memory(text="Anna is in hospital", state="place", value="hospital", valid_from=now - timedelta(days=5))
    over = replace(stay, valid_to=now - timedelta(days=1))
    for _ in range(2):
        await do(bank.remember, over, ANNA)
        assert await facts(bank, do) == {}
        assert await texts(bank, do, "Where is Anna?") == []
        assert await texts(bank, do, "Where is Anna?", as_of=now - timedelta(days=2)) == [stay.text]
        await do(bank.remember, stay, ANNA)
        assert await facts(bank, do) == {"place": "hospital"}


async def test_a_state_to_come_is_refused(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, OSLO, ANNA)
    now = datetime.now(UTC)
    soon = replace(OSLO, text="Anna lives in Bergen", value="Bergen", valid_from=now + timedelta(days=30))
    with pytest.raises(InvalidInputError, match=r"^valid_from: .*event_time"):
        await do(bank.remember, soon, ANNA)
    assert await facts(bank, do) == {"home": "Oslo"}
    assert await home(bank, do) == ["Anna lives in Oslo"]
    await do(bank.remember, replace(soon, valid_from=(now + timedelta(seconds=5)).replace(tzinfo=None)), ANNA)
    assert await facts(bank, do) == {"home": "Bergen"}
    await do(bank.remember, Memory(text="Anna moves to Rome", valid_from=now + timedelta(days=30)), ANNA)


async def test_a_retirement_to_come_is_refused(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, OSLO, ANNA))[0].id
    now = datetime.now(UTC)
    with pytest.raises(InvalidInputError, match=r"^at: .*future"):
        await do(bank.retire, made, ANNA, at=now + timedelta(days=9))
    assert await facts(bank, do) == {"home": "Oslo"}
    await do(bank.retire, made, ANNA, at=now + timedelta(seconds=5))
    assert await facts(bank, do) == {}


async def test_nothing_ends_before_it_begins(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, OSLO, ANNA))[0].id
    await do(bank.remember, replace(ROME, valid_to=None), ANNA)
    since = OSLO.valid_from
    assert [(each.valid_from, each.valid_to) for each in await do(bank.history, made, ANNA)][1] == (since, since)
    assert [(each.since, each.until) for each in await do(bank.facts.history, ANNA, "home")][1] == (since, since)
    await do(bank.retire, made, ANNA, at=datetime(2018, 1, 1, tzinfo=UTC))
    assert (await do(bank.history, made, ANNA))[0].valid_to == ROME.valid_from
