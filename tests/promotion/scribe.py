"""A deterministic extractor that writes what was said into a real memory bank, and may be told to fail."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_core.messages import AnyMessage, HumanMessage

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.batch import Batch, Usage
from langchain_agentmem.wire.bridge import either, run
from langchain_agentmem.wire.connection import Connection

ANN = Scope("ann")
Call = Callable[[Any], Any]
CALLS: dict[str, Call] = {"sync": run, "async": asyncio.run}
"""What runs a coroutine in one of the two colours."""


@dataclass(frozen=True)
class Notes:
    """A plan: what is remembered, each with the message that says it."""

    key: str
    scope: Scope
    thread_id: str
    texts: Sequence[tuple[str, str]]
    usage: Usage = field(default_factory=lambda: Usage(1, 100, 10))

    def dumps(self) -> bytes:
        return json.dumps([self.key, self.scope.user, self.scope.namespace, self.thread_id, self.texts]).encode()

    @classmethod
    def loads(cls, data: bytes) -> Notes:
        key, user, namespace, thread_id, texts = json.loads(data)
        return cls(key, Scope(user, tuple(namespace)), thread_id, [(text, id_) for text, id_ in texts])


class Scribe:
    """Remembers every turn as it was said.

    Args:
        bank: Where.
        fails: Called with each batch before it is planned; what it raises is the model's error.
        seconds: How long a model call takes.
    """

    def __init__(
        self, bank: MemoryBank, fails: Callable[[Batch], object] = lambda _: None, seconds: float = 0.0
    ) -> None:
        self.bank, self.fails, self.seconds = bank, fails, seconds
        self.batches: list[list[str]] = []
        self.contexts: list[list[str]] = []
        self.meanwhile: Callable[[], Awaitable[object]] | None = None

    async def aplan(self, batch: Batch) -> Notes:
        self.batches.append([turn.id for turn in batch.turns])
        self.contexts.append([turn.id for turn in batch.context])
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            await meanwhile()
        if self.seconds:
            await either(lambda: None, lambda: asyncio.sleep(self.seconds))
        self.fails(batch)
        texts = [(str(turn.message.content), turn.id) for turn in batch.turns]
        return Notes(batch.key, batch.scope, batch.thread_id, texts)

    def loads(self, data: bytes) -> Notes:
        return Notes.loads(data)

    async def aapply(self, plan: Notes) -> list[Remembered]:
        return [await self._remember(plan, i, *said) for i, said in enumerate(plan.texts)]

    async def _remember(self, plan: Notes, i: int, text: str, id_: str) -> Remembered:
        memory = Memory(text=text, source=Source(plan.thread_id, (id_,)))
        return (await self.bank.aremember(memory, plan.scope, operation=f"{plan.key}:{i}"))[0]


def apart(texts: Sequence[str]) -> list[list[float]]:
    """An embedder for which no two texts resemble each other."""
    return [[draw.gauss(0, 1) for _ in range(32)] for draw in map(random.Random, texts)]


def bank_on(redis: Connection) -> MemoryBank:
    """A bank in which a text is only known again if it is said again, word for word."""
    return MemoryBank(AgentMemoryStore(redis, index={"dims": 32, "embed": apart, "fields": ["text"]}))


def said(*names: str) -> list[AnyMessage]:
    """Messages by their ids."""
    return [HumanMessage(f"this is what {name} says", id=name) for name in names]


async def aheld(bank: MemoryBank, scope: Scope = ANN) -> dict[str, int]:
    """How often each message was remembered, by its id."""
    memories = await bank.alist(scope, limit=5_000)
    return {memory.source.message_ids[0]: memory.hits for memory in memories if memory.source}
