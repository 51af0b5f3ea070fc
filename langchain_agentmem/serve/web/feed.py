"""What happens, told to every open page at once: one reader of the event log, server-sent events to each page."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import AsyncIterator
from typing import Any

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.streams import START
from langchain_agentmem.serve.web.plain import plain_event

_KEPT = 150  # events that a page which is opened later is still told of
_PULSE = 10.0  # seconds; a page that went away is noticed by the next thing that is written to it


class Feed:
    """The event log of all threads, as it grows.

    Args:
        log: The event log.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._past: deque[str] = deque(maxlen=_KEPT)
        self._pages: set[asyncio.Queue[str | None]] = set()

    async def follow(self) -> None:
        """Read the log until cancelled."""
        async for event in self._log.atail(after_id=START):
            message = _message("happened", plain_event(event))
            self._past.append(message)
            self._tell(message)

    async def listen(self) -> AsyncIterator[str]:
        """What a page is sent: what happened lately, then everything as it happens."""
        page: asyncio.Queue[str | None] = asyncio.Queue()
        for past in self._past:
            page.put_nowait(past)
        self._pages.add(page)
        try:
            while (message := await _next(page)) is not None:
                yield message
        finally:
            self._pages.discard(page)

    def changed(self, settings: list[dict[str, Any]]) -> None:
        """Tell the pages how the sliders are set now, of which there is no event."""
        self._tell(_message("changed", {"settings": settings}))

    def forget(self) -> None:
        """Tell the pages that all is gone."""
        self._past.clear()
        self._tell(_message("forgotten", {}))

    def close(self) -> None:
        """Let every page go."""
        self._tell(None)

    def _tell(self, message: str | None) -> None:
        for page in self._pages:
            page.put_nowait(message)


async def _next(page: asyncio.Queue[str | None]) -> str | None:
    try:
        async with asyncio.timeout(_PULSE):  # before Python 3.12 wait_for may lose the cancellation of a page that goes
            return await page.get()
    except TimeoutError:
        return ": still here\n\n"


def _message(kind: str, data: dict[str, Any]) -> str:
    return f"event: {kind}\ndata: {json.dumps(data)}\n\n"  # JSON writes a line break as \n: the data stays one line
