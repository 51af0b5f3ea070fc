"""A model that fails, in every way that models do, and one that is careless about form."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.language_models import FakeListChatModel, GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from pydantic import BaseModel

from langchain_agentmem.errors import BudgetExceededError, ConfigurationError, ExtractionError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.asking import Asker
from langchain_agentmem.promotion.batch import Usage
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.promotion.schemas import Learned, Preference, Summary, joint
from langchain_agentmem.promotion.strategies import custom
from langchain_agentmem.promotion.tolerant import UnreadableError, parse
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.openai_stub import Call, Cut, Filtered, Hang, OpenAIStub, Refusal, Reply, Status
from tests.promotion.talks import ANN, batch, fact, says

SCHEMA = joint([("discrete", Learned, True)])
TEA = fact("User likes tea.", 1)
GOOD: dict[str, Any] = {"discrete": [TEA]}


def _call(thing: str) -> Any:
    """A call of the tool by which a model answers."""
    return {"name": "MemoryChanges", "args": {"discrete": [fact(f"User likes {thing}.", 1)]}, "id": thing}


def extractor(bank: MemoryBank, stub: OpenAIStub, **options: Any) -> Extractor:
    return Extractor(bank, stub.chat_model(**options), "discrete")


# --- failures are errors, and nothing is remembered


@pytest.mark.parametrize(
    ("reply", "error", "says_so"),
    [
        (Status(429), openai.RateLimitError, "429"),
        (Status(500), openai.InternalServerError, "500"),
        (Status(401), openai.AuthenticationError, "401"),
        (Hang(), openai.APITimeoutError, "timed out"),
        (Cut(), ExtractionError, "cut short"),
        (Refusal(), ExtractionError, "refused"),
        (Filtered(), ExtractionError, "withheld"),
        ("I would rather chat.", ExtractionError, "no whole JSON"),
        ('{"discrete": [{"text": "Ann', ExtractionError, "no whole JSON"),
        ({"a": 1}, ExtractionError, "none of the sections"),
        ({"discrete": [{"note": "Ann likes tea."}]}, ExtractionError, "it has no text"),
        ({"discrete": [{"turns": ["first"]}]}, ExtractionError, "discrete.0.turns"),
        ("", ExtractionError, "no whole JSON"),
    ],
    ids=str,
)
async def test_a_failure_is_an_error(
    bank: MemoryBank, stub: OpenAIStub, do: Do, reply: Reply, error: type[Exception], says_so: str
) -> None:
    stub.answer = lambda request: reply
    with pytest.raises(error, match=says_so):
        await do(extractor(bank, stub, timeout=0.3).plan, batch("I like tea."))
    assert bank.count(ANN) == 0


@pytest.mark.parametrize("reply", [Cut(), Refusal(), Filtered()], ids=str)
def test_a_failure_by_tool_call_is_an_error(bank: MemoryBank, stub: OpenAIStub, reply: Reply) -> None:
    stub.answer = lambda request: reply
    with pytest.raises(ExtractionError):
        Extractor(bank, stub.chat_model(), "discrete", method="function_calling").plan(batch("I like tea."))


async def test_the_client_tries_again_when_it_is_told_to(bank: MemoryBank, stub: OpenAIStub, do: Do) -> None:
    replies: list[Reply] = [Status(429, retry_after=0.01), Status(500), GOOD]
    stub.answer = lambda request: replies[len(stub.requests) - 1]
    plan = await do(extractor(bank, stub, max_retries=3).plan, batch("I like tea."))
    assert len(plan.changes) == 1


def test_an_embedder_that_fails_stores_nothing(bank: MemoryBank, search: Connection, stub: OpenAIStub) -> None:
    store = AgentMemoryStore(search, prefix="openai", index={"dims": 64, "embed": stub.embeddings()})
    own, stub.answer = MemoryBank(store), says(**GOOD)
    maker = extractor(own, stub)
    plan = maker.plan(batch("I like tea."))
    stub.embed = lambda texts: Status(500)
    with pytest.raises(openai.InternalServerError):
        maker.apply(plan)
    assert own.count(ANN) == 0
    stub.embed = lambda texts: None
    assert [each.outcome for each in maker.apply(plan)] == ["added"]


# --- carelessness is mended


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


@pytest.mark.parametrize("answer", ["[]", '{"memories": []}', '{"facts": [], "episodes": []}', "None found: ```[]```"])
def test_nothing_is_an_answer(bank: MemoryBank, answer: str) -> None:
    plan = Extractor(bank, FakeListChatModel(responses=[answer, "no"]), ["discrete", "preferences"]).plan(batch("Tea?"))
    assert (plan.changes, plan.usage.calls) == ((), 1)


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


@pytest.mark.parametrize("bad", ["No JSON here.", '{"discrete": [{"text": "Us', '[{"note": "Likes tea."}]', "{}"])
@pytest.mark.parametrize("plain", [True, False])
def test_one_repair_round(bank: MemoryBank, stub: OpenAIStub, bad: str, plain: bool) -> None:
    stub.answer = lambda request: bad if len(stub.requests) == 1 else GOOD
    good = '{"discrete": [{"text": "User likes tea.", "turns": [1]}]}'
    model: Any = FakeListChatModel(responses=[bad, good]) if plain else stub.chat_model()
    plan = Extractor(bank, model, "discrete").plan(batch("I like tea."))
    assert (len(plan.changes), plan.usage.calls) == (1, 2)
    if not plain:
        assert "cannot be used" in stub.requests[1].text
        assert bad in stub.requests[1].text


def test_a_model_without_structured_output_is_told_the_schema(bank: MemoryBank) -> None:
    seen: list[str] = []

    class Plain(FakeListChatModel):
        def _call(self, messages: Any, *args: Any, **kwargs: Any) -> str:
            seen.append(messages[-1].text)
            return super()._call(messages, *args, **kwargs)

    Extractor(bank, Plain(responses=['{"discrete": []}']), "discrete").plan(batch("I like tea."))
    assert '"discrete": {"items"' in seen[0]
    with pytest.raises(ExtractionError, match="twice in a row"):
        Extractor(bank, Plain(responses=["no"]), "discrete").plan(batch("I like tea."))


def test_models_with_retries_or_fallbacks_around_them(bank: MemoryBank, stub: OpenAIStub) -> None:
    with OpenAIStub(lambda request: Status(500)) as broken:
        stub.answer = says(**GOOD)
        model = broken.chat_model().with_fallbacks([stub.chat_model()])
        assert len(Extractor(bank, model, "discrete").plan(batch("I like tea.")).changes) == 1


def test_a_model_by_its_name(bank: MemoryBank, stub: OpenAIStub, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    monkeypatch.setenv("OPENAI_BASE_URL", stub.url)
    stub.answer = says(**GOOD)
    assert len(Extractor(bank, "openai:gpt-4o-mini", "discrete").plan(batch("I like tea.")).changes) == 1
    for name in ("nobody:model", ""):
        with pytest.raises(ConfigurationError, match="model: "):
            Asker(name)


@pytest.mark.parametrize(
    ("missing", "remedy"),
    [
        ("langchain.chat_models", r"langchain-agentmem\[langchain\]"),
        ("langchain_cohere", "pip install langchain-cohere"),
    ],
)
def test_a_missing_package_is_named(missing: str, remedy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ConfigurationError, match=remedy):
        Asker("cohere:command-r")


@given(
    st.lists(st.text(st.characters(blacklist_categories=["Cs"]), min_size=1), max_size=4), st.text("ab\n `", max_size=9)
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


# --- budgets


@pytest.mark.parametrize(
    ("reply", "failed"), [(GOOD, False), (Status(500), True), (Refusal(), True), ("no JSON", True)], ids=str
)
async def test_every_call_is_counted(
    bank: MemoryBank, search: Connection, stub: OpenAIStub, do: Do, reply: Reply, failed: bool
) -> None:
    budget = Budget(search)
    stub.answer = lambda request: reply
    maker = Extractor(bank, stub.chat_model(), "discrete", budget=budget)
    try:
        plan = await do(maker.plan, batch("I like tea."))
    except (ExtractionError, openai.OpenAIError):
        assert failed
    else:
        assert not failed
        assert plan.usage == Usage(1, plan.usage.input_tokens, plan.usage.output_tokens)
        assert budget.spent(ANN).tokens == plan.usage.input_tokens + plan.usage.output_tokens > 100
    assert budget.spent(ANN).calls == len(stub.requests)


def test_no_call_beyond_the_budget(bank: MemoryBank, search: Connection, stub: OpenAIStub) -> None:
    maker = Extractor(bank, stub.chat_model(), "discrete", budget=Budget(search, calls=1))
    maker.plan(batch("I like tea."))
    with pytest.raises(BudgetExceededError):
        maker.plan(batch("I like jazz."))
    assert len(stub.requests) == 1


# --- the stub itself


async def test_the_stub_streams(stub: OpenAIStub) -> None:
    stub.answer = lambda request: "A text of several chunks."
    chunks = [chunk.text async for chunk in stub.chat_model().astream([HumanMessage("Hi")])]
    assert "".join(chunks) == "A text of several chunks."
    assert sum(map(bool, chunks)) > 1
    stub.answer = says(name="x")
    forced: Callable[..., Any] = stub.chat_model(streaming=True).with_structured_output
    assert forced({"title": "t", "type": "object", "properties": {}}, method="function_calling").invoke("Hi") == {
        "name": "x"
    }


def test_the_stub_embeds(stub: OpenAIStub) -> None:
    client = stub.embeddings()
    near, far = client.embed_query("I like green tea"), client.embed_query("trains run late")
    said = client.embed_documents(["I like tea"])[0]
    assert sum(a * b for a, b in zip(said, near, strict=True)) > sum(a * b for a, b in zip(said, far, strict=True))
    assert client.embed_query("I like tea") == said
