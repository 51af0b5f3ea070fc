from __future__ import annotations

import pytest

from langchain_agentmem.longterm import counts as module
from langchain_agentmem.longterm.counts import Counts
from langchain_agentmem.wire.search import Query


def query(word: str) -> Query:
    return Query().worded("t", word)


def test_a_count_is_remembered_the_longer_the_larger_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    counts, names = Counts(), [query(name) for name in ("none", "few", "many", "never asked")]
    for name, total in zip(names, (0, 10, 100_000), strict=False):
        counts.note(name, total)
    assert [counts.known(name) for name in names] == [None, 10, 100_000, None]
    now += 4
    assert [counts.known(name) for name in names] == [None, None, 100_000, None]
    now += 297
    assert [counts.known(name) for name in names] == [None] * 4
    assert [counts.last(name) for name in names] == [None, 10, 100_000, None]
    counts.note(names[1], 0)  # none are left
    counts.note(names[2], 120_000)
    assert [counts.last(name) for name in names] == [None, None, 120_000, None]
    assert counts.known(names[2]) == 120_000


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    counts = Counts()
    for i in range(25):
        counts.note(query(str(i)), 5000)
    assert sum(counts.known(query(str(i))) is not None for i in range(25)) <= 10
    assert counts.known(query("24")) == 5000
