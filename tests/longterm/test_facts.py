from __future__ import annotations

import re
from typing import Any

import pytest

from langchain_agentmem.errors import CorruptDataError, InvalidInputError, VersionConflictError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from tests.conftest import Do

ANNA = Scope("anna")
DIET = Memory(text="Anna is vegan", state="diet", value="vegan")


async def facts(bank: MemoryBank, do: Do) -> dict[str, Any]:
    return {name: fact.value for name, fact in (await do(bank.facts.all, ANNA)).items()}


async def test_facts_are_versioned(bank: MemoryBank, do: Do) -> None:
    assert await do(bank.facts.set, ANNA, "diet", "vegan", expected_version=0) == 1
    assert await do(bank.facts.set, ANNA, "diet", "vegan") == 1
    assert await do(bank.facts.set, ANNA, "diet", {"kind": "vegetarian", "à": [1]}, expected_version=1) == 2
    with pytest.raises(VersionConflictError, match="version 2, not 1"):
        await do(bank.facts.set, ANNA, "diet", "omnivore", expected_version=1)
    now, before = await do(bank.facts.history, ANNA, "diet")
    assert (now.value, now.version, now.until) == ({"kind": "vegetarian", "à": [1]}, 2, None)
    assert (before.value, before.version, before.until) == ("vegan", 1, now.since)
    await do(bank.facts.set, ANNA, "a b:{}", None)
    assert list(await do(bank.facts.all, ANNA)) == ["a b:{}", "diet"]
    assert await do(bank.facts.delete, ANNA, "diet")
    assert not await do(bank.facts.delete, ANNA, "diet")
    assert await do(bank.facts.get, ANNA, "diet") is None
    assert [fact.version for fact in await do(bank.facts.history, ANNA, "diet")] == [2, 1]
    assert await do(bank.facts.set, ANNA, "diet", "new") == 3
    assert await do(bank.facts.all, Scope("bob")) == {}


async def test_a_fact_and_its_memory_change_together(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna is vegan", state="diet", value="vegan"), ANNA))[0].id
    assert (await do(bank.facts.get, ANNA, "diet")).memory_id == made
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    assert await do(bank.recall, "Is Anna vegan?", ANNA) == []
    assert await do(bank.store.get, ANNA.path, made) is None
    assert [each.superseded for each in await do(bank.history, made, ANNA)] == [True]
    again = (await do(bank.remember, Memory(text="Anna is vegan", state="diet", value="vegan"), ANNA))[0]
    assert again.outcome == "added"
    await do(bank.facts.delete, ANNA, "diet")
    assert await do(bank.count, ANNA) == 0


async def test_a_fact_goes_when_the_store_has_its_memory_say_something_else(bank: MemoryBank, do: Do) -> None:
    values: list[Any] = ["vegan", {"no": ["meat", 1.5], "à": None}, None]
    for version, value in enumerate(values, 1):
        made = (await do(bank.remember, Memory(text="Anna is vegan", state="diet", value=value), ANNA))[0].id
        item = await do(bank.store.get, ANNA.path, made)
        await do(bank.store.put, ANNA.path, made, item.value | {"topics": ["food"]})
        assert (await do(bank.facts.get, ANNA, "diet")).memory_id == made
        other = {"text": "Anna eats all"} | ({} if version == 1 else {"state": "diet", "value": {"no": []}})
        await do(bank.store.put, ANNA.path, made, other)
        assert await do(bank.facts.all, ANNA) == {}
        assert (await do(bank.remember, Memory(text="Anna sails", state="diet"), ANNA))[0].outcome == "added"
        assert (await do(bank.facts.get, ANNA, "diet")).version == 2 * version
        assert (await do(bank.get, made, ANNA)).text == "Anna eats all"
        await do(bank.facts.delete, ANNA, "diet")


async def test_what_cannot_be_a_fact_is_refused(bank: MemoryBank, do: Do) -> None:
    with pytest.raises(InvalidInputError, match="JSON"):
        await do(bank.facts.set, ANNA, "x", object())
    with pytest.raises(InvalidInputError, match="name"):
        await do(bank.facts.set, ANNA, "", 1)
    assert await do(bank.facts.all, ANNA) == {}


def nested(depth: int) -> list[Any]:
    return [] if depth == 1 else [nested(depth - 1)]


async def test_a_value_that_not_everybody_could_read_is_refused(bank: MemoryBank, do: Do) -> None:
    value: Any
    for value in (nested(102), {"a": [nested(100)]}):
        with pytest.raises(InvalidInputError, match=r"^value: nested deeper than 100 .*flatten it"):
            await do(bank.facts.set, ANNA, "x", value)
    for value in (float("nan"), [float("inf")]):
        with pytest.raises(InvalidInputError, match=r"^value: JSON cannot hold it .*finite"):
            await do(bank.facts.set, ANNA, "x", value)
    assert await do(bank.facts.all, ANNA) == {}
    for value in (nested(100), "NaN", {"Infinity": "\ud800"}):
        await do(bank.facts.set, ANNA, "x", value)
        assert await facts(bank, do) == {"x": value}


@pytest.mark.parametrize(
    "written", ["not json", "1 2 - {", "x 1 - 1", "1 2 - 1\n1", f"1 2 - {'[' * 9000}", "1 9e9 - 1"]
)
async def test_what_another_program_wrote_is_named(bank: MemoryBank, do: Do, written: str) -> None:
    await do(bank.facts.set, ANNA, "diet", "vegan")
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    key = bank.store.keys.facts(ANNA.path)
    await bank.store.connection.send(("HSET", key, "odd", written), ("SET", f"{key}:diet:1", written))
    for read, place, name in (
        ((bank.facts.all, ANNA), key, "odd"),
        ((bank.facts.get, ANNA, "odd"), key, "odd"),
        ((bank.facts.history, ANNA, "diet"), f"{key}:diet:1", "diet"),
    ):
        with pytest.raises(CorruptDataError, match=f"^{re.escape(place)}: what lies there as '{name}' is no fact"):
            await do(*read)
    assert (await do(bank.facts.get, ANNA, "diet")).value == "omnivore"


async def test_a_field_that_is_no_name_is_told(bank: MemoryBank, do: Do) -> None:
    await bank.store.connection.send(("HSET", bank.store.keys.facts(ANNA.path), b"\xff", "1 2 - 1"))
    with pytest.raises(CorruptDataError, match="xff"):
        await do(bank.facts.all, ANNA)


async def test_a_fact_follows_its_memory_and_the_memory_its_fact(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, DIET, ANNA))[0].id
    await do(bank.correct, made, "Anna is an omnivore", ANNA, value="omnivore")
    assert await facts(bank, do) == {"diet": "omnivore"}
    await do(bank.undo, made, ANNA)
    assert await facts(bank, do) == {"diet": "vegan"}
    await do(bank.facts.delete, ANNA, "diet")
    assert await do(bank.get, made, ANNA) is None
    await do(bank.undo, made, ANNA)
    assert await facts(bank, do) == {"diet": "vegan"}
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    assert await do(bank.get, made, ANNA) is None
    await do(bank.undo, made, ANNA)
    assert await facts(bank, do) == {"diet": "vegan"}
    values = [each.value for each in await do(bank.facts.history, ANNA, "diet")]
    assert values == ["vegan", "omnivore", "vegan", "vegan", "omnivore", "vegan"]
    again = (await do(bank.remember, Memory(text="Anna is vegan", state="diet", value="strict"), ANNA))[0]
    assert (again.id, again.outcome) == (made, "superseded")
    assert await facts(bank, do) == {"diet": "strict"}


async def test_two_facts_may_be_said_in_the_same_words(bank: MemoryBank, do: Do) -> None:
    told = [Memory(text="Anna lives and works in Oslo", state=name, value="Oslo") for name in ("home", "work")]
    assert [each.outcome for each in await do(bank.remember, told, ANNA)] == ["added", "added"]
    assert [each.outcome for each in await do(bank.remember, told, ANNA)] == ["reinforced", "reinforced"]
    assert await facts(bank, do) == {"home": "Oslo", "work": "Oslo"}


async def test_a_fact_says_where_it_comes_from(bank: MemoryBank, do: Do) -> None:
    one, two = Source(thread_id="t1", message_ids=("m 1",)), Source(thread_id="t2")
    await do(bank.facts.set, ANNA, "diet", "vegan\n", source=one)
    await do(bank.facts.set, ANNA, "diet", "vegan\n")
    await do(bank.facts.set, ANNA, "diet", {"a": " "}, source=two)
    assert [(each.value, each.source) for each in await do(bank.facts.history, ANNA, "diet")] == [
        ({"a": " "}, two),
        ("vegan\n", one),
    ]
    await do(bank.remember, Memory(text="Anna lives in Rome", state="home", source=one), ANNA)
    assert (await do(bank.facts.get, ANNA, "home")).source == one


async def test_a_fact_that_comes_back_counts_on(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, DIET, ANNA))[0].id
    await do(bank.forget, ANNA, [made])
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    await do(bank.facts.delete, ANNA, "diet")
    await do(bank.undo, made, ANNA)
    assert [(each.version, each.value) for each in await do(bank.facts.history, ANNA, "diet")] == [
        (3, "vegan"),
        (2, "omnivore"),
        (1, "vegan"),
    ]


async def test_what_the_store_changes_keeps_its_fact(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, DIET, ANNA))[0].id
    value = (await do(bank.store.get, ANNA.path, made)).value
    await do(bank.store.put, ANNA.path, made, value | {"text": "Anna has been vegan for years"})
    assert (await do(bank.facts.get, ANNA, "diet")).memory_id == made
    await do(bank.correct, made, "Anna is vegetarian", ANNA, value="vegetarian")
    assert await facts(bank, do) == {"diet": "vegetarian"}
    await do(bank.store.delete, ANNA.path, made)
    assert await facts(bank, do) == {}
    assert await do(bank.facts.history, ANNA, "diet") == await do(bank.history, made, ANNA) == []
    assert await do(bank.undo, made, ANNA) is None


async def test_a_memory_may_come_to_stand_for_a_fact(bank: MemoryBank, do: Do) -> None:
    rome = (await do(bank.remember, Memory(text="Anna lives in Rome", state="home", value="Rome"), ANNA))[0].id
    oslo = (await do(bank.remember, "Anna lives in Oslo", ANNA))[0].id
    done = (await do(bank.remember, Memory(text="Anna lives in Oslo", state="home", value="Oslo"), ANNA))[0]
    assert (done.id, done.outcome) == (rome, "superseded")
    assert [each.id for each in await do(bank.list, ANNA)] == [rome]
    assert (await do(bank.history, oslo, ANNA))[0].superseded_by == f"{rome}@2"
    assert await facts(bank, do) == {"home": "Oslo"}
    await do(bank.forget, ANNA, [rome])
    assert await facts(bank, do) == {}
