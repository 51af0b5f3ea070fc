"""`Writer`: a queue that never makes its callers wait, and a thread that empties it in batches.

A thread and not a task, because one writer serves sync code, async code and any number of event loops, and must go on
when a loop is busy or gone.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar
from weakref import WeakSet

from langchain_core.runnables.config import run_in_executor

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.wire.bridge import either

Item = TypeVar("Item")
Parcel = TypeVar("Parcel")

BATCH = 500  # items of one parcel at most
LINGER = 0.05  # seconds for which a first item waits for others: few large batches disturb the callers least
REST = 5.0  # seconds without work after which the thread ends; the next item starts another
PATIENCE = 30.0  # seconds for which one parcel is tried; well within the window in which a repeated append is known
EXIT_PATIENCE = 2.0  # seconds that the end of the process may wait for the queue to empty

_log = logging.getLogger(__name__)
_writers: WeakSet[Writer] = WeakSet()  # type: ignore[type-arg]


class Writer(Generic[Item, Parcel]):
    """Takes items from any thread and sends them on in order.

    When the queue is full the oldest item is dropped and counted: what is happening now is worth more.

    Args:
        pack: Makes a parcel of a batch of items. Called once for a batch.
        send: Sends a parcel, raising what goes wrong. May be called again with a parcel that was sent already.
        capacity: Items that may wait.
    """

    def __init__(
        self, pack: Callable[[Sequence[Item]], Parcel], send: Callable[[Parcel], None], capacity: int = 10_000
    ) -> None:
        self._pack, self._send, self._capacity = pack, send, capacity
        self._renew()
        _writers.add(self)

    def _renew(self) -> None:
        """Start empty: at first, and in a forked child, whose parent still has the items and the thread."""
        self._queue: deque[Item] = deque()
        # Reentrant: the garbage collector may end an abandoned run, which puts an item, in a thread that holds it.
        self._changed = threading.Condition(threading.RLock())
        self._work, self._hurry = threading.Event(), threading.Event()
        self._idle = True
        self._thread: threading.Thread | None = None
        self._in_hand = self._settled = self._dropped = 0
        self._failing = False

    @property
    def dropped(self) -> int:
        """How many items were lost, because the queue was full or the server away for too long."""
        return self._dropped

    def put(self, item: Item) -> None:
        """Take an item. Returns at once and never raises."""
        # Without a lock: a deque's own operations are atomic, and the thread looks again after it said that it is idle.
        if len(self._queue) >= self._capacity:
            self._drop_oldest()
        self._queue.append(item)
        if self._idle:
            self._wake()

    def flush(self, seconds: float = 5.0) -> bool:
        """Wait until all that was put before is sent or lost.

        Returns:
            Whether that came to pass within so many seconds.
        """
        with self._changed:
            target = self._settled + self._in_hand + len(self._queue)
            if self._settled < target:
                self._hurry.set()
            return self._changed.wait_for(lambda: self._settled >= target, seconds)

    async def flushed(self, seconds: float = 5.0) -> bool:
        """`flush` in either colour: it keeps no event loop waiting."""
        return await either(self.flush, self._flush_aside, seconds)

    async def _flush_aside(self, seconds: float) -> bool:
        return await run_in_executor(None, self.flush, seconds)

    def _drop_oldest(self) -> None:
        with self._changed:
            if len(self._queue) >= self._capacity:
                self._queue.popleft()
                self._count_lost(1)

    def _wake(self) -> None:
        with self._changed:
            if self._thread is None:
                self._start()
            self._idle = self._thread is None
            self._work.set()

    def _start(self) -> None:
        thread = threading.Thread(target=self._run, name="agentmem-events", daemon=True)
        try:
            thread.start()
        except RuntimeError:  # no threads any more: the process is ending
            return
        self._thread = thread

    def _run(self) -> None:
        while self._has_work():
            self._hurry.wait(LINGER)
            while batch := self._take():
                self._deliver(batch)

    def _has_work(self) -> bool:
        if self._work.wait(REST):
            return True
        with self._changed:
            if self._idle:
                self._thread = None
            return not self._idle

    def _take(self) -> list[Item]:
        with self._changed:
            batch: list[Item] = []
            while self._queue and len(batch) < BATCH:
                batch.append(self._queue.popleft())
            self._in_hand = len(batch)
            if not batch:
                self._idle = True
                self._work.clear()
                self._hurry.clear()
                if self._queue:  # put before it was told that the thread is idle
                    self._wake()
            return batch

    def _deliver(self, batch: list[Item]) -> None:
        sent = self._try_to_send(batch)
        with self._changed:
            self._in_hand = 0
            if sent:
                self._settled += len(batch)
            else:
                self._count_lost(len(batch))
            self._changed.notify_all()

    def _try_to_send(self, batch: list[Item]) -> bool:
        pause, deadline = 0.1, time.monotonic() + PATIENCE
        try:
            parcel = self._pack(batch)
        except Exception as error:  # noqa: BLE001 - a background thread reports and lives on
            self._report(error)
            return False
        while True:
            try:
                self._send(parcel)
            except ConfigurationError as error:  # it will not get better
                self._report(error)
                return False
            except Exception as error:  # noqa: BLE001 - as above
                self._report(error)
                if time.monotonic() + pause > deadline:
                    return False
                time.sleep(pause)
                pause = min(2 * pause, 2.0)
            else:
                self._report_recovery()
                return True

    def _count_lost(self, n: int) -> None:
        self._dropped += n
        self._settled += n

    def _report(self, error: Exception) -> None:
        if not self._failing:
            self._failing = True
            # The class only: a message may quote what was to be written. Those about the configuration are our own.
            what = type(error).__name__ + (f": {error}" if isinstance(error, ConfigurationError) else "")
            _log.warning("events cannot be written (%s); %d are kept, then the oldest are lost", what, self._capacity)

    def _report_recovery(self) -> None:
        if self._failing:
            self._failing = False
            _log.warning("events are written again; %d were lost since the process started", self._dropped)


def _renew_all() -> None:
    for writer in list(_writers):
        writer._renew()  # noqa: SLF001 - this module's own class


def _flush_all() -> None:
    deadline = time.monotonic() + EXIT_PATIENCE
    for writer in list(_writers):
        writer.flush(max(0.0, deadline - time.monotonic()))


atexit.register(_flush_all)
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_all)
