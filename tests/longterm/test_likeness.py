"""What stands beside a text makes another memory of the same words: another hour, other data."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.likeness import identity
from langchain_agentmem.longterm.record import Memory, Scope
from tests.conftest import Do

ANNA = Scope("anna")
NINE = datetime(2026, 12, 24, 9, tzinfo=UTC)
DAY = NINE.replace(hour=0)


def meeting(when: datetime, text: str = "Meeting with Kim", **more: Any) -> Memory:
    return Memory(text=text, kind="episodic", event_time=when, **more)


@pytest.mark.parametrize("text", ["Meeting with Kim", "Meeting - with Kim"])
@pytest.mark.parametrize(
    ("when", "outcome"),
    [
        (NINE.replace(hour=15), "added"),
        (NINE, "reinforced"),
        (NINE.astimezone(timezone(timedelta(hours=2))), "reinforced"),
        (DAY, "reinforced"),  # no hour is known
        (DAY + timedelta(days=1), "added"),
    ],
)
async def test_an_event_of_another_hour(bank: MemoryBank, do: Do, text: str, when: datetime, outcome: str) -> None:
    await do(bank.remember, meeting(NINE), ANNA)
    done = (await do(bank.remember, meeting(when, text), ANNA))[0]
    assert done.outcome == outcome
    if when.hour == 15:
        assert done.reason.endswith("differs in time: 15:00 / 09:00)")
    assert (await do(bank.remember, meeting(NINE), ANNA))[0].outcome == "reinforced"


async def test_when_it_was_said_is_no_hour(bank: MemoryBank, do: Do) -> None:
    said = [NINE.replace(year=2025, hour=hour) for hour in (9, 15)]
    for each in said:
        await do(bank.remember, meeting(each, valid_from=each), ANNA)
    assert [each.hits for each in await do(bank.list, ANNA)] == [2]
    assert (await do(bank.remember, meeting(said[0].replace(hour=12)), ANNA))[0].outcome == "reinforced"


@pytest.mark.parametrize("text", ["Flat A", "the Flat A"])
async def test_other_data(bank: MemoryBank, do: Do, text: str) -> None:
    flat: list[Memory] = [Memory(text="Flat A", data={"rent": 900, "rooms": (1, 2)})]
    made = (await do(bank.remember, flat, ANNA))[0].id
    dearer = (await do(bank.remember, Memory(text=text, data={"rent": 1200}), ANNA))[0]
    assert (dearer.outcome, dearer.reason) == ("added", f"new ({made} differs in data)")
    again = Memory(text="Flat A", data={"rooms": [1, 2], "rent": 900})
    assert [(each.id, each.outcome) for each in await do(bank.remember, again, ANNA)] == [(made, "reinforced")]
    assert sorted(each.data["rent"] for each in await do(bank.list, ANNA)) == [900, 1200]
    assert (await do(bank.remember, Memory(text="Flat A"), ANNA))[0].outcome == "reinforced"


@pytest.mark.parametrize("text", ["Flat A", "the Flat A"])
async def test_data_that_is_told_later_is_kept(bank: MemoryBank, do: Do, text: str) -> None:
    made = (await do(bank.remember, Memory(text="Flat A"), ANNA))[0].id
    told = Memory(text=text, data={"rent": 900})
    fuller = (await do(bank.remember, told, ANNA))[0]
    assert (fuller.id, fuller.outcome, fuller.version) == (made, "superseded", 2)
    assert fuller.reason == "it holds data that was missing"
    assert [(await do(bank.remember, each, ANNA))[0].outcome for each in (told, Memory(text=text))] == [
        "reinforced"
    ] * 2
    assert [each.data for each in await do(bank.history, made, ANNA)] == [{"rent": 900}, {}]
    assert (await do(bank.remember, Memory(text=text, data={"rent": 1200}), ANNA))[0].outcome == "added"


async def test_data_told_beside_a_fact_leaves_the_fact(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, Memory(text="Anna lives in flat A", state="flat", value="A"), ANNA)
    told = Memory(text="Anna lives in flat A", data={"rent": 900})
    assert [(await do(bank.remember, told, ANNA))[0].outcome for _ in range(2)] == ["added", "reinforced"]
    assert (await do(bank.facts.all, ANNA))["flat"].value == "A"


async def test_data_of_the_past_changes_nothing_of_the_present(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, Memory(text="Flat A"), ANNA)
    told = Memory(text="Flat A", data={"rent": 900}, valid_to=datetime.now(UTC) - timedelta(days=1))
    assert (await do(bank.remember, told, ANNA))[0].outcome == "reinforced"
    assert [each.data for each in await do(bank.list, ANNA)] == [{}]


async def test_data_told_twice_at_once_is_kept_twice(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, Memory(text="Flat A"), ANNA)
    told = [Memory(text=text, data={"rent": rent}) for rent in (900, 1200) for text in ("Flat A", "the Flat A")]
    outcomes = [each.outcome for each in await do(bank.remember, told, ANNA)]
    assert outcomes == ["superseded", "reinforced", "added", "reinforced"]
    assert sorted(each.data["rent"] for each in await do(bank.list, ANNA)) == [900, 1200]


async def test_a_state_of_the_same_value_takes_its_new_data(bank: MemoryBank, do: Do) -> None:
    told = [Memory(text="Anna lives in flat A", state="flat", value="A", data={"rent": rent}) for rent in (900, 1200)]
    assert [each.outcome for each in await do(bank.remember, told, ANNA)] == ["added", "superseded"]
    assert [each.data for each in await do(bank.list, ANNA)] == [{"rent": 1200}]


def test_keys_of_data_may_be_no_texts() -> None:
    odd: dict[Any, int] = {1: 2, "a": 3}
    assert identity(Memory(text="Flat A", data=odd)) == identity(Memory(text="Flat A", data={"a": 3, "1": 2}))
