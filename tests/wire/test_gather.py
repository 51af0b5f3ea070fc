from __future__ import annotations

import random
import struct
from collections.abc import Iterator, Sequence

import pytest

from langchain_agentmem.wire import search as module
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.gather import gather, gathered
from langchain_agentmem.wire.packing import packed
from langchain_agentmem.wire.search import DISTANCE, Query, Row, VectorField

WORDS = ("red", "blue", "car", "bike", "is", "a", "the")


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def redis(request: pytest.FixtureRequest, search: Connection, search_url: str) -> Iterator[Connection]:
    """A server with an index, in one of the two protocols."""
    fields: list[module.Command] = [("t", "TEXT", "NOSTEM"), VectorField(2).schema("x")]
    run(search.send(module.create("i", "d:", fields)))
    with Connection(search_url, protocol=request.param) as connection:
        yield connection


def near(k: int) -> module.Command:
    return module.nearest("i", Query(), (), vector=vector(1, 0), name="x", k=k)


def worded(words: Sequence[str], limit: int = 10) -> module.Command:
    return module.ranked("i", Query().favouring("t", words), (), limit=limit)


def test_each_hash_is_read_once_with_what_was_asked_of_it(redis: Connection) -> None:
    one, two = vector(1, 0), vector(0, 1)
    run(
        redis.send(
            ("HSET", "d:1", "t", "red car", "v", '{"a": "\u00e9\\n"}', "x", one),
            ("HSET", "d:2", "t", "red", "v", "2", "w", "", "x", two),
            ("HSET", "d:3", "t", "blue car", "u", "7"),
        )
    )
    count = module.count("i", Query().worded("t", "car"))
    call = gather([near(1), worded(["car", "red"])], [count, module.count("i", Query())], ("v", "w", "u"), "x")
    rows, totals = gathered(run(redis.send(call))[0], ("v", "w", "u"), "x")
    assert rows[0] == Row("d:1", {DISTANCE: b"0", "v": '{"a": "\u00e9\\n"}'.encode()})
    assert sorted(rows[1:], key=lambda row: row.key) == [Row("d:2", {"v": b"2", "x": two}), Row("d:3", {"u": b"7"})]
    assert totals == [2, 3]
    rows, totals = gathered(run(redis.send(gather([worded(["blue"])], [], ("u",))))[0], ("u",))
    assert (rows, totals) == ([Row("d:3", {"u": b"7"})], [])
    assert gathered(run(redis.send(gather([], [], ("u",))))[0], ("u",)) == ([], [])


def test_vectors_of_any_bytes_come_whole(redis: Connection) -> None:
    vectors = {f"d:{i}": vector(0.0, float(i)) for i in range(50)}  # full of NULs
    run(redis.send(*(("HSET", key, "t", "red", "v", key, "x", value) for key, value in vectors.items())))
    rows, _ = gathered(run(redis.send(gather([worded(["red"], 50)], [], ("v",), "x")))[0], ("v",), "x")
    assert {row.key: row.fields["x"] for row in rows} == vectors


def test_words_find_and_score_what_they_do_alone(search: Connection) -> None:
    """The union that stands beside the words changes no score, and leaves out only what holds none of them."""
    rng = random.Random(1)
    run(search.send(module.create("i", "d:", [("n", "TAG"), ("t", "TEXT", "NOSTEM"), ("z", "NUMERIC")])))
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 8))) for _ in range(300)]
    run(search.send(*(("HSET", f"d:{i}", "n", f"s{i % 3}", "t", text) for i, text in enumerate(texts))))
    for _ in range(20):
        words = rng.sample(WORDS, rng.randint(1, 4))
        scope = Query().tagged("n", f"s{rng.randrange(3)}").outside("z", high=1)
        plain = f"({' '.join(scope.pieces)} {' '.join(f'~@t:{word}' for word in words)})"
        ours = module.ranked("i", scope.favouring("t", words), (), limit=300)
        alone = (*ours[:2], plain, *ours[3:])
        expected = [
            key for key in run(search.send(alone))[0][1:] if not set(texts[int(key[2:])].split()).isdisjoint(words)
        ]
        assert run(search.send(ours))[0][1:] == expected


def test_values_are_packed_as_lua_reads_them(plain: Connection) -> None:
    value = ["a", 1, b"\xff\x00", ["", []], "\u00e9"]
    code = "return cmsgpack.unpack(ARGV[1])"
    assert run(plain.send(("EVAL", code, 0, packed(value))))[0] == [
        b"a",
        b"1",
        b"\xff\x00",
        [b"", []],
        "\u00e9".encode(),
    ]
