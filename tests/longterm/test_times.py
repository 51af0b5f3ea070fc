"""What a memory's times do to it: which of two wins, what has ended, what was so before the present."""

from __future__ import annotations

from typing import Any

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from tests.conftest import Do

ANNA = Scope("anna")


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
