"""What this process believes the server holds: the head of each namespace that it last read or wrote.

A belief is digests, never objects: messages are mutable, and one edited in place must be seen. The server compares them
with its own before it acts on them, so a belief that is wrong (another worker wrote, the server was flushed) costs a
longer way or a second send and nothing else.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import NamedTuple

from xxhash import xxh3_128

from langchain_agentmem.thread.layout import Version

_REMEMBERED = 10_000


class End(NamedTuple):
    """Where a stored log ends: length in bytes and digest of them all."""

    length: int
    digest: bytes


class Belief(NamedTuple):
    """A namespace's current checkpoint.

    Attributes:
        checkpoint_id: Its id.
        digest: Digest of its id and record, b"" where the server has none.
        versions: The version of each of its channels.
        ends: Where the logs among its values end, by channel.
    """

    checkpoint_id: str
    digest: bytes
    versions: Mapping[str, Version]
    ends: Mapping[str, End]


def digest_of(checkpoint_id: str, record: bytes) -> bytes:
    """What tells one stored checkpoint from every other: 16 bytes."""
    digest = xxh3_128(checkpoint_id.encode())
    digest.update(b"\0" + record)
    return digest.digest()


class Beliefs:
    """Beliefs by head key. Thread-safe; the oldest are forgotten first."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Belief] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, head: str) -> Belief | None:
        """What is believed of a head, or None."""
        return self._known.get(head)

    def learn(self, head: str, belief: Belief) -> None:
        """Remember what a read or a write showed."""
        with self._lock:
            self._known[head] = belief
            self._known.move_to_end(head)
            while len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
