"""A task that is cancelled while it waits for the server ends, whatever redis-py was doing at that moment."""

from __future__ import annotations

import asyncio
import random
from contextlib import suppress

import anyio
import pytest

from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.lane import cancellable


async def swallow(error: Exception | None = None) -> str:
    """What `asyncio.wait_for` does before Python 3.12 to a cancellation at the wrong moment."""
    with suppress(asyncio.CancelledError):
        await asyncio.sleep(60)
    if error:
        raise error
    return "went on"


@pytest.mark.parametrize("error", [None, ConnectionError("gone")])
async def test_a_cancellation_that_was_swallowed_comes_back(error: Exception | None) -> None:
    task = asyncio.create_task(cancellable(swallow(error)))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_it_stays_that_of_the_timeout_or_scope_it_comes_from() -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await cancellable(swallow())
    with anyio.move_on_after(0.01) as scope:
        await cancellable(swallow())
    assert scope.cancelled_caught


async def test_a_cancellation_that_was_dealt_with_is_no_reason_to_end() -> None:
    async def patient() -> str:
        with suppress(TimeoutError):
            async with asyncio.timeout(0.01):
                await asyncio.sleep(60)
        return "went on"

    assert await cancellable(patient()) == "went on"


async def test_a_reader_ends_at_whatever_moment_it_is_cancelled(plain: Connection) -> None:
    moments = random.Random(1)

    async def read(cursor: str = "0-0") -> None:
        while True:
            reply = await plain.block("XREAD", "BLOCK", 1000, "STREAMS", "s", cursor)
            cursor = dict(reply)[b"s"][-1][0].decode() if reply else cursor

    async def write() -> None:
        while True:
            await plain.send(("XADD", "s", "MAXLEN", "~", 100, "*", "a", "b"))

    writer = asyncio.create_task(write())
    try:
        for _ in range(60):
            reader = asyncio.create_task(read())
            await asyncio.sleep(moments.uniform(0, 0.02))
            reader.cancel()
            ended, _still_reading = await asyncio.wait([reader], timeout=5)
            assert ended
            assert reader.cancelled()
    finally:
        writer.cancel()
        await asyncio.wait([writer], timeout=5)
