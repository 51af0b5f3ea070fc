"""Memories as values of the store: what a bank writes, and what another program means by the same names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from tests.conftest import Do

ANNA = Scope("anna")


@pytest.mark.parametrize(
    "value",
    [
        {"event_time": "yesterday"},
        {"source": {"message_ids": 5}},
        {"source": {"session": ["a"], "sequence": "1"}},
        {"importance": "high", "speaker": 7, "topics": 5, "state": [], "data": "x"},
    ],
)
async def test_values_of_other_programs_do_no_harm(bank: MemoryBank, do: Do, value: dict[str, Any]) -> None:
    await do(bank.store.put, ANNA.path, "theirs", {"text": "Anna sells lemonade", **value})
    assert [each.memory.text for each in await do(bank.recall, "lemonade", ANNA)] == ["Anna sells lemonade"]
    assert len(await do(bank.import_, list(await do(bank.export, ANNA)), Scope("copy"))) == 1


async def test_a_filter_sees_the_default_importance(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, "Anna sells lemonade", ANNA)
    assert await do(bank.count, ANNA, filter={"importance": {"$lte": 0.5}}) == 1
    with pytest.raises(InvalidInputError, match="order_by"):
        await do(bank.list, ANNA, order_by="age")


async def test_an_import_brings_along_how_memories_were_used(bank: MemoryBank, do: Do) -> None:
    await do(bank.remember, ["Anna sells lemonade", "Bob sails", "bob sails!"], ANNA)
    await do(bank.recall, "lemonade", ANNA, limit=1)
    await do(bank.flush)
    await do(bank.import_, list(await do(bank.export, ANNA)), Scope("copy"))
    there, copied = await do(bank.list, ANNA), await do(bank.list, Scope("copy"))
    assert [each.hits for each in there] == [2, 1]
    assert [replace(each, namespace=(), sources=()) for each in copied] == [replace(e, namespace=()) for e in there]


async def test_no_version_stands_above_a_newer_one(bank: MemoryBank, do: Do) -> None:
    for pet in ("cat", "dog", "parrot"):
        await do(bank.remember, Memory(text=f"Anna has a {pet}", state="pet"), ANNA)
    found = await do(bank.recall, "Does Anna have a cat?", ANNA, include_history=True, explain=True)
    assert [each.memory.text[11:] for each in found] == ["parrot", "dog", "cat"]
    assert all(abs(sum(each.terms.values()) - each.score) < 1e-9 for each in found)
    assert len(await do(bank.recall, "Does Anna have a cat?", ANNA, include_history=True, limit=1)) == 1
