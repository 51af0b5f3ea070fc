"""Tiers: the three tiers of a memory on one connection, without what makes an agent use them."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from langchain_core.embeddings import Embeddings
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.store.base import ensure_embeddings

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.signals import Signals
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.facts import Facts
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.vectors import VectorIndexConfig
from langchain_agentmem.promotion.models import named_embeddings
from langchain_agentmem.thread.cache import AgentMemoryCache
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.thread.threads import ThreadInfo
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.changes import Changes
from langchain_agentmem.wire.closing import Closing
from langchain_agentmem.wire.connection import Connection, Source, url_from_env
from langchain_agentmem.wire.doctor import diagnose
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.once import once
from langchain_agentmem.wire.report import Report

if TYPE_CHECKING:
    from langchain_agentmem.wire.embedded import EmbeddedServer


class Tiers(Closing):
    """Threads, events and long-term memory on one connection. `AgentMemory` adds promotion and the agent's surface.

    Args: Those of `AgentMemory`, without the ones of promotion.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        ttl: float | None = None,
        refresh_on_read: bool = False,
        serde: SerializerProtocol | None = None,
        embeddings: Embeddings | str | None = None,
        dims: int | None = None,
        ttls: Mapping[str, float | None] | None = None,
        checkpoint_events: bool = False,
        **options: Any,
    ) -> None:
        self._owned = not isinstance(redis, Connection)
        self.server: EmbeddedServer | None = None
        self.connection = Connection.of(redis, **options)
        self.keys = Keys(prefix, tenant)
        self._names: dict[str, Any] = {"prefix": prefix, "tenant": tenant}
        self._serde, self._embeddings, self._dims, self._ttls = serde, embeddings, dims, ttls
        self._changes = Changes()
        self.events = EventLog(self.connection, **self._names)
        self.checkpointer = AgentMemorySaver(
            self.connection,
            **self._names,
            serde=serde,
            ttl=ttl,
            refresh_on_read=refresh_on_read,
            events=self.events if checkpoint_events else None,
        )

    @classmethod
    def embedded(cls, path: str | os.PathLike[str] | None = None, *, modules: bool = True, **settings: Any) -> Self:
        """A memory on a private server of its own, for development, tests and notebooks.

        The server ends when the memory is closed or this process ends, unless another process uses it.

        Args:
            path: Data directory; processes that name the same one share its server. None: nothing is kept.
            modules: Load search and JSON where they are installed. False: a plain server.
            **settings: As for the class.

        Raises:
            EmbeddedServerError: No server program is installed, or none was ready in time.
            ConfigurationError: `path` cannot be used, or this platform has no file locks.
        """
        server = _start_server(path, modules)
        try:
            memory = cls(server.url, **settings)
        except BaseException:
            server.stop()
            raise
        memory.server = server
        return memory

    @classmethod
    def from_env(cls, **settings: Any) -> Self:
        """A memory on the server that the environment variable REDIS_URL names.

        Args:
            **settings: As for the class.

        Raises:
            ConfigurationError: REDIS_URL is not set.
        """
        return cls(url_from_env(), **settings)

    @classmethod
    def from_conn_string(cls, conn_string: str, **settings: Any) -> Self:
        """A memory for a Redis URL, to be used in `with` or `async with`, which close its connections.

        Args:
            conn_string: A Redis URL; its forms are those of `Connection`.
            **settings: As for the class.
        """
        return cls(conn_string, **settings)

    # --- thread: what is happening

    @once
    def sessions(self) -> Sessions:
        """The working memories of the tenant: open one, list them by user."""
        return Sessions(self.connection, keys=self.keys, serde=self._serde)

    def session(self, thread_id: str, user: str | None = None) -> WorkingMemory:
        """The working memory of a thread: goal, scratchpad, summary, data and recent turns in one hash."""
        return self.sessions.open(thread_id, user)

    def history(
        self, session_id: str, *, ttl: float | None = None, window: int | None = None
    ) -> AgentMemoryChatHistory:
        """A chat history, for chains that still use one.

        Args:
            session_id: The conversation.
            ttl: Seconds after its last write at which it expires; None = never.
            window: How many of the newest messages are kept; None = all.
        """
        return AgentMemoryChatHistory(
            session_id, self.connection, **self._names, ttl=ttl, window=window, serde=self._serde
        )

    @once
    def cache(self) -> AgentMemoryCache[Any]:
        """A cache of node results, for `compile(cache=...)`."""
        return AgentMemoryCache(self.connection, **self._names)

    # --- events: what was done

    @property
    def signals(self) -> Signals:
        """Live signals over Pub/Sub: transient, with `events` as the durable twin."""
        return self.events.signals

    @once
    def tracer(self) -> EventTracer:
        """A callback handler that makes events of every node, tool and model call: `callbacks=[memory.tracer]`."""
        return EventTracer(self.events)

    # --- long-term: what was learned

    @once
    def embeddings(self) -> Embeddings:
        """What embeds the memories.

        Raises:
            ConfigurationError: None were given and the extra `embedded` is not installed, or their name is of no use.
        """
        if isinstance(self._embeddings, str):
            return named_embeddings(self._embeddings)
        return ensure_embeddings(self._embeddings) if self._embeddings else OfflineEmbeddings()

    @once
    def store(self) -> AgentMemoryStore:
        """For `compile(store=...)` and `create_agent(store=...)`.

        Raises:
            ConfigurationError: There are no embeddings.
        """
        told = getattr(self.embeddings, "dimensions", None)  # as OpenAI's may; else one text is embedded to count them
        dims = self._dims or (told if isinstance(told, int) else len(self.embeddings.embed_query("dimensions")))
        return self._store_with({"dims": dims, "embed": self.embeddings})

    def _store_with(self, index: VectorIndexConfig | None = None) -> AgentMemoryStore:
        store = AgentMemoryStore(self.connection, **self._names, index=index)
        store.changes = self._changes  # of all that this memory writes
        return store

    @once
    def bank(self) -> MemoryBank:
        """What is remembered and recalled: a `MemoryBank` on `store`."""
        return MemoryBank(self.store, ttls=self._ttls, events=self.events)

    @once
    def facts(self) -> Facts:
        """Exact, versioned facts, those of `bank.facts`. They need no embedder."""
        return Facts(self._store_with())

    # --- threads and server

    async def athreads(
        self,
        *,
        user: str | None = None,
        filter: Mapping[str, Any] | None = None,
        limit: int = 50,
        after: ThreadInfo | None = None,
    ) -> Sequence[ThreadInfo]:
        """A page of threads, last active first.

        Args:
            user: Only threads whose metadata names this `user_id`.
            filter: Only threads whose newest checkpoint has these metadata values.
            limit: The most to return.
            after: The last thread of the page before.
        """
        return await self.checkpointer.threads.alist(user=user, filter=filter, limit=limit, after=after)

    threads = sync_of(athreads)

    async def adoctor(self, *, limit: int = 20_000) -> Report:
        """Ask the server what it is, how safely it keeps memories, and what they take. Changes nothing.

        Args:
            limit: How many keys of the server to pass over; the rest is estimated.

        Returns:
            A report; `str()` of it is made to be read.

        Raises:
            redis.exceptions.RedisError: The server is not there, or refuses this user altogether.
        """
        return await diagnose(self.connection, self.keys, limit=limit)

    doctor = sync_of(adoctor)

    def close(self) -> None:
        """Write the events that still wait, close the sync connections and stop the server, if they are ours."""
        if "tracer" in self.__dict__:
            self.tracer.flush()
        self.events.flush()
        if self._owned:
            self.connection.close()
        if self.server is not None:
            self.server.stop()

    async def aclose(self) -> None:
        """Write the events that still wait, close the connections and stop the server, if they are ours."""
        if "tracer" in self.__dict__:
            await self.tracer.aflush()
        await self.events.aflush()
        if self._owned:
            await self.connection.aclose()
        if self.server is not None:
            await asyncio.to_thread(self.server.stop)  # it waits for the server's end

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.server or self.connection}, keys {self.keys.base}:*)"


def _start_server(path: str | os.PathLike[str] | None, modules: bool) -> EmbeddedServer:
    try:
        from langchain_agentmem.wire.embedded import EmbeddedServer
    except ModuleNotFoundError as error:  # fcntl: only POSIX systems have the locks that processes share a server by
        raise ConfigurationError(
            f"embedded: this platform has no {error.name}; run a server and pass its URL to AgentMemory"
        ) from error
    return EmbeddedServer.start(path, modules=modules)
