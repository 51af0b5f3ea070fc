"""The names of facts: one for what is the same, another for what is not."""

from __future__ import annotations

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.slots import Slot, slot_of
from tests.promotion.talks import ANN, promote


def name(value: str, slot: str = "pet", subject: str | None = None) -> str:
    filled = slot_of(slot, value, subject)
    assert filled is not None
    return filled.state


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("C++", "C#"),
        ("C++", "C"),
        ("A+", "A-"),
        ("A-", "A"),
        ("\N{SLICE OF PIZZA}", "\N{SUSHI}"),
        ("!!!", "???"),
        ("+", "-"),
        ("\u0926\u093e\u0932", "\u0926\u093f\u0932"),  # Hindi words that differ in a vowel sign only
        ("\u0ba8\u0bbe\u0baf\u0bcd", "\u0ba8\u0bbe\u0baf\u0bbf"),  # Tamil
        ("size 4-5", "size 4,5"),
        ("\U0001f468\u200d\U0001f467", "\U0001f468 \U0001f467"),  # a family, and two faces
        ("x" * 70 + "a", "x" * 70 + "b"),
    ],
)
def test_what_is_not_the_same_has_another_name(one: str, other: str) -> None:
    assert name(one) != name(other)
    assert min(len(name(one)), len(name(other))) > len("pet.")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("Tree nuts", "tree_nuts"),
        ("gluten-free bread", "gluten_free_bread"),
        ("my sister's cat", "my_sister_s_cat"),
        ("Dr. No!", "dr_no"),
        ("Node.js", "node_js"),
        ("nickel (not a food)", "nickel_not_a_food"),
        ("tea - and cake, please", "tea_and_cake_please"),
        ("caf\u00e9", "caf\u00e9"),
        ("cafe\u0301", "caf\u00e9"),
        ("x" * 60, "x" * 60),
    ],
)
def test_ordinary_values_have_plain_names(value: str, expected: str) -> None:
    assert name(value) == f"pet.{expected}"


def test_a_subject_of_marks_only_is_not_the_user() -> None:
    assert name("Oslo", "home", "???") != "home"
    assert slot_of("home", "Oslo", " ") == Slot("home", "Oslo")


def test_what_is_loved_and_hated_is_told_apart(bank: MemoryBank) -> None:
    promote(Extractor(bank, None, "rules"), "I love C++.", "I hate C#.")
    assert {state: fact.value for state, fact in bank.facts.all(ANN).items()} == {
        "taste.c++": "likes",
        "taste.c#": "dislikes",
    }
