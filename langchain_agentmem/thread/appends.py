"""Sending only what is new of a list that grows."""

from __future__ import annotations

import struct

from xxhash import xxh3_128

from langchain_agentmem.thread.beliefs import End
from langchain_agentmem.thread.codec import split_array
from langchain_agentmem.thread.layout import Typed, pack_typed

# Shorter lists are stored whole: a log's descriptor and chunk would be most of what they take.
MIN_LOG_BYTES = 512

_NEW = struct.Struct(">cI16s")
_TAIL = struct.Struct(">cI16sI16s")


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
