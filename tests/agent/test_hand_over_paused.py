"""What an agent hands over of a run that pauses before its model: all that its user said, and nobody else's words."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents.middleware import AgentState, before_agent, before_model
from langchain_core.messages import AIMessage, HumanMessage, RemoveMessage
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt

from langchain_agentmem import AgentMemory
from tests.agent.scripted import call
from tests.agent.telling import agent_of, config, told
from tests.conftest import Do
from tests.delta import AsTheyCome, ById

SAID = {"messages": ["I like tea.", "I like jazz.", "Ask me."]}
TEXTS = SAID["messages"]


@before_model
def pausing(state: Any, runtime: Any) -> None:
    """Ask a human before the model is asked, as a check of the input does."""
    last = next(each for each in reversed(state["messages"]) if each.type == "human")
    if "Ask" in last.text:
        interrupt("May I?")


@before_model
def hearing(state: Any, runtime: Any) -> dict[str, Any] | None:
    """Ask for something that is missing, and note what is said."""
    if state["messages"][-1].type == "human":
        return {"messages": [HumanMessage(interrupt("Your name?"))]}
    return None


@pytest.mark.parametrize("durability", ["sync", "async", "exit"])
async def test_all_that_the_user_said(memory: AgentMemory, do: Do, durability: str) -> None:
    agent = agent_of(memory, pausing)
    for thread in ("t", "t", "u"):
        await do(agent.invoke, SAID, config(thread=thread), durability=durability)
        assert await told(memory) == []
        await do(agent.invoke, Command(resume="yes"), config(thread=thread), durability=durability)
        assert [text for _, text in await told(memory)] == TEXTS


async def test_nothing_that_a_guard_refused_before(memory: AgentMemory, do: Do) -> None:
    @before_model
    def refusing(state: Any, runtime: Any) -> None:
        if state["messages"][-1].text == "A secret.":
            raise ValueError("no secrets")

    agent = agent_of(memory, refusing, pausing)
    with pytest.raises(ValueError, match="no secrets"):
        await do(agent.invoke, {"messages": "A secret."}, config())
    await do(agent.invoke, SAID, config())
    await do(agent.invoke, Command(resume="yes"), config())
    assert [text for _, text in await told(memory)] == TEXTS


@pytest.mark.parametrize("user", ["bob", None])
async def test_nobody_elses_who_goes_on_with_it(memory: AgentMemory, do: Do, user: str | None) -> None:
    agent = agent_of(memory, pausing, required=False)
    await do(agent.invoke, SAID, config(user))
    await do(agent.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == []


async def test_nor_who_only_runs_the_agent_again(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, pausing)
    await do(agent.invoke, SAID, config("ada"))
    await do(agent.invoke, {"messages": []}, config("eve"))
    await do(agent.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == []


async def test_nor_who_has_said_something_that_is_taken_away(memory: AgentMemory, do: Do) -> None:
    @before_model
    def removing(state: Any, runtime: Any) -> dict[str, Any] | None:
        last = state["messages"][-1]
        return {"messages": [RemoveMessage(last.id)]} if last.text == "A secret." else None

    agent = agent_of(memory, removing, pausing)
    await do(agent.invoke, SAID, config("ada"))
    await do(agent.invoke, {"messages": "A secret."}, config("eve"))
    await do(agent.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == []


async def test_what_is_said_to_it_while_it_waits(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, hearing)
    await do(agent.invoke, {"messages": "I like tea."}, config("ada"))
    await do(agent.invoke, Command(resume="I am Ada.", update={"messages": "I like jazz."}), config("ada"))
    assert sorted(await told(memory)) == [("ada", "I am Ada."), ("ada", "I like jazz."), ("ada", "I like tea.")]


@pytest.mark.parametrize(("user", "number"), [("anna", 4), ("eve", 0)])
async def test_a_turn_that_then_ends_before_the_model(memory: AgentMemory, do: Do, user: str, number: int) -> None:
    @before_model(can_jump_to=["end"])
    def ending(state: Any, runtime: Any) -> dict[str, Any]:
        interrupt("May I?")
        return {"messages": [AIMessage("No more calls.")], "jump_to": "end"}

    agent = agent_of(memory, ending)
    await do(agent.invoke, SAID, config())
    await do(agent.invoke, Command(resume="yes"), config(user))
    assert memory.outbox.stats().waiting == number
    assert [text for _, text in await told(memory)] == TEXTS[:number]


async def test_twice_and_with_another_checkpointer(memory: AgentMemory, do: Do) -> None:
    """A message is known by its id, whichever run hands it over."""
    agent = agent_of(memory, pausing, hearing)
    agent.checkpointer = InMemorySaver()
    await do(agent.invoke, SAID, config())
    await do(agent.invoke, Command(resume="yes"), config())
    await do(agent.invoke, Command(resume="I am Ada."), config())
    assert [text for _, text in await told(memory)] == [*TEXTS, "I am Ada."]
    past = [each async for each in agent.aget_state_history(config())]
    first = next(each for each in past if each.next == ("pausing.before_model",))
    again = {"configurable": {**first.config["configurable"], "user_id": "anna"}}
    await do(agent.invoke, Command(resume="yes"), again)
    await do(agent.invoke, Command(resume="I am Eva."), config())
    assert [text for _, text in await told(memory)] == ["I am Eva."]


@pytest.mark.parametrize(("user", "number"), [("ada", 2), ("eve", 0), (None, 0)])
async def test_an_answer_is_to_whom_it_answers(memory: AgentMemory, do: Do, user: str | None, number: int) -> None:
    agent = agent_of(memory, lines=[call("ask", question="Sure?")], required=False)
    await do(agent.invoke, {"messages": "I like tea."}, config("ada"))
    assert await told(memory) == [("ada", "I like tea.")]
    await do(agent.invoke, Command(resume="yes"), config(user))
    assert memory.outbox.stats().waiting == number, "the call of the tool, and the answer"


class Appended(AgentState[Any]):
    messages: AsTheyCome


class Merged(AgentState[Any]):
    messages: ById


@pytest.mark.parametrize("schema", [Appended, Merged])
async def test_an_agent_whose_messages_are_a_delta_channel(memory: AgentMemory, do: Do, schema: Any) -> None:
    agent = agent_of(memory, pausing, schema=schema)
    for text in ("I like tea.", "Ask me."):
        await do(agent.invoke, {"messages": text}, config("ada"))
    await do(agent.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == [("ada", "I like tea.")]
    await do(agent.invoke, {"messages": "Please Ask."}, config("ada"))
    await do(agent.invoke, Command(resume="yes"), config("ada"))
    assert await told(memory) == [("ada", "Please Ask.")]


@pytest.mark.parametrize("user", ["ada", "eve"])
async def test_behind_which_a_hook_had_spoken(memory: AgentMemory, do: Do, user: str) -> None:
    @before_agent
    def noting(state: Any, runtime: Any) -> dict[str, Any]:
        return {"messages": [AIMessage("They write from a phone.")]}

    agent = agent_of(memory, noting, pausing, lines=[call("ask", question="Sure?")])
    await do(agent.invoke, {"messages": "I like rain."}, config("ada"))
    await do(agent.invoke, Command(resume="yes"), config("ada"))
    assert await told(memory) == [("ada", "I like rain.")]
    await do(agent.invoke, SAID, config("ada"))
    await do(agent.invoke, Command(resume="yes"), config(user))
    assert [text for _, text in await told(memory)] == (TEXTS if user == "ada" else [])


# --- an agent that is a node of a graph


@pytest.mark.parametrize("user", ["ada", "eve"])
async def test_behind_which_a_supervisor_had_spoken(memory: AgentMemory, do: Do, user: str) -> None:
    built: Any = StateGraph(MessagesState)
    built.add_node("supervisor", lambda state: {"messages": [AIMessage("One moment.")]})
    built.add_node("agent", agent_of(memory, pausing, saver=False))
    built.add_edge(START, "supervisor").add_edge("supervisor", "agent")
    graph = built.compile(memory.checkpointer)
    await do(graph.invoke, SAID, config("ada"))
    await do(graph.invoke, Command(resume="yes"), config(user))
    assert [text for _, text in await told(memory)] == (TEXTS if user == "ada" else [])


@pytest.mark.parametrize("where", ["in the agent", "before it"])
async def test_an_agent_inside_a_graph(memory: AgentMemory, do: Do, where: str) -> None:
    def waiting(state: Any) -> dict[str, Any]:
        interrupt("May I?")
        return {"messages": [HumanMessage("I live in Mordor.")]}

    built: Any = StateGraph(MessagesState)
    nodes = (
        {"agent": agent_of(memory, pausing, saver=False)}
        if where == "in the agent"
        else {
            "wait": waiting,
            "agent": agent_of(memory, saver=False),
        }
    )
    graph = built.add_sequence([*nodes.items()]).add_edge(START, next(iter(nodes))).compile(memory.checkpointer)
    await do(graph.invoke, SAID, config())
    await do(graph.invoke, Command(resume="yes"), config())
    assert [text for _, text in await told(memory)] == TEXTS
    await do(graph.invoke, SAID, config("bob"))
    await do(graph.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == []
