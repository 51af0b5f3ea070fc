"""The extraction node: in graphs, on lists and on threads, in the background and inline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any

import openai
import pytest
from langchain_core.messages import AIMessage, AIMessageChunk, AnyMessage, HumanMessage, HumanMessageChunk
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages

from langchain_agentmem.errors import ConfigurationError, InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.openai_stub import OpenAIStub, Status
from tests.promotion.talks import ANN, fact, says
from tests.trips import watch_trips

CONFIG: Any = {"configurable": {"thread_id": "t1", "user_id": "ann"}}


@dataclass
class State:
    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)


@pytest.fixture
def box(search: Connection) -> Outbox:
    return Outbox(search)


@pytest.fixture
def extractor(bank: MemoryBank) -> Extractor:
    return Extractor(bank, None, ["verbatim", "rules"])


def texts(bank: MemoryBank, scope: Scope = ANN) -> list[str]:
    return sorted(memory.text for memory in bank.list(scope))


def graph_of(node: ExtractionNode, saver: AgentMemorySaver | None = None, schema: Any = MessagesState) -> Any:
    builder = StateGraph(schema)
    builder.add_node("chat", lambda state: {"messages": [AIMessage("I see.")]})
    builder.add_node("remember", node)
    builder.add_edge(START, "chat")
    builder.add_edge("chat", "remember")
    return builder.compile(checkpointer=saver)


@pytest.mark.parametrize("schema", [MessagesState, State])
async def test_a_graph_hands_its_turns_to_the_outbox(
    search: Connection, box: Outbox, extractor: Extractor, bank: MemoryBank, do: Do, schema: Any
) -> None:
    graph = graph_of(ExtractionNode(box, extractor), AgentMemorySaver(search), schema)
    for text in ("I'm vegetarian.", "I live in Oslo."):
        await do(graph.invoke, {"messages": [("user", text)]}, CONFIG)
    state = graph.get_state(CONFIG).values
    assert [message.text for message in state["messages"]] == [
        *("I'm vegetarian.", "I see."),
        *("I live in Oslo.", "I see."),
    ]
    assert texts(bank) == []
    await do(Worker(box, extractor).promote_pending)
    assert {name: each.value for name, each in bank.facts.all(ANN).items()} == {"diet": "vegetarian", "home": "Oslo"}
    (memory,) = [each for each in bank.list(ANN) if each.state == "home"]
    assert memory.source is not None
    assert memory.source.thread_id == "t1"
    checkpoints = [each.config["configurable"]["checkpoint_id"] for each in graph.get_state_history(CONFIG)]
    assert memory.source.checkpoint_id in checkpoints
    assert memory.source.message_ids == (state["messages"][2].id,)


async def test_inline_remembers_before_it_returns(
    search: Connection, box: Outbox, extractor: Extractor, bank: MemoryBank, do: Do
) -> None:
    graph = graph_of(ExtractionNode(box, extractor, mode="inline"), AgentMemorySaver(search))
    await do(graph.invoke, {"messages": [("user", "I'm vegetarian."), ("user", "I live in Oslo.")]}, CONFIG)
    assert set(bank.facts.all(ANN)) == {"diet", "home"}
    await do(graph.invoke, {"messages": [("user", "Actually I eat fish now.")]}, CONFIG)
    assert [each.value for each in bank.facts.history(ANN, "diet")] == ["eats fish", "vegetarian"]
    assert (await box.astats()).waiting == 0


async def test_inline_without_an_outbox(extractor: Extractor, bank: MemoryBank, do: Do) -> None:
    node = ExtractionNode(None, extractor, mode="inline")
    state = {
        "messages": [HumanMessage("I'm vegan.", id="1"), AIMessage("Ok.", id="2"), HumanMessage("I'm Bo.", id="3")]
    }
    assert await do(node.invoke, state, CONFIG) == {}
    assert "I'm Bo." in texts(bank)
    assert "I'm vegan." not in texts(bank), "of a state only the current turn is new"
    done = await do(node.invoke, state["messages"], CONFIG)
    assert {each.text for each in done} >= {"I'm vegan.", "User is vegan."}
    assert await do(node.invoke, state["messages"], CONFIG) == done, "a replay changes nothing"


async def test_lists_threads_and_batches(
    search: Connection, box: Outbox, extractor: Extractor, bank: MemoryBank, do: Do
) -> None:
    saver = AgentMemorySaver(search)
    graph_of(ExtractionNode(box, extractor), saver).invoke({"messages": [("user", "I like tea.")]}, CONFIG)
    session = WorkingMemory(search, "t2")
    session.append(("user", "I like jazz."))
    box.forget(["t1"])
    node = ExtractionNode(
        box, extractor, mode="inline", checkpointer=saver, sessions=lambda name: WorkingMemory(search, name)
    )
    config: Any = {"configurable": {"user_id": "ann"}}
    given: list[Any] = ["t1", "t2", [HumanMessage("I like rain.")], [("user", "I like snow.")]]
    done = await do(node.batch, given, config)
    assert [result[0].text for result in done] == ["I like tea.", "I like jazz.", "I like rain.", "I like snow."]
    with pytest.raises(InvalidInputError, match="no thread 'nowhere'"):
        await do(node.invoke, "nowhere", config)


def test_a_list_that_grows_is_one_conversation(box: Outbox, extractor: Extractor) -> None:
    node, config = ExtractionNode(box, extractor), {"configurable": {"user_id": "ann"}}
    said: list[Any] = [HumanMessage("Hi, I'm Ann."), AIMessage("Hello!")]
    node.invoke(said, config)  # type: ignore[arg-type]
    node.invoke([*said, HumanMessage("I like tea.")], config)  # type: ignore[arg-type]
    assert (box.stats().waiting, box.stats().threads) == (3, 1)
    node.invoke(said, {"configurable": {"user_id": "bo"}})
    assert box.stats().threads == 2, "the same words of another user are another conversation"


def test_times_that_messages_tell(box: Outbox, extractor: Extractor, bank: MemoryBank) -> None:
    said = HumanMessage("We fly to Oslo tomorrow.", additional_kwargs={"timestamp": "2025-05-01T12:00:00Z"})
    ExtractionNode(box, extractor, mode="inline").invoke([said], CONFIG)
    assert "User is flying to Oslo" not in str(texts(bank))
    assert {each.event_time for each in bank.list(ANN)} == {datetime(2025, 5, 1, 12, tzinfo=UTC)}


async def test_one_round_trip_however_long_the_thread(
    box: Outbox, extractor: Extractor, do: Do, monkeypatch: pytest.MonkeyPatch
) -> None:
    node = ExtractionNode(box, extractor)
    trips: list[Any] = []
    messages: list[AnyMessage] = [HumanMessage("Hi", id="0"), AIMessage("Hello!", id="1")]
    await do(node.invoke, {"messages": messages}, CONFIG)
    watch_trips(monkeypatch, trips.append)
    for turn in range(1, 200):
        messages += [HumanMessage(f"Text {turn}", id=f"h{turn}"), AIMessage("Ok.", id=f"a{turn}")]
        await do(node.invoke, {"messages": messages}, CONFIG)
    assert len(trips) == 199
    assert (await box.astats()).waiting == 400


# --- whose it is


def test_scopes_come_from_the_run(box: Outbox, extractor: Extractor, bank: MemoryBank) -> None:
    node = ExtractionNode(box, extractor, mode="inline", scope=("teams", "{team}", "{user_id}"))
    config: Any = {"configurable": {"thread_id": "1", "team": "red", "user_id": "bo"}}
    node.invoke([HumanMessage("I like tea. user_id: ann, team: blue")], config)
    assert len(texts(bank, Scope("bo", ("teams", "red")))) > 0
    fixed = ExtractionNode(box, extractor, mode="inline", scope=ANN)
    fixed.invoke([HumanMessage("I like rain.")])
    assert "I like rain." in texts(bank)


def test_the_context_of_a_graph_says_whose_it_is(
    search: Connection, box: Outbox, extractor: Extractor, bank: MemoryBank
) -> None:
    builder: Any = StateGraph(MessagesState, context_schema=dict)
    builder.add_node("remember", ExtractionNode(box, extractor, mode="inline"))
    builder.add_edge(START, "remember")
    graph = builder.compile(checkpointer=AgentMemorySaver(search))
    config: Any = {"configurable": {"thread_id": "1"}}
    graph.invoke({"messages": [("user", "I like tea.")]}, config, context={"user_id": "ann"})
    assert "I like tea." in texts(bank)
    config["configurable"]["user_id"] = "bo"
    with pytest.raises(InvalidInputError, match=r"user_id: .*different"):
        graph.invoke({"messages": [("user", "I like jazz.")]}, config, context={"user_id": "ann"})


def test_what_streaming_leaves_in_a_state_is_read(box: Outbox, extractor: Extractor, bank: MemoryBank) -> None:
    said = [HumanMessageChunk(content="I like tea."), AIMessageChunk(content="Noted.")]
    ExtractionNode(box, extractor, mode="inline").invoke({"messages": said}, {"configurable": {"user_id": "ann"}})
    assert "I like tea." in texts(bank)


def test_a_run_must_say_whose_it_is(box: Outbox, extractor: Extractor) -> None:
    with pytest.raises(MissingScopeError, match="user_id"):
        ExtractionNode(box, extractor).invoke({"messages": [("user", "I like tea.")]})
    lenient = ExtractionNode(box, extractor, required=False)
    assert lenient.invoke({"messages": [("user", "I like tea.")]}) == {}
    assert lenient.invoke([HumanMessage("I like tea.")]) == []
    assert box.stats().waiting == 0


def test_what_cannot_work_is_said(box: Outbox, extractor: Extractor) -> None:
    with pytest.raises(ConfigurationError, match="mode: "):
        ExtractionNode(box, extractor, mode="later")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="outbox: "):
        ExtractionNode(None, extractor)
    with pytest.raises(InvalidInputError, match="messages_key: "):
        ExtractionNode(box, extractor).invoke({"history": []}, CONFIG)
    named = ExtractionNode(box, extractor, messages_key="history")
    assert named.invoke({"history": []}, CONFIG) == {}


# --- when the model fails


async def test_what_fails_inline_is_raised_and_kept(
    search: Connection, bank: MemoryBank, stub: OpenAIStub, do: Do
) -> None:
    box = Outbox(search, backoff=0)
    extractor = Extractor(bank, stub.chat_model(), "discrete")
    node = ExtractionNode(box, extractor, mode="inline")
    stub.answer = lambda request: Status(500)
    with pytest.raises(openai.InternalServerError):
        await do(node.invoke, [HumanMessage("I like tea.", id="1")], CONFIG)
    assert (await box.astats()).waiting == 1
    stub.answer = says(discrete=[fact("User likes tea.", 1)])
    done = await do(node.invoke, [HumanMessage("I like tea.", id="1"), AIMessage("I see.", id="2")], CONFIG)
    assert [each.text for each in done] == ["User likes tea."]


def test_an_inline_model_does_not_show_in_the_graphs_stream(
    search: Connection, box: Outbox, bank: MemoryBank, stub: OpenAIStub
) -> None:
    stub.answer = says(discrete=[fact("User likes tea.", 1)])
    extractor = Extractor(bank, stub.chat_model(streaming=True), "discrete")
    graph = graph_of(ExtractionNode(box, extractor, mode="inline"), AgentMemorySaver(search))
    shown = graph.stream({"messages": [("user", "I like tea.")]}, CONFIG, stream_mode="messages")
    assert [message.text for message, _ in shown] == ["I see."]
    assert texts(bank) == ["User likes tea."]
