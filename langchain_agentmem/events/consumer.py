"""`Consumer`: one of a group that shares the tenant's feed, each event to one consumer until it is acknowledged."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.events.event import Event, decode
from langchain_agentmem.events.streams import Patience, per_stream, position, wait_for_new
from langchain_agentmem.wire.bridge import sync_of, walk
from langchain_agentmem.wire.connection import LOST_CONNECTION, REDIS_ERRORS, Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_DEAD_LETTERS_KEPT = 10_000
_AT_ONCE = 10  # events of one shard that the iteration reads at once, as long as they are handled quickly

_claim = Script("event_claim")
_hold = Script("event_hold")
_lag = Script("event_lag")
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Delivery:
    """An event given to a consumer.

    Attributes:
        event: The event.
        deliveries: How often it has been given out: more than 1 means that someone may have handled it before.
        stream: The shard of the feed that it is in.
    """

    event: Event
    deliveries: int
    stream: str


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a group is behind.

    Attributes:
        waiting: Events that no consumer was given yet.
        pending: Events given out and not acknowledged.
    """

    waiting: int
    pending: int


class Consumer:
    """Iterate it, in either colour, and acknowledge each delivery when it is done.

    ```python
    consumer = memory.events.consume("billing", "worker-1")
    for delivery in consumer:            # or `async for`
        charge(delivery.event)
        consumer.ack(delivery)           # or `await consumer.aack(delivery)`
    ```

    What is not acknowledged, because the consumer died or its code raised, is given to another after a while, and after
    too many deliveries goes to the dead letters, as does an entry that is no event. So an event can be handled twice,
    and `deliveries` says where that may have happened. Within one thread events are given out in order, to one consumer
    at a time only if the group has one.

    The iteration reads a few events ahead, or one of each shard where handling takes long. Those do not count as stuck
    while it goes on; when it ends, what it had still to give out goes to another consumer as if it had died.

    Made by `EventLog.consume`.
    """

    def __init__(
        self,
        redis: Connection,
        keys: Keys,
        feeds: list[str],
        *,
        group: str,
        consumer: str,
        stuck_after: float,
        max_deliveries: int,
    ) -> None:
        stuck_ms = int(1000 * stuck_after)
        if not group or not consumer:
            raise InvalidInputError("group, consumer: both need a name")
        if stuck_ms < 1 or max_deliveries < 1:
            raise InvalidInputError("stuck_after, max_deliveries: both must be positive")
        self._redis = redis
        self._feeds = feeds
        self._dead = [keys.dead(feed, group) for feed in feeds]
        self._group, self._name = group, consumer
        self._stuck_ms, self._max_deliveries = stuck_ms, max_deliveries
        self._has_group = False
        self._next_claim = 0.0

    async def aread(self, n: int = 10) -> list[Delivery]:
        """Up to `n` events for each shard of the feed, stuck ones first; waits a moment if there are none.

        Keep `n` small where handling takes long: what waits in the caller's hands counts as stuck after a while.
        """
        try:
            return await self._take(n)
        except REDIS_ERRORS as error:
            self._has_group = False  # the server may have lost it: look again
            if "NOGROUP" not in str(error):
                raise
        return await self._take(n)

    read = sync_of(aread)

    async def aack(self, *deliveries: Delivery) -> None:
        """Say that these are done: no consumer of the group is given them again."""
        done: dict[str, list[str]] = {}
        for delivery in deliveries:
            done.setdefault(delivery.stream, []).append(delivery.event.cursor)
        await self._redis.send(*(("XACK", stream, self._group, *cursors) for stream, cursors in done.items()))

    ack = sync_of(aack)

    async def alag(self) -> Lag:
        """How far the group is behind."""
        replies = await self._redis.send(*(_lag([feed], [self._group]) for feed in self._feeds))
        return Lag(sum(waiting for waiting, _ in replies), sum(pending for _, pending in replies))

    lag = sync_of(alag)

    async def adead_letters(self, n: int = 50) -> list[Event]:
        """The last `n` events that were delivered too often, oldest first."""
        replies = await self._redis.send(*(("XREVRANGE", dead, "+", "-", "COUNT", n) for dead in self._dead))
        found = [event for reply in replies for cursor, entry in reply if (event := _event(cursor, entry))]
        return sorted(found, key=lambda event: position(event.cursor))[-n:]

    dead_letters = sync_of(adead_letters)

    def __aiter__(self) -> AsyncIterator[Delivery]:
        return self._deliveries()

    def __iter__(self) -> Iterator[Delivery]:
        return walk(self._deliveries())

    async def _deliveries(self, patience: float = 60.0) -> AsyncGenerator[Delivery]:
        waiting, at_hand, count = Patience(patience), deque[Delivery](), 1
        read_at = held_at = 0.0
        while True:
            try:
                if not at_hand:
                    at_hand.extend(await self.aread(count))
                    read_at = held_at = time.monotonic()
                elif self._is_long_since(held_at):
                    held_at, at_hand = time.monotonic(), await self._still_held(at_hand)
            except LOST_CONNECTION as error:
                await waiting.failed(error)
                continue
            waiting.answered()
            if at_hand:
                yield at_hand.popleft()
                count = 1 if self._is_long_since(read_at) else _AT_ONCE

    def _is_long_since(self, moment: float) -> bool:
        """Whether a good part of the time has passed after which events count as stuck."""
        return time.monotonic() - moment > self._stuck_ms / 10_000

    async def _still_held(self, deliveries: Iterable[Delivery]) -> deque[Delivery]:
        """Those that no other consumer has taken over; they begin anew to wait for their acknowledgement."""
        cursors: dict[str, list[str]] = {}
        for delivery in deliveries:
            cursors.setdefault(delivery.stream, []).append(delivery.event.cursor)
        calls = (_hold([stream], [self._group, self._name, *mine]) for stream, mine in cursors.items())
        try:
            replies = await self._redis.send(*calls)
        except REDIS_ERRORS as error:
            if "NOGROUP" not in str(error):
                raise
            return deque()  # the server has lost the group; a new one gives out all that is kept
        held = {(stream, cursor.decode()) for stream, reply in zip(cursors, replies, strict=True) for cursor in reply}
        return deque(delivery for delivery in deliveries if (delivery.stream, delivery.event.cursor) in held)

    async def _ensure_group(self) -> None:
        if self._has_group:
            return
        creations = (("XGROUP", "CREATE", feed, self._group, "0", "MKSTREAM") for feed in self._feeds)
        for reply in await self._redis.send(*creations, return_errors=True):
            if isinstance(reply, Exception) and "BUSYGROUP" not in str(reply):
                raise reply
        self._has_group = True

    async def _take(self, n: int) -> list[Delivery]:
        await self._ensure_group()
        return await self._take_over(n) or await self._read_new(n)

    async def _take_over(self, n: int) -> list[Delivery]:
        # Looking for stuck events twice in the time after which they count as stuck finds them soon enough.
        if time.monotonic() < self._next_claim:
            return []
        args = (self._group, self._name, self._stuck_ms, self._max_deliveries, n, _DEAD_LETTERS_KEPT)
        calls = (_claim([feed, dead], args) for feed, dead in zip(self._feeds, self._dead, strict=True))
        replies = await self._redis.send(*calls)
        found = [
            Delivery(event, deliveries, feed)
            for feed, reply in zip(self._feeds, replies, strict=True)
            for cursor, deliveries, pairs in reply
            if (event := _event(cursor, dict(zip(pairs[::2], pairs[1::2], strict=True))))
        ]
        if not found:
            self._next_claim = time.monotonic() + self._stuck_ms / 2000
        return found

    async def _read_new(self, n: int) -> list[Delivery]:
        command = ("XREADGROUP", "GROUP", self._group, self._name)
        reply = await wait_for_new(self._redis, command, dict.fromkeys(self._feeds, ">"), n)
        return [
            Delivery(event, 1, stream)
            for stream, entries in per_stream(reply)
            for cursor, entry in entries
            if (event := _event(cursor, entry))
        ]


def _event(cursor: bytes, entry: Mapping[bytes, bytes]) -> Event | None:
    """The event in an entry. What is none, as another program may have left it, holds up nothing after it."""
    try:
        return decode(cursor, entry)
    except CorruptDataError as error:
        _log.warning("%s No consumer is given it: it goes to the dead letters as it is.", error)
        return None
