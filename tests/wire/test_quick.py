"""What is shorter than in redis-py does the same as there."""

from __future__ import annotations

from typing import Any

import pytest
import redis
import redis.asyncio as aioredis
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.quick import quickened
from tests.servers import serving

PACKER = redis.connection.HiredisRespSerializer() if redis.utils.HIREDIS_AVAILABLE else None
QUICK: Any = quickened(aioredis.Connection, PACKER, redis.TimeoutError)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.integers() | st.floats()))
def test_commands_have_the_bytes_that_redis_py_gives_them(args: list[Any]) -> None:
    args = ["SCRIPT LOAD", *args]
    assert b"".join(QUICK().pack_command(*args)) == b"".join(aioredis.Connection().pack_command(*args))


async def test_what_cannot_be_packed_is_refused(plain: Connection) -> None:
    with pytest.raises(redis.DataError):
        await plain.send(("SET", "k", object()))
    assert await plain.send(("SET", "k", memoryview(b"part"))) == [True]


async def test_a_server_that_takes_no_more_is_given_up() -> None:
    with serving() as server:
        async with Connection(server.url, socket_timeout=0.1, retry=Retry(NoBackoff(), 0)) as connection:
            await connection.send(("PING",))
            server.pause()
            with pytest.raises(redis.TimeoutError, match="writing"):
                await connection.send(("SET", "k", b"x" * 10_000_000))
            server.resume()
            assert await connection.send(("ECHO", "y")) == [b"y"]
