"""What LangSmith is told: runs below the node that asks, in both colours, and nothing where tracing is off."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tracers.langchain import LangChainTracer
from langgraph.graph import START, StateGraph
from langsmith import tracing_context
from langsmith.run_helpers import get_current_run_tree

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.embeddings import OfflineEmbeddings
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.connection import Connection
from tests.conftest import Do
from tests.langsmith_ingest import Ingest, forget_environment

ANNA = Scope("anna")
CELLO, DOG = "Anna plays the cello", "Anna's dog is called Bruno"
QUERY = "Which instrument does Anna play?"


class Embedder(OfflineEmbeddings):
    """Knows its model's name, and notes in which run of LangSmith it is asked to embed."""

    model = "tiny"

    def __init__(self) -> None:
        super().__init__()
        self.asked_in: list[str | None] = []

    def embed_documents(self, texts: list[str]) -> list[list[float]]:
        self._note()
        return super().embed_documents(texts)

    def embed_query(self, text: str) -> list[float]:
        self._note()
        return super().embed_query(text)

    def _note(self) -> None:
        run = get_current_run_tree()
        self.asked_in.append(run.name if run else None)


@pytest.fixture
def embedder() -> Embedder:
    return Embedder()


@pytest.fixture
def log(plain: Connection) -> EventLog:
    return EventLog(plain)


@pytest.fixture
def bank(plain: Connection, log: EventLog, embedder: Embedder) -> MemoryBank:
    store = AgentMemoryStore(plain, index={"dims": 256, "embed": embedder, "fields": ["text"]})
    return MemoryBank(store, events=log)


class State(TypedDict, total=False):
    made: list[Any]
    found: list[Any]


def sync_node(bank: MemoryBank) -> Callable[[State], Any]:
    def node(state: State) -> State:
        made = bank.remember([CELLO, DOG], ANNA)
        found = bank.recall(QUERY, ANNA, limit=2)
        bank.correct(made[0].id, "Anna plays the viola", ANNA)
        with pytest.raises(InvalidInputError):
            bank.correct("nobody", "x", ANNA)
        bank.forget(ANNA, [made[1].id])
        return {"made": made, "found": found}

    return node


def async_node(bank: MemoryBank) -> Callable[[State], Any]:
    async def node(state: State) -> State:
        made = await bank.aremember([CELLO, DOG], ANNA)
        found = await bank.arecall(QUERY, ANNA, limit=2)
        await bank.acorrect(made[0].id, "Anna plays the viola", ANNA)
        with pytest.raises(InvalidInputError):
            await bank.acorrect("nobody", "x", ANNA)
        await bank.aforget(ANNA, [made[1].id])
        return {"made": made, "found": found}

    return node


async def play(node: Any, config: RunnableConfig, *, in_loop: bool) -> State:
    graph = StateGraph(State)
    graph.add_node("agent", node)
    graph.add_edge(START, "agent")
    compiled: Any = graph.compile()
    state: State = await compiled.ainvoke({}, config) if in_loop else compiled.invoke({}, config)
    return state


@pytest.mark.parametrize(
    ("node", "in_loop"),
    [(sync_node, False), (sync_node, True), (async_node, True)],
    ids=["sync", "sync node in a loop", "async"],
)
async def test_runs_of_a_node(
    bank: MemoryBank, log: EventLog, embedder: Embedder, ingest: Ingest, node: Any, in_loop: bool
) -> None:
    client = ingest.client()
    tracer = LangChainTracer(client=client, project_name="p")
    config: RunnableConfig = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}
    state = await play(node(bank), config, in_loop=in_loop)
    embedded_in = list(embedder.asked_in)
    runs = ingest.posted(client)
    (agent,) = [run for run in runs.values() if run["name"] == "agent"]
    ours = sorted((run for run in runs.values() if run["name"].startswith("memory.")), key=lambda r: r["start_time"])
    names = ["memory.remember", "memory.recall", "memory.correct", "memory.correct", "memory.forget"]
    assert [run["name"] for run in ours] == names
    for run in ours:
        assert (run["parent_run_id"], run["trace_id"], run["session_name"]) == (agent["id"], agent["trace_id"], "p")
        assert run["end_time"]
        metadata = run["extra"]["metadata"]
        assert (metadata["thread_id"], metadata["langgraph_node"]) == ("t", "agent")
        assert metadata["namespace"] == ["memories", "anna"]
    remember, recall, correct, failed, forget = ours

    assert [run["run_type"] for run in ours] == ["chain", "retriever", "chain", "chain", "chain"]
    assert recall["inputs"] == {"query": QUERY, "limit": 2}
    assert recall["outputs"] == {
        "documents": [
            {
                "page_content": each.memory.text,
                "type": "Document",
                "metadata": {
                    "id": each.memory.id,
                    "score": each.score,
                    "similarity": each.similarity,
                    "kind": "semantic",
                },
            }
            for each in state["found"]
        ]
    }
    assert state["found"][0].memory.text == CELLO
    described = {
        "ls_retriever_name": "memory_bank",
        "ls_vector_store_provider": "redis",
        "ls_embedding_provider": "Embedder",
        "ls_embedding_model": "tiny",
    }
    assert recall["extra"]["metadata"].items() >= described.items()
    one, other = (each.id for each in state["made"])
    assert remember.get("inputs", {}) == {}
    assert remember["outputs"] == {
        "memories": [{"id": each, "outcome": "added", "version": 1} for each in (one, other)]
    }
    assert correct["inputs"] == {"id": one}
    assert correct["outputs"] == {"id": one, "outcome": "superseded", "version": 2}
    assert "there is no memory 'nobody'" in failed["error"]
    assert "error" not in forget
    assert (forget["inputs"], forget["outputs"]) == ({"ids": [other]}, {"ids": [other]})

    assert embedded_in == ["memory.remember", "memory.recall", "memory.correct"]
    assert log.flush()
    told = {event.kind: event for event in log.recent("t")}
    for kind, run in {"remembered": remember, "recalled": recall, "corrected": correct, "forgotten": forget}.items():
        event = told[f"memory.{kind}"]
        assert (event.run_id, event.parent_run_id, event.trace_id) == (run["id"], agent["id"], agent["trace_id"])


async def test_outside_of_a_graph_a_run_is_its_own_trace(bank: MemoryBank, ingest: Ingest, do: Do) -> None:
    client = ingest.client()
    with tracing_context(enabled=True, client=client, project_name="p"):
        assert await do(bank.recall, QUERY, ANNA, kinds=["semantic"]) == []
        assert get_current_run_tree() is None
    ((key, run),) = ingest.posted(client).items()
    assert (run["trace_id"], run["run_type"], run["outputs"]) == (key, "retriever", {"documents": []})
    assert run["inputs"] == {"query": QUERY, "limit": 10, "kinds": ["semantic"]}


async def test_calls_at_the_same_time_are_siblings(bank: MemoryBank, ingest: Ingest) -> None:
    async def node(state: State) -> State:
        await asyncio.gather(*(bank.arecall(f"{QUERY} {n}", ANNA) for n in range(3)))
        return {}

    client = ingest.client()
    await play(node, {"callbacks": [LangChainTracer(client=client)]}, in_loop=True)
    runs = ingest.posted(client).values()
    (agent,) = [run for run in runs if run["name"] == "agent"]
    recalls = [run for run in runs if run["name"] == "memory.recall"]
    assert {run["inputs"]["query"] for run in recalls} == {f"{QUERY} {n}" for n in range(3)}
    assert [run["parent_run_id"] for run in recalls] == [agent["id"]] * 3


@pytest.mark.parametrize(("node", "in_loop"), [(sync_node, False), (async_node, True)], ids=["sync", "async"])
async def test_nothing_is_posted_where_tracing_is_off(
    bank: MemoryBank, embedder: Embedder, ingest: Ingest, node: Any, in_loop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", ingest.url)
    forget_environment()
    await play(node(bank), {"configurable": {"thread_id": "t"}}, in_loop=in_loop)
    assert set(embedder.asked_in) == {None}
    client = ingest.client()
    with tracing_context(enabled=False, client=client):
        await play(node(bank), {"configurable": {"thread_id": "t"}}, in_loop=in_loop)
    assert ingest.posted(client) == {}
    assert ingest.requests == []
