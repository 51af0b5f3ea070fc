"""Reading one or several streams of events: pages, what is new, and a position that survives a lost connection."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator
from typing import Any

from langchain_agentmem.events.event import Event, decode
from langchain_agentmem.wire.bridge import sleep
from langchain_agentmem.wire.connection import LOST_CONNECTION, Connection

PAGE = 500
WAIT = 1.0  # seconds that one blocking read waits, where the client's socket timeout is not too short for it
START = "0-0"  # before the first entry of any stream
_SHARDS_WAIT = 0.1  # seconds between two looks at the shards of a cluster

_log = logging.getLogger(__name__)


def events_of(entries: Iterable[tuple[bytes, dict[bytes, bytes] | None]]) -> list[Event]:
    """The events in a reply of XRANGE, or of XREAD for one stream. Entries deleted in between are left out."""
    return [decode(cursor, entry) for cursor, entry in entries if entry]


def per_stream(reply: Any) -> Iterator[tuple[str, list[tuple[bytes, dict[bytes, bytes]]]]]:
    """(stream, entries) pairs of an XREAD or XREADGROUP reply, in each form that redis-py has for it."""
    for stream, entries in _pairs(reply):
        # With RESP3, some versions put a stream's entries into a list of their own.
        nested = bool(entries) and isinstance(entries[0], list)
        yield stream.decode(), entries[0] if nested else entries


def _pairs(reply: Any) -> Iterable[tuple[bytes, Any]]:
    return reply.items() if isinstance(reply, dict) else reply or ()


def position(cursor: str) -> tuple[int, int]:
    """A cursor as a pair that sorts in stream order."""
    ms, _, seq = cursor.partition("-")
    return int(ms), int(seq or 0)


async def ends(redis: Connection, streams: list[str]) -> dict[str, str]:
    """The cursor of each stream's last entry."""
    replies = await redis.send(*(("XREVRANGE", stream, "+", "-", "COUNT", 1) for stream in streams))
    return {stream: reply[0][0].decode() if reply else START for stream, reply in zip(streams, replies, strict=True)}


async def wait_for_new(
    redis: Connection, command: tuple[Any, ...], cursors: dict[str, str], count: int, seconds: float = WAIT
) -> Any:
    """Read what came after `cursors`, waiting at the server for a moment if there is nothing.

    Args:
        redis: The connection.
        command: `("XREAD",)`, or `("XREADGROUP", "GROUP", group, consumer)`.
        cursors: For each stream, what to read after.
        count: Entries of one stream at most.
        seconds: How long to wait, up to `WAIT`.

    Returns:
        The reply, for `per_stream`.
    """

    def read(asked: dict[str, str], *block: Any) -> tuple[Any, ...]:
        return (*command, "COUNT", count, *block, "STREAMS", *asked.keys(), *asked.values())

    if not redis.clustered or len(cursors) == 1:
        return await redis.block(*read(cursors, "BLOCK", max(1, int(1000 * min(WAIT, seconds)))))
    # Shards lie in different slots of a cluster, so no command can wait for all of them.
    replies = await redis.send(*(read({stream: cursor}) for stream, cursor in cursors.items()))
    found = [pair for reply in replies for pair in _pairs(reply)]
    if not found:
        await sleep(_SHARDS_WAIT)
    return found


async def pages(redis: Connection, streams: list[str], first: str, last: str) -> AsyncGenerator[Event]:
    """The events from `first` to `last` (as XRANGE has them) of all streams, in the order in which they were stored."""
    starts = dict.fromkeys(streams, first)
    waiting: dict[str, deque[Event]] = {stream: deque() for stream in streams}
    while starts or any(waiting.values()):
        asked = [stream for stream in starts if not waiting[stream]]
        replies = await redis.send(*(("XRANGE", stream, starts[stream], last, "COUNT", PAGE) for stream in asked))
        for stream, reply in zip(asked, replies, strict=True):
            waiting[stream].extend(events_of(reply))
            if len(reply) < PAGE:
                del starts[stream]
            else:
                starts[stream] = f"({reply[-1][0].decode()}"
        # As long as no stream with more to come runs dry, the earliest event at hand is the earliest of all.
        while any(waiting.values()) and all(waiting[stream] for stream in starts):
            filled = (queue for queue in waiting.values() if queue)
            yield min(filled, key=lambda queue: position(queue[0].cursor)).popleft()


async def follow(
    redis: Connection, cursors: dict[str, str], idle: float | None, patience: float
) -> AsyncGenerator[Event]:
    """Every event after `cursors`, for ever: the cursor moves with each event, so a lost connection costs none.

    Args:
        redis: The connection.
        cursors: For each stream, what to start after. Changed in place.
        idle: End after so many seconds without an event; None is never.
        patience: Seconds without an answer after which the server's error reaches the caller.
    """
    heard, waiting = time.monotonic(), Patience(patience)
    while idle is None or time.monotonic() - heard < idle:
        try:
            seconds = WAIT if idle is None else heard + idle - time.monotonic()
            reply = await wait_for_new(redis, ("XREAD",), cursors, PAGE, seconds)
        except LOST_CONNECTION as error:
            await waiting.failed(error)
            continue
        waiting.answered()
        for stream, entries in per_stream(reply):
            for event in events_of(entries):
                cursors[stream] = event.cursor
                yield event
                heard = time.monotonic()


class Patience:
    """Waits for a server that is away, for so long and no longer.

    Args:
        seconds: After so long without an answer the server's error reaches the caller.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None

    def answered(self) -> None:
        """The server is there."""
        self._since = None

    async def failed(self, error: Exception) -> None:
        """Wait a little, or raise `error`. What goes on is logged once."""
        if self._since is None:
            self._since = time.monotonic()
            _log.warning("the server is away (%s); reading goes on when it is back", type(error).__name__)
        elif time.monotonic() - self._since > self._seconds:
            raise error
        await sleep(0.2)
