"""Agents inside a tool's call: what a model tells them is not taken for what the user said."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.messages import AIMessage
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tools import BaseTool, StructuredTool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Command, interrupt

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent import inside
from langchain_agentmem.agent.inside import inside_tool
from tests.agent.scripted import ScriptedModel, asking, call, calls, yes
from tests.conftest import Do

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "anna"}}
OWN: RunnableConfig = {"configurable": {"thread_id": "own", "user_id": "anna"}}
ASKED = {"messages": "What does the page say?"}
PAGE = "I am allergic to penicillin. My name is Mallory."


def agent_of(memory: AgentMemory, *lines: AIMessage, **more: Any) -> Any:
    """An agent with memory; by default it only answers."""
    model = ScriptedModel(lines=list(lines) or [yes() for _ in range(9)])
    return create_agent(model, middleware=[memory.middleware(strategies="verbatim")], **more)


async def told(memory: AgentMemory) -> list[str]:
    """What all threads handed over."""
    texts: list[str] = []
    for thread in ("t", "own"):
        job = await memory.outbox.jobs.ajob(thread)
        lease = await memory.outbox.jobs.alease(job, "worker") if job else None
        texts += [turn.message.text for turn in lease.batch.turns] if lease else []
    return texts


def graph_of(name: str, tool: BaseTool) -> Any:
    """A graph of one's own, whose tools are a node of this name."""
    built: Any = StateGraph(MessagesState)
    built.add_node("model", lambda state: {"messages": [call(tool.name, question=PAGE)]})
    built.add_node(name, ToolNode([tool]))
    built.add_edge(START, "model")
    built.add_edge("model", name)
    return built.compile(checkpointer=InMemorySaver())


@pytest.mark.parametrize("config", [None, OWN], ids=["same thread", "own thread"])
@pytest.mark.parametrize("checkpointer", [None, InMemorySaver()], ids=["none", "own"])
async def test_a_sub_agent_called_as_a_tool(memory: AgentMemory, do: Do, checkpointer: Any, config: Any) -> None:
    sub = agent_of(memory, checkpointer=checkpointer)
    lines = [calls(*[("ask_guide", {"question": PAGE})] * 2), yes()]
    supervisor = agent_of(memory, *lines, tools=[asking(sub, config=config)], checkpointer=memory.checkpointer)
    await do(supervisor.invoke, ASKED, CONFIG)
    told_by = await told(memory)
    assert told_by[0] == ASKED["messages"]
    assert PAGE not in told_by


@pytest.mark.parametrize("config", [None, OWN], ids=["same thread", "own thread"])
@pytest.mark.parametrize("name", ["tools", "workshop"])
async def test_in_a_graph_of_ones_own_whatever_the_node_is_called(
    memory: AgentMemory, do: Do, name: str, config: Any
) -> None:
    await do(graph_of(name, asking(agent_of(memory), config=config)).invoke, ASKED, CONFIG)
    assert await told(memory) == []


async def test_a_node_that_calls_the_tool_itself(memory: AgentMemory, do: Do) -> None:
    tool = asking(agent_of(memory))

    def ask(state: Any) -> dict[str, Any]:
        return {"messages": [("ai", tool.invoke({"question": PAGE}))]}

    async def aask(state: Any) -> dict[str, Any]:
        return {"messages": [("ai", await tool.ainvoke({"question": PAGE}))]}

    built: Any = StateGraph(MessagesState)
    built.add_node("ask", RunnableLambda(ask, aask))
    built.add_edge(START, "ask")
    await do(built.compile().invoke, ASKED, CONFIG)
    assert await told(memory) == []


async def test_a_tool_without_a_graph(memory: AgentMemory, do: Do) -> None:
    await do(asking(agent_of(memory), config=OWN).invoke, {"question": PAGE})
    assert await told(memory) == []


async def test_deeper_inside(memory: AgentMemory, do: Do) -> None:
    team: Any = StateGraph(MessagesState)
    team.add_node("expert", agent_of(memory))
    team.add_edge(START, "expert")
    await do(graph_of("workshop", asking(team.compile())).invoke, ASKED, CONFIG)
    assert await told(memory) == []


async def test_one_that_is_made_inside(memory: AgentMemory, do: Do) -> None:
    def ask(question: str) -> str:
        """Ask the guide."""
        agent_of(memory).invoke({"messages": question})
        return "Yes."

    async def aask(question: str) -> str:
        await agent_of(memory).ainvoke({"messages": question})
        return "Yes."

    tool = StructuredTool.from_function(ask, aask)
    agent: Any = create_agent(ScriptedModel(lines=[call("ask", question=PAGE), yes()]), tools=[tool])
    await do(agent.invoke, ASKED, CONFIG)
    assert await told(memory) == []


def test_in_a_thread_of_its_own(memory: AgentMemory) -> None:
    sub = agent_of(memory)

    def ask(question: str, config: RunnableConfig) -> str:
        """Ask the guide."""
        with ThreadPoolExecutor(1) as pool:
            pool.submit(contextvars.Context().run, sub.invoke, {"messages": question}, config).result()
        return "Yes."

    tool = StructuredTool.from_function(ask)
    agent: Any = create_agent(ScriptedModel(lines=[call("ask", question=PAGE), yes()]), tools=[tool])
    agent.invoke(ASKED, CONFIG)
    assert asyncio.run(told(memory)) == []


async def test_after_an_interrupt(memory: AgentMemory, do: Do) -> None:
    def confirm(question: str) -> str:
        """Ask the user."""
        return str(interrupt(question))

    inner = [call("confirm", question="Sure?"), yes()]
    sub = agent_of(memory, *inner, tools=[StructuredTool.from_function(confirm)])
    agent: Any = create_agent(
        ScriptedModel(lines=[call("ask_guide", question=PAGE), yes()]),
        tools=[asking(sub)],
        checkpointer=InMemorySaver(),
    )
    await do(agent.invoke, ASKED, CONFIG)
    await do(agent.invoke, Command(resume="yes"), CONFIG)
    assert await told(memory) == []
    assert not inside_tool()


async def test_an_agent_that_is_a_node_shares_what_the_user_said(memory: AgentMemory, do: Do) -> None:
    built: Any = StateGraph(MessagesState)
    built.add_node("first", agent_of(memory))
    built.add_node("second", agent_of(memory))
    built.add_edge(START, "first")
    built.add_edge("first", "second")
    await do(built.compile(checkpointer=memory.checkpointer).invoke, {"messages": "I like to hike."}, CONFIG)
    assert await told(memory) == ["I like to hike.", "Yes.", "Yes."]


async def test_what_follows_a_tool_is_not_inside_it(memory: AgentMemory, do: Do) -> None:
    def fail() -> str:
        """Fail."""
        raise ValueError("no")

    agent = agent_of(memory, yes(), yes(), yes(), yes())
    harmless = StructuredTool.from_function(lambda: "Yes.", name="harmless", description="Say yes.")
    failing = StructuredTool.from_function(fail)

    def node(state: Any) -> dict[str, Any]:
        return {"messages": agent.invoke(state)["messages"]}

    async def anode(state: Any) -> dict[str, Any]:
        return {"messages": (await agent.ainvoke(state))["messages"]}

    await do(harmless.invoke, {})
    with pytest.raises(ValueError, match="no"):
        await do(failing.invoke, {})
    assert not inside_tool()
    built: Any = StateGraph(MessagesState)
    built.add_node("node", RunnableLambda(node, anode))
    built.add_edge(START, "node")
    await do(built.compile().invoke, {"messages": "I like to hike."}, CONFIG)
    assert await told(memory) == ["I like to hike.", "Yes."]


@pytest.mark.parametrize("traced", [False, True])
async def test_a_call_that_was_cancelled_is_over(memory: AgentMemory, traced: bool) -> None:
    async def wait() -> str:
        """Wait."""
        await asyncio.sleep(60)
        return "Yes."

    agent, tool = agent_of(memory), StructuredTool.from_function(coroutine=wait)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):  # it leaves the call's context to what follows
            await tool.ainvoke({}, {"callbacks": [memory.tracer]} if traced else {})
    assert inside._CALL.get() is not None
    await agent.ainvoke({"messages": "I like to hike."}, CONFIG)
    assert await told(memory) == ["I like to hike.", "Yes."]


@pytest.mark.parametrize("depth", [1, 3])
async def test_a_call_within_a_call(memory: AgentMemory, do: Do, depth: int) -> None:
    seen: list[bool] = []
    memory.middleware()  # from here on calls are heard

    def tool_of(below: Callable[..., Any] | None) -> BaseTool:
        def act() -> str:
            """Call the next one, and look around when it is done."""
            if below:
                below({})
            seen.append(inside_tool())
            return "Yes."

        return StructuredTool.from_function(act)

    tool = tool_of(None)
    for _ in range(depth - 1):
        tool = tool_of(tool.invoke)
    await do(tool.invoke, {})
    assert seen == [True] * depth
    assert not inside_tool()
