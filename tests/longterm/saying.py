"""What the tests of facts that are said at times share: a diet that threads say, or say to be no longer so."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.record import Memory, Scope, Source
from tests.conftest import Do

ANNA, BOB = Scope("anna"), Scope("bob")
DAWN = datetime(2025, 5, 1, 6, tzinfo=UTC)


def at(hour: int, thread: str | None = None) -> Heard:
    return Heard(DAWN + timedelta(hours=hour), thread or f"t {hour}\n")


async def say(bank: MemoryBank, do: Do, value: str, hour: int, thread: str | None = None, scope: Scope = ANNA) -> Any:
    """A thread says what the diet is, and is promoted now."""
    heard = at(hour, thread)
    said = Memory(
        text=f"Anna's diet is {value}",
        state="diet",
        value=value,
        valid_from=heard.at,
        source=Source(thread_id=heard.thread),
    )
    return (await do(bank.remember, said, scope, heard=[heard]))[0]


async def end(bank: MemoryBank, do: Do, hour: int, thread: str | None = None, scope: Scope = ANNA) -> Any:
    """A thread says that the diet is no longer so, and is promoted now."""
    heard, fact = at(hour, thread), await do(bank.facts.get, scope, "diet")
    if fact is None or fact.memory_id is None:
        return await do(bank.facts.delete, scope, "diet", heard=heard)
    return await do(bank.retire, fact.memory_id, scope, at=heard.at, heard=heard)


async def diet(bank: MemoryBank, do: Do, scope: Scope = ANNA) -> Any:
    fact = await do(bank.facts.get, scope, "diet")
    return fact and fact.value
