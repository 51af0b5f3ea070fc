"""What is said later counts: within a batch, of threads that are promoted late, and of dead letters."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory, Source
from langchain_agentmem.promotion.batch import Batch, Turn
from langchain_agentmem.promotion.changes import Plan
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.thread.codec import Codec
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, fact, promote, says, slot

CODEC = Codec(JsonPlusSerializer())


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def vegan(bank: MemoryBank) -> None:
    bank.remember(Memory(text="User is vegan.", state="diet", value="vegan", valid_from=NOON), ANN)


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


# --- facts that no memory stands for

COMING = NOON.replace(year=2100)  # after whatever these tests do


@pytest.fixture(params=["rules", "preferences"])
def ending(request: pytest.FixtureRequest, bank: MemoryBank, stub: OpenAIStub) -> Extractor:
    """Finds out, without a model and with one, that what is said ends the diet."""
    stub.answer = says(preferences=[ends("diet", 1)])
    return Extractor(bank, stub.chat_model() if request.param == "preferences" else None, request.param)


@pytest.mark.parametrize("source", [None, Source(thread_id="another"), Source(thread_id="t1")])
async def test_a_fact_that_was_set_by_hand_ends(
    bank: MemoryBank, ending: Extractor, do: Do, source: Source | None
) -> None:
    bank.facts.set(ANN, "diet", "vegan", source=source)
    plan = ending.plan(batch("I'm not vegan any more.", context=["> Vegan, then?"], start=COMING))
    [done] = await do(ending.apply, plan)
    assert (done.id, done.action, done.outcome) == ("", "retire", "retired")
    assert facts(bank) == {}
    assert [each.value for each in bank.facts.history(ANN, "diet")] == ["vegan"]
    bank.facts.set(ANN, "diet", "vegan")
    assert await do(ending.apply, Plan.loads(plan.dumps())) == [done]
    assert facts(bank) == {"diet": "vegan"}, "a replay ends nothing that was set since"


@pytest.mark.parametrize("context", [[], ["> Vegan, then?"]])
def test_what_an_agent_set_in_that_turn_stays(bank: MemoryBank, ending: Extractor, context: list[str]) -> None:
    bank.facts.set(ANN, "diet", "vegan", source=Source(thread_id="t1"))
    assert promote(ending, "I'm not vegan any more.", context=context) == []
    assert facts(bank) == {"diet": "vegan"}


def test_what_was_set_by_hand_after_it_was_said_stays(bank: MemoryBank, ending: Extractor) -> None:
    bank.facts.set(ANN, "diet", "vegan")
    assert promote(ending, "I'm not vegan any more.") == []
    assert facts(bank) == {"diet": "vegan"}


def test_what_was_set_since_it_was_read_stays(bank: MemoryBank, ending: Extractor) -> None:
    bank.facts.set(ANN, "diet", "vegan")
    plan = ending.plan(batch("I'm not vegan any more.", start=COMING))
    bank.facts.set(ANN, "diet", "fish")
    assert [each.outcome for each in ending.apply(plan)] == ["gone"]
    assert facts(bank) == {"diet": "fish"}


def test_what_was_set_by_hand_ends_and_begins(bank: MemoryBank) -> None:
    bank.facts.set(ANN, "diet", "vegan")
    promote(Extractor(bank, None, "rules"), "I'm not vegan any more.", "I'm pescatarian now.", start=COMING)
    assert facts(bank) == {"diet": "pescatarian"}


@pytest.mark.parametrize("source", [None, Source(thread_id="t1")])
def test_what_is_said_right_after_it_was_set_counts(bank: MemoryBank, source: Source | None) -> None:
    extractor = Extractor(bank, None, "rules")
    for number in range(30):
        bank.facts.set(ANN, "home", "Rome", source=source)
        said = Turn.loads(
            Turn(HumanMessage("I live in Berlin.", id=f"m{number}"), datetime.now(UTC)).dumps(CODEC), CODEC
        )
        extractor.apply(extractor.plan(Batch("t1", ANN, [said], ())))
        assert facts(bank) == {"home": "Berlin"}


def test_what_an_agent_set_after_it_was_said_stays(bank: MemoryBank) -> None:
    bank.facts.set(ANN, "home", "Rome", source=Source(thread_id="t1"))
    promote(Extractor(bank, None, "rules"), "I live in Berlin.")
    assert facts(bank) == {"home": "Rome"}
    promote(Extractor(bank, None, "rules"), "I live in Oslo.", start=COMING, prefix="n")
    assert facts(bank) == {"home": "Oslo"}


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


# --- two threads at once: each plan is made before the other's changes


def planned(extractor: Extractor, said: str, thread: str, **more: Any) -> Plan:
    return extractor.plan(batch(said, thread=thread, prefix=thread, **more))


async def test_of_two_plans_the_later_statement_stands(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "rules")
    old, new = planned(extractor, "I live in Rome.", "old"), planned(extractor, "I live in Oslo.", "new", start=LATER)
    await do(extractor.apply, new)
    first = await do(extractor.apply, old)
    assert facts(bank) == {"home": "Oslo"}
    assert [each.memory.text for each in bank.recall("Where does the user live?", ANN)] == ["User lives in Oslo."]
    then = bank.recall("Where does the user live?", ANN, as_of=NOON.replace(month=8))
    assert [(each.memory.text, each.memory.valid_to) for each in then] == [
        ("User lives in Rome.", bank.facts.all(ANN)["home"].since)
    ]
    assert await do(extractor.apply, Plan.loads(old.dumps())) == first
    assert bank.count(ANN) == 2, "a replay adds nothing"


async def test_of_two_plans_the_later_one_may_come_last(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "rules")
    old, new = planned(extractor, "I live in Rome.", "old"), planned(extractor, "I live in Oslo.", "new", start=LATER)
    await do(extractor.apply, old)
    await do(extractor.apply, new)
    assert [each.value for each in bank.facts.history(ANN, "home")] == ["Oslo", "Rome"]


@pytest.mark.parametrize("action", ["contradict", "update", "retire"])
async def test_a_plan_changes_no_memory_whose_fact_became_so_since(
    bank: MemoryBank, stub: OpenAIStub, do: Do, action: str
) -> None:
    vegan(bank)
    stub.answer = says(discrete=[fact("User eats vegan fish.", 1, action=action, known=1)])
    extractor = Extractor(bank, stub.chat_model(), "discrete")
    old = planned(extractor, "Vegan? I eat fish.", "old")
    promote(Extractor(bank, None, "rules"), "I'm pescatarian now.", thread="new", start=LATER)
    done = await do(extractor.apply, old)
    assert facts(bank) == {"diet": "pescatarian"}
    assert [each.outcome for each in done] == ["kept" if action == "retire" else "added"]
    assert [each.memory.text for each in bank.recall("fish, pescatarian", ANN)] == ["User is pescatarian."]
    assert await do(extractor.apply, Plan.loads(old.dumps())) == done


def test_what_was_set_by_hand_since_stands(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    old = planned(extractor, "I live in Rome.", "old")
    bank.remember(Memory(text="User lives in Oslo.", state="home", value="Oslo"), ANN)
    extractor.apply(old)
    assert facts(bank) == {"home": "Oslo"}


def test_what_is_remembered_by_hand_is_so_now(bank: MemoryBank) -> None:
    promote(Extractor(bank, None, "rules"), "I live in Oslo.", thread="new", start=COMING)
    bank.remember(Memory(text="User lives in Rome.", state="home", value="Rome", valid_from=NOON), ANN)
    assert facts(bank) == {"home": "Rome"}
