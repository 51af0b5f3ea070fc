"""What a query asks for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.query import analyse, answers, asking, is_question


@pytest.mark.parametrize(
    "text", ["Where is Anna", "Anna is where?", "Tell me about Rome", "\u4f60\u597d\uff1f", "Is it you?"]
)
def test_questions(text: str) -> None:
    assert is_question(text)
    assert analyse(text).question


@pytest.mark.parametrize("text", ["I'm so tired after the trip", "My knee hurts"])
def test_statements(text: str) -> None:
    assert not analyse(text).question


def test_keywords_count_as_a_question() -> None:
    assert not is_question("favourite food")
    assert analyse("favourite food").question


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("When did Anna move?", "when"),
        ("What year was it?", "when"),
        ("How many cats does she have?", "number"),
        ("Where does he live?", "where"),
        ("Which city did they see?", "where"),
        ("What did she buy?", None),
    ],
)
def test_the_shape_of_the_answer(text: str, shape: str | None) -> None:
    assert analyse(text).shape == shape


@pytest.mark.parametrize(
    ("shape", "text", "held"),
    [
        ("when", "I moved last Tuesday", True),
        ("when", "I moved", False),
        ("number", "I have three cats", True),
        ("number", "I have cats", False),
        ("where", "We stayed in Lisbon", True),
        ("where", "We stayed inside", False),
        (None, "We stayed in Lisbon", False),
    ],
)
def test_what_answers_a_shape(shape: str | None, text: str, held: bool) -> None:
    assert answers(shape, text) is held


def test_terms_are_distinct_and_dates_are_read() -> None:
    query = analyse("What did Anna tell Ben about Anna's trip to Oslo in May?")
    assert query.terms == ("anna", "ben", "trip", "oslo", "may")
    assert [window.months for window in query.windows] == [(5,)]


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("What did I say about my dog?", {"user", "human"}),
        ("Which restaurant did you recommend?", {"assistant", "ai", "bot", "agent"}),
        ("What did you tell me?", set()),
        ("What did Anna say?", set()),
    ],
)
def test_whose_words_are_meant(text: str, roles: set[str]) -> None:
    assert analyse(text).roles == roles


@pytest.mark.parametrize(
    ("text", "share"), [("How was it?", 1.0), ("I moved.", 0.0), ("I moved. And you?", 0.5), ("", 0.0), ("???", 0.0)]
)
def test_how_much_of_a_text_asks(text: str, share: float) -> None:
    assert asking(text) == share


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    assert len(set(analyse(text).terms)) == len(analyse(text).terms)
    assert 0.0 <= asking(text) <= 1.0
