"""Workers promote what is due, side by side, keep what they hold, and end when they are told to."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion import worker as module
from langchain_agentmem.promotion.batch import Batch
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.health import Health
from langchain_agentmem.promotion.outbox import Forgotten, Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.promotion.scribe import ANN, Call, Scribe, aheld, bank_on, said
from tests.promotion.steps import QUICK, atake
from tests.servers import serving


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers notice a stop soon."""
    monkeypatch.setattr(module, "_WAIT", 0.1)


@pytest.fixture
def bank(plain: Connection) -> MemoryBank:
    return bank_on(plain)


async def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it never came to pass"
        await asyncio.sleep(0.01)


async def drained(outbox: Outbox) -> None:
    """Wait until nothing waits."""
    async with asyncio.timeout(300):
        while (await outbox.astats()).waiting:  # noqa: ASYNC110 - it is the server that knows
            await asyncio.sleep(0.02)


# --- once, in either colour


def test_all_that_waits_is_promoted(plain: Connection, bank: MemoryBank, call: Call) -> None:
    outbox, scribe = Outbox(plain, quiet=600, batch_turns=2), Scribe(bank)
    outbox.add("t", said(*"abcde"), ANN, "x@1")
    outbox.add("u", said("f"), Scope("bob"), "x@1")
    report = call(Worker(outbox, scribe).apromote_pending())
    assert (report.promoted, report.memories, report.failed, report.dead, report.errors) == (6, 6, 0, 0, [])
    assert call(aheld(bank)) == dict.fromkeys("abcde", 1)
    assert call(aheld(bank, Scope("bob"))) == {"f": 1}
    assert sorted(scribe.batches) == [["a", "b"], ["c", "d"], ["e"], ["f"]]
    assert call(Worker(outbox, scribe).apromote_pending()).promoted == 0


def test_what_fails_is_tried_once_and_waits(outbox: Outbox, bank: MemoryBank, call: Call) -> None:
    errors: list[Exception] = [ValueError("model down")]

    def fails(batch: Batch) -> None:
        if batch.thread_id == "t" and errors:
            raise errors[0]

    worker = Worker(outbox, Scribe(bank, fails))
    outbox.add("t", said("a"), ANN, "x@1")
    outbox.add("u", said("b"), ANN, "x@1")
    report = call(worker.apromote_pending())
    assert (report.promoted, report.failed, report.errors) == (1, 1, errors)
    assert outbox.stats().waiting == 1
    errors.clear()
    assert call(worker.apromote_pending()).promoted == 1
    assert call(aheld(bank)) == {"a": 1, "b": 1}


def test_a_drain_tells_how_it_is_going(outbox: Outbox, bank: MemoryBank, call: Call) -> None:
    told = list[Health]()
    for thread in "tuv":
        outbox.add(thread, said(thread), ANN, "x@1")
    call(Worker(outbox, Scribe(bank), on_progress=told.append).apromote_pending())
    assert [(health.promoted, health.alive) for health in told] == [(1, True), (2, True), (3, True)]


@pytest.mark.parametrize("concurrency", [1, 2])
async def test_a_drain_promotes_so_many_threads_side_by_side(
    outbox: Outbox, bank: MemoryBank, concurrency: int
) -> None:
    scribe, most, now = Scribe(bank), 0, set[str]()

    class Watched(Scribe):
        async def aplan(self, batch: Batch) -> Any:
            nonlocal most
            now.add(batch.thread_id)
            most = max(most, len(now))
            await asyncio.sleep(0.02)
            now.discard(batch.thread_id)
            return await scribe.aplan(batch)

    for thread in "tuv":
        await outbox.aadd(thread, said(thread), ANN, "x@1")
    await Worker(outbox, Watched(bank), concurrency=concurrency).apromote_pending()
    assert (most, len(scribe.batches)) == (concurrency, 3)


def test_what_comes_meanwhile_does_not_keep_it_from_ending(plain: Connection, bank: MemoryBank) -> None:
    outbox, scribe = Outbox(plain, quiet=600), Scribe(bank)
    names_ = [f"m{i}" for i in range(3)]

    async def chatter() -> None:
        names_.append(f"m{len(names_)}")
        await outbox.aadd("t", said(*names_), ANN, "x@1")
        scribe.meanwhile = chatter

    outbox.add("t", said(*names_), ANN, "x@1")
    scribe.meanwhile = chatter
    time.sleep(0.01)
    assert Worker(outbox, scribe).promote_pending().promoted >= 3
    assert outbox.stats().waiting >= 1


# --- in the background


async def test_a_worker_promotes_what_is_due(plain: Connection, bank: MemoryBank) -> None:
    outbox, told = Outbox(plain, **QUICK | {"quiet": 0.05}), list[Health]()
    async with Worker(outbox, Scribe(bank), on_progress=told.append, name="ann's") as worker:
        for n in (1, 2, 3):
            await outbox.aadd("t", said(*"abc"[:n]), ANN, "x@1")
        await until(lambda: worker.health().promoted == 3)
        health = worker.health()
    assert await aheld(bank) == dict.fromkeys("abc", 1)
    assert told
    assert (health.name, health.alive, health.memories, health.failed) == ("ann's", True, 3, 0)
    assert health.rate > 0
    assert str(health).startswith("ok worker=ann's ")
    assert (await worker.astats()).promoted == 3
    assert not Worker(outbox, Scribe(bank)).health().alive


async def test_threads_are_promoted_side_by_side_and_each_in_order(plain: Connection, bank: MemoryBank) -> None:
    outbox, scribe = Outbox(plain, **QUICK | {"batch_turns": 1}), Scribe(bank, seconds=0.02)
    for thread in range(10):
        await outbox.aadd(f"{thread}", said(*(f"{thread}.{i}" for i in range(3))), ANN, "x@1")
    async with Worker(outbox, scribe, concurrency=10):
        await drained(outbox)
    for thread in range(10):
        mine = [batch for batch in scribe.batches if batch[0].startswith(f"{thread}.")]
        assert mine == [[f"{thread}.{i}"] for i in range(3)]
    assert scribe.batches[:10] != sorted(scribe.batches)[:10]


async def test_a_stopped_worker_ends_its_jobs_and_takes_no_new_ones(outbox: Outbox, bank: MemoryBank) -> None:
    scribe, stop = Scribe(bank, seconds=0.3), asyncio.Event()
    await outbox.aadd("t", said("a"), ANN, "x@1")
    worker = Worker(outbox, scribe, concurrency=1)
    main = asyncio.create_task(worker.arun(stop))
    await until(lambda: worker.health().running == 1)
    stop.set()
    await outbox.aadd("u", said("b"), ANN, "x@1")
    await main
    assert await aheld(bank) == {"a": 1}
    stats = await outbox.astats()
    assert (stats.waiting, stats.running) == (1, 0)


async def test_what_is_not_done_within_the_grace_goes_back_untouched(outbox: Outbox, bank: MemoryBank) -> None:
    await outbox.aadd("t", said("a"), ANN, "x@1")
    async with Worker(outbox, Scribe(bank, seconds=60), grace=0.05) as worker:
        await until(lambda: worker.health().running == 1)
        await until(lambda: run(outbox.astats()).running == 1)
    assert await aheld(bank) == {}
    (lease,) = await atake(outbox, "next")  # at once: nobody waits for its lease to run out
    assert lease.attempt == 1


async def test_a_long_promotion_keeps_its_thread(plain: Connection, bank: MemoryBank) -> None:
    outbox = Outbox(plain, **QUICK | {"lease": 0.3})
    first, second = Scribe(bank, seconds=1.0), Scribe(bank)
    await outbox.aadd("t", said("a"), ANN, "x@1")
    async with Worker(outbox, first):
        await until(lambda: bool(first.batches))
        async with Worker(outbox, second):
            await drained(outbox)
    assert (first.batches, second.batches) == ([["a"]], [])


async def test_what_a_dead_worker_held_is_taken_over(plain: Connection, bank: MemoryBank) -> None:
    outbox = Outbox(plain, **QUICK | {"lease": 0.1})
    for thread in "tu":
        await outbox.aadd(thread, said(thread), ANN, "x@1")
    claimed = await outbox.jobs.aclaim("dead", 2)
    assert await outbox.jobs.alease(claimed[0], "dead")  # one leased, one only claimed
    async with Worker(outbox, Scribe(bank)):
        await drained(outbox)
    assert await aheld(bank) == {"t": 1, "u": 1}
    assert (await outbox.astats()).dead == 0


async def test_nothing_is_made_of_what_is_forgotten(plain: Connection, bank: MemoryBank) -> None:
    outbox, scribe = Outbox(plain, **QUICK | {"lease": 0.3}), Scribe(bank, seconds=60)
    await outbox.aadd("t", said("a"), ANN, "x@1")
    async with Worker(outbox, scribe) as worker:
        await until(lambda: bool(scribe.batches))
        assert await outbox.aforget(["t"]) == Forgotten(1, 1, 0)
        await until(lambda: worker.health().running == 0)
        scribe.seconds = 0
        await outbox.aadd("u", said("b"), ANN, "x@1")
        await drained(outbox)
    assert await aheld(bank) == {"b": 1}


async def test_a_worker_outlives_its_server() -> None:
    with serving("--appendonly", "yes", "--appendfsync", "always") as server, Connection(server.url) as redis:
        outbox, bank = Outbox(redis, **QUICK | {"lease": 0.2}), bank_on(redis)
        await outbox.aadd("t", said("a"), ANN, "x@1")
        async with Worker(outbox, Scribe(bank)) as worker:
            await until(lambda: worker.health().promoted == 1)
            server.kill()
            await asyncio.sleep(0.3)
            server.start()
            await outbox.aadd("t", said("a", "b"), ANN, "x@1")
            await drained(outbox)
        assert await aheld(bank) == {"a": 1, "b": 1}


async def test_a_fault_of_its_own_ends_a_worker_loudly(outbox: Outbox, bank: MemoryBank) -> None:
    def broken(health: Health) -> None:
        if health.promoted:
            raise ZeroDivisionError

    await outbox.aadd("t", said("a"), ANN, "x@1")
    with pytest.raises(ZeroDivisionError):
        await asyncio.wait_for(Worker(outbox, Scribe(bank), on_progress=broken).arun(), 20)


async def test_a_server_that_refuses_for_a_while_is_waited_for(outbox: Outbox, bank: MemoryBank) -> None:
    redis = outbox._redis
    await outbox.aadd("t", said("a"), ANN, "x@1")
    await redis.send(("CONFIG", "SET", "maxmemory", "1"))  # it refuses whatever takes memory
    try:
        async with Worker(outbox, Scribe(bank)) as worker:
            await asyncio.sleep(0.3)
            assert worker.health().promoted == 0
            await redis.send(("CONFIG", "SET", "maxmemory", "0"))
            await drained(outbox)
    finally:
        await redis.send(("CONFIG", "SET", "maxmemory", "0"))
    assert await aheld(bank) == {"a": 1}


async def test_what_ends_a_worker_in_the_background_is_said_at_once(
    outbox: Outbox, bank: MemoryBank, caplog: pytest.LogCaptureFixture
) -> None:
    worker = await Worker(outbox, Scribe(bank), on_progress=lambda _: 1 / 0).__aenter__()
    await until(lambda: bool(caplog.records))
    assert "ZeroDivisionError" in caplog.text
    with pytest.raises(ZeroDivisionError):
        await worker.adrain()


def test_settings_are_checked(outbox: Outbox, bank: MemoryBank) -> None:
    with pytest.raises(InvalidInputError, match="concurrency"):
        Worker(outbox, Scribe(bank), concurrency=0)


# --- what it tells


def test_events_tell_of_promotions(plain: Connection, bank: MemoryBank, call: Call) -> None:
    events, outbox = EventLog(plain), Outbox(plain, **QUICK)
    budget = Budget(plain, input_price=2.0, output_price=10.0)
    failing = [True]

    def fails(batch: Batch) -> None:
        if failing:
            raise ValueError("password=hunter22")

    worker = Worker(outbox, Scribe(bank, fails), events=events, budget=budget)
    outbox.add("t", said("a", "b"), ANN, "x@1")
    call(worker.apromote_pending())
    failing.clear()
    call(worker.apromote_pending())
    events.flush()
    failed, promoted, done = events.recent("t")
    assert (failed.kind, failed.status, failed.error_type, failed.attempt) == ("promotion", "error", "ValueError", 1)
    assert failed.error == "password=***"
    assert failed.data["outcome"] == "retry"
    assert (promoted.kind, len(promoted.data["memories"])) == ("memory.promoted", 2)
    assert (done.status, done.input_tokens, done.output_tokens, done.attempt) == ("ok", 100, 10, 2)
    assert done.data == {
        "outcome": "done",
        "turns": 2,
        "strategies": ["x@1"],
        "memories": 2,
        "calls": 1,
        "cost": 0.0003,
    }


# --- budgets


class Thrifty(Scribe):
    """Sets each batch's call aside before it plans."""

    def __init__(self, bank: MemoryBank, budget: Budget) -> None:
        super().__init__(bank)
        self.budget = budget

    async def aplan(self, batch: Batch) -> Any:
        reserved = await self.budget.areserve(batch.scope, 110)
        plan = await super().aplan(batch)
        await self.budget.asettle(reserved, plan.usage)
        return plan


def test_what_is_over_budget_waits_for_the_next_day(outbox: Outbox, bank: MemoryBank, call: Call) -> None:
    now = [datetime.now(UTC)]
    budget = Budget(outbox._redis, calls=1, clock=lambda: now[0])
    worker = Worker(outbox, Thrifty(bank, budget))
    for thread in "tu":
        outbox.add(thread, said(thread), ANN, "x@1")
    outbox.add("v", said("v"), Scope("bob"), "x@1")
    report = call(worker.apromote_pending())
    assert (report.promoted, report.deferred, report.failed) == (2, 1, 0)
    midnight = datetime.combine(now[0].date() + timedelta(days=1), datetime.min.time(), UTC)
    scheduled = call(outbox.jobs.aschedule())
    assert scheduled.next_due == pytest.approx((midnight - datetime.now(UTC)).total_seconds(), abs=5)
    now[0] = midnight
    outbox.add("w", said("w"), Scope("bob"), "x@1")  # which does not bring the other thread forward
    assert call(worker.apromote_pending()).promoted == 2
    assert call(aheld(bank)) == {"t": 1, "u": 1}
    stats = outbox.stats()
    assert (stats.deferred, stats.failed, stats.calls, stats.input_tokens) == (1, 0, 4, 400)


# --- all at once


def load(n_threads: int, n_turns: int, seed: int) -> Callable[[str], None]:
    """20 workers, whose model fails at random, and always for some turns: these alone become dead letters."""

    async def scene(url: str) -> None:
        draw, poisoned = random.Random(seed), {f"{thread}.{1}" for thread in range(0, n_threads, 20)}
        lock = threading.Lock()

        def fails(batch: Batch) -> None:
            with lock:
                unlucky = draw.random() < 0.15
            if unlucky or any(turn.id in poisoned for turn in batch.turns):
                raise TimeoutError("the model did not answer")

        redis = Connection(url)
        outbox = Outbox(redis, **QUICK | {"backoff": 0.002, "max_attempts": 8, "max_backoff": 0.01})
        bank = bank_on(redis)
        workers = [Worker(outbox, Scribe(bank, fails, 0.001), concurrency=10) for _ in range(20)]
        running = [await worker.__aenter__() for worker in workers]
        scopes = [Scope(f"user{thread}") for thread in range(n_threads)]
        for n in range(1, n_turns + 1):
            for thread in draw.sample(range(n_threads), n_threads):
                turns = said(*(f"{thread}.{i}" for i in range(n)))
                await outbox.aadd(f"{thread}", turns, scopes[thread], "x@1")
        await drained(outbox)
        for worker in running:
            await worker.adrain()
        held: Counter[str] = Counter()
        for scope in scopes:
            held.update(await aheld(bank, scope))
        letters = await outbox.adead(10_000)
        stats = await outbox.astats()
        everything = {f"{thread}.{i}" for thread in range(n_threads) for i in range(n_turns)}
        assert {turn.id for letter in letters for turn in letter.turns} == poisoned
        assert held == Counter(everything - poisoned)
        assert (stats.taken, stats.promoted, stats.dead) == (len(everything), len(held), len(poisoned))
        await redis.aclose()

    return lambda url: asyncio.run(scene(url))


def test_many_workers_promote_each_turn_once(plain_url: str, plain: Connection) -> None:
    load(n_threads=40, n_turns=10, seed=1)(plain_url)
