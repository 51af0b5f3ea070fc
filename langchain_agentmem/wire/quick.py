"""Shorter ways through redis-py, whose clients and pools take more time than the trip does: mixins for its classes.

What goes over the wire, what is tried again and what is raised stays redis-py's own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from queue import Empty, Full
from types import FunctionType
from typing import Any, TypeAlias

from langchain_agentmem.wire.retiring import AsyncRetiring, Retiring

Wire: TypeAlias = Sequence[tuple[Any, ...]]


class Packing:
    """For a connection class: hiredis packs commands, without redis-py's walk over each argument.

    Attributes:
        packer: `hiredis.pack_command`.
        careful: redis-py's `HiredisRespSerializer`, which parts a name of two words and says what cannot be packed.
    """

    packer: Callable[[tuple[Any, ...]], bytes]
    careful: Any

    def pack_command(self, *args: Any) -> list[bytes]:
        """The bytes of one command."""
        return [self._packed(args)]

    def pack_commands(self, commands: Wire) -> list[bytes]:
        """The bytes of commands, as one piece."""
        return [b"".join([*map(self._packed, commands)])]

    def _packed(self, command: tuple[Any, ...]) -> bytes:
        try:
            if " " not in command[0]:
                return self.packer(command)
        except TypeError:
            pass
        return b"".join(self.careful.pack(*command))


class Quick:
    """What the pools of both colours share.

    Attributes:
        refused: What redis-py raises for an error that the server answered.
        lost: What it raises when a connection broke.
        late: What it raises when the server took too long.
        watched: Whether somebody watches what its clients and pools do.
    """

    refused: type[Exception]
    lost: tuple[type[Exception], ...]
    late: type[Exception]
    watched: Callable[[], bool]

    @property
    def quick(self) -> bool:
        """Whether the short ways may be taken.

        With protocol 3 a server may announce a move, and redis-py then rewrites the pool under its lock. Who watches
        redis-py, as OpenTelemetry does, sees only what goes its own ways.
        """
        pool: Any = self
        return pool.connection_kwargs.get("protocol") == 2 and not self.watched()


def watcher(colour: Any, providers: Any) -> Callable[[], bool]:
    """Tells whether somebody watches redis-py's clients: its own OpenTelemetry, or a tracer that wraps their methods.

    Args:
        colour: The module `redis` or `redis.asyncio`.
        providers: `redis.observability.providers`; None where there is none.
    """
    home = vars(colour.client)

    def watched() -> bool:
        ask = colour.Redis.execute_command
        if type(ask) is not FunctionType or ask.__globals__ is not home:
            return True
        return providers is not None and bool(providers.get_observability_instance().is_enabled())

    return watched


def quick_pool(client: Any) -> Any:
    """The pool of a client that we opened, if commands may go straight over its connections now; else None."""
    pool = getattr(client, "connection_pool", None)
    return pool if isinstance(pool, Quick) and pool.quick else None


class Direct(Quick, Retiring):
    """For a sync blocking pool: commands go straight over a connection of the pool."""

    def exchange(self, commands: Wire) -> list[Any]:
        """The server's replies as they are; its errors stand in their places."""
        connection = self._lend()
        try:
            packed = connection.pack_commands(commands)
            replies: list[Any] = connection.retry.call_with_retry(
                lambda: self._converse(connection, packed, len(commands)), lambda _: connection.disconnect()
            )
        finally:
            self._take_back(connection)
        return replies

    def _converse(self, connection: Any, packed: Any, count: int) -> list[Any]:
        replies = []
        try:
            connection.send_packed_command(packed)
            for _ in range(count):
                try:
                    replies.append(connection.read_response())
                except self.refused as error:
                    replies.append(error)
        except BaseException:
            # The next one on this connection must not read what is still to come.
            connection.disconnect()
            raise
        return replies

    def _lend(self) -> Any:
        """As the pool's `get_connection`, without what is for observers and for servers that move."""
        pool: Any = self
        connection = self._idle()
        if connection is None:
            return pool.get_connection()
        try:
            connection.connect()  # does nothing when it is connected
            if self._spoilt(connection):
                connection.disconnect()
                connection.connect()
        except BaseException:
            pool.release(connection)
            raise
        return connection

    def _idle(self) -> Any:
        pool: Any = self
        if pool.pid != os.getpid():
            return None  # a fork: redis-py's way leaves the parent's sockets alone
        try:
            connection = pool.pool.get_nowait()
        except Empty:
            return None
        if connection is None:  # room for one that is still to be made
            pool.pool.put_nowait(None)
        return connection

    def _spoilt(self, connection: Any) -> bool:
        """Whether the server closed it, or said something that nobody asked for."""
        try:
            return bool(connection.can_read())
        except self.lost:
            return True

    def _take_back(self, connection: Any) -> None:
        pool: Any = self
        if connection.should_reconnect() or not pool.owns_connection(connection):
            pool.release(connection)
            return
        try:
            pool.pool.put_nowait(connection)
        except Full:  # the pool was reset meanwhile
            connection.disconnect()
        self.returned()


class Lending(Quick, AsyncRetiring):
    """For an asyncio blocking pool: commands go straight over a connection of the pool.

    A free connection is lent at once, without the lock and the timer of those who wait for one.
    """

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection that is ready."""
        return await (self._lend() if self.quick else super().get_connection(*args, **options))  # type: ignore[misc]

    async def _lend(self) -> Any:
        pool: Any = self
        if not pool.can_get_connection():
            return await super().get_connection()  # type: ignore[misc]
        connection = pool.get_available_connection()
        try:
            await pool.ensure_connection(connection)
        except BaseException:
            await pool.release(connection)
            raise
        return connection

    async def exchange(self, commands: Wire) -> list[Any]:
        """The server's replies as they are; its errors stand in their places."""
        pool: Any = self
        connection = await self._lend()
        try:
            packed = connection.pack_commands(commands)
            replies: list[Any] = await connection.retry.call_with_retry(
                lambda: self._converse(connection, packed, len(commands)),
                lambda _: connection.disconnect(nowait=True),
            )
        finally:
            await pool.release(connection)
        return replies

    async def _converse(self, connection: Any, packed: Any, count: int) -> list[Any]:
        if not connection.is_connected:
            await connection.connect()
        await connection.check_health()
        # redis-py starts a task to send and a timer for each reply, to keep the time limit. One timer does.
        limit, connection.socket_timeout = connection.socket_timeout, None
        try:
            async with asyncio.timeout(limit) as deadline:
                await connection.send_packed_command(packed, check_health=False)
                return await self._replies(connection, count, limit, deadline)
        except BaseException as error:
            # The next one on this connection must not read what is still to come.
            await connection.disconnect(nowait=True)
            if isinstance(error, TimeoutError):
                raise self.late(f"Timeout: no answer from the server within {limit} s") from None
            raise
        finally:
            connection.socket_timeout = limit

    async def _replies(self, connection: Any, count: int, limit: float | None, deadline: Any) -> list[Any]:
        clock = asyncio.get_running_loop().time
        replies = []
        for _ in range(count):
            # The limit is that of one reply, but to set the timer costs more than to read: some of it may pass first.
            if limit is not None and (renewed := clock() + limit) - deadline.when() > limit / 8:
                deadline.reschedule(renewed)
            try:
                replies.append(await connection.read_response())
            except self.refused as error:
                replies.append(error)
        return replies
