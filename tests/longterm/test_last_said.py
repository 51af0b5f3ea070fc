"""What was said last counts, in whatever order it comes in: said anew, said again, or said to be no longer so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from langchain_agentmem.errors import VersionConflictError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.longterm.saying import ANNA, BOB, at, diet, end, say


async def told(bank: MemoryBank, do: Do, hour: int) -> list[str]:
    """What a recall as of a time finds."""
    found = await do(bank.recall, "What is Anna's diet?", ANNA, as_of=at(hour).at)
    return [each.memory.text.rpartition(" ")[2] for each in found]


# --- what ended


async def test_what_ended_is_not_revived_by_what_was_said_before(bank: MemoryBank, do: Do) -> None:
    await say(bank, do, "vegan", 1)
    await end(bank, do, 4)
    done = await say(bank, do, "fish", 2)
    assert (done.outcome, await diet(bank, do)) == ("added", None)
    await say(bank, do, "vegan", 3)
    assert (await diet(bank, do), await do(bank.recall, "What is Anna's diet?", ANNA)) == (None, [])
    assert [each.value for each in await do(bank.facts.history, ANNA, "diet")] == ["vegan"]
    assert "fish" in await told(bank, do, 3)
    assert await told(bank, do, 5) == []
    await say(bank, do, "fish", 5)
    assert await diet(bank, do) == "fish"
    assert [each.version for each in await do(bank.facts.history, ANNA, "diet")] == [2, 1]


@pytest.mark.parametrize("how", ["retire", "delete", "put", "set"])
async def test_what_is_ended_by_hand_has_ended_now(bank: MemoryBank, do: Do, how: str) -> None:
    if how == "set":
        await do(bank.facts.set, ANNA, "diet", "vegan")
        await do(bank.facts.delete, ANNA, "diet")
    else:
        made = (await say(bank, do, "vegan", 1)).id
        ways: dict[str, Callable[[], Any]] = {
            "retire": lambda: do(bank.retire, made, ANNA),
            "delete": lambda: do(bank.facts.delete, ANNA, "diet"),
            "put": lambda: do(bank.store.put, ANNA.path, made, {"text": "Anna eats"}),
        }
        await ways[how]()
    await say(bank, do, "fish", 9)
    assert await diet(bank, do) is None
    await do(bank.remember, Memory(text="Anna eats fish", state="diet", value="fish"), ANNA)
    assert await diet(bank, do) == "fish"


async def test_what_ended_by_hand_at_a_time_may_be_said_after_that(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await do(bank.retire, made, ANNA, at=at(3).at)
    await say(bank, do, "fish", 2)
    assert await diet(bank, do) is None
    await say(bank, do, "fish", 4)
    assert await diet(bank, do) == "fish"


async def test_what_is_said_to_have_ended_before_it_is_known(bank: MemoryBank, do: Do) -> None:
    assert await end(bank, do, 2) is False
    await say(bank, do, "vegan", 1)
    assert (await diet(bank, do), await do(bank.facts.history, ANNA, "diet")) == (None, [])
    await say(bank, do, "vegan", 3)
    assert await diet(bank, do) == "vegan"


async def test_its_own_thread_revives_it_whatever_the_clocks_say(bank: MemoryBank, do: Do) -> None:
    await say(bank, do, "vegan", 3, "own")
    await end(bank, do, 4, "own")
    await say(bank, do, "fish", 2, "own")
    assert await diet(bank, do) == "fish"
    await say(bank, do, "eggs", 3, "other")
    assert await diet(bank, do) == "fish", "it was said after what was said at 4"


# --- what was said again


@pytest.mark.parametrize("how", ["remember", "reinforce", "plain", "set"])
async def test_what_was_said_again_is_not_overtaken(bank: MemoryBank, do: Do, how: str) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    ways: dict[str, Callable[[], Any]] = {
        "remember": lambda: say(bank, do, "vegan", 4),
        "reinforce": lambda: do(bank.reinforce, made, ANNA, heard=at(4)),
        "plain": lambda: do(bank.remember, "Anna's diet is vegan", ANNA, heard=[at(4)]),
        "set": lambda: do(bank.facts.set, ANNA, "diet", "vegan"),
    }
    await ways[how]()
    await say(bank, do, "fish", 3, at(1).thread)  # also in the thread that said it at first
    assert await diet(bank, do) == "vegan"
    assert set(await told(bank, do, 3)) == {"vegan", "fish"}
    fact = await do(bank.facts.get, ANNA, "diet")
    assert (fact.since, fact.version) == (at(1).at, 1)
    assert (await end(bank, do, 3)).outcome == "kept"
    assert await diet(bank, do) == "vegan"
    await say(bank, do, "fish", 5)
    assert await diet(bank, do) == ("vegan" if how == "set" else "fish")


async def test_what_was_said_before_does_not_make_it_older(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 4)).id
    await say(bank, do, "vegan", 1)
    await do(bank.reinforce, made, ANNA, heard=at(2))
    await say(bank, do, "fish", 3)
    assert await diet(bank, do) == "vegan"


async def test_what_says_something_else_by_now_is_not_said_again(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    assert (await do(bank.reinforce, made, ANNA, expected_version=1, heard=at(2))).outcome == "reinforced"
    await say(bank, do, "fish", 3)
    for version in (1, 0):
        with pytest.raises(VersionConflictError, match=f"version 2, not {version}"):
            await do(bank.reinforce, made, ANNA, expected_version=version, heard=at(5))
    await say(bank, do, "eggs", 4)
    assert await diet(bank, do) == "eggs"
    assert (await do(bank.get, made, ANNA)).hits == 1
    tea = (await do(bank.remember, "Anna likes tea", ANNA))[0].id
    with pytest.raises(VersionConflictError, match="version 0, not 1"):
        await do(bank.reinforce, tea, ANNA, expected_version=1)


async def test_only_the_value_that_is_meant_is_ended(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await say(bank, do, "fish", 2)
    with pytest.raises(VersionConflictError, match="version 2, not 1"):
        await do(bank.retire, made, ANNA, expected_version=1, heard=at(3))
    assert (await do(bank.retire, made, ANNA, expected_version=1, heard=at(1))).outcome == "kept"
    assert await diet(bank, do) == "fish"
    assert (await do(bank.retire, made, ANNA, expected_version=2, heard=at(3))).outcome == "retired"
    assert await diet(bank, do) is None


async def test_older_words_do_not_take_the_place_of_newer_ones(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 4)).id
    older = Memory(text="Anna eats no animals", state="diet", value="vegan", valid_from=at(2).at)
    done = (await do(bank.remember, older, ANNA, heard=[at(2)]))[0]
    assert (done.id, done.outcome) == (made, "reinforced")
    assert (await do(bank.get, made, ANNA)).text == "Anna's diet is vegan"
    done = (await do(bank.remember, older, ANNA, heard=[at(5)]))[0]
    assert (done.id, done.outcome) == (made, "superseded")


async def test_what_is_overtaken_does_not_end_before_it_begins(bank: MemoryBank, do: Do) -> None:
    await say(bank, do, "vegan", 4)
    planned = Memory(text="Anna's diet is fish", state="diet", value="fish", valid_from=at(6).at)
    done = (await do(bank.remember, planned, ANNA, heard=[at(3)]))[0]
    kept = await do(bank.get, done.id, ANNA)
    assert (kept.valid_from, kept.valid_to, await diet(bank, do)) == (at(6).at, at(6).at, "vegan")
    assert "fish" not in await told(bank, do, 7)


async def test_older_words_do_not_renew_what_has_ended_by_newer_ones(bank: MemoryBank, do: Do) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=0.1)
    words = Memory(text="Anna's diet is vegan", state="diet", value="vegan", valid_from=at(4).at, valid_to=soon)
    made = (await do(bank.remember, words, ANNA, heard=[at(4)]))[0].id
    await asyncio.sleep(0.1)
    for text in ("Anna's diet is vegan", "Anna eats no animals"):
        older = replace(words, text=text, valid_from=at(2).at, valid_to=None)
        assert (await do(bank.remember, older, ANNA, heard=[at(2)]))[0].outcome == "reinforced"
    assert (await do(bank.get, made, ANNA)).valid_to == soon
    newer = replace(words, valid_from=at(5).at, valid_to=None)
    assert (await do(bank.remember, newer, ANNA, heard=[at(5)]))[0].outcome == "superseded"
    assert (await do(bank.get, made, ANNA)).valid_to is None


async def test_what_was_set_again_by_hand_is_not_ended(bank: MemoryBank, do: Do) -> None:
    for _ in range(2):
        await do(bank.facts.set, ANNA, "diet", "vegan")
    assert await do(bank.facts.delete, ANNA, "diet", expected_version=1, heard=at(9)) is False
    assert await diet(bank, do) == "vegan"


async def test_a_replay_changes_nothing(bank: MemoryBank, do: Do) -> None:
    made = (await say(bank, do, "vegan", 1)).id
    await do(bank.reinforce, made, ANNA, heard=at(2), operation="again")
    await do(bank.retire, made, ANNA, heard=at(3), operation="over")
    await say(bank, do, "fish", 4)
    before = await do(bank.export, ANNA)
    await do(bank.reinforce, made, ANNA, heard=at(2), operation="again")
    await do(bank.retire, made, ANNA, heard=at(3), operation="over")
    assert list(await do(bank.export, ANNA)) == list(before)


# --- any order


class Said(NamedTuple):
    """What is said at an hour; no value: that it is no longer so. `hour` 0: it is done by hand."""

    hour: int
    value: str | None


@pytest.fixture(scope="module", params=["search", "plain"])
def fresh(request: pytest.FixtureRequest) -> Iterator[Callable[[], MemoryBank]]:
    """Makes banks on one connection, each empty."""
    number = count()
    with Connection(request.getfixturevalue(f"{request.param}_url")) as connection:
        yield lambda: MemoryBank(AgentMemoryStore(connection, prefix=f"said{next(number)}"))


VALUES = st.sampled_from(["vegan", "fish", "eggs", None])
SAID = st.lists(VALUES, min_size=1, max_size=7).flatmap(
    lambda values: st.permutations([Said(hour, value) for hour, value in enumerate(values, 1)])
)
BY_HAND = st.tuples(st.integers(0, 7), VALUES)


def take(bank: MemoryBank, said: Said, scope: Scope) -> None:
    """What comes in, as a promotion makes it of what it knows."""
    fact = bank.facts.get(scope, "diet")
    if not said.hour and said.value:
        bank.facts.set(scope, "diet", said.value)
    elif not said.hour:
        bank.facts.delete(scope, "diet")
    elif said.value and fact and fact.memory_id and said.hour % 2 and fact.value == said.value:
        bank.reinforce(fact.memory_id, scope, heard=at(said.hour))
    else:
        run(say(bank, _at_once, said.value, said.hour, None, scope) if said.value else _end(bank, said, scope))


async def _at_once(function: Callable[..., Any], *args: Any, **options: Any) -> Any:
    return function(*args, **options)


async def _end(bank: MemoryBank, said: Said, scope: Scope) -> Any:
    return await end(bank, _at_once, said.hour, None, scope)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(said=SAID, by_hand=st.lists(BY_HAND, max_size=2), moves=st.integers(0, 9))
def test_in_any_order_what_was_said_last_counts(
    fresh: Callable[[], MemoryBank], said: list[Said], by_hand: list[tuple[int, str | None]], moves: int
) -> None:
    bank, scope = fresh(), ANNA
    coming = list(said)
    for place, value in by_hand:
        coming.insert(place, Said(0, value))
    for place, each in enumerate(coming):
        if place == moves:
            bank.import_(list(bank.export(ANNA)), BOB)
            scope = BOB
        take(bank, each, scope)
    done_by_hand = [each.value for each in coming if not each.hour]
    last = done_by_hand[-1] if done_by_hand else max(said).value
    facts = bank.facts.all(scope)
    assert {name: fact.value for name, fact in facts.items()} == ({"diet": last} if last else {})
    assert [each.state for each in bank.list(scope) if each.valid_to is None] == [
        fact.name for fact in facts.values() if fact.memory_id
    ]
    for before in bank.facts.history(scope, "diet"):
        assert before.until is None or before.since <= before.until
