from __future__ import annotations

import pytest

from langchain_agentmem.longterm import counts as module
from langchain_agentmem.longterm.counts import Counts


def test_only_large_counts_are_remembered_and_not_for_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    counts = Counts()
    counts.note("few", 999)
    counts.note("many", 1000)
    assert (counts.known("few"), counts.known("many"), counts.known("never asked")) == (None, 1000, None)
    now += 200
    counts.note("many", 1000)  # what was told by itself is not news
    now += 101
    assert counts.known("many") is None
    counts.note("many", 1200)
    assert counts.known("many") == 1200


def test_what_is_remembered_stays_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST", 10)
    counts = Counts()
    for i in range(25):
        counts.note(str(i), 5000)
    assert sum(counts.known(str(i)) is not None for i in range(25)) <= 10
    assert counts.known("24") == 5000
