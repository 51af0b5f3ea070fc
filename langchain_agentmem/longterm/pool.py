"""What a recall found, read as far as its ranking needs it.

What a memory says is the same until it is updated, so a process that read it before asks only when that was: the
server has that at hand, and need not open the hash of each of a hundred memories, which takes it longer than to find
them. Of few memories all is read at once. Of many the rest is read in a second trip, of the dozen or two that their
history may still bring among the best: to fetch it of all would take longer than the trip.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from typing import NamedTuple

from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.candidates import Saying, Sayings
from langchain_agentmem.longterm.counts import Counts
from langchain_agentmem.longterm.features import Said
from langchain_agentmem.longterm.legs import EVERYTHING, Hit
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.search import Query, Row, VectorField

STAMP = (items.UPDATED,)
RELEVANT = (*STAMP, items.VALUE, items.WORDS, items.HAPPENED)
WHOLE = (*RELEVANT, *(name for name in record.READ if name not in RELEVANT))
"""The fields of a hash that are asked for: its time alone; what relevance is read from; all. One begins as another."""

# Of a scope that holds so few all is read at once. Of more, a second trip for those that come into question is quicker:
# among 500, reading all of what is found takes the server 4 ms, the trip .3. A scope that nobody here has counted yet
# may hold few where the whole index does not hold many.
_FEW, _NOT_MANY = 60, 1000
# Where a greater share of what was found last had been read before, what is not known is asked for hash by hash.
_MOSTLY = 0.5
_MOST_SCOPES = 4096


class Told(NamedTuple):
    """A memory that was found.

    Attributes:
        said: What it says.
        distance: How far its vector is, as the server says, where it was found by that.
        vector: Else its vector, if it has one and vectors are compared here.
    """

    said: Said
    distance: bytes | None
    vector: bytes | None


class Pool:
    """What was found.

    Args:
        redis: Where the hashes are.
        told: Each memory.
        fields: By their keys, the values of the fields `WHOLE`, of those that were read so.
    """

    def __init__(self, redis: Connection, told: Sequence[Told], fields: dict[str, Sequence[bytes | None]]) -> None:
        self._redis = redis
        self.told = told
        self._fields = fields

    async def whole(self, keys: Sequence[str]) -> Mapping[str, Row]:
        """All that the bank knows of some memories; a row is empty where one is gone. One trip, if any is unread."""
        unread = [key for key in keys if key not in self._fields]
        replies = await self._redis.send(*(("HMGET", key, *WHOLE) for key in unread))
        self._fields.update(zip(unread, replies, strict=True))
        return {key: Row.of(key, WHOLE, self._fields[key]) for key in keys}


class PoolReader:
    """Reads what recalls find.

    Args:
        redis: Where the hashes are.
        vector: How vectors are indexed; None: they are not.

    Attributes:
        measures: Whether vectors can be compared here.
    """

    def __init__(self, redis: Connection, vector: VectorField | None) -> None:
        self._redis = redis
        self.measures = vector is not None and find_spec("numpy") is not None
        self._sayings = Sayings()
        self._shares: dict[Query, float] = {}

    def fields(self, scope: Query, counts: Counts) -> tuple[str, ...]:
        """What a search in a scope best returns of each memory: `STAMP`, `RELEVANT` or `WHOLE`."""
        size = counts.last(scope)
        few = (counts.last(EVERYTHING) or 0) <= _NOT_MANY if size is None else size <= _FEW
        if few:
            return WHOLE
        return STAMP if self._shares.get(scope, 0.0) > _MOSTLY else RELEVANT

    async def read(self, scope: Query, hits: Sequence[Hit]) -> Pool:
        """What the memories say that were found in a scope: one trip, if any is not known by its time.

        Args:
            scope: The scope.
            hits: What was found, all with the same of the three sets of fields. Those whose value is gone are left out.

        Raises:
            CorruptDataError: A value is not a JSON object.
        """
        known = [self._known(*hit) for hit in hits]
        if hits:
            self._note(scope, 1.0 - known.count(None) / len(hits))
        found = await self._filled(hits, known)
        told = [
            Told(saying.said, distance, vector or saying.vector)
            for (key, fields, distance, vector), before in zip(found, known, strict=True)
            if (saying := before or self._sayings.read(key, fields, vector))
        ]
        whole = {key: fields for key, fields, _, _ in found if len(fields) == len(WHOLE)}
        return Pool(self._redis, told, whole)

    def forget(self) -> None:
        """Forget what memories say."""
        self._sayings.forget()

    def _known(
        self, key: str, fields: Sequence[bytes | None], distance: bytes | None, vector: bytes | None
    ) -> Saying | None:
        """What is known of a memory that was found, if that is enough."""
        saying = self._sayings.known(key, fields, vector)
        if saying and saying.vector is None and distance is None and self.measures and len(fields) == len(STAMP):
            return None
        return saying

    async def _filled(self, hits: Sequence[Hit], known: Sequence[Saying | None]) -> Sequence[Hit]:
        """The same, where all is read of those of which neither search nor process told enough."""
        missing = [hit[0] for hit, saying in zip(hits, known, strict=True) if not saying and len(hit[1]) == len(STAMP)]
        if not missing:
            return hits
        extra = (items.VECTOR,) if self.measures else ()
        replies = await self._redis.send(*(("HMGET", key, *WHOLE, *extra) for key in missing))
        read = dict(zip(missing, replies, strict=True))
        filled = []
        for key, stamp, distance, own in hits:
            values = read.get(key)
            vector = values[-1] or b"" if values and extra else own
            filled.append((key, values[: len(WHOLE)] if values else stamp, distance, vector))
        return filled

    def _note(self, scope: Query, share: float) -> None:
        if len(self._shares) >= _MOST_SCOPES:
            self._shares.clear()
        self._shares[scope] = share
