"""`Worker`: promotes what is due, several threads at a time, until it is told to stop."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Self
from uuid import uuid4

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.streams import Patience
from langchain_agentmem.promotion.batch import Extracts
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.health import Health, Tally
from langchain_agentmem.promotion.jobs import Job
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.promoting import Promoter, Promotion, PromotionReport, apromote_all
from langchain_agentmem.promotion.stats import OutboxStats
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import LOST_CONNECTION, REDIS_ERRORS

_WAIT = 1.0  # seconds that one look for jobs waits at the server: a stop is noticed that soon
_MINUTE, _NEVER = 60.0, float("inf")

_log = logging.getLogger(__name__)


class Worker:
    """Promotes what is due in an outbox: several threads at a time, each thread's turns in order.

    ```python
    async with Worker(outbox, extractor):   # in the process of the agent; ends when its running jobs have ended
        ...
    await Worker(outbox, extractor).arun(stop)   # a process of its own
    Worker(outbox, extractor).promote_pending()  # once, in a notebook or from cron
    ```

    Any number of workers may run, in any number of processes. The jobs of one that died are taken over as soon as its
    lease has run out, and go on from the last step that was stored.

    Args:
        outbox: What waits.
        extractor: What turns a batch into memories.
        concurrency: Threads that are promoted at the same time.
        name: A name that no other worker has; by default made of host and process.
        events: An event log that is told of each promotion, in the background.
        budget: By whose prices the events tell the cost.
        on_progress: Called with the worker's health after each promotion, and about every second.
        grace: Seconds for which running jobs may go on after a stop. What is not done then goes back untouched. Without
            meaning for `promote_pending`, which nobody stops.

    Raises:
        InvalidInputError: A number is too small.
    """

    def __init__(
        self,
        outbox: Outbox,
        extractor: Extracts[Any],
        *,
        concurrency: int = 10,
        name: str | None = None,
        events: EventLog | None = None,
        budget: Budget | None = None,
        on_progress: Callable[[Health], object] | None = None,
        grace: float = 30.0,
    ) -> None:
        if concurrency < 1 or grace < 0:
            raise InvalidInputError("concurrency, grace: at least one thread at a time, and no negative time")
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{uuid4().hex[:8]}"
        self._outbox, self._jobs = outbox, outbox.jobs
        self._promoter = Promoter(outbox.jobs, extractor, events=events, budget=budget)
        self._concurrency, self._grace = concurrency, grace
        self._on_progress = on_progress or (lambda _: None)
        self._tally = Tally()
        self._running: set[asyncio.Task[None]] = set()
        self._broken: BaseException | None = None  # not of a promotion, but of the worker itself: it ends by it
        self._stop: asyncio.Event | None = None
        self._main: asyncio.Task[None] | None = None

    # --- once

    async def apromote_pending(self) -> PromotionReport:
        """Promote all that waits now, due or not, and return. What fails is tried again when it is due.

        The sync colour promotes one thread after the other, whatever the `concurrency`.
        """
        self._tally.looked()
        return await apromote_all(self._jobs, self._promoter, self.name, self._concurrency, self._note)

    promote_pending = sync_of(apromote_pending)

    # --- until it is told to stop

    async def arun(self, stop: asyncio.Event | None = None) -> None:
        """Promote until `stop` is set or `adrain` is called; then end the running jobs and take no new ones.

        A server that is away is waited for; one that only refuses, as in a failover, for a minute.
        """
        self._stop = stop or asyncio.Event()
        self._tally.looked()
        away, refusing = Patience(_NEVER), Patience(_MINUTE)
        try:
            while not self._stop.is_set():
                try:
                    await self._look()
                    away.answered()
                    refusing.answered()
                except REDIS_ERRORS as error:
                    await (away if isinstance(error, LOST_CONNECTION) else refusing).failed(error)
        finally:
            await self._end()

    async def adrain(self) -> None:
        """Stop: take no new jobs, and return when the running ones have ended."""
        if self._stop is not None:
            self._stop.set()
        if self._main is not None:
            main, self._main = self._main, None
            await main

    async def __aenter__(self) -> Self:
        self._stop = asyncio.Event()
        self._main = asyncio.create_task(self.arun(self._stop))
        self._main.add_done_callback(_log_fault)
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.adrain()

    # --- how it is doing

    def health(self) -> Health:
        """How it is doing, without a round trip; its `str()` is one line, for probes and logs."""
        return self._tally.health(self.name, len(self._running))

    async def astats(self) -> OutboxStats:
        """What waits in the outbox, and what has become of all that was ever taken."""
        return await self._outbox.astats()

    stats = sync_of(astats)

    # --- the loop

    async def _look(self) -> None:
        """Hand over what is due, and take up as many jobs as there is room for."""
        if self._broken is not None:
            raise self._broken
        if self._tally.stats_are_old():
            self._tally.stats = await self._outbox.astats()
            self._on_progress(self.health())
        scheduled = await self._jobs.aschedule()
        room = self._concurrency - len(self._running)
        if not room:
            await asyncio.wait(self._running, timeout=_WAIT, return_when=asyncio.FIRST_COMPLETED)
        else:
            wait = _WAIT if scheduled.next_due is None else min(_WAIT, scheduled.next_due)
            for job in await self._jobs.aclaim(self.name, room, max(wait, 0.001)):
                task = asyncio.create_task(self._work(job))
                self._running.add(task)
                task.add_done_callback(self._ended)
        self._tally.looked()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._broken = error

    async def _work(self, job: Job) -> None:
        try:
            if lease := await self._jobs.alease(job, self.name):
                try:
                    self._note(await self._promoter.apromote(lease))
                except asyncio.CancelledError:  # the end of the worker's grace
                    await self._jobs.arelease(lease)
                    raise
        except REDIS_ERRORS as error:  # when the lease has run out, this worker or another takes the job up again
            _log.warning("a promotion lost its server (%s); it goes on when the server is back", type(error).__name__)

    def _note(self, promotion: Promotion) -> None:
        self._tally.looked()
        self._tally.note(promotion)
        self._on_progress(self.health())

    async def _end(self) -> None:
        """Wait for what runs, as long as the grace allows or until this is cancelled; what is late goes back."""
        try:
            if self._running:
                await asyncio.wait(self._running, timeout=self._grace)
        finally:
            late = [*self._running]
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
            with suppress(*LOST_CONNECTION):  # its name then stays in the group until another worker clears it away
                await self._jobs.aleave(self.name)


def _log_fault(main: asyncio.Task[None]) -> None:
    """Say at once what ended a worker in the background: who waits for it learns of it only at the end."""
    if not main.cancelled() and (error := main.exception()) is not None:
        _log.error("a worker ended: %s", type(error).__name__, exc_info=error)
