"""Promotion on the page: turns go through the outbox to a worker in this process, and what became of them is told."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import count
from typing import Any, Self

from langchain_core.language_models import BaseChatModel

from langchain_agentmem.agent_memory import AgentMemory
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.promotion.extraction import ExtractionNode, Extractor
from langchain_agentmem.promotion.factory import WITH_MODEL, WITHOUT_MODEL
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.promotion.worker import Worker
from langchain_agentmem.serve.web.plain import plain_outcome
from langchain_agentmem.serve.web.settings import Settings
from langchain_agentmem.wire.keys import unescape

_TOLD = 25  # outcomes shown
_PATIENCE = 60.0  # seconds that a model may take
_LOOK_AGAIN = 0.02  # seconds
_GRACE = 1.0  # seconds that running promotions are given when the worker ends


class TellingBank(MemoryBank):
    """A bank that tells what became of each memory, and why.

    Args:
        store: As for `MemoryBank`.
        tell: Called with the text, and what became of it.
        **options: As for `MemoryBank`.
    """

    def __init__(self, store: Any, *, tell: Callable[[str, Remembered], object], **options: Any) -> None:
        super().__init__(store, **options)
        self._tell = tell

    async def aremember(
        self, memories: str | Memory | Iterable[str | Memory], scope: Scope, **more: Any
    ) -> list[Remembered]:
        """As in `MemoryBank`."""
        given = [memories] if isinstance(memories, str | Memory) else list(memories)
        done = await super().aremember(given, scope, **more)
        for each, became in zip(given, done, strict=True):
            self._tell(each if isinstance(each, str) else each.text, became)
        return done


class Promotion:
    """The outbox of the page's agent, and a worker that empties it.

    Use it in `async with`: the worker runs meanwhile.

    Args:
        memory: Whose turns.
        model: What finds memories in them; None: rules, and the turns word for word.
        settings: From when a memory is a duplicate, and for how long a thread must be quiet.
        told: What was told before, newest first.
    """

    def __init__(
        self,
        memory: AgentMemory,
        model: BaseChatModel | None,
        settings: Settings,
        told: Iterable[dict[str, Any]] = (),
    ) -> None:
        self._memory = memory
        self.told = deque(told, maxlen=_TOLD)
        self._numbers = count(time.time_ns())
        keys = memory.keys
        self._outbox = Outbox(memory.connection, prefix=keys.prefix, tenant=keys.tenant, quiet=settings.quiet)
        bank = TellingBank(memory.store, tell=self._tell, events=memory.events, **settings.for_bank())
        extractor = Extractor(bank, model, WITHOUT_MODEL if model is None else WITH_MODEL)
        self.node = ExtractionNode(self._outbox, extractor)
        self._worker = Worker(self._outbox, extractor, events=memory.events, grace=_GRACE)

    async def __aenter__(self) -> Self:
        await self._worker.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._worker.adrain()

    async def now(self) -> int:
        """Let the worker promote what waits, quiet or not, and wait until it has. Returns the number of turns."""
        before = (await self._outbox.astats()).promoted
        await self._outbox.jobs.aschedule(which="all")
        ends = time.monotonic() + _PATIENCE
        while (stats := await self._outbox.astats()).due or stats.running:
            if time.monotonic() > ends:
                break
            await asyncio.sleep(_LOOK_AGAIN)
        return stats.promoted - before

    async def forget(self, threads: Sequence[str]) -> None:
        """Forget what waits of threads, take from the worker what it promotes of them, and tell of nothing past."""
        await self._outbox.aforget(threads)
        self.told.clear()

    async def status(self) -> dict[str, Any]:
        """What waits and until when, and what was promoted lately."""
        stats = await self._outbox.astats()
        counts = {name: getattr(stats, name) for name in ("promoted", "dead_letters")}
        return counts | {"waiting": await self._waiting(), "last": list(self.told)}

    async def _waiting(self) -> list[dict[str, Any]]:
        send, keys = self._memory.connection.send, self._memory.keys
        [threads] = await send(("ZRANGE", keys.outbox_due(), 0, -1))
        if not threads:
            return []
        turns = [("HGET", f"{keys.outbox()}:state:{name.decode()}", "waiting") for name in threads]
        due, *numbers = await send(("ZMSCORE", keys.outbox_due(), *threads), *turns)
        rows = zip(threads, due, numbers, strict=True)
        return [
            {"thread": unescape(name), "turns": int(number or 0), "due": float(at)}
            for name, at, number in rows
            if at is not None
        ]

    def _tell(self, text: str, done: Remembered) -> None:
        self.told.appendleft(plain_outcome(text, done) | {"key": f"{next(self._numbers)}"})
