"""Base-level activation and ageing."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.activation import DAY, activation, recency

NOW = 1_700_000_000.0


def test_one_access_a_day_ago_is_one_half() -> None:
    assert activation((NOW - DAY,), 1, NOW - DAY, NOW) == pytest.approx(0.5)


def test_the_sum_by_hand() -> None:
    total = 4**-0.5 + 9**-0.5
    value = activation((NOW - 9 * DAY, NOW - 4 * DAY), 2, NOW - 9 * DAY, NOW)
    assert value == pytest.approx(total / (1 + total))


def test_without_an_access_creation_counts() -> None:
    assert activation((), 0, NOW - 4 * DAY, NOW) == activation((NOW - 4 * DAY,), 1, NOW - 4 * DAY, NOW)


def test_the_compact_history_comes_near_the_full_one() -> None:
    full = [NOW - day * DAY for day in range(1, 101)]
    exact = activation(full, 100, full[-1], NOW)
    assert activation(full[:10], 100, full[-1], NOW) == pytest.approx(exact, abs=0.01)


def test_an_access_in_this_moment_or_the_future_stays_finite() -> None:
    assert 0.5 < activation((NOW, NOW + DAY), 2, NOW, NOW) < 1.0


@given(st.lists(st.floats(1, 1000), min_size=1, max_size=10), st.integers(0, 1000), st.floats(0.1, 0.9))
def test_activation_lies_between_0_and_1_and_falls_with_time(ages: list[float], count: int, decay: float) -> None:
    accesses = [NOW - age * DAY for age in ages]
    now, later = (activation(accesses, count, min(accesses), at, decay=decay) for at in (NOW, NOW + 10 * DAY))
    assert 0.0 < later < now < 1.0


def test_recency_halves() -> None:
    assert recency(NOW, NOW, 30) == 1.0
    assert recency(NOW - 30 * DAY, NOW, 30) == pytest.approx(0.5)
    assert recency(NOW - 60 * DAY, NOW, 30) == pytest.approx(0.25)
    assert recency(NOW + DAY, NOW, 30) == 1.0
    assert recency(NOW - 1000 * DAY, NOW, math.inf) == 1.0
