from __future__ import annotations

import pytest

from langchain_agentmem.longterm import counts as module
from langchain_agentmem.longterm.counts import Counts


def test_a_count_is_remembered_the_longer_the_larger_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    counts = Counts()
    for name, total in {"none": 0, "few": 10, "many": 100_000}.items():
        counts.note(name, total)
    assert [counts.known(name) for name in ("none", "few", "many", "never asked")] == [None, 10, 100_000, None]
    now += 4
    assert (counts.known("few"), counts.known("many")) == (None, 100_000)
    now += 200
    counts.note("many", 100_000)  # what was told by itself is not news
    now += 97
    assert counts.known("many") is None
    counts.note("many", 120_000)
    assert counts.known("many") == 120_000


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    counts = Counts()
    for i in range(25):
        counts.note(str(i), 5000)
    assert sum(counts.known(str(i)) is not None for i in range(25)) <= 10
    assert counts.known("24") == 5000
