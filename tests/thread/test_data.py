from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from langchain_agentmem.thread.data import dump_leaf, field_of, leaves, load_data
from langchain_agentmem.thread.working import WorkingMemory
from langchain_agentmem.wire.connection import Connection

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:%.é", max_size=2), inner, max_size=3),
    max_leaves=8,
)
DATA = st.dictionaries(st.text("ab:%.é", max_size=2), JSON, max_size=4)


@given(DATA)
def test_leaves_round_trip(data: dict[str, Any]) -> None:
    fields = {field_of(path).encode(): dump_leaf(path, value) for path, value in leaves(data)}
    assert load_data({**fields, b"goal": b"g", b"t:1": b"turn"}) == data


def deep_merge(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for key, value in new.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = deep_merge(merged[key], value) if both else value
    return merged


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(["set", "merge"]), DATA), max_size=4))
def test_data_is_what_a_dict_would_be(plain_url: str, steps: list[tuple[str, dict[str, Any]]]) -> None:
    with Connection(plain_url) as connection:
        memory, oracle = WorkingMemory(connection, "oracle"), dict[str, Any]()
        memory.clear()
        for step, data in steps:
            getattr(memory, step)(data)
            oracle = {**oracle, **data} if step == "set" else deep_merge(oracle, data)
            assert memory.load().data == oracle
