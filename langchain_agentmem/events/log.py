"""`EventLog`: what agents did, in Redis streams: one for each thread, and a feed of all threads of the tenant."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, TypeAlias, cast

from langchain_core.runnables import RunnableConfig

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.appender import Appender
from langchain_agentmem.events.checks import checked_cursor, cursor_at, require_positive
from langchain_agentmem.events.consumer import Consumer
from langchain_agentmem.events.event import Document, Event, UsedMemory, new_id, now
from langchain_agentmem.events.here import here, traced_run
from langchain_agentmem.events.redact import Redactor, plain, redact_secrets
from langchain_agentmem.events.signals import Signals
from langchain_agentmem.events.streams import ends, events_of, follow, pages, position
from langchain_agentmem.events.writer import Writer
from langchain_agentmem.wire.bridge import either, run, sync_of, walk
from langchain_agentmem.wire.closing import Closing
from langchain_agentmem.wire.connection import Command, Connection, Source
from langchain_agentmem.wire.keys import Keys

MemoryAction: TypeAlias = Literal["remembered", "recalled", "injected", "corrected", "forgotten", "promoted"]

_MAX_CHANNELS = 50  # named in a checkpoint event
_SHOWN = ("memory.recalled", "memory.injected")  # kinds of events that name what a model sees


class EventLog(Closing):
    """What agents did, kept in streams.

    Every event of a thread is in that thread's stream and in one shard of the tenant's feed, the same for all events of
    the thread. Both keep the order in which the server took the events: for the events of one writer that is the order
    in which they happened. Writers on several machines are ordered by arrival, whatever their clocks say, because the
    server makes the cursors; `Event.time` is the writer's clock.

    An append that a client repeats, because the connection broke before the answer came, writes nothing.
    A thread's stream lives as long as its thread. One without checkpoints keeps its events for `retention`.

    Args:
        redis: A URL, a redis-py client of either colour, or a `Connection`.
        prefix: First segment of every key.
        tenant: Second segment; tenants never see each other's events.
        max_events: How many events a thread's stream keeps, about (XADD MAXLEN ~).
        retention: Seconds for which the events of a thread without checkpoints are kept.
        feed_shards: Over how many streams the feed is spread, so that a cluster shares the load; all processes of a
            tenant use the same number. 0 is no feed.
        feed_max_events: How many events each shard keeps, about.
        redact: Removes secrets from every text that is written. The default knows the common kinds.
        **options: For redis-py, with a URL.

    Attributes:
        connection: Where the events go.
        signals: The transient twin: Pub/Sub.
        redactor: What texts and payloads pass before they are written.

    Raises:
        ConfigurationError: `redis` is none of the above, or an async client from whose settings no sync one can be
            built: it takes one to write in the background.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        max_events: int = 1_000,
        retention: float = 7 * 86_400,
        feed_shards: int = 4,
        feed_max_events: int = 100_000,
        redact: Callable[[str], str] = redact_secrets,
        **options: Any,
    ) -> None:
        require_positive(max_events=max_events, retention=retention)
        require_positive(feed_max_events=feed_max_events, feed_shards=feed_shards + 1)
        self._owned = not isinstance(redis, Connection)
        self.connection = Connection.of(redis, **options)
        self.connection.expect_sync()  # the writer's colour
        self._keys = keys = Keys(prefix, tenant)
        self._feeds = [keys.feed(shard) for shard in range(feed_shards)]
        self.signals = Signals(self.connection, keys)
        self._appender = Appender(
            keys,
            self._feeds,
            self.signals,
            max_events=max_events,
            feed_max_events=feed_max_events,
            retention=retention,
            clustered=self.connection.clustered,
        )
        self.redactor = Redactor(redact)
        self._writer: Writer[Sequence[Command], list[Command]] = Writer(
            lambda calls: [command for commands in calls for command in commands], self.send
        )

    # Writing

    async def aappend(self, *events: Event) -> None:
        """Append events, of one thread or of several, in one round trip.

        The same call again, with the same events, writes nothing: it is safe to repeat one that failed.

        Args:
            *events: What happened, in order. Secrets are removed and payloads cut before they are written.

        Raises:
            InvalidInputError: An event has no kind, or its thread's id is no text.
        """
        for event in events:
            kind, thread_id = cast("tuple[Any, Any]", (event.kind, event.thread_id))  # dataclasses check no types
            if not (kind and isinstance(kind, str) and isinstance(thread_id, str | None)):
                raise InvalidInputError(f"events: kind {kind!r} and thread_id {thread_id!r} must be text")
        await self.asend(self.commands([event.document() for event in events]))

    append = sync_of(aappend)

    def checkpoint(
        self,
        *,
        thread_id: str,
        checkpoint_ns: str,
        checkpoint_id: str,
        parent_id: str | None,
        step: int | None,
        source: str | None,
        channels: Sequence[str],
        size: int,
        run_id: str | None,
    ) -> Sequence[Command]:
        """The commands that log a checkpoint, for the pipeline that stores it: no round trip of their own.

        Args:
            thread_id: The checkpoint's thread.
            checkpoint_ns: Its namespace.
            checkpoint_id: Its id.
            parent_id: Its parent's id.
            step: LangGraph's super-step.
            source: What made it: input, loop, update or fork.
            channels: The channels that have a new version.
            size: Bytes sent to store it.
            run_id: The run that made it, if known.
        """
        data = {"source": source, "parent_id": parent_id, "channels": list(channels)[:_MAX_CHANNELS], "size": size}
        document: Document = {
            "kind": "checkpoint",
            "time": now(),
            "id": new_id(),
            "thread_id": thread_id,
            "namespace": checkpoint_ns,
            "checkpoint_id": checkpoint_id,
            "step": step,
            "run_id": run_id,
            "data": data,
        }
        return self._appender.commands([document])

    def memory(
        self,
        action: MemoryAction,
        memories: Mapping[str, float | None] | Sequence[str],
        *,
        thread_id: str | None = None,
        scope: Sequence[str] | None = None,
        query: str | None = None,
        config: RunnableConfig | None = None,
        more: Mapping[str, Any] | None = None,
    ) -> Sequence[Command]:
        """The commands that log what was done with memories, for the pipeline that does it.

        Thread, node, step and checkpoint are those of the graph that the calling code runs in.

        Args:
            action: What was done.
            memories: Ids of the memories, with their scores where there are any.
            thread_id: The thread, where no graph is running.
            scope: Whose memories they are, as a namespace of the store.
            query: What was recalled for. Cut and with secrets removed.
            config: The running node's config, where the context does not carry it.
            more: What else is known, as JSON values without secrets.
        """
        place = here(config) | ({} if thread_id is None else {"thread_id": thread_id})
        scored = memories.items() if isinstance(memories, Mapping) else [(memory, None) for memory in memories]
        data: dict[str, Any] = {"memories": [[memory, score] for memory, score in scored], **(more or {})}
        data |= {} if scope is None else {"scope": list(scope)}
        data |= {} if query is None else {"query": self.redactor.text(query)}
        if checkpoints := place.pop("checkpoints", None):
            data["checkpoints"] = checkpoints
        document = {"kind": f"memory.{action}", "time": now(), "id": new_id(), **place, **traced_run(), "data": data}
        return self._appender.commands([document])

    def commands(self, documents: Sequence[Document]) -> list[Command]:
        """The commands that append events given as documents, after removing secrets from them."""
        return self._appender.commands([self._clean(document) for document in documents])

    async def asend(self, commands: Sequence[Command]) -> None:
        """Send commands that were made here, in one round trip. Sending the same ones again writes nothing."""
        await self.connection.send(*commands)

    send = sync_of(asend)

    def soon(self, commands: Sequence[Command]) -> None:
        """Send commands that were made here in the background, in order. Returns at once and never raises."""
        self._writer.put(commands)

    async def aflush(self, seconds: float = 5.0) -> bool:
        """Wait until what goes out in the background is written or lost. Done by itself when the process ends.

        Returns:
            Whether that came to pass within so many seconds.
        """
        return await self._writer.flushed(seconds)

    flush = sync_of(aflush)

    def _clean(self, document: Document) -> Document:
        if "id" not in document:
            document["id"] = new_id()
        if "error" in document:
            document["error"] = self.redactor.text(document["error"])
        for name in ("data", "payload"):
            if document.get(name):
                document[name] = self.redactor.value(plain(document[name], self.redactor.max_payload))
        return document

    # Reading

    async def arecent(self, thread_id: str | None = None, n: int = 50) -> list[Event]:
        """The last `n` events, oldest first.

        Args:
            thread_id: Of this thread. Default: of all threads of the tenant.
            n: How many.
        """
        require_positive(n=n)
        streams = self._streams(thread_id)
        replies = await self.connection.send(*(("XREVRANGE", stream, "+", "-", "COUNT", n) for stream in streams))
        found = [event for reply in replies for event in events_of(reply)]
        return sorted(found, key=lambda event: position(event.cursor))[-n:]

    recent = sync_of(arecent)

    def areplay(
        self,
        thread_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: str | None = None,
    ) -> AsyncGenerator[Event]:
        """Every event that is kept, oldest first, read page by page.

        Args:
            thread_id: Of this thread. Default: of all threads of the tenant.
            since: Only what the server stored at that time or later.
            until: Only what the server stored at that time or earlier.
            after_id: Only what came after the event with this `cursor`. With a thread only.
        """
        first = f"({checked_cursor(after_id, thread_id)}" if after_id is not None else cursor_at("since", since, "-")
        return pages(self.connection, self._streams(thread_id), first, cursor_at("until", until, "+"))

    def replay(
        self,
        thread_id: str | None = None,
        *,
        since: datetime | None = None,
        until: datetime | None = None,
        after_id: str | None = None,
    ) -> Iterator[Event]:
        """`areplay` without a loop."""
        return walk(self.areplay(thread_id, since=since, until=until, after_id=after_id))

    async def atail(
        self,
        thread_id: str | None = None,
        *,
        after_id: str | None = None,
        idle: float | None = None,
        patience: float = 60.0,
    ) -> AsyncIterator[Event]:
        """Events as they come. A lost connection is taken up again without a gap and without a repeated event.

        Args:
            thread_id: Of this thread. Default: of all threads of the tenant.
            after_id: Start after the event with this `cursor` (`"0-0"`: with the oldest). Default: with what comes
                after the first step of the iteration.
            idle: End after so many seconds without an event. Default: never.
            patience: Seconds for which the server may be away before its error is raised.
        """
        streams = self._streams(thread_id)
        if after_id is None:
            cursors = await ends(self.connection, streams)
        else:
            cursors = dict.fromkeys(streams, checked_cursor(after_id, thread_id))
        async for event in follow(self.connection, cursors, idle, patience):
            yield event

    def tail(
        self,
        thread_id: str | None = None,
        *,
        after_id: str | None = None,
        idle: float | None = None,
        patience: float = 60.0,
    ) -> Iterator[Event]:
        """`atail` without a loop."""
        return walk(self.atail(thread_id, after_id=after_id, idle=idle, patience=patience))

    def consume(self, group: str, consumer: str, *, stuck_after: float = 60.0, max_deliveries: int = 5) -> Consumer:
        """Share the tenant's feed with the other consumers of a group: each event goes to one of them.

        Args:
            group: The group's name. A new group starts with the oldest event that is kept.
            consumer: This consumer's name, unlike all others in the group.
            stuck_after: Seconds after which an event that was given out but not acknowledged goes to another consumer.
            max_deliveries: After so many deliveries without success an event goes to the group's dead letters.
        """
        if not self._feeds:
            raise InvalidInputError("feed_shards: this event log has no feed to consume; give it at least one shard")
        return Consumer(
            self.connection,
            self._keys,
            self._feeds,
            group=group,
            consumer=consumer,
            stuck_after=stuck_after,
            max_deliveries=max_deliveries,
        )

    async def amemories_used(self, thread_id: str, checkpoint_id: str) -> list[UsedMemory]:
        """Which memories were in front of the model in the step that ran from a checkpoint.

        Args:
            thread_id: The thread.
            checkpoint_id: The checkpoint that the step started from: the one whose `next` names the node, and the
                `parent_config` of the one that holds the step's result. A step inside a sub-graph is found by the
                sub-graph's checkpoint and by those of the graphs around it.

        Returns:
            Every memory recalled or shown there that the log still has, in order; once for each execution of a node.
        """
        await self.aflush()  # what this process has just recalled
        found: dict[tuple[str | None, str], UsedMemory] = {}
        async for event in self.areplay(thread_id):
            if event.kind in _SHOWN and checkpoint_id in event.data.get("checkpoints", ()):
                for name, score in event.data["memories"]:
                    found.setdefault((event.task_id, name), UsedMemory(name, score, event.node, event.time))
        return list(found.values())

    memories_used = sync_of(amemories_used)

    # Keeping house

    async def atrim(self, thread_id: str, keep: int) -> int:
        """Remove all but the last `keep` events of a thread.

        Returns:
            How many were removed.
        """
        require_positive(keep=keep + 1)
        return int((await self.connection.send(("XTRIM", self._keys.events(thread_id), "MAXLEN", keep)))[0])

    trim = sync_of(atrim)

    async def adelete(self, thread_id: str) -> None:
        """Remove a thread's events. The feed keeps what it has of them."""
        stream = self._keys.events(thread_id)
        await self.connection.send(("UNLINK", stream, self._keys.seen(stream)))

    delete = sync_of(adelete)

    async def aclose(self) -> None:
        """Write what goes out in the background, and close the connections if this log opened them."""
        await self.aflush()
        if self._owned:
            await either(self.connection.close, self.connection.aclose)

    def close(self) -> None:
        """`aclose` without a loop."""
        return run(self.aclose())

    def _streams(self, thread_id: str | None) -> list[str]:
        return self._feeds if thread_id is None else [self._keys.events(thread_id)]
