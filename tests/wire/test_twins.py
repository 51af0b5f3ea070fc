"""A user's client of one colour serves both: the other is built from its settings, or refused with a word.

Clients of sentinels and clusters: test_topologies.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.servers import Server, free_port, serving


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server on TCP and a unix socket, and a user of its own."""
    with serving("--user", *"alice on >pa/ss@w:ord ~* +@all".split(), port=free_port()) as server:
        yield server


@pytest.mark.parametrize("colour", [redis, aioredis], ids=["from sync", "from async"])
def test_the_other_colour_is_built_with_the_users_settings(colour: Any, server: Server) -> None:
    client = colour.Redis(port=server.port, username="alice", password="pa/ss@w:ord", db=3, client_name="me")
    given = {"client": client} if colour is redis else {"async_client": client}
    other = asyncio.run if colour is redis else run
    with Connection(**given) as connection:
        user, info = other(connection.send(("ACL", "WHOAMI"), ("CLIENT", "INFO")))
    assert user == b"alice"
    assert {b"db=3", b"name=me"} <= set(info.split())
    if colour is redis:
        client.close()


class Seen(redis.UnixDomainSocketConnection):
    """Looks on, as an instrumentation does, and connects as usual."""

    def send_command(self, *args: Any, **options: Any) -> None:
        super().send_command(*args, **options)  # type: ignore[no-untyped-call]


class AsyncSeen(aioredis.UnixDomainSocketConnection):
    """The same."""


async def test_a_class_of_connections_that_only_looks_on_has_a_twin(server: Server) -> None:
    sync = redis.Redis.from_pool(redis.ConnectionPool(connection_class=Seen, path=server.socket, client_name="me"))
    async_ = aioredis.Redis.from_pool(
        aioredis.BlockingConnectionPool(connection_class=AsyncSeen, path=server.socket, client_name="me")
    )
    async with Connection(client=sync) as from_sync, Connection(async_client=async_) as from_async:
        from_async.expect_sync()
        assert await from_sync.send(("CLIENT", "GETNAME")) == [b"me"]
        assert await asyncio.to_thread(run, from_async.send(("CLIENT", "GETNAME"))) == [b"me"]
    sync.close()
    await async_.aclose()


def test_our_own_client_has_a_twin(server: Server) -> None:
    with Connection(server.url) as ours, Connection(client=ours.client) as connection:
        assert asyncio.run(connection.send(("ECHO", "hi"))) == [b"hi"]


class Tunnel(redis.Connection):
    """Reaches its server in a way of its own."""

    def _connect(self) -> Any:
        raise NotImplementedError


class AsyncTunnel(aioredis.Connection):
    """The same."""

    async def _connect(self) -> None:
        raise NotImplementedError


ODD: dict[str, Callable[[], Connection]] = {
    "async_client": lambda: Connection(client=redis.Redis.from_pool(redis.ConnectionPool(connection_class=Tunnel))),
    "client": lambda: Connection(
        async_client=aioredis.Redis.from_pool(aioredis.ConnectionPool(connection_class=AsyncTunnel))
    ),
}


@pytest.mark.parametrize("missing", ODD)
def test_one_that_connects_in_a_way_of_its_own_has_none(missing: str) -> None:
    connection, other = ODD[missing](), run if missing == "client" else asyncio.run
    with pytest.raises(ConfigurationError, match=f"^{missing}: .*pass both"):
        other(connection.send(("PING",)))


def test_what_needs_the_sync_colour_later_can_ask_for_it_now() -> None:
    ODD["async_client"]().expect_sync()
    with pytest.raises(ConfigurationError, match=r"^client: "):
        ODD["client"]().expect_sync()
