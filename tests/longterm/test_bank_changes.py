"""Changes to memories by their id, and changes that have a name: what a replay, a retirement and an undo do."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from tests.longterm.conftest import Do

ANNA = Scope("anna")
DIET = Memory(text="Anna is vegan", state="diet", value="vegan")


async def facts(bank: MemoryBank, do: Do) -> dict[str, Any]:
    return {name: fact.value for name, fact in (await do(bank.facts.all, ANNA)).items()}


# --- operations


async def test_an_operation_remembers_once_whatever_happened_since(bank: MemoryBank, do: Do) -> None:
    both = ["Anna plays the cello", DIET]
    first = await do(bank.remember, both, ANNA, operation="op 1")
    await do(bank.correct, first[0].id, "Anna plays the viola", ANNA)
    await do(bank.facts.set, ANNA, "diet", "omnivore")
    again = await do(bank.remember, both, ANNA, operation="op 1")
    assert [(each.id, each.outcome, each.version) for each in again] == [
        (each.id, each.outcome, each.version) for each in first
    ]
    assert [each.text for each in await do(bank.list, ANNA)] == ["Anna plays the viola"]
    assert await facts(bank, do) == {"diet": "omnivore"}
    assert (await do(bank.remember, both, ANNA, operation="op 2"))[0].outcome == "added"
    assert (await do(bank.remember, both, Scope("bob"), operation="op 1"))[0].outcome == "added"


async def test_an_operation_corrects_reinforces_and_retires_once(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, Memory(text="Anna is 30"), ANNA))[0].id
    corrected = await do(bank.correct, made, "Anna is 31", ANNA, operation="c")
    confirmed = await do(bank.reinforce, made, ANNA, operation="f")
    await do(bank.correct, made, "Anna is 32", ANNA)
    assert (await do(bank.correct, made, "Anna is 31", ANNA, operation="c")).version == corrected.version == 2
    assert (await do(bank.reinforce, made, ANNA, operation="f")).version == confirmed.version == 2
    now = await do(bank.get, made, ANNA)
    assert (now.text, now.version, now.hits) == ("Anna is 32", 3, 1)
    assert (await do(bank.retire, made, ANNA, operation="t")).outcome == "retired"
    assert (await do(bank.undo, made, ANNA)).text == "Anna is 32"
    assert (await do(bank.retire, made, ANNA, operation="t")).version == 3
    assert (await do(bank.correct, made, "Anna is 31", ANNA, operation="c")).version == 2
    assert (await do(bank.get, made, ANNA)).text == "Anna is 32"


async def test_an_operation_sets_and_deletes_a_fact_once(bank: MemoryBank, do: Do) -> None:
    assert await do(bank.facts.set, ANNA, "diet", "vegan", operation="a") == 1
    assert await do(bank.facts.set, ANNA, "diet", "omnivore") == 2
    assert await do(bank.facts.set, ANNA, "diet", "vegan", operation="a") == 1
    assert await facts(bank, do) == {"diet": "omnivore"}
    assert await do(bank.facts.delete, ANNA, "diet", operation="b")
    assert await do(bank.facts.set, ANNA, "diet", "vegan") == 3
    assert await do(bank.facts.delete, ANNA, "diet", operation="b")
    assert await facts(bank, do) == {"diet": "vegan"}


async def test_an_operation_that_failed_may_be_tried_again(bank: MemoryBank, do: Do) -> None:
    with pytest.raises(InvalidInputError, match="no memory 'x'"):
        await do(bank.retire, "x", ANNA, operation="o")
    await do(bank.remember, Memory(text="Anna sails", id="x"), ANNA)
    assert (await do(bank.retire, "x", ANNA, operation="o")).outcome == "retired"


# --- by id


async def test_what_is_retired_is_past(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, [DIET, "Anna plays the cello"], ANNA))[0].id
    held = datetime.now(UTC)
    done = await do(bank.retire, made, ANNA)
    assert (done.id, done.outcome, done.version) == (made, "retired", 1)
    assert await do(bank.get, made, ANNA) is None
    assert await do(bank.count, ANNA) == 1
    assert await facts(bank, do) == {}
    assert [fact.value for fact in await do(bank.facts.history, ANNA, "diet")] == ["vegan"]
    (past,) = await do(bank.history, made, ANNA)
    assert past.superseded
    assert held < past.valid_to <= datetime.now(UTC)
    assert "Anna is vegan" not in [each.memory.text for each in await do(bank.recall, "Is Anna vegan?", ANNA)]
    then = await do(bank.recall, "Is Anna vegan?", ANNA, as_of=held)
    assert then[0].memory.text == "Anna is vegan"
    with pytest.raises(InvalidInputError, match="no memory"):
        await do(bank.retire, made, ANNA)
    back = await do(bank.undo, made, ANNA)
    assert (back.text, back.valid_to) == ("Anna is vegan", None)
    assert await facts(bank, do) == {"diet": "vegan"}


async def test_a_retirement_may_say_until_when(bank: MemoryBank, do: Do) -> None:
    now = datetime.now(UTC)
    told = Memory(text="Anna lives in Rome", valid_from=now - timedelta(days=30))
    made = (await do(bank.remember, told, ANNA))[0].id
    moved = now - timedelta(days=10)
    await do(bank.retire, made, ANNA, at=moved)
    assert (await do(bank.history, made, ANNA))[0].valid_to == moved
    assert await do(bank.recall, "Where does Anna live?", ANNA, include_history=True)
    assert await do(bank.recall, "Where does Anna live?", ANNA, as_of=moved - timedelta(days=1))
    assert await do(bank.recall, "Where does Anna live?", ANNA, as_of=moved + timedelta(days=1)) == []


async def test_what_is_reinforced_gains(bank: MemoryBank, do: Do) -> None:
    made = (await do(bank.remember, "Anna plays the cello", ANNA))[0].id
    said = Source(thread_id="t2", message_ids=("m",))
    done = await do(bank.reinforce, made, ANNA, source=said)
    now = await do(bank.get, made, ANNA)
    assert (done.outcome, done.version) == ("reinforced", 1)
    assert (now.hits, now.confidence, now.sources) == (2, pytest.approx(0.625), (said,))
    with pytest.raises(InvalidInputError, match="no memory"):
        await do(bank.reinforce, "nobody", ANNA)
