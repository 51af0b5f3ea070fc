"""What each strategy looks for, and what becomes of what is found."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from pydantic import BaseModel, Field

from langchain_agentmem.errors import ConfigurationError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.schemas import Learned
from langchain_agentmem.promotion.strategies import BUILT_IN, Said, Strategy, custom, strategies_of
from tests.conftest import Do
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import ANN, JAPAN, NOON, batch, fact, promote, says, slot, trip


class Recipe(BaseModel):
    """A dish."""

    name: str = Field(description="What it is called.")
    minutes: int
    tags: dict[str, str] = Field(default_factory=dict)


def forms(stub: OpenAIStub) -> list[dict[str, Any]]:
    """The JSON schemas that the model was asked for."""
    return [request.body["response_format"]["json_schema"]["schema"] for request in stub.requests]


# --- with a model


def test_discrete(bank: MemoryBank, stub: OpenAIStub) -> None:
    entry = trip("Ann met Bo in Oslo.", 1, event_date="2024-02-03", topics=["a", "b", "c", "d"], entities=["Bo"])
    stub.answer = says(discrete=[entry | {"importance": 0.9, "confidence": 0.8}, fact("Ann likes tea.", 1)])
    promote(Extractor(bank, stub.chat_model(), "discrete"), "I met Bo in Oslo over tea.")
    found = {memory.kind: memory for memory in bank.list(ANN)}
    episode = found["episodic"]
    assert (episode.topics, episode.entities) == (("a", "b", "c"), ("Bo",))
    assert (episode.importance, episode.confidence) == (0.9, 0.8)
    assert f"{episode.event_time:%Y-%m-%d}" == "2024-02-03"
    assert found["semantic"].text == "Ann likes tea."
    assert found["semantic"].event_time == NOON + timedelta(minutes=1)


def test_preferences_are_versioned_facts(bank: MemoryBank, stub: OpenAIStub) -> None:
    extractor = Extractor(bank, stub.chat_model(), "preferences")
    stub.answer = says(
        preferences=[
            slot("Location", "Oslo", 1),
            slot("allergies", "nuts", 1),
            slot("allergies", "milk", 1),
            slot("likes", "jazz", 1),
            slot("home", "Rome", 1, subject="Bo"),
            slot("", "x", 1),
            slot("diet", "", 1),
        ]
    )
    plan = extractor.plan(batch("Oslo; nuts and milk; jazz; Bo lives in Rome."))
    assert plan.refused == {"empty": 2}
    extractor.apply(plan)
    facts = {name: known.value for name, known in bank.facts.all(ANN).items()}
    everything = {"home": "Oslo", "allergy.nuts": "nuts", "allergy.milk": "milk", "taste.jazz": "likes"}
    assert facts == everything | {"bo.home": "Rome"}
    stub.answer = says(preferences=[slot("dislikes", "jazz", 1), slot("home", "Bergen", 1)])
    promote(extractor, "No jazz any more, and I moved to Bergen.", prefix="n")
    assert bank.facts.all(ANN)["taste.jazz"].value == "dislikes"
    assert [each.value for each in bank.facts.history(ANN, "home")] == ["Bergen", "Oslo"]


async def test_one_summary_a_thread(bank: MemoryBank, stub: OpenAIStub, do: Do) -> None:
    extractor = Extractor(bank, stub.chat_model(), "summary")
    for number, thread in enumerate(("t1", "t1", "t2")):
        stub.answer = says(summary={"text": f"Summary {number} of {thread}."})
        plan = await do(extractor.plan, batch(*JAPAN, thread=thread, prefix=f"{number}-"))
        await do(extractor.apply, plan)
    assert sorted(each.text for each in bank.list(ANN)) == ["Summary 1 of t1.", "Summary 2 of t2."]
    assert "Summary 0 of t1." in stub.requests[1].text
    assert "Summary" not in stub.requests[2].text.replace("summary", "")
    (memory,) = [each for each in bank.list(ANN) if "t1" in each.text]
    assert (memory.kind, memory.version) == ("summary", 2)
    assert memory.source is not None
    assert len(memory.source.message_ids) == len(JAPAN)


def test_episodes_may_be_what_the_assistant_did(bank: MemoryBank, stub: OpenAIStub) -> None:
    held = {"situation": "A train strike.", "attempt": "Booked a bus.", "outcome": "It came.", "lesson": "Book early."}
    stub.answer = says(episodes=[{**held, "turns": [2], "succeeded": True}])
    promote(Extractor(bank, stub.chat_model(), "episodes"), "The train is on strike!", "> I booked a bus.")
    (memory,) = bank.list(ANN)
    assert memory.text == "Situation: A train strike. Attempt: Booked a bus. Outcome: It came. Lesson: Book early."
    assert memory.kind == "episodic"
    assert memory.data == {**held, "succeeded": True}


@pytest.mark.parametrize("method", [None, "function_calling"])
def test_a_schema_of_your_own(bank: MemoryBank, stub: OpenAIStub, method: str | None) -> None:
    strategy = custom(Recipe, "Note the dishes that the user cooks.")
    content = {"name": "Ramen", "minutes": 40, "tags": {"from": "Japan"}}
    stub.answer = says(recipe=[{"content": content, "turns": [1], "text": "User cooks ramen in 40 minutes."}])
    promote(Extractor(bank, stub.chat_model(), strategy, method=method), "I cook ramen in 40 minutes.")
    (memory,) = bank.list(ANN)
    assert (memory.kind, memory.text) == ("Recipe", "User cooks ramen in 40 minutes.")
    assert memory.as_model(Recipe) == Recipe(name="Ramen", minutes=40, tags={"from": "Japan"})
    assert "Note the dishes that the user cooks." in stub.requests[0].system


def test_a_schema_of_your_own_says_itself_in_words(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = says(dishes=[{"content": {"name": "Ramen", "minutes": 40}, "turns": [1]}])
    promote(Extractor(bank, stub.chat_model(), custom(Recipe, "Dishes.", name="dishes")), "I cook ramen.")
    assert bank.list(ANN)[0].text == "name: Ramen; minutes: 40; tags: {}"


def test_an_object_that_has_changed_is_another_also_in_the_same_words(bank: MemoryBank, stub: OpenAIStub) -> None:
    own = Extractor(bank, stub.chat_model(), custom(Recipe, "Dishes."))
    for number, minutes in enumerate([40, 30, 30]):
        content = {"name": "Ramen", "minutes": minutes}
        stub.answer = says(recipe=[{"content": content, "turns": [1], "text": "User cooks ramen."}])
        promote(own, f"I cook ramen in {minutes} minutes.", prefix=f"n{number}")
    assert sorted((each.data["minutes"], each.hits) for each in bank.list(ANN)) == [(30, 2), (40, 1)]


def test_a_strategy_of_your_own(bank: MemoryBank, stub: OpenAIStub) -> None:
    def rule(entry: Learned, said: Said) -> Memory | None:
        return Memory(text=f"{entry.text} ({said.thread_id})", pinned=True) if entry.text else None

    own = Strategy("pins", "What must never be forgotten.", Learned, rule, version="3")
    stub.answer = says(pins=[fact("User's flight is at 9.", 1), {"turns": [1]}], discrete=[])
    (done,) = promote(Extractor(bank, stub.chat_model(), [own, "discrete"]), "My flight is at 9.")
    assert done.strategy == "pins@3"
    assert [(each.text, each.pinned) for each in bank.list(ANN)] == [("User's flight is at 9. (t1)", True)]


async def test_a_state_still_to_come_is_a_plan(bank: MemoryBank, stub: OpenAIStub, do: Do) -> None:
    """Beside the home of today, whether it names that or not; and the turn's other memories are kept."""
    start = datetime.now(UTC) + timedelta(days=30)

    def rule(entry: Learned, said: Said) -> Memory | None:
        memory = Memory(text=str(entry.text))
        return replace(memory, state="home", value="Oslo", valid_from=start) if "Oslo" in memory.text else memory

    await do(bank.remember, Memory(text="Ann lives in Rome.", state="home", value="Rome"), ANN)
    own = Extractor(bank, stub.chat_model(), Strategy("notes", "Whatever is said.", Learned, rule))
    oslo = fact("Ann lives in Oslo.", 1) | {"action": "update", "known": 1}
    for number, entries in enumerate([[oslo, fact("Ann likes tea.", 2)], [fact("Ann rents in Oslo.", 1)]]):
        stub.answer = says(notes=entries)
        talk = batch("Next month I move to Oslo, to rent.", "I like tea.", prefix=f"n{number}")
        await do(own.apply, await do(own.plan, talk))
    found = {each.text: each for each in await do(bank.list, ANN)}
    assert {*found} == {"Ann lives in Rome.", "Ann lives in Oslo.", "Ann rents in Oslo.", "Ann likes tea."}
    assert {name: each.value for name, each in (await do(bank.facts.all, ANN)).items()} == {"home": "Rome"}
    plan = found["Ann lives in Oslo."]
    assert (plan.state, plan.value, plan.event_time) == (None, None, start)
    assert plan.text in [each.memory.text for each in await do(bank.recall, "Where will Ann live?", ANN)]


def test_strategies_share_one_call(bank: MemoryBank, stub: OpenAIStub) -> None:
    names = ["discrete", "preferences", "summary", "episodes", "verbatim", "rules"]
    stub.answer = says(discrete=[], preferences=[slot("diet", "vegetarian", 3)], summary=None, episodes=[])
    promote(Extractor(bank, stub.chat_model(), names), *JAPAN)
    (form,) = forms(stub)
    assert form["required"] == ["discrete", "preferences", "summary", "episodes"]
    assert "$ref" not in str(form)
    strategies = {memory.metadata["strategy"] for memory in bank.list(ANN)}
    assert {"preferences@1", "verbatim@1", "rules@1"} <= strategies
    assert bank.facts.all(ANN)["diet"].version == 1, "found twice is one fact"


# --- without one


async def test_verbatim_keeps_the_users_turns(bank: MemoryBank, do: Do) -> None:
    extractor = Extractor(bank, None, "verbatim")
    said: list[Any] = ["Hi!", HumanMessage("I like tea.", name="Ann"), "> Tea is great.", "So is Kyoto."]
    await do(extractor.apply, await do(extractor.plan, batch(*said)))
    memories = sorted(bank.list(ANN), key=lambda each: each.text)
    assert [(each.text, each.kind, each.speaker) for each in memories] == [
        ("I like tea.", "episodic", "Ann"),
        ("So is Kyoto.", "episodic", "user"),
    ]
    places = [(each.source.session, each.source.sequence) for each in memories if each.source]
    assert places == [("t1", 1), ("t1", 2)]
    assert [each.event_time for each in memories] == [NOON + timedelta(minutes=2), NOON + timedelta(minutes=4)]


def test_verbatim_goes_on_counting(bank: MemoryBank) -> None:
    extractor = Extractor(bank, None, "verbatim")
    first = batch("I like tea.", "> Good.", "So is Kyoto.")
    extractor.apply(extractor.plan(first))
    later = batch("And Nara.", prefix="n")
    extractor.apply(extractor.plan(type(later)("t1", ANN, later.turns, later.strategies, first.turns)))
    assert {each.text: each.source.sequence for each in bank.list(ANN) if each.source}["And Nara."] == 3


def test_turns_kept_verbatim_are_nothing_that_is_known(bank: MemoryBank, stub: OpenAIStub) -> None:
    promote(Extractor(bank, None, "verbatim"), "I like tea.")
    stub.answer = says(discrete=[])
    Extractor(bank, stub.chat_model(), "discrete").plan(batch("Tea, please.", prefix="n"))
    assert "knows nothing" in stub.requests[0].text


# --- by name


def test_names_and_versions() -> None:
    assert [each.key for each in strategies_of(["discrete", "verbatim@1"])] == ["discrete@1", "verbatim@1"]
    assert set(BUILT_IN) == {"discrete", "preferences", "summary", "episodes", "verbatim", "rules"}
    same, other = custom(Recipe, "Dishes."), custom(Recipe, "All dishes.")
    assert same.key == custom(Recipe, "Dishes.").key != other.key
    with pytest.raises(ConfigurationError, match="letters"):
        Strategy("no spaces", reading=lambda talk, known: [])
    with pytest.raises(ConfigurationError, match="rule"):
        Strategy("half", schema=Learned)
