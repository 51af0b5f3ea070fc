"""A model that fails, in every way that models do, and how it is asked; what is read is in `test_answers`."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import openai
import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage

from langchain_agentmem.errors import BudgetExceededError, ConfigurationError, ExtractionError
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.promotion.asking import Asker
from langchain_agentmem.promotion.batch import Usage
from langchain_agentmem.promotion.budget import Budget
from langchain_agentmem.promotion.extraction import Extractor
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.openai_stub import Cut, Filtered, Hang, OpenAIStub, Refusal, Reply, Status
from tests.promotion.talks import ANN, batch, fact, says

TEA = fact("User likes tea.", 1)
GOOD: dict[str, Any] = {"discrete": [TEA]}


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


# --- how it is asked


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


def test_a_model_without_its_key_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with pytest.raises(ConfigurationError, match=r"^model: openai:gpt-4o-mini cannot be used \(.*OPENAI_API_KEY.*\)$"):
        Asker("openai:gpt-4o-mini")


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
