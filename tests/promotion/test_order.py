"""What is said later counts: within a batch, of threads that are promoted late, and of dead letters."""

from __future__ import annotations

from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.changes import Plan
from langchain_agentmem.promotion.extraction import Extractor
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, batch, promote, says, slot


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def vegan(bank: MemoryBank) -> None:
    bank.remember(Memory(text="User is vegan.", state="diet", value="vegan"), ANN)


def ends(name: str, *cited: int, **more: Any) -> dict[str, Any]:
    """An entry that retires a slot, without any text."""
    return {"action": "retire", "slot": name, "turns": list(cited), **more}


# --- within a batch


@pytest.mark.parametrize(
    ("before", "said", "after"),
    [
        ("I'm allergic to nuts.", ("I'm not allergic to nuts.", "Wrong: I am allergic to nuts."), {"allergy.nuts": 1}),
        ("I'm vegan.", ("I'm not vegan any more.", "I'm pescatarian now."), {"diet": 1}),
        ("I'm vegan.", ("I'm pescatarian now.", "I'm not pescatarian any more."), {}),
    ],
)
async def test_a_fact_that_ends_and_begins(
    bank: MemoryBank, do: Do, before: str, said: tuple[str, ...], after: dict[str, int]
) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, before)
    plan = extractor.plan(batch(*said, prefix="n"))
    first = await do(extractor.apply, plan)
    assert facts(bank).keys() == after.keys()
    assert bank.count(ANN) == len(after)
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
