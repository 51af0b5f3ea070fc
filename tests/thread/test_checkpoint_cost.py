"""What a call costs, counted and not timed: round trips, bytes on the wire, keys and memory of the server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.base import CheckpointTuple

from benchmarks.tap import Tap
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, config, keys_in, name, values_of
from tests.thread.conftest import Call


@pytest.fixture
def tap(server: Connection) -> Iterator[Tap]:
    """A tap on the line to an empty server that knows the scripts already."""
    run(server.send(("SCRIPT", "FLUSH")))
    with Tap(server._way[0].url) as tap:  # type: ignore[index]
        yield tap


@pytest.fixture(params=[{}, {"ttl": 3600, "refresh_on_read": True}], ids=["plain", "with ttl"])
async def tapped(request: pytest.FixtureRequest, call: Call, tap: Tap) -> Any:
    """A saver behind the tap, which has used each of its scripts once."""
    async with AgentMemorySaver(tap.url, **request.param) as saver:
        where = await call(saver.put, *Thread(saver, "warm").draft({"run_id": "r"}, n=1))
        await call(saver.put_writes, where, [("n", 1)], "t")
        await call(saver.get_tuple, where)
        await call(saver.get_delta_channel_history, config=where, channels=["n"])
        await call(saver.copy_thread, "warm", "copy")
        await call(saver.pin, "copy")
        await call(saver.prune, ["copy"])
        await call(saver.delete_for_runs, ["r"])
        for thread_id in ("warm", "copy"):
            await call(saver.delete_thread, thread_id)
        yield saver


async def test_one_round_trip_each(call: Call, tap: Tap, tapped: AgentMemorySaver) -> None:
    """Whatever the length of the thread; a hit and a miss alike."""
    saver, thread = tapped, Thread(tapped)
    for turn in range(1, 60):
        draft = thread.draft({"run_id": "r"}, messages=chat(2 * turn), n=turn)
        with tap.counting() as put:
            where = await call(saver.put, *draft)
        with tap.counting() as wrote:
            await call(saver.put_writes, where, [("messages", chat(2)), ("n", 1)], "task")
        assert (put[2], wrote[2]) == (1, 1), turn
    channels = ["messages", "absent"]
    calls: dict[str, Any] = {
        "unchanged": lambda: call(saver.put, *thread.draft()),
        "put behind": lambda: call(saver.put, config(), *Thread(saver).draft(n=1)[1:]),
        "same put again": lambda: call(saver.put, config(), *Thread(saver).draft(n=1)[1:]),
        "late writes": lambda: call(saver.put_writes, config("thread", name(999)), [("n", 1)], "t"),
        "newest": lambda: call(saver.get_tuple, config()),
        "by id": lambda: call(saver.get_tuple, config("thread", name(30))),
        "no thread": lambda: call(saver.get_tuple, config("other")),
        "no namespace": lambda: call(saver.get_tuple, config(ns="node:1")),
        "no such id": lambda: call(saver.get_tuple, config("thread", "x")),
        "page": lambda: call(saver.list, config(), limit=10),
        "all": lambda: call(saver.list, config()),
        "filtered": lambda: call(saver.list, config(ns=None), filter={"step": 3}),
        "delta": lambda: call(saver.get_delta_channel_history, config=config(), channels=channels),
        "pin": lambda: call(saver.pin, "thread"),
        "prune": lambda: call(saver.prune, ["thread", "other"]),
        "delete": lambda: call(saver.delete_thread, "thread"),
    }
    counted = {}
    for what, use in calls.items():
        with tap.counting() as cost:
            await use()
        counted[what] = cost[2]
    assert counted == dict.fromkeys(calls, 1)


async def test_the_other_calls(call: Call, saver: AgentMemorySaver, sends: list[int]) -> None:
    """Counted by pipelines: a long one's first answers may come before its last commands have left."""
    for number in range(120):
        await call(saver.put, *Thread(saver, f"{number}").draft({"run_id": f"r{number % 2}"}, n=1))
    calls: dict[str, tuple[int, Any]] = {
        "copy": (2, lambda: call(saver.copy_thread, "1", "2")),
        "threads": (2, lambda: call(saver.threads.list)),
        "a hundred threads": (2, lambda: call(saver.threads.list, limit=100)),
        "runs": (2 * 2, lambda: call(saver.delete_for_runs, ["r0"])),
    }
    for what, (expected, use) in calls.items():
        sends.clear()
        await use()
        assert len([count for count in sends if count]) == expected, what


async def test_set_up_costs_nothing(saver: AgentMemorySaver) -> None:
    """Other savers ask for `setup()`, `await setup()` or `await asetup()`: their users change one import."""
    saver.setup()
    await saver.setup()
    await saver.asetup()
    assert keys_in(saver._redis) == []


async def test_a_belief_that_is_wrong_costs_one_more_trip(call: Call, tap: Tap, tapped: AgentMemorySaver) -> None:
    thread = Thread(tapped)
    await call(tapped.put, *thread.draft(messages=chat(10), n=1))
    run(AgentMemorySaver(tap.url)._redis.send(("DEL", *keys_in(tapped._redis))))
    draft = thread.draft(messages=chat(12))
    with tap.counting() as cost:
        await call(tapped.put, *draft)
    assert cost[2] == 2
    assert values_of(await call(tapped.get_tuple, config())) == {"messages": chat(12), "n": 1}


@pytest.mark.parametrize("length", [20, 200, 1000])
async def test_bytes_that_a_put_sends(call: Call, tap: Tap, tapped: AgentMemorySaver, length: int) -> None:
    """A put that adds a message sends that message, at any length; one that adds none, less than a kilobyte."""
    thread = Thread(tapped)
    await call(tapped.put, *thread.draft(messages=chat(length)))
    for more in (1, 2):
        draft = thread.draft(messages=chat(length + more))
        with tap.counting() as grown:
            await call(tapped.put, *draft)
        assert grown[0] <= 3000
    draft = thread.draft(n=1)
    with tap.counting() as unchanged:
        await call(tapped.put, *draft)
    assert unchanged[0] <= 1000
    assert values_of(await call(tapped.get_tuple, config())) == {"messages": chat(length + 2), "n": 1}


async def test_a_worker_that_has_only_read_sends_as_little(call: Call, tap: Tap, tapped: AgentMemorySaver) -> None:
    thread = Thread(tapped)
    await call(tapped.put, *thread.draft(messages=chat(200)))
    async with AgentMemorySaver(tap.url) as other:
        await call(other.get_tuple, config())
        draft = thread.draft(messages=chat(202))
        with tap.counting() as cost:
            await call(other.put, *draft)
    assert cost[2] == 1
    assert cost[0] <= 3000


async def test_the_keys_of_a_thread(call: Call, server: Connection) -> None:
    """Two, and three for each namespace, whatever the length; all in one slot of a cluster."""
    saver = AgentMemorySaver(server)
    for spaces, ns in enumerate(["", "a:1", "b"], 1):
        thread = Thread(saver, "th{read", ns)
        for turn in range(1, 30):
            where = await call(saver.put, *thread.draft({"run_id": f"{turn}"}, messages=chat(turn), n=turn))
            await call(saver.put_writes, where, [("n", 1)], f"task {turn}")
            assert len(keys_in(server, "*:thread:*")) <= 2 + 3 * spaces
        found = keys_in(server, "*:thread:*")
        assert len(found) == 2 + 3 * spaces
        assert {key[key.index("{") : key.index("}") + 1] for key in found} == {"{th%7Bread}"}


def used(connection: Connection) -> int:
    keys = keys_in(connection, "*:thread:*")
    return sum(run(connection.send(*[("MEMORY", "USAGE", key, "SAMPLES", 0) for key in keys])))


async def test_memory_grows_with_what_is_said(call: Call, server: Connection) -> None:
    """Every checkpoint of a chat names all its messages; the server holds each once."""
    saver, taken = AgentMemorySaver(server), {}
    thread = Thread(saver)
    for turn in range(1, 101):
        where = await call(saver.put, *thread.draft(messages=chat(2 * turn)))
        await call(saver.put_writes, where, [("messages", chat(1))], "task")
        taken[turn] = used(server) if turn in (25, 50, 100) else 0
    assert taken[100] < 2.3 * taken[50]
    assert taken[50] < 2.3 * taken[25]
    assert taken[100] < 5 * len(str(chat(200)))
    found: list[CheckpointTuple] = await call(saver.list, config())
    assert [len(values_of(one)["messages"]) for one in found] == [2 * turn for turn in range(100, 0, -1)]


async def test_memory_of_replays_and_alternating_branches(call: Call, saver: AgentMemorySaver) -> None:
    """A put that arrives twice leaves nothing more; and what pruning leaves is one checkpoint's worth."""
    server = saver._redis
    thread = Thread(saver)
    draft = thread.draft(messages=chat(100))
    await call(saver.put, *draft)
    alone = used(server)
    for _ in range(5):
        await call(saver.put, *draft)
        await call(AgentMemorySaver(server).put, *draft)
    assert used(server) == pytest.approx(alone, rel=0.02)
    for turn in range(20):
        await call(saver.put, *thread.draft(messages=chat(100)[: 90 + turn % 3] + chat(1)))
    await call(saver.prune, ["thread"])
    assert used(server) < 1.5 * alone
