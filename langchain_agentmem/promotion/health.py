"""How a worker is doing, as it knows itself."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass

from langchain_agentmem.promotion.promoting import Promotion
from langchain_agentmem.promotion.stats import OutboxStats

_STALE = 10.0  # seconds without a look for jobs after which a worker counts as stuck
_MINUTE = 60.0  # over which the rate is taken
_ASK_AGAIN = 1.0  # seconds after which the state of the outbox is old


@dataclass(frozen=True, slots=True)
class Health:
    """How a worker is doing, as it knows itself: asking costs no round trip.

    Attributes:
        name: The worker's name.
        alive: Whether it has looked for jobs, or been told by the server that there is none, in the last seconds.
        running: Threads that it promotes right now.
        promoted: Turns whose memories it stored.
        memories: Memories that it added or changed.
        failed: Attempts that failed.
        deferred: Batches that had to wait for the next day's budget.
        dead: Turns that it gave up.
        rate: Turns promoted each second, over the last minute.
        waiting: Turns that wait in the outbox.
        pending: Threads that are due or being promoted, by any worker.
        lag: Seconds for which the thread that is due longest has waited for a worker.
        last_error: The last attempt's error, by its class.
    """

    name: str
    alive: bool
    running: int
    promoted: int
    memories: int
    failed: int
    deferred: int
    dead: int
    rate: float
    waiting: int
    pending: int
    lag: float
    last_error: str | None

    def __str__(self) -> str:
        state = "ok" if self.alive else "stuck"
        return (
            f"{state} worker={self.name} running={self.running} promoted={self.promoted} memories={self.memories}"
            f" failed={self.failed} deferred={self.deferred} dead={self.dead} rate={self.rate:.1f}/s"
            f" waiting={self.waiting} pending={self.pending} lag={self.lag:.1f}s"
        )


class Tally:
    """What a worker counts of its own doing.

    Attributes:
        stats: What the server said last about the outbox.
    """

    def __init__(self) -> None:
        self.stats: OutboxStats | None = None
        self._asked = self._seen = 0.0
        self._promoted = self._memories = self._failed = self._deferred = self._dead = 0
        self._last_error: str | None = None
        self._recent: deque[tuple[float, int]] = deque()
        self._since = time.monotonic()

    def stats_are_old(self) -> bool:
        """Whether it is time to ask the server again; says so once."""
        old = time.monotonic() - self._asked >= _ASK_AGAIN
        if old:
            self._asked = time.monotonic()
        return old

    def looked(self) -> None:
        """The worker has looked for jobs."""
        self._seen = time.monotonic()

    def note(self, promotion: Promotion) -> None:
        """A promotion has ended."""
        turns = len(promotion.batch.turns)
        match promotion.outcome:
            case "done":
                self._promoted += turns
                self._memories += len({change.id for change in promotion.changes if change.id})
                self._recent.append((time.monotonic(), turns))
            case "retry" | "alone":
                self._failed += 1
            case "deferred":
                self._deferred += 1
            case "dead":
                self._failed += 1
                self._dead += turns
        if promotion.error is not None:
            self._last_error = type(promotion.error).__name__

    def health(self, name: str, running: int) -> Health:
        """All of it."""
        now, stats = time.monotonic(), self.stats
        while self._recent and now - self._recent[0][0] > _MINUTE:
            self._recent.popleft()
        seconds = max(1.0, min(_MINUTE, now - self._since))
        return Health(
            name=name,
            alive=now - self._seen < _STALE,
            running=running,
            promoted=self._promoted,
            memories=self._memories,
            failed=self._failed,
            deferred=self._deferred,
            dead=self._dead,
            rate=sum(turns for _, turns in self._recent) / seconds,
            waiting=stats.waiting if stats else 0,
            pending=stats.due + stats.running if stats else 0,
            lag=stats.lag if stats else 0.0,
            last_error=self._last_error,
        )
