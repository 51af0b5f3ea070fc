"""Times, numbers and names at the edges: they are kept, or refused at the door, and close no scope to its readers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from langchain_agentmem.errors import ConfigurationError, InvalidInputError
from langchain_agentmem.longterm import items, recalling
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do

ANNA = Scope("anna")
WEST = timezone(timedelta(hours=-5))


def texts(found: Any) -> list[str]:
    return [each.memory.text for each in found]


@pytest.mark.parametrize("behind", [0.2, 5.0])
async def test_what_was_just_remembered_is_recalled_by_a_clock_that_is_behind(
    bank: MemoryBank, do: Do, monkeypatch: pytest.MonkeyPatch, behind: float
) -> None:
    class Late(datetime):
        """A clock that is behind the server's."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(seconds=behind)

    monkeypatch.setattr(recalling, "datetime", Late)
    [made] = await do(bank.remember, "Ada lives in Rome", ANNA)
    assert texts(await do(bank.recall, "Where does Ada live?", ANNA)) == ["Ada lives in Rome"]
    await do(bank.correct, made.id, "Ada lives in Oslo", ANNA)
    assert texts(await do(bank.recall, "Where does Ada live?", ANNA)) == ["Ada lives in Oslo"]
    monkeypatch.undo()
    soon = datetime.now(UTC) + timedelta(minutes=1)
    await do(bank.remember, Memory(text="Ada lives in Bergen", valid_from=soon), ANNA)
    assert texts(await do(bank.recall, "Where does Ada live?", ANNA)) == ["Ada lives in Oslo"]
    assert "Ada lives in Bergen" in texts(await do(bank.recall, "Where does Ada live?", ANNA, as_of=soon))


async def test_a_time_outside_of_the_calendar_is_refused_and_read_as_its_end(bank: MemoryBank, do: Do) -> None:
    for never in (datetime.max.replace(tzinfo=WEST), datetime.min.replace(tzinfo=timezone(timedelta(hours=5)))):
        with pytest.raises(InvalidInputError, match="valid_to: outside of the calendar"):
            await do(bank.remember, Memory(text="forever", valid_to=never), ANNA)
    await do(bank.remember, Memory(text="a pass for ever", valid_to=datetime.max.replace(tzinfo=UTC)), ANNA)
    assert texts(await do(bank.recall, "pass", ANNA)) == ["a pass for ever"]
    over = items.from_time(datetime.max.replace(tzinfo=UTC)) + 1
    assert [items.to_time(over), items.to_time(-over)] == [
        datetime.max.replace(tzinfo=UTC),
        datetime.min.replace(tzinfo=UTC),
    ]


async def test_a_bank_that_keeps_no_history_changes_memories_and_facts_all_the_same(bank: MemoryBank, do: Do) -> None:
    brief = MemoryBank(bank.store, history_ttl=0)
    await do(brief.remember, Memory(text="Ada lives in Oslo", state="home", value="Oslo"), ANNA)
    [made] = await do(brief.remember, Memory(text="Ada lives in Rome", state="home", value="Rome"), ANNA)
    assert (await do(brief.facts.get, ANNA, "home")).value == "Rome"
    assert [each.text for each in await do(brief.list, ANNA)] == ["Ada lives in Rome"]
    for diet in ("vegan", "vegetarian"):
        await do(brief.facts.set, ANNA, "diet", diet)
    await do(brief.correct, made.id, "Ada lives in Bergen", ANNA)
    assert (await do(brief.facts.get, ANNA, "diet")).value == "vegetarian"
    assert [each.text for each in await do(brief.list, ANNA)] == ["Ada lives in Bergen"]


async def test_a_correction_ends_when_what_it_corrects_does(bank: MemoryBank, do: Do) -> None:
    until = datetime.now(UTC).replace(microsecond=0) + timedelta(days=3)
    [made] = await do(bank.remember, Memory(text="Ada is in Rome this week", valid_to=until), ANNA)
    await do(bank.correct, made.id, "Ada is in Florence this week", ANNA)
    assert (await do(bank.get, made.id, ANNA)).valid_to == until


async def test_one_name_may_be_that_of_several_changes(bank: MemoryBank, do: Do) -> None:
    [made] = await do(bank.remember, "Ada likes tea", ANNA, operation="turn 7")
    for name in ("diet", "home", "diet"):
        assert await do(bank.facts.set, ANNA, name, "x", operation="turn 7") == 1
    await do(bank.correct, made.id, "Ada likes coffee", ANNA, operation="turn 7")
    for _ in range(2):
        await do(bank.reinforce, made.id, ANNA, operation="turn 7")
    memory = await do(bank.get, made.id, ANNA)
    assert (memory.text, memory.hits, sorted(await do(bank.facts.all, ANNA))) == (
        "Ada likes coffee",
        2,
        ["diet", "home"],
    )
    with pytest.raises(InvalidInputError, match="operation"):
        await do(bank.reinforce, made.id, ANNA, operation=7)
    with pytest.raises(InvalidInputError, match="limit: a whole number from 0"):
        await do(bank.recall, "tea", ANNA, limit=2**63)


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e39])
async def test_a_vector_of_no_numbers_is_refused(server: Connection, do: Do, number: float) -> None:
    index: Any = {"dims": 2, "embed": lambda texts: [[1.0, number] for _ in texts]}
    with pytest.raises(ConfigurationError, match="'embed' made a vector with numbers that are no float32"):
        await do(AgentMemoryStore(server, index=index).put, ("docs",), "a", {"text": "a"})
