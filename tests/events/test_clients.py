"""Streams, groups and signals read the same through any client: either protocol, replies as bytes or as text."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.wire.connection import Connection

CLIENTS: dict[str, Any] = {
    "RESP3": lambda url: f"{url}?protocol=3",
    "text": lambda url: redis.Redis.from_url(url, decode_responses=True),
    "RESP3 text": lambda url: redis.Redis.from_url(url, decode_responses=True, protocol=3),
    "async RESP3 text": lambda url: aioredis.Redis.from_url(url, decode_responses=True, protocol=3),
}


@pytest.fixture(params=CLIENTS)
async def any_log(request: pytest.FixtureRequest, plain_url: str, plain: Connection) -> AsyncIterator[EventLog]:
    source = CLIENTS[request.param](plain_url)
    log = EventLog(source)
    yield log
    log.connection.close()
    if isinstance(source, redis.Redis):
        source.close()
    elif not isinstance(source, str):
        await source.aclose()


async def test_both_colours_read_alike(any_log: EventLog) -> None:
    log = any_log
    events = [Event(kind="tool.error", thread_id=f"t{i}", name="é") for i in range(9)]
    async with log.signals.subscribe(idle=0.3) as aheard:
        with log.signals.subscribe(idle=0.3) as heard:
            await log.aappend(*events)
            assert len([signal for signal, _ in zip(heard, range(9), strict=False)]) == 9
        assert [signal.topic async for signal in aheard] == ["tool:failed"] * 9
    ids = sorted(event.id for event in events)
    assert sorted(event.id for event in log.tail(after_id="0-0", idle=0.01)) == ids
    assert sorted([event.id async for event in log.atail(after_id="0-0", idle=0.01)]) == ids
    assert log.recent("t3") == await log.arecent("t3") == list(log.replay("t3"))

    sync_side, async_side = log.consume("g", "a"), log.consume("h", "a")
    first = sync_side.read()
    sync_side.ack(*first)
    second = await async_side.aread()
    await async_side.aack(*second)
    assert sorted(delivery.event.id for delivery in first) == ids
    assert sorted(delivery.event.id for delivery in second) == ids
    assert sync_side.lag() == await async_side.alag()
    assert sync_side.dead_letters() == await async_side.adead_letters() == []


class Tunnel(aioredis.Connection):
    """Reaches its server in a way of its own, so that no sync client can be built beside it."""

    async def _connect(self) -> None:
        raise NotImplementedError


def test_a_client_beside_which_nothing_can_be_written_is_refused(plain: Connection) -> None:
    client = aioredis.Redis.from_pool(aioredis.ConnectionPool(connection_class=Tunnel))
    with pytest.raises(ConfigurationError, match=r"^client: "):
        EventLog(client)
    EventLog(Connection(client=plain.client, async_client=client))
