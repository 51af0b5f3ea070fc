"""Counts of changes: none is missed, whoever makes it, and they take no more room with time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from langchain_agentmem.wire.changes import Changes


def test_a_change_is_one_of_all_names_above() -> None:
    changes = Changes()
    before = {name: changes.count(name) for name in [("a",), ("a", "b"), ("a", "b", "c"), ("x",)]}
    changes.note(("a", "b"))
    after = {name: changes.count(name) - count for name, count in before.items()}
    assert after == {("a",): 1, ("a", "b"): 1, ("a", "b", "c"): 0, ("x",): 0}


def test_none_is_lost_between_threads_and_names_take_no_room() -> None:
    changes = Changes()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: changes.note(("all", str(number))), range(20_000)))
    assert changes.count(("all",)) >= 20_000
    assert len(changes._counts) == 1_024
