"""What AgentMemory hands out: an agent that remembers in four arguments, nodes, workers, and forgetting."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain.agents.middleware import SummarizationMiddleware
from langchain_core.messages import AIMessage
from langgraph.graph import START, MessagesState, StateGraph

import langchain_agentmem
from langchain_agentmem import AgentMemory, BudgetExceededError, ConfigurationError, MissingScopeError, Scope
from langchain_agentmem.wire.connection import Connection
from tests.agent.conftest import EMBEDDER
from tests.agent.scripted import ScriptedModel
from tests.conftest import Do

ADA = Scope(user="ada")
TOLD = "I'm vegetarian and I live in Oslo."
FOUND = '{"discrete": [{"text": "Ada is going to Kyoto.", "turns": [1]}]}'


def thread(name: str, user: str = "ada") -> Any:
    return {"configurable": {"thread_id": name, "user_id": user}}


def said(text: str) -> Any:
    return {"messages": [("user", text)]}


def chat(memory: AgentMemory, **node: Any) -> Any:
    """A graph that recalls, answers and hands over."""
    graph = StateGraph(MessagesState)
    graph.add_node("recall", memory.recall_node())
    graph.add_node("answer", lambda state: {"messages": [("ai", "Noted.")]})
    graph.add_node("remember", memory.extraction_node(**node))
    graph.add_edge(START, "recall")
    graph.add_edge("recall", "answer")
    graph.add_edge("answer", "remember")
    return graph.compile(checkpointer=memory.checkpointer)


async def test_an_agent_remembers_across_threads(memory: AgentMemory, do: Do) -> None:
    model = ScriptedModel(lines=[AIMessage("Noted."), AIMessage("You are vegetarian.")])
    agent = create_agent(
        model,
        tools=memory.tools(),
        middleware=[memory.middleware()],
        checkpointer=memory.checkpointer,
        store=memory.store,
    )
    await do(agent.invoke, said(TOLD), thread("monday"))
    assert model.seen[0][0].type == "human"  # nothing was known yet
    assert (await do(memory.promote_pending)).memories >= 3
    await do(agent.invoke, said("What do I eat?"), thread("tuesday"))
    assert "diet: vegetarian" in model.seen[1][0].text
    facts = await do(memory.facts.all, ADA)
    assert {name: fact.value for name, fact in facts.items()} == {"diet": "vegetarian", "home": "Oslo"}
    found = await do(memory.retriever(scope=ADA).invoke, "Where do I live?")
    assert any("Oslo" in document.page_content for document in found)
    receipt = await do(memory.forget_user, "ada")
    assert (receipt.clean, receipt.erased["threads"]) == (True, 2)
    assert await do(memory.bank.count, ADA) == 0


async def test_a_graph_with_both_nodes(memory: AgentMemory, do: Do) -> None:
    graph = chat(memory, mode="inline")
    await do(graph.invoke, said(TOLD), thread("monday"))
    state = await do(graph.invoke, said("What do I eat?"), thread("tuesday"))
    assert "diet: vegetarian" in "".join(message.text for message in state["messages"] if message.type == "system")


async def test_a_worker_knows_the_model_and_strategies_of_the_nodes(memory: AgentMemory, do: Do) -> None:
    model = ScriptedModel(lines=[AIMessage(FOUND)])
    graph = chat(memory, model=model, strategy="discrete")
    await do(graph.invoke, said("I am going to Kyoto."), thread("monday"))
    report = await do(memory.promote_pending)
    assert (report.memories, report.usage.calls) == (1, 1)
    assert [each.text for each in await do(memory.bank.list, ADA)] == ["Ada is going to Kyoto."]


def test_the_model_of_one_node_is_not_that_of_the_next(memory: AgentMemory) -> None:
    memory.extraction_node(ScriptedModel(lines=[]), "discrete")
    with pytest.raises(ConfigurationError, match="'discrete' needs one"):
        memory.extraction_node(strategy="discrete")


async def test_a_worker_in_the_process(search: Connection) -> None:
    memory = AgentMemory(search, embeddings=EMBEDDER, outbox={"quiet": 0.01})
    async with memory.worker():
        await chat(memory).ainvoke(said(TOLD), thread("monday"))
        async with asyncio.timeout(30):
            while (await memory.outbox.astats()).waiting:  # noqa: ASYNC110 - an outbox wakes nobody
                await asyncio.sleep(0.02)
    assert (await memory.facts.aget(ADA, "diet")) is not None


def test_its_own_model_strategies_and_limits(search: Connection) -> None:
    model = ScriptedModel(lines=[AIMessage(FOUND)] * 2)
    memory = AgentMemory(search, embeddings=EMBEDDER, model=model, strategies="discrete", budget={"calls": 1})
    node = memory.extraction_node(mode="inline")
    node.invoke(said("I am going to Kyoto."), thread("monday"))
    with pytest.raises(BudgetExceededError):
        node.invoke(said("I am going to Nara."), thread("tuesday"))
    assert memory.outbox.stats().waiting == 1  # for tomorrow


def test_a_run_without_a_user_is_told(search: Connection) -> None:
    memory = AgentMemory(search, embeddings=EMBEDDER)
    nobody: Any = {"configurable": {"thread_id": "monday"}}
    with pytest.raises(MissingScopeError, match="user_id"):
        chat(memory).invoke(said(TOLD), nobody)
    assert memory.extraction_node(required=False).invoke(said(TOLD), nobody) == {}


async def test_a_summary_of_the_conversation_is_no_turn_of_the_user(memory: AgentMemory, do: Do) -> None:
    summary = SummarizationMiddleware(
        ScriptedModel(lines=[AIMessage("Bob hates fish.")] * 3), trigger=("messages", 2), keep=("messages", 1)
    )
    model = ScriptedModel(lines=[AIMessage("Noted."), AIMessage("Nice.")])
    agent = create_agent(model, middleware=[summary, memory.middleware()], checkpointer=memory.checkpointer)
    for text in ("I like tea.", "I own a cat."):
        await do(agent.invoke, said(text), thread("monday"))
    assert "Bob hates fish." in "".join(message.text for message in model.seen[-1])
    await do(memory.promote_pending)
    texts = {each.text for each in await do(memory.bank.list, ADA)}
    assert {"I like tea.", "I own a cat."} <= texts
    assert not any("fish" in text for text in texts)


async def test_middleware_that_only_recalls(memory: AgentMemory, do: Do) -> None:
    model = ScriptedModel(lines=[AIMessage("Noted.")])
    agent = create_agent(model, middleware=[memory.middleware(promote=False)], checkpointer=memory.checkpointer)
    await do(memory.facts.set, ADA, "diet", "vegetarian")
    await do(agent.invoke, said("What do I eat?"), thread("monday"))
    assert "diet: vegetarian" in model.seen[0][0].text
    assert (await do(memory.outbox.stats)).taken == 0


def test_without_the_extra_the_error_says_what_to_install(search: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "langchain_agentmem.agent.middleware", raising=False)
    monkeypatch.setitem(sys.modules, "langchain.agents.middleware", None)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[langchain\]"):
        AgentMemory(search, embeddings=EMBEDDER).middleware()


def test_every_public_name_is_there() -> None:
    assert [name for name in langchain_agentmem.__all__ if not hasattr(langchain_agentmem, name)] == []
    assert not hasattr(langchain_agentmem, "anything_else")
