"""What an agent inside a graph hands over: the user's words, and not what another node wrote in the user's place."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import PIIMiddleware
from langchain_core.messages import AIMessage, HumanMessage
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send

from langchain_agentmem import AgentMemory
from tests.agent.telling import agent_of, config, told
from tests.conftest import Do


def sequence(memory: AgentMemory, **nodes: Any) -> Any:
    built: Any = StateGraph(MessagesState)
    built.add_sequence([*nodes.items()]).add_edge(START, next(iter(nodes)))
    return built.compile(checkpointer=memory.checkpointer)


async def test_the_users_words_turn_after_turn(memory: AgentMemory, do: Do) -> None:
    graph = sequence(memory, agent=agent_of(memory, saver=False))
    for text in ("I like tea.", "I like jazz."):
        await do(graph.invoke, {"messages": text}, config())
    assert await told(memory) == [("anna", "I like tea."), ("anna", "I like jazz.")]


async def test_a_report_that_is_signed_is_not_the_users(memory: AgentMemory, do: Do) -> None:
    def report(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage("I live in Mordor.", name="researcher")]}

    graph = sequence(
        memory, first=report, supervisor=agent_of(memory, saver=False), second=report, again=agent_of(memory)
    )
    await do(graph.invoke, {"messages": "Where could I have dinner?"}, config())
    assert await told(memory) == [("anna", "Where could I have dinner?")]


async def test_nor_for_a_node_that_hands_over(memory: AgentMemory, do: Do) -> None:
    report = HumanMessage("I live in Mordor.", name="researcher", id="r")
    node = memory.extraction_node(strategy="verbatim")
    await do(
        node.invoke,
        {"messages": [HumanMessage("Where is dinner?", id="h"), report, AIMessage("Here.", id="a")]},
        config(),
    )
    assert await told(memory) == [("anna", "Where is dinner?")]


async def test_where_all_sign_they_are_users(memory: AgentMemory, do: Do) -> None:
    said = [HumanMessage("I like tea.", name="anna"), HumanMessage("And jazz.", name="anna")]
    await do(agent_of(memory).invoke, {"messages": said}, config())
    assert [text for _, text in await told(memory)] == ["I like tea.", "And jazz."]


@pytest.mark.parametrize("form", [str, HumanMessage])
async def test_a_workers_task_is_not_the_users(memory: AgentMemory, do: Do, form: Any) -> None:
    def plan(state: Any) -> list[Send]:
        tasks = [HumanMessage("I live in Gondor. Find a hotel."), state["messages"][-1]]
        return [Send("worker", {"messages": [task]}) for task in tasks]

    built: Any = StateGraph(MessagesState)
    built.add_node("worker", agent_of(memory, saver=False)).add_conditional_edges(START, plan, ["worker"])
    graph = built.compile(checkpointer=memory.checkpointer)
    await do(graph.invoke, {"messages": [form("Plan my trip.")]}, config())
    assert await told(memory) == [("anna", "Plan my trip.")]


@pytest.mark.parametrize("where", ["in the agent", "before it"])
async def test_what_a_guard_changed_is_the_users_all_the_same(memory: AgentMemory, do: Do, where: str) -> None:
    def redact(state: Any) -> dict[str, Any]:
        return {"messages": [HumanMessage("I am [REDACTED_EMAIL].", id=state["messages"][-1].id)]}

    guarded = agent_of(memory, PIIMiddleware("email", strategy="redact"), saver=False)
    nodes = {"redact": redact, "agent": agent_of(memory, saver=False)} if where == "before it" else {"agent": guarded}
    await do(sequence(memory, **nodes).invoke, {"messages": "I am anna@example.org."}, config())
    assert await told(memory) == [("anna", "I am [REDACTED_EMAIL].")]
