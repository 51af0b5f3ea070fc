"""What seeing everything costs: the tracer on graphs of 20 nodes, appends beside raw XADD, and a flood of events.

python -m benchmarks.events [--quick] [--flood SECONDS] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import operator
import resource
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, TypedDict
from uuid import uuid4

import redis
from langchain_core.callbacks import BaseCallbackHandler
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, StateGraph

from benchmarks.harness import Action, Report, Samples, Target, rotated
from langchain_agentmem.events.event import Event, dumps
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.events.tracer import EventTracer
from langchain_agentmem.thread.checkpoint import AgentMemorySaver
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer

OURS, NONE, NOOP, RAW = "tracer", "no tracer", "empty handler", "raw XADD"
NODES = 20
RATE = 10_000  # events a second in the flood

INSTANT = "20 instant nodes"
GRAPHS = Report(
    NONE,
    OURS,
    [NOOP],
    {row: (Target(1.03, NONE),) for row in ("20 nodes of 1 ms", "20 nodes of 5 ms", "20 nodes of 5 ms, async")}
    | {f"{INSTANT}, AgentMemorySaver": (Target(1.03, NONE),)},
)
APPENDS = Report(RAW, "EventLog", [], {})


class State(TypedDict):
    x: Annotated[list[int], operator.add]


class EmptyHandler(BaseCallbackHandler):
    """What LangChain itself needs to call any handler at all."""

    run_inline = True


def twenty_nodes(work: float, saver: Any, *, is_async: bool = False) -> Any:
    """A chain of 20 nodes, each of which waits for so many seconds, as for a model."""

    def node(_: State) -> State:
        if work:
            time.sleep(work)
        return {"x": [1]}

    async def anode(_: State) -> State:
        await asyncio.sleep(work)
        return {"x": [1]}

    graph, before = StateGraph(State), START
    for i in range(NODES):
        work_node: Any = anode if is_async else node
        graph.add_node(f"n{i}", work_node)
        graph.add_edge(before, f"n{i}")
        before = f"n{i}"
    return graph.compile(checkpointer=saver)


def measure(samples: Samples, row: str, actions: Mapping[str, Action], rounds: int, after: Action) -> None:
    """Note how long each contender takes for a call, taking turns; `after` follows each turn, untimed."""
    for turn in range(-1, rounds):
        for name, action in rotated([*actions.items()], turn):
            start = time.perf_counter_ns()
            calls = 0
            while time.perf_counter_ns() - start < 500_000_000:  # ten times what events wait for each other
                action()
                calls += 1
            if turn >= 0:  # the first round warms up
                samples.add(row, name, (time.perf_counter_ns() - start) / 1000 / calls)
            after()


def measure_graphs(samples: Samples, redis_: Connection, rounds: int) -> None:
    """The same graph without a handler, with an empty one and with a tracer."""
    tracer = EventTracer(EventLog(redis_))
    handlers: dict[str, list[BaseCallbackHandler]] = {NONE: [], NOOP: [EmptyHandler()], OURS: [tracer]}

    def invoke(graph: Any, handlers: list[BaseCallbackHandler], *, is_async: bool = False) -> None:
        config = {"configurable": {"thread_id": uuid4().hex}, "callbacks": handlers}
        asyncio.run(graph.ainvoke({"x": []}, config)) if is_async else graph.invoke({"x": []}, config)

    for row, graph, is_async in (
        (f"{INSTANT}, no saver", twenty_nodes(0, None), False),
        (f"{INSTANT}, InMemorySaver", twenty_nodes(0, InMemorySaver()), False),
        (f"{INSTANT}, AgentMemorySaver", twenty_nodes(0, AgentMemorySaver(redis_)), False),
        ("20 nodes of 1 ms", twenty_nodes(0.001, None), False),
        ("20 nodes of 5 ms", twenty_nodes(0.005, None), False),
        ("20 nodes of 5 ms, async", twenty_nodes(0.005, None, is_async=True), True),
    ):
        actions = {name: partial(invoke, graph, used, is_async=is_async) for name, used in handlers.items()}
        measure(samples, row, actions, rounds, after=tracer.flush)
    assert tracer.dropped == 0


def measure_appends(samples: Samples, redis_: Connection, client: redis.Redis, rounds: int) -> None:
    """Appends to a thread's stream, with and without the feed, beside XADD of the same bytes."""
    with_feed, alone = EventLog(redis_), EventLog(redis_, feed_shards=0)
    raw = dumps(Event(kind="node.end", thread_id="t", node="n", step=1, run_id=str(uuid4()), duration=0.1).document())

    def xadd(n: int, streams: int) -> None:
        pipe = client.pipeline(transaction=False)
        for _ in range(n):
            for stream in ("raw", "rawfeed")[:streams]:
                pipe.xadd(stream, {"event": raw}, maxlen=1000)
        pipe.execute()

    def append(log: EventLog, n: int) -> None:
        run_id = str(uuid4())
        events = (
            Event(kind="node.end", thread_id="t", node="n", step=1, run_id=run_id, duration=0.1) for _ in range(n)
        )
        log.append(*events)

    for n in (1, 100):
        for streams, log in ((1, alone), (2, with_feed)):
            row = f"{n} event{'s' * (n > 1)}" + (" and the feed" if streams == 2 else "")
            actions: dict[str, Action] = {RAW: partial(xadd, n, streams), APPENDS.ours: partial(append, log, n)}
            measure(samples, row, actions, rounds, after=lambda: None)


def flood(redis_: Connection, seconds: float) -> None:
    """10,000 events a second through the tracer: what arrives, what is lost, what it needs."""
    log = EventLog(redis_, max_events=1_000)
    tracer = EventTracer(log)
    metadata = {"thread_id": "flood", "langgraph_node": "n", "langgraph_step": 1, "langgraph_checkpoint_ns": "n:1"}
    before, start, sent, longest = _peak_kb(), time.monotonic(), 0, 0
    while (passed := time.monotonic() - start) < seconds:
        while sent < passed * RATE:
            run_id = uuid4()
            tracer.on_chain_start({}, {}, run_id=run_id, tags=["graph:step:1"], metadata=metadata, name="n")
            tracer.on_chain_end({}, run_id=run_id)
            sent += 2
        longest = max(longest, len(tracer._writer._queue))  # noqa: SLF001 - the queue is what is measured
        time.sleep(0.001)
    rate, flushed = sent / (time.monotonic() - start), tracer.flush(30)
    grown = (_peak_kb() - before) / 1000
    kept = len(log.recent("flood", 5_000))
    print("\n## Flood\n")
    print(f"{rate:,.0f} events/s for {seconds:g} s: {sent:,} sent, {tracer.dropped:,} lost, all written: {flushed}")
    print(f"longest queue {longest:,}, peak memory +{grown:.1f} MB, the thread's stream keeps {kept:,}")


def _peak_kb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Measure, print the tables, and say which targets were missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    options.add_argument("--flood", type=float, default=30, help="seconds of 10,000 events each; 0 is none")
    options.add_argument("--json", type=Path, help="write every number to this file")
    asked = options.parse_args()
    rounds = 2 if asked.quick else 12
    graphs, appends = Samples(), Samples()
    with EmbeddedServer.start(modules=False) as server, Connection(server.url) as redis_:
        if asked.flood:
            flood(redis_, 2 if asked.quick else asked.flood)
        with redis.Redis.from_url(server.url) as client:
            measure_appends(appends, redis_, client, max(2, rounds // 4))
        measure_graphs(graphs, redis_, rounds)
        about = {"server": str(server.info)}
    for title, report, samples in (("Appends", APPENDS, appends), ("Graphs", GRAPHS, graphs)):
        report.show(f"{title} ({about['server']})", samples)
        if asked.json:
            samples.save(asked.json.with_stem(f"{asked.json.stem}-{title.lower()}"), about)


if __name__ == "__main__":
    main()
