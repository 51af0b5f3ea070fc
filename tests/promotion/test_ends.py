"""What is no longer so: it ends what it is about, and nothing else."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.extraction import Extractor
from tests.openai_stub import ChatRequest, OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, fact, promote, says, slot

REX = "User has a dog called Rex."
KIND = pytest.mark.parametrize("loose", [False, True], ids=["memory", "fact"])


@pytest.fixture
def extractor(bank: MemoryBank, stub: OpenAIStub) -> Extractor:
    return Extractor(bank, stub.chat_model(), ["discrete", "preferences"])


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def texts(bank: MemoryBank) -> list[str]:
    return sorted(memory.text for memory in bank.list(ANN) if not memory.superseded)


def knows(bank: MemoryBank, *, loose: bool, **values: str) -> None:
    """Facts, each with a memory that stands for it or, as when set by hand, without one."""
    for name, value in values.items():
        state = name.replace("__", ".")
        if loose:
            bank.facts.set(ANN, state, value)
        else:
            text = f"Known of user's {state}: {value}"
            bank.remember(Memory(text=text, state=state, value=value, valid_from=NOON), ANN)


def gone(name: str, value: str | None, *cited: int, **more: Any) -> dict[str, Any]:
    return {"action": "retire", "slot": name, "value": value, "turns": list(cited or (1,)), **more}


# --- a memory that is named by no number, or by a wrong one


@pytest.mark.parametrize("action", ["retire", "delete"])
@pytest.mark.parametrize("known", [None, 0, 9])
@pytest.mark.parametrize("text", [REX, "User owns a dog, Rex.", "User's dog Rex has died."])
def test_an_end_finds_its_memory(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, action: str, known: int | None, text: str
) -> None:
    bank.remember([REX, "User has a cat called Mimi."], ANN)
    stub.answer = says(discrete=[fact(text, 1, action=action, known=known)], preferences=[])
    (done,) = promote(extractor, "Rex died, I have no dog any more.")
    assert done.outcome == "retired"
    assert texts(bank) == ["User has a cat called Mimi."]


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        (fact("User works for Acme.", 1, action="retire"), []),
        (fact("User does not work for Acme any more.", 1, action="retire"), None),
        (gone("employer", "Acme", text="User works for Acme."), []),
        (gone("employer", "Acme", text="User left Acme."), None),
        (gone("employer", "Acme", text="Nutzer arbeitet nicht mehr bei Acme."), None),
        (gone("employer", "Acme"), []),
    ],
)
def test_an_end_of_nothing_that_is_known_adds_no_beginning(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, entry: dict[str, Any], kept: list[str] | None
) -> None:
    bank.remember(REX, ANN)
    section = "preferences" if "slot" in entry else "discrete"
    stub.answer = says(**{"discrete": [], "preferences": []} | {section: [entry]})
    plan = extractor.plan(batch("I was fired at Acme."))
    extractor.apply(plan)
    assert texts(bank) == sorted([REX, *([entry["text"]] if kept is None else kept)])
    assert plan.refused == ({} if kept is None else {"unknown memory": 1})
    assert facts(bank) == {}


def test_in_doubt_nothing_ends(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    held = ["User has a dog called Bo and a boat.", REX]
    bank.remember(held, ANN)
    stub.answer = says(discrete=[fact("User has no dog.", 1, action="retire")], preferences=[])
    promote(extractor, "I have no dog any more.")
    assert texts(bank) == sorted([*held, "User has no dog."])


@pytest.mark.parametrize("action", ["contradict", "update", "retire", "reinforce"])
def test_a_number_of_another_memory_changes_nothing_of_it(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, action: str
) -> None:
    sister, text = "User's sister lives in Bonn.", "User's sister left for Oslo."
    bank.remember([REX, sister], ANN)

    def answer(request: ChatRequest) -> dict[str, Any]:
        number = re.findall(r'memory (\d+): "User has a dog', request.text)[0]
        return {"discrete": [fact(text, 1, action=action, known=int(number))], "preferences": []}

    stub.answer = answer
    promote(extractor, "My sister moved to Oslo.")
    assert {each.text: each.hits for each in bank.list(ANN)} == {REX: 1, sister: 1, text: 1}


@pytest.mark.parametrize(
    ("known", "said", "entry", "left"),
    [
        ("User is vegetarian.", "Actually I eat fish now.", ("User eats fish.", "contradict"), ["User eats fish."]),
        (
            "User lives in Berlin.",
            "I moved to Hamburg.",
            ("User moved to Hamburg.", "update"),
            ["User moved to Hamburg."],
        ),
        ("User works at Google.", "I was laid off.", (None, "retire"), []),
        ("User is vegetarian.", "As I said, I never touch meat.", ("User never eats meat.", "reinforce"), None),
    ],
)
def test_the_number_of_the_only_memory_counts_whatever_the_words(
    bank: MemoryBank,
    stub: OpenAIStub,
    extractor: Extractor,
    known: str,
    said: str,
    entry: tuple[str | None, str],
    left: list[str] | None,
) -> None:
    bank.remember(known, ANN)
    stub.answer = says(discrete=[fact(entry[0] or "", 1, action=entry[1], known=1)], preferences=[])
    promote(extractor, said, start=datetime.now(UTC))
    assert texts(bank) == ([known] if left is None else left)


@pytest.mark.parametrize("value", ["not vegetarian", "veggie", "pescatarian"])
def test_a_number_and_what_is_said_end_a_value_that_is_worded_otherwise(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, value: str
) -> None:
    knows(bank, loose=False, diet="vegetarian")
    stub.answer = says(discrete=[], preferences=[gone("diet", value, known=1)])
    promote(extractor, "I'm not vegetarian any more.")
    assert facts(bank) == {}


def test_a_sibling_that_nobody_speaks_of_stays(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    knows(bank, loose=False, allergy__peanuts="peanuts")
    stub.answer = says(discrete=[], preferences=[slot("allergy", "eggs", 1, action="update", known=1)])
    promote(extractor, "I'm allergic to eggs, too.")
    assert facts(bank) == {"allergy.peanuts": "peanuts", "allergy.eggs": "eggs"}


def test_a_sentence_of_the_user_ties_what_is_new_to_what_was(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor
) -> None:
    bank.remember("User's home is Rome.", ANN)
    stub.answer = says(discrete=[fact("User lives in Oslo.", 1, action="contradict", known=1)], preferences=[])
    promote(extractor, "I moved from Rome to Oslo.")
    assert texts(bank) == ["User lives in Oslo."]


def test_a_value_takes_the_place_of_a_text_about_its_slot(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor
) -> None:
    bank.remember("User lives in Rome.", ANN)
    stub.answer = says(discrete=[], preferences=[slot("home", "Oslo", 1, action="contradict", known=1)])
    promote(extractor, "I moved to Oslo.")
    assert (texts(bank), facts(bank)) == (["User's home: Oslo."], {"home": "Oslo"})


# --- the value of a slot


@KIND
@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("employer", "Foo Ltd", "I no longer work for Foo Ltd."),
        ("partner", "Kim", "Kim and I are no longer together."),
        ("home", "Paris", "I no longer live in Paris."),
        ("pet", "Mimi", "Mimi died."),
        ("likes", "natto", "I don't like natto any more."),
    ],
)
def test_another_value_ends_nothing(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor, name: str, value: str, said: str, loose: bool
) -> None:
    known = {"employer": "Acme", "partner": "Ana", "home": "Rome", "diet": "vegan", "pet__rex_dog": "Rex (dog)"}
    knows(bank, loose=loose, **known, taste__natto="dislikes")
    before = facts(bank)
    stub.answer = says(discrete=[], preferences=[gone(name, value), gone(name, value, known=1)])
    plan = extractor.plan(batch(said, start=datetime.now(UTC)))
    extractor.apply(plan)
    assert plan.refused == {"unknown memory": 2}
    assert facts(bank) == before


@KIND
@pytest.mark.parametrize(
    ("name", "value", "state", "said"),
    [
        ("employer", None, "employer", "I was fired."),
        ("employer", "none", "employer", "I was fired."),
        ("employer", "acme", "employer", "I left Acme."),
        ("employer", "Acme Ltd", "employer", "I left Acme."),
        ("home", "Rome", "home", "I left Rome."),
        ("pet", "Rex", "pet.rex_dog", "Rex died."),
        ("pet", "the dog called Rex", "pet.rex_dog", "Rex died."),
        ("pet", "dog", "pet.rex_dog", "My dog died."),
        ("pet", None, "pet.rex_dog", "Rex died."),
        ("hobby", "indoor bouldering", "hobby.bouldering", "No more bouldering."),
        ("hobby", None, "hobby.bouldering", "I gave it up."),
        ("enjoys", "sushi", "taste.sushi", "I don't like sushi any more."),
    ],
)
def test_a_value_is_found_in_other_words(
    bank: MemoryBank,
    stub: OpenAIStub,
    extractor: Extractor,
    name: str,
    value: str | None,
    state: str,
    said: str,
    loose: bool,
) -> None:
    known = {"employer": "Acme", "home": "Rome, Italy", "pet__rex_dog": "Rex (dog)", "pet__mimi": "Mimi"}
    knows(bank, loose=loose, **known, hobby__bouldering="bouldering", taste__sushi="likes", taste__okra="likes")
    before = facts(bank)
    stub.answer = says(discrete=[], preferences=[gone(name, value)])
    (done,) = promote(extractor, said, start=datetime.now(UTC))
    assert done.outcome == "retired"
    assert facts(bank) == {each: kept for each, kept in before.items() if each != state}


def test_which_of_several_is_not_guessed(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    knows(bank, loose=False, pet__rex="Rex (dog)", pet__bo="Bo (dog)")
    stub.answer = says(discrete=[], preferences=[gone("pet", None), gone("pet", "dog")])
    plan = extractor.plan(batch("My dog died."))
    assert (plan.changes, plan.refused) == ((), {"unknown memory": 2})


# --- what was said just before


def test_what_is_taken_back_is_the_value_that_is_meant(
    bank: MemoryBank, stub: OpenAIStub, extractor: Extractor
) -> None:
    knows(bank, loose=False, home="Rome")
    stub.answer = says(discrete=[], preferences=[slot("home", "Oslo", 1), gone("home", "Paris", 3)])
    plan = extractor.plan(batch("I moved to Oslo.", "> Noted.", "I no longer live in Paris."))
    assert [change.memory.value for change in plan.changes if change.memory] == ["Oslo"]
    stub.answer = says(discrete=[], preferences=[slot("home", "Oslo", 1), gone("home", "Oslo", 3)])
    promote(extractor, "I moved to Oslo.", "> Noted.", "No, that fell through, not Oslo.")
    assert facts(bank) == {"home": "Rome"}


def test_what_has_been_replaced_already_needs_no_end(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    knows(bank, loose=False, home="Rome")
    stub.answer = says(discrete=[], preferences=[slot("home", "Oslo", 1), gone("home", "Rome", 3)])
    promote(extractor, "I moved to Oslo.", "> Noted.", "So I don't live in Rome any more.")
    assert facts(bank) == {"home": "Oslo"}


def test_one_of_several_that_were_named_is_taken_back(bank: MemoryBank, stub: OpenAIStub, extractor: Extractor) -> None:
    pets = [slot("pet", "dog called Rex", 1), slot("pet", "cat called Mimi", 1)]
    stub.answer = says(discrete=[], preferences=[*pets, gone("pet", None, 3)])
    promote(extractor, "I have a dog called Rex and a cat called Mimi.", "> Nice!", "Rex died, though.")
    assert list(facts(bank).values()) == ["cat called Mimi"]
