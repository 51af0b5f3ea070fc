"""A tracer sees the graphs that name it, or every run of the process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from langchain_core.runnables import RunnableLambda

from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.wire.connection import Connection
from tests.events.graphs import chain, config, one, shown, told


@pytest.fixture
def attached(tracer: EventTracer) -> Iterator[EventTracer]:
    tracer.attach()
    yield tracer
    tracer.detach()


def test_attached_it_sees_every_run_once(log: EventLog, attached: EventTracer) -> None:
    attached.attach()  # twice is once
    graph = chain(("a", one), ("inner", chain(("b", one)).compile())).compile()
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda i: graph.invoke({}, config(None, f"sync{i}")), range(3)))
        pool.submit(lambda: asyncio.run(graph.ainvoke({}, config(None, "async")))).result()
    graph.invoke({}, config(attached, "both"))
    for thread_id in ("sync0", "sync1", "sync2", "async", "both"):
        found = told(log, attached, thread_id)
        assert shown(found, kind="node.start") == [("node.start", n) for n in ("a", "inner", "b")]
        assert len(found) == 8


def test_detached_it_sees_no_more(log: EventLog, attached: EventTracer) -> None:
    graph = chain(("a", one)).compile()
    attached.detach()
    graph.invoke({}, config(None))
    assert told(log, attached) == []
    attached.attach()
    graph.invoke({}, config(None))
    assert len(told(log, attached)) == 4


def test_two_tracers_both_see_a_run(plain: Connection, log: EventLog, attached: EventTracer) -> None:
    other_log = EventLog(plain, tenant="other")
    other = EventTracer(other_log)
    chain(("a", one)).compile().invoke({}, config(other))
    assert len(told(log, attached)) == len(told(other_log, other)) == 4


def test_what_has_no_thread_is_in_the_feed(log: EventLog, tracer: EventTracer) -> None:
    RunnableLambda(lambda x: x, name="alone").invoke(1, {"callbacks": [tracer]})
    assert tracer.flush()
    assert [(event.kind, event.name, event.thread_id) for event in log.recent()] == [
        ("run.start", "alone", None),
        ("run.end", "alone", None),
    ]
