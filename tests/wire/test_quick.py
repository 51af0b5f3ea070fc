"""What is shorter than in redis-py does the same as there."""

from __future__ import annotations

from typing import Any

import pytest
import redis
import redis.asyncio as aioredis
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.quick import Packing


class Quick(Packing, aioredis.Connection):
    packer = redis.connection.HiredisRespSerializer()


@pytest.mark.skipif(not redis.utils.HIREDIS_AVAILABLE, reason="hiredis is not installed")
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])) | st.binary() | st.integers() | st.floats()))
def test_commands_have_the_bytes_that_redis_py_gives_them(args: list[Any]) -> None:
    args = ["SCRIPT LOAD", *args]
    assert b"".join(Quick().pack_command(*args)) == b"".join(aioredis.Connection().pack_command(*args))


async def test_what_cannot_be_packed_is_refused(plain: Connection) -> None:
    with pytest.raises(redis.DataError):
        await plain.send(("SET", "k", object()))
    assert await plain.send(("SET", "k", memoryview(b"part"))) == [True]
