"""Graphs that hand over what is said to them, and what they told the outbox: whose words, and which."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import interrupt

from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.outbox import Outbox
from tests.conftest import Do
from tests.promotion.steps import atake

Node = Callable[[Any], dict[str, Any]] | ExtractionNode


def config(user: str | None = "ada", thread: str | None = "t") -> Any:
    named = {"thread_id": thread, "user_id": user}
    return {"configurable": {name: value for name, value in named.items() if value}}


def answering(state: Any) -> dict[str, Any]:
    """Answers; fails, or asks, where it is told to."""
    said = state["messages"][-1].text
    if "fail" in said:
        raise TimeoutError("the provider is away")
    if "ask" in said:
        interrupt("Sure?")
    return {"messages": [AIMessage("I see.")]}


def graph_of(node: Node, saver: Any = None, *, schema: Any = MessagesState, **before: Node) -> Any:
    built: Any = StateGraph(schema)
    nodes = {**before, "answer": answering, "remember": node}
    built.add_sequence([*nodes.items()]).add_edge(START, next(iter(nodes)))
    return built.compile(checkpointer=saver)


async def failing(do: Do, graph: Any, said: Any, where: Any, **options: Any) -> None:
    with pytest.raises(TimeoutError):
        await do(graph.invoke, {"messages": said}, where, **options)


async def told(box: Outbox, kind: str = "human") -> list[tuple[str | None, str]]:
    """What was said, as far as it waits, with whose it is; it is done with then."""
    found: list[tuple[str | None, str]] = []
    while leases := await atake(box, due_only=False):
        for lease in leases:
            turns = [turn.message for turn in lease.batch.turns]
            found += [(lease.batch.scope.user, each.text) for each in turns if each.type == kind]
            await box.jobs.afinish(lease)
    return found
