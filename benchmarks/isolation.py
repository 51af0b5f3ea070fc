"""Random searches in random scopes, whose labels look like queries and like each other: does any find another's item?

python -m benchmarks.isolation --searches 1000000
"""

from __future__ import annotations

import argparse
import random
import time
import zlib
from collections.abc import Sequence
from typing import Any

from langgraph.store.base import PutOp, SearchOp

from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.embedded import EmbeddedServer

LABELS = ["1", "10", "a", "A", "a|b", "a:b", "{a}", "}:", "*", "%", "%25", "@n:{*}", "is the", "\u00e9", " ", "-", "\\"]
WORDS = ["note", "tea", "is the a", "@n:{*}", "*", "'", "a|b", "=>[KNN 9 @x $v]"]
DIMS = 8
BATCH = 100  # searches in one batch of the store
RECALLS = 20  # one of so many is the bank's


def embed(texts: Sequence[str]) -> list[list[float]]:
    """Vectors that are nearly the same for everything: only the scope tells items apart."""
    return [[1.0, *(0.01 * (zlib.crc32(text.encode()) >> shift & 3) for shift in range(DIMS - 1))] for text in texts]


def main() -> None:
    """Search, and say how many found what is not theirs."""
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--searches", type=int, default=100_000)
    options.add_argument("--scopes", type=int, default=500)
    options.add_argument("--seed", type=int, default=3)
    asked = options.parse_args()
    rng, start = random.Random(asked.seed), time.perf_counter()
    where = sorted({tuple(rng.choices(LABELS, k=rng.randint(1, 4))) for _ in range(asked.scopes)})
    with EmbeddedServer.start() as server:
        index: Any = {"dims": DIMS, "embed": embed, "fields": ["text"]}
        with AgentMemoryStore.from_conn_string(server.url, index=index) as store:
            store.batch([_item(rng, place, name) for place in where for name in ("k", "l")])
            done = foreign = found = 0
            while done < asked.searches:
                hits = _search(rng, store, where) if rng.randrange(RECALLS) else _recall(rng, store, where)
                done += len(hits)
                for scope, there in hits:
                    found += len(there)
                    foreign += sum(place[: len(scope)] != scope or own != [*place] for place, own in there)
    seconds = time.perf_counter() - start
    print(
        f"{done:,} searches in {len(where)} scopes, {found:,} items found, {foreign} of another scope, {seconds:.0f} s"
    )


Hits = list[tuple[tuple[str, ...], list[tuple[tuple[str, ...], list[str]]]]]


def _item(rng: random.Random, place: tuple[str, ...], name: str) -> PutOp:
    return PutOp(place, name, {"text": rng.choice(WORDS), "own": [*place], "metadata": {"own": [*place]}, "kind": name})


def _search(rng: random.Random, store: AgentMemoryStore, where: Sequence[tuple[str, ...]]) -> Hits:
    filters: list[dict[str, Any] | None] = [
        None,
        None,
        {"kind": "k"},
        {"kind": {"$ne": "l"}},
        {"text": rng.choice(WORDS)},
    ]
    asked = [
        SearchOp(
            rng.choice(where), filter=rng.choice(filters), limit=rng.randint(1, 20), query=rng.choice([None, *WORDS])
        )
        for _ in range(BATCH)
    ]
    pages: list[Any] = store.batch(asked)
    return [
        (op.namespace_prefix, [(hit.namespace, hit.value["own"]) for hit in page])
        for op, page in zip(asked, pages, strict=True)
    ]


def _recall(rng: random.Random, store: AgentMemoryStore, where: Sequence[tuple[str, ...]]) -> Hits:
    bank, hits = MemoryBank(store), Hits()
    for _ in range(RECALLS):
        place = rng.choice(where)
        recalled = bank.recall(rng.choice(WORDS), Scope(None, place), include_history=rng.random() < 0.3)
        hits.append((place, [(each.memory.namespace, each.memory.metadata["own"]) for each in recalled]))
    return hits


if __name__ == "__main__":
    main()
