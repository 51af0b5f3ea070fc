"""Each term of a score does what it says, and nothing else decides."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.query import analyse
from langchain_agentmem.longterm.scoring import (
    Candidate,
    Corpus,
    RecallWeights,
    Said,
    Scored,
    bm25,
    diversify,
    least,
    rank,
)
from langchain_agentmem.longterm.text import split_speaker, terms

NOW = datetime(2024, 1, 1, tzinfo=UTC).timestamp()
DAY = 86_400.0


def memory(name: str, text: str, similarity: float | None = 0.5, **rest: object) -> Candidate:
    told = {each: rest.pop(each) for each in ("session", "sequence", "when", "importance") if each in rest}
    said = Said.read(name, text, terms(text), speaker=split_speaker(text)[0], **told)
    return Candidate(said, similarity, **rest)  # type: ignore[arg-type]


def corpus(pool: Sequence[Candidate]) -> Corpus:
    words = {word for each in pool for word in each.said.terms}
    return Corpus(len(pool), {word: sum(word in each.said.terms for each in pool) for word in words})


def ranked(
    question: str, *pool: Candidate, weights: RecallWeights | None = None, now: float | None = None
) -> list[Scored]:
    return rank(analyse(question), pool, corpus(pool), weights, now=now)


def order(question: str, *pool: Candidate, weights: RecallWeights | None = None, now: float | None = None) -> list[str]:
    return [each.candidate.id for each in ranked(question, *pool, weights=weights, now=now)]


def test_the_nearer_vector_wins_among_equal_words() -> None:
    assert order("pets?", memory("far", "we walk a lot", 0.3), memory("near", "we swim a lot", 0.6)) == ["near", "far"]


def test_the_rarer_shared_word_wins_at_equal_distance() -> None:
    pool = [memory(str(n), f"the garden in spring {n}") for n in range(5)]
    assert order("the violin in the garden?", *pool, memory("rare", "a violin in spring"))[0] == "rare"


def test_a_memory_of_the_text_leg_alone_counts_as_the_farthest_known() -> None:
    first, last = ranked(
        "violin?", memory("a", "a violin", None), memory("b", "a violin", 0.4), memory("c", "nothing", 0.2)
    )[:2]
    assert (first.candidate.id, last.candidate.id) == ("b", "a")
    assert last.terms["semantic"] == pytest.approx(0.5)


def test_the_speaker_whom_the_question_names_goes_first() -> None:
    pool = [memory("b", "Ben: the trip was long"), memory("a", "Anna: the trip was long")]
    assert order("What did Anna say of the trip?", *pool)[0] == "a"
    assert order("What did Ben say of the trip?", *pool)[0] == "b"


def test_a_question_that_names_both_speakers_prefers_neither() -> None:
    pool = [memory("b", "Ben: the trip was long"), memory("a", "Anna: the trip was long")]
    assert all("speaker" not in each.terms for each in ranked("Did Anna and Ben like the trip?", *pool))


def test_what_i_said_was_said_by_the_user() -> None:
    pool = [memory("a", "assistant: a red car"), memory("u", "user: a red car")]
    assert order("What car did I want?", *pool) == ["u", "a"]
    assert order("What car did you suggest?", *pool) == ["a", "u"]


def test_a_date_in_the_question_lifts_that_window() -> None:
    may, june = (datetime(2023, month, 3, tzinfo=UTC).timestamp() for month in (5, 6))
    pool = [memory("a", "a long walk", when=june), memory("b", "a long walk", when=may)]
    assert order("Which walk was it in May 2023?", *pool) == ["b", "a"]
    assert order("Which walk was it in June?", *pool) == ["a", "b"]


def test_an_answer_of_the_asked_shape_goes_first() -> None:
    pool = [memory("a", "we adopted the dog soon"), memory("b", "we adopted the dog yesterday")]
    assert order("When did they adopt the dog?", *pool) == ["b", "a"]


def test_who_asks_does_not_tell() -> None:
    assert order("new job?", memory("a", "How is the new job going?"), memory("b", "So the new job is going.")) == [
        "b",
        "a",
    ]


def test_an_answer_beside_its_question_is_lifted() -> None:
    asked = memory("ask", "Did you bring the violin along?", 0.5, session="s", sequence=1)
    answer = memory("answer", "Left it in the taxi, sadly", 0.3, session="s", sequence=2)
    stray = memory("stray", "Left it in the office, sadly", 0.3, session="s", sequence=9)
    assert order("What became of the violin?", asked, stray, answer).index("answer") == 1
    loose = [replace(each, said=each.said._replace(session=None)) for each in (asked, stray, answer)]
    assert all("neighbour" not in each.terms for each in ranked("What became of the violin?", *loose))


def test_shared_words_count_less_in_a_statement() -> None:
    pool = [memory("words", "the tired trip home", 0.5), memory("sense", "exhausted when we got back", 0.7)]
    assert order("tired trip home?", *pool)[0] == "words"
    assert order("I am so tired after that trip home", *pool)[0] == "sense"


def test_history_only_breaks_ties() -> None:
    old = memory("old", "a red car", created=NOW - 400 * DAY, importance=0.0, confidence=0.0)
    new = memory("new", "a red car", created=NOW - DAY, accesses=(NOW - 60,), access_count=9, importance=1.0)
    assert order("car?", old, new, now=NOW) == ["new", "old"]
    better = replace(old, similarity=0.6)
    assert order("car?", better, new, now=NOW) == ["old", "new"]


def test_the_tie_breaks_together_stay_below_a_tenth() -> None:
    weights = RecallWeights()
    assert weights.activation + weights.recency + weights.importance + weights.confidence < 0.1


def test_nothing_is_better_than_noise() -> None:
    question = "capital of Mongolia?"
    assert ranked(question, memory("a", "a red car", 0.05), memory("b", "we moved", None)) == []
    assert order(question, memory("a", "a red car", 0.3)) == ["a"]
    assert order(question, memory("words", "the Mongolian capital, Mongolia", 0.05)) == ["words"]
    floor = least(RecallWeights().floor, 3)
    beside = memory("half", "we moved", 0.55 * floor), memory("noise", "we moved", 0.45 * floor)
    assert order(question, memory("a", "a red car", 0.3), *beside) == ["a", "half"]


def test_chance_finds_more_in_a_larger_scope() -> None:
    pool = [memory("a", "I am vegetarian", 0.2), memory("b", "I live in Kyoto", 0.1)]
    small, large = (rank(analyse("what do I eat?"), pool, Corpus(size, {})) for size in (2, 100_000))
    assert [each.candidate.id for each in small] == ["a", "b"]
    assert large == []
    assert [least(0.1, size) for size in (0, 1)] == pytest.approx([0, 0.1177], abs=1e-4)


def test_an_empty_pool_and_an_empty_query() -> None:
    assert ranked("anything?") == []
    assert order("what is it?", memory("a", "a red car", 0.4), memory("b", "a blue car", 0.3)) == ["a", "b"]


def test_a_score_is_the_sum_of_its_terms_and_each_has_a_weight() -> None:
    names = set(RecallWeights.__dataclass_fields__)
    pool = [
        memory("a", "Anna: I moved to Rome in 2020?", session="s", sequence=1, when=NOW),
        memory("b", "Ben: Rome!", None),
    ]
    for each in ranked("When did Anna move to Rome?", *pool, now=NOW + DAY):
        assert each.score == pytest.approx(sum(each.terms.values()))
        assert each.terms.keys() <= names


@given(st.integers(0, 10_000))
def test_order_depends_on_the_pool_not_on_its_order(seed: int) -> None:
    rng = random.Random(seed)
    words = "red car violin trip garden rome anna swim".split()
    pool = [
        memory(str(n), " ".join(rng.choices(words, k=4)), rng.choice([None, rng.random()]), session="s", sequence=n)
        for n in range(12)
    ]
    shuffled = rng.sample(pool, len(pool))
    assert order("red violin in Rome?", *pool, now=NOW) == order("red violin in Rome?", *shuffled, now=NOW)


def test_limit_cuts_the_tail() -> None:
    pool = [memory(str(n), "a red car", 0.9 - n / 100) for n in range(5)]
    top = rank(analyse("car?"), pool, corpus(pool), limit=2)
    assert [each.candidate.id for each in top] == ["0", "1"]


def test_diversity_holds_a_repetition_back() -> None:
    pool = [
        memory("a", "a red car outside", 0.9),
        memory("b", "a red car outside", 0.89),
        memory("c", "the violin", 0.7),
    ]
    plain = ranked("car?", *pool, weights=RecallWeights(lexical=0, coverage=0))
    assert [each.candidate.id for each in plain] == ["a", "b", "c"]
    assert [each.candidate.id for each in diversify(plain, 1.0)] == ["a", "c", "b"]
    assert [each.candidate.id for each in diversify(plain, 0.0)] == ["a", "b", "c"]
    assert [each.candidate.id for each in diversify(plain, 1.0, 1)] == ["a"]
    assert order("car?", *pool, weights=RecallWeights(lexical=0, coverage=0, diversity=1.0)) == ["a", "c", "b"]


def test_bm25_by_hand() -> None:
    idf = {"red": 2.0, "car": 1.0}
    expected = 2.0 * 2 * 2.2 / (2 + 1.2 * (0.6 + 0.4 * 3 / 4)) + 0.0
    assert bm25(idf, [{"red": 2, "violin": 1}, {}], [3, 0], 4.0) == pytest.approx([expected, 0.0])


def test_idf_falls_with_frequency_and_is_never_negative() -> None:
    counts = Corpus(10, {"all": 10, "some": 3, "wrong": 99})
    assert counts.idf("none") > counts.idf("some") > counts.idf("all") > 0
    assert counts.idf("wrong") == counts.idf("all")
    assert math.isfinite(Corpus(0, {}).idf("x"))
