"""A search in progress: what to ask the server next, until what was found is complete.

Each class holds one search of a batch. `commands()` is what it asks in the next round trip, nothing when it is done;
`read()` takes the replies. So the searches of a batch share their round trips, of which most need one. A further one is
due when the server could not decide a filter by tags, when items expired while they were being read, when neighbours
had been trusted to fill a search and did not, or when more items are as similar as the last one than were asked for:
which of them the server hands out changes with how many it is asked for, and pages must not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol

from langgraph.store.base import SearchItem

from langchain_agentmem.longterm import filters, items
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.wire import search
from langchain_agentmem.wire.keys import Keys, item_of
from langchain_agentmem.wire.search import Command, Query, Row, VectorField

_PAGE = 500  # rows a round trip where many may fail the filter
_REMEMBERED = 4096  # queries of which it is known whether neighbours fill them
_TRUSTED = 8  # searches in a row that neighbours filled, after which the next one is trusted to be so
_GROWTH = 4  # how much farther out the next search for neighbours looks


class Wanted(NamedTuple):
    """What a search asks for.

    Attributes:
        prefix: The namespace in or below which to look.
        filter: What values must pass.
        end: How many items, in order, it needs to see: offset and limit together.
    """

    prefix: Namespace
    filter: Mapping[str, Any] | None
    end: int

    def query(self, letters: str) -> Query:
        """The part of it that the server can check."""
        query = Query().tagged(items.PLACE, *(items.place(letter, self.prefix) for letter in letters))  # type: ignore[arg-type]
        for tag in filters.facets_of(self.filter):
            query = query.tagged(items.FACETS, tag)
        return query


@dataclass(slots=True)
class Hit:
    """An item that was found.

    Attributes:
        namespace: Where it lies.
        key: Its name there.
        fields: The fields `items.READ` of its hash.
        value: What it says.
        score: How similar its nearest vector is; None where vectors did not decide.
    """

    namespace: Namespace
    key: str
    fields: Mapping[str, bytes]
    value: dict[str, Any]
    score: float | None = None

    def item(self) -> SearchItem:
        """The item as LangGraph knows it."""
        created, updated = items.to_time(self.fields[items.CREATED]), items.to_time(self.fields[items.UPDATED])
        return SearchItem(self.namespace, self.key, self.value, created, updated, self.score)


class Search(Protocol):
    """A search in progress."""

    hits: list[Hit]

    def commands(self) -> Sequence[Command]:
        """What to ask next; nothing when `hits` is complete."""

    def read(self, replies: Sequence[Any]) -> None:
        """Take the replies to `commands()`."""


class Listing:
    """Items by the time of their last update, newest first.

    Args:
        index: Name of the search index.
        keys: The tenant's key names.
        wanted: What to find.
        letters: What kinds of hashes to look at, see `items`.
    """

    def __init__(self, index: str, keys: Keys, wanted: Wanted, letters: str = "l") -> None:
        self.hits: list[Hit] = []
        self._index = index
        self._keys = keys
        self._wanted = wanted
        self._letters = letters
        self._page = wanted.end if filters.is_covered(wanted.filter) else max(wanted.end, _PAGE)
        self._seen = 0
        self._done = wanted.end <= 0

    def commands(self) -> Sequence[Command]:
        """The next page."""
        if self._done:
            return ()
        page = {"offset": self._seen, "limit": self._page, "sort": items.UPDATED}
        query = self._wanted.query(self._letters)
        return (search.listing(self._index, query, items.READ, **page),)  # type: ignore[arg-type]

    def read(self, replies: Sequence[Any]) -> None:
        """Keep what passes the filter."""
        rows = search.rows(replies[0])
        self.hits += [hit for row in rows if (hit := read_hit(self._keys, row, self._wanted))]
        self._seen += len(rows)
        self._done = len(self.hits) >= self._wanted.end or len(rows) < self._page
        self._page = max(self._page, _PAGE)


class Filled:
    """Guesses which searches neighbours alone will fill, so that the items without a vector need not be asked for too.

    A guess only saves the server work: a search that trusted it in vain asks for those items in a further round trip.
    What is known of a query decides; of a new one, whether the last searches were all filled.
    """

    def __init__(self) -> None:
        self._ends: dict[str, int] = {}
        self._in_a_row = 0

    def expects(self, query: str, end: int) -> bool:
        """Whether there should be `end` neighbours."""
        known = self._ends.get(query)
        return self._in_a_row >= _TRUSTED if known is None else end <= known

    def note(self, query: str, end: int, *, filled: bool) -> None:
        """Learn whether there were."""
        if len(self._ends) >= _REMEMBERED:
            self._ends.clear()
        self._ends[query] = max(end, self._ends.get(query, 0)) if filled else 0
        self._in_a_row = self._in_a_row + 1 if filled else 0


class Neighbours:
    """Items by the similarity of their nearest vector, equal ones by name; then, newest first, those that have none.

    Args:
        index: Name of the search index.
        keys: The tenant's key names.
        wanted: What to find.
        field: How vectors are indexed.
        vector: The query, packed.
        filled: What earlier searches learned.
    """

    def __init__(
        self, index: str, keys: Keys, wanted: Wanted, field: VectorField, vector: bytes, filled: Filled
    ) -> None:
        self.hits: list[Hit] = []
        self._index, self._keys, self._wanted = index, keys, wanted
        self._field, self._vector = field, vector
        self._query = wanted.query("lm")
        most = wanted.end + 1  # whether the one behind the last is as similar, shows with it
        self._covered = filters.is_covered(wanted.filter)
        self._k = most if self._covered else max(most * _GROWTH, _PAGE)
        self._farthest = -math.inf
        self._scores: dict[str, float] = {}
        self._found: dict[str, Hit | None] = {}  # of those that were read; None: it is gone, or fails the filter
        self._unread: list[str] = []
        self._exhausted = self._names_only = False
        self._vectorless: Listing | None = None
        self._filled = filled
        self._text = str(self._query)
        self._alone = filled.expects(self._text, wanted.end)
        self._done = wanted.end <= 0

    @property
    def _rest(self) -> Listing:
        if self._vectorless is None:
            self._vectorless = Listing(self._index, self._keys, self._wanted, "o")
        return self._vectorless

    def commands(self) -> Sequence[Command]:
        """The neighbours so far out, items that were found by a further vector, and the items without any."""
        if self._done:
            return ()
        if self._unread:
            return [("HMGET", key, *items.READ) for key in self._unread]
        fields = () if self._names_only else items.READ
        near = search.nearest(self._index, self._query, fields, vector=self._vector, name=items.VECTOR, k=self._k)
        return (*(() if self._exhausted else (near,)), *(() if self._alone else self._rest.commands()))

    def read(self, replies: Sequence[Any]) -> None:
        """Keep the best of each item, and look farther out while too few pass, or more are as similar as the last."""
        if self._unread:
            for key, values in zip(self._unread, replies, strict=True):
                self._keep(Row.of(key, items.READ, values))
        else:
            answers = list(replies)
            if not self._exhausted:
                self._read_near(search.rows(answers.pop(0)))
            if answers:
                self._rest.read(answers)
        self._settle()

    def _keep(self, row: Row) -> None:
        self._found[row.key] = read_hit(self._keys, row, self._wanted)

    def _read_near(self, rows: list[Row]) -> None:
        self._exhausted = len(rows) < self._k
        for row in rows:
            if search.DISTANCE not in row.fields:
                continue
            # Of the hashes that have a vector only those of items, as long as they are there, have a value.
            own = items.VALUE in row.fields
            key = row.key if own else item_of(row.key)
            self._farthest = self._field.similarity(row.distance)
            self._scores.setdefault(key, self._farthest)
            if own or (key == row.key and not self._names_only):
                self._keep(row)

    def _settle(self) -> None:
        end = self._wanted.end
        near = [key for key in sorted(self._scores, key=self._rank) if self._found.get(key, True)]
        short = len(near) < end
        farther = not self._exhausted and (short or self._scores[near[end - 1]] == self._farthest)
        # Where the server decides what passes, names are enough to look farther, and the first ones are all to be read.
        self._unread = [key for key in near[: end if self._covered else None] if key not in self._found]
        if farther and (self._covered or not self._unread):
            self._unread, self._names_only = [], self._covered
            self._k = max(self._k * _GROWTH, _PAGE)
        elif not self._unread:
            self._finish(near[:end], short=short)

    def _rank(self, key: str) -> tuple[float, Namespace, str]:
        return nearest_first(self._scores[key], *self._keys.read_item(key)[:2])

    def _finish(self, near: Sequence[str], *, short: bool) -> None:
        self.hits = [replace(hit, score=self._scores[key]) for key in near if (hit := self._found[key])]
        self._filled.note(self._text, self._wanted.end, filled=not short)
        if short and self._alone:
            self._alone = False
        elif short:
            self.hits += self._rest.hits[: self._wanted.end - len(self.hits)]
            self._done = len(self.hits) >= self._wanted.end or not self._rest.commands()
        else:
            self._done = True


def nearest_first(score: float, namespace: Namespace, key: str) -> tuple[float, Namespace, str]:
    """The order of items by similarity, equal ones by name: the same on every server, in every page."""
    return -score, namespace, key


def read_hit(keys: Keys, row: Row, wanted: Wanted, score: float | None = None) -> Hit | None:
    """A row as an item, or None when it is gone or fails what the server could not check."""
    fields = row.fields
    if items.VALUE not in fields or items.UPDATED not in fields:
        return None
    namespace, key, _ = keys.read_item(row.key)
    if namespace[: len(wanted.prefix)] != wanted.prefix:
        return None  # two digests met: never seen, and never to be shown
    value = items.load_value(fields[items.VALUE])
    return Hit(namespace, key, fields, value, score) if filters.matches(value, wanted.filter) else None
