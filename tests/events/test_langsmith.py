"""Events and LangSmith's runs find each other by run id and trace id; without tracing nothing is posted."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langchain_core.tracers.langchain import LangChainTracer, wait_for_all_tracers
from langgraph.graph import START, StateGraph
from langsmith import traceable, tracing_context

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from tests.events.conftest import Call
from tests.langsmith_ingest import Ingest, forget_environment


class State(TypedDict):
    x: int


@tool
def double(x: int) -> int:
    """Double."""
    return 2 * x


def act(state: State, config: RunnableConfig) -> State:
    return {"x": double.invoke({"x": state["x"]}, config)}


def graph() -> Any:
    inner = StateGraph(State)
    inner.add_node("leaf", act)
    inner.add_edge(START, "leaf")
    outer = StateGraph(State)
    outer.add_node("branch", inner.compile())
    outer.add_edge(START, "branch")
    return outer.compile()


class Runner:
    def __init__(self, graph: Any) -> None:
        self.invoke, self.ainvoke = graph.invoke, graph.ainvoke


async def test_events_carry_the_ids_of_langsmiths_runs(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call
) -> None:
    client = ingest.client()
    config: RunnableConfig = {
        "configurable": {"thread_id": "t"},
        "callbacks": [tracer, LangChainTracer(client=client, project_name="p")],
    }
    await call(Runner(graph()), "invoke", {"x": 1}, config)
    tracer.flush()
    runs, events = ingest.posted(client), log.recent("t")
    assert {event.name for event in events} == {"LangGraph", "branch", "leaf", "double"}
    logged = {None, *(event.run_id for event in events)}
    for event in events:
        run = runs[event.run_id or ""]
        assert run["name"] == event.name
        assert run["trace_id"] == event.trace_id
        parent = run.get("parent_run_id")
        while parent not in logged:  # the run of the sub-graph itself, which makes no events
            parent = runs[str(parent)].get("parent_run_id")
        assert parent == event.parent_run_id
        assert run["extra"]["metadata"]["thread_id"] == event.thread_id


async def test_inside_of_a_traceable_function_the_trace_is_its(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call
) -> None:
    client = ingest.client()
    config: RunnableConfig = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}

    @traceable(client=client)
    async def outermost() -> None:
        await middle()

    @traceable(client=client)
    async def middle() -> None:
        await call(Runner(graph()), "invoke", {"x": 1}, config)

    with tracing_context(enabled=True, client=client, project_name="p"):
        await outermost()
    tracer.flush()
    runs, events = ingest.posted(client), log.recent("t")
    root = next(run for run in runs.values() if run["name"] == "outermost")
    assert {event.trace_id for event in events} == {root["id"]}
    assert all(runs[event.run_id or ""]["trace_id"] == root["id"] for event in events)
    parent = next(run for run in runs.values() if run["name"] == "middle")
    assert events[0].kind == "run.start"
    assert events[0].parent_run_id == parent["id"]


async def test_with_tracing_off_nothing_is_posted(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", ingest.url)
    forget_environment()
    await call(Runner(graph()), "invoke", {"x": 1}, {"configurable": {"thread_id": "t"}, "callbacks": [tracer]})
    wait_for_all_tracers()
    assert tracer.flush()
    events = log.recent("t")
    assert len(events) == 8
    assert len({event.trace_id for event in events}) == 1
    assert ingest.requests == []
