"""Hundreds of documents found by vector and by words, counted and read in one step of the server.

The slowest part of such a search is redis-py's own parser, which takes a microsecond for each name and each value. So
a script runs the searches, reads what they found, each hash once, and hands out a text for each field of them all. And
it counts first, so that words which a good part of the documents hold need not be searched for. Not on a cluster,
where scripts cannot search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from langchain_agentmem.wire import search
from langchain_agentmem.wire.packing import packed
from langchain_agentmem.wire.scripts import Script, ScriptCall
from langchain_agentmem.wire.search import DISTANCE, Command, Query, Row

_GATHER, _COLUMNS = Script("gather"), Script("columns")
_NUL = b"\0"


@dataclass(frozen=True, slots=True)
class Table:
    """Documents as columns, which are read quicker than rows.

    Attributes:
        keys: The key of each.
        columns: For each field that was asked for what each document has there; empty for nothing.
    """

    keys: Sequence[str]
    columns: Mapping[str, Sequence[bytes]]

    @classmethod
    def of(cls, rows: Iterable[Row], fields: Sequence[str]) -> Self:
        """Rows as a table; of those that were found more than once the first."""
        first: dict[str, Row] = {}
        for row in rows:
            first.setdefault(row.key, row)
        columns = {name: [row.fields.get(name, b"") for row in first.values()] for name in (DISTANCE, *fields)}
        return cls([*first], columns)

    @classmethod
    def read(cls, keys: Sequence[str], fields: Sequence[str], reply: Sequence[bytes]) -> Self:
        """The hashes in the reply to `reading`."""
        return cls(keys, dict(zip(fields, (text.split(_NUL) for text in reply), strict=True)))

    def row(self, at: int) -> Row:
        """One document as a row."""
        return Row(self.keys[at], {name: column[at] for name, column in self.columns.items() if column[at]})


def reading(keys: Sequence[str], fields: Sequence[str]) -> ScriptCall:
    """Read fields of hashes whose keys are known; none of it holds a NUL. `Table.read` takes the reply."""
    return _COLUMNS((), [packed([keys, fields])])


@dataclass(frozen=True, slots=True)
class Gathering:
    """What to find, to count and to read.

    Attributes:
        index: The search index.
        query: What a document must be.
        scope: Among which documents words are counted.
        texts: The TEXT field.
        words: What to look for there; each is counted.
        share: The words that find are those that no more than this share of the scope holds: others would fill the pool
            with documents that hold nothing else. Where there are none, all find. They all count for the score.
        vectors: The vector field.
        vector: What to find the nearest to; None: only words find.
        pool: How many to find in either way.
        fields: What to read of each; none of it holds a NUL.
        more: What else to read where no more than `few` are found, or the server is a cluster.
        few: So many that to read more of them takes less than a round trip of its own would.
        measured: Read also the vectors of those that only words found.
        known: Tells a count that need not be made, for the text of one of the queries of `counting`.
    """

    index: str
    query: Query
    scope: Query
    texts: str
    words: Sequence[str]
    share: float
    vectors: str
    vector: bytes | None
    pool: int
    fields: Sequence[str]
    more: Sequence[str]
    few: int
    measured: bool
    known: Callable[[str], int | None] = field(default=lambda _: None)

    def call(self) -> ScriptCall:
        """All of it as one step of the server."""
        clauses = [search.held(self.texts, word) for word in self.words]
        last = self.vectors if self.measured else ""
        counts = [self.known(str(each)) or search.count(self.index, each) for each in self.counting()]
        searches = [self._nearest(()), self._worded((), None), counts, clauses, self.share]
        return _GATHER((), [packed([*searches, self.fields, self.more, self.few, last])])

    def read(self, reply: Sequence[Any]) -> tuple[Table, list[int]]:
        """The documents in the reply to `call`, nearest first, and the counts: of the scope, then of each word."""
        texts, lasts, totals = reply
        keys, *columns = (text.split(_NUL) if texts[0] else [] for text in texts)
        found = dict(zip((DISTANCE, *self.fields, *self.more), columns, strict=False))
        if self.measured:
            rest = iter(lasts)
            found[self.vectors] = [b"" if distance else next(rest) for distance in found[DISTANCE]]
        return Table([key.decode() for key in keys], found), totals

    def counting(self) -> list[Query]:
        """What is counted: the scope, then what holds each word."""
        return [self.scope, *(self.scope.worded(self.texts, word) for word in self.words)]

    def counts(self) -> list[Command]:
        """The counts as commands of their own."""
        return [search.count(self.index, each) for each in self.counting()]

    def searches(self, totals: Sequence[int]) -> list[Command]:
        """The searches as commands of their own, once the counts are known; `Table.of` takes the rows they find."""
        counted = [*zip(self.words, totals[1:], strict=True)]
        rare = [word for word, total in counted if 0 < total <= self.share * totals[0]]
        finding = rare or [word for word, total in counted if total]
        near = (*self.fields, *self.more)
        far = (*near, self.vectors) if self.measured else near
        return [each for each in (self._nearest(near), finding and self._worded(far, finding)) if each]

    def _nearest(self, fields: Sequence[str]) -> Command:
        if self.vector is None:
            return ()
        return search.nearest(self.index, self.query, fields, vector=self.vector, name=self.vectors, k=self.pool)

    def _worded(self, fields: Sequence[str], finding: Sequence[str] | None) -> Command:
        if not self.words:
            return ()
        return search.ranked(self.index, self.query.favouring(self.texts, self.words, finding), fields, limit=self.pool)
