"""A model's small slips: a wrong number, entries out of order, other words for an action, far too much."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.schemas import Learned
from langchain_agentmem.promotion.strategies import Said, Strategy
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, fact, promote, says, slot

BOTH = ("discrete", "preferences")


@pytest.fixture
def extractor(bank: MemoryBank, stub: OpenAIStub) -> Extractor:
    return Extractor(bank, stub.chat_model(), BOTH)


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def texts(bank: MemoryBank) -> list[str]:
    return sorted(memory.text for memory in bank.list(ANN))


def knows(bank: MemoryBank, text: str, state: str, value: str) -> None:
    bank.remember(Memory(text=text, state=state, value=value, valid_from=NOON), ANN)


# --- a number that is another memory's


@pytest.mark.parametrize("action", ["update", "contradict"])
def test_a_wrong_number_changes_no_fact(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, action: str) -> None:
    knows(bank, "User is Ann.", "name", "Ann")
    stub.answer = says(discrete=[fact("Ann likes tea.", 1, action=action, known=1)], preferences=[])
    promote(extractor, "I like tea.")
    assert facts(bank) == {"name": "Ann"}
    assert texts(bank) == ["Ann likes tea.", "User is Ann."]


def test_a_wrong_number_of_a_slot_ends_no_other(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    knows(bank, "User is Ann.", "name", "Ann")
    stub.answer = says(discrete=[], preferences=[slot("diet", "fish", 1, action="contradict", known=1)])
    promote(extractor, "I eat fish.")
    assert facts(bank) == {"name": "Ann", "diet": "fish"}


def test_one_of_several_takes_the_place_of_another(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    knows(bank, "User is allergic to nuts.", "allergy.nuts", "nuts")
    stub.answer = says(discrete=[], preferences=[slot("allergy", "peanuts", 1, action="update", known=1)])
    promote(extractor, "To be exact, it's peanuts.")
    assert facts(bank) == {"allergy.peanuts": "peanuts"}


@pytest.mark.parametrize(
    ("text", "action", "after"),
    [
        ("User has been vegan since 2020.", "update", {"diet": "vegan"}),
        ("User is no longer vegan.", "contradict", {}),
        ("User eats fish.", "contradict", {}),
    ],
)
def test_a_sentence_is_no_value(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, text: str, action: str, after: dict[str, str]
) -> None:
    knows(bank, "User is vegan.", "diet", "vegan")
    stub.answer = says(discrete=[fact(text, 1, action=action, known=1)], preferences=[])
    promote(extractor, "About being vegan, and fish.")
    assert (facts(bank), texts(bank)) == (after, [text])


# --- one after the other


@pytest.mark.parametrize("text", [None, "User is not vegan."])
@pytest.mark.parametrize("strategies", [BOTH, ("rules", *BOTH)])
def test_what_was_taken_back_is_not_so(
    bank: MemoryBank, stub: OpenAIStub, text: str | None, strategies: tuple[str, ...]
) -> None:
    ended = {"action": "retire", "slot": "diet", "turns": [3], "text": text}
    stub.answer = says(discrete=[], preferences=[ended, slot("diet", "vegan", 1, text="User eats vegan.")])
    extractor = Extractor(bank, stub.chat_model(), strategies)
    plan = extractor.plan(batch("I'm vegan.", "> Noted.", "No wait, that is over."))
    extractor.apply(plan)
    assert (facts(bank), texts(bank)) == ({}, [text] if text else [])
    assert plan.refused == {}


# --- other words


@pytest.mark.parametrize("action", ["contradict", "update", "reinforce"])
def test_a_value_of_which_nothing_is_known_is_added(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, action: str
) -> None:
    stub.answer = says(discrete=[], preferences=[slot("name", "Root", 1, action=action) | {"text": None}])
    promote(extractor, "My name is Root.")
    assert facts(bank) == {"name": "Root"}


@pytest.mark.parametrize("known", [None, 1])
@pytest.mark.parametrize(("value", "after"), [("Oslo", "Oslo"), ("Rome, Italy", "Rome")])
def test_another_value_is_no_confirmation(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, known: int | None, value: str, after: str
) -> None:
    knows(bank, "User lives in Rome.", "home", "Rome")
    stub.answer = says(discrete=[], preferences=[slot("home", value, 1, action="reinforce", known=known)])
    promote(extractor, f"I live in {value}.")
    assert facts(bank) == {"home": after}


@pytest.mark.parametrize("action", ["delete", "Remove"])
def test_other_words_for_an_end(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, action: str) -> None:
    knows(bank, "User is vegan.", "diet", "vegan")
    stub.answer = says(discrete=[], preferences=[{"action": action, "slot": "diet", "turns": [1]}])
    promote(extractor, "I'm not vegan any more.")
    assert facts(bank) == {}


def test_another_word_for_an_update(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    bank.remember("User flies to Tokyo.", ANN)
    stub.answer = says(discrete=[fact("User flies to Tokyo in June.", 1, action="replace", known=1)], preferences=[])
    promote(extractor, "I fly to Tokyo in June.")
    assert texts(bank) == ["User flies to Tokyo in June."]


# --- far too much


def test_no_more_than_a_conversation_can_hold(stub: OpenAIStub, bank: MemoryBank) -> None:
    things = [fact(f"User likes thing {i}.", 1) for i in range(60)]
    stub.answer = says(discrete=things, preferences=[slot("home", "Oslo", 1)], summary={"text": "User likes things."})
    plan = Extractor(bank, stub.chat_model(), (*BOTH, "summary")).plan(batch("I like many things."))
    assert len(plan.changes) == 50
    assert plan.refused == {"too many": 12}
    assert {change.strategy for change in plan.changes} == {"discrete@1", "preferences@1", "summary@1"}


def test_nothing_that_is_far_too_long(stub: OpenAIStub, extractor: Extractor) -> None:
    stub.answer = says(
        discrete=[fact("tea " * 2_000, 1), fact("User likes tea.", 1)],
        preferences=[slot("drink", "tea" * 1_000, 1, text="User drinks tea.")],
    )
    plan = extractor.plan(batch("I like tea."))
    assert [change.memory.text for change in plan.changes if change.memory] == ["User likes tea."]
    assert plan.refused == {"too long": 2}


# --- what cannot be kept


@pytest.mark.parametrize("date", ["0001-01-01T00:00:00+01:00", "0001-01-01", "9999-12-31T23:59:59-12:00"])
def test_a_date_that_stands_for_none_is_none(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, date: str
) -> None:
    exam = fact("User has an exam.", 1, kind="episodic", event_date=date)
    stub.answer = says(discrete=[exam, fact("User has a car.", 1)], preferences=[])
    promote(extractor, "I have a car and an exam.")
    days = {memory.text: memory.event_time and memory.event_time.date() for memory in bank.list(ANN)}
    assert days == dict.fromkeys(["User has a car.", "User has an exam."], NOON.date())


def test_one_entry_that_cannot_be_kept_takes_no_other_along(bank: MemoryBank, stub: OpenAIStub) -> None:
    def rule(entry: Learned, said: Said) -> Memory | None:
        return Memory(text=entry.text or "", data={"at": said.time if entry.topics else None})

    own = Strategy("own", "Whatever.", Learned, rule)
    stub.answer = says(own=[fact("User has a car.", 1), fact("User has tea.", 1, topics=["x"]), fact("  ", 1)])
    plan = Extractor(bank, stub.chat_model(), own).plan(batch("I have a car and tea."))
    assert plan.refused == {"invalid": 2}
    assert [each.text for each in Extractor(bank, stub.chat_model(), own).apply(plan)] == ["User has a car."]
