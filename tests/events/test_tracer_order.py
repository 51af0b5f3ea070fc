"""Two hundred runs of twenty nodes: every execution once, with its end, in causal order, however the graph runs."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import pytest

from langchain_agentmem.events.event import Event
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.wire.connection import Connection
from tests.events.graphs import chain, config, one


def twenty_nodes() -> Any:
    """18 nodes of its own and of two sub-graphs, and a fan-out of parallel ones: 20 executions that end."""
    inner = chain(*((f"i{i}", one) for i in range(4))).compile()
    graph = chain(*((f"n{i}", one) for i in range(5)), ("inner1", inner), ("inner2", inner))
    for i in range(4):
        graph.add_node(f"p{i}", one)
        graph.add_edge("inner2", f"p{i}")
    graph.add_node("join", one)
    graph.add_edge([f"p{i}" for i in range(4)], "join")
    return graph.compile()


EXECUTIONS = 5 + 2 * (1 + 4) + 4 + 1


def in_order(events: list[Event]) -> None:
    """Each execution once, with one end, inside the one around it; each step after the one before it."""
    starts = [event for event in events if event.kind == "node.start"]
    assert len(starts) == len({event.run_id for event in starts}) == EXECUTIONS
    seen: dict[str | None, list[str]] = defaultdict(list)
    open_: dict[str, Event] = {}
    steps: dict[tuple[str | None, str | None], int] = {}
    for event in events:
        assert event.parent_run_id is None or event.parent_run_id in seen, "the run around it started before it"
        _, verb = event.kind.split(".")
        seen[event.run_id].append(verb)
        if not event.kind.startswith("node."):
            continue
        assert event.task_id is not None
        if verb == "start":
            around = (event.namespace or "").rpartition("|")[2].rpartition(":")[2]
            assert not around or around in open_, "started outside of the node around it"
            place = (event.trace_id, event.namespace)
            assert not any(
                other.namespace == event.namespace and (other.step or 0) < (event.step or 0) for other in open_.values()
            ), "started before the step before it ended"
            assert (event.step or 0) >= steps.get(place, 0)
            steps[place] = event.step or 0
            open_[event.task_id] = event
        else:
            del open_[event.task_id]
    assert open_ == {}
    assert set(map(tuple, seen.values())) == {("start", "end")}


@pytest.mark.parametrize("way", ["sync", "async", "threads", "loops"])
def test_two_hundred_runs_of_twenty_nodes(plain: Connection, way: str) -> None:
    log = EventLog(plain, max_events=2_000)
    tracer = EventTracer(log)
    graph, runs = twenty_nodes(), 50

    def invoke(i: int) -> None:
        graph.invoke({}, config(tracer, f"{way}{i}"))

    async def ainvoke(numbers: range) -> None:
        await asyncio.gather(*(graph.ainvoke({}, config(tracer, f"{way}{i}")) for i in numbers))

    ways: dict[str, Callable[[], Any]] = {
        "sync": lambda: list(map(invoke, range(runs))),
        "async": lambda: asyncio.run(ainvoke(range(runs))),
        "threads": lambda: _on_threads(lambda n: list(map(invoke, range(n, runs, 4)))),
        "loops": lambda: _on_threads(lambda n: asyncio.run(ainvoke(range(n, runs, 4)))),
    }
    ways[way]()
    assert tracer.flush(30)
    assert tracer.dropped == 0
    for i in range(runs):
        in_order(log.recent(f"{way}{i}", 2_000))
    assert len(list(log.replay())) == runs * (2 * EXECUTIONS + 2)


def _on_threads(work: Callable[[int], Any]) -> None:
    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
