"""How events become commands: a script call for each thread that a batch touches, and the signals that go with it."""

from __future__ import annotations

import xxhash

from langchain_agentmem.events.event import Document, dumps
from langchain_agentmem.events.signals import Signals
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

REPLAY_WINDOW = 120.0  # seconds; clients and our own writer give up on a batch sooner

_append = Script("event_append")


class Appender:
    """Makes the commands that append events to their thread's stream and to the feed, and tell of them as signals.

    Each call of the script carries a token, made from the ids of its events, which the script notes beside the stream
    for two minutes: a batch that redis-py or the writer sends again writes nothing. The alternatives fail: a cursor
    made by the client is refused when another writer's clock is ahead; a highest number for each writer loses what a
    writer sends out of order; XADD's own IDMP needs Redis 8.6. So cursors are the server's, and only its clock matters.

    Args:
        keys: The tenant's keys.
        feeds: The shards of the feed.
        signals: Which events are signals too, and how they are told.
        max_events: How many events a thread's stream keeps, about.
        feed_max_events: How many events each shard keeps, about.
        retention: Seconds for which the events of a thread without checkpoints are kept.
        clustered: A thread's stream and its shard of the feed lie in different slots, so each needs a call of its own.
    """

    def __init__(
        self,
        keys: Keys,
        feeds: list[str],
        signals: Signals,
        *,
        max_events: int,
        feed_max_events: int,
        retention: float,
        clustered: bool,
    ) -> None:
        self._keys = keys
        self._feeds = feeds
        self._signals = signals
        self._max_events, self._feed_max_events = max_events, feed_max_events
        self._times = [int(1000 * REPLAY_WINDOW), int(1000 * retention)]
        self._clustered = clustered

    def commands(self, documents: list[Document]) -> list[Command]:
        """The commands for a batch, to be sent as one pipeline. Events of one thread keep their order."""
        threads: dict[str | None, list[Document]] = {}
        for document in documents:
            threads.setdefault(document.get("thread_id"), []).append(document)
        calls = [call for thread_id, batch in threads.items() for call in self._appends(thread_id, batch)]
        return calls + self._signals.commands_for(documents)

    def _appends(self, thread_id: str | None, batch: list[Document]) -> list[Command]:
        token = xxhash.xxh3_128_digest("".join([document["id"] for document in batch]).encode())
        settings = [token, *self._times, b"\n".join([dumps(document) for document in batch])]
        places = self._thread_place(thread_id) + self._feed_place(thread_id)
        registry = [] if thread_id is None else [self._keys.thread(thread_id)]
        if not self._clustered:
            keys = [key for stream, _ in places for key in (stream, self._keys.seen(stream))]
            return [_append(keys + registry, settings + [limit for _, limit in places])] if places else []
        return [
            _append([stream, self._keys.seen(stream), *(() if stream in self._feeds else registry)], [*settings, limit])
            for stream, limit in places
        ]

    def _thread_place(self, thread_id: str | None) -> list[tuple[str, int]]:
        return [] if thread_id is None else [(self._keys.events(thread_id), self._max_events)]

    def _feed_place(self, thread_id: str | None) -> list[tuple[str, int]]:
        if not self._feeds:
            return []
        number = xxhash.xxh3_64_intdigest((thread_id or "").encode("utf-8", "surrogatepass"))
        return [(self._feeds[number % len(self._feeds)], self._feed_max_events)]
