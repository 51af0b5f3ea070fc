"""One async body, both colours.

LangChain's base classes carry a sync and an async method for everything. Here each operation is written once, as a
coroutine; its sync twin drives that same coroutine by hand, without an event loop and without a thread. The colours
part only where the outside world is called, and that place is `either`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextvars import ContextVar
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar, TypeVarTuple

S = TypeVar("S")
P = ParamSpec("P")
T = TypeVar("T")
Args = TypeVarTuple("Args")

_sync: ContextVar[bool] = ContextVar("agentmem_sync", default=False)


def run(coro: Coroutine[Any, Any, T]) -> T:
    """Drive `coro` to its end in the sync colour and return its result.

    Args:
        coro: A coroutine that waits on nothing but `either` and coroutines that do the same.

    Raises:
        RuntimeError: The coroutine waited on an event loop: it is not written for both colours.
    """
    token = _sync.set(True)
    try:
        coro.send(None)
    except StopIteration as done:
        return done.value  # type: ignore[no-any-return]
    finally:
        _sync.reset(token)
    coro.close()
    raise RuntimeError(f"{coro!r} waits on an event loop and cannot run in the sync colour")


def sync_of(method: Callable[Concatenate[S, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[S, P], T]:
    """The sync form of an async method, with the same parameters.

    ```python
    recall = sync_of(arecall)
    ```

    It runs what an object's own class has under the async name, so that a subclass overrides both at once.

    Args:
        method: The method; its name begins with an "a".
    """
    name = method.__name__

    @wraps(method)
    def call(self: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        found: Coroutine[Any, Any, T] = getattr(self, name)(*args, **kwargs)
        return run(found)

    call.__name__, call.__qualname__ = name[1:], f"{method.__qualname__.removesuffix(name)}{name[1:]}"
    call.__doc__ = f"Sync form of `{name}`."
    return call


async def either(sync_fn: Callable[[*Args], T], async_fn: Callable[[*Args], Awaitable[T]], *args: *Args) -> T:
    """Call `sync_fn(*args)` under `run`, else await `async_fn(*args)`: the one place where the colours part.

    The sync function runs with the colour unset: it may be a user's code that starts an event loop of its own.
    """
    if not _sync.get():
        return await async_fn(*args)
    token = _sync.set(False)
    try:
        return sync_fn(*args)
    finally:
        _sync.reset(token)


async def sleep(seconds: float) -> None:
    """Wait, in either colour."""
    await either(time.sleep, asyncio.sleep, seconds)


async def beside(
    work: Coroutine[Any, Any, T], beat: Callable[[], Coroutine[Any, Any, bool]], seconds: float
) -> T | None:
    """Do `work` while `beat` runs every so many seconds: as a task, or in the sync colour in a thread of its own.

    Args:
        work: What is to be done.
        beat: Says whether the work may go on. Must not raise.
        seconds: From one beat to the next.

    Returns:
        The result; None where a beat said no, and work that could be ended was ended. The sync colour cannot end it.
    """
    return await either(_beside_sync, _beside_async, work, beat, seconds)


def _beside_sync(
    work: Coroutine[Any, Any, T], beat: Callable[[], Coroutine[Any, Any, bool]], seconds: float
) -> T | None:
    over = threading.Event()

    def pulse() -> None:
        while not over.wait(seconds) and run(beat()):
            pass

    beating = threading.Thread(target=pulse, name="agentmem-beat", daemon=True)
    beating.start()
    try:
        return run(work)
    finally:
        over.set()
        beating.join()


async def _beside_async(
    work: Coroutine[Any, Any, T], beat: Callable[[], Coroutine[Any, Any, bool]], seconds: float
) -> T | None:
    async def pulse() -> None:
        wanted = True
        while wanted:
            await asyncio.sleep(seconds)
            wanted = await beat()

    working, beating = asyncio.create_task(work), asyncio.create_task(pulse())
    try:
        await asyncio.wait((working, beating), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:  # done, ended by a beat, or cancelled from outside
        for task in (working, beating):
            task.cancel()
        await asyncio.gather(working, beating, return_exceptions=True)


def walk(items: AsyncIterator[T]) -> Iterator[T]:
    """Iterate an async generator in the sync colour, item by item, closing it when the caller stops early."""
    try:
        while True:
            try:
                yield run(_step(items))
            except StopAsyncIteration:
                return
    finally:
        close = getattr(items, "aclose", None)
        if close is not None:
            run(close())


async def _step(items: AsyncIterator[T]) -> T:
    return await anext(items)
