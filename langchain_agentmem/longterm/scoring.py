"""How well each candidate of a recall answers the query: relevance first, a memory's own history as a tie-break.

Pure functions over a pool of candidates (about 100 by vector, 100 by words). A score is a plain sum of named terms,
each a weight of `RecallWeights` times a feature between 0 and 1, so that an explanation is the score, written out:

    cos / best cos + lexical * bm25 / best bm25          what the encoder and the words say
    + coverage + neighbour                               how much of the question this turn and those beside it take up
    + speaker + date + shape + asking + substance        what the question asks for, read from words alone
    + activation + recency + importance + confidence     tie-breaks

Relevance is divided by the best of the pool, not stretched from worst to best: stretching invents differences in a
pool in which all are about equally good.

The weights were fitted by `benchmarks/fit_recall.py` with two encoders, then drawn about halfway back to the first line
alone: the talk they were fitted on is synthetic, tidier than real talk, and the figures are nearly flat on that way.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from langchain_agentmem.longterm.activation import activation, recency
from langchain_agentmem.longterm.query import Query, answers, asking
from langchain_agentmem.longterm.text import split_speaker, terms

__all__ = ["Candidate", "Corpus", "RecallWeights", "Scored", "bm25", "diversify", "features", "least", "rank"]

Column = list[float]

_HALF_LIVES = MappingProxyType({"episodic": 30.0, "summary": 90.0, "semantic": 365.0, "procedural": math.inf})


@dataclass(frozen=True, slots=True)
class RecallWeights:
    """What each term of a score counts. Every feature lies between 0 and 1; a weight of 0 switches its term off.

    Attributes:
        semantic: Cosine over the best cosine of the pool.
        lexical: BM25 over the best of the pool, counted with the scope's own words.
        coverage: Share of the query's stems, by rarity, that the memory holds.
        neighbour: Further share that the two turns on either side hold, the nearer the more. Only for turns that
            have a session and a sequence number: an answer often stands beside the words it answers.
        statement: Factor on lexical, coverage and neighbour when the query is no question: shared words then say
            little.
        speaker: The speaker is whom the query names; half of it when the query only says "I" or "you".
        date: The memory falls into a month, day or span that the query names.
        shape: It holds what the query asks for: a date word for "when", a number for "how many", a place for "where".
        asking: Share of it that is itself a question. Negative: who asks does not tell.
        substance: It has enough meaningful words to say anything; grows up to a dozen of them.
        activation: ACT-R activation of the access history. Access counts at .1 already cost half a point of nDCG.
        recency: Ageing by the half-life of its kind. At .1 it costs .3 points, at 1.0 it costs 24.
        importance: As the writer set it.
        confidence: As the writer set it, raised by reinforcement.
        floor: How far the cosines of unrelated texts spread, in standard deviations of one. A recall returns nothing
            rather than noise when its best memory has no more evidence (cosine plus half the share of the query's
            stems) than chance gives the best of a scope of this size, see `least`; one result needs a quarter of
            that. In scopes of 2 to 200 turns it silences none (MiniLM) to 1 % (wordllama) of the tune questions that
            have an answer, and 34 to 63 % (59 to 78 %) of questions about something else. -1 returns everything.
        diversity: 0 to 1, the penalty for repeating a better result; 0 keeps the order (it gained nothing when
            measured).
        b: Length normalisation of BM25; dialogue turns want .3 to .5.
        k1: Saturation of repeated words in BM25.
        half_lives: Days after which recency halves, by kind; `half_life` for kinds not named.
        half_life: Days, for kinds that `half_lives` does not name.
    """

    semantic: float = 1.0
    lexical: float = 0.5
    coverage: float = 0.5
    neighbour: float = 0.4
    statement: float = 0.2
    speaker: float = 0.4
    date: float = 0.3
    shape: float = 0.25
    asking: float = -0.3
    substance: float = 0.6
    activation: float = 0.02
    recency: float = 0.01
    importance: float = 0.03
    confidence: float = 0.03
    floor: float = 0.06
    diversity: float = 0.0
    b: float = 0.4
    k1: float = 1.2
    half_lives: Mapping[str, float] = field(default_factory=lambda: _HALF_LIVES)
    half_life: float = 90.0


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


@dataclass(slots=True)
class Candidate:
    """One memory of the pool, as the search returned it.

    Attributes:
        id: Its id; also the last word on equal scores.
        text: Its text, with or without a leading "Speaker: ".
        terms: The stems of its full-text field: `text.lexical_terms(text.lexical_text(...))`.
        similarity: Cosine with the query, or None when only the text leg found it (it then counts as the lowest known
            cosine; the true one, where the vector is at hand, gains about a point of recall).
        speaker: Who said it; read from the text when None.
        session: The conversation it belongs to.
        sequence: Its place there, counting by one.
        kind: Its kind, for the half-life.
        when: When it was said or happened, epoch seconds.
        created: When it was written or last confirmed, epoch seconds; `when` when None.
        accesses: The newest access times, epoch seconds.
        access_count: How many accesses there were in all.
        importance: 0 to 1.
        confidence: 0 to 1.
    """

    id: str
    text: str
    terms: Sequence[str]
    similarity: float | None = None
    speaker: str | None = None
    session: str | None = None
    sequence: int | None = None
    kind: str = "semantic"
    when: float | None = None
    created: float | None = None
    accesses: Sequence[float] = ()
    access_count: int = 0
    importance: float = 0.5
    confidence: float = 1.0


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
    pool = list(candidates)
    weights = weights or RecallWeights()
    if not pool:
        return []
    columns = features(query, pool, corpus, weights, now)
    held = _weighted(query, weights, columns)
    totals = [0.0] * len(pool)
    for _, weight, column in held:
        totals = [total + weight * value for total, value in zip(totals, column, strict=True)]
    passing = _passing(pool, columns, least(weights.floor, corpus.documents))
    passing.sort(key=lambda row: (-totals[row], pool[row].id))
    scored = [
        Scored(pool[row], totals[row], {name: weight * column[row] for name, weight, column in held if column[row]})
        for row in (passing if weights.diversity else passing[:limit])
    ]
    return diversify(scored, weights.diversity, limit) if weights.diversity else scored


def least(spread: float, documents: int) -> float:
    """The evidence that the best of a scope has by chance.

    The largest of n draws with standard deviation s lies near s sqrt(2 ln n) (Fisher and Tippett 1928); here with
    n + 1, so that a single memory needs some too.

    Args:
        spread: Standard deviation of the cosines of unrelated texts.
        documents: How many memories the scope holds.
    """
    return spread * math.sqrt(2.0 * math.log(documents + 1.0))


def bm25(idf: Mapping[str, float], words: Sequence[str], mean: float, *, k1: float = 1.2, b: float = 0.4) -> float:
    """BM25 of one memory (Robertson and Zaragoza 2009, "The Probabilistic Relevance Framework: BM25 and Beyond").

    Args:
        idf: The weight of each stem of the query.
        words: The stems of the memory.
        mean: Mean number of stems of a memory, over 0.
        k1: Saturation of repeated words.
        b: How far long memories are held back, 0 to 1.
    """
    norm = k1 * (1.0 - b + b * len(words) / mean)
    score = 0.0
    for term, weight in idf.items():
        count = words.count(term)
        if count:
            score += weight * count * (k1 + 1.0) / (count + norm)
    return score


def diversify(scored: Sequence[Scored], weight: float, limit: int | None = None) -> list[Scored]:
    """Maximal marginal relevance (Carbonell and Goldstein 1998) over shared stems: holds repetitions back.

    Args:
        scored: Candidates, best first.
        weight: 0 keeps the order; 1 takes a result that repeats a better one wholly down by the best score.
        limit: How many to pick; all when None.

    Returns:
        The picked candidates in their new order, scores unchanged.
    """
    rest = [(each, frozenset(each.candidate.terms)) for each in scored]
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


def features(
    query: Query, pool: Sequence[Candidate], corpus: Corpus, weights: RecallWeights, now: float | None = None
) -> dict[str, Column]:
    """Every feature of every candidate, unweighted: what `rank` sums, and what weights can be fitted on.

    Args:
        query: The query as `query.analyse` read it.
        pool: At least one candidate.
        corpus: The scope's own word counts.
        weights: For the constants inside features (b, k1, half-lives).
        now: As in `rank`.

    Returns:
        For the name of each weight a column with one value, 0 to 1, for each candidate in order.
    """
    speakers = [each.speaker or split_speaker(each.text)[0] for each in pool]
    stems = {who: frozenset(terms(who)) for who in set(speakers) if who}
    return (
        _relevance(query, pool, corpus, weights)
        | _taken_up(query, pool, corpus, frozenset().union(*stems.values()))
        | _asked_for(query, pool)
        | {"speaker": _said_by(query, speakers, stems)}
        | _history(pool, weights, now)
    )


def _relevance(query: Query, pool: Sequence[Candidate], corpus: Corpus, weights: RecallWeights) -> dict[str, Column]:
    idf = {term: corpus.idf(term) for term in query.terms}
    mean = sum(len(each.terms) for each in pool) / len(pool) or 1.0
    return {
        "semantic": _over_best(_cosines(pool)),
        "lexical": _over_best([bm25(idf, each.terms, mean, k1=weights.k1, b=weights.b) for each in pool]),
    }


def _cosines(pool: Sequence[Candidate]) -> Column:
    """A memory that only the text leg found is no nearer than the farthest one of the vector leg."""
    unknown = min((each.similarity for each in pool if each.similarity is not None), default=0.0)
    return [unknown if each.similarity is None else each.similarity for each in pool]


def _over_best(values: Column) -> Column:
    best = max(values)
    return [max(0.0, value) / best for value in values] if best > 0 else [0.0] * len(values)


def _taken_up(query: Query, pool: Sequence[Candidate], corpus: Corpus, speakers: frozenset[str]) -> dict[str, Column]:
    """Coverage by each memory, and what its neighbours add; the speakers' names, in half of all turns, do not count."""
    idf = {term: corpus.idf(term) for term in query.terms if term not in speakers}
    total = sum(idf.values()) or 1.0
    held = [idf.keys() & set(each.terms) for each in pool]
    beside = _turns(pool)
    added = []
    for each, own in zip(pool, held, strict=True):
        share = 0.0
        if beside and each.session is not None and each.sequence is not None:
            seen = set(own)
            for step, nearness in _STEPS:
                row = beside.get((each.session, each.sequence + step))
                if row is not None and (new := held[row] - seen):
                    share += nearness * sum(idf[term] for term in new)
                    seen |= new
        added.append(share / total)
    return {"coverage": [sum(idf[term] for term in own) / total for own in held], "neighbour": added}


_STEPS = ((-1, 0.8), (1, 0.8), (-2, 0.64), (2, 0.64))


def _turns(pool: Sequence[Candidate]) -> dict[tuple[str, int], int]:
    return {
        (c.session, c.sequence): row for row, c in enumerate(pool) if c.session is not None and c.sequence is not None
    }


def _asked_for(query: Query, pool: Sequence[Candidate]) -> dict[str, Column]:
    return {
        "date": [_inside(query, each.when) for each in pool],
        "shape": [float(answers(query.shape, each.text)) for each in pool],
        "asking": [asking(each.text) for each in pool],
        "substance": [min(1.0, math.log1p(len(each.terms)) / _DOZEN) for each in pool],
    }


_DOZEN = math.log1p(12)


def _inside(query: Query, when: float | None) -> float:
    if when is None or not query.windows:
        return 0.0
    moment = datetime.fromtimestamp(when, UTC)
    return float(any(window.holds(moment) for window in query.windows))


def _said_by(query: Query, speakers: Sequence[str | None], stems: Mapping[str, frozenset[str]]) -> Column:
    """1 for the speakers whom the query names, half for the role it implies; 0 for all when that parts nobody."""
    named = {who: 1.0 for who, words in stems.items() if not words.isdisjoint(query.terms)}
    named = named or {who: 0.5 for who in stems if who.casefold() in query.roles}
    if len(named) == len(stems):
        named = {}
    return [named.get(who, 0.0) if who else 0.0 for who in speakers]


def _history(pool: Sequence[Candidate], weights: RecallWeights, now: float | None) -> dict[str, Column]:
    columns = {
        "importance": [each.importance for each in pool],
        "confidence": [each.confidence for each in pool],
    }
    if now is not None:
        written = [each.created or each.when or now for each in pool]
        columns["activation"] = [
            activation(each.accesses, each.access_count, since, now) for each, since in zip(pool, written, strict=True)
        ]
        columns["recency"] = [
            recency(since, now, weights.half_lives.get(each.kind, weights.half_life))
            for each, since in zip(pool, written, strict=True)
        ]
    return columns


def _weighted(query: Query, weights: RecallWeights, columns: Mapping[str, Column]) -> list[tuple[str, float, Column]]:
    by_words = 1.0 if query.question else weights.statement
    factor = {"lexical": by_words, "coverage": by_words, "neighbour": by_words}
    named = [(name, getattr(weights, name) * factor.get(name, 1.0), column) for name, column in columns.items()]
    return [each for each in named if each[1]]


def _passing(pool: Sequence[Candidate], columns: Mapping[str, Column], floor: float) -> list[int]:
    """Rows that are evidence at all; none when even the best of the pool is not."""
    found = [
        cosine + (own + beside) / 2
        for cosine, own, beside in zip(_cosines(pool), columns["coverage"], columns["neighbour"], strict=True)
    ]
    if max(found) < floor:
        return []
    return [row for row, evidence in enumerate(found) if evidence >= floor / 4]


def _overlap(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one | other else 0.0
