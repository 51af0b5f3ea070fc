"""What waits in an outbox, and what has become of all that it ever took."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_STATS = Script("outbox_stats")


@dataclass(frozen=True, slots=True)
class OutboxStats:
    """The state of an outbox, and its counters since it exists.

    Attributes:
        waiting: Turns that are not promoted yet.
        threads: Threads that wait until they are due: for quiet, for another attempt, for the next day's budget.
        due: Threads that are due and wait for a worker.
        running: Threads that a worker has.
        lag: Seconds for which the thread that is due longest has waited for a worker; 0 if none has.
        dead_letters: Letters that wait to be replayed or discarded.
        taken: Turns ever taken.
        promoted: Turns whose memories are stored.
        batches: Batches that they were promoted in.
        dead: Turns ever given up.
        replayed: Turns that were given another chance after that.
        failed: Attempts that failed.
        deferred: Batches that had to wait for the next day's budget.
        calls: Model calls.
        model_errors: Model calls that failed.
        input_tokens: Tokens that models read.
        output_tokens: Tokens that they wrote.
        cost: What that cost, by the prices that the budget was given.
    """

    waiting: int
    threads: int
    due: int
    running: int
    lag: float
    dead_letters: int
    taken: int
    promoted: int
    batches: int
    dead: int
    replayed: int
    failed: int
    deferred: int
    calls: int
    model_errors: int
    input_tokens: int
    output_tokens: int
    cost: float


_COUNTERS = (
    *("waiting", "taken", "promoted", "batches", "dead", "replayed", "failed", "deferred"),
    *("calls", "model_errors", "input_tokens", "output_tokens"),
)


def ask(keys: Keys, settings: str) -> Sequence[Command]:
    """The commands whose replies `read` reads."""
    return _STATS([keys.outbox()], [settings]), ("HMGET", keys.outbox_stats(), "cost", *_COUNTERS)


def read(replies: Sequence[Any]) -> OutboxStats:
    """The answer to `ask`."""
    (threads, due, running, ms, letters), (cost, *counters) = replies
    counted = {name: int(number or 0) for name, number in zip(_COUNTERS, counters, strict=True)}
    now = {"threads": threads, "due": due, "running": running, "dead_letters": letters}
    return OutboxStats(**now, **counted, lag=ms / 1000, cost=float(cost or 0))
