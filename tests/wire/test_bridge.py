from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from langchain_agentmem.wire.bridge import beside, either, run, sleep, sync_of, walk


async def colour() -> str:
    async def awaited() -> str:
        await asyncio.sleep(0)
        return "async"

    return await either(lambda: "sync", awaited)


async def counting(n: int, log: list[str]) -> AsyncIterator[str]:
    try:
        for i in range(n):
            yield f"{i} {await colour()}"
    finally:
        log.append(f"closed {await colour()}")


class Painter:
    async def apaint(self, what: str, *, coats: int = 1) -> str:
        """Paint it."""
        return f"{coats} {await colour()} {what}"

    paint = sync_of(apaint)


class Careful(Painter):
    async def apaint(self, what: str, *, coats: int = 2) -> str:
        return f"carefully {await super().apaint(what, coats=coats)}"


def test_a_sync_form_has_the_parameters_of_its_async_form_and_goes_with_it() -> None:
    assert Painter().paint("door") == "1 sync door"
    assert Careful().paint("door") == "carefully 2 sync door"
    assert asyncio.run(Careful().apaint("door")) == "carefully 2 async door"
    assert (Painter.paint.__qualname__, Painter.paint.__doc__) == ("Painter.paint", "Sync form of `apaint`.")
    assert inspect.signature(Painter.paint) == inspect.signature(Painter.apaint)
    assert not inspect.iscoroutinefunction(Painter.paint)
    with pytest.raises(TypeError, match="coat"):
        Painter().paint("door", coat=2)  # type: ignore[call-arg]


def test_run_gives_the_result_of_the_sync_edge() -> None:
    assert run(colour()) == "sync"


async def test_await_gives_the_result_of_the_async_edge() -> None:
    assert await colour() == "async"


async def test_the_sync_colour_works_inside_a_running_loop_and_does_not_stay() -> None:
    assert run(colour()) == "sync"
    assert await colour() == "async"
    assert await asyncio.to_thread(lambda: run(colour())) == "sync"


def test_arguments_reach_either_edge() -> None:
    async def add(a: int, b: int) -> int:
        async def later(a: int, b: int) -> int:
            return a + b + 100

        return await either(lambda a, b: a + b, later, a, b)

    assert run(add(1, 2)) == 3
    assert asyncio.run(add(1, 2)) == 103


def test_a_sync_edge_may_start_a_loop_of_its_own() -> None:
    """As a user's sync embedder does that wraps an async client."""

    async def outer() -> list[str]:
        inner = await either(lambda: asyncio.run(colour()), colour)
        return [inner, await colour()]

    assert run(outer()) == ["async", "sync"]


def test_a_sync_edge_may_call_another_sync_method() -> None:
    async def outer() -> list[str]:
        return [await either(lambda: run(colour()), colour), await colour()]

    assert run(outer()) == ["sync", "sync"]


def test_an_error_passes_and_the_colour_is_restored() -> None:
    async def fails() -> None:
        def edge() -> None:
            raise LookupError("edge")

        await either(edge, colour)

    with pytest.raises(LookupError, match="edge"):
        run(fails())
    assert asyncio.run(colour()) == "async"


def test_a_real_await_is_refused_and_the_coroutine_is_closed() -> None:
    log = []

    async def waits() -> None:
        try:
            await asyncio.sleep(0)
        finally:
            log.append("closed")

    with pytest.raises(RuntimeError, match="waits on an event loop"):
        run(waits())
    assert log == ["closed"]
    assert asyncio.run(colour()) == "async"


def test_threads_and_loops_keep_their_colours_apart() -> None:
    with ThreadPoolExecutor(8) as pool:
        sync = [pool.submit(lambda: [run(colour()) for _ in range(100)]) for _ in range(8)]
        both = [pool.submit(lambda: asyncio.run(colour())) for _ in range(8)]
    assert {value for done in sync for value in done.result()} == {"sync"}
    assert {done.result() for done in both} == {"async"}


def test_walk_gives_every_item_in_the_sync_colour() -> None:
    log: list[str] = []
    assert list(walk(counting(3, log))) == ["0 sync", "1 sync", "2 sync"]
    assert log == ["closed sync"]


def test_walk_takes_an_item_only_when_asked_and_closes_when_left_early() -> None:
    log: list[str] = []
    items = walk(counting(1_000_000_000, log))
    assert [next(items), next(items)] == ["0 sync", "1 sync"]
    assert log == []
    items.close()  # type: ignore[attr-defined]
    assert log == ["closed sync"]


async def test_between_the_items_of_a_walk_the_caller_has_its_own_colour() -> None:
    log: list[str] = []
    for item in walk(counting(2, log)):
        assert item.endswith("sync")
        assert await colour() == "async"
    assert log == ["closed sync"]


def test_walk_closes_after_an_error_and_passes_it() -> None:
    log: list[str] = []

    async def fails() -> AsyncIterator[str]:
        async for item in counting(5, log):
            yield item
            raise LookupError("midway")

    items = walk(fails())
    assert next(items) == "0 sync"
    with pytest.raises(LookupError, match="midway"):
        next(items)


def test_walk_takes_an_iterator_that_cannot_be_closed() -> None:
    class Once:
        given = False

        def __aiter__(self) -> Once:
            return self

        async def __anext__(self) -> str:
            if self.given:
                raise StopAsyncIteration
            self.given = True
            return await colour()

    assert list(walk(Once())) == ["sync"]


def test_sleep_waits_in_either_colour() -> None:
    for call in (run, asyncio.run):
        start = time.monotonic()
        call(sleep(0.02))
        assert time.monotonic() - start >= 0.019


class Beats:
    """Says so many times that the work may go on."""

    def __init__(self, number: int) -> None:
        self.left = number

    async def __call__(self) -> bool:
        self.left -= 1
        return self.left > 0


async def work(seconds: float, result: str) -> str:
    await sleep(seconds)
    if result == "error":
        raise LookupError(result)
    return result


@pytest.mark.parametrize("run", [run, asyncio.run], ids=["sync", "async"])
def test_work_is_done_beside_a_beat(run: Callable[[Any], Any]) -> None:
    beats = Beats(1_000_000)
    assert run(beside(work(0.1, "done"), beats, 0.01)) == "done"
    assert beats.left < 1_000_000
    assert run(beside(work(0.0, "done"), beats, 60)) == "done"  # and does not wait for it
    with pytest.raises(LookupError, match="error"):
        run(beside(work(0.0, "error"), beats, 60))


def test_a_beat_ends_the_work_where_that_can_be_done() -> None:
    assert asyncio.run(beside(work(60, "done"), Beats(3), 0.001)) is None
    assert run(beside(work(0.05, "done"), Beats(3), 0.001)) == "done"


async def test_work_beside_a_beat_ends_with_its_caller() -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def for_ever() -> None:
        try:
            begun.set()
            await asyncio.sleep(60)
        finally:
            ended.set()

    task = asyncio.create_task(beside(for_ever(), Beats(9), 60))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert ended.is_set()
