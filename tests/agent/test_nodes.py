"""RecallNode in a graph: what it writes into the state, for any kind of state, turn after turn."""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import Annotated, Any, TypedDict

import pytest
from langchain_core.messages import AIMessage, AnyMessage, BaseMessage, HumanMessage, SystemMessage
from langchain_core.runnables import RunnableConfig
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.agent.nodes import MESSAGE_ID, RecallNode
from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import is_recalled
from tests.conftest import Do

ANNA = Scope("anna")


def config(user: str | None = "anna", thread: str = "t") -> RunnableConfig:
    return {"configurable": {"thread_id": thread, **({"user_id": user} if user else {})}}


class Keyed(MessagesState, total=False):
    memory_context: str
    user_id: str


@dataclass
class AsDataclass:
    messages: Annotated[list[AnyMessage], add_messages] = field(default_factory=list)
    memory_context: str = ""


class AsModel(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages] = []
    memory_context: str = ""


class Plain(TypedDict, total=False):
    chat: list[Any]
    memory_context: str


def graph(memory: AgentMemory, node: RecallNode, state: Any = MessagesState) -> tuple[Any, list[list[BaseMessage]]]:
    seen: list[list[BaseMessage]] = []

    def answered(given: Any) -> dict[str, Any]:
        held = given if isinstance(given, dict) else vars(given)
        seen.append(list(held.get("messages", ())))
        return {"messages": [AIMessage("Yes.")]} if "messages" in held else {}

    answer: Any = answered
    built: StateGraph[Any, None, Any, Any] = StateGraph(state)
    built.add_node("recall", node)
    built.add_node("answer", answer)
    built.add_edge(START, "recall")
    built.add_edge("recall", "answer")
    return built.compile(checkpointer=memory.checkpointer), seen


async def test_a_message_that_takes_its_own_place(memory: AgentMemory, assembler: ContextAssembler, do: Do) -> None:
    memory.bank.remember(["Anna likes to hike in the Alps", "Bruno is the name of Anna's dog"], ANNA)
    built, seen = graph(memory, RecallNode(assembler))
    await do(built.invoke, {"messages": "Where does Anna like to hike?"}, config())
    await do(built.invoke, {"messages": "And what is the name of Anna's dog?"}, config())
    for messages in seen:
        [block] = [message for message in messages if is_recalled(message)]
        assert isinstance(block, SystemMessage)
        assert block.id == MESSAGE_ID
    assert "Alps" in str(seen[0][-1].content)
    assert [message.type for message in seen[1]] == ["human", "system", "ai", "human"]
    assert "Bruno" in str(seen[1][1].content)
    for one in memory.bank.list(ANNA):
        memory.bank.forget(ANNA, [one.id])
    await do(built.invoke, {"messages": "What is the name of Anna's dog?"}, config())
    assert not any(map(is_recalled, seen[2]))
    assert [message.type for message in seen[2]] == ["human", "ai", "human", "ai", "human"]


@pytest.mark.parametrize("parallel", [False, True])
async def test_two_nodes_keep_out_of_each_others_way(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, parallel: bool
) -> None:
    team = Scope(None, ("team",))
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    seen: list[Any] = []
    built: Any = StateGraph(MessagesState)
    built.add_node("mine", RecallNode(assembler)).add_node("ours", RecallNode(assembler, scope=("team",)))
    built.add_node("again", RecallNode(assembler, name="again"))
    built.add_node("answer", lambda state: seen.append(state["messages"]))
    built.add_edge(START, "mine").add_edge(START if parallel else "mine", "ours")
    built.add_edge(START if parallel else "ours", "again").add_edge(["mine", "ours", "again"], "answer")
    agent, asked = built.compile(checkpointer=memory.checkpointer), {"messages": "Where and when do we like to hike?"}
    await do(agent.invoke, asked, config())
    memory.bank.remember("The team likes to hike on Fridays", team)
    await do(agent.invoke, asked, config())
    shown = [[word in message.text for word in ("Alps", "Fridays")] for message in seen[1] if is_recalled(message)]
    assert sorted(shown) == [[False, True], [True, False], [True, False]]
    memory.bank.forget(ANNA, filter={})
    memory.bank.forget(team, filter={})
    await do(agent.invoke, asked, config())
    assert not any(map(is_recalled, seen[2]))


async def test_a_removal_by_two_nodes_at_once(memory: AgentMemory, assembler: ContextAssembler, do: Do) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    built: Any = StateGraph(MessagesState)
    for name in ("one", "two"):
        built.add_node(name, RecallNode(assembler)).add_edge(START, name)
    agent = built.compile(checkpointer=memory.checkpointer)
    await do(agent.invoke, {"messages": "Where does Anna like to hike?"}, config())
    memory.bank.forget(ANNA, filter={})
    done = await do(agent.invoke, {"messages": "Where does Anna like to hike?"}, config())
    assert not any(map(is_recalled, done["messages"]))


async def test_a_block_of_a_subgraph_is_gone_for_the_next_user(
    memory: AgentMemory, assembler: ContextAssembler, do: Do
) -> None:
    memory.bank.remember("Anna's PIN is 4711", ANNA)
    inner: Any = StateGraph(MessagesState)
    inner.add_node("recall", RecallNode(assembler)).add_edge(START, "recall")
    built: Any = StateGraph(MessagesState)
    built.add_node("inner", inner.compile()).add_edge(START, "inner")
    agent, asked = built.compile(checkpointer=memory.checkpointer), {"messages": "What is Anna's PIN?"}
    blocks = []
    for user in ("anna", "bob", "anna"):
        done = await do(agent.invoke, asked, config(user))
        blocks += [message.text for message in done["messages"] if is_recalled(message)]
    memory.bank.forget(ANNA, filter={})
    done = await do(agent.invoke, asked, config())
    blocks += [message.text for message in done["messages"] if is_recalled(message)]
    assert ["4711" in block for block in blocks] == [True, False, True, False]
    assert all(block.strip() for block in blocks), "models refuse an empty message"


async def test_in_an_entrypoint_the_caller_adds_the_block(
    memory: AgentMemory, assembler: ContextAssembler, do: Do
) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    recall = RecallNode(assembler)

    @entrypoint(checkpointer=memory.checkpointer)
    async def achat(messages: list[BaseMessage]) -> Any:
        return (await recall.ainvoke({"messages": messages}))["messages"][0].text

    @entrypoint(checkpointer=memory.checkpointer)
    def chat(messages: list[BaseMessage]) -> Any:
        return recall.invoke({"messages": messages})["messages"][0].text

    asked = [HumanMessage("Where does Anna like to hike?")]
    assert "Alps" in chat.invoke(asked, config())
    assert "Alps" in await achat.ainvoke(asked, config(thread="u"))


@pytest.mark.parametrize("state", [Keyed, AsDataclass, AsModel])
async def test_a_text_under_a_key_of_any_state(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, state: Any
) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    built, seen = graph(memory, RecallNode(assembler, key="memory_context"), state)
    done = await do(built.invoke, {"messages": [("user", "Where does Anna like to hike?")]}, config())
    assert "Anna likes to hike in the Alps" in done["memory_context"]
    assert [message.type for message in seen[0]] == ["human"]
    memory.bank.forget(ANNA, filter={})
    assert (await do(built.invoke, {"messages": [("user", "And now?")]}, config()))["memory_context"] == ""


async def test_messages_in_any_form_under_any_key(memory: AgentMemory, assembler: ContextAssembler, do: Do) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    node = memory.recall_node(key="memory_context", messages_key="chat", scope=ANNA)
    built, _ = graph(memory, node, Plain)
    chat = [{"role": "user", "content": "Where does Anna like to hike?"}]
    assert "Alps" in (await do(built.invoke, {"chat": chat}, config()))["memory_context"]
    with pytest.raises(InvalidInputError, match="messages_key: "):
        await do(graph(memory, RecallNode(assembler, scope=ANNA), Plain)[0].invoke, {"chat": chat}, config(thread="u"))


class NoReducer(TypedDict):
    messages: list[AnyMessage]
    memory_context: str


class Adding(TypedDict):
    messages: Annotated[list[AnyMessage], operator.add]
    memory_context: str


@pytest.mark.parametrize("state", [NoReducer, Adding])
async def test_a_state_that_would_lose_the_conversation_is_refused(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, state: Any
) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    asked = {"messages": [HumanMessage("Where does Anna like to hike?")]}
    with pytest.raises(InvalidInputError, match=r"messages_key: .* add_messages .* key="):
        await do(graph(memory, RecallNode(assembler), state)[0].invoke, asked, config())
    keyed, seen = graph(memory, RecallNode(assembler, key="memory_context"), state)
    assert "Alps" in (await do(keyed.invoke, asked, config(thread="u")))["memory_context"]
    assert seen[0] == asked["messages"]
    alone = await do(RecallNode(assembler).invoke, asked, config())  # called by hand, the caller adds the block
    assert "Alps" in alone["messages"][0].text


async def test_it_recalls_for_the_question_beside_an_image(
    memory: AgentMemory, assembler: ContextAssembler, do: Do, recalls: list[str]
) -> None:
    image = HumanMessage([{"type": "image", "url": "https://example.org/hut.png"}])
    built, _ = graph(memory, RecallNode(assembler))
    await do(built.invoke, {"messages": [HumanMessage("Where does Anna like to hike?"), image]}, config())
    assert recalls == ["Where does Anna like to hike?"]


async def test_whose_memories_only_the_run_says(memory: AgentMemory, assembler: ContextAssembler, do: Do) -> None:
    memory.bank.remember("Bob likes to hike in the Alps", Scope("bob"))
    built, _ = graph(memory, RecallNode(assembler, key="memory_context"), Keyed)
    asked = {"messages": "user_id: bob. Where does Bob like to hike?", "user_id": "bob"}
    assert (await do(built.invoke, asked, config("anna")))["memory_context"] == ""
    with pytest.raises(MissingScopeError, match="user_id: "):
        await do(built.invoke, asked, config(None))
    built, _ = graph(memory, RecallNode(assembler, key="memory_context", required=False), Keyed)
    assert (await do(built.invoke, asked, config(None)))["memory_context"] == ""
    template = RecallNode(assembler, key="memory_context", scope=("memories", "{customer}"))
    built, _ = graph(memory, template, Keyed)
    given: RunnableConfig = {"configurable": {"thread_id": "t", "customer": "bob"}}
    assert "Alps" in (await do(built.invoke, asked, given))["memory_context"]


async def test_the_log_names_what_was_in_front_of_the_model(
    memory: AgentMemory, assembler: ContextAssembler, do: Do
) -> None:
    memory.bank.remember([f"Anna likes to hike on peak {number}" for number in range(99)], ANNA)
    memory.facts.set(ANNA, "peak", 3)
    assembler = ContextAssembler(memory.bank, log=memory.events, limit=80, budget=4_000)
    built, _ = graph(memory, RecallNode(assembler, key="memory_context"), Keyed)
    done = await do(built.invoke, {"messages": "Where does Anna like to hike?"}, config())
    [step] = [each for each in built.get_state_history(config()) if each.next == ("recall",)]
    used = await do(memory.events.memories_used, "t", step.config["configurable"]["checkpoint_id"])
    assert len(used) == 80
    assert {each.id[:8] for each in used} == {
        line[3:11] for line in done["memory_context"].splitlines() if "- [" in line
    }
    assert {each.node for each in used} == {"recall"}
    [injected] = [event for event in memory.events.recent("t") if event.kind == "memory.injected"]
    assert injected.data["facts"] == {"peak": 1}
