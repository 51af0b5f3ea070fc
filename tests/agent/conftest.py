"""What the tests of the agent's surface share: a memory on both kinds of servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.wire.connection import Connection

EMBEDDER = OfflineEmbeddings()


@pytest.fixture
def memory(server: Connection) -> Iterator[AgentMemory]:
    """A memory on either kind of server, empty."""
    with AgentMemory(server, embeddings=EMBEDDER) as memory:
        yield memory


@pytest.fixture
def assembler(memory: AgentMemory) -> ContextAssembler:
    """What puts contexts together from all tiers of the memory."""
    return ContextAssembler(memory.bank, memory.sessions, memory.events)
