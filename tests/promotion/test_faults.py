"""Kill -9 of a worker at every step of a promotion: after a restart, exactly the memories that there are without."""

from __future__ import annotations

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion import worker as module
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from tests.promotion.mortal import POINTS, SETTINGS, work
from tests.promotion.scribe import ANN, bank_on, said

KINDS = ("scribe", "verbatim")
Hit = Callable[..., int]
State = list[tuple[Any, ...]]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers notice soon that there is something to do, or nothing."""
    monkeypatch.setattr(module, "_WAIT", 0.05)


@pytest.fixture(scope="module")
def hit(plain_url: str) -> Iterator[Hit]:
    """Runs a worker that a signal hits at a point; says by which signal it ended or stopped, 0 if by none."""
    program = [sys.executable, "-m", "tests.promotion.mortal"]
    root = Path(__file__).parents[2]
    with subprocess.Popen(program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root) as mortals:
        orders, answers = mortals.stdin, mortals.stdout
        assert orders
        assert answers

        def order(kind: str, point: str, number: int = signal.SIGKILL) -> int:
            print(json.dumps([plain_url, kind, point, number]), file=orders, flush=True)
            return int(answers.readline())

        yield order
        orders.close()


def fill(redis: Connection) -> Outbox:
    """Two threads, more than one batch each."""
    run(redis.send(("FLUSHALL",)))
    outbox = Outbox(redis, **SETTINGS)
    for thread in ("t", "u"):
        outbox.add(thread, said(*(f"{thread}{i}" for i in range(3))), ANN, "verbatim@1")
    return outbox


def state(redis: Connection) -> State:
    """All that is known of every memory, and what the outbox holds, without what the clock says."""
    memories = bank_on(redis).list(Scope("ann"), limit=100)
    outbox = Outbox(redis).stats()
    known = [
        (each.text, each.kind, each.hits, each.confidence, each.version, each.source, each.sources, each.superseded)
        for each in memories
    ]
    return [*sorted(known, key=repr), (outbox.waiting, outbox.running, outbox.promoted, outbox.dead)]


@pytest.fixture(scope="module")
def undisturbed(plain_url: str) -> dict[str, State]:
    """How it ends when nobody is killed."""
    ends = {}
    for kind in KINDS:
        with Connection(plain_url) as redis:
            fill(redis)
            asyncio.run(work(plain_url, kind, ""))
            ends[kind] = state(redis)
            assert len(ends[kind]) == 7
    return ends


@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_worker_killed(plain_url: str, hit: Hit, undisturbed: dict[str, State], kind: str, point: str) -> None:
    with Connection(plain_url) as redis:
        fill(redis)
        assert hit(kind, point) == signal.SIGKILL
        asyncio.run(work(plain_url, kind, ""))
        assert state(redis) == undisturbed[kind]


@pytest.mark.parametrize("kind", KINDS)
def test_workers_killed_at_each_step_in_turn(
    plain_url: str, hit: Hit, undisturbed: dict[str, State], kind: str
) -> None:
    with Connection(plain_url) as redis:
        outbox = fill(redis)
        deaths = 0
        for point in POINTS:
            deaths += hit(kind, point) == signal.SIGKILL
            if not outbox.stats().waiting:
                break
        assert deaths >= 5
        asyncio.run(work(plain_url, kind, ""))
        assert state(redis) == undisturbed[kind]


@pytest.mark.parametrize("point", ["after lease", "after extract", "before apply", "between changes", "before finish"])
def test_a_worker_that_comes_back_from_the_dead(
    plain_url: str, hit: Hit, undisturbed: dict[str, State], point: str
) -> None:
    """It slept past its lease; another promoted its turns; it goes on as if nothing had been."""
    with Connection(plain_url) as redis:
        fill(redis)
        assert hit("scribe", point, signal.SIGSTOP) == signal.SIGSTOP
        asyncio.run(work(plain_url, "scribe", ""))
        assert hit("scribe", "") == 0
        assert state(redis) == undisturbed["scribe"]
