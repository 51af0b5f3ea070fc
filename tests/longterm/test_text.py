"""Tokens, stems and the two texts of a memory."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
import snowballstemmer
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.text import (
    STOP_WORDS,
    embedded_text,
    lexical_terms,
    lexical_text,
    split_speaker,
    stem,
    terms,
    tokens,
)

WHEN = datetime(2023, 5, 8, tzinfo=UTC)


def test_stop_words_go_and_order_stays() -> None:
    assert terms("When did Anna buy the red shoes?") == ["anna", "buy", "red", "shoe"]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("buy", "bought"),
        ("run", "ran"),
        ("child", "children"),
        ("paint", "painting"),
        ("meet", "met"),
        ("hike", "hiking"),
    ],
)
def test_a_question_and_its_answer_meet_in_one_stem(asked: str, told: str) -> None:
    assert stem(asked) == stem(told)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I'm sure she'll say it's Anna's", ["i", "sure", "she", "say", "it", "anna"]),
        ("It\u2019s 5pm", ["it", "5pm"]),
        ("Stra\u00dfe CAF\u00c9", ["strasse", "caf\u00e9"]),
        ("\u6211\u559c\u6b22\u5bff\u53f8", ["\u6211\u559c", "\u559c\u6b22", "\u6b22\u5bff", "\u5bff\u53f8"]),
        ("snake_case", ["snake", "case"]),
        ("", []),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert tokens(text) == expected


@given(st.text())
def test_terms_are_safe_in_any_query_language(text: str) -> None:
    for term in terms(text):
        assert term
        assert all(char.isalnum() for char in term)


@given(st.lists(st.sampled_from(sorted(STOP_WORDS)), min_size=1))
def test_a_run_of_stop_words_leaves_nothing(words: list[str]) -> None:
    assert terms(" ".join(words)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Anna: I moved", ("Anna", "I moved")),
        ("Anna Maria: hi: there", ("Anna Maria", "hi: there")),
        ("user: hello", ("user", "hello")),
        ("10:30 is fine", (None, "10:30 is fine")),
        ("https://example.org", (None, "https://example.org")),
        ("What I told you about yesterday: it works", (None, "What I told you about yesterday: it works")),
        ("Anna:", (None, "Anna:")),
    ],
)
def test_split_speaker(text: str, expected: tuple[str | None, str]) -> None:
    assert split_speaker(text) == expected


def test_the_speaker_goes_before_the_embedded_text_once() -> None:
    assert embedded_text("I moved", "Anna") == "Anna: I moved"
    assert embedded_text("Anna: I moved", "Anna") == "Anna: I moved"
    assert embedded_text("I moved") == "I moved"


def test_the_date_stands_in_the_lexical_text_only() -> None:
    assert lexical_terms(lexical_text("I moved", "Anna", WHEN)) == ["anna", "move", "8", "may", "2023"]
    assert lexical_text("Anna: I moved", "Anna", WHEN) == lexical_text("I moved", "Anna", WHEN)
    assert terms("on 8 May 2023") == lexical_terms(lexical_text("", None, WHEN))


@given(st.text(), st.text(max_size=20))
def test_the_lexical_text_gives_its_terms_back(text: str, speaker: str) -> None:
    assert lexical_terms(lexical_text(text, speaker)) == terms(embedded_text(text, speaker))


def test_threads_do_not_mix_their_words_up() -> None:
    words = ["".join("bcdfghklmn"[int(digit)] + "e" for digit in f"{i:04d}") + "nations" for i in range(2000)]
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(8) as pool:
            made = list(pool.map(stem, words))
    finally:
        sys.setswitchinterval(interval)
    assert made == snowballstemmer.stemmer("english").stemWords(words)


def test_who_lives_somewhere_is_found_by_asking_where_they_live() -> None:
    assert terms("The user lives in Rome") == ["user", "live", "rome"]
    assert terms("Where do I live?") == ["live"]
