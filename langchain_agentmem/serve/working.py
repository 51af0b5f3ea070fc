"""Runs a worker until it is told to stop: signals, what it notes of itself for probes, and what it shows."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from contextlib import suppress

from langchain_agentmem.promotion.health import Health
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.serve.heartbeats import Heartbeats
from langchain_agentmem.wire.connection import REDIS_ERRORS

_ENDINGS = (signal.SIGTERM, signal.SIGINT)
_BEAT = 2.0  # seconds between two notes
_PUSH = 1.0  # seconds until a worker that was told to stop at once is told so again

Say = Callable[[str], object]


async def run_worker(worker: Worker, heartbeats: Heartbeats, say: Say) -> int:
    """Run a worker until SIGTERM or SIGINT: then it ends what it has begun. A second signal ends it at once.

    Ending at once loses nothing: its jobs go back untouched, or are taken over when their leases have run out.

    Args:
        worker: The worker.
        heartbeats: Where it notes how it is doing.
        say: Told of the signals, in words.

    Returns:
        The exit code: 0, or 128 and the signal's number where it did not end in order.
    """
    ending = _Ending(worker, say)
    loop = asyncio.get_running_loop()
    for number in _ENDINGS:
        loop.add_signal_handler(number, ending.signalled, number)
    noting = asyncio.create_task(_note(worker, heartbeats))
    try:
        return await ending.wait()
    finally:
        noting.cancel()
        with suppress(asyncio.CancelledError):
            await noting
        with suppress(*REDIS_ERRORS):
            await heartbeats.aleave(worker.name)
        for number in _ENDINGS:
            loop.remove_signal_handler(number)


class _Ending:
    def __init__(self, worker: Worker, say: Say) -> None:
        self._stop, self._say, self._forced = asyncio.Event(), say, 0
        self._task = asyncio.create_task(worker.arun(self._stop))

    def signalled(self, number: int) -> None:
        if not self._stop.is_set():
            self._say("stopping: running promotions end first; once more to stop at once")
            self._stop.set()
        elif not self._forced:
            self._say("stopping at once: what was running will be taken up again")
            self._forced = 128 + number
            self._push()

    def _push(self) -> None:
        """The first push takes it out of its waiting for jobs, or for what it has begun; then the second does."""
        self._task.cancel()
        asyncio.get_running_loop().call_later(_PUSH, self._task.cancel)

    async def wait(self) -> int:
        try:
            await self._task
        except asyncio.CancelledError:
            if not self._forced:
                raise
        return self._forced


async def _note(worker: Worker, heartbeats: Heartbeats) -> None:
    while True:
        with suppress(*REDIS_ERRORS):  # a probe will see that nothing was noted
            await heartbeats.anote(worker.health())
        await asyncio.sleep(_BEAT)


class Reporter:
    """Shows a worker's health: as one line that changes on a terminal, else a line when something has changed.

    Args:
        show: Shows it.
        every: Seconds between two lines at least.
        clock: What time it is, in seconds.
    """

    def __init__(self, show: Callable[[Health], object], every: float, clock: Callable[[], float]) -> None:
        self._show, self._every, self._clock = show, every, clock
        self._last: Health | None = None
        self._at = float("-inf")

    def __call__(self, health: Health) -> None:
        """It is doing so."""
        if health != self._last and self._clock() - self._at >= self._every:
            self._last, self._at = health, self._clock()
            self._show(health)
