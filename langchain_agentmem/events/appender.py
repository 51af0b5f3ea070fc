"""How events become commands: a script call for each stream that a batch touches, and its signals."""

from __future__ import annotations

from datetime import timedelta

import xxhash

from langchain_agentmem.events.event import Document, dumps
from langchain_agentmem.events.signals import Signals
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

REPLAY_WINDOW = timedelta(minutes=2)  # clients and our own writer give up on a batch sooner

_append = Script("event_append")


class Appender:
    """Makes the commands that append events to their thread's stream, to the feed, and tell of them as signals.

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
        retention: How long the events of a thread without checkpoints are kept.
    """

    def __init__(
        self,
        keys: Keys,
        feeds: list[str],
        signals: Signals,
        *,
        max_events: int,
        feed_max_events: int,
        retention: timedelta,
    ) -> None:
        self._keys = keys
        self._feeds = feeds
        self._signals = signals
        self._max_events, self._feed_max_events = max_events, feed_max_events
        self._times = [REPLAY_WINDOW // timedelta(milliseconds=1), retention // timedelta(milliseconds=1)]

    def commands(self, documents: list[Document]) -> list[Command]:
        """The commands for a batch, to be sent as one pipeline."""
        threads: dict[str, list[Document]] = {}
        feeds: dict[str, list[Document]] = {}
        raw = {document["id"]: dumps(document) for document in documents}
        for document in documents:
            thread_id = document.get("thread_id")
            if thread_id is not None:
                threads.setdefault(thread_id, []).append(document)
            if self._feeds:
                feeds.setdefault(self._feed_of(thread_id or ""), []).append(document)
        return [
            *(self._to_thread(thread_id, [item["id"] for item in batch], raw) for thread_id, batch in threads.items()),
            *(
                self._append([feed], self._feed_max_events, [item["id"] for item in batch], raw)
                for feed, batch in feeds.items()
            ),
            *self._signals.commands_for(documents),
        ]

    def _to_thread(self, thread_id: str, ids: list[str], raw: dict[str, bytes]) -> Command:
        return self._append([self._keys.events(thread_id), self._keys.thread(thread_id)], self._max_events, ids, raw)

    def _append(self, place: list[str], limit: int, ids: list[str], raw: dict[str, bytes]) -> Command:
        stream, *thread = place
        token = xxhash.xxh3_128_digest("".join(ids).encode())
        settings = [token, limit, *self._times]
        return _append([stream, self._keys.seen(stream), *thread], settings + [raw[event_id] for event_id in ids])

    def _feed_of(self, thread_id: str) -> str:
        number = xxhash.xxh3_64_intdigest(thread_id.encode("utf-8", "surrogatepass"))
        return self._feeds[number % len(self._feeds)]
