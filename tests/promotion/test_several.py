"""Several things that are said in one breath, or found in several ways: each is remembered, and once."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.extraction import Extractor
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, fact, promote, says, slot, trip

NUTS = "User is allergic to nuts, shellfish and penicillin."


@pytest.fixture
def extractor(bank: MemoryBank, stub: OpenAIStub) -> Extractor:
    return Extractor(bank, stub.chat_model(), ["discrete", "preferences"])


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


@pytest.mark.parametrize(
    ("filled", "text"),
    [
        ({"allergy": ["nuts", "shellfish", "penicillin"]}, NUTS),
        ({"diet": ["vegetarian"], "allergy": ["nuts"]}, "User is vegetarian and allergic to nuts."),
        ({"child": ["Mia", "Tom"]}, "User has two children, Mia and Tom."),
    ],
)
def test_one_text_for_several_facts(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, filled: dict[str, list[str]], text: str
) -> None:
    pairs = [(name, value) for name, values in filled.items() for value in values]
    stub.answer = says(discrete=[], preferences=[slot(*pair, 1, text=text) for pair in pairs])
    plan = extractor.plan(batch(text.replace("User", "I")))
    extractor.apply(plan)
    assert sorted(facts(bank).values()) == sorted(value for _, value in pairs)
    extractor.apply(plan)
    assert len(bank.list(ANN)) == len(pairs), "a replay changes nothing"


def test_tastes_without_a_text(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    tastes = [{"slot": "likes", "value": "sushi"}, {"slot": "likes", "value": "ramen"}]
    stub.answer = says(discrete=[], preferences=[each | {"turns": [1]} for each in tastes])
    promote(extractor, "I like sushi and ramen.")
    assert facts(bank) == {"taste.sushi": "likes", "taste.ramen": "likes"}
    assert sorted(each.text for each in bank.list(ANN)) == ["User's likes: ramen", "User's likes: sushi"]


@pytest.mark.parametrize("first", ["discrete", "preferences"])
def test_a_text_that_stands_for_a_fact_is_no_text_beside_it(bank: MemoryBank, stub: OpenAIStub, first: str) -> None:
    stub.answer = says(discrete=[fact(NUTS, 1)], preferences=[slot("allergy", "nuts", 1, text=NUTS)])
    names = sorted(["discrete", "preferences"], key=lambda name: name != first)
    done = promote(Extractor(bank, stub.chat_model(), names), "I'm allergic to nuts.")
    assert [each.strategy for each in done] == ["preferences@1"]
    assert facts(bank) == {"allergy.nuts": "nuts"}


def test_an_event_of_two_days_in_one_breath(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    days = [trip("User gave blood.", 1, event_date=f"2025-0{month}-01") for month in (2, 4, 4)]
    stub.answer = says(discrete=days, preferences=[])
    promote(extractor, "I gave blood on 1 February and on 1 April.")
    found = sorted(each.event_time for each in bank.list(ANN) if each.event_time)
    assert found == [datetime(2025, 2, 1, tzinfo=UTC), datetime(2025, 4, 1, tzinfo=UTC)]


def test_a_plan_found_in_two_ways_is_one(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = says(discrete=[trip("User is going to Rome.", 1, event_date="2025-09-01")])
    promote(Extractor(bank, stub.chat_model(), ["rules", "discrete"]), "I'm going to Rome.")
    assert [each.text for each in bank.list(ANN)] == ["User is going to Rome."]


# --- what happens again


@pytest.mark.parametrize("kind", ["episodic", "semantic"])
def test_an_event_that_happens_again_is_another(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, kind: str
) -> None:
    for place, month in enumerate((2, 4, 4)):
        event = fact("User gave blood.", 1, kind=kind, event_date=f"2025-0{month}-01")
        stub.answer = says(discrete=[event], preferences=[])
        promote(extractor, "I gave blood.", start=NOON.replace(month=month, day=1), prefix=f"{place}-")
    again = {each.event_time.month: each.hits for each in bank.list(ANN) if each.event_time}
    assert again == ({2: 1, 4: 2} if kind == "episodic" else {2: 3}), "what is so is so on any day"


def test_an_event_of_which_nobody_spoke_is_none(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    bank.remember(Memory(text="User gave blood.", kind="episodic", event_time=NOON.replace(month=2)), ANN)
    stub.answer = says(discrete=[trip("User gave blood.", 1)], preferences=[])
    assert extractor.plan(batch("What do you know about me?")).refused == {"echo": 1}
    stub.answer = says(discrete=[trip("User gave blood.", 1, action="reinforce")], preferences=[])
    assert extractor.plan(batch("What do you know about me?")).refused == {"echo": 1}
