"""What the tests of the promotion room share: a bank, an outbox, and a stub of OpenAI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from tests.openai_stub import OpenAIStub
from tests.promotion.scribe import CALLS, Call
from tests.promotion.steps import QUICK

EMBEDDER = OfflineEmbeddings()


def make_bank(connection: Connection) -> MemoryBank:
    return MemoryBank(AgentMemoryStore(connection, index={"dims": 256, "embed": EMBEDDER, "fields": ["text"]}))


@pytest.fixture
def bank(search: Connection) -> MemoryBank:
    """An empty bank on a server with search."""
    return make_bank(search)


@pytest.fixture(scope="session")
def openai_server() -> Iterator[OpenAIStub]:
    """One server for all tests: to make a client of a new address takes longer than most of them."""
    with OpenAIStub() as server:
        yield server


@pytest.fixture
def stub(openai_server: OpenAIStub) -> OpenAIStub:
    """A stub of OpenAI as good as new; set its `answer`."""
    openai_server.reset()
    return openai_server


@pytest.fixture(params=CALLS)
def call(request: pytest.FixtureRequest) -> Call:
    """Runs a coroutine in one of the two colours."""
    return CALLS[request.param]


@pytest.fixture
def outbox(plain: Connection) -> Outbox:
    """An outbox whose turns are due at once."""
    return Outbox(plain, **QUICK)


@pytest.fixture
def box(search: Connection) -> Outbox:
    """An outbox for graphs that keep their threads on the same server."""
    return Outbox(search, **QUICK)


@pytest.fixture
def node(box: Outbox, bank: MemoryBank) -> ExtractionNode:
    """A node that hands over to it, and passes by what nobody said."""
    return ExtractionNode(box, Extractor(bank, None, "verbatim"), required=False)


@pytest.fixture(params=[AgentMemorySaver, InMemorySaver])
def saver(request: pytest.FixtureRequest, search: Connection) -> BaseCheckpointSaver[Any]:
    """A checkpointer: ours, and one of LangGraph's."""
    made: BaseCheckpointSaver[Any] = AgentMemorySaver(search) if request.param is AgentMemorySaver else InMemorySaver()
    return made
