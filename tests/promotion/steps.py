"""The steps of a worker, one by one, for the tests of the outbox."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage

from langchain_agentmem.promotion.jobs import Lease
from langchain_agentmem.promotion.outbox import Outbox

QUICK: dict[str, Any] = {"quiet": 0.0, "backoff": 0.0, "lease": 5.0}


def conversation(n: int, start: int = 0) -> list[AnyMessage]:
    """`n` turns of a human, each with an answer."""
    return [
        message
        for i in range(start, start + n)
        for message in (HumanMessage(f"question {i}", id=f"h{i}"), AIMessage(f"answer {i}", id=f"a{i}"))
    ]


async def atake(outbox: Outbox, worker: str = "w", *, due_only: bool = True) -> list[Lease]:
    """Lease all that is due."""
    await outbox.jobs.aschedule(which="due" if due_only else "all")
    leases = [await outbox.jobs.alease(job, worker) for job in await outbox.jobs.aclaim(worker, 100)]
    return [lease for lease in leases if lease]


async def apromoted(outbox: Outbox) -> list[str]:
    """Promote all that waits; the ids of the messages, in the order in which they were promoted."""
    ids: list[str] = []
    while leases := await atake(outbox, due_only=False):
        for lease in leases:
            ids += names(lease)
            assert await outbox.jobs.afinish(lease) == "done"
    return ids


def names(lease: Lease) -> list[str]:
    return [turn.id for turn in lease.batch.turns]
