"""What an agent's turn hands over to promotion: what the user says in front of the model, the rest when the run ends.

These are why the rest is an `after_agent`, though that costs a super-step: whoever stands at the model's call sees
neither what other middleware makes of the answer, nor a turn that ends without one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import AgentMiddleware, after_model, before_model
from langchain.agents.structured_output import ToolStrategy
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.types import Command, interrupt
from pydantic import BaseModel

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.middleware import MemoryMiddleware
from tests.agent.scripted import ScriptedModel, calls, yes
from tests.conftest import Do

CONFIG: RunnableConfig = {"configurable": {"thread_id": "t", "user_id": "anna"}}
ASKED = {"messages": "My card is 4711."}


class Weather(BaseModel):
    """The weather."""

    sky: str


@tool(return_direct=True)
def look(city: str) -> str:
    """Look at the sky."""
    return f"It rains in {city}."


@tool
def ask(question: str) -> str:
    """Ask the user."""
    return str(interrupt(question))


@after_model
def redacting(state: Any, runtime: Any) -> dict[str, Any]:
    """Replace the answer, as a guardrail does."""
    return {"messages": [AIMessage("[redacted]", id=state["messages"][-1].id)]}


@before_model(can_jump_to=["end"])
def refusing(state: Any, runtime: Any) -> dict[str, Any]:
    """End the turn before any model is called, as a limit of calls does."""
    return {"messages": [AIMessage("No more calls.")], "jump_to": "end"}


Build = Callable[..., Any]


@pytest.fixture
def build(memory: AgentMemory, assembler: ContextAssembler) -> Build:
    """Makes an agent with memory, whose model says these lines; memory stands in front of other middleware."""

    def made(*lines: AIMessage, others: Sequence[AgentMiddleware[Any, Any, Any]] = (), **more: Any) -> Any:
        ours = MemoryMiddleware(assembler, memory.extraction_node(strategy="verbatim"))
        model = ScriptedModel(lines=list(lines))
        return create_agent(model, middleware=[ours, *others], checkpointer=memory.checkpointer, **more)

    return made


async def handed_over(memory: AgentMemory) -> list[str]:
    """What waits to be promoted, in order."""
    job = await memory.outbox.jobs.ajob("t")
    lease = await memory.outbox.jobs.alease(job, "worker") if job else None
    return [turn.message.text for turn in lease.batch.turns] if lease else []


async def test_an_answer_that_other_middleware_replaces(memory: AgentMemory, build: Build, do: Do) -> None:
    agent = build(AIMessage("Your card is 4711."), others=[redacting])
    await do(agent.invoke, ASKED, CONFIG)
    assert await handed_over(memory) == ["My card is 4711.", "[redacted]"]


async def test_a_turn_that_ends_before_the_model(memory: AgentMemory, build: Build, do: Do) -> None:
    await do(build(others=[refusing]).invoke, ASKED, CONFIG)
    assert await handed_over(memory) == ["My card is 4711.", "No more calls."]


async def test_a_turn_that_ends_with_a_tool(memory: AgentMemory, build: Build, do: Do) -> None:
    await do(build(calls(("look", {"city": "Oslo"})), tools=[look]).invoke, ASKED, CONFIG)
    assert (await handed_over(memory))[0] == "My card is 4711."


async def test_a_turn_that_ends_with_structured_output(memory: AgentMemory, build: Build, do: Do) -> None:
    agent = build(calls(("Weather", {"sky": "blue"})), response_format=ToolStrategy(Weather))
    done = await do(agent.invoke, ASKED, CONFIG)
    assert done["structured_response"] == Weather(sky="blue")
    assert (await handed_over(memory))[0] == "My card is 4711."


async def test_an_interrupted_turn_when_it_goes_on(memory: AgentMemory, build: Build, do: Do) -> None:
    agent = build(calls(("ask", {"question": "Sure?"})), AIMessage("Done."), tools=[ask])
    await do(agent.invoke, ASKED, CONFIG)
    await do(agent.invoke, Command(resume="yes"), CONFIG)
    assert await handed_over(memory) == ["My card is 4711.", "", "Done."]


async def test_a_message_that_cannot_be_written_costs_itself_only(memory: AgentMemory, do: Do) -> None:
    node = memory.extraction_node(strategy="verbatim")
    ours = MemoryMiddleware(ContextAssembler(memory.bank), node)
    agent: Any = create_agent(
        ScriptedModel(lines=[yes(), yes()]), middleware=[ours]
    )  # no checkpointer writes it either
    said = HumanMessage("I like tea.", additional_kwargs={"held": Lock()})
    await do(agent.invoke, {"messages": [said]}, CONFIG)
    await do(agent.invoke, {"messages": "I like jazz."}, CONFIG)
    assert [text for text in await handed_over(memory) if text != "Yes."] == ["I like jazz."]
