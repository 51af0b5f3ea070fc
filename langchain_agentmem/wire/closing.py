"""What makes an object that can be closed usable in `with` and `async with`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Self

from langchain_agentmem.wire.bridge import either

if TYPE_CHECKING:
    from langchain_agentmem.wire.connection import Connection


class Closing:
    """Closes at the end of a `with` or `async with`. The colours close apart, since connections are kept by colour."""

    __slots__ = ()

    def close(self) -> None:
        """Close what the sync colour opened."""
        raise NotImplementedError

    async def aclose(self) -> None:
        """Close what either colour opened."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()


class ClosingOwn(Closing):
    """Closes its connection, if it opened that itself; a `Connection` that it was given stays open."""

    _redis: Connection
    _owned: bool

    def close(self) -> None:
        """Close the sync connections, if they are its own."""
        if self._owned:
            self._redis.close()

    async def aclose(self) -> None:
        """Close the connections, if they are its own; in the sync colour the sync ones."""
        if self._owned:
            await either(self._redis.close, self._redis.aclose)
