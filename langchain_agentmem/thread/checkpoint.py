"""AgentMemorySaver: LangGraph checkpoints on Redis hashes, without modules."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any, Self

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import (
    BaseCheckpointSaver,
    ChannelVersions,
    Checkpoint,
    CheckpointMetadata,
    CheckpointTuple,
    DeltaChannelHistory,
)
from langgraph.checkpoint.serde.base import SerializerProtocol

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.thread.beliefs import Beliefs
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import VERSION_WIDTH
from langchain_agentmem.thread.lifetime import milliseconds
from langchain_agentmem.thread.listing import Listing, Query
from langchain_agentmem.thread.reading import Head, config_of, load_delta_history
from langchain_agentmem.thread.threads import Threads
from langchain_agentmem.thread.writing import CheckpointEvents, Draft, Place, pack_rows
from langchain_agentmem.wire.awaitable import Nothing
from langchain_agentmem.wire.bridge import run, sync_of, walk
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Command, Connection, Source
from langchain_agentmem.wire.keys import Keys, escape
from langchain_agentmem.wire.scripts import Script
from langchain_agentmem.wire.whose import facts_of

_PUT = Script("checkpoint_put")
_WRITES = Script("checkpoint_writes")
_DELTA = Script("checkpoint_delta")
_TOUCH = Script("thread_touch")

_TTL_OVERRIDE = "thread_ttl"


class AgentMemorySaver(ClosingOwn, BaseCheckpointSaver[Any]):
    """A LangGraph checkpointer that keeps each thread in a few Redis hashes.

    One class for sync and async; needs no modules, no `setup()` and no running loop to be made. `put`, `put_writes`
    and `get_tuple` are one round trip each. A channel's value is stored once for each version, and a list that grows
    sends and stores only its new items. A second trip happens only when another worker changed the thread in between.

    Args:
        redis: A Redis URL, your own redis-py client (sync, async or cluster), or a `Connection` to share.
        prefix: First segment of every key.
        tenant: Second segment of every key; tenants never see each other's threads.
        serde: Serializer of values, metadata and writes; LangGraph's `JsonPlusSerializer` by default.
        ttl: Seconds after its last write at which a whole thread expires; None = never. One call overrides it with
            `{"configurable": {"thread_ttl": seconds or None}}`.
        refresh_on_read: Whether reading a checkpoint counts as use and moves the expiry on.
        events: An `EventLog` that gets a `checkpoint` event along with each put.
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
        ttl: float | None = None,
        refresh_on_read: bool = False,
        events: CheckpointEvents | None = None,
        **options: Any,
    ) -> None:
        super().__init__(serde=serde)
        self._owned = not isinstance(redis, Connection)
        self._redis = Connection.of(redis, **options)
        self._keys = Keys(prefix, tenant)
        self._ttl = milliseconds(ttl)
        self._refresh = refresh_on_read
        self._events = events
        self._beliefs = Beliefs()
        self._codec_, self._codec_of = Codec(self.serde), self.serde

    @classmethod
    def from_conn_string(cls, conn_string: str, **options: Any) -> Self:
        """A saver for a Redis URL, to be used in `with` or `async with`, which close its connections.

        Args:
            conn_string: A Redis URL; its forms are those of `Connection`.
            **options: As for the class.
        """
        return cls(conn_string, **options)

    @property
    def _codec(self) -> Codec:
        # `serde` may be exchanged at any time: by `with_allowlist` on a clone, by a test on the saver itself.
        if self._codec_of is not self.serde:
            self._codec_, self._codec_of = Codec(self.serde), self.serde
        return self._codec_

    # Made at use: a clone from `with_allowlist` has a serializer of its own.
    @property
    def _listing(self) -> Listing:
        return Listing(self._redis, self._keys, self._codec, refresh=self._refresh)

    @property
    def threads(self) -> Threads:
        """The tenant's threads: list, pin, and everything below."""
        return Threads(self._redis, self._keys, lambda: self._codec)

    def setup(self) -> Nothing:
        """Nothing: the saver needs no set-up. Here because other savers ask for the call; see `Nothing`."""
        return Nothing()

    async def asetup(self) -> None:
        """Nothing: see `setup`."""
        await self.setup()

    # --- reading

    async def aget_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Read the checkpoint that `config` names, or the thread's newest. One round trip.

        Returns:
            The checkpoint with its parent and pending writes, or None when there is no such checkpoint.
        """
        place = Place.of(config)
        if place.checkpoint_id:
            found = self._listing.thread(place.thread_id, Query(place.ns, place.checkpoint_id, limit=1))
            return await anext(found, None)
        head_key = self._keys.head(place.thread_id, place.ns)
        commands: list[Command] = [("HGETALL", head_key)]
        if self._refresh:
            commands.append(_TOUCH(self.threads.keys_of(place.thread_id), ["read"]))
        fields = (await self._redis.send(*commands))[0]
        if not fields:
            return None
        head = Head(fields)
        self._beliefs.learn(head_key, head.belief())
        return head.load(place.thread_id, place.ns, self._codec)

    def get_tuple(self, config: RunnableConfig) -> CheckpointTuple | None:
        """Sync form of `aget_tuple`."""
        return run(self.aget_tuple(config))

    async def alist(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[CheckpointTuple]:
        """Iterate over checkpoints, newest id first. One round trip for each page of up to 100 checkpoints.

        Args:
            config: The thread; with `checkpoint_ns` that namespace only, with `checkpoint_id` that checkpoint only.
                None: every thread of the tenant, with at least one round trip for each thread.
            filter: Metadata keys and the values that they must equal.
            before: Only checkpoints with an id under this config's.
            limit: The most to return, counted after the filter.
        """
        if limit is not None and limit <= 0:
            return
        bound = (before or {}).get("configurable", {}).get("checkpoint_id") or ""
        if config is None:
            query = Query(before=bound, metadata=filter or {}, limit=limit)
            found = self._listing.everywhere(self.threads.all_ids(), query)
        else:
            place, ns = Place.of(config), config["configurable"].get("checkpoint_ns")
            found = self._listing.thread(place.thread_id, Query(ns, place.checkpoint_id, bound, filter or {}, limit))
        taken = 0
        async for checkpoint in found:
            yield checkpoint
            taken += 1
            if taken == limit:
                return

    def list(
        self,
        config: RunnableConfig | None,
        *,
        filter: dict[str, Any] | None = None,
        before: RunnableConfig | None = None,
        limit: int | None = None,
    ) -> Iterator[CheckpointTuple]:
        """Sync form of `alist`."""
        return walk(self.alist(config, filter=filter, before=before, limit=limit))

    async def aget_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """What each delta channel got along the ancestors of a checkpoint. One round trip, whatever the depth."""
        if not channels:
            return {}
        place = Place.of(config)
        args = [escape(place.ns), place.checkpoint_id, *channels]
        [reply] = await self._redis.send(_DELTA([self._keys.thread(place.thread_id)], args))
        return load_delta_history(reply, channels, self._codec)

    def get_delta_channel_history(
        self, *, config: RunnableConfig, channels: Sequence[str]
    ) -> Mapping[str, DeltaChannelHistory]:
        """Sync form of `aget_delta_channel_history`."""
        return run(self.aget_delta_channel_history(config=config, channels=channels))

    # --- writing

    async def aput(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Store a checkpoint; the id in `config` is its parent's. One round trip.

        A second trip sends lists whole, or all values, where the server does not hold what it is believed to hold; a
        third does where the thread went away between the two.

        Returns:
            The config that names the stored checkpoint.
        """
        facts, codec, ttl = facts_of(config, metadata), self._codec, self._ttl_of(config)
        draft = Draft.of(config, checkpoint, facts, new_versions, codec)
        place, threads = draft.place, self.threads
        head, keys = self._keys.head(place.thread_id, place.ns), threads.keys_of(place.thread_id)
        args, belief = draft.arguments(ttl, self._beliefs.get(head))
        registering = threads.registering(place.thread_id, draft.user)
        [stored, *_] = await self._redis.send(_PUT(keys, args), *registering, *self._event(draft, facts))
        while stored in (b"STALE", b"LOST"):  # ends: nothing sent whole is stale, or lost
            draft = draft.with_everything(checkpoint, codec) if stored == b"LOST" else draft
            args, belief = draft.arguments(ttl, None)
            [stored, *_] = await self._redis.send(_PUT(keys, args), *registering)
        self._beliefs.learn(head, belief)
        return config_of(place.thread_id, place.ns, checkpoint["id"])

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Sync form of `aput`."""
        return run(self.aput(config, checkpoint, metadata, new_versions))

    async def aput_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Store one task's writes for the checkpoint that `config` names, be it stored yet or not. One round trip.

        The first write of an index stays; errors, interrupts, resumes and schedules replace what was there.
        """
        place = Place.of(config)
        if not place.checkpoint_id:
            raise InvalidInputError("config: name the checkpoint that the writes belong to, checkpoint_id")
        rows = pack_rows(writes, task_id, task_path, self._codec)
        args = [escape(place.ns), place.checkpoint_id, task_id, rows, self._ttl_of(config)]
        await self._redis.send(_WRITES(self.threads.keys_of(place.thread_id), args))

    def put_writes(
        self, config: RunnableConfig, writes: Sequence[tuple[str, Any]], task_id: str, task_path: str = ""
    ) -> None:
        """Sync form of `aput_writes`."""
        return run(self.aput_writes(config, writes, task_id, task_path))

    def _ttl_of(self, config: RunnableConfig) -> int | str:
        """Milliseconds for the scripts, '' = never: this call's own, else the saver's."""
        configurable = config.get("configurable", {})
        return milliseconds(configurable[_TTL_OVERRIDE]) if _TTL_OVERRIDE in configurable else self._ttl

    def _event(self, draft: Draft, metadata: CheckpointMetadata) -> Sequence[Command]:
        if self._events is None:
            return ()
        return self._events.checkpoint(
            thread_id=draft.place.thread_id,
            checkpoint_ns=draft.place.ns,
            checkpoint_id=draft.checkpoint_id,
            parent_id=draft.place.checkpoint_id or None,
            step=metadata.get("step"),
            source=metadata.get("source"),
            channels=sorted(draft.new),
            size=draft.size,
            run_id=metadata.get("run_id"),
        )

    def get_next_version(self, current: Any, channel: None) -> Any:
        """The version after `current`: a count that sorts as text, and chance, so that no two branches share one.

        The form is that of LangGraph's own savers, so that a thread goes on where a LangGraph server makes versions.
        A thread whose versions are numbers keeps numbers.
        """
        if isinstance(current, int | float):
            return current + 1
        count = int((current or "0").partition(".")[0]) + 1
        chance = random.getrandbits(40)
        return f"{count:0{VERSION_WIDTH}}.{chance:013}"

    # --- whole threads

    async def adelete_thread(self, thread_id: str) -> None:
        """Remove a thread: every namespace, checkpoint and write. One round trip (on a cluster, two)."""
        await self.threads.delete(str(thread_id))

    def delete_thread(self, thread_id: str) -> None:
        """Sync form of `adelete_thread`."""
        run(self.adelete_thread(thread_id))

    async def adelete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Remove the checkpoints and writes of runs, in every thread; each hundred threads are one round trip.

        A checkpoint from which a delta channel of a remaining one is rebuilt stays.

        Raises:
            InvalidTypeError: `run_ids` is one text.
        """
        await self.threads.drop_runs(run_ids)

    def delete_for_runs(self, run_ids: Sequence[str]) -> None:
        """Sync form of `adelete_for_runs`."""
        run(self.adelete_for_runs(run_ids))

    async def acopy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Make the target a copy of the source: every checkpoint and write. Two round trips.

        What the target held is replaced, so a replay changes nothing; a source that does not exist changes nothing.
        """
        await self.threads.copy(str(source_thread_id), str(target_thread_id))

    def copy_thread(self, source_thread_id: str, target_thread_id: str) -> None:
        """Sync form of `acopy_thread`."""
        run(self.acopy_thread(source_thread_id, target_thread_id))

    async def aprune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Remove old checkpoints of threads. One round trip for all.

        Args:
            thread_ids: The threads.
            strategy: `keep_latest` keeps the newest checkpoint of each namespace, and what its delta channels are
                rebuilt from; `delete` keeps nothing.

        Raises:
            InvalidInputError: The strategy is unknown, or (`InvalidTypeError`) `thread_ids` is one text.
        """
        await self.threads.prune(thread_ids, strategy)

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        """Sync form of `aprune`."""
        run(self.aprune(thread_ids, strategy=strategy))

    async def apin(self, thread_id: str, *, pinned: bool = True) -> bool:
        """Keep a thread from expiring, or let it expire again by its ttl. Returns whether it exists."""
        return await self.threads.touch(str(thread_id), "pin" if pinned else "unpin")

    pin = sync_of(apin)
