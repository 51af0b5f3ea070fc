"""Events are appended once, kept in order, kept as long as their thread, and come back as they were."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, TypedDict

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.graph import START, StateGraph

from langchain_agentmem.errors import ConfigurationError, CorruptDataError, InvalidInputError
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.events.conftest import Call

KEYS = Keys()


def events(n: int, thread_id: str | None = "t", kind: str = "k") -> list[Event]:
    return [Event(kind=f"{kind}.{i}", thread_id=thread_id) for i in range(n)]


def kinds(found: list[Event]) -> list[str]:
    return [event.kind for event in found]


def ask(redis: Connection, *command: Any) -> Any:
    return run(redis.send(command))[0]


async def test_what_is_appended_comes_back_in_order(log: EventLog, call: Call) -> None:
    sent = events(5)
    await call(log, "append", *sent)
    found = await call(log, "recent", "t")
    assert [(event.id, event.kind, event.time) for event in found] == [
        (event.id, event.kind, event.time) for event in sent
    ]
    assert [event.cursor for event in found] == sorted({event.cursor for event in found})
    assert kinds(await call(log, "recent", "t", 2)) == ["k.3", "k.4"]
    assert await call(log, "recent", "another") == []


async def test_nothing_to_append_is_no_error(log: EventLog, call: Call) -> None:
    await call(log, "append")
    assert await call(log, "recent") == []


async def test_replay_starts_and_ends_where_it_is_told(log: EventLog, call: Call) -> None:
    await call(log, "append", *events(3, kind="early"))
    await asyncio.sleep(0.01)
    between = datetime.now(UTC)
    await asyncio.sleep(0.01)
    await call(log, "append", *events(3, kind="late"))
    everything = await call(log, "replay", "t")
    assert kinds(everything) == [f"{word}.{i}" for word in ("early", "late") for i in range(3)]
    assert kinds(await call(log, "replay", "t", since=between)) == kinds(everything[3:])
    assert kinds(await call(log, "replay", "t", until=between)) == kinds(everything[:3])
    assert kinds(await call(log, "replay", "t", after_id=everything[3].cursor)) == kinds(everything[4:])


async def test_replay_reads_beyond_one_page(plain: Connection, call: Call) -> None:
    log = EventLog(plain, max_events=5_000)
    for i in range(3):
        await call(log, "append", *events(400, f"t{i}"))
        await call(log, "append", *events(400, "t0"))
    assert kinds(await call(log, "replay", "t0"))[-1] == "k.399"
    assert len(await call(log, "replay", "t0")) == 1_600
    feed = await call(log, "replay")
    assert len(feed) == 2_400
    assert len({event.id for event in feed}) == 2_400
    stored = [tuple(map(int, event.cursor.split("-"))) for event in feed]
    assert stored == sorted(stored)


async def test_the_feed_has_the_events_of_all_threads_each_in_order(log: EventLog, call: Call) -> None:
    mixed = [Event(kind=str(i), thread_id=f"t{i % 7}") for i in range(70)]
    await call(log, "append", *mixed, Event(kind="of no thread"))
    feed = await call(log, "recent", n=100)
    assert len(feed) == 71
    for thread in range(7):
        of_thread = [event.kind for event in feed if event.thread_id == f"t{thread}"]
        assert of_thread == kinds(await call(log, "recent", f"t{thread}")) == [str(i) for i in range(thread, 70, 7)]


async def test_a_log_can_do_without_a_feed(plain: Connection, call: Call) -> None:
    log = EventLog(plain, feed_shards=0)
    await call(log, "append", *events(2), Event(kind="nowhere"))
    assert len(await call(log, "recent", "t")) == 2
    assert await call(log, "recent") == []
    with pytest.raises(InvalidInputError, match="feed_shards"):
        log.consume("g", "c")


async def test_tenants_do_not_see_each_other(plain: Connection, log: EventLog, call: Call) -> None:
    await call(log, "append", *events(1))
    other = EventLog(plain, tenant="other")
    assert await call(other, "recent", "t") == []
    assert await call(other, "recent") == []


async def test_an_append_that_is_repeated_writes_nothing(plain: Connection, log: EventLog, call: Call) -> None:
    batch = [*events(3), *events(2, "u")]
    commands = log.commands([event.document() for event in batch])
    for _ in range(3):  # as redis-py does when the answer is lost
        await call(log, "send", commands)
    await call(log, "append", *batch)  # as a caller does that got an error
    assert kinds(await call(log, "recent", "t")) == ["k.0", "k.1", "k.2"]
    assert len(await call(log, "recent")) == 5


async def test_a_repeat_that_comes_late_and_out_of_order_writes_nothing(log: EventLog) -> None:
    parcels = [log.commands([event.document() for event in events(2, kind=f"p{i}")]) for i in range(50)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(log.send, [parcel for i in range(50) for parcel in (parcels[i], parcels[i // 2])]))
    found = kinds(log.recent("t", 500))
    assert sorted(found) == sorted(f"p{i}.{j}" for i in range(50) for j in range(2))


def test_what_failed_half_way_is_not_taken_for_done(plain: Connection, log: EventLog) -> None:
    ask(plain, "SET", KEYS.events("t"), "something else")
    commands = log.commands([Event(kind="k", thread_id="t").document()])
    with pytest.raises(Exception, match="WRONGTYPE"):
        log.send(commands)
    ask(plain, "DEL", KEYS.events("t"))
    log.send(commands)
    assert kinds(log.recent("t")) == ["k"]


def test_the_notes_of_what_was_written_do_not_pile_up(plain: Connection, log: EventLog) -> None:
    for _ in range(20):
        log.append(*events(3))
    seen = KEYS.seen(KEYS.events("t"))
    assert ask(plain, "ZCARD", seen) == 20
    assert 0 < ask(plain, "PTTL", seen) <= 120_000
    long_ago = int(1000 * time.time()) - 121_000
    for member in ask(plain, "ZRANGE", seen, 0, -1):
        ask(plain, "ZADD", seen, long_ago, member)
    log.append(*events(1))
    assert ask(plain, "ZCARD", seen) == 1


async def test_a_stream_keeps_about_so_many(plain: Connection, call: Call) -> None:
    log = EventLog(plain, max_events=200, feed_max_events=400, feed_shards=1)
    for _ in range(30):
        await call(log, "append", *events(100))
    assert 200 <= len(await call(log, "replay", "t")) <= 300
    assert 400 <= len(await call(log, "replay")) <= 500


async def test_trim_and_delete(plain: Connection, log: EventLog, call: Call) -> None:
    await call(log, "append", *events(10))
    assert await call(log, "trim", "t", 4) == 6
    assert kinds(await call(log, "recent", "t")) == ["k.6", "k.7", "k.8", "k.9"]
    await call(log, "delete", "t")
    assert await call(log, "recent", "t") == []
    assert ask(plain, "KEYS", "*:events:*") == []


# As long as the thread


def test_without_a_thread_events_are_kept_for_a_while(plain: Connection) -> None:
    log = EventLog(plain, retention=50)
    log.append(*events(1))
    assert 40_000 < ask(plain, "PTTL", KEYS.events("t")) <= 50_000
    assert ask(plain, "PTTL", KEYS.feed(0)) in {-1, -2}


@pytest.mark.parametrize("hour", [-1, 1])
def test_events_expire_no_sooner_than_their_thread(plain: Connection, log: EventLog, hour: int) -> None:
    at = int(1000 * time.time()) + hour * 3_600_000
    ask(plain, "HSET", KEYS.thread("t"), "at", at, "ttl", 3_600_000)
    log.append(*events(1))
    expiry = ask(plain, "PEXPIRETIME", KEYS.events("t"))
    assert expiry == (at if hour > 0 else -1)  # an instant that has passed says nothing: better kept than lost


def test_events_of_a_thread_that_never_expires_never_do(plain: Connection, log: EventLog) -> None:
    log.append(*events(1))
    ask(plain, "HSET", KEYS.thread("t"), "user", "u")
    log.append(*events(1))
    assert ask(plain, "PTTL", KEYS.events("t")) == -1


def test_events_from_before_the_first_checkpoint_stay_as_long_as_the_thread(plain: Connection, log: EventLog) -> None:
    log.append(*events(1))
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    AgentMemorySaver(plain).put(config, empty_checkpoint(), {}, {})
    assert ask(plain, "PTTL", KEYS.events("t")) == -1


# Checkpoints and memories


class State(TypedDict):
    x: int


def two_steps(recall: Any) -> Any:
    graph = StateGraph(State)
    graph.add_node("plan", lambda state: {"x": state["x"] + 1})
    graph.add_node("recall", recall)
    graph.add_edge(START, "plan")
    graph.add_edge("plan", "recall")
    return graph


async def test_the_saver_logs_each_checkpoint_with_its_put(plain: Connection, log: EventLog, call: Call) -> None:
    saver = AgentMemorySaver(plain, events=log, ttl=1000)
    graph = two_steps(lambda state: {"x": 5}).compile(checkpointer=saver)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    await call(_Graph(graph), "invoke", {"x": 1}, config)
    stored = list(graph.get_state_history(config))[::-1]
    found = await call(log, "recent", "t")
    assert [event.kind for event in found] == ["checkpoint"] * len(stored)
    assert [event.checkpoint_id for event in found] == [s.config["configurable"]["checkpoint_id"] for s in stored]
    assert [event.step for event in found] == [-1, 0, 1, 2]
    assert [event.data["source"] for event in found] == ["input", "loop", "loop", "loop"]
    assert [event.data["parent_id"] for event in found[1:]] == [event.checkpoint_id for event in found[:-1]]
    assert all("x" in event.data["channels"] for event in found[1:])
    assert all(event.data["size"] > 0 and event.namespace == "" for event in found)


def test_events_expire_with_the_thread_that_was_just_put(plain: Connection, log: EventLog) -> None:
    saver = AgentMemorySaver(plain, events=log, ttl=1000)
    config: RunnableConfig = {"configurable": {"thread_id": "t", "checkpoint_ns": ""}}
    saver.put(config, empty_checkpoint(), {"source": "input", "step": -1}, {})
    assert ask(plain, "PEXPIRETIME", KEYS.events("t")) == int(ask(plain, "HGET", KEYS.thread("t"), "at"))


class _Graph:
    """A graph under the names that `call` knows."""

    def __init__(self, graph: Any) -> None:
        self.invoke, self.ainvoke = graph.invoke, graph.ainvoke


async def test_which_memories_were_used_in_a_step(plain: Connection, log: EventLog, call: Call) -> None:
    async def recall(state: State, config: RunnableConfig) -> State:
        memories = {f"m{state['x']}": 0.9, "m0": 0.5}
        await plain.send(*log.memory("recalled", memories, query="why? sk-abcdefghij0123456789", config=config))
        return {"x": state["x"]}

    graph = two_steps(recall).compile(checkpointer=AgentMemorySaver(plain, events=log))
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    for x in (1, 7):
        await graph.ainvoke({"x": x}, config)
    steps = [s for s in graph.get_state_history(config) if s.next == ("recall",)]
    used = [await call(log, "memories_used", "t", s.config["configurable"]["checkpoint_id"]) for s in steps]
    assert [[(memory.id, memory.score, memory.node) for memory in memories] for memories in used] == [
        [("m8", 0.9, "recall"), ("m0", 0.5, "recall")],
        [("m2", 0.9, "recall"), ("m0", 0.5, "recall")],
    ]
    assert await call(log, "memories_used", "t", "unknown") == []
    event = next(event for event in log.replay("t") if event.kind == "memory.recalled")
    assert event.data["query"] == "why? ***"
    assert (event.node, event.step, event.namespace) == ("recall", 2, "")


def test_memories_used_inside_a_subgraph_are_found_from_the_graph_around(plain: Connection, log: EventLog) -> None:
    def recall(state: State) -> State:
        run(plain.send(*log.memory("recalled", ["m1"])))
        return state

    inner = StateGraph(State)
    inner.add_node("recall", recall)
    inner.add_edge(START, "recall")
    graph = two_steps(inner.compile()).compile(checkpointer=AgentMemorySaver(plain))
    config: RunnableConfig = {"configurable": {"thread_id": "t"}}
    graph.invoke({"x": 1}, config)
    (outer,) = [s for s in graph.get_state_history(config) if s.next == ("recall",)]
    (used,) = log.memories_used("t", outer.config["configurable"]["checkpoint_id"])
    assert (used.id, used.score) == ("m1", None)
    (event,) = log.recent("t")
    assert [u.id for u in log.memories_used("t", event.checkpoint_id or "")] == ["m1"]
    assert event.checkpoint_id != outer.config["configurable"]["checkpoint_id"]


@pytest.mark.parametrize("action", ["remembered", "corrected", "forgotten", "promoted"])
def test_memory_events_outside_of_a_graph(plain: Connection, log: EventLog, action: Any) -> None:
    run(plain.send(*log.memory(action, ["m1", "m2"], thread_id="t")))
    (event,) = log.recent("t")
    assert event.kind == f"memory.{action}"
    assert event.data["memories"] == [["m1", None], ["m2", None]]


# Any content


TEXT = st.text(st.characters(codec="utf-8") | st.sampled_from("\ud800\udfff\n\0"), max_size=20)


@given(thread_id=TEXT, node=TEXT, step=st.integers(-(2**63), 2**63 - 1), name=TEXT)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_comes_back(plain: Connection, log: EventLog, thread_id: str, node: str, step: int, name: str) -> None:
    event = Event(kind="k", thread_id=thread_id, node=node, name=name, step=step)
    log.append(event)
    found = log.recent(thread_id, 1)[0]
    assert (found.id, found.thread_id, found.node, found.name, found.step) == (event.id, thread_id, node, name, step)


def test_data_that_json_has_no_form_for_is_made_plain(log: EventLog) -> None:
    data = {"when": datetime.now(UTC), "deep": [{1: {"a"}}], "many": "x" * 10_000, "password": "hunter2"}
    log.append(Event(kind="k", thread_id="t", data=data, payload=object()))
    (event,) = log.recent("t")
    assert event.data["when"] == "<datetime>"
    assert event.data["deep"] == [{"1": ["a"]}]
    assert len(event.data["many"]) < 2_100
    assert event.data.get("password", "***") != "hunter2"
    assert event.payload == "<object>"


@pytest.mark.parametrize("entry", [("other", "x"), ("event", "{"), ("event", "[]"), ("event", "{}")])
def test_entries_of_others_are_refused(plain: Connection, log: EventLog, entry: tuple[str, str]) -> None:
    ask(plain, "XADD", KEYS.events("t"), "*", *entry)
    with pytest.raises(CorruptDataError, match="not an event"):
        log.recent("t")


def test_fields_of_a_later_version_are_left_out(plain: Connection, log: EventLog) -> None:
    ask(plain, "XADD", KEYS.events("t"), "*", "event", '{"kind":"k","time":1.5,"id":"i","mood":"fine"}')
    (event,) = log.recent("t")
    assert event.time == datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=1.5)


# Bad input


@pytest.mark.parametrize(
    ("settings_", "named"),
    [({"max_events": 0}, "max_events"), ({"retention": 0}, "retention"), ({"feed_shards": -1}, "feed_shards")],
)
def test_settings_that_cannot_work_are_refused(plain: Connection, settings_: dict[str, Any], named: str) -> None:
    with pytest.raises(InvalidInputError, match=named):
        EventLog(plain, **settings_)


def test_a_source_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="redis"):
        EventLog(5)  # type: ignore[arg-type]


async def test_arguments_that_cannot_be_used_are_refused(log: EventLog, call: Call) -> None:
    with pytest.raises(InvalidInputError, match=r"since.*zone"):
        await call(log, "replay", "t", since=datetime(2026, 1, 1))  # noqa: DTZ001
    with pytest.raises(InvalidInputError, match="after_id"):
        await call(log, "replay", "t", after_id="yesterday")
    with pytest.raises(InvalidInputError, match="after_id"):
        await call(log, "replay", after_id="5-0")
    with pytest.raises(InvalidInputError, match="n:"):
        await call(log, "recent", "t", 0)
    with pytest.raises(InvalidInputError, match="keep"):
        await call(log, "trim", "t", -1)
    for unusable in ({"kind": ""}, {"kind": None}, {"kind": "k", "thread_id": 5}):
        with pytest.raises(InvalidInputError, match="events: kind"):
            await call(log, "append", Event(**unusable))


def test_a_log_closes_what_it_opened(plain_url: str) -> None:
    log = EventLog(plain_url)
    log.append(*events(1, "closing"))
    log.close()
    assert kinds(log.recent("closing"))[-1] == "k.0"  # and opens it anew
    log.close()
