"""A promotion holds its thread for as long as it takes, wherever it runs: in a worker, a drain or a node of a graph."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.batch import Batch
from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.wire.bridge import either
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from tests.promotion.scribe import ANN, Call, Scribe, aheld, bank_on, said
from tests.promotion.steps import QUICK


class Slow(Scribe):
    """Takes longer than a lease, and has another one look for work meanwhile, when the lease would have run out."""

    def __init__(self, bank: MemoryBank, lease: float, meanwhile: Callable[[], Any]) -> None:
        super().__init__(bank)
        self.names = ["x@1"]
        self._lease, self._look = lease, meanwhile

    async def aplan(self, batch: Batch) -> Any:
        await either(time.sleep, asyncio.sleep, 1.5 * self._lease)
        await either(self._look, lambda: asyncio.to_thread(self._look))
        return await super().aplan(batch)


@pytest.fixture
def bank(plain: Connection) -> MemoryBank:
    return bank_on(plain)


LEASE = 0.6


@pytest.fixture
def outbox(plain: Connection) -> Outbox:
    return Outbox(plain, **QUICK | {"lease": LEASE})


def test_a_drain_keeps_its_thread(outbox: Outbox, bank: MemoryBank, call: Call) -> None:
    other = Scribe(bank)
    slow = Slow(bank, LEASE, Worker(outbox, other).promote_pending)
    outbox.add("t", said("a"), ANN, "x@1")
    assert call(Worker(outbox, slow).apromote_pending()).promoted == 1
    assert (slow.batches, other.batches) == ([["a"]], [])


def test_an_inline_node_keeps_its_thread(outbox: Outbox, bank: MemoryBank, call: Call, plain: Connection) -> None:
    other = Scribe(bank)
    slow: Any = Slow(bank, LEASE, Worker(outbox, other, name="other").promote_pending)
    node = ExtractionNode(outbox, slow, scope=ANN, mode="inline")
    call(node.ainvoke(said("a")))
    assert (slow.batches, other.batches) == ([["a"]], [])
    assert call(aheld(bank)) == {"a": 1}
    workers: Any = plain.client.xinfo_consumers(Keys().outbox_jobs(), "workers")
    assert {worker["name"] for worker in workers} <= {b"other"}  # it leaves no name behind


def test_what_is_forgotten_meanwhile_leaves_no_event_behind(
    plain: Connection, outbox: Outbox, bank: MemoryBank, call: Call
) -> None:
    events = EventLog(plain)
    slow = Slow(bank, LEASE, lambda: outbox.forget(["t"]))
    outbox.add("t", said("a"), ANN, "x@1")
    report = call(Worker(outbox, slow, events=events).apromote_pending())
    assert (report.promoted, report.errors) == (0, [])
    assert call(aheld(bank)) == {}
    events.flush()
    assert events.recent("t") == []
    assert "agentmem-beat" not in {thread.name for thread in threading.enumerate()}
