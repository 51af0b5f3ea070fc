"""What LangSmith is told of a promotion: one run, with the model's below it, and no text of the conversation."""

from __future__ import annotations

from langsmith import tracing_context

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.promotion.extraction import Extractor
from tests.conftest import Do
from tests.langsmith_ingest import Ingest
from tests.openai_stub import OpenAIStub
from tests.promotion.talks import batch, fact, says


async def test_a_promotion_is_one_run(bank: MemoryBank, stub: OpenAIStub, do: Do, ingest: Ingest) -> None:
    stub.answer = says(discrete=[fact("User likes tea.", 1), fact("Tea is green.", 2)])
    extractor = Extractor(bank, stub.chat_model(), "discrete")
    client = ingest.client()
    with tracing_context(enabled=True, client=client, project_name="test"):
        await do(extractor.plan, batch("I like tea.", "> Tea is green.", thread="t7"))
    runs = ingest.posted(client)
    (extract,) = [run for run in runs.values() if run["name"] == "memory.extract"]
    assert extract["inputs"] == {"thread_id": "t7", "turns": 2, "strategies": []}
    assert extract["outputs"] == {"changes": ["add"], "refused": {"assistant": 1}}
    assert extract["extra"]["metadata"]["namespace"] == ["memories", "ann"]
    below = [run for run in runs.values() if run.get("trace_id") == extract["trace_id"] and run is not extract]
    assert any(run["run_type"] == "llm" for run in below)


def test_nothing_is_told_where_tracing_is_off(bank: MemoryBank, stub: OpenAIStub, ingest: Ingest) -> None:
    stub.answer = says(discrete=[])
    client = ingest.client()
    with tracing_context(enabled=False, client=client):
        Extractor(bank, stub.chat_model(), "discrete").plan(batch("I like tea."))
    assert ingest.posted(client) == {}
