"""What is read from a model's answer, however careless it is about form, and what is not taken for one."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage
from pydantic import BaseModel

from langchain_agentmem.errors import ExtractionError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.schemas import Learned, Preference, Summary, joint
from langchain_agentmem.promotion.strategies import custom
from langchain_agentmem.promotion.tolerant import UnreadableError, parse
from tests.conftest import Do
from tests.openai_stub import Call, OpenAIStub
from tests.promotion.talks import batch, fact

SCHEMA = joint([("discrete", Learned, True)])


def _call(thing: str) -> Any:
    """A call of the tool by which a model answers."""
    return {"name": "MemoryChanges", "args": {"discrete": [fact(f"User likes {thing}.", 1)]}, "id": thing}


@pytest.mark.parametrize(
    "answer",
    [
        '```json\n{"discrete": [{"text": "User likes tea.", "turns": [1]}]}\n```',
        'Sure! {"discrete": [{"text": "User likes tea.", "turns": [1],},],} Anything else?',
        '<think>{"discrete": []}</think>{"discrete": [{"text": "User likes tea.", "turns": [1]}]}',
        '[{"text": "User likes tea.", "turns": [1]}]',
        '{"text": "User likes tea.", "turns": 1}',
        '{"discrete": {"text": "User likes tea.", "turns": "1"}}',
        '{"answer": {"discrete": [{"text": "User likes tea.", "turns": [1], "kind": "Semantic", "action": "ADD"}]}}',
        '{"discrete": [{"text": "User likes\n tea.", "turns": [1], "topics": "tea, drinks", "confidence": "high"}]}',
        '{"a": 1} {"discrete": [{"text": "User likes tea.", "turns": [1], "known": 0, "importance": 80}]}',
        '{"memories": [{"content": "User likes tea.", "type": "semantic"}]}',
        '{"memory": {"text": "User likes tea."}}',
        '{"facts": ["User likes tea."], "episodes": []}',
        '[{"discrete": ["User likes tea."]}]',
        'Nothing in brackets [] or {}: ["User likes tea."]',
    ],
)
@pytest.mark.parametrize("plain", [True, False])
async def test_careless_form_is_forgiven(bank: MemoryBank, stub: OpenAIStub, do: Do, answer: str, plain: bool) -> None:
    stub.answer = lambda request: answer
    model: Any = FakeListChatModel(responses=[answer]) if plain else stub.chat_model()
    plan = await do(Extractor(bank, model, "discrete").plan, batch("I like tea."))
    (change,) = plan.changes
    assert change.memory is not None
    assert change.memory.text.split() == ["User", "likes", "tea."]


EMPTY = '{"discrete": [], "preferences": []}'
THOUGHT = (f"<think>Hm, {{}}.</think>{EMPTY}", f"Hm, a format like {{}}.\n</think>\n\n{EMPTY}")


@pytest.mark.parametrize(
    "answer", ["[]", '{"memories": []}', '{"facts": [], "episodes": []}', "```json\n[]\n```", *THOUGHT]
)
def test_nothing_is_an_answer(bank: MemoryBank, answer: str) -> None:
    plan = Extractor(bank, FakeListChatModel(responses=[answer, "no"]), ["discrete", "preferences"]).plan(batch("Tea?"))
    assert (plan.changes, plan.usage.calls) == ((), 1)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (f"I cannot process medical data. {EMPTY}", "beside it"),
        ("I can't process personal data. []", "beside it"),
        ("I'm sorry, I can't assist with that request. {}", "beside it"),
        (f"{EMPTY} I cannot say more [", "beside it"),
        (f'{{"error": "content policy"}} {EMPTY}', "beside it"),
        (f"I would answer like {EMPTY} but I need the conversation first.", "beside it"),
        (f"<think>The schema is {EMPTY}. Let me think about the user and", "middle of a thought"),
        ("<think>Once</think><thinking>and again", "middle of a thought"),
    ],
)
@pytest.mark.parametrize("ready", [True, False])
def test_an_empty_answer_with_words_around_it_says_nothing(
    bank: MemoryBank, stub: OpenAIStub, answer: str, complaint: str, ready: bool
) -> None:
    stub.answer = lambda request: answer if len(stub.requests) == 1 or not ready else EMPTY
    maker = Extractor(bank, stub.chat_model(), ["discrete", "preferences"])
    if ready:
        assert maker.plan(batch("I like tea.")).changes == ()
        assert complaint in stub.requests[1].text
    else:
        with pytest.raises(ExtractionError, match=f"twice in a row.*{complaint}"):
            maker.plan(batch("I like tea."))


LIKES = '{"discrete": [{"text": "User likes %s.", "turns": [1]}]}'


@pytest.mark.parametrize(
    "answer",
    [
        f"{LIKES % 'tea'}\n{LIKES % 'milk'}",
        f"```json\n{LIKES % 'tea'}\n```\n\n```json\n{LIKES % 'milk'},\n```",
        f'{LIKES % "tea"} {{"a": 1}} [] {LIKES % "milk"}',
        f"1. {LIKES % 'tea'} 2. {LIKES % 'milk'}",
        f'{LIKES % "tea"} {{"discrete": [{{"text": "User likes milk.", "turns": [1],}},]}}',
        f"{LIKES % 'tea'} The same again: {LIKES % 'tea'} {LIKES % 'milk'}",
        '{"text": "User likes tea.", "turns": [1]}\n{"text": "User likes milk.", "turns": [1]}\n',
        AIMessage("", tool_calls=[_call("tea"), _call("milk"), _call("tea")]),
        AIMessage(
            "", tool_calls=[_call("tea")], invalid_tool_calls=[{**_call("milk"), "args": LIKES % "milk", "error": ""}]
        ),
    ],
    ids=str,
)
def test_several_answers_are_one(bank: MemoryBank, answer: Any) -> None:
    model: Any = GenericFakeChatModel(messages=iter([answer]))
    plan = Extractor(bank, model, "discrete").plan(batch("I like tea and milk."))
    found = [change.memory.text for change in plan.changes if change.memory]
    assert found == ["User likes tea.", "User likes milk."]


def test_several_answers_are_one_section_by_section() -> None:
    schema = joint([("discrete", Learned, True), ("summary", Summary, False), ("preferences", Preference, True)])
    read: Any = parse('{"summary": "Tea.", "discrete": ["Tea."]} {"preferences": [{"slot": "drink"}]}', schema)
    assert (read.summary.text, len(read.discrete), len(read.preferences)) == ("Tea.", 1, 1)


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (f"Example: {LIKES % 'coffee'} Final: {LIKES % 'tea'}", "words stand between"),
        (f'{LIKES % "tea"} No wait: {{"discrete": []}}', "words stand between"),
        (f'{LIKES % "tea"}\n{{"discrete": [{{"text": "User li', "ends in the middle"),
        (f'{LIKES % "tea"}\n{{"discrete": [{{"turns": ["first"]}}]}}', "discrete.0.turns"),
        ("[" * 100_000, "no whole JSON"),
    ],
)
def test_what_could_be_a_draft_is_asked_again(bank: MemoryBank, answer: str, complaint: str) -> None:
    seen: list[str] = []

    class Hasty(FakeListChatModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            seen.append(messages[-1].text)
            return super()._call(messages, *args, **kwargs)

    plan = Extractor(bank, Hasty(responses=[answer, LIKES % "tea"]), "discrete").plan(batch("I like tea."))
    assert [change.memory.text for change in plan.changes if change.memory] == ["User likes tea."]
    assert complaint in seen[1]


def test_one_broken_call_of_several_is_asked_again(bank: MemoryBank) -> None:
    broken = {"name": "MemoryChanges", "args": {"discrete": [{"turns": ["first"]}]}, "id": "2"}
    answers = [AIMessage("", tool_calls=[_call("tea"), broken]), AIMessage("", tool_calls=[_call("tea")])]
    plan = Extractor(bank, GenericFakeChatModel(messages=iter(answers)), "discrete").plan(batch("I like tea."))
    assert (len(plan.changes), plan.usage.calls) == (1, 2)


def test_an_empty_object_is_believed_when_it_is_said_again(bank: MemoryBank) -> None:
    plan = Extractor(bank, FakeListChatModel(responses=["{}"]), "discrete").plan(batch("I like tea."))
    assert (plan.changes, plan.usage.calls) == ((), 2)


def test_entries_find_their_sections() -> None:
    schema = joint([("discrete", Learned, True), ("preferences", Preference, True)])
    read: Any = parse('[{"text": "Likes tea."}, {"name": "drink", "value": ["tea", "milk"]}, "A text."]', schema)
    assert [entry.text for entry in read.discrete] == ["Likes tea.", "A text."]
    assert [(entry.slot, entry.value) for entry in read.preferences] == [("drink", "tea, milk")]


class Trip(BaseModel):
    """A trip."""

    to: str
    nights: int = 1


@pytest.mark.parametrize(
    "answer",
    [
        '{"trip": [{"content": {"to": "Rome", "nights": 2}, "turns": [1]}]}',
        '[{"to": "Rome", "nights": 2}]',
        '{"to": "Rome", "nights": 2}',
        '{"trips": [{"to": "Rome", "nights": 2, "turns": [1]}]}',
    ],
)
def test_objects_of_a_schema_of_your_own(answer: str) -> None:
    own = custom(Trip, "Find trips.")
    assert own.schema is not None
    read: Any = parse(answer, joint([(own.name, own.schema, True)]))
    assert [entry.content for entry in read.trip] == [Trip(to="Rome", nights=2)]


def test_a_careless_call_of_a_tool(bank: MemoryBank, stub: OpenAIStub) -> None:
    stub.answer = lambda request: Call('{"discrete": [{"text": "User likes tea.", "turns": ["turn 1"],}]}')
    plan = Extractor(bank, stub.chat_model(), "discrete", method="function_calling").plan(batch("I like tea."))
    assert (len(plan.changes), plan.usage.calls) == (1, 1)


@given(
    st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), min_size=1, max_size=4),
    st.text("ab\n `", max_size=9),
)
def test_any_texts_come_through(texts: list[str], around: str) -> None:
    written = json.dumps({"discrete": [{"text": text} for text in texts]})
    read: Any = parse(f"{around}{written}{around}", SCHEMA)
    assert [entry.text for entry in read.discrete] == texts


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    with suppress(UnreadableError):
        parse(text, SCHEMA)


def test_sections_that_are_single_or_empty() -> None:
    schema = joint([("summary", Summary, False), ("preferences", Preference, True)])
    read: Any = parse('{"summary": "Just a text.", "preferences": null}', schema)
    assert (read.summary.text, read.preferences) == ("Just a text.", [])
    read = parse('{"summary": [{"text": "In a list."}]}', schema)
    assert (read.summary.text, read.preferences) == ("In a list.", [])
    assert parse('{"summary": ""}', schema).summary is None  # type: ignore[attr-defined]
    with pytest.raises(UnreadableError, match=r"preferences\.0\.slot"):
        parse('{"preferences": [{"value": "x"}]}', schema)
