"""langchain-redis' cache and vector store, on a memory's connection and embeddings."""

from __future__ import annotations

import sys

import pytest
from langchain_core.outputs import Generation

from langchain_agentmem import AgentMemory, ConfigurationError, UnsupportedServerError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection

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
