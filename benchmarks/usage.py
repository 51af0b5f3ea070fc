"""What a checkpointer costs beside time: the server's memory, bytes on the wire, round trips."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import redis
from langgraph.checkpoint.redis import RedisSaver
from langgraph.checkpoint.redis.shallow import ShallowRedisSaver

from benchmarks.chats import conversation
from benchmarks.graphs import talk
from benchmarks.harness import Probe, Samples
from benchmarks.operations import grown, unprobed, visit
from benchmarks.peers import OURS, REDIS, SHALLOW, Saver
from benchmarks.servers import redis_server
from benchmarks.tap import Tap
from langchain_agentmem.thread.checkpoint import AgentMemorySaver

OPERATIONS = (
    "put",
    "put, unchanged",
    "put_writes",
    "get latest",
    "get latest with writes",
    "get by id",
    "list 10",
    "delete_thread",
)
_TURNS = 100
_OPENERS: dict[str, Callable[[str], Any]] = {
    OURS: AgentMemorySaver.from_conn_string,
    REDIS: RedisSaver.from_conn_string,
    SHALLOW: ShallowRedisSaver.from_conn_string,
}


@contextmanager
def _opened(name: str, url: str) -> Iterator[Saver]:
    with _OPENERS[name](url) as saver:
        saver.setup()
        yield saver


def measure_memory(samples: Samples) -> None:
    """Server memory of one conversation of 100 turns with a graph of one node, each saver on a fresh server."""
    for name in _OPENERS:
        with redis_server() as server, _opened(name, server.url) as saver:
            client: Any = redis.Redis.from_url(server.url)
            talk(saver, 1, 1)  # opens connections, loads scripts and makes what there is once, such as indexes
            saver.delete_thread(_only_thread(saver))
            before = client.info()
            talk(saver, 1, _TURNS)
            after = client.info()
            keys = list(client.scan_iter(count=1000))
            held = sum(client.memory_usage(key, samples=0) for key in keys)
            samples.add(f"RAM of {_TURNS} turns, keys", name, held, "B")
            samples.add(f"RAM of {_TURNS} turns, server", name, after["used_memory"] - before["used_memory"], "B")
            samples.add(f"keys of {_TURNS} turns", name, len(keys), "")
            received = after["total_net_input_bytes"] - before["total_net_input_bytes"]
            samples.add(f"bytes sent, {_TURNS} turns", name, received, "B")


def _only_thread(saver: Saver) -> str:
    found = next(iter(saver.list(None, limit=1)))
    return str(found.config["configurable"]["thread_id"])


def measure_traffic(samples: Samples, sizes: Sequence[int]) -> None:
    """Bytes sent and round trips of each operation, counted by a tap before the server."""
    with redis_server() as server:
        for name in _OPENERS:
            with Tap(server.url) as tap, _opened(name, tap.url) as saver:
                probe = _counter(samples, tap, name)
                visit(saver, conversation(10), unprobed, by_id=name != SHALLOW)
                for size in sizes:
                    visit(saver, conversation(size), probe, by_id=name != SHALLOW)
                if name != SHALLOW:
                    thread = grown(saver, conversation(10), 10)
                    with probe("list 10, 10 messages"):
                        list(saver.list(thread.newest(), limit=10))
                    with probe("delete_thread, 10 messages"):
                        saver.delete_thread(thread.thread_id)


def _counter(samples: Samples, tap: Tap, name: str) -> Probe:
    @contextmanager
    def probe(row: str) -> Iterator[None]:
        with tap.counting() as counted:
            yield
        sent, _, trips = counted
        operation = row.rpartition(", ")[0]
        samples.add(f"round trips, {operation}", name, trips, "")
        if operation == "put":
            samples.add(f"bytes sent, {row}", name, sent, "B")

    return probe
