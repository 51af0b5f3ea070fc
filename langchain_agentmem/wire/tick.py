"""Work that is cheaper together: the calls that concurrent tasks make in one tick of the event loop become one call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

from langchain_agentmem.wire.bridge import either

Ask = TypeVar("Ask")
Answer = TypeVar("Answer")
_Call: TypeAlias = tuple[Sequence[Ask], asyncio.Future[Sequence[Answer]]]


class Tick(Generic[Ask, Answer]):
    """An async function over a sequence, called once for all the tasks of one event loop that ask in one tick.

    Args:
        answer: Gives one answer for each ask, in order.
        blame: Errors that one task's asks may have caused. The tasks of a joint call that ends so are then answered one
            by one, so that each fails only by its own asks; any other error is everybody's.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Ask]], Awaitable[Sequence[Answer]]],
        blame: type[Exception] | tuple[type[Exception], ...],
    ) -> None:
        self._answer = answer
        self._blame = blame
        self._waiting: list[_Call[Ask, Answer]] = []
        self._deliveries: set[asyncio.Task[None]] = set()

    async def join(self, asks: Sequence[Ask]) -> Sequence[Answer]:
        """The answers, in order."""
        reply: asyncio.Future[Sequence[Answer]] = asyncio.get_running_loop().create_future()
        self._waiting.append((asks, reply))
        if len(self._waiting) > 1:
            return await reply
        alone = False
        try:
            await asyncio.sleep(0)
        except asyncio.CancelledError:
            reply.cancel()
            raise
        finally:  # cancelled or not, those who wait behind this one are answered
            calls, self._waiting = [call for call in self._waiting if not call[1].done()], []
            alone = len(calls) == 1 and calls[0][1] is reply
            if calls and not alone:
                self._deliver_in_background(calls)
        return await self._answer(asks) if alone else await reply

    def _deliver_in_background(self, calls: list[_Call[Ask, Answer]]) -> None:
        # A task of its own: the caller that happened to come first may be cancelled while the others wait.
        task = asyncio.get_running_loop().create_task(self._deliver(calls))
        self._deliveries.add(task)
        task.add_done_callback(self._deliveries.discard)

    async def _deliver(self, calls: list[_Call[Ask, Answer]]) -> None:
        try:
            answers = await self._answer([ask for asks, _ in calls for ask in asks])
        except BaseException as error:
            if isinstance(error, self._blame) and len(calls) > 1:
                await asyncio.gather(*(self._deliver([call]) for call in calls))
                return
            _fail(calls, error)
            if not isinstance(error, Exception):
                raise
            return
        start = 0
        for asks, reply in calls:
            end = start + len(asks)
            if not reply.done():
                reply.set_result(answers[start:end])
            start = end


def _fail(calls: list[_Call[Ask, Answer]], error: BaseException) -> None:
    for _, reply in calls:
        if not reply.done():
            reply.set_exception(error) if isinstance(error, Exception) else reply.cancel()


class Together(Generic[Ask, Answer]):
    """A function over a sequence in both colours; in the async one, tasks that ask in one tick share a call.

    Asks that make the joint call fail are found by asking for each task alone, so they fail only their own task.

    Args:
        sync_fn: Answers a sequence in the sync colour, one answer for each ask.
        async_fn: The same in the async colour.
    """

    def __init__(
        self,
        sync_fn: Callable[[list[Ask]], Sequence[Answer]],
        async_fn: Callable[[list[Ask]], Awaitable[Sequence[Answer]]],
    ) -> None:
        self._sync = sync_fn
        self._async = async_fn
        self._ticks: WeakKeyDictionary[asyncio.AbstractEventLoop, Tick[Ask, Answer]] = WeakKeyDictionary()

    async def __call__(self, asks: list[Ask]) -> Sequence[Answer]:
        """The answers, in order."""
        return await either(self._sync, self._join, asks)

    async def _join(self, asks: list[Ask]) -> Sequence[Answer]:
        loop = asyncio.get_running_loop()
        tick = self._ticks.get(loop)
        if tick is None:
            tick = self._ticks[loop] = Tick(lambda joint: self._async(list(joint)), blame=Exception)
        return await tick.join(asks)


async def each(
    sync_fn: Callable[[Ask], Answer], async_fn: Callable[[Ask], Awaitable[Answer]], asks: Sequence[Ask]
) -> list[Answer]:
    """A function over each element of a list: one after the other in the sync colour, at the same time in the other."""

    async def concurrently(asks: Sequence[Ask]) -> list[Answer]:
        return list(await asyncio.gather(*map(async_fn, asks)))

    return await either(lambda asks: [sync_fn(ask) for ask in asks], concurrently, asks)
