"""What the tests of the promotion room share: a bank, an outbox, and a stub of OpenAI."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.outbox import Outbox
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
