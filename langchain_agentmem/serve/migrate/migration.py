"""Migration: what of the other packages is on a server, moved into a memory."""

from __future__ import annotations

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.serve.migrate.histories import HistoryMover
from langchain_agentmem.serve.migrate.items import ItemMover
from langchain_agentmem.serve.migrate.outcome import Outcome, Progress
from langchain_agentmem.serve.migrate.threads import ThreadMover
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Connection, Source


class Migration:
    """Moves threads, store items and chat histories of other packages into a memory. Moving again moves what is new.

    Args:
        memory: What takes them.
        source: Where they are: a URL, a client or a `Connection`. None: the memory's own server.
        dry_run: Read and understand everything, write nothing.
    """

    def __init__(self, memory: AgentMemory, source: Source | None = None, *, dry_run: bool = False) -> None:
        self._memory, self._dry_run = memory, dry_run
        self._source = memory.connection if source is None else Connection.of(source)

    async def athreads(
        self,
        *,
        prefix: str = "checkpoint",
        write_prefix: str = "checkpoint_write",
        on_progress: Progress | None = None,
    ) -> Outcome:
        """Threads of `RedisSaver`, `AsyncRedisSaver` and their shallow forms: every checkpoint and pending write.

        Args:
            prefix: The saver's `checkpoint_prefix`.
            write_prefix: The saver's `checkpoint_write_prefix`.
            on_progress: Called with the number of checkpoints done and that of all.
        """
        mover = ThreadMover(self._source, self._saver, prefix=prefix, write_prefix=write_prefix, dry_run=self._dry_run)
        return await mover.move(on_progress)

    async def astore(
        self,
        *,
        prefix: str = "store",
        vector_prefix: str = "store_vectors",
        on_progress: Progress | None = None,
    ) -> Outcome:
        """Items of `RedisStore` and `AsyncRedisStore`. One that is here already stays, unless theirs is newer.

        Args:
            prefix: The store's `store_prefix`.
            vector_prefix: The store's `vector_prefix`.
            on_progress: Called with the number of items done and that of all.
        """
        store = self._memory.store
        mover = ItemMover(self._source, store, prefix=prefix, vector_prefix=vector_prefix, dry_run=self._dry_run)
        return await mover.move(on_progress)

    async def ahistories(self, *, prefix: str = "chat:", on_progress: Progress | None = None) -> Outcome:
        """Chat histories of langchain-redis' `RedisChatMessageHistory`. What was said here since stays.

        Args:
            prefix: The history's `key_prefix`.
            on_progress: Called with the number of messages done and that of all.
        """
        return await HistoryMover(self._source, self._history, prefix=prefix, dry_run=self._dry_run).move(on_progress)

    threads = sync_of(athreads)
    store = sync_of(astore)
    histories = sync_of(ahistories)

    def _saver(self, ttl: float | None) -> AgentMemorySaver:
        keys, serde = self._memory.keys, self._memory.checkpointer.serde
        return AgentMemorySaver(self._memory.connection, prefix=keys.prefix, tenant=keys.tenant, serde=serde, ttl=ttl)

    def _history(self, session_id: str, ttl: float | None) -> AgentMemoryChatHistory:
        return self._memory.history(session_id, ttl=ttl)
