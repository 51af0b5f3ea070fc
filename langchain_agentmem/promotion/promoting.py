"""One promotion, from its lease to its end, in both colours; and all that wait now, one after the other."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_agentmem.errors import BudgetExceededError
from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.promotion.batch import Batch, Changed, Extracts, Planned, Usage
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.jobs import Job, Jobs, Lease, Outcome
from langchain_agentmem.wire.bridge import beside, run
from langchain_agentmem.wire.connection import LOST_CONNECTION, REDIS_ERRORS
from langchain_agentmem.wire.tick import each

_PAGE = 1_000  # threads that are handed over in one step of the server


@dataclass(frozen=True, slots=True)
class Promotion:
    """How one promotion ended.

    Attributes:
        outcome: Stored, or why not; see `Outcome`.
        batch: What was to be promoted.
        changes: What became of each change, if they were made.
        usage: What the model took.
        error: What went wrong, if something did.
    """

    outcome: Outcome
    batch: Batch
    changes: Sequence[Changed] = ()
    usage: Usage = field(default_factory=Usage)
    error: Exception | None = None


class Promoter:
    """Takes a leased batch through extraction, plan and changes, and says how it ended.

    Args:
        jobs: The workers' side of the outbox.
        extractor: What turns a batch into memories.
        events: Told of each promotion in the background, if given.
        budget: By whose prices the events tell the cost.
    """

    def __init__(
        self, jobs: Jobs, extractor: Extracts[Any], *, events: EventLog | None = None, budget: Budget | None = None
    ) -> None:
        self._jobs, self._extractor = jobs, extractor
        self._events, self._budget = events, budget

    async def apromote(self, lease: Lease) -> Promotion:
        """Promote a batch, and hold its thread meanwhile, however long that takes.

        Whatever fails in it is kept with its turns and tried again; only a lost server raises.
        """
        started = time.monotonic()
        promotion = await self._attempt(lease)
        self._tell(lease, promotion, time.monotonic() - started)
        return promotion

    async def _attempt(self, lease: Lease) -> Promotion:
        batch = lease.batch
        try:
            done = await beside(self._work(lease), lambda: self._renew(lease), self._jobs.settings.lease / 3)
            if done is None:
                return Promotion("lost", batch)
            plan, changes = done
            return Promotion(await self._jobs.afinish(lease), batch, changes, plan.usage)
        except LOST_CONNECTION:
            raise  # nothing can be noted now; when the lease has run out, a worker goes on from the last step
        except BudgetExceededError as error:
            return Promotion(await self._jobs.adefer(lease, error.until), batch, error=error)
        except Exception as error:  # noqa: BLE001 - a model may raise anything; it is stored, counted and told
            return Promotion(await self._jobs.afail(lease, error), batch, error=error)

    async def _work(self, lease: Lease) -> tuple[Planned, Sequence[Changed]] | None:
        """What takes long. None if the thread was taken away."""
        plan = await self._plan(lease)
        return None if plan is None else (plan, await self._extractor.aapply(plan))

    async def _renew(self, lease: Lease) -> bool:
        """Go on holding the thread; False if it was taken away, and the work is for nothing."""
        try:
            return await self._jobs.arenew(lease)
        except REDIS_ERRORS:  # the server may be back at the next beat
            return True

    async def _plan(self, lease: Lease) -> Planned | None:
        """The changes to make: those that a worker before found, else new ones. None if the thread was taken away."""
        if lease.plan is not None:
            kept: Planned = self._extractor.loads(lease.plan)
            return kept
        plan: Planned = await self._extractor.aplan(lease.batch)
        return plan if await self._jobs.akeep(lease, plan.dumps()) else None

    def _tell(self, lease: Lease, promotion: Promotion, seconds: float) -> None:
        if self._events is None or promotion.outcome == "lost":  # who has the thread now tells of it, if anybody has
            return
        batch, usage, error = lease.batch, promotion.usage, promotion.error
        ids = [change.id for change in promotion.changes if change.id]
        if ids:
            self._events.soon(self._events.memory("promoted", ids, thread_id=batch.thread_id))
        event = Event(
            kind="promotion",
            thread_id=batch.thread_id,
            attempt=lease.attempt,
            duration=seconds,
            status="error" if error else "ok",
            error_type=type(error).__name__ if error else None,
            error=str(error) if error else None,
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            data={
                "outcome": promotion.outcome,
                "turns": len(batch.turns),
                "strategies": [*batch.strategies],
                "memories": len(ids),
                "calls": usage.calls,
                "cost": self._budget.cost(usage) if self._budget else 0.0,
            },
        )
        self._events.soon(self._events.commands([event.document()]))


@dataclass(frozen=True, slots=True)
class PromotionReport:
    """What was done about all that waited.

    Attributes:
        promoted: Turns whose memories are stored.
        memories: Memories that were added or changed.
        failed: Batches that failed and will be tried again.
        deferred: Batches that wait for the next day's budget.
        dead: Turns that were given up; see `Outbox.adead`.
        usage: What the model took.
        errors: What went wrong, one for each batch.
    """

    promoted: int
    memories: int
    failed: int
    deferred: int
    dead: int
    usage: Usage
    errors: Sequence[Exception]


async def apromote_all(
    jobs: Jobs, promoter: Promoter, worker: str, at_once: int, noted: Callable[[Promotion], object]
) -> PromotionReport:
    """Promote all that waits now, due or not, once. What fails is tried again when it is due.

    Args:
        jobs: The workers' side of the outbox.
        promoter: Promotes one batch.
        worker: A name that no other worker has.
        at_once: Jobs that are taken together; the async colour works on them side by side.
        noted: Called with each promotion when it has ended.
    """

    async def work(job: Job) -> tuple[Lease, Promotion] | None:
        lease = await jobs.alease(job, worker)
        if lease is None:
            return None
        promotion = await promoter.apromote(lease)
        noted(promotion)
        return lease, promotion

    ended: list[Promotion] = []
    while (scheduled := await jobs.aschedule(_PAGE, which="all")).threads == _PAGE:
        pass
    while claimed := await jobs.aclaim(worker, at_once):
        done = [result for result in await each(lambda job: run(work(job)), work, claimed) if result]
        ended += [promotion for _, promotion in done]
        # What came after the start may wait for its time, or this would never end while people talk.
        more = [lease.job.thread for lease, promotion in done if _moved_on(promotion) and lease.newest <= scheduled.now]
        if more:
            await jobs.aschedule(threads=more)
    await jobs.aleave(worker)
    return _report(ended)


def _moved_on(promotion: Promotion) -> bool:
    return promotion.outcome in ("done", "dead")


def _report(ended: Sequence[Promotion]) -> PromotionReport:
    stored = [promotion for promotion in ended if promotion.outcome == "done"]
    outcomes = Counter(promotion.outcome for promotion in ended)
    return PromotionReport(
        promoted=sum(len(promotion.batch.turns) for promotion in stored),
        memories=len({change.id for promotion in stored for change in promotion.changes if change.id}),
        failed=outcomes["retry"] + outcomes["alone"],
        deferred=outcomes["deferred"],
        dead=sum(len(promotion.batch.turns) for promotion in ended if promotion.outcome == "dead"),
        usage=sum((promotion.usage for promotion in stored), Usage()),
        errors=[promotion.error for promotion in ended if promotion.error],
    )
