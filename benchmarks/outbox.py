"""What it costs an agent to hand a turn over to long-term memory, by the length of its thread.

python -m benchmarks.outbox [--turns N]

A turn is a question and an answer. `XADD` is one bare append of the same bytes: the least that a round trip costs here.
`node` is `extraction_node().invoke(state)`, as a graph calls it, `outbox` the outbox alone. All take turns in each
round, so that what else the machine does meets all of them.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable

from langchain_core.messages import AIMessage, AnyMessage, HumanMessage
from langchain_core.runnables import RunnableConfig

from langchain_agentmem import AgentMemory, Scope
from langchain_agentmem.wire.embedded import EmbeddedServer

LENGTHS = (10, 100, 1_000, 10_000)  # turns that the thread has before
LIMIT = 2_000.0  # us: what handing over may take, at any length
ANN = Scope("ann")
Handing = Callable[[str, list[AnyMessage]], object]


def turn(number: int) -> list[AnyMessage]:
    """A question of 60 words and an answer of 120."""
    words = [f"word{number % 97}" for _ in range(60)]
    return [HumanMessage(" ".join(words), id=f"h{number}"), AIMessage(" ".join(words * 2), id=f"a{number}")]


def config_of(thread: str) -> RunnableConfig:
    """The config of a graph's run."""
    return {"configurable": {"thread_id": thread, "user_id": "ann"}}


def measure(memory: AgentMemory, length: int, rounds: int) -> dict[str, list[float]]:
    """Microseconds of each way, one number a round."""
    node, redis = memory.extraction_node(strategy="verbatim"), memory.connection
    names = ["verbatim@1"]

    async def xadd(_: str, messages: list[AnyMessage]) -> object:
        return await redis.send(*(("XADD", "floor", "*", "turn", str(each.content)) for each in messages[-2:]))

    sync: dict[str, Handing] = {
        "outbox": lambda thread, messages: memory.outbox.add(thread, messages, ANN, names),
        "node": lambda thread, messages: node.invoke({"messages": messages}, config_of(thread)),
    }
    in_loop: dict[str, Callable[[str, list[AnyMessage]], Awaitable[object]]] = {
        "XADD, async": xadd,
        "outbox, async": lambda thread, messages: memory.outbox.aadd(thread, messages, ANN, names),
        "node, async": lambda thread, messages: node.ainvoke({"messages": messages}, config_of(thread)),
    }
    taken: dict[str, list[float]] = defaultdict(list)
    messages = [message for number in range(length) for message in turn(number)]
    for name in (*sync, *in_loop):
        memory.outbox.add(f"{name}{length}", messages, ANN, names)

    async def asynchronously() -> None:
        for name, hand_over in in_loop.items():
            start = time.perf_counter_ns()
            await hand_over(f"{name}{length}", messages)
            taken[name].append((time.perf_counter_ns() - start) / 1000)

    with asyncio.Runner() as runner:
        for number in range(length, length + rounds):
            messages += turn(number)
            for name, hand_over in sync.items():
                start = time.perf_counter_ns()
                hand_over(f"{name}{length}", messages)
                taken[name].append((time.perf_counter_ns() - start) / 1000)
            runner.run(asynchronously())
    return taken


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--turns", type=int, default=300, help="turns that each length is measured with")
    rounds = parser.parse_args().turns
    print(f"| turns before | way | median | 95 % below | median under {LIMIT / 1000:g} ms |\n|---:|---|---:|---:|---|")
    with EmbeddedServer.start(modules=False) as server, AgentMemory(server.url) as memory:
        for length in LENGTHS:
            for name, numbers in measure(memory, length, rounds).items():
                median, high = statistics.median(numbers), statistics.quantiles(numbers, n=20)[-1]
                verdict = "yes" if median < LIMIT else "no"
                print(f"| {length:,} | {name} | {median:.0f} us | {high:.0f} us | {verdict} |")


if __name__ == "__main__":
    main()
