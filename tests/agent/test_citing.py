"""Ids as a model is shown them, and what comes of those it gives back."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.citing import afind_cited
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.rendering import event_line, short_id, short_ids
from langchain_agentmem.agent.tools import memory_tools
from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.promotion.known import summary_id, turn_id
from tests.conftest import Do

ANNA = Scope("anna")
CONFIG = {"configurable": {"user_id": "anna", "thread_id": "t"}}


def alike(many: int) -> list[str]:
    """Ids of turns that begin alike in their first 8 characters."""
    groups = defaultdict(list)
    for number in range(10_000):
        name = turn_id("t", str(number))
        groups[name[:8]].append(name)
        if len(groups[name[:8]]) == many:
            return groups[name[:8]]
    raise AssertionError


async def use(do: Do, memory: AgentMemory, name: str, **args: str) -> str:
    [tool] = memory_tools(memory, names=[name], on_error="raise")  # type: ignore[list-item]
    answer = await do(tool.invoke, {"name": name, "args": args, "id": "1", "type": "tool_call"}, CONFIG)
    return str(answer.content)


def test_the_short_ids_of_a_scope_tell_its_memories_apart() -> None:
    names = [str(at) for at in range(4_000)]
    for ids in ([turn_id("t", each) for each in names], [summary_id(each) for each in names]):
        assert len(set(map(short_id, ids))) == len(ids)
        assert max(map(len, map(short_id, ids))) <= len("summary-") + 8


@pytest.mark.parametrize(
    ("id", "short"),
    [
        ("3f2a9c1b" + "0" * 24, "3f2a9c1b"),
        ("3f2a9c1b-0000-0000-0000-000000000000", "3f2a9c1b"),
        ("turn-dca1b2c3d4", "turn-dca1b2c3"),
        ("a-b-0123456789", "a-b-012345"),
        ("mem_0123456789", "mem_0123"),
        ("antidisestablishmentarianism-1", "antidise"),
        ("turn-", "turn-"),
        ("", ""),
    ],
)
def test_an_id_is_cut_behind_its_kind(id: str, short: str) -> None:
    assert short_id(id) == short


def test_ids_that_begin_alike_are_shown_as_far_as_they_differ() -> None:
    ids = ["abcdefghij-12345678", "abcdefghij1", "abcdefgh", "zz", "turn-0123456789", "turn-0123456700"]
    shown = short_ids(ids)
    assert list(shown.values()) == ids
    assert list(shown) == ["abcdefghij-12345678", "abcdefghij1", "abcdefgh", "zz", "turn-012345678", "turn-012345670"]
    assert short_ids([]) == {}


def test_events_show_ids_as_memories_do() -> None:
    turn = turn_id("t", "1")
    line = event_line(Event(kind="memory.recalled", data={"memories": [[turn, 0.5], ["3f2a9c1b" * 4, 0.4]]}))
    assert line.endswith(f"[{turn[:13]}] [3f2a9c1b]")


async def test_what_promotion_made_can_be_named_as_it_is_shown(memory: AgentMemory, do: Do) -> None:
    ids = alike(3)
    memory.bank.remember([Memory(text=f"Anna likes to hike: {at}", id=each) for at, each in enumerate(ids)], ANNA)
    assembler, asked = ContextAssembler(memory.bank, limit=1), "Where does Anna like to hike?"
    context = await do(assembler.assemble, asked, ANNA)
    found = await use(do, memory, "search_memory", query=asked, limit="1")
    for text in (context.text, found):
        [shown] = re.findall(r"^(?:- )?\[(\S+)\] Anna", text, re.M)
        [meant] = await afind_cited(memory.bank, shown, ANNA)
        assert meant.text in text
    for left in (2, 1, 0):
        [shown] = re.findall(r"\[(\S+)\]", (await do(assembler.assemble, asked, ANNA)).text.partition("best first")[2])
        assert (await use(do, memory, "forget_memory", id=shown)).startswith(f"Deleted [{shown}")
        assert len(memory.bank.list(ANNA)) == left


async def test_an_id_that_tells_too_little_is_answered_with_those_it_may_mean(memory: AgentMemory, do: Do) -> None:
    ids = alike(2)
    memory.bank.remember([Memory(text=f"Anna {at} " + "hikes " * 50, id=each) for at, each in enumerate(ids)], ANNA)
    memory.bank.remember("Anna has a dog", ANNA)
    refused = await use(do, memory, "forget_memory", id=f"[{ids[0][:8]}]")
    assert "several memories have an id that begins with" in refused
    assert "call again with its whole id" in refused
    offered = re.findall(r"^\[(\S+)\] Anna \d hikes", refused, re.M)
    assert offered == sorted(ids)
    assert "dog" not in refused
    assert len(refused) < 600
    for each in offered:
        assert (await use(do, memory, "forget_memory", id=each)).startswith(f"Deleted [{each}]")
    assert "is that of no memory. Find it with search_memory" in await use(do, memory, "forget_memory", id=ids[0][:8])


async def test_of_many_that_may_be_meant_some_are_listed(memory: AgentMemory) -> None:
    ids = [f"summary-{at:02}" for at in range(30)]
    await asyncio.to_thread(memory.bank.remember, [Memory(text=f"Talk {each}", id=each) for each in ids], ANNA)
    assert [each.id for each in await afind_cited(memory.bank, "summary-", ANNA)] == ids[:10]
    assert [each.id for each in await afind_cited(memory.bank, "[summary-07…]", ANNA)] == ["summary-07"]
