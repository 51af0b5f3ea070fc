"""Events as they come: a reader that loses its connection misses none and sees none twice."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import LOST_CONNECTION, Connection
from tests.events.conftest import Call
from tests.servers import serving, serving_cluster

ENOUGH = 10.0  # seconds without an event: a test that waits so long has failed


@contextmanager
def writing(log: EventLog, n: int, threads: int = 1) -> Iterator[None]:
    """Meanwhile, another thread appends n events, one by one, once a reader waits."""

    def write() -> None:
        while not waiting_clients(log.connection):
            time.sleep(0.005)
        for i in range(n):
            log.append(Event(kind=str(i), thread_id=f"t{i % threads}" if threads > 1 else "t"))

    writer = threading.Thread(target=write)
    writer.start()
    yield
    writer.join()


def waiting_clients(redis: Connection) -> list[bytes]:
    """The ids of the clients that wait in a blocking read."""
    clients = run(redis.send(("CLIENT", "LIST")))[0]
    rows = clients if isinstance(clients, list) else clients.decode().splitlines()
    asdict = (row if isinstance(row, dict) else dict(field.split("=", 1) for field in row.split()) for row in rows)
    return [row["id"] for row in asdict if row["cmd"].startswith(("xread", "xreadgroup"))]


async def test_tail_starts_with_what_comes_next(log: EventLog, call: Call) -> None:
    log.append(Event(kind="before", thread_id="t"))
    with writing(log, 30):
        found = await asyncio.to_thread(lambda: asyncio.run(call(log, "tail", "t", idle=ENOUGH, first=30)))
    assert [event.kind for event in found] == [str(i) for i in range(30)]


async def test_tail_can_start_earlier_and_end_by_itself(log: EventLog, call: Call) -> None:
    log.append(*(Event(kind=str(i), thread_id="t") for i in range(1_200)))
    everything = await call(log, "tail", "t", after_id="0-0", idle=0.01)
    assert len(everything) == len(log.recent("t", 2_000))
    rest = await call(log, "tail", "t", after_id=everything[-3].cursor, idle=0.01)
    assert [event.kind for event in rest] == ["1198", "1199"]
    assert await call(log, "tail", "nobody", idle=0.01) == []


async def test_tail_of_the_feed_sees_all_threads(log: EventLog, call: Call) -> None:
    with writing(log, 40, threads=9):
        found = await asyncio.to_thread(lambda: asyncio.run(call(log, "tail", idle=ENOUGH, first=40)))
    assert sorted(int(event.kind) for event in found) == list(range(40))
    for thread in {event.thread_id for event in found}:
        numbers = [int(event.kind) for event in found if event.thread_id == thread]
        assert numbers == sorted(numbers)


async def test_a_lost_connection_costs_no_event_and_repeats_none(log: EventLog, call: Call) -> None:
    seen: list[str] = []

    def write_and_cut() -> None:
        for i in range(60):
            log.append(Event(kind=str(i), thread_id="t"))
            if i % 10 == 5:
                cut(log.connection)

    def cut(redis: Connection) -> None:
        while not (ids := waiting_clients(redis)):
            time.sleep(0.005)
        run(redis.send(*(("CLIENT", "KILL", "ID", id_) for id_ in ids), return_errors=True))

    writer = threading.Thread(target=write_and_cut)

    def read() -> list[Event]:
        found: list[Event] = asyncio.run(call(log, "tail", "t", after_id="0-0", idle=ENOUGH, first=60))
        return found

    writer.start()
    seen = [event.kind for event in await asyncio.to_thread(read)]
    writer.join()
    assert seen == [str(i) for i in range(60)]


async def test_a_server_that_is_away_for_a_while_is_waited_for(call: Call, caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, Connection(server.url) as redis:
        log = EventLog(redis)
        log.append(Event(kind="1", thread_id="t"))
        server.pause()
        threading.Timer(0.3, server.resume).start()
        assert [event.kind for event in await call(log, "tail", "t", after_id="0-0", idle=ENOUGH, first=1)] == ["1"]
        server.kill()
        with caplog.at_level(logging.WARNING), pytest.raises(LOST_CONNECTION):
            await call(log, "tail", "t", after_id="0-0", idle=ENOUGH, patience=0.1)
        assert "the server is away" in caplog.text


def test_tail_does_not_hold_a_connection_that_others_need(plain_url: str) -> None:
    with Connection(plain_url, max_connections=2) as redis:
        log = EventLog(redis)
        with closing(log.tail("held", after_id="0-0", idle=0.01)) as events:  # type: ignore[type-var]
            assert next(events, None) is None
            log.append(Event(kind="k", thread_id="held"))


@pytest.mark.parametrize("after_id", ["tomorrow", "1-x", "-", ""])
async def test_a_cursor_that_is_none_is_refused(log: EventLog, call: Call, after_id: str) -> None:
    with pytest.raises(InvalidInputError, match="after_id"):
        await call(log, "tail", "t", after_id=after_id)


async def test_on_a_cluster_the_feed_is_spread_and_read_as_one(call: Call) -> None:
    with serving_cluster(2) as servers, Connection(servers[0].tcp.replace("redis:", "redis+cluster:")) as redis:
        log = EventLog(redis)
        log.append(*(Event(kind=str(i), thread_id=f"t{i % 9}") for i in range(90)))
        found = await call(log, "tail", after_id="0-0", idle=0.5)
        assert sorted(int(event.kind) for event in found) == list(range(90))
        assert len({log._appender._feed_place(f"t{i}")[0][0] for i in range(9)}) > 1
        assert len(await call(log, "replay")) == 90
        assert [event.kind for event in await call(log, "recent", "t4", 2)] == ["76", "85"]

        consumer: Any = log.consume("g", "c")
        handled: list[str] = []
        while len(handled) < 90:
            deliveries = await call(consumer, "read", 50)
            handled += [delivery.event.kind for delivery in deliveries]
            await call(consumer, "ack", *deliveries)
        assert sorted(map(int, handled)) == list(range(90))
        assert (await call(consumer, "lag")).pending == 0

        async with log.signals.subscribe("order:*") as inbox:
            assert await call(log.signals, "publish", "order:placed", {"n": 1}) == 1
            async for signal in inbox:
                assert signal.body == {"n": 1}
                break
        with log.signals.subscribe("order:*") as inbox:
            assert await call(log.signals, "publish", "order:placed", {"n": 2}) >= 1  # the first may not be gone yet
            assert next(iter(inbox)).body == {"n": 2}
