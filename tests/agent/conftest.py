"""What the tests of the agent's surface share: a memory on both kinds of servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

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


@pytest.fixture
def recalls(memory: AgentMemory, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The queries of every recall."""
    asked: list[str] = []
    recall = memory.bank.arecall

    async def counted(query: str, *args: Any, **named: Any) -> Any:
        asked.append(query)
        return await recall(query, *args, **named)

    monkeypatch.setattr(memory.bank, "arecall", counted)
    return asked
