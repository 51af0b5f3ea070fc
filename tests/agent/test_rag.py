"""langchain-redis' cache and vector store, on a memory's connection and embeddings."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest
from langchain.agents import create_agent
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult, Generation
from pydantic import Field

from langchain_agentmem import AgentMemory, ConfigurationError, UnsupportedServerError
from langchain_agentmem.agent.nodes import RecallNode
from langchain_agentmem.agent.rendering import OPENING
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.agent.scripted import calls
from tests.conftest import Do

pytest.importorskip("langchain_redis", reason="the extra redis-rag is not installed")

ASKED, ANSWER = "What is the capital of France?", [Generation(text="Paris")]


def keys(memory: AgentMemory) -> list[str]:
    return sorted(key.decode() for key in run(memory.connection.send(("KEYS", "*")))[0])


async def test_a_semantic_cache_answers_what_means_the_same(search: Connection) -> None:
    memory = AgentMemory(search, tenant="acme")
    cache = memory.semantic_cache(distance_threshold=0.5)  # word vectors lie far apart
    assert cache.lookup(ASKED, "model") is None
    cache.update(ASKED, "model", ANSWER)
    assert cache.lookup("what is the capital of france", "model") == ANSWER
    assert await cache.alookup("what is the capital of france", "model") == ANSWER
    assert cache.lookup("How do I bake bread?", "model") is None
    await cache.aupdate("How do I bake bread?", "model", [Generation(text="Slowly")])
    assert cache.lookup("How do I bake bread?", "model") == [Generation(text="Slowly")]
    assert all(key.startswith("agentmem:acme:") for key in keys(memory))
    await cache.aclear()
    assert cache.lookup(ASKED, "model") is None


class Teller(BaseChatModel):
    """Searches memory where it may, then says what it was told of it; counts how often it was asked."""

    asked: list[list[BaseMessage]] = Field(default_factory=list)
    tools: bool = False

    @property
    def _llm_type(self) -> str:
        return "teller"

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.model_copy(update={"tools": bool(tools)})

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        self.asked.append(messages)
        told = next((m.text for m in messages if OPENING in m.text or isinstance(m, ToolMessage)), None)
        searching = self.tools and told is None
        said = calls(("search_memory", {"query": "hiking"})) if searching else AIMessage(f"I know: {told}")
        return ChatResult(generations=[ChatGeneration(message=said)])


@pytest.fixture
def cached(search: Connection) -> Iterator[AgentMemory]:
    """A memory of Anna's alone, whose semantic cache takes anything for alike, and is that of all models."""
    with AgentMemory(search, tenant="acme") as memory:
        memory.bank.remember("Anna likes to hike in the Dolomites", Scope("anna"))
        set_llm_cache(memory.semantic_cache(distance_threshold=1.9))
        try:
            yield memory
        finally:
            set_llm_cache(None)


QUESTION = {"messages": [HumanMessage("Where do I like to hike?", id="1")]}


async def answers(do: Do, agent: Any) -> list[str]:
    """What Anna, Bob and Anna again are answered."""
    states = [await do(agent.invoke, QUESTION, {"configurable": {"user_id": user}}) for user in ("anna", "bob", "anna")]
    return [state["messages"][-1].text for state in states]


async def test_what_was_recalled_for_a_user_is_answered_to_nobody_else(cached: AgentMemory, do: Do) -> None:
    cached.bank.remember("Bob likes to swim", Scope("bob"))
    model = Teller()
    anna, bob, again = await answers(do, create_agent(model, middleware=[cached.middleware(promote=False)]))
    assert "Dolomites" in anna
    assert "Dolomites" not in bob
    assert "Bob likes to swim" in bob
    assert "Dolomites" in again
    assert len(model.asked) == 3
    assert not [key for key in keys(cached) if "answers" in key]


async def test_what_a_memory_tool_answered_is_answered_to_nobody_else(cached: AgentMemory, do: Do) -> None:
    model = Teller()
    agent = create_agent(model, tools=cached.tools(names=["search_memory"]))
    anna, bob, again = await answers(do, agent)
    assert ("Dolomites" in anna, "Dolomites" in bob, "Dolomites" in again) == (True, False, True)
    assert len(model.asked) == 4  # that it searches is the same for all
    assert not [key for key in keys(cached) if b"Dolomites" in held(cached, key)]


async def test_what_was_recalled_by_a_node_is_answered_to_nobody_else(cached: AgentMemory, do: Do) -> None:
    node: RecallNode = cached.recall_node()
    for _ in range(2):
        [block] = (await do(node.invoke, QUESTION, {"configurable": {"user_id": "anna"}}))["messages"]
        answer = await do(Teller().invoke, [block, *QUESTION["messages"]])
        assert "Dolomites" in answer.text
    assert "Dolomites" not in (await do(Teller().invoke, QUESTION["messages"])).text


async def test_what_is_nobodys_own_is_answered_from_the_cache(cached: AgentMemory, do: Do) -> None:
    model = Teller()
    assert await answers(do, create_agent(model, middleware=[])) == ["I know: None"] * 3
    assert len(model.asked) == 1
    said = 'Say "name": "search_memory" and {"name": "remember"}.'
    other = [SystemMessage("Be brief."), HumanMessage(said)]
    cache: Any = cached.semantic_cache(distance_threshold=1e-6)
    await do(cache.update, dumps(other), "model", ANSWER)
    assert await do(cache.lookup, dumps(other), "model") == ANSWER


def held(memory: AgentMemory, key: str) -> bytes:
    """What a hash of the cache holds."""
    if ":answers" not in key:
        return b""
    [found] = run(memory.connection.send(("HGETALL", key)))
    return repr(found).encode()


async def test_each_vector_store_has_its_own_documents(search: Connection) -> None:
    memory = AgentMemory(search, tenant="acme")
    animals, food = memory.vectorstore("animals: wild"), memory.vectorstore("food")
    animals.add_texts(["Cats sleep all day.", "Redis is a server."])
    food.add_texts(["Bread needs time."])
    assert [found.page_content for found in animals.similarity_search("feline naps", k=1)] == ["Cats sleep all day."]
    assert [found.page_content for found in await food.asimilarity_search("feline naps")] == ["Bread needs time."]
    assert all(key.startswith("agentmem:acme:documents:") for key in keys(memory))


def test_a_server_without_search_is_told(plain: Connection) -> None:
    memory = AgentMemory(plain)
    with pytest.raises(UnsupportedServerError, match="no search module"):
        memory.semantic_cache()
    with pytest.raises(UnsupportedServerError, match="no search module"):
        memory.vectorstore("documents")


def test_without_the_extra_the_error_says_what_to_install(search: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "langchain_redis", None)
    memory = AgentMemory(search)
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[redis-rag\]"):
        memory.semantic_cache()
    with pytest.raises(ConfigurationError, match=r"langchain-agentmem\[redis-rag\]"):
        memory.vectorstore("documents")
