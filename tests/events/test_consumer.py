"""A group shares the feed: nothing is lost, and nothing is handled twice without `deliveries` saying so."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.consumer import Consumer, Delivery, Lag
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.events.conftest import Call
from tests.users import wait_until


def fill(log: EventLog, n: int) -> None:
    log.append(*(Event(kind=str(i), thread_id=f"t{i % 9}") for i in range(n)))


async def read_until(consumer: Consumer, call: Call, n: int) -> list[Delivery]:
    found: list[Delivery] = []
    deadline = time.monotonic() + 10
    while len(found) < n and time.monotonic() < deadline:
        found += await call(consumer, "read", 10)
    return found


async def test_each_event_goes_to_one_consumer_of_a_group(log: EventLog, call: Call) -> None:
    fill(log, 100)
    first, second, other = log.consume("g", "a"), log.consume("g", "b"), log.consume("another", "a")
    mine = await call(first, "read", 5)
    rest = await read_until(second, call, 100 - len(mine))
    assert 5 <= len(mine) <= 20  # up to five for each shard
    assert sorted(int(d.event.kind) for d in mine + rest) == list(range(100))
    assert {d.deliveries for d in mine + rest} == {1}
    assert len(await read_until(other, call, 100)) == 100


async def test_what_is_acknowledged_is_not_given_again(log: EventLog, call: Call) -> None:
    fill(log, 10)
    consumer = log.consume("g", "a", stuck_after=0.05)
    deliveries = await read_until(consumer, call, 10)
    done, stuck = deliveries[:7], deliveries[7:]
    await call(consumer, "ack", *done)
    assert await call(consumer, "lag") == Lag(waiting=0, pending=3)
    await asyncio.sleep(0.1)
    again = await read_until(log.consume("g", "b", stuck_after=0.05), call, 3)
    assert {d.event.id for d in again} == {d.event.id for d in stuck}
    assert {d.deliveries for d in again} == {2}
    await call(consumer, "ack", *again)
    assert await call(consumer, "lag") == Lag(0, 0)
    await call(consumer, "ack")  # nothing to say


async def test_lag_counts_what_was_not_given_out(log: EventLog, call: Call) -> None:
    consumer = log.consume("g", "a")
    assert await call(consumer, "lag") == Lag(0, 0)
    fill(log, 20)
    assert await call(consumer, "lag") == Lag(20, 0)
    given = len(await call(consumer, "read", 1))
    assert await call(consumer, "lag") == Lag(20 - given, given)


async def test_after_too_many_deliveries_an_event_is_a_dead_letter(log: EventLog, call: Call) -> None:
    log.append(Event(kind="poison", thread_id="t"), Event(kind="fine", thread_id="t"))
    consumer = log.consume("g", "a", stuck_after=0.02, max_deliveries=3)
    counts: Counter[str] = Counter()
    deadline = time.monotonic() + 10
    while not (dead := await call(consumer, "dead_letters")) and time.monotonic() < deadline:
        for delivery in await call(consumer, "read"):
            counts[delivery.event.kind] += 1
            assert delivery.deliveries == counts[delivery.event.kind]
            if delivery.event.kind == "fine":
                await call(consumer, "ack", delivery)
        await asyncio.sleep(0.02)
    assert counts == {"poison": 3, "fine": 1}
    assert [event.kind for event in dead] == ["poison"]
    assert await call(consumer, "lag") == Lag(0, 0)
    assert await call(log.consume("another group", "a"), "dead_letters") == []


async def test_an_entry_that_is_no_event_holds_up_no_other(
    plain: Connection, log: EventLog, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    log.append(Event(kind="before", thread_id="t"))
    feed = (await plain.send(("KEYS", "*:feed:*")))[0][0].decode()
    await plain.send(("XADD", feed, "*", "secret", "hush", "more", "hush"), ("XADD", feed, "*", "event", "[1]"))
    log.append(Event(kind="after", thread_id="t"))
    consumer = log.consume("g", "a", stuck_after=0.02, max_deliveries=2)
    given = await read_until(consumer, call, 2)
    assert [delivery.event.kind for delivery in given] == ["before", "after"]
    await call(consumer, "ack", *given)
    deadline = time.monotonic() + 10
    while await call(consumer, "lag") != Lag(0, 0) and time.monotonic() < deadline:
        assert await call(consumer, "read") == []
        await asyncio.sleep(0.02)
    assert await call(consumer, "dead_letters") == []  # none of them is an event
    dead = [fields for _, fields in (await plain.send(("XRANGE", f"{feed}:dead:g", "-", "+")))[0]]
    assert [fields.get(b"secret", fields.get(b"event")) for fields in dead] == [b"hush", b"[1]"]
    assert "not an event" in caplog.text
    assert "hush" not in caplog.text


async def test_what_was_trimmed_while_it_was_waiting_is_forgotten(plain: Connection, call: Call) -> None:
    log = EventLog(plain, feed_shards=1)
    fill(log, 4)
    consumer = log.consume("g", "a", stuck_after=0.01)
    assert len(await call(consumer, "read")) == 4
    run(plain.send(("XTRIM", Keys().feed(0), "MAXLEN", 1)))
    await asyncio.sleep(0.05)
    assert [d.event.kind for d in await call(consumer, "read")] == ["3"]
    assert (await call(consumer, "lag")).pending == 1


CONSUMER = """
import sys, time
from langchain_agentmem.events.log import EventLog
log = EventLog(sys.argv[1])
consumer = log.consume("g", f"worker-{sys.argv[2]}", stuck_after=0.3, max_deliveries=50)
with open(sys.argv[3], "a", buffering=1) as handled:
    for delivery in consumer:
        handled.write(f"{delivery.event.kind} {delivery.deliveries}\\n")
        time.sleep(0.002)
        consumer.ack(delivery)
"""


def test_consumers_killed_in_the_middle_lose_nothing(plain_url: str, log: EventLog, tmp_path: Path) -> None:
    fill(log, 300)
    handled = tmp_path / "handled"

    def start(name: int) -> subprocess.Popen[bytes]:
        return subprocess.Popen([sys.executable, "-c", CONSUMER, plain_url, str(name), str(handled)])

    def lines() -> list[str]:
        return handled.read_text().splitlines() if handled.exists() else []

    def more_than(number: int) -> bool:
        return len(lines()) > number

    workers = [start(0), start(1)]
    try:
        for name in (2, 3):
            wait_until(partial(more_than, len(lines()) + 39))
            os.kill(workers[0].pid, signal.SIGKILL)
            workers.pop(0).wait()
            workers.append(start(name))
        watcher = log.consume("g", "watcher")
        wait_until(lambda: watcher.lag() == Lag(0, 0))
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
    times = Counter(line.split()[0] for line in lines())
    assert set(times) == {str(i) for i in range(300)}
    first_handled: set[str] = set()
    for line in lines():
        kind, deliveries = line.split()
        assert kind not in first_handled or int(deliveries) > 1, f"{kind} came twice and does not say so"
        first_handled.add(kind)
    assert watcher.dead_letters() == []


@pytest.mark.parametrize("colour", ["sync", "async"])
def test_iterating_goes_on_after_a_lost_connection(plain: Connection, log: EventLog, colour: str) -> None:
    consumer = log.consume("g", "a", stuck_after=0.2)
    handled: list[str] = []

    def cut_and_fill() -> None:
        for i in range(30):
            log.append(Event(kind=str(i), thread_id="t"))
            if i % 10 == 5:
                run(plain.send(("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes")))
            time.sleep(0.002)

    async def consume() -> None:
        async for delivery in consumer:
            handled.append(delivery.event.kind)
            await consumer.aack(delivery)
            if len(set(handled)) == 30:
                break

    writer = threading.Thread(target=cut_and_fill)
    writer.start()
    if colour == "async":
        asyncio.run(consume())
    else:
        for delivery in consumer:
            handled.append(delivery.event.kind)
            consumer.ack(delivery)
            if len(set(handled)) == 30:
                break
    writer.join()
    assert sorted(set(map(int, handled))) == list(range(30))


Step = Callable[[], Awaitable[str]]


@pytest.fixture(params=["sync", "async"])
def slow(request: pytest.FixtureRequest, plain: Connection) -> tuple[Consumer, Step, Callable[[], None]]:
    """A consumer in the middle of its work, a step of its iteration (the kind of what it gives), and what lets the
    events that it has not got to yet be old."""
    log = EventLog(plain, feed_shards=1)
    fill(log, 6)
    consumer = log.consume("g", "slow", stuck_after=3)
    steps, asteps = iter(consumer), aiter(consumer)

    async def step() -> str:
        delivery = next(steps) if request.param == "sync" else await anext(asteps)
        run(consumer.aack(delivery))
        assert delivery.deliveries == 1
        return delivery.event.kind

    def grow_old() -> None:
        feed = Keys().feed(0)
        waiting: list[Any] = [entry["message_id"] for entry in plain.client.xpending_range(feed, "g", "-", "+", 10)]
        plain.client.xclaim(feed, "g", "slow", 0, waiting, idle=3_600_000, justid=True)
        time.sleep(0.31)  # a tenth of `stuck_after`

    return consumer, step, grow_old


async def test_what_waits_for_a_slow_consumer_is_not_stuck(
    plain: Connection, slow: tuple[Consumer, Step, Callable[[], None]]
) -> None:
    consumer, step, grow_old = slow
    assert [await step(), await step()] == ["0", "1"]
    assert consumer.lag() == Lag(0, 4)  # it has read ahead
    grow_old()
    assert await step() == "2"
    assert EventLog(plain, feed_shards=1).consume("g", "other", stuck_after=600).read() == []
    assert [await step() for _ in range(3)] == ["3", "4", "5"]
    assert consumer.lag() == Lag(0, 0)


async def test_a_slow_consumer_leaves_out_what_another_took_over(
    plain: Connection, slow: tuple[Consumer, Step, Callable[[], None]]
) -> None:
    consumer, step, grow_old = slow
    log = EventLog(plain, feed_shards=1)
    assert [await step(), await step()] == ["0", "1"]
    grow_old()
    taken = log.consume("g", "other", stuck_after=600).read(3)
    assert [(delivery.event.kind, delivery.deliveries) for delivery in taken] == [("2", 2), ("3", 2), ("4", 2)]
    assert await step() == "5"
    log.append(Event(kind="new", thread_id="t"))
    assert await step() == "new"
    assert consumer.lag() == Lag(0, 3)


async def test_a_consumer_that_takes_long_reads_little_ahead(
    plain: Connection, slow: tuple[Consumer, Step, Callable[[], None]]
) -> None:
    consumer, step, _ = slow
    assert await step() == "0"
    await asyncio.sleep(0.31)
    assert await step() == "1"
    assert consumer.lag() == Lag(4, 0)


async def test_a_group_that_was_lost_is_made_again(plain: Connection, log: EventLog, call: Call) -> None:
    consumer = log.consume("g", "a")
    fill(log, 3)
    assert len(await read_until(consumer, call, 3)) == 3
    run(plain.send(("FLUSHALL",)))
    fill(log, 2)
    assert len(await read_until(consumer, call, 2)) == 2


def test_names_and_numbers_that_cannot_work_are_refused(log: EventLog) -> None:
    for group, consumer in (("", "c"), ("g", "")):
        with pytest.raises(InvalidInputError, match="group, consumer"):
            log.consume(group, consumer)
    with pytest.raises(InvalidInputError, match="stuck_after"):
        log.consume("g", "c", stuck_after=0)
    with pytest.raises(InvalidInputError, match="max_deliveries"):
        log.consume("g", "c", max_deliveries=0)
