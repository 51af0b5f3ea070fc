"""How well each candidate of a recall answers the query: relevance first, a memory's own history as a tie-break.

Pure functions over a pool of candidates (about 100 by vector, 100 by words). A score is a plain sum of named terms,
each a weight of `RecallWeights` times a feature between 0 and 1, so that an explanation is the score, written out:

    cos / best cos + lexical * bm25 / best bm25          what the encoder and the words say
    + coverage + neighbour                               how much of the question this turn and those beside it take up
    + speaker + date + shape + asking + substance        what the question asks for, read from words alone
    + activation + recency + importance + confidence     tie-breaks
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from langchain_agentmem.longterm.features import Candidate, Column, Corpus, Said, bm25, cosines, history, relevance
from langchain_agentmem.longterm.query import Query
from langchain_agentmem.longterm.weights import RecallWeights

__all__ = ["Candidate", "Corpus", "Ranking", "RecallWeights", "Said", "Scored", "bm25", "diversify", "least", "rank"]


_HISTORY = ("activation", "recency", "confidence")


@dataclass(frozen=True, slots=True)
class Scored:
    """A candidate with its score and the terms that add up to it.

    Attributes:
        candidate: What was scored.
        score: The sum of the terms; comparable within one recall only.
        terms: Weight times feature, by the names of `RecallWeights`; terms of 0 are left out.
    """

    candidate: Candidate
    score: float
    terms: Mapping[str, float]


def rank(
    query: Query,
    candidates: Iterable[Candidate],
    corpus: Corpus,
    weights: RecallWeights | None = None,
    *,
    now: float | None = None,
    limit: int | None = None,
) -> list[Scored]:
    """Orders the pool of a recall, best first.

    Args:
        query: The query as `query.analyse` read it.
        candidates: The union of all legs, each memory once, all of one scope.
        corpus: The scope's own word counts for the stems of the query.
        weights: What each term counts; the defaults when None.
        now: Epoch seconds from which age counts; without it activation and recency are left out.
        limit: How many to return; all that pass the floor when None.

    Returns:
        The memories that pass the floor, by falling score and then by id. Empty when nothing but noise was found.
    """
    ranking = Ranking(query, list(candidates), corpus, weights or RecallWeights())
    return ranking.settled(ranking.contenders(limit), now=now, limit=limit)


class Ranking:
    """A pool ordered by relevance, where history is yet to break the ties.

    What history adds is bounded by the weights of its terms. So only those that it can still bring among the best need
    have it read: a dozen or two out of hundreds.

    Args:
        query: The query as `query.analyse` read it.
        pool: The union of all legs, each memory once, all of one scope; their history is not looked at.
        corpus: The scope's own word counts for the stems of the query.
        weights: What each term counts.
    """

    def __init__(self, query: Query, pool: Sequence[Candidate], corpus: Corpus, weights: RecallWeights) -> None:
        self._pool, self._weights = pool, weights
        columns = relevance(query, pool, corpus, weights) if pool else {}
        self._held = _weighted(query, weights, columns)
        totals = [0.0] * len(pool)
        for _, weight, column in self._held:
            totals = [total + weight * value for total, value in zip(totals, column, strict=True)]
        self._best = _passing(pool, columns, least(weights.floor, corpus.documents)) if pool else []
        self._best.sort(key=lambda row: -totals[row])
        self._totals = totals

    def contenders(self, limit: int | None) -> list[Contender]:
        """Those that can be among the best `limit` when history counts; of None, all that pass the floor."""
        best, totals = self._best, self._totals
        if limit is not None and not self._weights.diversity and len(best) > limit:
            reach = sum(abs(getattr(self._weights, name)) for name in _HISTORY)
            enough = totals[best[limit - 1]] - reach if limit else math.inf
            best = [row for row in best if totals[row] >= enough]
        return [Contender(self._pool[row], row) for row in best]

    def settled(
        self, contenders: Sequence[Contender], *, now: float | None = None, limit: int | None = None
    ) -> list[Scored]:
        """Contenders by falling score and then by id, now that their history is known; see `rank`."""
        told = history([each.candidate for each in contenders], self._weights, now)
        weighted = [(name, weight, told[name]) for name in told if (weight := getattr(self._weights, name))]
        scores = [self._totals[each.row] for each in contenders]
        for _, weight, column in weighted:
            scores = [score + weight * value for score, value in zip(scores, column, strict=True)]
        order = sorted(range(len(scores)), key=lambda at: (-scores[at], contenders[at].candidate.id))
        most = None if self._weights.diversity else limit
        scored = []
        for at in order[:most]:
            candidate, row = contenders[at]
            terms = {name: weight * value for name, weight, column in self._held if (value := column[row])}
            terms |= {name: weight * value for name, weight, column in weighted if (value := column[at])}
            scored.append(Scored(candidate, scores[at], terms))
        return diversify(scored, self._weights.diversity, limit) if self._weights.diversity else scored


class Contender(NamedTuple):
    """A candidate that may be among the best.

    Attributes:
        candidate: The candidate.
        row: Its place in the pool.
    """

    candidate: Candidate
    row: int


def least(spread: float, documents: int) -> float:
    """The evidence that the best of a scope has by chance.

    The largest of n draws with standard deviation s lies near s sqrt(2 ln n) (Fisher and Tippett 1928); here with
    n + 1, so that a single memory needs some too.

    Args:
        spread: Standard deviation of the cosines of unrelated texts.
        documents: How many memories the scope holds.
    """
    return spread * math.sqrt(2.0 * math.log(documents + 1.0))


def diversify(scored: Sequence[Scored], weight: float, limit: int | None = None) -> list[Scored]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) over shared stems: holds repetitions back.

    Args:
        scored: Candidates, best first.
        weight: 0 keeps the order; 1 takes a result that repeats a better one wholly down by the best score.
        limit: How many to pick; all when None.

    Returns:
        The picked candidates in their new order, scores unchanged.
    """
    rest = [(each, frozenset(each.candidate.said.terms)) for each in scored]
    repeats = [0.0] * len(rest)
    best = scored[0].score if scored else 0.0
    picked: list[Scored] = []
    while rest and (limit is None or len(picked) < limit):
        place = max(range(len(rest)), key=lambda i: rest[i][0].score - weight * best * repeats[i])
        chosen, words = rest.pop(place)
        repeats.pop(place)
        picked.append(chosen)
        repeats = [max(seen, _overlap(words, other)) for seen, (_, other) in zip(repeats, rest, strict=True)]
    return picked


def _weighted(query: Query, weights: RecallWeights, columns: Mapping[str, Column]) -> list[tuple[str, float, Column]]:
    by_words = 1.0 if query.question else weights.statement
    factor = {"lexical": by_words, "coverage": by_words, "neighbour": by_words}
    named = [(name, getattr(weights, name) * factor.get(name, 1.0), column) for name, column in columns.items()]
    return [(name, weight, column) for name, weight, column in named if weight and any(column)]


def _passing(pool: Sequence[Candidate], columns: Mapping[str, Column], floor: float) -> list[int]:
    """Rows that are evidence at all; none when even the best of the pool is not."""
    found = [
        cosine + (own + beside) / 2
        for cosine, own, beside in zip(cosines(pool), columns["coverage"], columns["neighbour"], strict=True)
    ]
    if max(found) < floor:
        return []
    return [row for row, evidence in enumerate(found) if evidence >= floor / 2]


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
