"""How memories are found again: two ways of looking in one round trip, one ranking.

Vectors find what means the same, words find names and rare terms; the ranking (see `scoring`) weighs both with the word
counts of the scope itself, which travel in the same pipeline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.util import find_spec
from typing import Any, NamedTuple

from langchain_agentmem.longterm import checks, items, record
from langchain_agentmem.longterm.candidates import candidate
from langchain_agentmem.longterm.exact import similarities
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.query import Query as Question
from langchain_agentmem.longterm.query import analyse
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.scoring import Candidate, Corpus, RecallWeights, Scored, rank
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire import search
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.gather import gather, gathered
from langchain_agentmem.wire.keys import item_of
from langchain_agentmem.wire.search import Query, Row

_FIELDS = (*record.READ, items.WORDS, items.HAPPENED)
_CHARACTERS_PER_TOKEN = 4


@dataclass(frozen=True, slots=True)
class Recalled:
    """A memory that was recalled.

    Attributes:
        memory: The memory.
        score: How well it answers; comparable within one recall only.
        similarity: Its cosine with the query, where vectors took part.
        terms: What the score is the sum of, where `explain` asked for it.
    """

    memory: Memory
    score: float
    similarity: float | None = None
    terms: Mapping[str, float] | None = None


class Wish(NamedTuple):
    """What a recall asks for; see `MemoryBank.recall`."""

    text: str
    path: Namespace
    limit: int
    kinds: Sequence[str]
    topics: Sequence[str]
    since: datetime | None
    until: datetime | None
    as_of: datetime | None
    include_history: bool
    pool: int

    def scope(self) -> Query:
        """What a memory must be, whenever it is true."""
        past = self.as_of is not None or self.include_history
        query = Query().tagged(items.PLACE, *(items.place(letter, self.path) for letter in _letters(past)))
        query = _any_facet(query, ("kind",), self.kinds)
        query = _any_facet(query, ("topics", "*"), self.topics)
        if self.since or self.until:
            query = query.within(items.HAPPENED, _time(self.since), _time(self.until))
        return query

    def checked(self) -> Wish:
        """Itself.

        Raises:
            InvalidInputError: Something in it is of another type.
        """
        checks.text("query", self.text)
        checks.whole("limit", self.limit)
        checks.texts("kinds", self.kinds)
        checks.texts("topics", self.topics)
        for name in ("since", "until", "as_of"):
            checks.moment(name, getattr(self, name))
        return self

    def query(self, now: datetime) -> Query:
        """What a memory must be, as the server can check it."""
        if self.include_history:
            return self.scope()
        moment = items.from_time(self.as_of or now)
        return self.scope().outside(items.UNTIL, high=moment).outside(items.SINCE, low=moment + 1)

    def holds(self, row: Row, now: datetime) -> bool:
        """The same, checked by the client."""
        value = items.load_value(row.fields["v"])
        happened = int(row.fields.get(items.HAPPENED, 0))
        moment = items.from_time(self.as_of or now)
        current = int(row.fields.get("a", 0)) <= moment < int(row.fields.get("z", moment + 1))
        return (
            (not self.kinds or value.get("kind") in self.kinds)
            and (not self.topics or not set(self.topics).isdisjoint(record.said(value, "topics")))
            and (_time(self.since) or 0) <= happened <= (_time(self.until) or happened)
            and (current or self.include_history)
        )


class Recaller:
    """Finds memories.

    Args:
        store: Where they lie.
        weights: What each term of the ranking counts.
    """

    def __init__(self, store: AgentMemoryStore, weights: RecallWeights | None) -> None:
        self._store = store
        self._weights = weights or RecallWeights()

    async def find(self, wish: Wish, before: Sequence[Command]) -> list[Ranked]:
        """The memories that answer, best first. `before` are commands to send along."""
        now = datetime.now(UTC)
        question = analyse(wish.text, now)
        vector = await self._store.encoder.query(wish.text) if self._store.encoder and wish.text.strip() else None
        if await self._store.index.usable():
            pool, corpus = await self._ask(wish, question, vector, now, before)
        else:
            await self._store.connection.send(*before)
            pool, corpus = await self._compare(wish, question, vector, now)
        scored = rank(
            question,
            [found.candidate for found in pool.values()],
            corpus,
            self._weights,
            now=now.timestamp(),
            limit=None if wish.include_history else wish.limit,
        )
        if wish.include_history:
            scored = _newest_first(scored)[: wish.limit]
        return [Ranked(each, pool[each.candidate.id].row) for each in scored]

    async def _ask(
        self, wish: Wish, question: Question, vector: bytes | None, now: datetime, before: Sequence[Command]
    ) -> tuple[dict[str, _Found], Corpus]:
        """Both legs and the word counts, in one round trip."""
        index, query, terms = self._store.index, wish.query(now), question.terms
        scope = wish.scope()
        counts = [search.count(index.name, each) for each in (scope, *(scope.worded(items.WORDS, t) for t in terms))]
        last = items.VECTOR if vector and terms and find_spec("numpy") else ""
        if self._store.connection.clustered:
            legs = [*self._legs(query, terms, vector, wish.pool, (*_FIELDS, last) if last else _FIELDS)]
            replies = (await index.ask([*before, *legs, *counts]))[len(before) :]
            rows = [row for reply in replies[: len(legs)] for row in search.rows(reply)]
            totals = [search.total(reply) for reply in replies[len(legs) :]]
        else:
            call = gather([*self._legs(query, terms, vector, wish.pool)], counts, _FIELDS, last)
            rows, totals = gathered((await index.ask([*before, call]))[-1], _FIELDS, last)
        pool: dict[str, _Found] = {}
        self._collect(pool, rows, wish, vector)
        return pool, Corpus(totals[0], dict(zip(terms, totals[1:], strict=True)))

    def _legs(
        self, query: Query, terms: Sequence[str], vector: bytes | None, pool: int, fields: Sequence[str] = ()
    ) -> Iterator[Command]:
        """The two ways of looking: by the meaning of the whole, by each word."""
        index = self._store.index.name
        if vector:
            yield search.nearest(index, query, fields, vector=vector, name=items.VECTOR, k=pool)
        if terms:
            yield search.ranked(index, query.favouring(items.WORDS, terms), fields, limit=pool)

    def _collect(self, pool: dict[str, _Found], rows: Iterable[Row], wish: Wish, vector: bytes | None) -> None:
        below = self._store.keys.items_below(wish.path)
        fresh = [row for row in rows if row.key not in pool and "v" in row.fields and row.key.startswith(below)]
        for row, similarity in zip(fresh, self._similarities(fresh, vector), strict=True):
            pool[row.key] = _Found(candidate(row, similarity), row)

    def _similarities(self, rows: Sequence[Row], vector: bytes | None) -> list[float | None]:
        """Cosines: from the vector leg as the server says, from the text leg as their vectors say."""
        if self._store.encoder is None or vector is None:
            return [None] * len(rows)
        field = self._store.encoder.field
        measured = [row for row in rows if search.DISTANCE not in row.fields and items.VECTOR in row.fields]
        made = similarities(field, vector, [row.fields[items.VECTOR] for row in measured])
        known = dict(zip((row.key for row in measured), made, strict=True))
        return [field.similarity(row.distance) if search.DISTANCE in row.fields else known.get(row.key) for row in rows]

    async def _compare(
        self, wish: Wish, question: Question, vector: bytes | None, now: datetime
    ) -> tuple[dict[str, _Found], Corpus]:
        """The same on a server without the search module: everything in the scope is in the pool."""
        past = wish.as_of is not None or wish.include_history
        scope = {wish.path, *await self._store.namespaces_below(wish.path)}  # its own, even if all it holds is past
        rows = await self._store.exact.everything(sorted(scope), (*_FIELDS, items.VECTOR), past=past)
        rows = [row for row in rows if wish.holds(row, now)]
        pool: dict[str, _Found] = {}
        self._collect(pool, rows, wish, vector)
        held = [set(found.candidate.terms) for found in pool.values()]
        return pool, Corpus(len(pool), {term: sum(term in words for words in held) for term in question.terms})


class _Found(NamedTuple):
    candidate: Candidate
    row: Row


class Ranked(NamedTuple):
    """A ranked memory and the row it was read from."""

    scored: Scored
    row: Row


def within_budget(
    recalled: Iterable[Recalled], budget: int | None, count_tokens: Callable[[str], int] | None
) -> list[Recalled]:
    """The best that fit into a token budget: each that still fits is taken, best first."""
    count = count_tokens or (lambda text: -(-len(text) // _CHARACTERS_PER_TOKEN))
    kept, left = [], budget
    for each in recalled:
        if left is not None:
            cost = count(each.memory.text)
            if cost > left:
                continue
            left -= cost
        kept.append(each)
    return kept


def _newest_first(scored: Sequence[Scored]) -> list[Scored]:
    """No version of a memory above a newer one: it scores as much at most, and `superseded` is what it lost by that."""

    def age(each: Scored) -> int:
        key = each.candidate.id
        version = key[len(item_of(key)) + 2 :]  # behind ":v"; nothing for what is present
        return -int(version) if version else -(1 << 62)

    best: dict[str, float] = {}
    capped = []
    for each in sorted(scored, key=age):
        lost = min(0.0, best.get(item_of(each.candidate.id), each.score) - each.score)
        held = replace(each, score=each.score + lost, terms={**each.terms, "superseded": lost}) if lost else each
        best[item_of(each.candidate.id)] = held.score
        capped.append(held)
    return sorted(capped, key=lambda each: -each.score)


def _time(moment: datetime | None) -> int | None:
    return None if moment is None else items.from_time(moment)


def _letters(past: bool) -> tuple[Any, ...]:
    return ("l", "h") if past else ("l",)


def _any_facet(query: Query, path: tuple[str, ...], values: Sequence[str]) -> Query:
    tags = [tag for value in values if (tag := items.facet(path, value))]
    return query.tagged(items.FACETS, *tags) if values else query
