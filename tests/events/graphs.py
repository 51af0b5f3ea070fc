"""Small graphs to trace, and how their events are read back."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain_core.runnables import RunnableConfig
from langgraph.graph import START, StateGraph

from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer


class State(TypedDict, total=False):
    x: Annotated[list[Any], operator.add]


def one(state: State) -> State:
    """A node."""
    return {"x": [1]}


def chain(*nodes: tuple[str, Any]) -> StateGraph[Any]:
    graph = StateGraph(State)
    before = START
    for name, node in nodes:
        graph.add_node(name, node)
        graph.add_edge(before, name)
        before = name
    return graph


def config(tracer: EventTracer | None, thread_id: Any = "t", **more: Any) -> RunnableConfig:
    return {"configurable": {"thread_id": thread_id, **more}, "callbacks": [tracer] if tracer else []}


class Runner:
    """A graph under the names that `call` knows."""

    def __init__(self, graph: Any) -> None:
        self.invoke, self.ainvoke = graph.invoke, graph.ainvoke


def told(log: EventLog, tracer: EventTracer, thread_id: str = "t") -> list[Event]:
    assert tracer.flush()
    return log.recent(thread_id, 10_000)


def shown(events: list[Event], *, kind: str = "") -> list[tuple[Any, ...]]:
    return [(event.kind, event.node or event.name) for event in events if event.kind.startswith(kind)]
