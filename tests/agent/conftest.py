"""What the tests of the agent's surface share: a memory on both kinds of servers, in both colours."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.context import ContextAssembler
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings

EMBEDDER = OfflineEmbeddings()

Do = Callable[..., Awaitable[Any]]


@pytest.fixture(params=["search", "plain"])
def memory(request: pytest.FixtureRequest) -> Iterator[AgentMemory]:
    """A memory on an empty server, once with the search module and once without."""
    with AgentMemory(request.getfixturevalue(request.param), embeddings=EMBEDDER) as memory:
        yield memory


@pytest.fixture
def assembler(memory: AgentMemory) -> ContextAssembler:
    """What puts contexts together from all tiers of the memory."""
    return ContextAssembler(memory.bank, memory.sessions, memory.events)


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest) -> Do:
    """Calls a method in one colour: `await do(graph.invoke, x)` is `graph.invoke(x)` or `await graph.ainvoke(x)`."""

    async def call(method: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if request.param == "sync":
            return method(*args, **named)
        owner: Any = method.__self__  # type: ignore[attr-defined]
        return await getattr(owner, f"a{method.__name__}")(*args, **named)

    return call
