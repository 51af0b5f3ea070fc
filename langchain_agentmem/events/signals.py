"""Signals: what is happening now, told to whoever listens now."""

from __future__ import annotations

import math
import time
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Self

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.events.event import Document, dumps, loads
from langchain_agentmem.events.streams import Patience
from langchain_agentmem.wire.bridge import sync_of, walk
from langchain_agentmem.wire.connection import LOST_CONNECTION, Command, Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.subscription import Subscription

# The events that are also told as a signal, and the topic of each.
TOPICS = {
    "run.start": "task:started",
    "run.end": "task:finished",
    "run.error": "task:finished",
    "run.interrupt": "task:interrupted",
    "tool.error": "tool:failed",
    "memory.remembered": "memory:updated",
    "memory.corrected": "memory:updated",
    "memory.forgotten": "memory:updated",
    "memory.promoted": "memory:updated",
}
_TOLD = ("id", "kind", "thread_id", "name", "node", "run_id", "trace_id", "status", "error_type", "data")


@dataclass(frozen=True, slots=True)
class Signal:
    """Something that just happened.

    Attributes:
        topic: `memory:updated`, `task:started`, `task:finished`, `task:interrupted`, `tool:failed`, or a user's own.
        body: What is told about it. For the topics above, fields of the event that the stream keeps.
    """

    topic: str
    body: Mapping[str, Any]


class Signals:
    """Publish and subscribe within one tenant, over Redis Pub/Sub.

    Signals are transient: who does not listen when one is sent never gets it, and one that is sent while a listener's
    connection is down is lost to it. Nothing is stored. The event streams are the durable twin: read those where every
    event counts, and use signals to know when to look.

    A tenant has one channel, and listeners pick topics by pattern themselves: sharded Pub/Sub, which keeps a cluster
    from repeating every message on every node, has no patterns at the server.

    A user of the server with restricted rights needs the channel too: `&prefix:tenant:*` beside `~prefix:tenant:*`.

    Args:
        redis: The connection.
        keys: The tenant's keys.
    """

    def __init__(self, redis: Connection, keys: Keys) -> None:
        self._redis = redis
        self._channel = keys.signals()

    def command(self, topic: str, body: Mapping[str, Any] | None = None) -> Command:
        """The command that publishes a signal, for a pipeline that does something else too."""
        if not topic:
            raise InvalidInputError("topic: a signal needs one, for example 'order:placed'")
        return self._command([(topic, dict(body or {}))])

    def commands_for(self, documents: list[Document]) -> list[Command]:
        """The command, if any is needed, that tells of those events which are signals too."""
        told = [
            (TOPICS[document["kind"]], {name: document[name] for name in _TOLD if name in document})
            for document in documents
            if document["kind"] in TOPICS
        ]
        return [self._command(told)] if told else []

    def _command(self, told: Sequence[tuple[str, Mapping[str, Any]]]) -> Command:
        return ("SPUBLISH" if self._redis.clustered else "PUBLISH", self._channel, dumps(told))

    async def apublish(self, topic: str, body: Mapping[str, Any] | None = None) -> int:
        """Tell everyone who listens now.

        Args:
            topic: What it is about, in segments: `order:placed`.
            body: Anything that JSON can hold.

        Returns:
            How many listeners of the tenant the server reached, whatever topics they want.
        """
        return int((await self._redis.send(self.command(topic, body)))[0])

    publish = sync_of(apublish)

    def subscribe(self, *patterns: str, idle: float | None = None) -> Inbox:
        """Listen for topics such as `memory:*`, `task:*`, `tool:failed`.

        ```python
        with memory.signals.subscribe("memory:*") as inbox:   # or `async with`, `async for`
            for signal in inbox: ...
        ```

        Args:
            *patterns: Which topics, with `*` and `?` as in file names; none is every topic.
            idle: End the iteration after so many seconds without a signal. Default: never.
        """
        return Inbox(self._redis, self._channel, patterns, idle)


class Inbox:
    """The signals that arrive from now on. Iterate it in either colour; enter it to be subscribed at once."""

    def __init__(self, redis: Connection, channel: str, patterns: tuple[str, ...], idle: float | None) -> None:
        self._redis = redis
        self._channel = channel
        self._patterns = patterns
        self._idle = idle
        self._subscription: Subscription | None = None
        self._waiting = Patience(math.inf)

    async def aopen(self) -> Self:
        """Subscribe, if that is not done yet."""
        if self._subscription is None:
            self._subscription = await self._redis.subscribe(self._channel)
        return self

    open = sync_of(aopen)

    async def aclose(self) -> None:
        """Stop listening."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            await subscription.close()

    close = sync_of(aclose)

    def __enter__(self) -> Self:
        return self.open()

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return await self.aopen()

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __iter__(self) -> Iterator[Signal]:
        return walk(self._signals())

    def __aiter__(self) -> AsyncIterator[Signal]:
        return self._signals()

    async def _signals(self) -> AsyncGenerator[Signal]:
        heard = time.monotonic()
        try:
            while self._idle is None or time.monotonic() - heard < self._idle:
                raw = await self._next()
                for signal in () if raw is None else _read(raw):
                    if not self._patterns or any(fnmatchcase(signal.topic, wish) for wish in self._patterns):
                        yield signal
                        heard = time.monotonic()
        finally:
            await self.aclose()

    async def _next(self) -> bytes | None:
        try:
            await self.aopen()
            assert self._subscription is not None  # noqa: S101 - for the type checker
            raw = await self._subscription.next(min(1.0, self._idle or 1.0))
        except LOST_CONNECTION as error:
            await self.aclose()
            await self._waiting.failed(error)
            return None
        self._waiting.answered()
        return raw


def _read(raw: bytes) -> list[Signal]:
    """The signals in a message: those of one pipeline travel together."""
    try:
        return [Signal(topic, body) for topic, body in loads(raw)]
    except (ValueError, TypeError) as error:
        raise CorruptDataError(
            "a message on the signals channel is none of this package's; was it sent here?"
        ) from error
