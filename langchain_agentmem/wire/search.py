"""The search module's language: index schema, queries, and replies read back. Pure.

A query is text that the server parses, so nothing of a user's reaches it as it is: values are digests, words are
letters and digits, numbers are numbers, and `escape` guards all of them by allow-list.

Redis Search 2.10, the oldest version meant here, asks for some care:

* Words stand in a query as optional terms (`~@t:word`), because beneath an intersection a union scores wrong. A union
  without weight stands beside them, so that not every document of a scope is scored: four times quicker over 6,000.
  Two stop words ahead in a union crash the server: the index is created with STOPWORDS 0.
* BM25STD is named because the default scorer divides by the distance between words. Nothing else here asks where in a
  text a word stands, so the index keeps no offsets.
* A document that has just expired may come back with no fields; `Row.gone` says so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple, Self, TypeAlias

Metric: TypeAlias = Literal["cosine", "inner_product", "l2"]
Command: TypeAlias = tuple[Any, ...]

_UNSAFE = re.compile(r"([^\w]|_)")
_METRICS: dict[Metric, str] = {"cosine": "COSINE", "inner_product": "IP", "l2": "L2"}
_BY_NAME = {name: metric for metric, name in _METRICS.items()}
DISTANCE = "__d"
_MOST_ROWS = 1_000_000  # what a server lets LIMIT reach, unless it is set up otherwise (MAXSEARCHRESULTS)
# A busy server would otherwise stop a query after half a second and hand out what it has, without a word.
_COMPLETE = ("TIMEOUT", 0, "DIALECT", 2)
ALL = "*"


@dataclass(frozen=True, slots=True)
class VectorField:
    """How vectors are indexed.

    Attributes:
        dims: Numbers in a vector.
        metric: What nearness means.
        algorithm: `flat` compares with every vector of the scope: exact, and quickest to write. `hnsw` walks a graph:
            quicker over 100,000 vectors and more that no tag narrows down, close to exact, ten times slower to write.
        dtype: `float32`, or `float16` for half the memory.
        m: Links a node of the HNSW graph.
        ef_construction: Candidates looked at when a node is linked.
        ef_runtime: Candidates looked at by a query.
    """

    dims: int
    metric: Metric = "cosine"
    algorithm: Literal["flat", "hnsw"] = "flat"
    dtype: Literal["float32", "float16"] = "float32"
    m: int = 16
    ef_construction: int = 200
    ef_runtime: int = 100

    def schema(self, name: str) -> Command:
        """The field's part of FT.CREATE or FT.ALTER."""
        shape: list[Any] = ["TYPE", self.dtype.upper(), "DIM", self.dims, "DISTANCE_METRIC", _METRICS[self.metric]]
        if self.algorithm == "hnsw":
            shape += ["M", self.m, "EF_CONSTRUCTION", self.ef_construction, "EF_RUNTIME", self.ef_runtime]
        return (name, "VECTOR", self.algorithm.upper(), len(shape), *shape)

    def similarity(self, distance: float) -> float:
        """The server's distance as a similarity: cosine, inner product or negative Euclidean distance."""
        return -(max(distance, 0.0) ** 0.5) if self.metric == "l2" else 1.0 - distance


class Query(NamedTuple):
    """What a document must be: pieces that are all required. `str()` is the text for the server."""

    pieces: tuple[str, ...] = ()

    def tagged(self, name: str, *values: str) -> Self:
        """A TAG field holds one of the values."""
        # As one tag with alternatives, `@n:{a|b}`, it is a fifth slower where nothing holds one of them.
        clauses = [f"@{name}:{{{escape(value)}}}" for value in values]
        return self.__class__((*self.pieces, clauses[0] if len(clauses) == 1 else f"({'|'.join(clauses)})"))

    def within(self, name: str, low: float | None = None, high: float | None = None) -> Self:
        """A NUMERIC field lies between two numbers, both included; None leaves that end open."""
        return self.__class__((*self.pieces, _range(name, low, high)))

    def outside(self, name: str, low: float | None = None, high: float | None = None) -> Self:
        """A NUMERIC field does not lie between two numbers, or is not there."""
        return self.__class__((*self.pieces, f"-{_range(name, low, high)}"))

    def worded(self, name: str, word: str) -> Self:
        """A TEXT field holds the word."""
        return self.__class__((*self.pieces, held(name, word)))

    def favouring(self, name: str, words: Sequence[str], finding: Sequence[str]) -> Self:
        """A TEXT field holds one of the words that find at least; each of `words` that it holds counts for the score.

        Args:
            name: The field.
            words: What scores.
            finding: What finds, at least one word.
        """
        # A union of one is no union to the server, and would lose its weight: the first word stands twice.
        union = "|".join(held(name, word) for word in (*finding, finding[0]))
        return self.__class__((*self.pieces, f"({union})=>{{$weight:0}}", *(f"~{held(name, w)}" for w in words)))

    def __str__(self) -> str:
        return f"({' '.join(self.pieces)})" if self.pieces else ALL


def held(name: str, word: str) -> str:
    """The query for a TEXT field that holds a word."""
    return f"@{name}:{escape(word)}"


def escape(text: str) -> str:
    r"""A value as one word of a query: letters and digits stay, each other character gets a backslash."""
    return text if text.isalnum() else _UNSAFE.sub(r"\\\1", text)


def _range(name: str, low: float | None, high: float | None) -> str:
    return f"@{name}:[{'-inf' if low is None else f'{low!r}'} {'+inf' if high is None else f'{high!r}'}]"


def create(index: str, prefix: str, fields: Sequence[Command]) -> Command:
    """FT.CREATE over the hashes whose keys begin with `prefix`."""
    schema = [word for spec in fields for word in spec]
    return ("FT.CREATE", index, "ON", "HASH", "PREFIX", 1, prefix, "STOPWORDS", 0, "NOOFFSETS", "SCHEMA", *schema)


def alter(index: str, spec: Command) -> Command:
    """FT.ALTER: index one more field."""
    return ("FT.ALTER", index, "SCHEMA", "ADD", *spec)


def info(index: str) -> Command:
    """FT.INFO, for `IndexInfo.read`."""
    return ("FT.INFO", index)


def listing(
    index: str, query: Query, fields: Sequence[str], *, offset: int, limit: int, sort: str, ascending: bool = False
) -> Command:
    """FT.SEARCH ordered by a sortable field."""
    order = ("SORTBY", sort, "ASC" if ascending else "DESC")
    start = min(offset, _MOST_ROWS)
    return _search(index, str(query), fields, *order, "LIMIT", start, min(limit, _MOST_ROWS - start))


def count(index: str, query: Query) -> Command:
    """FT.SEARCH for the number of matches only."""
    return ("FT.SEARCH", index, str(query), "LIMIT", 0, 0, *_COMPLETE)


def nearest(
    index: str, query: Query, fields: Sequence[str], *, vector: bytes, name: str, k: int, dense: bool = False
) -> Command:
    """FT.SEARCH for the `k` nearest vectors among the matches, nearest first; `Row.distance` reads how far each is.

    Args:
        index: The index.
        query: What must match.
        fields: What to return besides the distance.
        vector: Nearest to what.
        name: The VECTOR field.
        k: How many.
        dense: A good part of the index matches. The server then goes through all vectors in order of nearness rather
            than through all matches, which it would do by itself from 10,000 matches on or so.
    """
    most = min(k, _MOST_ROWS)
    order = ("SORTBY", DISTANCE, "ASC", "LIMIT", 0, most, "PARAMS", 2, "v", vector)
    return _search(index, near(query, name, most, dense=dense), (DISTANCE, *fields), *order)


def near(query: Query, name: str, k: int, *, dense: bool = False) -> str:
    """The text of a query for the `k` nearest vectors to the parameter `v`; see `nearest`."""
    policy = " HYBRID_POLICY BATCHES" if dense else ""
    return f"{query}=>[KNN {k} @{name} $v{policy} AS {DISTANCE}]"


def ranked(index: str, query: Query, fields: Sequence[str], *, limit: int) -> Command:
    """FT.SEARCH ordered by BM25 over the words that the query favours."""
    return _search(index, str(query), fields, "SCORER", "BM25STD", "LIMIT", 0, limit)


def _search(index: str, text: str, fields: Sequence[str], *options: Any) -> Command:
    return ("FT.SEARCH", index, text, "RETURN", len(fields), *fields, *options, *_COMPLETE)


@dataclass(slots=True)
class Row:
    """One document of a reply.

    Attributes:
        key: Its key.
        fields: What RETURN named, as far as the document has it.
    """

    key: str
    fields: dict[str, bytes] = field(default_factory=dict)

    @classmethod
    def of(cls, key: str, names: Sequence[str], values: Sequence[bytes | None]) -> Self:
        """A hash from the values of its fields in order; None for those that it does not have."""
        return cls(key, {name: value for name, value in zip(names, values, strict=True) if value is not None})

    @property
    def gone(self) -> bool:
        """It expired or was deleted between match and load."""
        return not self.fields or self.fields.keys() == {DISTANCE}

    @property
    def distance(self) -> float:
        """How far its vector is, in a reply to `nearest`."""
        return float(self.fields[DISTANCE])


def total(reply: Any) -> int:
    """How many documents match, whatever LIMIT let through."""
    if isinstance(reply, dict):
        return int(_texts(reply)["total_results"])
    return int(reply[0])


def rows(reply: Any) -> list[Row]:
    """The documents of an FT.SEARCH reply, in the form of either protocol (RESP2: flat list, RESP3: map)."""
    if isinstance(reply, dict):
        return [_row_of_map(_texts(each)) for each in _texts(reply)["results"]]
    return [Row(_text(key), _pairs(values or ())) for key, values in zip(reply[1::2], reply[2::2], strict=True)]


def records(reply: Any, fields: Sequence[str]) -> list[tuple[str, list[bytes | None]]]:
    """The documents of a reply to a search that returns `fields`: the key of each, and what it has in each of them.

    The same as `rows`, in a form that takes a third of the time where hundreds are read.
    """
    if isinstance(reply, dict):
        return [(row.key, [*map(row.fields.get, fields)]) for row in rows(reply)]
    names, found = [name.encode() for name in fields], zip(reply[1::2], reply[2::2], strict=True)
    return [
        (_text(key), flat[1::2] if flat and flat[::2] == names else [*map(_pairs(flat or ()).get, fields)])
        for key, flat in found
    ]


def _row_of_map(entry: dict[str, Any]) -> Row:
    values = entry.get("extra_attributes") or {}
    return Row(_text(entry["id"]), {_text(name): _bytes(value) for name, value in values.items() if value is not None})


class _Names(dict[Any, str]):
    """Names of fields as texts. Those of one letter, read hundreds of times a reply, are known."""

    def __missing__(self, name: Any) -> str:
        return _text(name)


_name = _Names({name.encode(): name for name in (*"abcdefghijklmnopqrstuvwxyz", DISTANCE)}).__getitem__
_ONLY_BYTES = frozenset((bytes,))


def _pairs(flat: Sequence[Any]) -> dict[str, bytes]:
    found = dict(zip(map(_name, flat[::2]), flat[1::2], strict=True))
    if _ONLY_BYTES.issuperset(map(type, found.values())):
        return found
    return {name: _bytes(value) for name, value in found.items() if value is not None}


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What FT.INFO says of an index.

    Attributes:
        vector: Its vector field, without the options of the graph; None when it has none.
        busy: It is still reading the hashes that were there before it.
        documents: How many it holds.
    """

    vector: VectorField | None
    busy: bool
    documents: int

    @classmethod
    def read(cls, reply: Any) -> Self:
        """Read a reply to `info`, in the form of either protocol."""
        facts = dict(_items(reply))
        found = next((spec for spec in map(_spec, facts["attributes"]) if spec.get("type") == "VECTOR"), None)
        busy = int(facts.get("indexing", 0)) != 0
        return cls(vector=_vector(found) if found else None, busy=busy, documents=int(facts["num_docs"]))


def _vector(spec: dict[str, str]) -> VectorField:
    base = VectorField(int(spec["dim"]))
    return replace(
        base,
        metric=_BY_NAME[spec["distance_metric"]],
        algorithm="hnsw" if spec["algorithm"] == "HNSW" else "flat",
        dtype="float16" if spec["data_type"] == "FLOAT16" else "float32",
    )


def _spec(attribute: Any) -> dict[str, str]:
    """An attribute of FT.INFO. In RESP2 it is a flat list that ends in flags, in RESP3 a map."""
    if isinstance(attribute, dict):
        return {_text(name): _text(value) for name, value in attribute.items() if isinstance(value, bytes | str | int)}
    names, values = attribute[::2], attribute[1::2]
    return {_text(name): _text(value) for name, value in zip(names, values, strict=False)}


def _items(reply: Any) -> Iterator[tuple[str, Any]]:
    pairs = reply.items() if isinstance(reply, dict) else zip(reply[::2], reply[1::2], strict=False)
    return ((_text(name), value) for name, value in pairs)


def _texts(reply: dict[Any, Any]) -> dict[str, Any]:
    return {_text(name): value for name, value in reply.items()}


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")
