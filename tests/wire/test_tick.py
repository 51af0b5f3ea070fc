from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.tick import Together, each


class Doubler:
    """Doubles numbers, notes what it is asked for at once, and takes no 13."""

    def __init__(self) -> None:
        self.asked: list[list[int]] = []
        self.together: Together[int, int] = Together(self.double, self.adouble)

    def double(self, numbers: Sequence[int]) -> list[int]:
        self.asked.append(list(numbers))
        if 13 in numbers:
            raise ValueError("13")
        return [2 * number for number in numbers]

    async def adouble(self, numbers: Sequence[int]) -> list[int]:
        await asyncio.sleep(0)
        return self.double(numbers)


async def test_calls_of_one_tick_are_one_call() -> None:
    doubler = Doubler()
    answers = await asyncio.gather(*(doubler.together([n, n + 1]) for n in range(3)))
    assert [list(answer) for answer in answers] == [[0, 2], [2, 4], [4, 6]]
    assert doubler.asked == [[0, 1, 1, 2, 2, 3]]
    await doubler.together([7])
    assert doubler.asked[-1] == [7]


async def test_the_call_at_fault_fails_alone() -> None:
    doubler = Doubler()
    answers = await asyncio.gather(*(doubler.together([n]) for n in (1, 13, 3)), return_exceptions=True)
    assert [repr(answer) for answer in answers] == ["[2]", "ValueError('13')", "[6]"]
    with pytest.raises(ValueError, match="13"):
        await doubler.together([13])


async def test_who_waits_behind_a_cancelled_call_is_answered() -> None:
    doubler = Doubler()
    first, second = (asyncio.ensure_future(doubler.together([n])) for n in (1, 2))
    await asyncio.sleep(0)
    first.cancel()
    assert list(await second) == [4]
    assert (await asyncio.gather(first, return_exceptions=True))[0].__class__ is asyncio.CancelledError


def test_the_sync_colour_asks_at_once() -> None:
    doubler = Doubler()
    assert list(run(doubler.together([1, 2]))) == [2, 4]
    assert [list(asyncio.run(_ask(doubler, n))) for n in (3, 4)] == [[6], [8]]


async def _ask(doubler: Doubler, number: int) -> Sequence[int]:
    return await doubler.together([number])


async def test_each_runs_at_the_same_time() -> None:
    running = 0
    most = 0

    async def slow(number: int) -> int:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return -number

    assert await each(abs, slow, [1, 2, 3]) == [-1, -2, -3]
    assert most == 3
    assert await asyncio.to_thread(lambda: run(each(abs, slow, [-1, 2]))) == [1, 2]
