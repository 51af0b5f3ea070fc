"""What is said later counts: within a batch, of threads that are promoted late, and of dead letters."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.changes import Plan
from langchain_agentmem.promotion.extraction import Extractor
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, fact, promote, says, slot


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def vegan(bank: MemoryBank) -> None:
    bank.remember(Memory(text="User is vegan.", state="diet", value="vegan"), ANN)


def ends(name: str, *cited: int, **more: Any) -> dict[str, Any]:
    """An entry that retires a slot, without any text."""
    return {"action": "retire", "slot": name, "turns": list(cited), **more}


# --- within a batch


@pytest.mark.parametrize(
    ("before", "said", "name"),
    [
        ("I'm allergic to nuts.", ("I'm not allergic to nuts.", "I am allergic to nuts."), "allergy.nuts"),
        ("I'm vegan.", ("I'm not vegan any more.", "I'm pescatarian now."), "diet"),
    ],
)
async def test_a_fact_that_ends_and_begins(
    bank: MemoryBank, do: Do, before: str, said: tuple[str, ...], name: str
) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, before)
    plan = extractor.plan(batch(*said, prefix="n"))
    first = await do(extractor.apply, plan)
    assert list(facts(bank)) == [name]
    assert bank.count(ANN) == 1
    now = [(each.id, each.version, each.hits) for each in bank.list(ANN)]
    assert await do(extractor.apply, Plan.loads(plan.dumps())) == first
    assert [(each.id, each.version, each.hits) for each in bank.list(ANN)] == now, "a replay changes nothing"


def test_a_value_that_ends_and_comes_back(bank: MemoryBank, stub: OpenAIStub) -> None:
    vegan(bank)
    stub.answer = says(preferences=[slot("diet", "vegan", 2), ends("diet", 1)])
    promote(Extractor(bank, stub.chat_model(), "preferences"), "I gave up being vegan.", "No: I'm vegan again.")
    assert facts(bank) == {"diet": "vegan"}


@pytest.mark.parametrize("strategies", [("discrete", "preferences"), ("preferences", "discrete")])
def test_what_ends_in_the_same_breath(bank: MemoryBank, stub: OpenAIStub, strategies: tuple[str, str]) -> None:
    vegan(bank)
    stub.answer = says(
        discrete=[{"action": "retire", "known": 1, "turns": [1]}], preferences=[slot("diet", "fish", 1, text="Fish!")]
    )
    promote(Extractor(bank, stub.chat_model(), strategies), "I eat fish now, not vegan food.")
    assert facts(bank) == {"diet": "fish"}


def test_turns_count_in_their_order(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = says(
        preferences=[slot("diet", "fish", 3), slot("diet", "vegan", 1), *(slot("home", x, n) for x, n in HOMES)]
    )
    promote(
        Extractor(bank, stub.chat_model(), "preferences"),
        *("I'm vegan, in Rome.", "> Oh?", "I eat fish, in Oslo.", "Back in Rome!"),
    )
    assert facts(bank) == {"diet": "fish", "home": "Rome"}
    assert [each.value for each in bank.facts.history(ANN, "home")] == ["Rome", "Oslo"]


HOMES = (("Rome", 1), ("Oslo", 3), ("Rome", 4))


# --- what is promoted late

LATER = NOON.replace(year=2026)


def late(bank: MemoryBank, extractor: Extractor, said: str) -> None:
    """A thread says something, and one that was said before it is promoted after it."""
    promote(Extractor(bank, None, "rules"), "I'm allergic to nuts.", thread="new", start=LATER)
    promote(extractor, said, thread="old")


def test_what_ended_before_it_began_has_not_ended(bank: MemoryBank) -> None:
    late(bank, Extractor(bank, None, "rules"), "I'm not allergic to nuts.")
    assert facts(bank) == {"allergy.nuts": "nuts"}


def test_a_model_that_ends_what_began_later_ends_nothing(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = says(discrete=[{"action": "retire", "known": 1, "turns": [1]}])
    late(bank, Extractor(bank, stub.chat_model(), "discrete"), "Nuts are fine for me.")
    assert facts(bank) == {"allergy.nuts": "nuts"}


def test_what_contradicts_a_later_fact_was_so_until_then(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = says(discrete=[fact("User eats nuts.", 1, action="contradict", known=1)])
    late(bank, Extractor(bank, stub.chat_model(), "discrete"), "I eat nuts.")
    assert facts(bank) == {"allergy.nuts": "nuts"}
    assert [each.memory.text for each in bank.recall("nuts", ANN)] == ["User is allergic to nuts."]
    then = bank.recall("nuts", ANN, as_of=NOON.replace(month=8))
    assert [each.memory.text for each in then] == ["User eats nuts."]


def test_what_ends_in_its_own_thread_ends_whatever_the_clocks_say(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I'm allergic to nuts.", start=LATER)
    promote(extractor, "I'm not allergic to nuts.", prefix="n")
    assert facts(bank) == {}


@pytest.mark.parametrize(("words", "kept"), [("I'm vegan.", "eats fish"), ("I eat fish.", "eats fish")])
def test_a_dead_letter_undoes_nothing_that_its_thread_said_since(bank: MemoryBank, words: str, kept: str) -> None:
    extractor = Extractor(bank, None, "rules")
    given_up = replace(batch(words), replay="letter")
    promote(extractor, "I eat fish now.", start=LATER, prefix="n")
    extractor.apply(extractor.plan(given_up))
    assert facts(bank) == {"diet": kept}


def test_a_dead_letter_that_nothing_followed_counts(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I eat fish.")
    extractor.apply(extractor.plan(replace(batch("I'm vegan.", start=LATER, prefix="n"), replay="letter")))
    assert facts(bank) == {"diet": "vegan"}
