"""What is sent for a list that grew."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from xxhash import xxh3_128

from langchain_agentmem.thread.appends import MIN_LOG_BYTES, payload
from langchain_agentmem.thread.beliefs import End
from langchain_agentmem.thread.layout import Typed, pack_typed

SERDE = JsonPlusSerializer()
ITEMS = st.lists(st.text("ab", max_size=3).map(lambda text: text * 100), max_size=30)


def dump(value: object) -> Typed:
    return SERDE.dumps_typed(value)


def start_of(data: bytes) -> int:
    return 1 if data[0] & 0xF0 == 0x90 else 3


def read(sent: bytes, stored: bytes) -> bytes:
    """The items as the server has them after it took what was sent; `stored` are those it had."""
    if sent[:1] == b"N":
        _, digest = struct.unpack_from(">I16s", sent, 1)
        items = sent[21:]
    else:
        length, base, _, digest = struct.unpack_from(">I16sI16s", sent, 1)
        assert (length, base) == (len(stored), xxh3_128(stored).digest())
        items = stored + sent[41:]
    assert digest == xxh3_128(items).digest()
    return items


@given(ITEMS, ITEMS, st.integers(0, 30))
def test_the_server_can_always_rebuild_the_list(before: list[str], more: list[str], cut: int) -> None:
    """From a new list that continues the old one, or leaves it at any item."""
    first, after = dump(before)[1], dump([*before[:cut], *more])
    stored = first[start_of(first) :]
    known = End(len(stored), xxh3_128(stored).digest())
    for belief in (None, known):
        sent, end = payload(after, belief, may_log=True)
        if end is None:
            assert sent == pack_typed(after)
            assert len(after[1]) < MIN_LOG_BYTES
            continue
        items = read(sent, stored)
        assert items == after[1][start_of(after[1]) :]
        assert end == End(len(items), xxh3_128(items).digest())
        continues = belief is not None and items.startswith(stored)
        assert (sent[:1] == b"A") == continues
        count = struct.unpack_from(">I", sent, 21 if continues else 1)[0]
        assert count == len(before[:cut]) + len(more)


def test_only_what_is_new_is_sent() -> None:
    first = dump(["x" * 1000] * 200)[1]
    end = payload(("msgpack", first), None, may_log=True)[1]
    sent, _ = payload(dump([*["x" * 1000] * 200, "new"]), end, may_log=True)
    assert sent[41:] == b"\xa3new"


def test_what_stays_whole() -> None:
    """Short lists, other values, other serializers, and lists whose bytes nobody can take apart."""
    long = dump(["x" * 1000] * 9)
    for typed in (
        dump(["x"]),
        dump("x" * 9999),
        dump({"k": ["x" * 9999]}),
        ("pickle", long[1]),
        ("msgpack+aes", long[1]),
    ):
        assert payload(typed, None, may_log=True) == (pack_typed(typed), None)
    assert payload(long, None, may_log=False) == (pack_typed(long), None)


def test_a_wrong_belief_sends_the_whole_list() -> None:
    typed = dump(["x" * 1000] * 9)
    length = len(typed[1]) - 1
    for belief in (
        End(length, b"another digest.."),
        End(length + 1, xxh3_128(typed[1][1:]).digest()),
        End(5, bytes(16)),
    ):
        sent, end = payload(typed, belief, may_log=True)
        assert sent[:1] == b"N"
        assert end == End(length, xxh3_128(typed[1][1:]).digest())
