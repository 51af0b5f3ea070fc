"""What the tests of the long-term tier share: an embedder of letters, a store, a bank, and a count of round trips."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.vectors import VectorIndexConfig
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.trips import watch_trips

ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789 "


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Counts of letters, at length 1; a text without any gives the zero vector."""
    rows = [[float(text.lower().count(letter)) for letter in ALPHABET] for text in texts]
    return [[x / (math.hypot(*row) or 1) for x in row] for row in rows]


INDEX: VectorIndexConfig = {"dims": len(ALPHABET), "embed": embed, "fields": ["text"]}

DOCS = ("docs",)


def count_of_letters(texts: Sequence[str]) -> list[list[float]]:
    return [[float(text.count(letter)) for letter in "abc"] for text in texts]


LETTERS: VectorIndexConfig = {"dims": 3, "embed": count_of_letters, "fields": ["text"]}

EMBEDDER = OfflineEmbeddings()


@pytest.fixture
def store(server: Connection) -> AgentMemoryStore:
    """A store with vectors on either kind of server."""
    return AgentMemoryStore(server, index=INDEX)


@pytest.fixture
def bank(server: Connection) -> MemoryBank:
    """A memory bank on either kind of server, with the offline embedder."""
    return MemoryBank(AgentMemoryStore(server, index={"dims": 256, "embed": EMBEDDER, "fields": ["text"]}))


class Trips:
    """The round trips of every connection, counted."""

    def __init__(self) -> None:
        self.count = 0

    def note(self, commands: Any) -> None:
        """There was one."""
        self.count += 1

    def taken(self) -> int:
        """How many there were since the last call."""
        count, self.count = self.count, 0
        return count


@pytest.fixture
def trips(monkeypatch: pytest.MonkeyPatch) -> Trips:
    """Counts round trips."""
    trips = Trips()
    watch_trips(monkeypatch, trips.note)
    return trips


@pytest.fixture
def keys(server: Connection) -> Callable[[], list[bytes]]:
    """Lists every key on the server."""
    return lambda: sorted(run(server.send(("KEYS", "*")))[0])
