"""What each candidate of a recall has to show for itself: features between 0 and 1, over a pool of about 200.

Pure functions. They run for every candidate of every recall, so each costs about a microsecond.

Relevance is divided by the best of the pool, not stretched from worst to best: stretching invents differences in a
pool in which all are about equally good.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, NamedTuple, Self

from langchain_agentmem.longterm.activation import activation, recency
from langchain_agentmem.longterm.dates import DateWindow
from langchain_agentmem.longterm.query import Query, answers, asking
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.longterm.weights import RecallWeights

__all__ = ["Candidate", "Column", "Corpus", "Said", "bm25", "cosines", "history", "relevance"]

Column = list[float]

_DOZEN = 12
_SUBSTANCE = [math.log1p(words) / math.log1p(_DOZEN) for words in range(_DOZEN + 1)]


@dataclass(frozen=True, slots=True)
class Corpus:
    """The word counts of one scope.

    Attributes:
        documents: How many memories the scope holds.
        frequencies: For each stem of the query, how many of them hold it; a stem left out counts as held by none.
    """

    documents: int
    frequencies: Mapping[str, int]

    def idf(self, term: str) -> float:
        """Inverse document frequency (Robertson and Sparck Jones), in the form that is never negative."""
        held = min(self.frequencies.get(term, 0), self.documents)
        return math.log(1.0 + (self.documents - held + 0.5) / (held + 0.5))


class Said(NamedTuple):
    """What a memory says: the same in every recall that finds it.

    Attributes:
        id: Its id; also the last word on equal scores.
        text: Its text, with or without a leading "Speaker: ".
        terms: The stems of its full-text field: how often each is there.
        length: How many there are in all.
        asking: Share of it that is itself a question.
        substance: How much it says: 1 from a dozen stems on.
        speaker: Who said it.
        session: The conversation it belongs to.
        sequence: Its place there, counting by one.
        kind: Its kind, for the half-life.
        when: When it was said or happened, epoch seconds.
        importance: 0 to 1.
    """

    id: str
    text: str
    terms: Mapping[str, int]
    length: int
    asking: float
    substance: float
    speaker: str | None = None
    session: str | None = None
    sequence: int | None = None
    kind: str = "semantic"
    when: float | None = None
    importance: float = 0.5

    @classmethod
    def read(cls, id: str, text: str, terms: Sequence[str], **more: Any) -> Self:
        """A memory, read.

        Args:
            id: Its id.
            text: Its text.
            terms: The stems of its full-text field, `text.lexical_terms(text.lexical_text(...))`.
            **more: Further attributes.
        """
        length = len(terms)
        counts = dict.fromkeys(terms, 1)
        if len(counts) < length:
            counts = Counter(terms)
        return cls(id, text, counts, length, asking(text), _SUBSTANCE[min(length, _DOZEN)], **more)


@dataclass(slots=True)
class Candidate:
    """One memory of the pool of a recall.

    Attributes:
        said: What it says.
        similarity: Cosine with the query, or None when only the text leg found it (it then counts as the lowest known
            cosine; the true one, where the vector is at hand, gains about a point of recall).
        created: When it was written or last confirmed, epoch seconds; `said.when` when None.
        accesses: The newest access times, epoch seconds.
        access_count: How many accesses there were in all.
        confidence: 0 to 1.
    """

    said: Said
    similarity: float | None = None
    created: float | None = None
    accesses: Sequence[float] = ()
    access_count: int = 0
    confidence: float = 1.0

    @property
    def id(self) -> str:
        """Its id."""
        return self.said.id


def relevance(query: Query, pool: Sequence[Candidate], corpus: Corpus, weights: RecallWeights) -> dict[str, Column]:
    """What each candidate has to do with the query: unweighted, what `rank` sums and what weights can be fitted on.

    Args:
        query: The query as `query.analyse` read it.
        pool: At least one candidate.
        corpus: The scope's own word counts.
        weights: For the constants inside features (b, k1).

    Returns:
        For the name of each weight a column with one value, 0 to 1, for each candidate in order.
    """
    said = [each.said for each in pool]
    speakers = [each.speaker for each in said]
    stems = {who: _stems(who) for who in set(speakers) if who}
    return (
        {"semantic": _over_best(cosines(pool))}
        | _by_words(query, said, corpus, weights, frozenset().union(*stems.values()))
        | _asked_for(query, said)
        | {"speaker": _said_by(query, speakers, stems), "importance": [each.importance for each in said]}
    )


def history(pool: Sequence[Candidate], weights: RecallWeights, now: float | None = None) -> dict[str, Column]:
    """What each candidate's own history says of it, as in `relevance`.

    Args:
        pool: The candidates.
        weights: For the half-lives.
        now: As in `rank`.
    """
    columns = {"confidence": [each.confidence for each in pool]}
    if now is not None:
        written = [each.created or each.said.when or now for each in pool]
        columns["activation"] = [
            activation(each.accesses, each.access_count, since, now) for each, since in zip(pool, written, strict=True)
        ]
        columns["recency"] = [
            recency(since, now, weights.half_lives.get(each.said.kind, weights.half_life))
            for each, since in zip(pool, written, strict=True)
        ]
    return columns


def bm25(
    idf: Mapping[str, float],
    documents: Sequence[Mapping[str, int]],
    lengths: Sequence[int],
    mean: float,
    *,
    k1: float = 1.2,
    b: float = 0.4,
) -> Column:
    """BM25 of memories (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    Args:
        idf: The weight of each stem of the query.
        documents: How often each stem is in each memory.
        lengths: How many stems each memory has.
        mean: Mean number of stems of a memory, over 0.
        k1: Saturation of repeated words.
        b: How far long memories are held back, 0 to 1.
    """
    scores = [0.0] * len(documents)
    for term, weight in idf.items():
        for row, counts in enumerate(documents):
            if term in counts:
                norm = k1 * (1.0 - b + b * lengths[row] / mean)
                scores[row] += weight * counts[term] * (k1 + 1.0) / (counts[term] + norm)
    return scores


def cosines(pool: Sequence[Candidate]) -> Column:
    """A memory that only the text leg found is no nearer than the farthest one of the vector leg."""
    unknown = min((each.similarity for each in pool if each.similarity is not None), default=0.0)
    return [unknown if each.similarity is None else each.similarity for each in pool]


def _over_best(values: Column) -> Column:
    best = max(values)
    return [value / best if value > 0 else 0.0 for value in values] if best > 0 else [0.0] * len(values)


def _by_words(
    query: Query, said: Sequence[Said], corpus: Corpus, weights: RecallWeights, speakers: frozenset[str]
) -> dict[str, Column]:
    """What each memory holds of the query's stems, and what its neighbours add. A set of stems is a number of bits.

    Only for BM25 do the speakers' names count; they stand in half of all turns.
    """
    idf = {term: corpus.idf(term) for term in query.terms}
    bits = {term: 1 << place for place, term in enumerate(idf)}
    shares = [(bit, idf[term]) for term, bit in bits.items() if term not in speakers]
    total = sum(share for _, share in shares) or 1.0

    @cache
    def worth(stems: int) -> float:
        return sum(share for bit, share in shares if bit & stems) / total

    documents, lengths = [each.terms for each in said], [each.length for each in said]
    mean = sum(lengths) / len(said) or 1.0
    held = [0] * len(said)
    for term, bit in bits.items():
        for row, counts in enumerate(documents):
            if term in counts:
                held[row] |= bit
    return {
        "lexical": _over_best(bm25(idf, documents, lengths, mean, k1=weights.k1, b=weights.b)),
        "coverage": [worth(own) for own in held],
        "neighbour": _beside(said, held, worth),
    }


_STEPS = ((-1, 0.8), (1, 0.8), (-2, 0.64), (2, 0.64))


def _beside(said: Sequence[Said], held: Sequence[int], worth: Callable[[int], float]) -> Column:
    """What the turns on either side hold beyond a turn's own stems, the nearer the more."""
    sessions: dict[str, dict[int, int]] = {}
    for each, own in zip(said, held, strict=True):
        if own and each.session is not None and each.sequence is not None:
            sessions.setdefault(each.session, {})[each.sequence] = own
    added = []
    for each, own in zip(said, held, strict=True):
        turns = None if each.session is None else sessions.get(each.session)
        share, seen = 0.0, own
        if turns and each.sequence is not None:
            for step, nearness in _STEPS:
                new = turns.get(each.sequence + step, 0) & ~seen
                if new:
                    share += nearness * worth(new)
                    seen |= new
        added.append(share)
    return added


def _asked_for(query: Query, said: Sequence[Said]) -> dict[str, Column]:
    nothing = [0.0] * len(said)
    return {
        "date": [_inside(query.windows, each.when) for each in said] if query.windows else nothing,
        "shape": [float(answers(query.shape, each.text)) for each in said] if query.shape else nothing,
        "asking": [each.asking for each in said],
        "substance": [each.substance for each in said],
    }


@lru_cache(maxsize=1024)
def _stems(name: str) -> frozenset[str]:
    return frozenset(terms(name))


def _inside(windows: Sequence[DateWindow], when: float | None) -> float:
    if when is None:
        return 0.0
    moment = datetime.fromtimestamp(when, UTC)
    return float(any(window.holds(moment) for window in windows))


def _said_by(query: Query, speakers: Sequence[str | None], stems: Mapping[str, frozenset[str]]) -> Column:
    """1 for the speakers whom the query names, half for the role it implies; 0 for all when that parts nobody."""
    named = {who: 1.0 for who, words in stems.items() if not words.isdisjoint(query.terms)}
    named = named or {who: 0.5 for who in stems if who.casefold() in query.roles}
    if len(named) == len(stems):
        named = {}
    return [named.get(who, 0.0) if who else 0.0 for who in speakers]
