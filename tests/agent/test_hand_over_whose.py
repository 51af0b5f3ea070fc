"""Whose the words are that an agent's turn hands over, and that each is handed over once, as said in this turn."""

from __future__ import annotations

from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import PIIMiddleware, SummarizationMiddleware, before_model
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import AIMessage, AnyMessage, HumanMessage, RemoveMessage
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph.message import REMOVE_ALL_MESSAGES
from langgraph.types import Command

from langchain_agentmem import AgentMemory
from langchain_agentmem.longterm.record import Scope
from tests.agent.conftest import EMBEDDER
from tests.agent.scripted import call, yes
from tests.agent.telling import Moody, agent_of, config, told
from tests.conftest import Do
from tests.servers import serving
from tests.trips import watch_trips


async def failing(do: Do, agent: Any, text: str, where: RunnableConfig, error: type[Exception]) -> None:
    with pytest.raises(error):
        await do(agent.invoke, {"messages": text}, where)


# --- a turn that fails


async def test_a_turn_that_failed_stays_its_own_users(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory)
    await do(agent.invoke, {"messages": "I like jazz."}, config("ada"))
    await failing(do, agent, "I fail to eat nuts.", config("ada"), TimeoutError)
    await do(agent.invoke, {"messages": "I like opera."}, config("bob"))
    assert await told(memory) == [("ada", "I like jazz."), ("ada", "I fail to eat nuts."), ("bob", "I like opera.")]


async def test_what_nobody_said_is_not_of_whoever_signs_in(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, required=False)
    await do(agent.invoke, {"messages": "I live in Kiel."}, config(None))
    await failing(do, agent, "I fail to eat nuts.", config(None), TimeoutError)
    await do(agent.invoke, {"messages": "I like tea."}, config("eve"))
    assert await told(memory) == [("eve", "I like tea.")]


async def test_nor_when_somebody_else_goes_on_with_it(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, required=False, lines=[call("ask", question="Sure?")])
    await do(agent.invoke, {"messages": "I live in Kiel."}, config(None))
    await do(agent.invoke, Command(resume="yes"), config("eve"))
    assert await told(memory) == []


async def test_what_a_guard_refused_is_never_taken(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, PIIMiddleware("email", strategy="block"))
    await failing(do, agent, "I am anna@example.org.", config(), Exception)
    await do(agent.invoke, {"messages": "I like tea."}, config())
    assert await told(memory) == [("anna", "I like tea.")]


async def test_what_a_guard_changed_is_taken_as_it_left_it(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, PIIMiddleware("email", strategy="redact"))
    await do(agent.invoke, {"messages": "I am anna@example.org."}, config())
    assert await told(memory) == [("anna", "I am [REDACTED_EMAIL].")]


@pytest.mark.parametrize("saver", [True, False], ids=["thread", "no thread"])
async def test_while_the_server_is_away_turns_wait_in_the_process(do: Do, saver: bool) -> None:
    with serving() as server:
        memory = AgentMemory(server.url, embeddings=EMBEDDER)
        agent = create_agent(
            Moody(lines=[yes() for _ in range(9)]),
            middleware=[memory.middleware(strategies="verbatim")],
            checkpointer=InMemorySaver() if saver else None,
        )
        await do(agent.invoke, {"messages": "Hello."}, config("ada"))
        server.kill()
        await do(agent.invoke, {"messages": "I like jazz."}, config("ada"))
        await do(agent.invoke, {"messages": "I like opera."}, config("bob"))
        server.start()
        await do(agent.invoke, {"messages": "I like tea."}, config("ada"))
        assert await told(memory) == [("ada", "I like jazz."), ("ada", "I like tea.")]


# --- a long turn


@before_model
def forgetting(state: Any, runtime: Any) -> dict[str, Any]:
    """Trim the conversation, as LangGraph's guides do."""
    first, *rest = state["messages"]
    return {"messages": [RemoveMessage(REMOVE_ALL_MESSAGES), first, *rest[-3:]]}


@pytest.mark.parametrize("how", ["summed up", "trimmed"])
async def test_a_long_turn_keeps_what_the_user_said(memory: AgentMemory, do: Do, how: str) -> None:
    summing = SummarizationMiddleware(
        FakeListChatModel(responses=["They spoke."]), trigger=("messages", 8), keep=("messages", 4)
    )
    lines = [yes(), *(call("weather", city=f"c{n}") for n in range(11)), yes()]
    agent = agent_of(memory, summing if how == "summed up" else forgetting, lines=lines)
    await do(agent.invoke, {"messages": "I like tea."}, config("ada"))
    done = await do(agent.invoke, {"messages": "I like jazz."}, config())
    assert "I like jazz." not in [message.text for message in done["messages"]]
    assert await told(memory) == [("ada", "I like tea."), ("anna", "I like jazz.")]


async def test_the_rest_of_a_turn_is_its_own(memory: AgentMemory, do: Do) -> None:
    """What an old thread begins with is not the answer to what is asked today."""
    old: list[AnyMessage] = [
        HumanMessage("I like tea."),
        AIMessage("How nice."),
        *(AIMessage(f"{n}") for n in range(9)),
    ]
    agent_of(memory).update_state(config(), {"messages": old})
    agent = agent_of(memory, forgetting, lines=[call("weather", city="Oslo"), call("weather", city="Rome"), yes()])
    await do(agent.invoke, {"messages": "I like jazz."}, config())
    job = await memory.outbox.jobs.ajob("t")
    lease = await memory.outbox.jobs.alease(job, "worker") if job else None
    assert lease is not None
    assert [turn.message.text for turn in lease.batch.turns] == ["I like jazz.", "", "Yes."]


# --- only the current turn


async def test_all_that_came_with_the_run(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory)
    await failing(do, agent, "I fail to eat nuts.", config("ada"), TimeoutError)
    await do(agent.invoke, {"messages": ["I like tea.", ("user", "And jazz.")]}, config())
    assert await told(memory) == [("ada", "I fail to eat nuts."), ("anna", "I like tea."), ("anna", "And jazz.")]


@pytest.mark.parametrize("how", ["strategies", "copied", "adopted", "forgotten by the outbox"])
async def test_an_old_thread_gives_nothing_as_new(memory: AgentMemory, do: Do, how: str) -> None:
    agent, bare = agent_of(memory), create_agent(Moody(lines=[yes()]), checkpointer=memory.checkpointer)
    await do((bare if how == "adopted" else agent).invoke, {"messages": "I live in Berlin."}, config())
    await told(memory)
    if how == "copied":
        memory.checkpointer.copy_thread("t", "copy")
    elif how == "strategies":
        agent = create_agent(
            Moody(lines=[yes()]), middleware=[memory.middleware(strategies="rules")], checkpointer=memory.checkpointer
        )
    elif how == "forgotten by the outbox":
        memory.outbox.forget(["t"])
    await do(agent.invoke, {"messages": "Good morning."}, config(thread="copy" if how == "copied" else "t"))
    assert await told(memory) == [("anna", "Good morning.")]


# --- no checkpointer: the client sends the whole conversation


@pytest.mark.parametrize("thread", ["t", None])
async def test_a_client_that_keeps_the_conversation(memory: AgentMemory, do: Do, thread: str | None) -> None:
    agent, where = agent_of(memory, saver=False), config(thread=thread)
    talk = [("user", "I live in Berlin."), ("ai", "How nice."), ("user", "yes"), ("ai", "Noted."), ("user", "yes")]
    for n in (1, 3, 3, 5):
        await do(agent.invoke, {"messages": talk[:n]}, where)
    await do(agent.invoke, {"messages": talk[3:]}, where)  # again, and of the conversation only its end
    assert [text for _, text in await told(memory)] == ["I live in Berlin.", "yes", "yes"]


async def test_such_a_client_may_say_the_same_again(memory: AgentMemory, do: Do) -> None:
    agent = agent_of(memory, saver=False)
    for said in ("I live in Berlin.", "I live in Rome.", "I live in Berlin."):
        await do(agent.invoke, {"messages": said}, config())
    assert [text for _, text in await told(memory)] == ["I live in Berlin.", "I live in Rome.", "I live in Berlin."]


async def test_a_long_turn_of_such_a_client(memory: AgentMemory, do: Do) -> None:
    lines = [call("weather", city=f"c{n}") for n in range(5)]
    agent = agent_of(memory, forgetting, lines=[*lines, yes()], saver=False)
    talk = [("user", "Hello."), ("ai", "Hello!"), ("user", "I like jazz.")]
    await do(agent.invoke, {"messages": talk}, config())
    assert await told(memory) == [("anna", "I like jazz.")]


# --- what it costs


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What goes to the server, round trip by round trip."""
    seen: list[Any] = []
    watch_trips(monkeypatch, seen.append)
    return seen


@pytest.mark.parametrize("asked", ["I like jazz.", "..."], ids=["a recall", "no word to recall for"])
async def test_what_the_user_says_travels_with_the_recall(
    memory: AgentMemory, do: Do, trips: list[Any], asked: str
) -> None:
    memory.bank.remember("Anna likes tea", Scope("anna"))
    agent = agent_of(memory, lines=[yes(), call("weather", city="Oslo")])
    await do(agent.invoke, {"messages": asked}, config())  # the server gets to know the scripts
    trips.clear()
    await do(agent.invoke, {"messages": asked}, config())
    handing = [trip for trip in trips if any(":outbox:" in str(part) for sent in trip for part in sent)]
    assert len(handing) == 2, "what the user says, and the rest"
    assert any(":facts:" in str(sent) for sent in handing[0]), "with the recall"
