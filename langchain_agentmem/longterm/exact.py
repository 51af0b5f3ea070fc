"""Searches without the search module: the client reads the items of a scope and compares them itself, exactly."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from langchain_agentmem.errors import IndexMismatchError, UnsupportedServerError
from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.searching import Hit, Wanted, nearest_first, read_hit
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, unescape
from langchain_agentmem.wire.search import Row, VectorField

_CHUNK = 1000  # hashes read in one round trip
_REMEDY = "run Redis 8, Redis Stack or Valkey with the search module"


class ExactSearch:
    """Searches that read a whole scope.

    Args:
        redis: The connection.
        keys: The tenant's key names.
        limit: The largest scope, in items, whose vectors are compared in the client.
    """

    def __init__(self, redis: Connection, keys: Keys, limit: int) -> None:
        self._redis = redis
        self._keys = keys
        self._limit = limit

    async def listing(self, wanted: Wanted, namespaces: Sequence[Namespace]) -> list[Hit]:
        """Items by the time of their last update, newest first."""
        found = await self._read(await self._names(namespaces), items.READ)
        return self._newest(found, wanted)[: wanted.end]

    async def neighbours(
        self, wanted: Wanted, namespaces: Sequence[Namespace], field: VectorField, vector: bytes
    ) -> list[Hit]:
        """Items by the similarity of their nearest vector, then, newest first, those that have none.

        Raises:
            UnsupportedServerError: The scope is too large for this, or numpy is missing.
        """
        names = await self._names(namespaces)
        self._guard(len(names))
        found = await self._read(names, (*items.READ, items.VECTOR, items.FURTHER))
        owners, vectors = await self._vectors(found)
        best: dict[str, float] = {}
        for key, score in zip(owners, similarities(field, vector, vectors), strict=True):
            best[key] = max(score, best.get(key, score))
        near = [read_hit(self._keys, row, wanted, best[row.key]) for row in found if row.key in best]
        ranked = sorted(
            (hit for hit in near if hit), key=lambda hit: nearest_first(hit.score or 0.0, hit.namespace, hit.key)
        )
        rest = self._newest([row for row in found if row.key not in best], wanted)
        return (ranked + rest)[: wanted.end]

    async def rows(self, namespaces: Sequence[Namespace], fields: Sequence[str]) -> list[Row]:
        """All items of some namespaces, however many."""
        return await self._read(await self._names(namespaces), fields)

    async def everything(self, namespaces: Sequence[Namespace], fields: Sequence[str], *, past: bool) -> list[Row]:
        """All items of some namespaces, and with `past` what they were before they changed.

        Raises:
            UnsupportedServerError: There are too many, or numpy is missing.
        """
        names = await self._names(namespaces)
        self._guard(len(names))
        if past:
            names += await self._past(namespaces)
        return await self._read(names, fields)

    async def _past(self, namespaces: Sequence[Namespace]) -> list[str]:
        known = await self._redis.send(*(("HGETALL", self._keys.known(each)) for each in namespaces))
        return [
            f"{self._keys.item(namespace, unescape(field[1:]))}:v{version}"
            for namespace, found in zip(namespaces, known, strict=True)
            for field, count in items.mapping(found).items()
            if field.startswith(b"#")
            for version in range(1, int(count) + 1)
        ]

    def _guard(self, size: int) -> None:
        if size > self._limit:
            raise UnsupportedServerError(
                f"query: this server has no search module and the scope holds {size} items, over"
                f" exact_search_limit={self._limit}; narrow the namespace, raise the limit, or {_REMEDY}"
            )
        if find_spec("numpy") is None:
            raise UnsupportedServerError(
                "query: this server has no search module, and comparing vectors here needs numpy;"
                f" pip install 'langchain-agentmem[numpy]', or {_REMEDY}"
            )

    async def _names(self, namespaces: Sequence[Namespace]) -> list[str]:
        """The keys of all items of some namespaces."""
        members = await self._redis.send(*(("ZRANGE", self._keys.items(each), 0, -1) for each in namespaces))
        return [
            self._keys.item(namespace, unescape(member))
            for namespace, found in zip(namespaces, members, strict=True)
            for member in found
        ]

    async def _read(self, keys: Sequence[str], fields: Sequence[str]) -> list[Row]:
        rows: list[Row] = []
        for start in range(0, len(keys), _CHUNK):
            chunk = keys[start : start + _CHUNK]
            replies = await self._redis.send(*(("HMGET", key, *fields) for key in chunk))
            rows += [Row.of(key, fields, values) for key, values in zip(chunk, replies, strict=True)]
        return [row for row in rows if items.VALUE in row.fields]

    async def _vectors(self, found: Sequence[Row]) -> tuple[list[str], list[bytes]]:
        """Every vector of the items, and the item's key beside each."""
        own = [(row.key, row.fields[items.VECTOR]) for row in found if items.VECTOR in row.fields]
        asked = [
            (row.key, f"{row.key}:x{i}") for row in found for i in range(1, int(row.fields.get(items.FURTHER, 0)) + 1)
        ]
        replies = await self._redis.send(*(("HGET", key, items.VECTOR) for _, key in asked))
        further = [(owner, vector) for (owner, _), vector in zip(asked, replies, strict=True) if vector]
        return [owner for owner, _ in own + further], [vector for _, vector in own + further]

    def _newest(self, rows: Sequence[Row], wanted: Wanted) -> list[Hit]:
        hits = [hit for row in rows if (hit := read_hit(self._keys, row, wanted))]
        return sorted(hits, key=lambda hit: (-int(hit.fields[items.UPDATED]), hit.namespace, hit.key))


def similarities(field: VectorField, query: bytes, vectors: Sequence[bytes]) -> list[float]:
    """How similar each packed vector is to a query: cosine, inner product or negative Euclidean distance.

    Raises:
        IndexMismatchError: Another embedder made one of them.
    """
    if not vectors:
        return []
    if other := next((each for each in vectors if len(each) != len(query)), None):
        width = len(query) // field.dims
        raise IndexMismatchError(
            f"index: vectors of {len(other) // width} dimensions lie in this scope, this store is set up for"
            f" {field.dims}; use the embedder that wrote them, or a prefix= or tenant= of its own"
        )
    import numpy as np

    # In float32: a copy in float64 of a scope's vectors would take ten times as long as the comparison.
    kind = np.dtype("<f4" if field.dtype == "float32" else "<f2")
    rows = np.frombuffer(b"".join(vectors), kind).reshape(len(vectors), -1).astype(np.float32, copy=False)
    asked = np.frombuffer(query, kind).astype(np.float32, copy=False)
    if field.metric == "l2":
        scores = -np.linalg.norm(rows - asked, axis=1)
    elif field.metric == "inner_product":
        scores = rows @ asked
    else:
        scores = (rows @ asked) / np.sqrt(np.einsum("ij,ij->i", rows, rows) * (asked @ asked))
    told: list[float] = scores.tolist()
    return told
