"""The long-term store and the memory bank beside their peers and raw commands: time, bytes an item, exactness.

python -m benchmarks.stores [--quick] [--sizes 1000 10000] [--json FILE]
"""

from __future__ import annotations

import argparse
import logging
import random
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import count, islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import redis
from langgraph.store.base import BaseStore, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore
from langgraph.store.postgres import PostgresStore
from langgraph.store.redis import RedisStore

from benchmarks.harness import Action, Report, Samples, Target, measure
from benchmarks.servers import postgres
from langchain_agentmem.longterm import items, pool
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.index import ItemIndex
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire import search
from langchain_agentmem.wire.embedded import EmbeddedServer

OURS, PEER, MEMORY, RAW = "AgentMemoryStore", "RedisStore", "InMemoryStore", "raw commands"
POSTGRES = "PostgresStore"
DIMS, SCOPES, TOPICS = 384, 100, 20
WORDS = """river mountain piano guitar train flight hotel dinner soup pizza coffee garden flower paint museum concert
friend sister brother meeting office project deadline budget doctor dentist school class exam book movie game tennis
soccer running hiking swimming weather rain snow summer winter holiday beach lake forest bridge castle market shop price
bank letter phone computer keyboard camera photo video music song""".split()

STORES = Report(
    PEER,
    OURS,
    [POSTGRES, MEMORY, RAW],
    {
        "put": (Target(0.25, PEER),),
        "batch put 100": (Target(0.15, PEER), Target(1.3, RAW)),
        "get": (Target(0.35, PEER),),
        "vector search in a scope": (Target(0.45, PEER), Target(1.5, RAW)),
        "bytes an item": (Target(0.30, PEER),),
    },
)
GRAPH = Report("FLAT", "HNSW", [], {})
ISOLATION = Report(OURS, OURS, [], {})
KEYS = "the same, keys alone"
BANK = Report(
    RAW,
    "MemoryBank",
    [KEYS],
    {
        "recall (raw: its searches in one pipeline)": (Target(2.5, RAW),),
        "remember (raw: one search, one HSET)": (Target(1.5, RAW),),
    },
)


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Vectors that cost nothing to make: one of a thousand for each text."""
    return [_VECTORS[zlib.crc32(text.encode()) % len(_VECTORS)] for text in texts]


_VECTORS: list[list[float]] = np.random.default_rng(5).normal(size=(1000, DIMS)).astype("f4").tolist()


def value(i: int, rng: random.Random) -> dict[str, Any]:
    return {"text": f"note {i}: " + " ".join(rng.choices(WORDS, k=12)), "topic": f"t{rng.randrange(TOPICS)}", "n": i}


def scope(i: int) -> tuple[str, ...]:
    return (f"user{i % SCOPES:02}",)  # of one label: the peer cannot read items of longer namespaces


@contextmanager
def stores(url: str, peer_url: str) -> Iterator[dict[str, BaseStore]]:
    """Each store with its defaults, where there is a choice of index: FLAT, and pgvector's HNSW."""
    index: Any = {"dims": DIMS, "embed": embed, "fields": ["text"]}
    with (
        AgentMemoryStore.from_conn_string(url, index=index) as ours,
        redis.Redis.from_url(peer_url, protocol=2) as client,
        postgres(fsync=False) as address,
        PostgresStore.from_conn_string(address, index=index) as durable,
    ):
        durable.setup()
        peer_index: Any = {**index, "distance_type": "cosine"}
        peer = RedisStore(client, index=peer_index)
        peer.setup()
        yield {PEER: peer, OURS: ours, POSTGRES: durable, MEMORY: InMemoryStore(index=index)}


def used(client: Any) -> int:
    facts: Any = client.info("memory")
    return int(facts["used_memory"])


def load(store: BaseStore, values: Sequence[dict[str, Any]]) -> None:
    for start in range(0, len(values), 100):
        store.batch([PutOp(scope(each["n"]), str(each["n"]), each) for each in values[start : start + 100]])


def measure_stores(size: int, rounds: int) -> Samples:
    """Every operation of a store over `size` items in scopes of a hundredth of them."""
    samples, rng = Samples(), random.Random(size)
    values = [value(i, rng) for i in range(size)]
    with (
        EmbeddedServer.start() as server,
        EmbeddedServer.start() as peer_server,
        stores(server.url, peer_server.url) as contenders,
        redis.Redis.from_url(server.url) as client,
        redis.Redis.from_url(peer_server.url) as peer_client,
    ):
        for name, at in ((OURS, client), (PEER, peer_client)):
            before = used(at)
            load(contenders[name], values)
            samples.add("bytes an item", name, (used(at) - before) / size, "B")
        for name in (POSTGRES, MEMORY):
            load(contenders[name], values)
        ours: Any = contenders[OURS]
        _reads(samples, contenders, client, ours, rng, rounds)
        _exactness(samples, contenders, values, rng)
        _writes(samples, contenders, client, rng, rounds)
    return samples


def _writes(
    samples: Samples, contenders: Mapping[str, BaseStore], client: Any, rng: random.Random, rounds: int
) -> None:
    batches = max(4, rounds // 4)
    needed = len(contenders) * (5 * rounds + 1) + (len(contenders) + 1) * 100 * (batches + 1)
    fresh = iter([value(10_000_000 + i, rng) for i in range(needed)])  # made before the clock runs

    def put(store: BaseStore) -> None:
        each = next(fresh)
        store.put(scope(each["n"]), str(each["n"]), each)

    def put_many(store: BaseStore) -> None:
        store.batch([PutOp(scope(each["n"]), str(each["n"]), each) for each in islice(fresh, 100)])

    def raw_many() -> None:
        pipe = client.pipeline(transaction=False)
        many = [*islice(fresh, 100)]
        vectors = embed([each["text"] for each in many])
        times = dict.fromkeys((items.CREATED, items.UPDATED, items.SINCE, items.HAPPENED), 1_795_234_013_043_151)
        for each, vector in zip(many, vectors, strict=True):
            packed = np.array(vector, "f4").tobytes()
            hashed = items.hashes(scope(each["n"]), each, vectors=[packed], words=each["text"], more=times.items())
            pipe.hset(f"agentmem:default:item:raw:{each['n']}", mapping=hashed[0])
        pipe.execute()

    measure(samples, "put", {name: partial(put, store) for name, store in contenders.items()}, rounds, 5)
    together: dict[str, Action] = {name: partial(put_many, store) for name, store in contenders.items()}
    measure(samples, "batch put 100", together | {RAW: raw_many}, batches, 1)


def _reads(
    samples: Samples,
    contenders: Mapping[str, BaseStore],
    client: Any,
    ours: AgentMemoryStore,
    rng: random.Random,
    rounds: int,
) -> None:
    def get(store: BaseStore) -> None:
        n = rng.randrange(1000)
        assert store.get(scope(n), str(n))

    def filtered(store: BaseStore) -> None:
        store.search(scope(rng.randrange(SCOPES)), filter={"topic": f"t{rng.randrange(TOPICS)}"})

    def near(store: BaseStore) -> None:
        store.search(scope(rng.randrange(SCOPES)), query=" ".join(rng.choices(WORDS, k=4)))

    def raw_near() -> None:
        vector = np.array(embed([" ".join(rng.choices(WORDS, k=4))])[0], "f4").tobytes()
        query = f"(@n:{{{items.place('l', scope(rng.randrange(SCOPES)))}}})=>[KNN 10 @x $v AS d]"
        returned = ("RETURN", 4, "d", "v", "c", "u", "SORTBY", "d", "PARAMS", 2, "v", vector, "DIALECT", 2)
        client.execute_command("FT.SEARCH", ours.index.name, query, *returned)

    def every(action: Callable[[BaseStore], object]) -> dict[str, Action]:
        return {name: partial(action, store) for name, store in contenders.items()}

    measure(samples, "get", every(get), rounds, 10)
    measure(samples, "filter search in a scope", every(filtered), rounds, 5)
    measure(samples, "vector search in a scope", every(near) | {RAW: raw_near}, rounds, 5)
    measure(
        samples,
        "vector search in all",
        # RedisStore cannot search all.
        {name: partial(contenders[name].search, (), query="tennis") for name in (OURS, POSTGRES, MEMORY)},
        rounds,
        2,
    )


def _exactness(
    samples: Samples, contenders: Mapping[str, BaseStore], values: Sequence[dict[str, Any]], rng: random.Random
) -> None:
    """Of the items that a search should find, how many it misses."""
    for each in rng.sample(list(values), 20):
        where: dict[str, Any] = {"topic": each["topic"], "n": {"$lte": each["n"]}}
        true = [
            v
            for v in values
            if scope(v["n"]) == scope(each["n"]) and v["topic"] == each["topic"] and v["n"] <= each["n"]
        ]
        for name in (PEER, OURS):
            found = contenders[name].search(scope(each["n"]), filter=where, limit=5)
            share = len([1 for item in found if item.value in true]) / min(5, len(true))
            samples.add("missed by a filter of 2 tests, limit 5 (share)", name, 1 - share, "")


def measure_graph(size: int, queries: int) -> Samples:
    """HNSW beside FLAT over all items: time, and how many of the ten that are nearest it finds."""
    samples, rng = Samples(), random.Random(size)
    points = np.random.default_rng(size).normal(size=(size + queries, 64)).astype("f4")

    def embed_point(texts: Sequence[str]) -> list[list[float]]:
        return [points[int(text)].tolist() for text in texts]

    with EmbeddedServer.start() as server:
        index: Any = {"dims": 64, "embed": embed_point, "fields": ["text"]}
        graph: Any = {**index, "algorithm": "hnsw"}
        made = {
            "FLAT": AgentMemoryStore(server.url, index=index, prefix="flat"),
            "HNSW": AgentMemoryStore(server.url, index=graph, prefix="hnsw"),
        }
        for kind, store in made.items():
            for start in range(0, size, 500):
                batch = [PutOp(scope(i), str(i), {"text": str(i)}) for i in range(start, min(start + 500, size))]
                with samples.stopwatch(kind)("put one of 500"):
                    store.batch(batch)
        for i in rng.sample(range(size, size + queries), queries):
            found = {}
            for kind, store in made.items():
                with samples.stopwatch(kind)("vector search in all"):
                    found[kind] = {item.key for item in store.search((), query=str(i))}
            for kind in made:
                samples.add("recall@10", kind, len(found[kind] & found["FLAT"]) / 10, "")
        for store in made.values():
            store.close()
    return samples


def measure_isolation(searches: int) -> Samples:
    """Searches in random scopes with labels that look like queries; counts what came from another scope."""
    rng, samples = random.Random(3), Samples()
    labels = ["1", "10", "a", "a|b", "a:b", "{a}", "*", "%", "@n:{*}", "is the", "\u00e9", " ", "-"]
    where = list({tuple(rng.choices(labels, k=rng.randint(1, 3))) for _ in range(500)})
    with EmbeddedServer.start() as server:
        index: Any = {"dims": DIMS, "embed": embed, "fields": ["text"]}
        with AgentMemoryStore.from_conn_string(server.url, index=index) as store:
            store.batch([PutOp(place, "k", {"text": "note", "own": list(place)}) for place in where])
            foreign = 0
            for _ in range(searches // 100):
                asked = [SearchOp(rng.choice(where), query=rng.choice([None, "note"])) for _ in range(100)]
                for op, found in zip(asked, store.batch(asked), strict=True):
                    hits: Any = found
                    foreign += sum(
                        hit.value["own"][: len(op.namespace_prefix)] != [*op.namespace_prefix] for hit in hits
                    )
    samples.add(f"items of another scope in {searches:,} searches", OURS, foreign, "")
    return samples


def measure_bank(memories: int, scopes: int, rounds: int) -> Samples:
    """A recall against its own searches, and remembering against one search and one write."""
    samples, rng = Samples(), random.Random(7)
    index: Any = {"dims": DIMS, "embed": embed, "fields": ["text"]}
    with EmbeddedServer.start() as server, AgentMemoryStore.from_conn_string(server.url, index=index) as store:
        bank = MemoryBank(store)
        for user in range(scopes):
            said = [value(i, rng)["text"] for i in range(memories // scopes)]
            bank.remember([Memory(text=text, kind="note") for text in said], Scope(f"u{user}"))
        with redis.Redis.from_url(server.url, protocol=2) as client:
            _measure_recall(samples, bank, client, rng, scopes, rounds)
            _measure_remember(samples, bank, client, rng, scopes, rounds)
    return samples


def _measure_recall(
    samples: Samples, bank: MemoryBank, client: Any, rng: random.Random, scopes: int, rounds: int
) -> None:
    sent: dict[str, list[list[Any]]] = {RAW: [], KEYS: []}
    ask = ItemIndex.ask

    async def noted(index: ItemIndex, commands: Sequence[Any]) -> list[Any]:
        searches = [command for command in commands if command[0] == "FT.SEARCH"]
        sent[RAW].append(searches)
        sent[KEYS].append([_keys_alone(command) for command in searches])
        return await ask(index, commands)

    def question() -> tuple[str, Scope]:
        return f"What about the {' '.join(rng.choices(WORDS, k=3))}?", Scope(f"u{rng.randrange(scopes)}")

    for _ in range(20):
        bank.recall(*question())
    with patch.object(ItemIndex, "ask", noted), patch.object(pool, "_MOSTLY", 1.0):  # as one who knows no memory asks
        for _ in range(20):
            bank.recall(*question())

    def raw(commands: Sequence[list[Any]]) -> None:
        pipe = client.pipeline(transaction=False)
        for command in rng.choice(commands):
            pipe.execute_command(*command)
        pipe.execute()

    row = "recall (raw: its searches in one pipeline)"
    plain: dict[str, Action] = {name: partial(raw, commands) for name, commands in sent.items()}
    measure(samples, row, {**plain, "MemoryBank": lambda: bank.recall(*question())}, rounds, 3)


def _keys_alone(command: tuple[Any, ...]) -> tuple[Any, ...]:
    """A search that returns nothing but keys, and distances where it has some."""
    if "RETURN" not in command:
        return command
    at = command.index("RETURN")
    fields = [name for name in command[at + 2 : at + 2 + command[at + 1]] if name == search.DISTANCE]
    return (*command[: at + 1], len(fields), *fields, *command[at + 2 + command[at + 1] :])


def _measure_remember(
    samples: Samples, bank: MemoryBank, client: Any, rng: random.Random, scopes: int, rounds: int
) -> None:
    numbers = count(10_000_000)

    def remember() -> None:
        bank.remember(value(next(numbers), rng)["text"], Scope(f"u{rng.randrange(scopes)}"))

    def raw() -> None:
        text, path = value(next(numbers), rng)["text"], Scope(f"u{rng.randrange(scopes)}").path
        vector = np.array(embed([text])[0], "f4").tobytes()
        query = f"(@n:{{{items.place('e', path)}}})=>[KNN 8 @x $v AS d]"
        options = ("RETURN", 2, "d", "v", "SORTBY", "d", "PARAMS", 2, "v", vector, "DIALECT", 2)
        client.execute_command("FT.SEARCH", bank.store.index.name, query, *options)
        hashed = items.hashes(path, {"text": text}, vectors=[vector], words=text)[0]
        client.hset(f"{bank.store.keys.item(path, str(next(numbers)))}", mapping=hashed)

    measure(samples, "remember (raw: one search, one HSET)", {RAW: raw, "MemoryBank": remember}, rounds, 3)


def main() -> None:
    """Measure, print the tables, and say which targets were missed."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--quick", action="store_true", help="a few rounds, to see that it runs")
    options.add_argument("--sizes", type=int, nargs="+", default=[1000, 10_000, 100_000], help="items in a store")
    options.add_argument("--graph", type=int, default=20_000, help="items to compare HNSW with FLAT over; 0: none")
    options.add_argument(
        "--searches", type=int, default=100_000, help="random searches to look for leaks with; 0: none"
    )
    options.add_argument("--memories", type=int, default=6000, help="memories in the bank")
    options.add_argument("--scopes", type=int, default=1, help="scopes that share them")
    options.add_argument("--json", type=Path, help="write every number to this file")
    asked = options.parse_args()
    logging.disable(logging.WARNING)  # the peer tells of every index it makes
    rounds = 4 if asked.quick else 30
    results = [(f"{size:,} items", STORES, measure_stores(size, rounds)) for size in asked.sizes]
    if asked.graph:
        results.append((f"HNSW over {asked.graph:,} items", GRAPH, measure_graph(asked.graph, 20 * rounds)))
    if asked.searches:
        results.append(("isolation", ISOLATION, measure_isolation(asked.searches)))
    title = f"{asked.memories:,} memories in {asked.scopes} scopes"
    results.append((title, BANK, measure_bank(asked.memories, asked.scopes, rounds)))
    for title, report, samples in results:
        report.show(title, samples)
        if asked.json:
            samples.save(asked.json.with_stem(f"{asked.json.stem}-{title.replace(' ', '-')}"), {"title": title})


if __name__ == "__main__":
    main()
