"""Work that is cheaper together: the calls that concurrent tasks make in one tick of the event loop become one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from langchain_agentmem.wire.bridge import either

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
_Call: TypeAlias = tuple[list[Ask], asyncio.Future[Sequence[Answer]]]


class Together(Generic[Ask, Answer]):
    """A function over a list, called once for all the tasks that ask in one tick.

    A list that makes the joint call fail is found by asking for each task alone, so it fails only its own task.

    Args:
        sync_fn: Answers a list in the sync colour, one answer for each ask.
        async_fn: The same in the async colour.
    """

    def __init__(
        self,
        sync_fn: Callable[[list[Ask]], Sequence[Answer]],
        async_fn: Callable[[list[Ask]], Awaitable[Sequence[Answer]]],
    ) -> None:
        self._sync = sync_fn
        self._async = async_fn
        self._waiting: WeakKeyDictionary[asyncio.AbstractEventLoop, list[_Call[Ask, Answer]]] = WeakKeyDictionary()
        self._deliveries: set[asyncio.Task[None]] = set()

    async def __call__(self, asks: list[Ask]) -> Sequence[Answer]:
        """The answers, in order."""
        return await either(self._sync, self._join, asks)

    async def _join(self, asks: list[Ask]) -> Sequence[Answer]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Sequence[Answer]] = loop.create_future()
        waiting = self._waiting.setdefault(loop, [])
        waiting.append((asks, answer))
        if len(waiting) > 1:
            return await answer
        alone = False
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            answer.cancel()
            raise
        finally:  # cancelled or not, those who wait behind this one are answered
            calls = [call for call in self._waiting.pop(loop) if not call[1].done()]
            alone = len(calls) == 1 and calls[0][1] is answer
            if calls and not alone:
                self._deliver_in_background(loop, calls)
        return await self._async(asks) if alone else await answer

    def _deliver_in_background(self, loop: asyncio.AbstractEventLoop, calls: list[_Call[Ask, Answer]]) -> None:
        # A task of its own: the caller that happened to come first may be cancelled while the others wait.
        task = loop.create_task(self._deliver(calls))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, calls: list[_Call[Ask, Answer]]) -> None:
        try:
            answers = await self._async([ask for asks, _ in calls for ask in asks])
        except Exception as error:  # noqa: BLE001  (it reaches the tasks whose asks caused it)
            await self._one_by_one(calls, error)
            return
        start = 0
        for asks, answer in calls:
            if not answer.done():
                answer.set_result(answers[start : start + len(asks)])
            start += len(asks)

    async def _one_by_one(self, calls: list[_Call[Ask, Answer]], error: Exception) -> None:
        outcomes = (
            await asyncio.gather(*(self._async(asks) for asks, _ in calls), return_exceptions=True)
            if len(calls) > 1
            else [error]
        )
        for (_, answer), outcome in zip(calls, outcomes, strict=True):
            if answer.done():
                continue
            answer.set_exception(outcome) if isinstance(outcome, BaseException) else answer.set_result(outcome)


async def each(
    sync_fn: Callable[[Ask], Answer], async_fn: Callable[[Ask], Awaitable[Answer]], asks: Sequence[Ask]
) -> list[Answer]:
    """A function over each element of a list: one after the other in the sync colour, at the same time in the other."""

    async def concurrently(asks: Sequence[Ask]) -> list[Answer]:
        return list(await asyncio.gather(*map(async_fn, asks)))

    return await either(lambda asks: [sync_fn(ask) for ask in asks], concurrently, asks)
