"""The search index over the items of a tenant: made when first needed, never by hand."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from langchain_agentmem.errors import IndexMismatchError
from langchain_agentmem.longterm.items import VECTOR, schema
from langchain_agentmem.wire import search
from langchain_agentmem.wire.bridge import sleep
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.search import IndexInfo, VectorField

_PATIENCE = 60.0  # seconds to wait while an index reads the items that were there before it
_PAUSE = 0.005
_PIPELINE = 500  # commands in a round trip: what a server does well within a socket's timeout


class ItemIndex:
    """The index of one tenant, on a server that has the search module; elsewhere it says that there is none.

    Args:
        redis: The connection.
        keys: The tenant's key names.
        vector: How vectors are to be indexed; None for a store without an embedder.

    Attributes:
        name: What the server calls it.
        flat: Whether a search compares every vector.
    """

    def __init__(self, redis: Connection, keys: Keys, vector: VectorField | None) -> None:
        self._redis = redis
        self._keys = keys
        self._vector = vector
        self._usable: bool | None = None
        self.name = keys.index()
        self.flat = vector is not None and vector.algorithm == "flat"

    async def usable(self) -> bool:
        """Whether searches can run on the server. The first call asks, and makes the index where it is missing.

        Raises:
            IndexMismatchError: There is one for vectors of other dimensions or another metric.
        """
        if self._usable is None:
            self._usable = await self._open()
        return self._usable

    async def ask(self, commands: Sequence[Command]) -> list[Any]:
        """Send commands that read through the index; those that missed it once more, when somebody had dropped it."""
        replies = await self._send(commands)
        if missed := [place for place, reply in enumerate(replies) if _is_missing(reply)]:
            self._usable = await self._open()
            for place, reply in zip(missed, await self._send([commands[place] for place in missed]), strict=True):
                replies[place] = reply
        for reply in replies:
            if isinstance(reply, Exception):
                raise reply
        return replies

    async def _send(self, commands: Sequence[Command]) -> list[Any]:
        replies = []
        for start in range(0, len(commands), _PIPELINE):
            replies += await self._redis.send(*commands[start : start + _PIPELINE], return_errors=True)
        return replies

    async def _open(self) -> bool:
        found = (await self._redis.send(search.info(self.name), return_errors=True))[0]
        if not isinstance(found, Exception):
            return await self._adopt(IndexInfo.read(found))
        if _is_unavailable(found):
            return False
        if not _is_missing(found):
            raise found
        return await self._make(search.create(self.name, self._keys.item_prefix, schema(self._vector)))

    async def _adopt(self, found: IndexInfo) -> bool:
        wanted = self._vector
        if found.vector is not None:
            self.flat = found.vector.algorithm == "flat"  # whatever this store was set up for
        if wanted is None or (found.vector is not None and _shape(found.vector) == _shape(wanted)):
            return True
        if found.vector is None:  # so far no store of this tenant had an embedder
            return await self._make(search.alter(self.name, wanted.schema(VECTOR)))
        raise IndexMismatchError(
            f"index: the items under {self._keys.base!r} are indexed for {_told(found.vector)}, this store is set up"
            f" for {_told(wanted)}. Use the embedder that wrote them, or give this store a prefix= or tenant= of its"
            f" own; to embed all anew, export, FT.DROPINDEX {self.name} and import"
        )

    async def _make(self, command: Command) -> bool:
        made = (await self._redis.send(command, return_errors=True))[0]
        if isinstance(made, Exception) and not _was_quicker(made):
            raise made
        until = time.monotonic() + _PATIENCE
        while (info := await self._info()).busy and time.monotonic() < until:
            await sleep(_PAUSE)
        return await self._adopt(info) if isinstance(made, Exception) else True

    async def _info(self) -> IndexInfo:
        return IndexInfo.read((await self._redis.send(search.info(self.name)))[0])


def _shape(vector: VectorField) -> tuple[int, str, str]:
    return vector.dims, vector.metric, vector.dtype


def _told(vector: VectorField) -> str:
    return f"{vector.dims} dimensions, {vector.metric}, {vector.dtype}"


def _is_missing(reply: Any) -> bool:
    """The server searches, but has no index of the name (Redis Search words it in several ways)."""
    return isinstance(reply, Exception) and _says(reply, "unknown index", "no such index", "index not found")


def _is_unavailable(error: Exception) -> bool:
    """The server has no search module, or this user may not use it: both are served without."""
    return _says(error, "unknown command", "noperm", "no permissions")


def _was_quicker(error: Exception) -> bool:
    """Another process made the same index, or added the same field, in between."""
    return _says(error, "already exists", "duplicate field")


def _says(error: Exception, *phrases: str) -> bool:
    said = str(error).lower()
    return any(phrase in said for phrase in phrases)
