"""Every execution becomes events, in order, whatever the graph does and however it runs."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any
from uuid import UUID, uuid4

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import FakeListLLM, GenericFakeChatModel
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph
from langgraph.types import Command, RetryPolicy, Send, interrupt

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.wire.connection import Connection
from tests.events.conftest import Call
from tests.events.graphs import Runner, State, chain, config, one, shown, told


async def test_a_node_starts_and_ends(log: EventLog, tracer: EventTracer, call: Call) -> None:
    graph = chain(("a", one), ("b", one)).compile(checkpointer=InMemorySaver())
    await call(Runner(graph), "invoke", {}, config(tracer))
    events = told(log, tracer)
    assert shown(events) == [
        ("run.start", "LangGraph"),
        ("node.start", "a"),
        ("node.end", "a"),
        ("node.start", "b"),
        ("node.end", "b"),
        ("run.end", "LangGraph"),
    ]
    start, end = events[1:3]
    assert (start.thread_id, start.namespace, start.step, start.attempt, start.status) == ("t", "", 1, 1, None)
    assert (end.run_id, end.task_id, end.status) == (start.run_id, start.task_id, "ok")
    assert start.task_id
    assert end.duration is not None
    assert 0 <= end.duration < (events[-1].duration or 0)
    assert {event.trace_id for event in events} == {events[0].run_id}
    assert start.parent_run_id == events[0].run_id
    assert [event.payload for event in events] == [None] * 6
    assert [event.time for event in events] == sorted(event.time for event in events)


async def test_branches_and_sends_are_each_seen_once(log: EventLog, tracer: EventTracer, call: Call) -> None:
    graph = chain(("split", one))
    graph.add_node("work", one)
    graph.add_node("join", one)
    graph.add_conditional_edges("split", lambda _: [Send("work", {"x": [i]}) for i in range(6)])
    graph.add_edge("work", "join")
    await call(Runner(graph.compile()), "invoke", {}, config(tracer))
    events = told(log, tracer)
    kinds = shown(events, kind="node")
    assert Counter(kinds) == {
        **{("node.start", name): n for name, n in (("split", 1), ("work", 6), ("join", 1))},
        **{("node.end", name): n for name, n in (("split", 1), ("work", 6), ("join", 1))},
    }
    assert kinds[:2] == [("node.start", "split"), ("node.end", "split")]
    assert kinds[-2:] == [("node.start", "join"), ("node.end", "join")]
    assert len({event.task_id for event in events if event.node == "work"}) == 6


async def test_sub_graphs_nest(log: EventLog, tracer: EventTracer, call: Call) -> None:
    innermost = chain(("leaf", one)).compile()
    inner = chain(("deep", innermost), ("called", RunnableLambda(innermost.invoke))).compile()
    graph = chain(("outer", inner)).compile(checkpointer=InMemorySaver())
    await call(Runner(graph), "invoke", {}, config(tracer))
    events = told(log, tracer)
    assert shown(events, kind="node") == [
        ("node.start", "outer"),
        ("node.start", "deep"),
        ("node.start", "leaf"),
        ("node.end", "leaf"),
        ("node.end", "deep"),
        ("node.start", "called"),
        ("node.start", "leaf"),
        ("node.end", "leaf"),
        ("node.end", "called"),
        ("node.end", "outer"),
    ]
    outer, deep, leaf = [event for event in events if event.kind == "node.start"][:3]
    assert outer.namespace == ""
    assert deep.namespace == f"outer:{outer.task_id}"
    assert leaf.namespace == f"{deep.namespace}|deep:{deep.task_id}"
    assert len({event.trace_id for event in events}) == 1


async def test_interrupt_and_resume(log: EventLog, tracer: EventTracer, call: Call) -> None:
    inner = chain(("ask", lambda _: {"x": [interrupt("really?")]})).compile()
    graph = chain(("a", one), ("inner", inner)).compile(checkpointer=InMemorySaver())
    await call(Runner(graph), "invoke", {}, config(tracer))
    stopped = graph.get_state(config(None))
    first = told(log, tracer)
    assert shown(first)[3:] == [
        ("node.start", "inner"),
        ("node.start", "ask"),
        ("node.interrupt", "ask"),
        ("node.interrupt", "inner"),
        ("run.interrupt", "LangGraph"),
    ]
    assert {event.status for event in first[5:]} == {"interrupted"}
    assert not any(event.error or event.error_type for event in first)
    assert first[5].data["interrupts"] == [stopped.interrupts[0].id]
    assert first[-1].checkpoint_id == stopped.config["configurable"]["checkpoint_id"]

    await call(Runner(graph), "invoke", Command(resume="yes"), config(tracer))
    second = told(log, tracer)[len(first) :]
    assert shown(second) == [
        ("run.start", "LangGraph"),
        ("run.resume", "LangGraph"),
        ("node.start", "inner"),
        ("node.start", "ask"),
        ("node.end", "ask"),
        ("node.end", "inner"),
        ("run.end", "LangGraph"),
    ]
    assert second[0].data == {"resumes": True}
    assert second[1].checkpoint_id == stopped.config["configurable"]["checkpoint_id"]
    assert [event.attempt for event in second] == [1] * 7
    assert second[0].trace_id != first[0].trace_id


async def test_a_stop_before_a_node_is_an_interrupt_of_the_run(log: EventLog, tracer: EventTracer, call: Call) -> None:
    graph = chain(("a", one), ("b", one)).compile(checkpointer=InMemorySaver(), interrupt_before=["b"])
    await call(Runner(graph), "invoke", {}, config(tracer))
    await call(Runner(graph), "invoke", None, config(tracer))
    kinds = [event.kind for event in told(log, tracer)]
    assert kinds == [
        *("run.start", "node.start", "node.end", "run.interrupt"),
        *("run.start", "run.resume", "node.start", "node.end", "run.end"),
    ]


async def test_a_command_for_the_graph_around_is_no_error(log: EventLog, tracer: EventTracer, call: Call) -> None:
    inner = chain(("up", lambda _: Command(graph=Command.PARENT, update={"x": [2]}))).compile()
    await call(Runner(chain(("inner", inner), ("after", one)).compile()), "invoke", {}, config(tracer))
    events = told(log, tracer)
    assert {event.status for event in events} == {None, "ok"}
    assert shown(events, kind="node.end") == [("node.end", "up"), ("node.end", "inner"), ("node.end", "after")]


async def test_retries_count(log: EventLog, tracer: EventTracer, call: Call) -> None:
    failures = iter([ConnectionError("first"), ConnectionError("second")])

    def flaky(state: State) -> State:
        for failure in failures:
            raise failure
        return one(state)

    graph = StateGraph(State)
    graph.add_node("flaky", flaky, retry_policy=RetryPolicy(initial_interval=0.001, jitter=False, max_attempts=3))
    graph.add_edge(START, "flaky")
    await call(Runner(graph.compile()), "invoke", {}, config(tracer))
    events = [event for event in told(log, tracer) if event.node]
    assert [(e.kind, e.attempt, e.error) for e in events] == [
        ("node.start", 1, None),
        ("node.error", 1, "first"),
        ("node.start", 2, None),
        ("node.error", 2, "second"),
        ("node.start", 3, None),
        ("node.end", 3, None),
    ]
    assert len({event.task_id for event in events}) == 1
    assert len({event.run_id for event in events}) == 3


async def test_errors_say_what_went_wrong_without_secrets(log: EventLog, tracer: EventTracer, call: Call) -> None:
    def fail(_: State) -> State:
        raise RuntimeError("cannot reach redis://u:hunter2@h with sk-abcdefghij0123456789 " + "x " * 10_000)

    with pytest.raises(RuntimeError):
        await call(Runner(chain(("bad", fail)).compile()), "invoke", {}, config(tracer))
    events = told(log, tracer)
    assert shown(events) == [
        ("run.start", "LangGraph"),
        ("node.start", "bad"),
        ("node.error", "bad"),
        ("run.error", "LangGraph"),
    ]
    for event in events[2:]:
        assert (event.status, event.error_type) == ("error", "RuntimeError")
        assert event.error is not None
        assert event.error.startswith("cannot reach redis://***@h with *** x")
        assert len(event.error) <= 500


def test_an_exception_that_cannot_be_shown_breaks_nothing(log: EventLog, tracer: EventTracer) -> None:
    class MuteError(Exception):
        def __str__(self) -> str:
            raise ValueError("no words")

    def fail(_: State) -> State:
        raise MuteError

    with pytest.raises(MuteError):
        chain(("bad", fail)).compile().invoke({}, config(tracer))
    assert [event.error_type for event in told(log, tracer)][2:] == ["MuteError", "MuteError"]


async def cancel(running: Coroutine[Any, Any, Any], started: asyncio.Event) -> None:
    """Cancel a run once it has started."""
    task = asyncio.create_task(running)
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_run_that_is_cancelled_says_so(log: EventLog, tracer: EventTracer) -> None:
    started = asyncio.Event()

    async def slow(_: State) -> State:
        started.set()
        await asyncio.sleep(60)
        return {}

    await cancel(chain(("slow", slow)).compile().ainvoke({}, config(tracer)), started)
    events = told(log, tracer)
    assert (events[2].kind, events[2].status) == ("node.error", "cancelled")
    assert tracer._open == {}


async def test_calls_in_what_is_cancelled_end_with_it(log: EventLog, tracer: EventTracer) -> None:
    started, kept = asyncio.Event(), list[set[str]]()

    @tool
    async def inner() -> str:
        """Wait."""
        kept.extend(set((run.config or {}).get("configurable") or ()) for run in tracer._open.values())
        started.set()
        await asyncio.sleep(60)
        return "late"

    @tool
    async def outer() -> str:
        """Call the other one."""
        return str(await inner.ainvoke({}))

    async def slow(_: State) -> State:
        await outer.ainvoke({})
        return {}

    await cancel(chain(("slow", slow)).compile().ainvoke({}, config(tracer)), started)
    ended = [(event.kind, event.name, event.status) for event in told(log, tracer) if event.status]
    assert ended == [
        ("tool.error", "inner", "cancelled"),
        ("tool.error", "outer", "cancelled"),
        ("node.error", "slow", "cancelled"),
        ("run.error", "LangGraph", "cancelled"),
    ]
    assert tracer._open == {}
    assert set().union(*kept) <= {"checkpoint_map"}, "the rest of a config keeps the state of the graph"


async def test_errors_outside_of_nodes_are_seen(log: EventLog, tracer: EventTracer, call: Call) -> None:
    graph = StateGraph(State)
    graph.add_node("loop", one)
    graph.add_edge(START, "loop")
    graph.add_edge("loop", "loop")
    with pytest.raises(RecursionError):
        await call(Runner(graph.compile()), "invoke", {}, {**config(tracer), "recursion_limit": 3})
    assert told(log, tracer)[-1].error_type == "GraphRecursionError"


@tool
def search(query: str, password: str = "") -> str:
    """Search."""
    if query == "fail":
        raise TimeoutError("no answer")
    return f"found {query}"


def answer(*_: Any) -> GenericFakeChatModel:
    usage = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}
    return GenericFakeChatModel(messages=iter([AIMessage("hi", usage_metadata=usage)]))


async def test_tools_and_models_are_seen_inside_their_node(log: EventLog, tracer: EventTracer, call: Call) -> None:
    async def act(state: State, config: RunnableConfig) -> State:
        await answer().ainvoke("hello", config)
        await FakeListLLM(responses=["ok"]).ainvoke("hello", config)
        await search.ainvoke({"query": "tea"}, config)
        with pytest.raises(TimeoutError):
            await search.ainvoke({"query": "fail"}, config)
        return {}

    def act_sync(state: State, config: RunnableConfig) -> State:
        answer().invoke("hello", config)
        FakeListLLM(responses=["ok"]).invoke("hello", config)
        search.invoke({"query": "tea"}, config)
        with pytest.raises(TimeoutError):
            search.invoke({"query": "fail"}, config)
        return {}

    graph = chain(("act", RunnableLambda(act_sync, act))).compile(checkpointer=InMemorySaver())
    await call(Runner(graph), "invoke", {}, config(tracer))
    events = told(log, tracer)
    inside = events[2:-2]
    assert [event.kind for event in inside] == [
        *("model.start", "model.end", "model.start", "model.end"),
        *("tool.start", "tool.end", "tool.start", "tool.error"),
    ]
    assert (inside[1].input_tokens, inside[1].output_tokens) == (7, 3)
    assert (inside[3].input_tokens, inside[3].output_tokens) == (None, None)
    assert [event.name for event in inside[4:]] == ["search"] * 4
    assert (inside[7].error_type, inside[7].error) == ("TimeoutError", "no answer")
    assert {(event.node, event.step, event.task_id) for event in inside} == {("act", 1, events[1].task_id)}
    # The node ran from the first checkpoint of the run.
    ran_from = next(s for s in graph.get_state_history(config(None)) if s.next == ("act",))
    assert {event.checkpoint_id for event in inside} == {ran_from.config["configurable"]["checkpoint_id"]}


async def test_payloads_only_if_asked_for(plain: Connection, log: EventLog, call: Call) -> None:
    tracer = EventTracer(log, payload=True)

    def act(state: State, config: RunnableConfig) -> State:
        search.invoke({"query": "tea", "password": "hunter2"}, config)
        answer().invoke("sk-abcdefghij0123456789", config)
        return {"x": ["y" * 50_000]}

    await call(Runner(chain(("act", act)).compile()), "invoke", {"x": [1]}, config(tracer))
    by_kind = {event.kind: event.payload for event in told(log, tracer)}
    assert by_kind["node.start"] == {"x": [1]}
    assert len(str(by_kind["node.end"])) < 2_200
    assert by_kind["tool.start"] == {"query": "tea", "password": "***"}
    assert by_kind["tool.end"] == "found tea"
    assert by_kind["model.start"][0][0]["content"] == "***"
    assert by_kind["model.end"] == ["hi"]


# It breaks nothing


@pytest.mark.parametrize("thread_id", [5, UUID(int=7), "é \ud800"], ids=["int", "uuid", "text"])
def test_any_thread_id(log: EventLog, tracer: EventTracer, thread_id: Any) -> None:
    chain(("a", one)).compile().invoke({}, config(tracer, thread_id))
    assert len(told(log, tracer, str(thread_id))) == 4


def test_callbacks_without_a_start_are_ignored(log: EventLog, tracer: EventTracer) -> None:
    tracer.on_chain_end({}, run_id=uuid4())
    for name in ("on_chain_error", "on_llm_error", "on_tool_error"):
        getattr(tracer, name)(ValueError(), run_id=uuid4())
    tracer.on_tool_end("", run_id=uuid4())
    assert tracer.flush()
    assert log.recent() == []


def test_runs_that_never_end_do_not_pile_up(tracer: EventTracer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("langchain_agentmem.events.tracer._MAX_OPEN", 10)
    for _ in range(100):
        tracer.on_chain_start({}, {}, run_id=uuid4(), parent_run_id=None, name="x")
        tracer._count_failure(next(reversed(tracer._open.values())))
    assert len(tracer._open) <= 11
    assert len(tracer._failures) <= 11


def test_callbacks_are_inline_so_that_their_order_holds(tracer: EventTracer) -> None:
    assert tracer.run_inline
    assert isinstance(tracer, BaseCallbackHandler)
    assert tracer.ignore_retriever
    assert not tracer.ignore_chain
