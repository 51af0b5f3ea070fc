from __future__ import annotations

import random
import struct
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from langchain_agentmem.wire import search as module
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.gather import Gathering, Table, reading
from langchain_agentmem.wire.packing import packed
from langchain_agentmem.wire.search import DISTANCE, Query, Row, VectorField

WORDS = ("red", "blue", "car", "bike", "is", "a", "the")


def vector(*numbers: float) -> bytes:
    return struct.pack(f"<{len(numbers)}f", *numbers)


ASKED = Gathering(
    "i", Query(), Query(), "t", ("car", "red"), 1.0, "x", vector(1, 0), 1, ("v", "w"), ("u",), 99, measured=True
)


@pytest.fixture(params=[2, 3], ids=["RESP2", "RESP3"])
def redis(request: pytest.FixtureRequest, search: Connection, search_url: str) -> Iterator[Connection]:
    """A server with an index, in one of the two protocols."""
    fields: list[module.Command] = [("n", "TAG"), ("t", "TEXT", "NOSTEM"), ("z", "NUMERIC"), VectorField(2).schema("x")]
    run(search.send(module.create("i", "d:", fields)))
    with Connection(search_url, protocol=request.param) as connection:
        yield connection


def apart(redis: Connection, asked: Gathering) -> tuple[Table, list[int]]:
    """As on a cluster."""
    totals = [module.total(reply) for reply in run(redis.send(*asked.counts()))]
    rows = [row for reply in run(redis.send(*asked.searches(totals))) for row in module.rows(reply)]
    return Table.of(rows, (*asked.fields, *asked.more, asked.vectors)), totals


def rows_of(redis: Connection, asked: Gathering) -> tuple[list[Row], list[int]]:
    """What is found and counted; the two ways must agree."""
    table, totals = asked.read(run(redis.send(asked.call()))[0])
    rows = [table.row(at) for at in range(len(table.keys))]
    other, other_totals = apart(redis, asked)
    assert [other.row(at) for at in range(len(other.keys))] == rows
    assert other_totals == totals
    return rows, totals


def test_where_many_are_found_less_is_read_of_each(redis: Connection) -> None:
    run(redis.send(*(("HSET", f"d:{i}", "t", "red", "v", i, "u", 7, "x", vector(1, i)) for i in range(3))))
    asked = replace(ASKED, pool=5)
    for few, read in {3: b"7", 2: None}.items():
        table, _ = replace(asked, few=few).read(run(redis.send(replace(asked, few=few).call()))[0])
        assert sorted(table.columns["v"]) == [b"0", b"1", b"2"]
        assert table.columns.get("u", [None])[0] == read


def test_hashes_whose_keys_are_known(redis: Connection) -> None:
    run(redis.send(("HSET", "d:1", "v", "\u00e9", "w", ""), ("HSET", "d:2", "w", 7), ("HSET", "d:3", "x", 1)))
    for keys in ["d:1"], ["d:2", "nothing", "d:1", "d:3"]:
        table = Table.read(keys, ("v", "w"), run(redis.send(reading(keys, ("v", "w"))))[0])
        held = {"d:1": {"v": "\u00e9".encode()}, "d:2": {"w": b"7"}}
        assert [table.row(at) for at in range(len(keys))] == [Row(key, held.get(key, {})) for key in keys]


def test_each_hash_is_read_once_with_what_was_asked_of_it(redis: Connection) -> None:
    one, two = vector(1, 0), vector(0, 1)
    run(
        redis.send(
            ("HSET", "d:1", "t", "red car", "v", '{"a": "\u00e9\\n"}', "x", one),
            ("HSET", "d:2", "t", "red", "v", "2", "w", "", "x", two),
            ("HSET", "d:3", "t", "blue car", "u", "7"),
        )
    )
    rows, totals = rows_of(redis, replace(ASKED, pool=3))
    assert rows[0] == Row("d:1", {DISTANCE: b"0", "v": '{"a": "\u00e9\\n"}'.encode()})
    assert rows[1:] == [Row("d:2", {DISTANCE: b"1", "v": b"2"}), Row("d:3", {"u": b"7"})]
    assert rows_of(redis, replace(ASKED, words=("blue", "red")))[0][1:] == [Row("d:3", {"u": b"7"})]
    assert totals == [3, 2, 2]
    assert rows_of(redis, replace(ASKED, words=("blue", "green"), vector=None, measured=False)) == (
        [Row("d:3", {"u": b"7"})],
        [3, 1, 0],
    )
    assert rows_of(redis, replace(ASKED, words=("green",), vector=None)) == ([], [3, 0])
    assert rows_of(redis, replace(ASKED, words=(), vector=None)) == ([], [3])


def test_what_most_hold_finds_nothing_by_itself(redis: Connection) -> None:
    texts = ["anna cello", "anna", "anna tea", "anna tea", "bob cello"]
    run(redis.send(*(("HSET", f"d:{i}", "t", text, "v", text) for i, text in enumerate(texts))))

    def found(*words: str) -> list[str]:
        asked = replace(ASKED, words=words, vector=None, share=0.4, pool=10)
        return [row.fields["v"].decode() for row in rows_of(redis, asked)[0]]

    assert found("anna", "cello") == ["anna cello", "bob cello"]
    assert sorted(found("anna", "unknown")) == sorted(texts[:4])
    assert found("anna", "cello", "tea") == ["anna cello", "anna tea", "anna tea", "bob cello"]


def test_counts_that_are_known_are_not_made(redis: Connection) -> None:
    run(redis.send(("HSET", "d:1", "t", "red car", "v", "1"), ("HSET", "d:2", "t", "red", "v", "2")))
    known = {str(ASKED.counting()[0]): 9, str(ASKED.counting()[2]): 8}
    asked = replace(ASKED, vector=None, measured=False, share=0.3, pool=9, known=known.get)
    table, totals = asked.read(run(redis.send(asked.call()))[0])
    assert (totals, table.keys) == ([9, 1, 8], ["d:1"])


def test_vectors_of_any_bytes_come_whole(redis: Connection) -> None:
    vectors = {f"d:{i}": vector(0.0, float(i)) for i in range(50)}  # full of NULs
    run(redis.send(*(("HSET", key, "t", "red", "v", key, "x", value) for key, value in vectors.items())))
    rows, _ = rows_of(redis, replace(ASKED, vector=None, pool=50))
    assert {row.key: row.fields["x"] for row in rows} == vectors


def test_words_find_and_score_what_they_do_alone(search: Connection) -> None:
    """The union that stands beside the words changes no score, and leaves out only what holds none of them."""
    rng = random.Random(1)
    run(search.send(module.create("i", "d:", [("n", "TAG"), ("t", "TEXT", "NOSTEM"), ("z", "NUMERIC")])))
    texts = [" ".join(rng.choices(WORDS, k=rng.randint(1, 8))) for _ in range(300)]
    run(search.send(*(("HSET", f"d:{i}", "n", f"s{i % 3}", "t", text) for i, text in enumerate(texts))))
    for _ in range(20):
        words = rng.sample(WORDS, rng.randint(1, 4))
        finding = rng.sample(words, rng.randint(1, len(words)))
        scope = Query().tagged("n", f"s{rng.randrange(3)}").outside("z", high=1)
        plain = f"({' '.join(scope.pieces)} {' '.join(f'~@t:{word}' for word in words)})"
        ours = module.ranked("i", scope.favouring("t", words, finding), (), limit=300)
        found: list[Any] = run(search.send((*ours[:2], plain, *ours[3:])))[0][1:]
        holding = [key for key in found if not set(texts[int(key[2:])].split()).isdisjoint(finding)]
        assert run(search.send(ours))[0][1:] == holding


def test_values_are_packed_as_lua_reads_them(plain: Connection) -> None:
    value = packed(["a", 1, b"\xff\x00", ["", []], "\u00e9"])
    read = run(plain.send(("EVAL", "return cmsgpack.unpack(ARGV[1])", 0, value)))[0]
    assert read == [
        b"a",
        b"1",
        b"\xff\x00",
        [b"", []],
        "\u00e9".encode(),
    ]
