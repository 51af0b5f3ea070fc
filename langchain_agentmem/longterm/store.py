"""AgentMemoryStore: LangGraph's long-term store on Redis hashes, with vector search where the server can search."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Self, TypeVar

from langchain_core.embeddings import Embeddings
from langgraph.store.base import (
    BaseStore,
    GetOp,
    Item,
    ListNamespacesOp,
    Op,
    PutOp,
    Result,
    SearchOp,
    TTLConfig,
    validate_op_namespace,
)

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks, filters, items, namespaces, writing
from langchain_agentmem.longterm.exact import ExactSearch
from langchain_agentmem.longterm.index import ItemIndex
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.searching import Filled, Hit, Listing, Neighbours, Search, Wanted
from langchain_agentmem.longterm.vectors import Encoder, VectorIndexConfig
from langchain_agentmem.longterm.writing import Put, Vectors
from langchain_agentmem.wire.awaitable import Count, Done, Nothing
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.changes import Changes
from langchain_agentmem.wire.closing import Closing
from langchain_agentmem.wire.connection import Command, Connection, Source
from langchain_agentmem.wire.keys import Keys, escape, read_namespace, write_namespace
from langchain_agentmem.wire.scripts import Script
from langchain_agentmem.wire.tick import Together

_GET = Script("store_get")
_DROP = Script("store_drop")
_NAMESPACES = Script("store_namespaces")

_LONGEST_TTL = 1e10  # minutes; the server counts milliseconds in 64 bits
Named = TypeVar("Named", GetOp, PutOp)

_PIPELINE = 500  # commands in a round trip: what a server does well within a socket's timeout


class AgentMemoryStore(Closing, BaseStore):
    """A LangGraph store on Redis or Valkey: `graph.compile(store=AgentMemoryStore(url))`.

    One class for sync and async; needs no `setup()` and no running loop to be made. Every operation is one round trip,
    and the concurrent async calls of one tick travel, and are embedded, together. Where the server has the search
    module, an index is made when first needed. Elsewhere everything works too: queries compare vectors in the client.

    A batch reads first and writes then: its reads see the state before its puts, and the last put of a key wins.

    Args:
        redis: A Redis URL, your own redis-py client (sync, async or cluster), or a `Connection` to share.
        index: How items are embedded: LangGraph's `IndexConfig` (dims, embed, fields), and `distance_type` ("cosine",
            "inner_product", "l2"), `algorithm` ("flat", "hnsw"), `dtype` ("float32", "float16"), `m`,
            `ef_construction`, `ef_runtime`. None: no vectors, and a search's `query` is ignored.
        ttl: LangGraph's `TTLConfig`, in minutes. Redis expires items by itself and an expired one is never seen, so
            `sweep_interval_minutes` and `omit_expired` change nothing.
        prefix: First segment of every key.
        tenant: Second segment of every key; tenants never see each other's items.
        exact_search_limit: Without the search module: the largest scope, in items, that a query may compare.
        **options: For redis-py, where `redis` is a URL.

    Raises:
        ConfigurationError: `redis` or `index` cannot be used.
    """

    supports_ttl = True

    def __init__(
        self,
        redis: Source,
        *,
        index: VectorIndexConfig | None = None,
        ttl: TTLConfig | None = None,
        prefix: str = "agentmem",
        tenant: str = "default",
        exact_search_limit: int = 5000,
        **options: Any,
    ) -> None:
        self.index_config = index.copy() if index else None
        self.ttl_config = ttl
        self.encoder = Encoder(index) if index else None
        self._owned = not isinstance(redis, Connection)
        self.connection = Connection.of(redis, **options)
        self.keys = Keys(prefix, tenant)
        self.changes = Changes()
        self.index = ItemIndex(self.connection, self.keys, self.encoder.field if self.encoder else None)
        self._together: Together[Op, Result] = Together(lambda ops: run(self._run(ops)), self._run)
        self._filled = Filled()
        self.exact = ExactSearch(self.connection, self.keys, exact_search_limit)

    @classmethod
    def from_conn_string(cls, conn_string: str, **options: Any) -> Self:
        """A store for a Redis URL, to be used in `with` or `async with`, which close its connections.

        Args:
            conn_string: A Redis URL; its forms are those of `Connection`.
            **options: As for the class.
        """
        return cls(conn_string, **options)

    @property
    def embeddings(self) -> Embeddings | None:
        """What embeds the items."""
        return self.encoder.embeddings if self.encoder else None

    # --- operations

    def batch(self, ops: Iterable[Op]) -> list[Result]:
        """Sync form of `abatch`."""
        return run(self.abatch(ops))

    async def abatch(self, ops: Iterable[Op]) -> list[Result]:
        """Run operations: the reads in as few round trips as they need, most often one, then the puts in one.

        The batches of concurrent tasks become one; of those, too, one that fails does so alone.

        Returns:
            For each operation: the item or None (get), items (search), namespaces (list), None (put).

        Raises:
            InvalidInputError: An operation cannot be used; nothing of the batch was done.
            InvalidNamespaceError: A label is empty, or holds a period or NUL.
            IndexMismatchError: The server's index is for vectors of other dimensions or another metric.
            UnsupportedServerError: A query needs the search module, see `exact_search_limit`.
        """
        asked = [_checked(op) for op in ops]
        if len(asked) == 1 and isinstance(asked[0], GetOp):  # the commonest batch: it shares nothing but the pipeline
            return [await self._get(asked[0])]
        return list(await self._together(asked))

    async def _run(self, asked: list[Op]) -> list[Result]:
        last = {(op.namespace, op.key): op for op in asked if isinstance(op, PutOp)}
        drops = [op for op in last.values() if op.value is None]
        puts = [Put.read(op, self.encoder) for op in last.values() if op.value is not None]
        vectors = await self._embed(asked, puts)
        first = _first_of_equals(asked)
        reads = {i: asked[i] for i in set(first) if not isinstance(asked[i], PutOp)}
        results = await self._read(reads, vectors) if reads else {}
        if last:
            await self._write(puts, drops, vectors)
        return [results.get(i) if i == at else copy.deepcopy(results.get(i)) for at, i in enumerate(first)]

    async def _embed(self, ops: Sequence[Op], puts: Sequence[Put]) -> Vectors:
        """The vectors of everything that the batch needs embedded."""
        if self.encoder is None:
            return {}
        queries = [op.query for op in ops if isinstance(op, SearchOp) and op.query]
        return await self.encoder.vectors([text for put in puts for text in put.texts], queries)

    # --- reading

    async def _get(self, op: GetOp) -> Item | None:
        values = (await self.connection.send(self._simple(op)))[0]
        if self._must_touch(op, values):
            await self.connection.send(self.item_command(_GET, op.namespace, op.key))
        return _item(op, values)

    async def _read(self, ops: Mapping[int, Op], vectors: Vectors) -> dict[int, Result]:
        searches = {i: op for i, op in ops.items() if isinstance(op, SearchOp)}
        usable = not searches or await self.index.usable()
        found = {} if usable else await self._read_scopes(searches, vectors)
        open_searches = {i: self._search(op, vectors) for i, op in searches.items()} if usable else {}
        simple = {i: op for i, op in ops.items() if isinstance(op, GetOp | ListNamespacesOp)}
        replies = await self._ask(list(open_searches.values()), [self._simple(op) for op in simple.values()])
        results: dict[int, Result] = {}
        used: list[tuple[Namespace, str]] = []
        for (i, op), reply in zip(simple.items(), replies, strict=True):
            if isinstance(op, ListNamespacesOp):
                results[i] = namespaces.listed(op, await self._alive(reply))
                continue
            results[i] = _item(op, reply)
            if self._must_touch(op, reply):
                used.append((op.namespace, op.key))
        found |= {i: search.hits for i, search in open_searches.items()}
        pages = {i: found[i][op.offset : op.offset + op.limit] for i, op in searches.items()}
        touching = [hit for i, hits in pages.items() if searches[i].refresh_ttl for hit in hits]
        used += [(hit.namespace, hit.key) for hit in touching if items.TTL in hit.fields]
        if used:
            await self.connection.send(*(self.item_command(_GET, *each) for each in used))
        return results | {i: [hit.item() for hit in hits] for i, hits in pages.items()}

    async def _ask(self, searches: Sequence[Search], others: Sequence[Command]) -> list[Any]:
        """Send the other commands with the first round of the searches; returns their replies."""
        first: list[Any] | None = None
        while True:
            rounds = [(search, search.commands()) for search in searches]
            commands = [command for _, asked in rounds for command in asked]
            extra = [*others] if first is None else []
            if not commands and not extra:
                return first or []
            replies = await self.index.ask([*commands, *extra])
            if first is None:
                first = replies[len(commands) :]
            start = 0
            for search, asked in rounds:
                if asked:
                    search.read(replies[start : start + len(asked)])
                start += len(asked)

    def _search(self, op: SearchOp, vectors: Vectors) -> Search:
        wanted = _wanted(op)
        vector = vectors.get((True, op.query)) if op.query else None
        if self.encoder is None or vector is None:
            return Listing(self.index.name, self.keys, wanted)
        return Neighbours(self.index.name, self.keys, wanted, self.encoder.field, vector, self._filled)

    async def _read_scopes(self, ops: dict[int, SearchOp], vectors: Vectors) -> dict[int, list[Hit]]:
        """The same searches on a server without the search module."""
        found = {}
        for i, op in ops.items():
            wanted = _wanted(op)
            scope = await self.namespaces_below(wanted.prefix)
            vector = vectors.get((True, op.query)) if op.query else None
            if self.encoder is None or vector is None:
                found[i] = await self.exact.listing(wanted, scope)
            else:
                found[i] = await self.exact.neighbours(wanted, scope, self.encoder.field, vector)
        return found

    async def namespaces_below(self, prefix: Namespace) -> list[Namespace]:
        """The namespaces that have items and begin with a prefix."""
        return await self._alive((await self.connection.send(self._listing(prefix)))[0])

    def _listing(self, prefix: Namespace = ()) -> Command:
        registry = self.keys.namespaces()
        by_name = () if self.connection.clustered else (self.keys.namespace_names(),)
        return _NAMESPACES([registry, *by_name], [write_namespace(prefix) if prefix else ""])

    def _simple(self, op: GetOp | ListNamespacesOp) -> Command:
        if isinstance(op, ListNamespacesOp):
            return self._listing()
        if self._touches(op):
            return self.item_command(_GET, op.namespace, op.key, *items.READ)
        return ("HMGET", self.keys.item(op.namespace, op.key), *items.READ)

    def _touches(self, op: GetOp) -> bool:
        """Whether a get starts the time to live anew in the same round trip: where items have one as a rule."""
        return op.refresh_ttl and self.ttl_config is not None

    def _must_touch(self, op: GetOp, values: Sequence[bytes | None]) -> bool:
        """Whether a get has found a time to live that it ought to start anew, and did not."""
        return op.refresh_ttl and values[3] is not None and not self._touches(op)

    async def _alive(self, members: Sequence[bytes]) -> list[Namespace]:
        """Namespaces of the registry. On a cluster it holds too many: it cannot change in one step with the items."""
        found = [read_namespace(member) for member in members]
        if not self.connection.clustered:
            return found
        there = await self.connection.send(*(("EXISTS", self.keys.items(namespace)) for namespace in found))
        return [namespace for namespace, exists in zip(found, there, strict=True) if exists]

    # --- writing

    async def _write(self, puts: Sequence[Put], drops: Sequence[PutOp], vectors: Vectors) -> None:
        if puts:
            await self.index.usable()
        for start in range(0, max(len(puts), len(drops)), _PIPELINE):
            chunk = puts[start : start + _PIPELINE]
            made = writing.commands(chunk, vectors, self.keys, clustered=self.connection.clustered)
            entries = [each for put in chunk for each in self.registration(put.op.namespace)]
            gone = [self.item_command(_DROP, op.namespace, op.key) for op in drops[start : start + _PIPELINE]]
            await self.connection.send(*made, *entries, *gone)
        for namespace in {op.namespace for op in (*(put.op for put in puts), *drops)}:
            self.changes.note(namespace)

    def item_command(self, script: Script, namespace: Namespace, key: str, *args: Any) -> Command:
        """A run of a script that builds on `item.lua`."""
        own = (self.keys.item(namespace, key), self.keys.items(namespace))
        scope = (self.keys.known(namespace), self.keys.facts(namespace))
        everywhere = () if self.connection.clustered else (self.keys.namespaces(),)
        return script([*own, *scope, *everywhere], [escape(key), write_namespace(namespace), *args])

    def registration(self, namespace: Namespace) -> list[Command]:
        """On a cluster, what a script cannot do: enter a namespace in the tenant's registry, which has another slot."""
        if not self.connection.clustered:
            return []
        return [("ZADD", self.keys.namespaces(), "inf", write_namespace(namespace))]

    # --- what other stores have

    def setup(self) -> Nothing:
        """Nothing: the store needs no set-up. Here, and below, because other stores ask for the call; see `Nothing`."""
        return Nothing()

    async def asetup(self) -> None:
        """Nothing: see `setup`."""
        await self.setup()

    def sweep_ttl(self) -> Count:
        """Nothing, 0 items: Redis expires items by itself."""
        return Count(0)

    def start_ttl_sweeper(self, sweep_interval_minutes: int | None = None) -> Done:
        """Nothing: see `sweep_ttl`."""
        return Done()

    def stop_ttl_sweeper(self, timeout: float | None = None) -> Done:
        """Nothing: see `sweep_ttl`."""
        return Done()

    def close(self) -> None:
        """Close the sync connections, if they are the store's own."""
        if self._owned:
            self.connection.close()

    async def aclose(self) -> None:
        """Close the connections, if they are the store's own."""
        if self._owned:
            await self.connection.aclose()


def _checked(op: Op) -> Op:
    """An operation in its proper form: namespaces as tuples, keys as text.

    Raises:
        InvalidInputError: It cannot be used.
    """
    match op:
        case GetOp():
            op = _typed(op)
        case PutOp():
            op = _typed(op)
            if not op.namespace:
                raise InvalidInputError("namespace: an item needs at least one label")
            ttl: Any = op.ttl
            if ttl is not None and not (isinstance(ttl, int | float) and 0 < ttl < _LONGEST_TTL):
                raise InvalidInputError(f"ttl: minutes over 0, or None for an item that never expires; not {ttl!r}")
            checks.mapping("value", op.value)
            if op.index:
                checks.texts("index", op.index)
        case SearchOp():
            if type(op.namespace_prefix) is not tuple:
                op = op._replace(namespace_prefix=namespaces.read("namespace_prefix", op.namespace_prefix))
            filters.check(op.filter)
            checks.whole("limit", op.limit)
            checks.whole("offset", op.offset)
            if op.query is not None:
                checks.text("query", op.query)
        case ListNamespacesOp():
            namespaces.check(op)
        case _:
            raise InvalidInputError(f"ops: {type(op).__name__} is no operation of a store")
    validate_op_namespace(op)
    return op


def _typed(op: Named) -> Named:
    if type(op.namespace) is tuple and type(op.key) is str:
        return op
    return op._replace(namespace=namespaces.read("namespace", op.namespace), key=str(op.key))


def _first_of_equals(ops: Sequence[Op]) -> list[int]:
    """For each operation the place of the first that reads the same: many tasks may ask for one thing at once."""
    if len(ops) == 1:
        return [0]
    places: dict[str, int] = {}
    return [i if isinstance(op, PutOp) else places.setdefault(repr(op), i) for i, op in enumerate(ops)]


def _wanted(op: SearchOp) -> Wanted:
    return Wanted(op.namespace_prefix, op.filter, op.offset + op.limit if op.limit > 0 else 0)


def _item(op: GetOp, values: Sequence[bytes | None]) -> Item | None:
    value, created, updated = values[:3]
    if value is None or created is None or updated is None:
        return None
    times = items.to_time(created), items.to_time(updated)
    return Item(
        value=items.load_value(value), key=op.key, namespace=op.namespace, created_at=times[0], updated_at=times[1]
    )
