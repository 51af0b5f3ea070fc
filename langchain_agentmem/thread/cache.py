"""AgentMemoryCache: what LangGraph's nodes wrote, kept for the next time they get the same input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from langgraph.cache.base import BaseCache, FullKey, Namespace, ValueT
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import pack_typed, unpack_typed
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Command, Connection, Source
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_SET = Script("cache_set")
_CLEAR = Script("cache_clear")


class _Entry(NamedTuple):
    key: str
    stored: bytes
    ttl: int | None

    @property
    def milliseconds(self) -> int | str:
        """For a script: "" is never."""
        return "" if self.ttl is None else round(self.ttl * 1000)


class AgentMemoryCache(BaseCache[ValueT], ClosingOwn):
    """A node cache for `graph.compile(cache=...)`, shared by every process that uses the same server.

    Sync and async are each native. `get` and `set` are one round trip. Each namespace (one for each node) has an index
    of its keys, by which it is cleared. What no index names is not given out, as nothing could clear it: a full server
    may evict an index.

    Args:
        redis: A Redis URL, your own redis-py client (sync, async or cluster), or a `Connection` to share.
        prefix: First segment of every key.
        tenant: Second segment of every key; tenants never see each other's entries.
        serde: Serializer of what nodes write; by default `JsonPlusSerializer` without pickle, as for LangGraph's own.
        **options: For redis-py, where `redis` is a URL.

    Raises:
        ConfigurationError: `redis` is none of the above.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        serde: SerializerProtocol | None = None,
        **options: Any,
    ) -> None:
        super().__init__(serde=serde)
        self._owned = not isinstance(redis, Connection)
        self._redis = Connection.of(redis, **options)
        self._keys = Keys(prefix, tenant)
        self._codec = Codec(self.serde)

    async def aget(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """What is cached for the keys, each a namespace and a name; a key without an entry is left out."""
        wanted = [(tuple(namespace), key) for namespace, key in keys]
        commands: list[Command] = [("GET", self._keys.cached(*full)) for full in wanted]
        commands += [("ZSCORE", self._keys.cache(full[0]), self._keys.cached(*full)) for full in wanted]
        replies = await self._redis.send(*commands)
        found, named = replies[: len(wanted)], replies[len(wanted) :]
        return {
            full: self._codec.loads_typed(unpack_typed(stored))
            for full, stored, expiry in zip(wanted, found, named, strict=True)
            if stored is not None and expiry is not None
        }

    def get(self, keys: Sequence[FullKey]) -> dict[FullKey, ValueT]:
        """Sync form of `aget`."""
        return run(self.aget(keys))

    async def aset(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Cache values.

        Args:
            pairs: For each key the value and the seconds that it is kept; None = until it is cleared, 0 = not at all.
        """
        spaces: dict[Namespace, list[_Entry]] = {}
        for (namespace, key), (value, ttl) in pairs.items():
            stored = pack_typed(self._codec.dumps_typed(value))
            spaces.setdefault(tuple(namespace), []).append(_Entry(key, stored, ttl))
        await self._redis.send(*(command for space in spaces.items() for command in self._set(*space)))

    def set(self, pairs: Mapping[FullKey, tuple[ValueT, int | None]]) -> None:
        """Sync form of `aset`."""
        return run(self.aset(pairs))

    async def aclear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Forget what is cached.

        Args:
            namespaces: Only in these, each exactly, in one round trip; None = everything of this tenant, also what a
                server that evicts has taken out of its index: that looks at each key of the server (SCAN).
        """
        if namespaces is not None:
            await self._redis.send(*(_CLEAR([self._keys.cache(tuple(namespace))]) for namespace in namespaces))
            return
        async for found in self._redis.scan(self._keys.caches()):
            await self._redis.send(*(("UNLINK", key) for key in found))

    def clear(self, namespaces: Sequence[Namespace] | None = None) -> None:
        """Sync form of `aclear`."""
        return run(self.aclear(namespaces))

    def _set(self, namespace: Namespace, entries: Sequence[_Entry]) -> list[Command]:
        """The commands that store a namespace's entries."""
        kept = [entry for entry in entries if entry.ttl is None or entry.ttl > 0]
        gone = [self._keys.cached(namespace, entry.key) for entry in entries if entry not in kept]
        commands: list[Command] = [("UNLINK", *gone)] if gone else []
        if kept:
            keys = [self._keys.cache(namespace), *(self._keys.cached(namespace, entry.key) for entry in kept)]
            commands.append(_SET(keys, [part for entry in kept for part in (entry.stored, entry.milliseconds)]))
        return commands
