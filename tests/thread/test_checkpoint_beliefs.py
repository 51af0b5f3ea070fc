"""What a process believes the server to hold may be wrong: what is read afterwards is always what was put."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Command, Connection
from tests.thread.checkpoints import (
    Thread,
    chat,
    checkpoint,
    config,
    expiries_in,
    ids_of,
    keys_in,
    lose,
    name,
    values_of,
)
from tests.thread.conftest import Call

CHUNK = 8192


LOSSES: dict[str, Callable[[Connection], Any]] = {
    "flushed": lambda redis: run(redis.send(("FLUSHALL",))),
    "head": lambda redis: lose(redis, ":head"),
    "head and past": lambda redis: lose(redis, ":head", ":past"),
    "all but the ids": lambda redis: lose(redis, ":head", ":past", ":spaces", "}"),
    "past": lambda redis: lose(redis, ":past"),
    "ids": lambda redis: lose(redis, ":ids"),
    "thread": lambda redis: lose(redis, "}"),
    "namespaces": lambda redis: lose(redis, ":spaces"),
    "registry": lambda redis: run(redis.send(("DEL", *keys_in(redis, "*:threads*")))),
    "scripts": lambda redis: run(redis.send(("SCRIPT", "FLUSH"))),
}
KEEPS_HEAD = {"past", "ids", "thread", "namespaces", "registry", "scripts"}


@pytest.mark.parametrize("loss", LOSSES)
async def test_keys_that_went_away(call: Call, server: Connection, loss: str) -> None:
    """Between two puts of a process that goes on as if nothing had happened. What is lost is gone, never mixed up."""
    saver = AgentMemorySaver(server)
    thread = Thread(saver)
    stored: dict[str, Any] = {}
    for turn in range(1, 4):
        await call(saver.put, *thread.draft(messages=chat(20 * turn), kept="once", n=turn))
        stored[name(turn)] = dict(thread.values)
    LOSSES[loss](server)
    found = await call(saver.get_tuple, config())
    assert (found is not None) == (loss in KEEPS_HEAD)

    # The thread as it is now: any of what was stored, as it was.
    for one in await call(saver.list, config(ns="")):
        assert values_of(one) == stored[one.checkpoint["id"]]

    # Only two channels changed; the new messages continue a list that the server may not have.
    other: dict[str, Any] = {"messages": [*chat(60), AIMessage("other")], "n": 4}
    await call(saver.put, *thread.draft(**other))
    stored[name(4)] = {**other, "kept": "once"}
    await call(saver.put, *thread.draft(messages=[*other["messages"], HumanMessage("last")]))
    stored[name(5)] = {**stored[name(4)], "messages": [*other["messages"], HumanMessage("last")]}
    found = await call(saver.list, config(ns=None))
    assert ids_of(found)[:2] == [name(5), name(4)]
    for one in found:
        assert values_of(one) == stored[one.checkpoint["id"]]
        assert await call(saver.get_tuple, one.config) == one
    assert values_of(await call(AgentMemorySaver(server).get_tuple, config())) == stored[name(5)]
    await call(saver.prune, ["thread"])
    assert values_of(await call(saver.get_tuple, config())) == stored[name(5)]
    assert [one.thread_id for one in await call(saver.threads.list)] == ["thread"]
    await call(saver.delete_thread, "thread")
    assert await call(saver.get_tuple, config()) is None


async def test_writes_wait_for_their_checkpoint_though_the_head_is_lost(call: Call, saver: AgentMemorySaver) -> None:
    thread = Thread(saver)
    for _ in range(2):
        await call(saver.put_writes, await call(saver.put, *thread.draft(messages=chat(9))), [("n", "old")], "t")
    lose(saver._redis, ":head")
    await call(saver.put_writes, config("thread", name(3)), [("n", "new")], "t")
    assert await call(saver.list, config()) == []
    await call(saver.put, *thread.draft(n=1))
    [found] = await call(saver.list, config())
    assert found.pending_writes == [("t", "n", "new")]
    assert values_of(found) == {"messages": chat(9), "n": 1}


async def test_a_thread_whose_registry_is_lost_does_not_begin_to_expire(call: Call, saver: AgentMemorySaver) -> None:
    """Writes for a checkpoint that is there are no orphans, whatever else is not there."""
    thread = Thread(saver)
    where = await call(saver.put, *thread.draft({"run_id": "r"}, n=1))
    lose(saver._redis, "}")
    await call(saver.put_writes, where, [("n", 1)], "task")
    assert set(expiries_in(saver._redis).values()) == {-1}
    await call(saver.put_writes, config(checkpoint_id=name(2)), [("n", 2)], "early")
    await call(saver.put, *thread.draft({"run_id": "r"}, n=2))
    await call(saver.put, *thread.draft({"run_id": "r"}, n=3))
    await call(saver.put_writes, thread.here, [("n", 3)], "task")
    assert set(expiries_in(saver._redis).values()) == {-1}
    lose(saver._redis, "}")
    await call(saver.put_writes, config(checkpoint_id=name(1), ns="sub"), [("n", 1)], "early")
    await call(saver.put, *thread.draft({"run_id": "r"}, n=4))
    assert set(expiries_in(saver._redis).values()) == {-1}


async def test_messages_changed_in_place_are_seen(call: Call, saver: AgentMemorySaver) -> None:
    """No cache trusts the identity of an object: the same list with the same messages, edited."""
    thread, messages = Thread(saver), chat(30)
    await call(saver.put, *thread.draft(messages=messages))
    edits: list[Callable[[], Any]] = [
        lambda: setattr(messages[3], "content", "edited"),
        lambda: setattr(messages[3], "content", "editeD"),
        lambda: messages[-1].additional_kwargs.update(k=1),
        lambda: messages.pop(0),
        lambda: messages.append(AIMessage("one more")),
        messages.reverse,
        messages.clear,
    ]
    snapshots = [chat(30)]
    for edit in edits:
        edit()
        await call(saver.put, *thread.draft(messages=messages))
        snapshots.append([message.model_copy(deep=True) for message in messages])
        assert values_of(await call(saver.get_tuple, config()))["messages"] == messages
    found = await call(saver.list, config())
    assert [values_of(one)["messages"] for one in reversed(found)] == snapshots


async def test_another_worker_with_a_list_of_equal_length(call: Call, saver: AgentMemorySaver) -> None:
    """Length alone tells nothing; the server compares what the bytes are."""
    other = AgentMemorySaver(saver._redis)
    one, two = Thread(saver), Thread(other)
    first = [HumanMessage(f"{i:04} " + "a" * 100) for i in range(20)]
    second = [HumanMessage(f"{i:04} " + "b" * 100) for i in range(20)]
    await call(saver.put, *one.draft(messages=first))
    two.step = 1
    await call(other.put, *two.draft(messages=second))
    one.step = 2
    await call(saver.put, *one.draft(messages=[*first, HumanMessage("one")]))
    two.step = 3
    await call(other.put, *two.draft(messages=[*second, HumanMessage("two")]))
    expected = [[*second, HumanMessage("two")], [*first, HumanMessage("one")], second, first]
    assert [values_of(found)["messages"] for found in await call(saver.list, config())] == expected


async def test_branches_of_one_list(call: Call, saver: AgentMemorySaver) -> None:
    """Three branches continue one list from one point, in chunks that fill up, in turns."""
    trunk = [HumanMessage(f"{i} " + "x" * 900) for i in range(12)]
    root = Thread(saver)
    base = await call(saver.put, *root.draft(messages=trunk))
    branches = dict.fromkeys("abc", (base, trunk))
    expected, number = {name(1): trunk}, 1
    for turn in range(12):
        for key in branches if turn % 2 else reversed(branches):
            parent, said = branches[key]
            said = [*said, HumanMessage(f"{key}{turn} " + "y" * 700 * (turn % 3))]
            number += 1
            new = {"messages": f"{number}.{key}"}
            where = await call(saver.put, parent, checkpoint(number, {"messages": said}, new), {}, new)
            expected[name(number)] = said
            branches[key] = (where, said)
    found = await call(saver.list, config())
    assert len(found) == number
    for one in found:
        assert values_of(one)["messages"] == expected[one.checkpoint["id"]]
        assert values_of(await call(saver.get_tuple, one.config))["messages"] == expected[one.checkpoint["id"]]


async def test_a_list_that_ends_exactly_with_a_chunk(call: Call, saver: AgentMemorySaver) -> None:
    """Around the ends of chunks; and a branch from exactly there."""
    for off in (-1, 0, 1, CHUNK - 1, CHUNK):
        thread = Thread(saver, f"{off}")
        item = "x" * 1021  # with its header 1024 bytes
        items = [item] * 7 + ["x" * (1021 + off % CHUNK)]
        longer = [*items, "y", "z" * 2000]
        shorter = [*items, "w"]
        for value in (items, longer, shorter, items, [*shorter, "v"], longer):
            await call(saver.put, *thread.draft(items=value))
            assert values_of(await call(saver.get_tuple, config(f"{off}")))["items"] == value
        found = await call(saver.list, config(f"{off}"))
        assert [values_of(one)["items"] for one in found] == [longer, [*shorter, "v"], items, shorter, longer, items]


LISTS = st.lists(st.integers(0, 40).map(lambda n: chr(97 + n % 26) * n * 40), max_size=12)


@settings(deadline=None, max_examples=40, suppress_health_check=list(HealthCheck))
@given(turns=st.lists(st.tuples(st.integers(0, 12), LISTS, st.integers(0, 1)), max_size=10))
def test_lists_of_any_history(plain: Connection, turns: list[tuple[int, list[str], int]]) -> None:
    """Cut anywhere, continued with anything, by one of two workers: every checkpoint keeps its own list."""
    run(plain.send(("FLUSHALL",)))
    savers = [AgentMemorySaver(plain), AgentMemorySaver(plain)]
    thread = Thread(savers[0])
    value: list[str] = []
    expected: list[list[str]] = []
    for cut, more, worker in turns:
        value = [*value[:cut], *more]
        savers[worker].put(*thread.draft(items=value))
        expected.append(value)
        assert values_of(savers[1 - worker].get_tuple(config()))["items"] == value
    assert [values_of(one)["items"] for one in savers[0].list(config())] == expected[::-1]


async def test_a_thread_that_goes_away_between_two_tries(
    call: Call, server: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first finds a list that another worker changed, the second a thread that is not there any more."""
    mine, other = (Thread(AgentMemorySaver(server)) for _ in range(2))
    await call(mine.saver.put, *mine.draft(messages=chat(5), kept="once"))
    other.values, other.versions, other.step = dict(mine.values), dict(mine.versions), mine.step
    await call(other.saver.get_tuple, config())
    await call(other.saver.put, *other.draft(messages=chat(6)))
    send, answers = server.send, list[Any]()

    async def expires_meanwhile(*commands: Command, **options: Any) -> list[Any]:
        replies = await send(*commands, **options)
        answers.append(replies[0])
        if replies[0] == b"STALE":
            await send(("FLUSHALL",))
        return replies

    monkeypatch.setattr(server, "send", expires_meanwhile)
    await call(mine.saver.put, *mine.draft(messages=chat(7)))
    assert answers == [b"STALE", b"LOST", b"OK"]
    assert values_of(await call(mine.saver.get_tuple, config())) == {"messages": chat(7), "kept": "once"}


@pytest.fixture
def twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every pipeline arrives twice, as when redis-py repeats one whose answer was lost."""
    for method in ("_round", "_around"):
        monkeypatch.setattr(Connection, method, _repeated(getattr(Connection, method)))


def _repeated(method: Callable[..., Any]) -> Callable[..., Any]:
    if asyncio.iscoroutinefunction(method):

        async def again(self: Connection, commands: list[Command]) -> Any:
            await method(self, commands)
            return await method(self, commands)

        return again

    def again_sync(self: Connection, commands: list[Command]) -> Any:
        method(self, commands)
        return method(self, commands)

    return again_sync


async def story(call: Call, saver: AgentMemorySaver, look: Callable[[], Any]) -> list[Any]:
    """Something of everything, and all there is to see after each step."""
    thread = Thread(saver)
    seen = []
    for turn in range(1, 4):
        facts = {"run_id": f"r{turn}", "user_id": "u"}
        where = await call(saver.put, *thread.draft(facts, messages=chat(10 * turn), n=turn, items=["x" * 700]))
        await call(saver.put_writes, where, [("n", 1), ("__error__", 1)], "task")
        await call(saver.put_writes, where, [("n", 2), ("__error__", 2)], "task")
        seen.append(await look())
    fork = {"messages": "fork"}
    await call(saver.put, config(checkpoint_id=name(1)), checkpoint(9, {"messages": chat(15)}, fork), {}, fork)
    seen.append(await look())
    await call(saver.put, config(), checkpoint(0, {"messages": chat(15)}), {}, {"messages": name(0)})
    await call(saver.put_writes, config(checkpoint_id=name(10)), [("n", 1)], "early")
    seen.append(await look())
    await call(saver.copy_thread, "thread", "copy")
    await call(saver.delete_for_runs, ["r2"])
    seen.append(await look())
    await call(saver.prune, ["copy"])
    seen.append(await look())
    await call(saver.delete_thread, "thread")
    seen.append(await look())
    return seen


async def test_everything_arriving_twice(
    call: Call, server: Connection, request: pytest.FixtureRequest, sends: list[int]
) -> None:
    """Leaves what arriving once leaves."""
    saver = AgentMemorySaver(server)

    async def look() -> Any:
        threads = [(one.thread_id, one.checkpoint_id, one.metadata) for one in await call(saver.threads.list)]
        return [one._asdict() for one in await call(saver.list, None)], sorted(threads), len(keys_in(server))

    once = await story(call, saver, look)
    alone = sends.copy()
    run(server.send(("FLUSHALL",)))
    request.getfixturevalue("twice")
    saver, sends[:] = AgentMemorySaver(server), []
    assert await story(call, saver, look) == once
    assert sends == alone, "a replay answers what the first answered, so nothing is sent again"
