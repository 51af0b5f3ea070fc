"""LangGraph's InMemoryStore as the oracle, over histories and searches that hypothesis makes up.

The two differ on purpose in a few points, which are left out of the comparison: the order of a listing (ours is
newest first), `created_at` after an update, tests on a missing entry or between types, and the paging of items that
have no vector.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.store.base import GetOp, ListNamespacesOp, MatchCondition, Op, PutOp, SearchOp
from langgraph.store.memory import InMemoryStore

from langchain_agentmem.longterm.store import AgentMemoryStore
from tests.longterm.conftest import INDEX

LABELS = st.sampled_from(["a", "b", "ab", "a:b", "é|*", "{a}", "%", "*"])
NAMESPACES = st.lists(LABELS, min_size=1, max_size=3).map(tuple)
KEYS = st.sampled_from(["1", "10", "k:", "ü", ""])
WORDS = st.sampled_from(["tea", "eat", "red car", "12 am", "zebra"])
VALUES = st.fixed_dictionaries(
    {"text": WORDS, "n": st.sampled_from([-1, 0, 0.5, 2, 10, 2**60]), "s": st.sampled_from(["x", "10", "9", "a|b"])},
    optional={"flag": st.booleans(), "in": st.fixed_dictionaries({"deep": st.sampled_from(["y", 1, None])})},
)
PUTS = st.builds(
    PutOp,
    NAMESPACES,
    KEYS,
    st.none() | VALUES,
    index=st.sampled_from([None, None, False, ["s"], ["text", "s"]]),
    ttl=st.none(),
)
ORDERED = st.dictionaries(
    st.sampled_from(["$gt", "$gte", "$lt", "$lte", "$eq", "$ne"]), st.sampled_from([-1, 0, 1, 2.0])
)
FILTERS = st.fixed_dictionaries(
    {},
    optional={
        "n": st.sampled_from([0, 0.0, 2, 2**60]) | ORDERED,
        "s": st.sampled_from(["x", "10", "a|b"]) | st.builds(lambda v: {"$ne": v}, st.sampled_from(["x", "10"])),
        "flag": st.booleans() | st.builds(lambda v: {"$ne": v}, st.booleans()),
        "in": st.builds(lambda v: {"deep": v}, st.sampled_from(["y", 1])),
    },
)
PREFIXES = st.lists(LABELS, max_size=2).map(tuple)
PATHS = st.lists(st.just("*") | LABELS, min_size=1, max_size=2).map(tuple)
LISTINGS = st.builds(
    ListNamespacesOp,
    st.none()
    | st.lists(st.builds(MatchCondition, st.sampled_from(["prefix", "suffix"]), PATHS), max_size=2).map(tuple),
    st.none() | st.integers(1, 3),
    st.integers(1, 5),
    st.integers(0, 3),
)


def facts(items: list[Any]) -> list[tuple[Any, ...]]:
    return sorted((item.namespace, item.key, repr(item.value)) for item in items)


def scores(items: list[Any]) -> list[float]:
    return [item.score for item in items if item.score is not None]


@pytest.fixture(scope="module", params=["search", "plain"])
def stores(request: pytest.FixtureRequest) -> Any:
    """Makes a pair of empty stores: ours and the oracle."""
    url = request.getfixturevalue(f"{request.param}_url")
    number = count()
    return lambda: (
        AgentMemoryStore(url, index=INDEX, prefix=f"{request.module.__name__}{next(number)}"),
        InMemoryStore(index=INDEX),
    )


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.lists(PUTS, min_size=1, max_size=6), min_size=1, max_size=4),
    st.lists(st.tuples(PREFIXES, FILTERS, st.none() | WORDS), min_size=1, max_size=6),
    st.lists(LISTINGS, max_size=4),
)
def test_the_store_answers_as_the_oracle(stores: Any, histories: Any, searches: Any, listings: Any) -> None:
    ours, oracle = stores()
    with ours:
        for ops in histories:
            ours.batch(ops)
            for op in ops:  # one by one: the oracle cannot embed a text twice in a batch, nor drop a path's vector
                oracle.batch([op._replace(value=None)])
                oracle.batch([op])
        reads: list[Op] = [SearchOp(prefix, where, 100, 0, query) for prefix, where, query in searches]
        gets: list[Op] = [GetOp(op.namespace, op.key) for ops in histories for op in ops]
        for op, mine, theirs in zip(reads, ours.batch(reads), oracle.batch(reads), strict=True):
            assert facts(mine) == facts(theirs), op
            if op.query:  # type: ignore[union-attr]
                assert scores(mine) == pytest.approx(scores(theirs), abs=1e-5)
                short = ours.search(op.namespace_prefix, filter=op.filter, query=op.query, limit=2)  # type: ignore[union-attr]
                assert scores(short) == pytest.approx(scores(theirs)[:2], abs=1e-5)
        assert [item and item.value for item in ours.batch(gets)] == [
            item and item.value for item in oracle.batch(gets)
        ]
        _forget_empty_namespaces(oracle)
        assert ours.batch(listings) == oracle.batch(listings)


def _forget_empty_namespaces(oracle: InMemoryStore) -> None:
    # The oracle also lists namespaces whose items are all deleted, or were only asked for.
    for namespace in [each for each, items in oracle._data.items() if not items]:
        del oracle._data[namespace]
