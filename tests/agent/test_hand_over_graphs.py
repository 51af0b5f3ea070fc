"""What an agent inside a graph hands over: the user's words, and not what another node wrote in the user's place."""

from __future__ import annotations

import asyncio
import contextvars
from typing import Any

import pytest
from langchain.agents.middleware import PIIMiddleware, before_agent
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, ToolMessage
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Send

from langchain_agentmem import AgentMemory
from tests.agent.telling import agent_of, config, told
from tests.conftest import Do

CALLED = {"name": "transfer_to_worker", "args": {}, "id": "c1", "type": "tool_call"}
WENT = ToolMessage("Transferred.", tool_call_id="c1")


def sequence(memory: AgentMemory, **nodes: Any) -> Any:
    built: Any = StateGraph(MessagesState)
    built.add_sequence([*nodes.items()]).add_edge(START, next(iter(nodes)))
    return built.compile(checkpointer=memory.checkpointer)


async def test_the_users_words_turn_after_turn(memory: AgentMemory, do: Do) -> None:
    graph = sequence(memory, agent=agent_of(memory, saver=False))
    for text in ("I like tea.", "I like jazz."):
        await do(graph.invoke, {"messages": text}, config())
    assert await told(memory) == [("anna", "I like tea."), ("anna", "I like jazz.")]


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("hand_off", [[AIMessage("", tool_calls=[CALLED]), WENT], [AIMessage("One moment.")]])
async def test_the_users_words_behind_which_another_agent_speaks(
    memory: AgentMemory, do: Do, hand_off: list[AnyMessage], fails: bool
) -> None:
    def supervisor(state: MessagesState) -> dict[str, Any]:
        if "fail" in state["messages"][-1].text:
            raise TimeoutError("the provider is away")
        return {"messages": [each.model_copy() for each in hand_off]}

    graph = sequence(memory, supervisor=supervisor, worker=agent_of(memory, saver=False))
    if fails:
        with pytest.raises(TimeoutError):
            await do(graph.invoke, {"messages": "I fail at chess."}, config("bob"))
    for text in ("I like tea.", "I like jazz."):
        await do(graph.invoke, {"messages": text}, config())
    assert await told(memory) == [("anna", "I like tea."), ("anna", "I like jazz.")]


@pytest.mark.parametrize("saver", [False, True])
async def test_agents_one_after_the_other_hand_them_over_once(memory: AgentMemory, do: Do, saver: bool) -> None:
    graph = sequence(memory, first=agent_of(memory, saver=False), second=agent_of(memory, saver=False))
    graph.checkpointer = memory.checkpointer if saver else None
    for said in (["I like tea."], ["I like jazz.", "And cake."], ["I like tea."]):
        await do(graph.invoke, {"messages": said}, config())
    assert [text for _, text in await told(memory)] == ["I like tea.", "I like jazz.", "And cake.", "I like tea."]


async def test_the_users_words_behind_which_a_hook_speaks(memory: AgentMemory, do: Do) -> None:
    @before_agent
    def noting(state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("They write from a phone.")]}

    agent = agent_of(memory, noting)
    for text in ("I like tea.", "I like jazz."):
        await do(agent.invoke, {"messages": text}, config())
    await do(agent.invoke, {"messages": []}, config("eve"))
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


# --- who steps through a stream


def step_by_step(graph: Any, said: str) -> None:
    """As a web framework does it: each step in a copy of the context."""
    steps = graph.stream({"messages": said}, config(), stream_mode="values")
    while contextvars.copy_context().run(next, steps, None) is not None:
        pass


async def astep_by_step(graph: Any, said: str) -> None:
    """As with a limit on the time that a step may take: each in a task of its own."""
    steps = aiter(graph.astream({"messages": said}, config(), stream_mode="values"))
    while await asyncio.wait_for(anext(steps, None), 30) is not None:
        pass


@pytest.mark.parametrize("inside", [True, False])
async def test_a_stream_may_be_stepped_through_in_any_context(memory: AgentMemory, do: Do, inside: bool) -> None:
    graph = sequence(memory, agent=agent_of(memory, saver=False)) if inside else agent_of(memory)
    await do(graph.invoke, {"messages": "I like tea."}, config())
    await asyncio.to_thread(step_by_step, graph, "I'm vegetarian.")
    await astep_by_step(graph, "I live in Rome.")
    assert [text for _, text in await told(memory)] == ["I like tea.", "I'm vegetarian.", "I live in Rome."]


def test_streams_that_take_turns(memory: AgentMemory) -> None:
    graph = sequence(memory, agent=agent_of(memory, saver=False))
    streams = [
        graph.stream({"messages": said}, config(thread=said), stream_mode="values") for said in ("Tea.", "Jazz.")
    ]
    for _ in range(9):
        for each in streams:
            next(each, None)
    assert {text for _, text in asyncio.run(told(memory))} == {"Tea.", "Jazz."}


# --- who signs


@pytest.mark.parametrize("names", [(None, "anna", "anna"), ("anna", None, "anna")])
async def test_a_user_may_begin_to_sign(memory: AgentMemory, do: Do, names: tuple[str | None, ...]) -> None:
    agent, texts = agent_of(memory), ["Hi, it's me.", "I'm vegetarian.", "I live in Rome."]
    for name, text in zip(names, texts, strict=True):
        await do(agent.invoke, {"messages": [HumanMessage(text, name=name)]}, config())
    assert [text for _, text in await told(memory)] == texts


# --- graphs whose own input is none of messages


async def test_an_agent_that_a_workflow_calls(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, saver=False)

    @entrypoint(checkpointer=memory.checkpointer)
    def flow(texts: list[str]) -> list[AnyMessage]:
        done: dict[str, Any] = agent.invoke({"messages": [HumanMessage(text) for text in texts]})
        return list(done["messages"])

    await do(flow.invoke, ["I'm vegetarian.", "I live in Rome."], config())
    assert [text for _, text in await told(memory)] == ["I'm vegetarian.", "I live in Rome."]
