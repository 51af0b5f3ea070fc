"""Shorter ways through redis-py's asyncio side, which takes most of an async call's time: mixins for its classes."""

from __future__ import annotations

import asyncio
import sys
from typing import Any


def quickened(kind: type, packer: Any | None, timed_out: type[Exception]) -> type:
    """redis-py's connection class `kind`, made quicker.

    Args:
        kind: One for asyncio.
        packer: redis-py's `HiredisRespSerializer`, where there is hiredis.
        timed_out: What redis-py raises when the server does not take what is sent.
    """
    packing = (_Packing,) if packer is not None else ()
    writing = (_Writing,) if sys.version_info < (3, 12) else ()
    return type(kind.__name__, (*packing, *writing, kind), {"packer": packer, "timed_out": timed_out})


class _Packing:
    """Packs commands as redis-py's own sync connections do, by hiredis in C."""

    packer: Any

    def pack_command(self, *args: Any) -> list[bytes]:
        packed: list[bytes] = self.packer.pack(*args)
        return packed


class _Writing:
    """Writes at once. redis-py writes under `asyncio.wait_for`, and that does it in another task before Python 3.12.

    Such a task runs when the loop has been around once, and until then the server has nothing to do.
    """

    timed_out: type[Exception]

    async def send_packed_command(self, command: Any, check_health: bool = True) -> None:
        connection: Any = self
        writing = super().send_packed_command(command, check_health)  # type: ignore[misc]
        patience = connection.socket_timeout
        if not patience or not connection.is_connected or connection.health_check_interval:
            return await writing  # type: ignore[no-any-return]
        connection.socket_timeout = None
        try:
            async with asyncio.timeout(patience):
                await writing
        except TimeoutError:
            raise self.timed_out("Timeout writing to socket") from None
        finally:
            connection.socket_timeout = patience


class Lending:
    """For a blocking pool: a free connection is lent at once, without the lock and the timer of those who wait for one.

    Only with protocol 2: with protocol 3 a server may announce a move, and the pool is rewritten under its lock.
    """

    async def get_connection(self, *args: Any, **options: Any) -> Any:
        """A connection that is ready."""
        pool: Any = self
        if pool.connection_kwargs.get("protocol") != 2 or not pool.can_get_connection():
            return await super().get_connection(*args, **options)  # type: ignore[misc]
        connection = pool.get_available_connection()
        try:
            await pool.ensure_connection(connection)
        except BaseException:
            await pool.release(connection)
            raise
        return connection
