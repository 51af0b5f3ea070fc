"""Shorter ways through redis-py's asyncio side, which takes most of an async call's time: mixins for its classes."""

from __future__ import annotations

from typing import Any


class Packing:
    """For a connection class: commands are packed as redis-py's own sync connections pack them, by hiredis in C.

    Attributes:
        packer: redis-py's `HiredisRespSerializer`.
    """

    packer: Any

    def pack_command(self, *args: Any) -> list[bytes]:
        """The bytes of one command."""
        packed: list[bytes] = self.packer.pack(*args)
        return packed


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
