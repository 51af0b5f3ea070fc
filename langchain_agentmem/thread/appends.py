"""Sending only what is new of a list that grows: what this process believes the server holds, by digest.

The digest is of bytes, never of objects: messages are mutable, and one edited in place must be seen. The server
compares it with its own before it appends, so a belief that is wrong (another worker wrote, the server was flushed)
costs a second send and nothing else.
"""

from __future__ import annotations

import struct
import threading
from collections import OrderedDict
from collections.abc import Iterable
from typing import NamedTuple

from xxhash import xxh3_128

from langchain_agentmem.thread.codec import split_array
from langchain_agentmem.thread.layout import Typed, pack_typed

# Shorter lists are stored whole: a log's descriptor and chunk would be most of what they take.
MIN_LOG_BYTES = 512
_REMEMBERED = 10_000

_NEW = struct.Struct(">cI16s")
_TAIL = struct.Struct(">cI16sI16s")


class End(NamedTuple):
    """Where a stored log ends: length in bytes and digest of them all."""

    length: int
    digest: bytes


class Ends:
    """The ends of logs last seen at the server, by (head key, channel). Thread-safe; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[tuple[str, str], End] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, head: str, channel: str) -> End | None:
        """What is known of a log, or None."""
        return self._known.get((head, channel))

    def learn(self, head: str, ends: Iterable[tuple[str, End]]) -> None:
        """Remember what a read or a write showed."""
        with self._lock:
            for channel, end in ends:
                self._known[head, channel] = end
                self._known.move_to_end((head, channel))
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)

    def forget(self, head: str, channels: Iterable[str]) -> None:
        """Believe nothing more of these."""
        with self._lock:
            for channel in channels:
                self._known.pop((head, channel), None)


def payload(typed: Typed, known: End | None, *, may_log: bool) -> tuple[bytes, End | None]:
    """What to send for a channel's new value.

    Args:
        typed: The serialized value.
        known: Where the channel's log is believed to end.
        may_log: The bytes are the stock serializer's, so that a list's items can be told from its header.

    Returns:
        The payload that `checkpoint_put.lua` takes, and where the log will end (None: it is no log).
    """
    kind, data = typed
    array = split_array(data) if may_log and kind == "msgpack" and len(data) >= MIN_LOG_BYTES else None
    if array is None:
        return pack_typed(typed), None
    count, start = array
    items = memoryview(data)[start:]
    if known is not None and known.length <= len(items):
        digest = xxh3_128(items[: known.length])
        if digest.digest() == known.digest:
            tail = items[known.length :]
            digest.update(tail)
            end = End(len(items), digest.digest())
            return _TAIL.pack(b"A", known.length, known.digest, count, end.digest) + tail, end
    end = End(len(items), xxh3_128(items).digest())
    return _NEW.pack(b"N", count, end.digest) + items, end
