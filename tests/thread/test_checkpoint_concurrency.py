"""Many at once: two workers on one thread, threads and tasks on default settings, whole-thread calls meanwhile."""

from __future__ import annotations

import asyncio
import operator
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import HumanMessage
from langgraph.graph import START, StateGraph

from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.thread.checkpoints import Thread, chat, checkpoint, config, keys_in, name, values_of
from tests.thread.conftest import Call

MANY = 32


def whole(found: Any) -> None:
    """A checkpoint as the workers here make them: two lists that agree, and an id that tells their length."""
    if found is not None:
        values = values_of(found)
        assert len(values["messages"]) == len(values["again"]) == int(found.checkpoint["id"]) * 2
        assert values["messages"] == values["again"] == chat(len(values["again"]))


@pytest.fixture
def crowd() -> Callable[..., list[Any]]:
    def crowd(work: Callable[[int], Any], count: int = MANY) -> list[Any]:
        with ThreadPoolExecutor(count) as pool:
            return [*pool.map(work, range(count))]

    return crowd


def test_32_threads_on_their_own_threads(server: Connection, crowd: Callable[..., list[Any]]) -> None:
    saver = AgentMemorySaver(server)

    def work(number: int) -> None:
        thread = Thread(saver, f"{number}")
        for turn in range(1, 8):
            where = thread.put(messages=chat(2 * turn), again=chat(2 * turn))
            saver.put_writes(where, [("n", turn)], "task")
            whole(saver.get_tuple(config(f"{number}")))
        found = [*saver.list(config(f"{number}"))]
        assert [one.pending_writes for one in found] == [[("task", "n", n)] for n in range(7, 0, -1)]

    crowd(work)
    assert len(saver.threads.list(limit=100)) == MANY


async def test_32_tasks_on_their_own_threads(server: Connection) -> None:
    saver = AgentMemorySaver(server)

    async def work(number: int) -> None:
        thread = Thread(saver, f"{number}")
        for turn in range(1, 8):
            where = await thread.aput(messages=chat(2 * turn), again=chat(2 * turn))
            await saver.aput_writes(where, [("n", turn)], "task")
            whole(await saver.aget_tuple(config(f"{number}")))
        found = [one async for one in saver.alist(config(f"{number}"))]
        assert [one.pending_writes for one in found] == [[("task", "n", n)] for n in range(7, 0, -1)]

    await asyncio.gather(*[work(number) for number in range(MANY)])
    assert len(await saver.threads.alist(limit=100)) == MANY


def test_readers_never_see_half_a_checkpoint(plain: Connection, crowd: Callable[..., list[Any]]) -> None:
    """One writer, many readers by every way of reading; whatever they see is whole."""
    saver = AgentMemorySaver(plain)
    done = []

    def work(number: int) -> None:
        if number == 0:
            thread = Thread(saver)
            for turn in range(1, 60):
                thread.put(messages=chat(2 * turn), again=chat(2 * turn))
            done.append(True)
            return
        reader = AgentMemorySaver(plain)
        while not done:
            whole(reader.get_tuple(config()))
            for found in reader.list(config(), limit=3):
                whole(found)
            whole(reader.get_tuple(config(checkpoint_id=name(2))))

    crowd(work, 4)
    assert len([*saver.list(config())]) == 59


def test_two_workers_on_one_thread(plain: Connection, crowd: Callable[..., list[Any]]) -> None:
    """Each with beliefs of its own, each going on from what is newest: nothing is lost, everything is readable."""
    put: list[tuple[str, list[Any]]] = []

    def work(number: int) -> None:
        saver = AgentMemorySaver(plain)
        for turn in range(1, 25):
            newest = saver.get_tuple(config())
            said = [*(values_of(newest)["messages"] if newest else []), HumanMessage(f"{number} {turn} " + "x" * 300)]
            made = checkpoint(f"{turn:04}-{number}", {"messages": said})
            where = saver.put(newest.config if newest else config(), made, {}, made["channel_versions"])
            saver.put_writes(where, [("n", turn)], f"{number}")
            put.append((made["id"], said))

    crowd(work, 4)
    saver = AgentMemorySaver(plain)
    found = [*saver.list(config())]
    assert [(one.checkpoint["id"], values_of(one)["messages"]) for one in found] == sorted(put, reverse=True)
    assert all(len(one.pending_writes or ()) == 1 for one in found)


async def test_every_write_of_a_fan_out(call: Call, server: Connection) -> None:
    """The tasks of a super-step save side by side, some before their checkpoint; the put takes nothing from them."""
    saver = AgentMemorySaver(server)
    thread = Thread(saver)
    for turn in range(1, 6):
        draft = thread.draft(n=turn)
        saves = [call(saver.put_writes, thread.here, [("n", i), ("m", i)], f"task {i}") for i in range(MANY)]
        await asyncio.gather(*saves[:16], call(saver.put, *draft), *saves[16:])
    for found in await call(saver.list, config()):
        assert sorted(write[2] for write in found.pending_writes) == sorted([*range(MANY), *range(MANY)])


class State(TypedDict):
    log: Annotated[list[str], operator.add]


async def test_32_runs_at_once(plain: Connection) -> None:
    """Of one compiled graph, async and from threads, over one saver on default settings."""
    builder = StateGraph(State)
    for i in range(3):
        builder.add_node(f"s{i}", lambda state, i=i: {"log": [f"s{i}"]})
        builder.add_edge(f"s{i - 1}" if i else START, f"s{i}")
    graph = builder.compile(checkpointer=AgentMemorySaver(plain))

    async def talk(number: int) -> Any:
        where: Any = {"configurable": {"thread_id": f"{number}"}}
        for _ in range(3):
            invoke: Any = graph.ainvoke({"log": ["in"]}, where)
            await (invoke if number % 2 else asyncio.to_thread(asyncio.run, invoke))
        return (await graph.aget_state(where)).values["log"]

    logs = await asyncio.gather(*[talk(number) for number in range(MANY)])
    assert logs == [["in", "s0", "s1", "s2"] * 3] * MANY


async def test_writes_before_their_checkpoint(call: Call, server: Connection) -> None:
    """They are kept, and show no checkpoint, no thread."""
    saver = AgentMemorySaver(server)
    for ns in ("", "sub:1"):
        await call(saver.put_writes, config(checkpoint_id=name(1), ns=ns), [("n", 1)], "task", "path")
        await call(
            saver.put_writes, config(checkpoint_id=name(1), ns=ns), [("n", 9), ("__resume__", 1)], "task", "path"
        )
        for where in (config(ns=ns), config(checkpoint_id=name(1), ns=ns)):
            assert await call(saver.get_tuple, where) is None
            assert await call(saver.list, where) == []
    assert await call(saver.list, config(ns=None)) == await call(saver.list, None) == []
    assert await call(saver.threads.list) == []
    for number, ns in ((1, ""), (2, ""), (1, "sub:1")):
        await call(saver.put, config(ns=ns), checkpoint(number), {}, {})
    for found in await call(saver.list, config(checkpoint_id=name(1), ns=None)):
        assert found.pending_writes == [("task", "__resume__", 1), ("task", "n", 1)]


async def test_writes_that_come_after_a_thread_was_deleted(call: Call, server: Connection) -> None:
    saver = AgentMemorySaver(server)
    where = await call(saver.put, *Thread(saver).draft({"user_id": "u"}, messages=chat(9)))
    await call(saver.delete_thread, "thread")
    await call(saver.put_writes, where, [("n", 1)], "task")
    for asked in (config(), where):
        assert await call(saver.get_tuple, asked) is None
    assert await call(saver.list, None) == []
    assert await call(saver.threads.list) == await call(saver.threads.list, user="u") == []
    await call(saver.delete_thread, "thread")
    assert keys_in(server) == []


def test_whole_thread_calls_while_it_is_written(plain: Connection, crowd: Callable[..., list[Any]]) -> None:
    """Prunes and copies between any two puts; what is there stays whole, and the newest is the newest."""
    saver = AgentMemorySaver(plain)
    done = []

    def work(number: int) -> None:
        if number == 0:
            thread = Thread(saver)
            for turn in range(1, 61):  # 60 % 7 is not 3
                thread.put({"run_id": f"r{turn % 7}"}, messages=chat(2 * turn), again=chat(2 * turn))
            done.append(True)
        while not done:
            saver.prune(["thread"])
            saver.copy_thread("thread", f"copy {number}")
            saver.delete_for_runs(["r3"])
            for found in saver.list(None):
                whole(found)

    crowd(work, 3)
    found = saver.get_tuple(config())
    whole(found)
    assert found is not None
    assert found.checkpoint["id"] == name(60)


def test_one_saver_in_many_event_loops(saver: AgentMemorySaver) -> None:
    thread = Thread(saver)
    for turn in range(1, 6):
        asyncio.run(thread.aput(messages=chat(2 * turn), again=chat(2 * turn)))
        whole(saver.get_tuple(config()))
        whole(asyncio.run(saver.aget_tuple(config())))
