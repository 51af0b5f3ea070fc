"""When facts were last said, where memories are forgotten, taken back, or taken elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.transfer import from_lines
from langchain_agentmem.wire.bridge import run
from tests.conftest import Do
from tests.longterm.saying import ANNA, BOB, at, diet, end, say


def noted(bank: MemoryBank) -> Any:
    return run(bank.store.connection.send(("HGETALL", bank.store.keys.known(ANNA.path))))[0]


@pytest.mark.parametrize("ended", [False, True])
@pytest.mark.parametrize("forgotten", [False, True])
async def test_what_is_erased_leaves_nothing(
    bank: MemoryBank, do: Do, keys: Callable[[], list[bytes]], ended: bool, forgotten: bool
) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    if ended:
        await end(bank, do, 2)
    if forgotten:
        await do(bank.forget, ANNA, [made])
        assert list(await do(bank.export, ANNA)) == []
    assert await do(bank.forget, ANNA, [made], erase=True) == [made]
    assert not noted(bank)
    assert [key for key in keys() if b"diet" in key] == []
    await say(bank, do, "fish", 0)
    assert await diet(bank, do) == "fish"


async def test_what_others_say_of_a_fact_stays(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await do(bank.facts.set, ANNA, "diet", "fish")
    await do(bank.facts.delete, ANNA, "diet")
    await do(bank.forget, ANNA, [made], erase=True)
    await say(bank, do, "eggs", 9)
    assert await diet(bank, do) is None


@pytest.mark.parametrize("ended", [False, True])
async def test_what_was_forgotten_comes_back_as_it_was_said(bank: MemoryBank, do: Do, ended: bool) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await (end if ended else partial(say, value="vegan"))(bank, do, hour=4)
    await do(bank.forget, ANNA, [made])
    await do(bank.undo, made, ANNA)
    await say(bank, do, "fish", 3)
    assert await diet(bank, do) == (None if ended else "vegan")
    await say(bank, do, "fish", 5)
    assert await diet(bank, do) == "fish"


async def test_what_is_taken_back_is_so_now(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await end(bank, do, 2)
    await do(bank.undo, made, ANNA)
    assert await diet(bank, do) == "vegan"
    assert (await end(bank, do, 3)).outcome == "kept"


@pytest.mark.parametrize("ended", [False, True])
async def test_an_export_tells_when_it_was_said(bank: MemoryBank, do: Do, ended: bool) -> None:
    await say(bank, do, "vegan", 1)
    await say(bank, do, "vegan", 4, "o\u00e4:\n")
    if ended:
        await end(bank, do, 4, "o\u00e4:\n")
    lines = list(await do(bank.export, ANNA))
    for _ in range(2):
        await do(bank.import_, lines, BOB)
        copy = list(await do(bank.export, BOB))
        assert [each.said for each in from_lines(copy)] == [each.said for each in from_lines(lines)]
    await say(bank, do, "fish", 3, scope=BOB)
    assert await diet(bank, do, BOB) == (None if ended else "vegan")
    await say(bank, do, "fish", 5, scope=BOB)
    assert await diet(bank, do, BOB) == "fish"


async def test_what_is_only_known_to_have_ended_is_exported_too(bank: MemoryBank, do: Do) -> None:
    await end(bank, do, 4)
    await do(bank.import_, list(await do(bank.export, ANNA)), BOB)
    await say(bank, do, "fish", 3, scope=BOB)
    assert await diet(bank, do, BOB) is None
    assert await do(bank.list, BOB) != []


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize("thread", ["own", "other"])
async def test_an_export_does_not_bring_back_what_has_ended_since(
    bank: MemoryBank, do: Do, known: bool, thread: str
) -> None:
    made = (await say(bank, do, "vegan", 2, "own")).id
    lines = list(await do(bank.export, ANNA))
    if known:
        await say(bank, do, "fish", 1, scope=BOB)
    await end(bank, do, 4, thread, scope=BOB)
    for outcome in ("added", "kept"):
        assert [each.outcome for each in await do(bank.import_, lines, BOB)] == [outcome]
        copy = await do(bank.get, made, BOB)
        assert (await diet(bank, do, BOB), copy.valid_to) == (None, at(4).at)
    await say(bank, do, "eggs", 5, scope=BOB)
    assert await diet(bank, do, BOB) == "eggs"


async def test_an_export_tells_what_was_said_after_it_had_ended(bank: MemoryBank, do: Do) -> None:
    await say(bank, do, "vegan", 4)
    await end(bank, do, 2, scope=BOB)
    await do(bank.import_, list(await do(bank.export, ANNA)), BOB)
    await say(bank, do, "fish", 3, scope=BOB)
    assert await diet(bank, do, BOB) == "vegan"


async def test_an_export_that_does_not_tell_it_tells_since_when_it_is_so(bank: MemoryBank, do: Do) -> None:
    await say(bank, do, "vegan", 2)
    (line,) = await do(bank.export, ANNA)
    old = json.loads(line)
    del old["said"]
    await do(bank.import_, [json.dumps(old)], BOB)
    await say(bank, do, "fish", 1, scope=BOB)
    assert await diet(bank, do, BOB) == "vegan"
    await say(bank, do, "fish", 3, scope=BOB)
    assert await diet(bank, do, BOB) == "fish"


async def test_what_an_export_says_is_not_said_in_the_future(bank: MemoryBank, do: Do) -> None:
    lines = [json.dumps({"said": {"fact": "diet", "at": "2999-01-01T00:00:00+00:00"}})]
    await do(bank.import_, lines, ANNA)
    await say(bank, do, "fish", 9)
    assert await diet(bank, do) is None
    said = Memory(text="Anna's diet is vegan", state="diet", value="vegan")
    await do(bank.remember, said, ANNA, heard=[Heard(datetime.now(UTC), "now")])
    assert await diet(bank, do) == "vegan"


@pytest.mark.parametrize(
    "wrong", [3, {}, {"fact": "", "at": "2025-01-01"}, {"fact": "x", "at": "noon"}, {"fact": "x", "at": 3}]
)
async def test_an_export_that_tells_it_wrongly_is_refused(bank: MemoryBank, do: Do, wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="line 1"):
        await do(bank.import_, [json.dumps({"said": wrong})], ANNA)
