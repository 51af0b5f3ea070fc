"""Changes that have a name, and changes that are sent twice: they are made once."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do

ANNA = Scope("anna")
DIET = Memory(text="Anna is vegan", state="diet", value="vegan")


async def facts(bank: MemoryBank, do: Do) -> dict[str, Any]:
    return {name: fact.value for name, fact in (await do(bank.facts.all, ANNA)).items()}


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


async def test_every_change_may_be_sent_twice(server: Connection, do: Do) -> None:
    async def story(name: str) -> list[Any]:
        bank, answers = MemoryBank(AgentMemoryStore(server, prefix=name)), []

        async def told(change: Any, *args: Any, **named: Any) -> None:
            answer = await do(change, *args, **named)
            kept = isinstance(answer, Memory)
            answers.append((answer.text, answer.version, answer.hits) if kept else answer)
            answers.append([(each.text, each.version, each.hits) for each in await do(bank.list, ANNA)])
            answers.append([(each.value, each.version) for each in await do(bank.facts.history, ANNA, "diet")])

        await told(bank.remember, Memory(text="Anna is vegan", id="x", state="diet"), ANNA)
        await told(bank.remember, "anna is vegan", ANNA)
        await told(bank.reinforce, "x", ANNA)
        await told(bank.correct, "x", "Anna is vegetarian", ANNA)
        await told(bank.retire, "x", ANNA)
        for _ in range(3):
            await told(bank.undo, "x", ANNA)
        await told(bank.facts.set, ANNA, "diet", "omnivore", expected_version=4)
        await told(bank.facts.delete, ANNA, "diet", expected_version=5)
        await told(bank.undo, "x", ANNA)
        await told(bank.pin, "x", ANNA)
        await told(bank.forget, ANNA, ["x"])
        await told(bank.undo, "x", ANNA)
        await told(bank.import_, list(bank.export(ANNA)), Scope("bob"))
        answers.append([each.text for each in await do(bank.history, "x", Scope("bob"))])
        return answers

    send = server.send

    async def twice(*commands: Any, **options: Any) -> Any:
        if any(hasattr(command, "script") for command in commands):
            await send(*commands, **options)  # the reply that never came
        return await send(*commands, **options)

    once = await story("once")
    server.send = twice  # type: ignore[method-assign]
    again = await story("twice")
    server.send = send  # type: ignore[method-assign]
    assert again == once
