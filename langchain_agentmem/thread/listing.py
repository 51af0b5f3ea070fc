"""Reading checkpoints that are not the head of their namespace: by id, by page, over all threads."""

from __future__ import annotations

import heapq
from collections.abc import AsyncIterator, Mapping
from typing import Any, NamedTuple

from langgraph.checkpoint.base import CheckpointTuple

from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.reading import Page
from langchain_agentmem.thread.threads import keys_of_thread
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, escape
from langchain_agentmem.wire.scripts import Script

_READ = Script("checkpoint_read")
_PAGE = 100


class Query(NamedTuple):
    """Which checkpoints are wanted.

    Attributes:
        ns: Namespace, None = all.
        only: This checkpoint id, "" = any.
        before: Only ids under this one, "" = no bound.
        metadata: What the metadata must equal.
        limit: How many will be taken, None = all.
    """

    ns: str | None = None
    only: str = ""
    before: str = ""
    metadata: Mapping[str, Any] = {}
    limit: int | None = None

    @property
    def page_size(self) -> int:
        """Checkpoints to fetch at once; with a filter nobody knows how many of them will be wanted."""
        return _PAGE if self.limit is None or self.metadata else min(self.limit, _PAGE)


class Listing:
    """Reads checkpoints, newest id first.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        codec: The serializer.
        refresh: Whether reading moves a thread's expiry on.
    """

    def __init__(self, redis: Connection, keys: Keys, codec: Codec, *, refresh: bool) -> None:
        self._redis, self._keys, self._codec = redis, keys, codec
        self._refresh = "1" if refresh else ""

    async def thread(self, thread_id: str, query: Query) -> AsyncIterator[CheckpointTuple]:
        """The checkpoints of one thread. One round trip for each page."""
        size, after = query.page_size, ("", "")
        scope = "*" if query.ns is None else escape(query.ns)
        while True:
            args = [scope, query.only, query.before, *after, size, self._refresh]
            [reply] = await self._redis.send(_READ(keys_of_thread(self._redis, self._keys, thread_id), args))
            page = Page(thread_id, reply, self._codec)
            for checkpoint in page.load(query.metadata):
                yield checkpoint
            if len(page) < size or (query.only and query.ns is not None):
                return
            after = page.last

    async def everywhere(self, thread_ids: AsyncIterator[str], query: Query) -> AsyncIterator[CheckpointTuple]:
        """The checkpoints of many threads, merged. At least one round trip for each thread."""
        streams = []
        async for thread_id in thread_ids:
            stream = self.thread(thread_id, query)
            if (first := await anext(stream, None)) is not None:
                streams.append((_newest_first(first), thread_id, first, stream))
        heapq.heapify(streams)
        while streams:
            _, thread_id, checkpoint, stream = streams[0]
            yield checkpoint
            if (following := await anext(stream, None)) is None:
                heapq.heappop(streams)
            else:
                heapq.heapreplace(streams, (_newest_first(following), thread_id, following, stream))


def _newest_first(checkpoint: CheckpointTuple) -> tuple[int, ...]:
    """A key that sorts ids downwards in a heap, a longer id before its own beginning."""
    return (*(-ord(letter) for letter in checkpoint.checkpoint["id"]), 1)
