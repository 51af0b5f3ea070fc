"""Pipelines: how a batch of commands reaches a redis-py client, sync or async. Knows the client by its methods only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from typing import Any, TypeVar

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.wire.quick import Wire, quick_pool
from langchain_agentmem.wire.tick import Tick

T = TypeVar("T")


class Plan:
    """How commands are put to one client, and its replies read.

    Args:
        raw: redis-py option that keeps a reply as bytes; empty for a client that never decodes.
        clustered: The client is a cluster client, which must be told the node of a transaction.
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

    def fill(self, client: Any, commands: Wire, atomic: bool) -> Any:
        """A pipeline of `client` that holds the commands."""
        pipe = client.pipeline(transaction=False)
        options = self.raw
        if atomic:
            # redis-py decodes the replies inside its own transactions whatever it is told, and on a cluster it runs an
            # event loop in a thread for each command: MULTI and EXEC go as commands.
            options = options | {"target_nodes": _node(client, commands)} if self.clustered else options
            commands = framed(commands)
        for command in commands:
            pipe.execute_command(*command, **options)
        return pipe

    def read(self, replies: list[Any], atomic: bool) -> list[Any]:
        """One reply for each command."""
        if not atomic:
            return replies
        *queued, outcome = replies
        if isinstance(outcome, Exception):  # refused as a whole: say which command was at fault
            outcome = [next((reply for reply in queued if isinstance(reply, Exception)), outcome)] * (len(queued) - 1)
        return list(outcome)

    def parsed(self, client: Any, commands: Wire, replies: list[Any]) -> list[Any]:
        """Raw replies in the shapes that redis-py gives them, such as the dict of an HGETALL."""
        shapes = client.response_callbacks
        return [
            reply if isinstance(reply, Exception) or not (shape := shapes.get(command[0])) else shape(reply)
            for command, reply in zip(commands, replies, strict=True)
        ]

    def execute(self, client: Any, commands: Wire, atomic: bool) -> list[Any]:
        """Send and read in the sync colour. Errors of the server stand in place of their replies."""
        if pool := quick_pool(client):
            replies = pool.exchange(framed(commands) if atomic else commands)
            return self.read(replies, True) if atomic else self.parsed(client, commands, replies)
        if len(commands) == 1 and not atomic:  # redis-py's pipelines cost a quarter more than its single commands
            try:
                return [client.execute_command(*commands[0], **self.raw)]
            except self.refused as error:
                return [error]
        return self.read(self.fill(client, commands, atomic).execute(raise_on_error=False), atomic)

    async def aexecute(self, client: Any, commands: Wire, atomic: bool) -> list[Any]:
        """Send and read in the async colour."""
        if pool := quick_pool(client):
            replies = await pool.exchange(framed(commands) if atomic else commands)
            return self.read(replies, True) if atomic else self.parsed(client, commands, replies)
        if len(commands) == 1 and not atomic:
            try:
                return [await client.execute_command(*commands[0], **self.raw)]
            except self.refused as error:
                return [error]
        if self.clustered:
            await client.initialize()  # does nothing once the client knows its nodes
        return self.read(await self.fill(client, commands, atomic).execute(raise_on_error=False), atomic)


def framed(commands: Wire) -> Wire:
    """The commands as one transaction."""
    return (("MULTI",), *commands, ("EXEC",))


def _node(client: Any, commands: Wire) -> Any:
    """The cluster node of a transaction. A command's key is its first argument."""
    if len({client.keyslot(command[1]) for command in commands}) > 1:
        raise InvalidInputError("atomic: on a cluster all keys of one atomic call must share a hash tag")
    return client.get_node_from_key(commands[0][1])


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
        self._guard = self._open_until_closed(owned, forget)

    async def open(self) -> None:
        """Have the event loop close what is ours when it shuts down, as `asyncio.run` does with open generators."""
        await anext(self._guard)

    async def aclose(self) -> None:
        """Close what is ours."""
        await self._guard.aclose()

    async def _open_until_closed(self, owned: Sequence[Any], forget: Callable[[], object]) -> AsyncGenerator[None]:
        try:
            yield
        finally:
            forget()
            for client in owned:
                await client.aclose()

    async def execute(self, commands: Wire, atomic: bool = False) -> list[Any]:
        """Send commands apart from all others."""
        return await cancellable(self._plan.aexecute(self.client, commands, atomic))

    async def send(self, commands: Wire) -> list[Any]:
        """Send commands together with those of every other call in this tick."""
        return list(await self._tick.join(commands))
