"""A checkpoint as stored bytes, and back."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from langgraph.checkpoint.base import writes_sort_key
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import (
    Log,
    Record,
    Row,
    is_log,
    join,
    load_rows,
    load_value,
    pack_typed,
    pack_version,
    split,
    unpack_typed,
    unpack_version,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
TYPED = st.tuples(st.text("abc+é", max_size=40), st.binary())
VERSIONS: Any = st.one_of(TEXT, st.integers(), st.floats(allow_nan=False))
CODEC = Codec(JsonPlusSerializer())


@given(st.lists(st.binary()))
def test_frames(parts: list[bytes]) -> None:
    assert [*split(join(*parts))] == parts


@given(st.lists(st.binary(min_size=1), min_size=1), st.data())
def test_frames_that_were_cut(parts: list[bytes], data: st.DataObject) -> None:
    """An error, never fewer frames; only a cut between two frames looks whole."""
    joined = join(*parts)
    ends = {len(join(*parts[:i])) for i in range(len(parts) + 1)}
    cut = data.draw(st.integers(1, len(joined) - 1).filter(lambda at: at not in ends))
    with pytest.raises(CorruptDataError):
        [*split(joined[:cut])]


@given(TYPED)
def test_typed(typed: tuple[str, bytes]) -> None:
    packed = pack_typed(typed)
    assert unpack_typed(packed) == typed
    assert not is_log(packed)


@given(VERSIONS, VERSIONS)
@example(-0.0, 0.0)
def test_versions(one: Any, other: Any) -> None:
    """Of any type they come back as they were, and no two that differ look alike."""
    for version in (one, other):
        found = unpack_version(pack_version(version))
        assert (type(found), found) == (type(version), version)
    same = type(one) is type(other) and one == other
    assert (pack_version(one) == pack_version(other)) == same


@given(
    st.builds(
        Record,
        parent=st.none() | TEXT.filter(bool),
        versions=st.dictionaries(TEXT, VERSIONS),
        body=TYPED,
        metadata=TYPED,
        run_id=TEXT,
        root_id=TEXT,
        delta_channels=st.lists(TEXT).map(tuple),
    )
)
def test_records(record: Record) -> None:
    """All that a reader wants comes back; the last three are for the server alone."""
    assert Record.unpack(record.pack())[:4] == record[:4]


ROWS = st.builds(
    Row, position=st.integers(-(2**31), 2**31 - 1), task_id=TEXT, path=TEXT, channel=TEXT, value=st.just(("null", b""))
)


@given(st.lists(ROWS))
def test_rows(rows: list[Row]) -> None:
    packed = [row.pack() for row in rows]
    assert [Row.unpack(body) for body in split(b"".join(packed))] == rows


@given(st.lists(ROWS), st.integers(0, 9))
def test_writes_are_loaded_in_order(rows: list[Row], cut: int) -> None:
    """Whatever fields they were stored in."""
    packed = [row.pack() for row in rows]
    found = load_rows([b"".join(packed[cut:]), b"".join(packed[:cut])], CODEC)
    expected = sorted(rows, key=lambda row: writes_sort_key(row.path, row.task_id, row.position))
    assert sorted(found, key=str) == sorted(((row.task_id, row.channel, None) for row in rows), key=str)
    assert [write[0] for write in found] == [row.task_id for row in expected]


def test_a_log() -> None:
    value = ["a" * 300, {"k": [1]}] * 20
    data = CODEC.dumps_typed(value)[1]
    stored = b"L" + (7).to_bytes(4, "big") + (len(data) - 3).to_bytes(4, "big") + (40).to_bytes(4, "big") + b"d" * 16
    assert is_log(stored)
    assert Log.of(stored) == (7, len(data) - 3, 40, b"d" * 16)
    assert load_value(stored, {7: data[3:] + b"of a later checkpoint"}, CODEC) == value
    for logs in ({}, {6: data[3:]}, {7: data[3:-1]}):
        with pytest.raises(CorruptDataError, match="shorter than its checkpoint says"):
            load_value(stored, logs, CODEC)
