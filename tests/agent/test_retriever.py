"""MemoryRetriever: LangChain's standard tests, whose memories, and one run in traces."""

from __future__ import annotations

from typing import Any, TypedDict
from uuid import UUID

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.documents import Document
from langchain_core.runnables import RunnableConfig, RunnableLambda
from langchain_core.tracers.langchain import LangChainTracer
from langchain_tests.integration_tests import RetrieversIntegrationTests
from langgraph.graph import START, MessagesState, StateGraph
from langsmith import tracing_context
from pydantic import ValidationError

from langchain_agentmem import AgentMemory
from langchain_agentmem.agent.retriever import MemoryRetriever
from langchain_agentmem.errors import InvalidInputError, MissingScopeError
from langchain_agentmem.longterm.record import Memory, Scope, Source
from tests.conftest import Do
from tests.langsmith_ingest import Ingest

ANNA, BOB = Scope("anna"), Scope("bob")
CONFIG: RunnableConfig = {"configurable": {"user_id": "anna"}}
ASKED = "Where does Anna like to hike?"


class User(TypedDict):
    user_id: str


class TestStandard(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _memories(self, memory: AgentMemory) -> None:
        memory.bank.remember([f"Anna likes to hike on peak {number}" for number in range(12)], ANNA)
        self.memory = memory

    @property
    def retriever_constructor(self) -> type[MemoryRetriever]:
        return MemoryRetriever

    @property
    def retriever_constructor_params(self) -> dict[str, Any]:
        return {"bank": self.memory.bank, "scope": ANNA}

    @property
    def retriever_query_example(self) -> str:
        return ASKED


async def test_documents_say_what_is_known(memory: AgentMemory, do: Do) -> None:
    said = Memory(
        text="Anna likes to hike in the Alps",
        speaker="Anna",
        topics=("hiking",),
        source=Source("t", ("m1",)),
        metadata={"lang": "en"},
    )
    [kept] = memory.bank.remember(said, ANNA)
    memory.bank.remember(Memory(text="Anna hiked to a hut", kind="episodic"), ANNA)
    retriever = MemoryRetriever(bank=memory.bank, k=5, kinds=["semantic"])
    [found] = await do(retriever.invoke, ASKED, CONFIG)
    assert isinstance(found, Document)
    assert (found.id, found.page_content) == (kept.id, said.text)
    known = found.metadata
    assert (known["id"], known["kind"], known["speaker"], known["topics"]) == (kept.id, "semantic", "Anna", ["hiking"])
    assert known["score"] > 0
    assert known["created"].startswith("20")
    assert known["source"] == {"thread_id": "t", "message_ids": ("m1",)}
    assert known["metadata"] == {"lang": "en"}
    assert "event_time" not in known


async def test_whose_memories_the_run_says(memory: AgentMemory, do: Do) -> None:
    memory.bank.remember("Bob likes to hike in the Andes", BOB)
    retriever = MemoryRetriever(bank=memory.bank)
    for named in ({}, {"scope": BOB}, {"scope": ("memories", "bob")}, {"user_id": "bob"}):
        assert await do(retriever.invoke, "user_id=bob: Where does Bob like to hike?", CONFIG, **named) == []
    with pytest.raises(MissingScopeError, match="user_id: "):
        await do(retriever.invoke, ASKED, {})
    bound = MemoryRetriever(bank=memory.bank, scope=("memories", "{customer}"))
    assert len(await do(bound.invoke, "Where does Bob like to hike?", {"configurable": {"customer": "bob"}})) == 1


async def test_in_a_graph_and_in_a_chain(memory: AgentMemory, do: Do) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    retriever = MemoryRetriever(bank=memory.bank)
    chain: Any = RunnableLambda(str.strip) | retriever
    assert len(await do(chain.invoke, "Where does Anna like to hike", CONFIG)) == 1
    found: list[Document] = []

    def node(state: MessagesState) -> None:
        found.extend(retriever.invoke(state["messages"][-1].text))

    async def anode(state: MessagesState) -> None:
        found.extend(await retriever.ainvoke(state["messages"][-1].text))

    for each in (node, anode):
        built: Any = StateGraph(MessagesState, context_schema=User).add_node("node", each).add_edge(START, "node")
        await built.compile().ainvoke({"messages": [("user", ASKED)]}, context=User(user_id="anna"))
    assert len(found) == 2


async def test_wrong_numbers(memory: AgentMemory, do: Do) -> None:
    retriever = MemoryRetriever(bank=memory.bank, scope=ANNA)
    with pytest.raises(InvalidInputError, match="k: 1 or more"):
        await do(retriever.invoke, ASKED, k=0)
    with pytest.raises(ValidationError, match="k"):
        MemoryRetriever(bank=memory.bank, scope=ANNA, k=0)
    with pytest.raises(ValidationError, match="scope: "):
        MemoryRetriever(bank=memory.bank, scope="users")


class Starts(BaseCallbackHandler):
    """Counts retriever runs."""

    def __init__(self) -> None:
        self.metadata: list[dict[str, Any] | None] = []

    def on_retriever_start(
        self,
        serialized: dict[str, Any],
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: list[str] | None = None,
        metadata: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        self.metadata.append(metadata)


async def test_one_run_for_callbacks_and_in_langsmith(memory: AgentMemory, do: Do, ingest: Ingest) -> None:
    memory.bank.remember("Anna likes to hike in the Alps", ANNA)
    starts, client = Starts(), ingest.client()
    retriever = MemoryRetriever(bank=memory.bank)
    with tracing_context(enabled=True, client=client):
        await do(retriever.invoke, ASKED, {**CONFIG, "callbacks": [starts, LangChainTracer(client=client)]})
    [metadata] = starts.metadata
    [run] = ingest.posted(client).values()
    assert run["run_type"] == "retriever"
    assert metadata
    for known in (metadata, run["extra"]["metadata"]):
        assert known["ls_retriever_name"] == "memory_bank"
        assert known["ls_vector_store_provider"] == "redis"
        assert known["ls_embedding_provider"] == "OfflineEmbeddings"
    assert run["outputs"]["documents"][0]["page_content"] == "Anna likes to hike in the Alps"


async def test_a_run_of_nobody_finds_nothing_where_it_may_be_one(memory: AgentMemory, do: Do) -> None:
    await do(memory.bank.remember, "Anna likes to hike", ANNA)
    with pytest.raises(MissingScopeError, match="user_id"):
        await do(memory.retriever().invoke, ASKED)
    relaxed = memory.retriever(required=False)
    assert await do(relaxed.invoke, ASKED) == []
    assert len(await do(relaxed.invoke, ASKED, CONFIG)) == 1


async def test_another_scope_holds_from_the_next_call_on(memory: AgentMemory, do: Do) -> None:
    await do(memory.bank.remember, "Anna likes to hike", ANNA)
    retriever = memory.retriever(scope=BOB)
    assert await do(retriever.invoke, ASKED) == []
    retriever.scope = ANNA
    assert len(await do(retriever.invoke, ASKED)) == 1
    assert await do(retriever.model_copy(update={"scope": ("memories", "bob")}).invoke, ASKED) == []
