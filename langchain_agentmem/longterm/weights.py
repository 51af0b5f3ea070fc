"""What each term of a recall's score counts: the one place where the ranking is tuned.

The weights were fitted by `benchmarks/fit_recall.py` with two encoders, then drawn about halfway back to the first line
of the sum in `scoring` alone: the talk they were fitted on is synthetic, tidier than real talk, and the figures are
nearly flat on that way.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

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
            stems) than chance gives the best of a scope of this size, see `least`; one result needs half of
            that. In scopes of 2 to 200 turns it silences none (MiniLM) to 1 % (wordllama) of the tune questions that
            have an answer, and 34 to 63 % (59 to 78 %) of questions about something else. -4 returns all that is found.
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
