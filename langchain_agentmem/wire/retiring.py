"""Pools that are closed while others use them: mixins for redis-py's blocking pools.

redis-py disconnects also what is lent, under the hands of who reads from it. Here what is idle is disconnected at once,
and what is lent when it comes back; who still holds the pool gets connections that last for one loan.
"""

from __future__ import annotations

import os
from queue import Empty
from typing import Any


class Retiring:
    """For a sync pool.

    Attributes:
        retired: Whether it was closed.
    """

    retired = False

    def disconnect(self, inuse_connections: bool = True) -> None:
        """Disconnect what is idle, and, unless told otherwise, each connection that is lent when it comes back."""
        self.retired = self.retired or inuse_connections
        pool: Any = self
        if pool.pid != os.getpid():
            return  # a fork: these are the parent's
        idle = []
        try:
            while True:  # what is taken out is lent to nobody meanwhile
                idle.append(pool.pool.get_nowait())
        except Empty:
            pass
        for connection in reversed(idle):
            if connection is not None:
                connection.disconnect()
            pool.pool.put_nowait(connection)

    def release(self, connection: Any) -> None:
        """Take a connection back."""
        super().release(connection)  # type: ignore[misc]
        self.returned()

    def returned(self) -> None:
        """To be called after a connection came back: who closes the pool meanwhile finds it, or is found here."""
        if self.retired:
            self.disconnect()


class AsyncRetiring:
    """For an asyncio pool.

    Attributes:
        retired: Whether it was closed.
    """

    retired = False

    async def disconnect(self, inuse_connections: bool = True) -> None:
        """Disconnect what is idle, and, unless told otherwise, each connection that is lent when it comes back."""
        self.retired = self.retired or inuse_connections
        pool: Any = self
        idle = pool._available_connections  # noqa: SLF001 - what is taken out here is lent to nobody meanwhile
        while idle:
            await idle.pop().disconnect()

    async def release(self, connection: Any) -> None:
        """Take a connection back."""
        await super().release(connection)  # type: ignore[misc]
        if self.retired:
            await self.disconnect()
