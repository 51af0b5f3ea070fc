"""Forgetting, expiry, statistics; and any client, on any topology."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import redis
import redis.asyncio as aioredis

from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.outbox import Forgotten, Outbox
from langchain_agentmem.wire.bridge import either, run
from langchain_agentmem.wire.connection import Connection
from tests.promotion.scribe import ANN, Call, said
from tests.promotion.steps import QUICK, apromoted, atake, conversation, names
from tests.servers import serving_cluster

# --- keeping house


def test_a_thread_is_forgotten(outbox: Outbox, call: Call) -> None:
    for thread in ("t", "u", "v"):
        outbox.add(thread, said("a", "b"), ANN, "x@1")
    (lease, *_) = call(atake(outbox))
    call(outbox.jobs.afinish(lease))
    outbox.add("w", said("a"), Scope("bob"), "x@1")
    assert call(outbox.aforget(["t", "nobody"])).turns == 0  # of t, something was kept as context
    keys = run(outbox._redis.send(("KEYS", "*:t")))[0]
    assert keys == []
    assert call(outbox.aforget(["w"])) == Forgotten(1, 1, 0)
    assert outbox.stats().waiting == 4


def test_a_scope_is_forgotten(plain: Connection, call: Call) -> None:
    outbox, bob = Outbox(plain, **QUICK | {"max_attempts": 1}), Scope("bob")
    outbox.add("dead", said("z"), bob, "x@1")
    (lease,) = call(atake(outbox))
    call(outbox.jobs.afail(lease, ValueError()))
    outbox.add("both", said("a"), ANN, "x@1")
    outbox.add("both", said("a", "b"), bob, "x@1")
    outbox.add("hers", said("c"), bob, "x@1")
    assert call(outbox.aforget(scope=bob)) == Forgotten(3, 2, 1)
    assert outbox.stats().waiting == 1
    assert call(apromoted(outbox)) == ["a"]
    assert "bob" not in repr(run(_everything(plain)))


def test_who_promotes_for_another_scope_goes_on(outbox: Outbox, call: Call) -> None:
    bob = Scope("bob")
    outbox.add("t", said("a"), ANN, "x@1")
    outbox.add("t", said("a", "b"), bob, "x@1")
    (lease,) = call(atake(outbox))
    assert call(outbox.jobs.akeep(lease, b"plan"))
    assert call(outbox.aforget(scope=bob)) == Forgotten(1, 1, 0)
    assert call(outbox.jobs.afinish(lease)) == "done"
    assert outbox.stats().waiting == 0
    assert call(apromoted(outbox)) == []


async def _everything(redis_: Connection) -> list[Any]:
    """Every value on the server, as its bytes are."""
    await redis_.send(("CONFIG", "SET", "rdbcompression", "no"))
    (names_,) = await redis_.send(("KEYS", "*"))
    return [names_, *await redis_.send(*(("DUMP", name) for name in names_))]


def test_a_worker_loses_what_is_forgotten(outbox: Outbox) -> None:
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = run(atake(outbox))

    async def forget_and_go_on() -> tuple[Forgotten, bool, str]:
        forgetting = asyncio.create_task(outbox.aforget(["t"]))
        await asyncio.sleep(0.15)
        assert not forgetting.done()  # waits until the worker knows
        kept = await outbox.jobs.akeep(lease, b"plan")
        return await forgetting, kept, await outbox.jobs.afinish(lease)

    assert asyncio.run(forget_and_go_on()) == (Forgotten(1, 1, 0), False, "lost")
    outbox.add("t", said("a"), ANN, "x@1")
    assert run(outbox.jobs.afinish(lease)) == "lost"  # a hold of old is none of the thread's new life
    assert run(apromoted(outbox)) == ["a"]


def test_only_a_thread_without_waiting_turns_expires(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK, retention=100)
    stem = outbox._keys.outbox()
    kept = [f"{stem}:turns:t", f"{stem}:state:t", f"{stem}:seen:t", outbox._keys.outbox_scope(ANN.path)]

    def lives() -> list[int]:
        return [int(ttl) for ttl in run(plain.send(*(("TTL", key) for key in kept)))]

    outbox.add("t", said("a"), ANN, "x@1")
    assert lives() == [-1] * 4
    run(apromoted(outbox))
    assert all(90 < ttl <= 100 for ttl in lives())
    outbox.add("t", said("a", "b"), ANN, "x@1")
    assert lives() == [-1] * 4


@pytest.mark.parametrize("context", [0, 4])
def test_a_turn_that_comes_in_the_same_moment_is_not_taken_for_done(plain: Connection, context: int) -> None:
    """Ids of a stream are made of the time; here many are made in the same millisecond."""
    outbox = Outbox(plain, **QUICK, context=context)
    for number in range(200):
        outbox.add("t", said(f"m{number}"), ANN, "x@1")
        assert run(apromoted(outbox)) == [f"m{number}"]


def test_the_bytes_of_promoted_turns_are_gone(plain: Connection) -> None:
    outbox = Outbox(plain, **QUICK, context=2)
    outbox.add("t", said(*(f"turn{number}" for number in range(9))), ANN, "x@1")
    run(apromoted(outbox))
    dump = repr(run(_everything(plain)))
    assert "turn8" in dump
    assert "turn6" not in dump


def test_the_statistics_add_up(plain: Connection, call: Call) -> None:
    outbox = Outbox(plain, **QUICK | {"quiet": 60, "max_turns": 2})
    outbox.add("t", said("a"), ANN, "x@1")
    stats = call(outbox.astats())
    assert (stats.waiting, stats.threads, stats.due, stats.running, stats.lag) == (1, 1, 0, 0, 0)
    outbox.add("t", said("a", "b"), ANN, "x@1")
    time.sleep(0.05)
    stats = call(outbox.astats())
    assert (stats.waiting, stats.threads, stats.due, stats.running) == (2, 0, 1, 0)
    assert 0.05 <= stats.lag < 5
    (lease,) = call(atake(outbox))
    stats = call(outbox.astats())
    assert (stats.due, stats.running, stats.lag) == (0, 1, 0)
    call(outbox.jobs.afinish(lease))
    stats = call(outbox.astats())
    assert (stats.waiting, stats.running, stats.taken, stats.promoted, stats.batches) == (0, 0, 2, 2, 1)


def test_names_of_workers_do_not_pile_up(outbox: Outbox) -> None:
    assert run(atake(outbox, "idle")) == []
    outbox.add("t", said("a"), ANN, "x@1")
    (lease,) = run(atake(outbox, "busy"))

    def members() -> set[bytes]:
        reply = run(outbox._redis.send(("XINFO", "CONSUMERS", outbox._keys.outbox_jobs(), "workers")))[0]
        return {worker[1] for worker in reply}

    run(outbox.jobs.aleave("busy"))  # it has a job that somebody must take over
    assert b"busy" in members()
    run(outbox.jobs.afinish(lease))
    run(outbox.jobs.aleave("busy"))
    run(outbox.jobs.aleave("idle"))
    assert members() == set()


# --- any client, any topology

CLIENTS: dict[str, Callable[[str], Any]] = {
    "RESP3": lambda url: f"{url}?protocol=3",
    "text": lambda url: redis.Redis.from_url(url, decode_responses=True),
    "RESP3 text": lambda url: redis.Redis.from_url(url, decode_responses=True, protocol=3),
    "async RESP3 text": lambda url: aioredis.Redis.from_url(url, decode_responses=True, protocol=3),
}


async def alife(outbox: Outbox) -> None:
    """Every operation once."""
    await outbox.aadd("t", conversation(3), ANN, "x@1")
    leases = await atake(outbox)
    assert await outbox.jobs.arenew(leases[0])
    assert await outbox.jobs.akeep(leases[0], b"plan")
    assert await outbox.jobs.afail(leases[0], ValueError("\xe9")) == "dead"
    assert [len(letter.turns) for letter in await outbox.adead()] == [6]
    assert await outbox.areplay() == 6
    jobs = await outbox.jobs.aclaim("w", 10, wait=0.01)
    assert [names(lease) for job in jobs if (lease := await outbox.jobs.alease(job, "gone"))]
    assert (await outbox.astats()).running == 1
    assert await outbox.aforget(["t"]) == Forgotten(1, 6, 0)


@pytest.mark.parametrize("client", CLIENTS)
def test_any_client_will_do(plain_url: str, plain: Connection, client: str, call: Call) -> None:
    source = CLIENTS[client](plain_url)

    async def live() -> None:
        outbox = Outbox(source, **QUICK | {"max_attempts": 1, "lease": 0.05})
        await alife(outbox)
        await either(outbox.close, outbox.aclose)
        if isinstance(source, aioredis.Redis):
            await either(lambda: None, source.aclose)

    call(live())
    if isinstance(source, redis.Redis):
        source.close()


@pytest.fixture(scope="module")
def cluster() -> Iterator[Connection]:
    with serving_cluster(2) as servers, Connection(f"redis+cluster://127.0.0.1:{servers[0].port}") as connection:
        yield connection


@pytest.mark.parametrize("tenant", ["a", "b", "c"])
def test_a_cluster_will_do(cluster: Connection, tenant: str, call: Call) -> None:
    outbox = Outbox(cluster, tenant=f"{tenant}{call.__module__}", **QUICK | {"max_attempts": 1, "lease": 0.05})
    call(alife(outbox))
