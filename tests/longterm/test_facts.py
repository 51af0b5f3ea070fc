from __future__ import annotations

import pytest

from langchain_agentmem.errors import InvalidInputError, VersionConflictError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from tests.longterm.conftest import Do

ANNA = Scope("anna")


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


async def test_what_cannot_be_a_fact_is_refused(bank: MemoryBank, do: Do) -> None:
    with pytest.raises(InvalidInputError, match="JSON"):
        await do(bank.facts.set, ANNA, "x", object())
    with pytest.raises(InvalidInputError, match="name"):
        await do(bank.facts.set, ANNA, "", 1)
    assert await do(bank.facts.all, ANNA) == {}
