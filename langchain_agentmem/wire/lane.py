"""Pipelines: how a batch of commands reaches a redis-py client, sync or async. Knows the client by its methods only."""

from __future__ import annotations

import asyncio
from asyncio.trsock import TransportSocket
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import suppress
from socket import SHUT_RDWR
from typing import Any, TypeVar

from langchain_agentmem.wire.quick import Wire, quick_pool
from langchain_agentmem.wire.tick import Tick

T = TypeVar("T")


class Plan:
    """How commands are put to one client, and its replies read.

    Args:
        raw: redis-py option that keeps a reply as bytes; empty for a client that never decodes.
        clustered: The client is a cluster client, which has to know its nodes before a pipeline is made.
        malformed: What the client raises, before it sends anything, for an argument that it cannot put on the wire.
        refused: What the client raises for an error that the server answered.
    """

    __slots__ = ("clustered", "malformed", "raw", "refused")

    def __init__(
        self, raw: dict[str, Any], *, clustered: bool, malformed: tuple[type[Exception], ...], refused: type[Exception]
    ) -> None:
        self.raw = raw
        self.clustered = clustered
        self.malformed = malformed
        self.refused = refused

    def fill(self, client: Any, commands: Wire) -> Any:
        """A pipeline of `client` that holds the commands."""
        pipe = client.pipeline(transaction=False)
        for command in commands:
            pipe.execute_command(*command, **self.raw)
        return pipe

    def parsed(self, client: Any, commands: Wire, replies: list[Any]) -> list[Any]:
        """Raw replies in the shapes that redis-py gives them, such as the dict of an HGETALL."""
        shapes = client.response_callbacks
        return [
            reply if isinstance(reply, Exception) or not (shape := shapes.get(command[0])) else shape(reply)
            for command, reply in zip(commands, replies, strict=True)
        ]

    def execute(self, client: Any, commands: Wire) -> list[Any]:
        """Send and read in the sync colour. Errors of the server stand in place of their replies."""
        if pool := quick_pool(client):
            return self.parsed(client, commands, pool.exchange(commands))
        if len(commands) == 1:  # redis-py's pipelines cost a quarter more than its single commands
            try:
                return [client.execute_command(*commands[0], **self.raw)]
            except self.refused as error:
                return [error]
        return list(self.fill(client, commands).execute(raise_on_error=False))

    async def aexecute(self, client: Any, commands: Wire) -> list[Any]:
        """Send and read in the async colour."""
        if pool := quick_pool(client):
            return self.parsed(client, commands, await pool.exchange(commands))
        if len(commands) == 1:
            try:
                return [await client.execute_command(*commands[0], **self.raw)]
            except self.refused as error:
                return [error]
        if self.clustered:
            await client.initialize()  # does nothing once the client knows its nodes
        return list(await self.fill(client, commands).execute(raise_on_error=False))


async def cancellable(call: Awaitable[T]) -> T:
    """Await a call of redis-py so that no cancellation of the task gets lost in it.

    redis-py sends under `asyncio.wait_for`, and before Python 3.12 that drops a cancellation which comes just when the
    sending ends (https://github.com/python/cpython/issues/86296): a task that reads for ever would then go on for ever.
    """
    task = asyncio.current_task()
    before = task.cancelling() if task else 0
    try:
        result = await call
    except Exception:
        await _end_if_cancelled(task, before)
        raise
    await _end_if_cancelled(task, before)
    return result


async def _end_if_cancelled(task: asyncio.Task[Any] | None, before: int) -> None:
    if task and task.cancelling() > before:
        await asyncio.sleep(0)  # anyio now cancels again, in the name of its scope
        raise asyncio.CancelledError


class Lane:
    """The async client of one event loop, and the commands that wait for the end of the current tick.

    Calls that are made in one tick, as when a graph saves the writes of parallel tasks, leave as one pipeline:
    redis-py's async client costs as much per round trip as several commands do.
    """

    def __init__(self, client: Any, plan: Plan, owned: Sequence[Any], forget: Callable[[], object]) -> None:
        self.client = client
        self._plan = plan
        self._tick: Tick[tuple[Any, ...], Any] = Tick(self.execute, blame=plan.malformed)
        self._owned = owned
        self._guard = self._open_until_closed(owned, forget)

    async def open(self) -> None:
        """Have the event loop close what is ours when it shuts down, as `asyncio.run` does with open generators."""
        await anext(self._guard)

    async def aclose(self) -> None:
        """Close what is ours."""
        await self._guard.aclose()

    def abandon(self) -> None:
        """Hang up what is ours, when its loop is closed and nothing can be awaited there any more."""
        for client in self._owned:
            for connection in _connections(client):
                _hang_up(connection)

    async def _open_until_closed(self, owned: Sequence[Any], forget: Callable[[], object]) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            forget()
            for client in owned:
                await client.aclose()

    async def execute(self, commands: Wire) -> list[Any]:
        """Send commands apart from all others."""
        return await cancellable(self._plan.aexecute(self.client, commands))

    async def send(self, commands: Wire) -> list[Any]:
        """Send commands together with those of every other call in this tick."""
        return list(await self._tick.join(commands))


def _connections(client: Any) -> list[Any]:
    """All that an async client of redis-py has open, which it says nowhere in public."""
    pool = getattr(client, "connection_pool", None)
    if pool is not None:
        return [*pool._available_connections, *pool._in_use_connections]  # noqa: SLF001 - see above
    nodes = client.nodes_manager.nodes_cache.values()
    return [connection for node in nodes for connection in node._connections]  # noqa: SLF001 - see above


def _hang_up(connection: Any) -> None:
    """End a connection at the socket: a transport of asyncio cannot be closed without its loop.

    Those of other loops, such as uvloop's, are closed with the loop.
    """
    transport = getattr(connection._writer, "transport", None)  # noqa: SLF001 - there is no other way to it
    end = transport.get_extra_info("socket") if transport else None
    if isinstance(end, TransportSocket) and end.fileno() >= 0:
        with suppress(OSError):  # the server was faster
            end.shutdown(SHUT_RDWR)
