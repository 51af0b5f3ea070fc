"""What the tests of the agent's surface share: a memory on both kinds of servers."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings

EMBEDDER = OfflineEmbeddings()


@pytest.fixture(params=["search", "plain"])
def memory(request: pytest.FixtureRequest) -> Iterator[AgentMemory]:
    """A memory on an empty server, once with the search module and once without."""
    with AgentMemory(request.getfixturevalue(request.param), embeddings=EMBEDDER) as memory:
        yield memory


@pytest.fixture
def assembler(memory: AgentMemory) -> ContextAssembler:
    """What puts contexts together from all tiers of the memory."""
    return ContextAssembler(memory.bank, memory.sessions, memory.events)
