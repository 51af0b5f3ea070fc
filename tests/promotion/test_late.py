"""What ended, or was said again, before an older statement is promoted."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.changes import Plan
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, NOON, batch, promote, says, slot

EARLIER, MIDDLE, LATER = NOON.replace(year=2024), NOON.replace(month=9), NOON.replace(year=2026)
COMING = NOON.replace(year=2100)  # after whatever these tests do
TICK = 0.005  # seconds: what is said so much later is later


def facts(bank: MemoryBank) -> dict[str, Any]:
    return {name: each.value for name, each in bank.facts.all(ANN).items()}


def planned(extractor: Extractor, said: str, thread: str, **more: Any) -> Plan:
    return extractor.plan(batch(said, thread=thread, prefix=thread, **more))


@pytest.mark.parametrize("said", ["I'm vegan.", "I eat fish."])
async def test_what_ended_is_not_revived_by_an_older_plan(bank: MemoryBank, do: Do, said: str) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I'm vegan.", thread="one")
    old = planned(extractor, said, "old", start=MIDDLE)
    promote(extractor, "I'm not vegan any more.", thread="new", start=LATER)
    first = await do(extractor.apply, old)
    assert facts(bank) == {}
    assert bank.recall("What is the user's diet?", ANN) == []
    assert await do(extractor.apply, Plan.loads(old.dumps())) == first
    promote(extractor, "I'm vegan.", thread="newer", start=LATER.replace(month=12))
    assert facts(bank) == {"diet": "vegan"}


@pytest.mark.parametrize("thread", ["one", "again"])
async def test_what_was_said_again_is_not_overtaken_by_an_older_plan(bank: MemoryBank, do: Do, thread: str) -> None:
    extractor = Extractor(bank, None, "rules")
    promote(extractor, "I live in Oslo.", thread="one", start=EARLIER)
    old = planned(extractor, "I live in Rome.", "old")
    gone = planned(extractor, "I no longer live in Oslo.", "gone")
    promote(extractor, "I live in Oslo.", thread=thread, start=LATER, prefix="n")
    assert [each.outcome for each in await do(extractor.apply, gone)] == ["kept"]
    await do(extractor.apply, old)
    assert facts(bank) == {"home": "Oslo"}
    assert [each.value for each in bank.facts.history(ANN, "home")] == ["Oslo"]


async def test_what_a_model_finds_said_again_is_not_overtaken(bank: MemoryBank, stub: OpenAIStub, do: Do) -> None:
    rules = Extractor(bank, None, "rules")
    promote(rules, "I'm vegan.", thread="one", start=EARLIER)
    stub.answer = says(preferences=[slot("diet", "vegan", 1)])
    plan = planned(Extractor(bank, stub.chat_model(), "preferences"), "Still vegan!", "again", start=LATER)
    assert [(each.action, each.outcome) for each in await do(rules.apply, plan)] == [("reinforce", "reinforced")]
    promote(rules, "I'm pescatarian now.", thread="old")
    assert facts(bank) == {"diet": "vegan"}


@pytest.mark.parametrize("model", [False, True])
async def test_an_end_is_of_the_value_that_was_known(bank: MemoryBank, stub: OpenAIStub, do: Do, model: bool) -> None:
    rules = Extractor(bank, None, "rules")
    promote(rules, "I'm vegan.", thread="one", start=EARLIER)
    stub.answer = says(discrete=[{"action": "retire", "known": 1, "turns": [1]}])
    finder = Extractor(bank, stub.chat_model(), "discrete") if model else rules
    plan = planned(finder, "I'm not vegan any more.", "new", start=LATER)
    promote(rules, "I'm pescatarian now.", thread="between", start=MIDDLE)
    assert [each.outcome for each in await do(finder.apply, Plan.loads(plan.dumps()))] == ["gone"]
    assert facts(bank) == {"diet": "pescatarian"}


@pytest.mark.parametrize("model", [False, True])
async def test_what_ended_has_ended_also_where_its_memory_has_expired(
    server: Connection, stub: OpenAIStub, do: Do, model: bool
) -> None:
    bank = MemoryBank(AgentMemoryStore(server), ttls={"semantic": TICK})
    rules = Extractor(bank, None, "rules")
    promote(rules, "I'm vegan.", thread="one", start=EARLIER)
    stub.answer = says(discrete=[{"action": "retire", "known": 1, "turns": [1]}])
    await asyncio.sleep(2 * TICK)
    assert (facts(bank), bank.list(ANN)) == ({"diet": "vegan"}, [])
    finder = Extractor(bank, stub.chat_model(), "discrete") if model else rules
    plan = planned(finder, "I'm not vegan any more.", "new", start=MIDDLE)
    for _ in range(2):
        assert [each.outcome for each in await do(finder.apply, Plan.loads(plan.dumps()))] == ["retired"]
        assert facts(bank) == {}
    promote(rules, "I eat fish.", thread="old")
    assert facts(bank) == {}


def test_what_was_said_better_just_before_ends_too(bank: MemoryBank, stub: OpenAIStub) -> None:
    promote(Extractor(bank, None, "rules"), "I'm vegan.", thread="one", start=EARLIER)
    better = slot("diet", "strictly vegan", 1) | {"action": "update", "known": 1}
    stub.answer = says(preferences=[better, slot("diet", None, 2) | {"action": "retire", "known": 1}])
    extractor = Extractor(bank, stub.chat_model(), "preferences")
    done = promote(extractor, "I'm strictly vegan.", "I'm not vegan any more.", thread="new", start=LATER)
    assert [(each.action, each.outcome) for each in done] == [("update", "superseded"), ("retire", "retired")]
    assert facts(bank) == {}


async def test_what_was_set_by_hand_ended_when_that_was_said(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "rules")
    bank.facts.set(ANN, "diet", "vegan")
    old = planned(extractor, "I eat fish.", "old", start=datetime.now(UTC))
    plan = planned(extractor, "I'm not vegan any more.", "new", start=COMING)
    await asyncio.sleep(TICK)
    bank.facts.set(ANN, "diet", "vegan")
    assert [each.outcome for each in await do(extractor.apply, plan)] == ["gone"]
    assert facts(bank) == {"diet": "vegan"}, "it was set again since"
    promote(extractor, "I'm not vegan any more.", thread="newer", start=COMING)
    await do(extractor.apply, old)
    assert facts(bank) == {}
    promote(extractor, "I eat fish.", thread="newest", start=COMING)
    assert facts(bank) == {"diet": "eats fish"}


async def test_what_ended_before_it_is_known(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "rules")
    plan = planned(extractor, "I'm not allergic to nuts.", "new", start=LATER)
    promote(extractor, "I'm allergic to nuts.", thread="older")
    assert [each.outcome for each in await do(extractor.apply, plan)] == ["retired"], "it has become known since"
    assert [each.until for each in bank.facts.history(ANN, "allergy.nuts")] == [plan.changes[0].at]
    promote(extractor, "I'm allergic to soy.", "I'm not allergic to soy.", thread="new", start=LATER)
    promote(extractor, "I'm not allergic to eggs.", thread="new", start=LATER, prefix="n")
    for thing in ("nuts", "soy", "eggs"):
        promote(extractor, f"I'm allergic to {thing}.", thread="old", prefix=thing)
    assert facts(bank) == {}
    promote(extractor, "I'm allergic to soy.", thread="newer", start=LATER.replace(month=12))
    assert facts(bank) == {"allergy.soy": "soy"}


async def test_what_ends_of_a_fact_that_is_not_known_leaves_other_values(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "rules")
    assert await do(extractor.apply, planned(extractor, "I'm not vegan any more.", "new", start=LATER)) == []
    promote(extractor, "I eat fish.", thread="old")
    assert facts(bank) == {"diet": "eats fish"}


def test_a_dead_letter_revives_nothing_that_its_thread_ended_since(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "rules")
    given_up = replace(batch("I'm vegan."), replay="letter")
    promote(extractor, "I'm vegan.", start=MIDDLE, prefix="n")
    promote(extractor, "I'm not vegan any more.", start=LATER, prefix="o")
    plan = Plan.loads(extractor.plan(given_up).dumps())
    extractor.apply(plan)
    assert facts(bank) == {}


def test_a_plan_of_an_older_version_is_no_replay(bank: MemoryBank) -> None:
    plan = planned(Extractor(bank, None, "rules"), "I'm vegan.", "t")
    kept = json.loads(plan.dumps())
    del kept["replay"]
    assert Plan.loads(json.dumps(kept).encode()) == plan


@pytest.mark.parametrize("again", [slot("diet", "vegan", 1), {"action": "reinforce", "known": 1, "turns": [1]}])
async def test_what_is_said_again_of_what_was_overtaken_since(
    bank: MemoryBank, stub: OpenAIStub, do: Do, again: dict[str, Any]
) -> None:
    rules, in_full = Extractor(bank, None, "rules"), "slot" in again
    promote(rules, "I'm vegan.", thread="one", start=EARLIER)
    section = "preferences" if in_full else "discrete"
    stub.answer = says(**{section: [again]})
    plan = planned(Extractor(bank, stub.chat_model(), section), "Still vegan!", "again", start=LATER)
    promote(rules, "I'm pescatarian now.", thread="between")
    [done] = await do(rules.apply, Plan.loads(plan.dumps()))
    assert (done.action, done.outcome) == ("reinforce", "superseded" if in_full else "gone")
    assert facts(bank) == {"diet": "vegan" if in_full else "pescatarian"}
    assert [each.hits for each in bank.list(ANN)] == [1]
