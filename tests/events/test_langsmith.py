"""Events and LangSmith's runs find each other by run id and trace id; without tracing nothing is posted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypedDict

import pytest
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langchain_core.tracers.langchain import LangChainTracer, wait_for_all_tracers
from langgraph.graph import START, StateGraph
from langsmith import Client, traceable, tracing_context
from langsmith.utils import get_env_var

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from tests.events.conftest import Call


class Ingest:
    """LangSmith's ingest endpoint on loopback: keeps every run that is posted."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.bodies: list[bytes] = []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.requests.append(self.path)
                outer.bodies.append(body)
                self._answer(b"{}")

            do_PATCH = do_POST  # noqa: N815 - the names that http.server asks for

            def do_GET(self) -> None:
                limits = {"size_limit": 100, "size_limit_bytes": 10**7, "scale_up_qsize_trigger": 10**4}
                config = {"use_multipart_endpoint": False, "scale_up_nthreads_limit": 1, **limits}
                self._answer(json.dumps({"batch_ingest_config": config}).encode())

            def _answer(self, body: bytes) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def runs(self) -> dict[str, dict[str, Any]]:
        """What was posted of each run, by its id."""
        found: dict[str, dict[str, Any]] = {}
        for body in self.bodies:
            batch = json.loads(body)
            for run in [*batch.get("post", []), *batch.get("patch", [])]:
                found.setdefault(run["id"], {}).update({k: v for k, v in run.items() if v is not None})
        return found


@pytest.fixture
def ingest(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ingest]:
    for name in ("LANGSMITH_TRACING", "LANGCHAIN_TRACING_V2", "LANGSMITH_API_KEY", "LANGCHAIN_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    _forget_environment()
    ingest = Ingest()
    thread = threading.Thread(target=ingest.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield ingest
    ingest.server.shutdown()
    ingest.server.server_close()
    thread.join()
    _forget_environment()


def _forget_environment() -> None:
    """LangSmith reads its environment variables once."""
    get_env_var.cache_clear()  # type: ignore[attr-defined]


class State(TypedDict):
    x: int


@tool
def double(x: int) -> int:
    """Double."""
    return 2 * x


def act(state: State, config: RunnableConfig) -> State:
    return {"x": double.invoke({"x": state["x"]}, config)}


def graph() -> Any:
    inner = StateGraph(State)
    inner.add_node("leaf", act)
    inner.add_edge(START, "leaf")
    outer = StateGraph(State)
    outer.add_node("branch", inner.compile())
    outer.add_edge(START, "branch")
    return outer.compile()


class Runner:
    def __init__(self, graph: Any) -> None:
        self.invoke, self.ainvoke = graph.invoke, graph.ainvoke


async def test_events_carry_the_ids_of_langsmiths_runs(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call
) -> None:
    client = Client(api_url=ingest.url, api_key="none", auto_batch_tracing=True)
    config: RunnableConfig = {
        "configurable": {"thread_id": "t"},
        "callbacks": [tracer, LangChainTracer(client=client, project_name="p")],
    }
    await call(Runner(graph()), "invoke", {"x": 1}, config)
    wait_for_all_tracers()
    client.flush()
    client.close()
    tracer.flush()
    runs, events = ingest.runs(), log.recent("t")
    assert {event.name for event in events} == {"LangGraph", "branch", "leaf", "double"}
    for event in events:
        run = runs[event.run_id or ""]
        assert run["name"] == event.name
        assert run["trace_id"] == event.trace_id
        assert run.get("parent_run_id") == event.parent_run_id
        assert run["extra"]["metadata"]["thread_id"] == event.thread_id


async def test_inside_of_a_traceable_function_the_trace_is_its(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call
) -> None:
    client = Client(api_url=ingest.url, api_key="none", auto_batch_tracing=True)
    config: RunnableConfig = {"configurable": {"thread_id": "t"}, "callbacks": [tracer]}

    @traceable(client=client)
    async def outermost() -> None:
        await middle()

    @traceable(client=client)
    async def middle() -> None:
        await call(Runner(graph()), "invoke", {"x": 1}, config)

    with tracing_context(enabled=True, client=client, project_name="p"):
        await outermost()
    wait_for_all_tracers()
    client.flush()
    client.close()
    tracer.flush()
    runs, events = ingest.runs(), log.recent("t")
    root = next(run for run in runs.values() if run["name"] == "outermost")
    assert {event.trace_id for event in events} == {root["id"]}
    assert all(runs[event.run_id or ""]["trace_id"] == root["id"] for event in events)
    parent = next(run for run in runs.values() if run["name"] == "middle")
    assert events[0].kind == "run.start"
    assert events[0].parent_run_id == parent["id"]


async def test_with_tracing_off_nothing_is_posted(
    log: EventLog, tracer: EventTracer, ingest: Ingest, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_ENDPOINT", ingest.url)
    _forget_environment()
    await call(Runner(graph()), "invoke", {"x": 1}, {"configurable": {"thread_id": "t"}, "callbacks": [tracer]})
    wait_for_all_tracers()
    assert tracer.flush()
    events = log.recent("t")
    assert len(events) == 8
    assert len({event.trace_id for event in events}) == 1
    assert ingest.requests == []
