"""LangChain's own semantic cache and vector store for Redis, on the connection and embeddings of a memory."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from langchain_core.caches import BaseCache
from langchain_core.embeddings import Embeddings
from langchain_core.outputs import Generation

from langchain_agentmem.agent.rendering import OPENING
from langchain_agentmem.agent.toolset import TOOLSET
from langchain_agentmem.errors import ConfigurationError, UnsupportedServerError
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, escape

if TYPE_CHECKING:
    from langchain_redis import RedisSemanticCache, RedisVectorStore

# A chat model's prompt is its messages as JSON, where quotes in a text are escaped: only a message or a call says this.
_MEMORY_TOOL = re.compile(rf'"name": ?"(?:{"|".join(TOOLSET)})"')


def semantic_cache(connection: Connection, keys: Keys, embeddings: Embeddings, **options: Any) -> RedisSemanticCache:
    """A cache of model answers by the meaning of the prompt, for `langchain.globals.set_llm_cache`.

    It is the tenant's, not a user's: what a model answered one user may be answered to another. So it is passed by
    where a prompt holds what memory knows: the block of `middleware` and `recall_node`, or what a memory tool was asked
    or answered. It cannot tell what else in a prompt is a user's own, such as documents of `retriever`, or what the
    conversation says: give models that are told such things `cache=False`.

    Args:
        connection: To a server with Redis Search.
        keys: The tenant's keys; the cache's begin with the same two segments.
        embeddings: What embeds the prompts.
        **options: Of langchain-redis' class: `distance_threshold`, `ttl`.

    Raises:
        ConfigurationError: langchain-redis is not installed.
        UnsupportedServerError: The server has no search module.
    """
    kind = _for_all_users(_langchain_redis().RedisSemanticCache)
    name = f"{keys.base}:answers"
    with _search_needed():
        cache: RedisSemanticCache = kind(embeddings, name=name, prefix=name, redis_client=connection.client, **options)
    return cache


def vectorstore(
    connection: Connection, keys: Keys, embeddings: Embeddings, name: str, **options: Any
) -> RedisVectorStore:
    """A vector store for documents, beside the memories.

    Args:
        connection: To a server with Redis Search.
        keys: The tenant's keys; the store's begin with the same two segments.
        embeddings: What embeds the documents.
        name: Of the collection; each has an index of its own.
        **options: Of langchain-redis' `RedisConfig`: `metadata_schema`, `indexing_algorithm`, `distance_metric`.

    Raises:
        ConfigurationError: langchain-redis is not installed.
        UnsupportedServerError: The server has no search module.
    """
    package = _langchain_redis()
    index = f"{keys.base}:documents:{escape(name)}"
    config = package.RedisConfig(index_name=index, key_prefix=index, redis_client=connection.client, **options)
    with _search_needed():
        store: RedisVectorStore = package.RedisVectorStore(embeddings, config=config)
    return store


def _for_all_users(base: Any) -> Any:
    """A class of semantic caches that pass by what is told from one user's memory."""

    def lookup(self: Any, prompt: str, llm_string: str) -> Sequence[Generation] | None:
        return None if _of_one_user(prompt) else base.lookup(self, prompt, llm_string)

    def update(self: Any, prompt: str, llm_string: str, return_val: Sequence[Generation]) -> None:
        if not _of_one_user(prompt):
            base.update(self, prompt, llm_string, return_val)

    # langchain-redis' own async methods embed on the event loop and know no unix sockets; LangChain's take a thread.
    in_a_thread = {name: getattr(BaseCache, name) for name in ("alookup", "aupdate", "aclear")}
    return type("RedisSemanticCache", (base,), {"lookup": lookup, "update": update, **in_a_thread})


def _of_one_user(prompt: str) -> bool:
    """Whether a prompt holds what memory knows of its user."""
    return OPENING in prompt or _MEMORY_TOOL.search(prompt) is not None


@contextmanager
def _search_needed() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if "unknown command" not in str(error).lower():
            raise
        raise UnsupportedServerError(
            "this server has no search module, and langchain-redis needs one: run Redis 8 or Redis Stack"
        ) from error


def _langchain_redis() -> Any:
    try:
        import langchain_redis
    except ModuleNotFoundError as error:
        raise ConfigurationError(f'{error.name} is missing: pip install "langchain-agentmem[redis-rag]"') from error
    return langchain_redis
