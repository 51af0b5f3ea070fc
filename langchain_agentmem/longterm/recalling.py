"""How memories are found again: two ways of looking in one round trip, one ranking.

Vectors find what means the same, words find names and rare terms (see `legs`); the ranking (see `scoring`) weighs both
with the word counts of the scope itself. In a scope of more than some dozens, only what relevance is read from is
fetched of all that is found, and the rest in a second trip, of the dozen or two that their history may still bring
among the best: to fetch it of all would take longer than the trip.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeAlias

from langchain_agentmem.longterm import checks, items, record
from langchain_agentmem.longterm.candidates import add_history
from langchain_agentmem.longterm.cost import count_tokens as about
from langchain_agentmem.longterm.counts import Counts
from langchain_agentmem.longterm.exact import similarities
from langchain_agentmem.longterm.features import Candidate
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.legs import Hit, Legs
from langchain_agentmem.longterm.pool import STAMP, WHOLE, Pool, PoolReader, Told
from langchain_agentmem.longterm.query import Query as Question
from langchain_agentmem.longterm.query import analyse
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.scoring import Contender, Corpus, Ranking, RecallWeights, Scored
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import item_of
from langchain_agentmem.wire.search import Query, Row

Heard: TypeAlias = Callable[[Sequence[Any]], None]

# Microseconds by which a server's clock may be ahead of ours: it dates what is remembered, which is true at once.
_AHEAD = 10_000_000


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
        moment, latest = self._moment(now)
        return self.scope().outside(items.UNTIL, high=moment).outside(items.SINCE, low=latest + 1)

    def _moment(self, now: datetime) -> tuple[int, int]:
        """When a memory must be true, and the latest time at which that may have begun."""
        if self.as_of is not None:
            return (items.from_time(self.as_of),) * 2
        return items.from_time(now), items.from_time(now) + _AHEAD

    def holds(self, row: Row, now: datetime) -> bool:
        """The same, checked by the client."""
        value = items.load_value(row.fields["v"])
        happened = int(row.fields.get(items.HAPPENED, 0))
        moment, latest = self._moment(now)
        current = int(row.fields.get("a", 0)) <= latest and moment < int(row.fields.get("z", moment + 1))
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
        self._counts = Counts()
        self._pools = PoolReader(store.connection, store.encoder.field if store.encoder else None)

    async def find(self, wish: Wish, before: Sequence[Command], heard: Heard | None = None) -> list[Ranked]:
        """The memories that answer, best first.

        Args:
            wish: What is asked for.
            before: Commands to send along.
            heard: Is told the replies to them, before any memory is ranked.
        """
        now = datetime.now(UTC)
        scope, question = wish.scope(), analyse(wish.text, now)
        vector = await self._store.encoder.query(wish.text) if self._store.encoder and wish.text.strip() else None
        if await self._store.index.usable():
            replies, hits, corpus = await self._legs(wish, scope, question, vector, now).look(before)
        else:
            replies = await self._store.connection.send(*before)
            hits, corpus = await self._compare(wish, question, now)
        if heard is not None:
            heard(replies)
        below = self._store.keys.items_below(wish.path)
        pool = await self._pools.read(scope, [hit for hit in hits if hit[0].startswith(below)])
        similar = self._similarities(pool.told, vector)
        found = [Candidate(each.said, own) for each, own in zip(pool.told, similar, strict=True)]
        limit = None if wish.include_history else wish.limit
        ranking, there, whole = await self._contenders(question, found, corpus, limit, pool)
        scored = ranking.settled(there, now=now.timestamp(), limit=limit)
        if wish.include_history:
            scored = _newest_first(scored)[: wish.limit]
        return [Ranked(each, whole[each.candidate.id]) for each in scored]

    def forget(self) -> None:
        """Forget what this process knows of memories: some were erased, or put back as they once were."""
        self._pools.forget()

    async def _contenders(
        self, question: Question, found: Sequence[Candidate], corpus: Corpus, limit: int | None, pool: Pool
    ) -> tuple[Ranking, Sequence[Contender], Mapping[str, Row]]:
        """Those that come into question, their history read. What is gone by now makes room for others."""
        ranking = Ranking(question, found, corpus, self._weights)
        there = ranking.contenders(limit)
        whole = await pool.whole([each.candidate.id for each in there])
        gone = {key for key in whole if items.VALUE not in whole[key].fields}
        if gone:
            return await self._contenders(
                question, [each for each in found if each.id not in gone], corpus, limit, pool
            )
        for each in there:
            add_history(each.candidate, whole[each.candidate.id].fields)
        return ranking, there, whole

    def _legs(self, wish: Wish, scope: Query, question: Question, vector: bytes | None, now: datetime) -> Legs:
        counts = self._counts
        fields = self._pools.fields(scope, counts)
        asked = (wish.query(now), scope, question.terms, vector, wish.pool, fields)
        return Legs(self._store.index, counts, *asked, measured=self._pools.measures and fields != STAMP)

    def _similarities(self, told: Sequence[Told], vector: bytes | None) -> list[float | None]:
        """Cosines: from the vector leg as the server says, from the text leg as their vectors say."""
        if self._store.encoder is None or vector is None:
            return [None] * len(told)
        field = self._store.encoder.field
        alone = [each.vector for each in told if each.vector and not each.distance]
        made = iter(similarities(field, vector, alone))
        return [
            field.similarity(float(distance)) if distance else next(made) if own else None for _, distance, own in told
        ]

    async def _compare(self, wish: Wish, question: Question, now: datetime) -> tuple[list[Hit], Corpus]:
        """The same on a server without the search module: everything in the scope is in the pool."""
        past = wish.as_of is not None or wish.include_history
        scope = {wish.path, *await self._store.namespaces_below(wish.path)}  # its own, even if all it holds is past
        rows = await self._store.exact.everything(sorted(scope), (*WHOLE, items.VECTOR), past=past)
        hits: list[Hit] = [
            (row.key, [*map(row.fields.get, WHOLE)], None, row.fields.get(items.VECTOR))
            for row in rows
            if wish.holds(row, now)
        ]
        held = [set((fields[1] or b"").decode("utf-8", "replace").split()) for _, fields, _, _ in hits]
        return hits, Corpus(len(held), {term: sum(term in words for words in held) for term in question.terms})


class Ranked(NamedTuple):
    """A ranked memory and the row it was read from."""

    scored: Scored
    row: Row


def within_budget(
    recalled: Iterable[Recalled], budget: int | None, count_tokens: Callable[[str], int] | None
) -> list[Recalled]:
    """The best that fit into a token budget: each that still fits is taken, best first."""
    count = count_tokens or about
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
