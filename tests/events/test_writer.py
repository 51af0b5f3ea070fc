"""The queue before the stream: bounded, in order, flushed at the end, and never in the way."""

from __future__ import annotations

import logging
import multiprocessing
import os
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Sequence
from uuid import UUID, uuid4

import pytest

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.events import writer as writer_module
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.runs import Run
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.events.writer import Writer
from langchain_agentmem.wire.connection import Connection
from tests.servers import serving
from tests.users import wait_until


class Shelf:
    """Where a writer's parcels arrive; closed, it refuses them."""

    def __init__(self, capacity: int = 10_000) -> None:
        self.parcels: list[list[int]] = []
        self.open = threading.Event()
        self.open.set()
        self.failures = 0
        self.writer: Writer[int, list[int]] = Writer(list, self._take, capacity)

    def _take(self, parcel: list[int]) -> None:
        if not self.open.is_set():
            self.failures += 1
            raise ConnectionError("closed")
        self.parcels.append(parcel)

    @property
    def items(self) -> list[int]:
        return [item for parcel in self.parcels for item in parcel]


def test_items_arrive_in_order_and_in_batches() -> None:
    shelf = Shelf()
    for i in range(3_000):
        shelf.writer.put(i)
    assert shelf.writer.flush()
    assert shelf.items == list(range(3_000))
    assert max(map(len, shelf.parcels)) <= writer_module.BATCH
    assert len(shelf.parcels) < 100
    assert shelf.writer.dropped == 0


def test_items_of_each_thread_keep_their_order() -> None:
    shelf = Shelf()
    threads = [threading.Thread(target=lambda n=n: list(map(shelf.writer.put, range(n, 4_000, 4)))) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shelf.writer.flush()
    assert sorted(shelf.items) == list(range(4_000))
    for n in range(4):
        assert [item for item in shelf.items if item % 4 == n] == list(range(n, 4_000, 4))


def test_a_mistake_in_the_setup_is_told_at_once(caplog: pytest.LogCaptureFixture) -> None:
    def refuse(parcel: list[int]) -> None:
        raise ConfigurationError("client: pass one")

    writer: Writer[int, list[int]] = Writer(list, refuse)
    writer.put(1)
    assert writer.flush()  # it is not tried again
    assert writer.dropped == 1
    assert "client: pass one" in caplog.text


def test_a_full_queue_loses_the_oldest_and_counts(caplog: pytest.LogCaptureFixture) -> None:
    shelf = Shelf(capacity=100)
    shelf.open.clear()
    with caplog.at_level(logging.WARNING):
        shelf.writer.put(-1)
        wait_until(lambda: shelf.failures > 0)
        for i in range(1_000):
            shelf.writer.put(i)
        assert not shelf.writer.flush(0.05)
        shelf.open.set()
        assert shelf.writer.flush(10)
    assert shelf.items == [-1, *range(900, 1_000)]
    assert shelf.writer.dropped == 900
    assert len(caplog.messages) == 2, "one word when it begins and one when it is over"
    assert "ConnectionError" in caplog.messages[0]
    assert "900 were lost" in caplog.messages[1]
    assert "closed" not in caplog.text


def test_the_garbage_collector_may_put_an_item_while_the_queue_is_in_use() -> None:
    shelf = Shelf(capacity=1)
    with shelf.writer._changed:  # as when a run is abandoned: its end is noted wherever the collector finds it
        shelf.writer.put(1)
        shelf.writer.put(2)
    assert shelf.writer.flush()
    assert shelf.items[-1] == 2


def test_what_cannot_be_sent_for_long_is_lost_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "PATIENCE", 0.05)
    shelf = Shelf()
    shelf.open.clear()
    for i in range(10):
        shelf.writer.put(i)
    assert shelf.writer.flush()
    assert shelf.writer.dropped == 10
    shelf.open.set()
    shelf.writer.put(10)
    assert shelf.writer.flush()
    assert shelf.items == [10]


def test_an_item_that_cannot_be_packed_does_not_end_the_thread() -> None:
    def pack(batch: Sequence[int]) -> list[int]:
        return [1 // item for item in batch]

    sent: list[list[int]] = []
    writer: Writer[int, list[int]] = Writer(pack, sent.append)
    for item in (0, 1):
        writer.put(item)
        assert writer.flush()
    assert sent == [[1]]
    assert writer.dropped == 1


def test_the_thread_rests_and_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "REST", 0.01)
    shelf = Shelf()
    for i in range(5):
        shelf.writer.put(i)
        assert shelf.writer.flush()
        wait_until(lambda: shelf.writer._thread is None)
    assert shelf.items == list(range(5))


def test_a_process_that_is_ending_refuses_threads_quietly(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    shelf = Shelf()
    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        shelf.writer.put(1)
    shelf.writer.put(2)
    assert shelf.writer.flush()
    assert shelf.items == [1, 2]


def test_flush_with_nothing_to_do_returns_at_once() -> None:
    assert Shelf().writer.flush(0)


# With Redis


def test_a_flood_needs_bounded_memory(plain: Connection) -> None:
    tracer = EventTracer(EventLog(plain, max_events=500, feed_shards=0), capacity=2_000)

    def flood(seconds: float) -> int:
        until, n = time.monotonic() + seconds, 0
        while time.monotonic() < until:
            run_id = uuid4()
            tracer.on_chain_start({}, {}, run_id=run_id, name="x" * 100, metadata={"thread_id": "t"})
            tracer.on_chain_end({}, run_id=run_id)
            n += 2
        return n

    flood(0.3)
    tracemalloc.start()
    sent = flood(1.0)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20_000_000, f"{peak} bytes for {sent} events"
    assert tracer.flush(20)
    assert len(tracer._writer._queue) == 0
    assert tracer._open == {}


def test_redis_away_the_graph_runs_on(caplog: pytest.LogCaptureFixture) -> None:
    with serving() as server, Connection(server.url) as redis:
        log = EventLog(redis)
        tracer = EventTracer(log, capacity=50)
        server.kill()
        with caplog.at_level(logging.WARNING):
            for i in range(300):
                tracer._writer.put(("start", _run(tracer, i), time.time(), None))
            wait_until(lambda: bool(caplog.messages))
            server.start()
            assert tracer.flush(20)
        assert 0 < tracer.dropped <= 250
        found = log.recent(n=1_000)
        assert len(found) == 300 - tracer.dropped
        assert len([message for message in caplog.messages if "cannot be written" in message]) == 1


def _run(tracer: EventTracer, i: int) -> Run:
    run = tracer._enter(UUID(int=i), None)
    run.kind = "node"
    return run


AT_EXIT = """
import sys
from uuid import uuid4
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.runs import Run
from langchain_agentmem.events.tracer import EventTracer
tracer = EventTracer(EventLog(sys.argv[1], prefix="exit"))
for _ in range(1000):
    tracer.on_chain_start({}, {}, run_id=uuid4(), name="last", metadata={"thread_id": "t"})
"""


def test_what_is_in_the_queue_at_the_end_of_the_process_is_written(plain_url: str, plain: Connection) -> None:
    subprocess.run([sys.executable, "-W", "error", "-c", AT_EXIT, plain_url], check=True)
    assert len(EventLog(plain, prefix="exit").recent("t", 2_000)) >= 1_000


@pytest.mark.filterwarnings("ignore:This process.*fork:DeprecationWarning")  # the forking is the point
def test_a_forked_child_writes_its_own_events_only(plain: Connection) -> None:
    log = EventLog(plain, max_events=10_000)
    tracer = EventTracer(log)
    stop = threading.Event()

    def write(who: str, n: int) -> None:
        for i in range(n):
            tracer._writer.put(("start", _named(tracer, who, i), time.time(), None))

    def busy() -> None:
        while not stop.is_set():
            write("parent", 10)
            time.sleep(0.001)

    parent = threading.Thread(target=busy)
    parent.start()
    try:
        context = multiprocessing.get_context("fork")
        children = [context.Process(target=_child, args=(tracer, f"child{i}")) for i in range(3)]
        for child in children:
            child.start()
        for child in children:
            child.join(20)
            assert child.exitcode == 0
    finally:
        stop.set()
        parent.join()
    assert tracer.flush()
    found = list(log.replay("t"))
    assert len({event.id for event in found}) == len(found)
    for i in range(3):
        assert len([event for event in found if event.name == f"child{i}"]) == 100


def _child(tracer: EventTracer, name: str) -> None:
    for i in range(100):
        tracer._writer.put(("start", _named(tracer, name, i), time.time(), None))
    os._exit(0 if tracer.flush(10) and tracer.dropped == 0 else 1)


def _named(tracer: EventTracer, name: str, i: int) -> Run:
    run = _run(tracer, i)
    run.name, run.metadata = name, {"thread_id": "t"}
    return run


def test_a_retried_parcel_is_written_once(plain: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    log = EventLog(plain)
    send, fail = log.send, iter([True, True, False])

    def lossy(commands: object) -> None:
        send(commands)  # type: ignore[arg-type]
        if next(fail):
            raise ConnectionError("the answer was lost")

    monkeypatch.setattr(log, "send", lossy)
    tracer = EventTracer(log)
    tracer._writer.put(("start", _named(tracer, "once", 1), time.time(), None))
    assert tracer.flush()
    assert [event.name for event in log.recent("t")] == ["once"]
    assert tracer.dropped == 0


def test_events_have_ids_of_their_own_in_every_process() -> None:
    ids = {Event(kind="k").id for _ in range(1_000)}
    assert len(ids) == 1_000
    assert len({each.split("-")[0] for each in ids}) == 1
