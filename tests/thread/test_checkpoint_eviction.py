"""A server that evicts takes single keys. What is lost is gone; what is read is right; what is removed is removed."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import pytest
from redis.exceptions import ResponseError

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from tests.thread.checkpoints import Thread, chat, config, ids_of, keys_in, lose, name, values_of
from tests.thread.conftest import Call

PARTS = (":head", ":past", ":ids")
LOSSES = [lost for count in (1, 2, 3) for lost in combinations(PARTS, count)]


async def grow(call: Call, saver: AgentMemorySaver, thread: Thread, stored: dict[str, Any]) -> None:
    """Four checkpoints of two runs: a list that grows, one that is replaced, one that grows from there."""
    for messages in (20, 40, 5, 9):
        facts = {"run_id": f"run {len(stored) // 2}"}
        await call(saver.put, *thread.draft(facts, messages=chat(messages)[::-1], n=len(stored), kept="once"))
        await call(saver.put_writes, thread.here, [("n", thread.step)], "task")
        stored[name(thread.step)] = dict(thread.values)


async def is_right(call: Call, saver: AgentMemorySaver, stored: dict[str, Any]) -> list[str]:
    """Whatever can be read is as it was stored. Returns the ids that can."""
    listed = await call(saver.list, config(ns=None))
    found = [await call(saver.get_tuple, config(checkpoint_id=checkpoint_id)) for checkpoint_id in stored]
    for one in (*listed, *filter(None, found)):
        checkpoint_id = one.checkpoint["id"]
        assert values_of(one) == stored[checkpoint_id]
        assert one.pending_writes == [("task", "n", int(checkpoint_id))]
    assert {*ids_of(listed)} <= {*ids_of(filter(None, found))}
    return ids_of(filter(None, found))


@pytest.mark.parametrize("lost", LOSSES, ids="".join)
@pytest.mark.parametrize("step", ["none", "prune", "delete_for_runs", "copy"])
async def test_what_is_left_is_right(call: Call, saver: AgentMemorySaver, step: str, lost: tuple[str, ...]) -> None:
    thread, stored = Thread(saver), dict[str, Any]()
    await grow(call, saver, thread, stored)
    lose(saver._redis, *lost)
    await is_right(call, saver, stored)
    if step == "prune":
        await call(saver.prune, ["thread"])
        assert await is_right(call, saver, stored) == ([] if ":head" in lost else [name(4)])
    elif step == "delete_for_runs":
        await call(saver.delete_for_runs, ["run 0"])
        left = [] if ":head" in lost else [name(4)] if ":past" in lost else [name(3), name(4)]
        assert await is_right(call, saver, stored) == left
    elif step == "copy":
        await call(saver.copy_thread, "thread", "copy")
        await call(saver.copy_thread, "copy", "thread")
    await grow(call, saver, thread, stored)
    assert (await is_right(call, saver, stored))[-4:] == [name(n) for n in (5, 6, 7, 8)]
    await call(saver.delete_for_runs, ["run 0", "run 1", "run 2"])
    assert await is_right(call, saver, stored) == [name(7), name(8)]
    await call(saver.delete_for_runs, ["run 3"])
    assert [key for key in keys_in(saver._redis) if "{thread}" in key] == []


async def test_a_ruined_thread_holds_up_no_other(call: Call, saver: AgentMemorySaver) -> None:
    """Its writes that wait for their checkpoint stay."""
    for number in range(130):
        await call(saver.put, *Thread(saver, f"{number}").draft({"run_id": "run"}, n=1))
        if number in (0, 128):
            await call(saver.put, *_next(saver, f"{number}"))
    await call(saver.put_writes, config("128", name(3)), [("n", "early")], "task")
    lose(saver._redis, "{0}:%:head", "{128}:%:head")
    await call(saver.delete_for_runs, ["run"])
    assert [one.thread_id for one in await call(saver.threads.list)] == ["128"]
    thread = Thread(saver, "128")
    thread.step = 2
    await call(saver.put, *thread.draft(n=3))
    [found] = await call(saver.list, config("128"))
    assert found.pending_writes == [("task", "n", "early")]


def _next(saver: AgentMemorySaver, thread_id: str) -> tuple[Any, ...]:
    thread = Thread(saver, thread_id)
    thread.step = 1
    return thread.draft({"run_id": "run"}, n=2)


async def test_a_thread_that_fails_holds_up_no_other(call: Call, saver: AgentMemorySaver) -> None:
    for number in range(130):
        await call(saver.put, *Thread(saver, f"{number}").draft({"run_id": "run"}, n=1))
    run(saver._redis.send(("SET", f"{saver._keys.thread('128')}:%:past", "no hash")))
    with pytest.raises(ResponseError, match="WRONGTYPE"):
        await call(saver.delete_for_runs, ["run"])
    assert [one.thread_id for one in await call(saver.threads.list)] == ["128"]


async def test_a_copy_is_mixed_with_nothing_though_the_namespaces_of_the_target_are_lost(
    call: Call, saver: AgentMemorySaver
) -> None:
    stored: dict[str, Any] = {}
    await grow(call, saver, Thread(saver), stored)
    await call(saver.put, *Thread(saver, "short").draft(n=0))
    lose(saver._redis, "{thread}:spaces")
    await call(saver.copy_thread, "short", "thread")
    assert ids_of(await call(saver.list, config())) == [name(1)]
    assert await call(saver.get_tuple, config(checkpoint_id=name(2))) is None
