"""AgentMemorySaver beside the other LangGraph checkpointers: time, memory and traffic, as ratios to RedisSaver.

python -m benchmarks.checkpointers [--quick] [--only operations,delete,graphs,tasks,memory,traffic] [--json FILE]
"""

from __future__ import annotations

import argparse
import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

from benchmarks import graphs, operations, usage
from benchmarks.charts import draw_ratios
from benchmarks.harness import Report, Samples, Target
from benchmarks.peers import FLOOR, MEMORY, OURS, POSTGRES, REDIS, SHALLOW, SQLITE, Addresses, async_savers, sync_savers
from benchmarks.servers import postgres, redis_server

CHART = Path(__file__).parent.parent / "docs" / "checkpointers.png"


def under(limit: float) -> tuple[Target, ...]:
    """A target against RedisSaver."""
    return (Target(limit, REDIS),)


def faster(limit: float | None = None) -> tuple[Target, ...]:
    """Faster than PostgresSaver, and perhaps a target against RedisSaver too."""
    return (*(under(limit) if limit else ()), Target(1, POSTGRES))


TARGETS = {
    "put, 10 messages": faster(0.33),
    "put, 50 messages": faster(),
    "put, 200 messages": faster(0.10),
    "put, unchanged, 10 messages": faster(0.28),
    "put, unchanged, 50 messages": faster(),
    "put, unchanged, 200 messages": faster(0.05),
    "put_writes, 10 messages": under(0.40),
    "put_writes, 50 messages": under(0.40),
    "put_writes, 200 messages": under(0.40),
    "get latest, 10 messages": faster(0.14),
    "get latest, 50 messages": faster(),
    "get latest, 200 messages": faster(0.09),
    "get by id, 10 messages": faster(),
    "get by id, 50 messages": faster(),
    "get by id, 200 messages": faster(0.12),
    "list 10, 200 messages": under(0.80),
    **{f"delete_thread, {length} checkpoints": under(0.10) for length in (10, 50, 200)},
    "5 nodes, sync, per super-step": under(0.30),
    "5 nodes, async, per super-step": under(0.25),
    "32 tasks at once, per turn": under(1 / 3),
    "RAM of 100 turns, keys": under(0.05),
    "RAM of 100 turns, server": under(0.05),
    **{f"bytes sent, put, {size} messages": (Target(3000, REDIS, absolute=True),) for size in (10, 50, 200)},
    **{f"round trips, {name}": (Target(1, REDIS, absolute=True),) for name in usage.OPERATIONS},
}
REPORT = Report(REDIS, OURS, [SHALLOW, SQLITE, POSTGRES, MEMORY, FLOOR], TARGETS)


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is measured.

    Attributes:
        sizes: Messages in the threads.
        rounds: Threads that each operation is tried on.
        lengths: Checkpoints in the threads that are deleted.
        nodes: Sizes of the graphs.
        turns: Turns of a conversation with a graph.
        repeats: Conversations, deletions and waves of tasks.
    """

    sizes: tuple[int, ...]
    rounds: int
    lengths: tuple[int, ...]
    nodes: tuple[int, ...]
    turns: int
    repeats: int


FULL = Effort(sizes=(10, 50, 200), rounds=100, lengths=(10, 50, 200), nodes=(1, 5, 20), turns=50, repeats=5)
QUICK = Effort(sizes=(10, 200), rounds=20, lengths=(10, 50), nodes=(5,), turns=20, repeats=2)


@contextmanager
def addresses(*, plain: bool, fsync: bool) -> Iterator[Addresses]:
    """Start the servers: one Redis for ours and for the peers unless ours is to run on one without modules."""
    with (
        redis_server() as search,
        redis_server(modules=False) if plain else nullcontext(search) as own,
        postgres(fsync=fsync) as database,
        tempfile.TemporaryDirectory() as folder,
    ):
        yield Addresses(own.url, search.url, database, Path(folder))


async def measure_async(samples: Samples, at: Addresses, effort: Effort, parts: set[str]) -> None:
    """The parts that need an event loop; one loop for all contenders."""
    async with async_savers(at) as savers:
        if "graphs" in parts:
            await graphs.measure_async(samples, savers, effort.nodes, effort.turns, effort.repeats)
        if "tasks" in parts:
            await graphs.measure_tasks(samples, savers, effort.repeats)


def measure(samples: Samples, at: Addresses, effort: Effort, parts: set[str]) -> None:
    """Everything asked for, into `samples`."""
    with sync_savers(at) as savers:
        if "operations" in parts:
            operations.measure(samples, savers, at, effort.sizes, effort.rounds)
        if "delete" in parts:
            operations.measure_deletes(samples, savers, at, effort.lengths, effort.repeats)
        if "graphs" in parts:
            graphs.measure(samples, savers, effort.nodes, effort.turns, effort.repeats)
    asyncio.run(measure_async(samples, at, effort, parts))
    if "memory" in parts:
        usage.measure_memory(samples)
    if "traffic" in parts:
        usage.measure_traffic(samples, effort.sizes)


def main() -> None:
    """Measure, print the table, draw the chart."""
    parts = ["operations", "delete", "graphs", "tasks", "memory", "traffic"]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a minute instead of ten; no chart")
    parser.add_argument("--only", default=",".join(parts), help="parts, separated by commas")
    parser.add_argument("--json", type=Path, help="write every number to this file")
    parser.add_argument("--plain", action="store_true", help="run ours on a server without modules")
    parser.add_argument("--fsync", action="store_true", help="let PostgreSQL wait for the disk, as is its default")
    options = parser.parse_args()
    wanted = set(options.only.split(","))
    if unknown := wanted - set(parts):
        parser.error(f"--only: {', '.join(sorted(unknown))}: unknown; choose from {', '.join(parts)}")

    samples, effort = Samples(), QUICK if options.quick else FULL
    with addresses(plain=options.plain, fsync=options.fsync) as at:
        measure(samples, at, effort, wanted)
    about = {
        "cores": str(os.cpu_count()),
        "ours runs on": "a server without modules" if options.plain else "the server of the Redis peers",
        "PostgreSQL": f"fsync {'on' if options.fsync else 'off'}",
        "rounds": str(effort.rounds),
    }
    print("\n".join(f"{name}: {fact}" for name, fact in about.items()), end="\n\n")
    print(REPORT.table(samples))
    print("\nMissed targets:", *(REPORT.missed(samples) or ["none"]), sep="\n- ")
    if options.json:
        samples.save(options.json, about)
    if not options.quick and wanted == set(parts):
        draw_ratios(samples, REPORT, CHART)
        print(f"\nChart: {CHART}")


if __name__ == "__main__":
    main()
