"""Working memory beside raw Redis commands, and the chat history beside langchain-redis': time and round trips.

python -m benchmarks.history [--quick] [--json FILE]
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import redis
from langchain_core._api import LangChainDeprecationWarning
from langchain_core.messages import BaseMessage
from langchain_redis import RedisChatMessageHistory
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from benchmarks.chats import conversation
from benchmarks.harness import Action, Report, Samples, Target, measure
from benchmarks.tap import Tap
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.history import AgentMemoryChatHistory
from langchain_agentmem.thread.messages import dump_messages
from langchain_agentmem.thread.sessions import Sessions
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.embedded import EmbeddedServer
from langchain_agentmem.wire.keys import Keys

OURS, PEER, RAW = "agentmem", "langchain-redis", "raw command"
SIZES = (10, 100, 1000)

SESSION = Report(
    RAW,
    OURS,
    [],
    {
        "load": (Target(1.3, RAW),),
        **{
            f"round trips, {name}": (Target(1, RAW, absolute=True),)
            for name in ("load", "append", "merge", "increment")
        },
    },
)
HISTORY = Report(
    PEER,
    OURS,
    [RAW],
    {
        "read 100": (Target(0.3, PEER),),
        "read 1000": (Target(0.25, PEER),),
        "add 100 at once": (Target(0.15, PEER),),
        **{f"round trips, {name}": (Target(1, PEER, absolute=True),) for name in ("read", "add 1", "add 100", "clear")},
    },
)


def measure_sessions(samples: Samples, url: str, rounds: int) -> None:
    """A session of 20 turns, some data and texts: load, append, and the single steps."""
    with Connection(url) as connection, redis.Redis.from_url(url) as client:
        memory = Sessions(connection).open("bench", "ann")
        talk = conversation(20)
        memory.write(goal="book a flight to Lisbon", scratchpad="dates are flexible " * 20, summary="so far " * 50)
        memory.merge({"trip": {"from": "BER", "to": "LIS", "stops": [1, 2]}, "budget": 300})
        memory.append(*talk)
        key, body = Keys().session("bench"), dump_messages(talk[:1], Codec(JsonPlusSerializer()))[0]
        measure(samples, "load", {RAW: lambda: client.hgetall(key), OURS: memory.load}, rounds)
        measure(
            samples,
            "load and decode 20 turns",
            {RAW: lambda: client.hgetall(key), OURS: lambda: memory.load().turns},
            rounds,
        )
        measure(
            samples,
            "append (raw: RPUSH, LTRIM, EXPIRE)",
            {RAW: lambda: _push(client, body), OURS: lambda: memory.append(talk[0])},
            rounds,
        )
        measure(
            samples,
            "merge 2 values (raw: HSET, EXPIRE)",
            {RAW: lambda: _set(client), OURS: lambda: memory.merge({"a": {"b": 1}, "c": 2})},
            rounds,
        )
    with Tap(url) as tap, Connection(tap.url) as connection:
        memory = Sessions(connection).open("bench", "ann")
        single: dict[str, Action] = {
            "load": memory.load,
            "append": lambda: memory.append("hi"),
            "merge": lambda: memory.merge({"a": {"b": 1}}),
            "increment": lambda: memory.increment("n"),
        }
        count_trips(samples, tap, OURS, single)


def _push(client: redis.Redis, body: bytes) -> object:
    pipe = client.pipeline(transaction=False)
    pipe.rpush("raw", body)
    pipe.ltrim("raw", -20, -1)
    pipe.expire("raw", 3600)
    return pipe.execute()


def _set(client: redis.Redis) -> object:
    pipe = client.pipeline(transaction=False)
    pipe.hset("rawh", mapping={"a": 1, "c": 2})
    pipe.expire("rawh", 3600)
    return pipe.execute()


def count_trips(samples: Samples, tap: Tap, name: str, actions: Mapping[str, Action]) -> None:
    """Note the round trips of each action, once the server has its scripts."""
    for action in actions.values():
        action()
    for row, action in actions.items():
        with tap.counting() as counted:
            action()
        samples.add(f"round trips, {row}", name, counted[2], "")


@contextmanager
def peer(url: str, session: str) -> Iterator[RedisChatMessageHistory]:
    with redis.Redis.from_url(url, protocol=2) as client:  # it cannot read what RESP3 says of its index
        yield RedisChatMessageHistory(session, redis_client=client)


def measure_histories(samples: Samples, url: str, rounds: int) -> None:
    """Histories of three lengths: read, add one message, add them all."""
    codec = Codec(JsonPlusSerializer())
    with Connection(url) as connection, redis.Redis.from_url(url) as client:
        for size in SIZES:
            talk = conversation(size)
            name = f"h{size}"
            ours = AgentMemoryChatHistory(name, connection)
            key, stored = Keys().history(name), dump_messages(talk, codec)
            with peer(url, name) as theirs:
                ours.add_messages(talk)
                theirs.add_messages(talk)
                assert len(theirs.messages) == len(ours.messages) == size
                reads: dict[str, Action] = {
                    PEER: partial(getattr, theirs, "messages"),
                    OURS: partial(getattr, ours, "messages"),
                    RAW: partial(client.lrange, key, 0, -1),
                }
                measure(samples, f"read {size}", reads, rounds, calls=max(5, 200 // size))
                _measure_adding(samples, (theirs, ours, client), talk, stored, rounds)
    _count_history_trips(samples, url)


def _measure_adding(
    samples: Samples, contenders: tuple[Any, Any, Any], talk: list[BaseMessage], stored: list[bytes], rounds: int
) -> None:
    theirs, ours, client = contenders
    size = len(talk)
    one = talk[:1]
    single: dict[str, Action] = {
        PEER: lambda: theirs.add_messages(one),
        OURS: lambda: ours.add_messages(one),
        RAW: lambda: client.rpush("raw1", stored[0]),
    }
    measure(samples, f"add 1 to {size}", single, rounds, calls=5)
    theirs.clear()
    ours.clear()
    many: dict[str, Action] = {
        PEER: lambda: theirs.add_messages(talk),
        OURS: lambda: ours.add_messages(talk),
        RAW: lambda: client.rpush("raw", *stored),
    }
    measure(samples, f"add {size} at once", many, max(4, rounds // 4), calls=1)
    theirs.clear()
    ours.clear()
    client.delete("raw", "raw1")


def _count_history_trips(samples: Samples, url: str) -> None:
    talk = conversation(100)
    with Tap(url) as tap, Connection(tap.url) as connection, peer(tap.url, "trips") as theirs:
        for name, history in ((PEER, theirs), (OURS, AgentMemoryChatHistory("trips", connection))):
            actions: dict[str, Action] = {
                "read": partial(getattr, history, "messages"),
                "add 1": partial(history.add_messages, talk[:1]),
                "add 100": partial(history.add_messages, talk),
                "clear": history.clear,
            }
            count_trips(samples, tap, name, actions)


def main() -> None:
    """Measure, print the tables, and say which targets were missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    options.add_argument("--json", type=Path, help="write every number to this file")
    asked = options.parse_args()
    rounds = 4 if asked.quick else 40
    warnings.simplefilter("ignore", LangChainDeprecationWarning)
    sessions, histories = Samples(), Samples()
    with EmbeddedServer.start() as server:
        measure_sessions(sessions, server.url, rounds)
        measure_histories(histories, server.url, rounds)
        about = {"server": str(server.info)}
    for title, report, samples in (("Working memory", SESSION, sessions), ("Chat history", HISTORY, histories)):
        report.show(f"{title} ({about['server']})", samples)
        if asked.json:
            samples.save(asked.json.with_stem(f"{asked.json.stem}-{title.split()[0].lower()}"), about)


if __name__ == "__main__":
    main()
