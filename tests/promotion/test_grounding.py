"""Relative dates, counted from when something was said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.promotion.grounding import grounded, named_day, read_time
from tests.promotion.talks import NOON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("I fly tomorrow", "I fly tomorrow (2025-05-02)"),
        ("Yesterday we ate", "Yesterday (2025-04-30) we ate"),
        ("the day after tomorrow", "the day after tomorrow (2025-05-03)"),
        ("in two weeks", "in two weeks (2025-05-15)"),
        ("3 months ago", "3 months ago (2025-02)"),
        ("next month", "next month (2025-06)"),
        ("last year", "last year (2024)"),
        ("next Friday", "next Friday (2025-05-09)"),
        ("on Friday", "on Friday (2025-05-02)"),
        ("last Monday", "last Monday (2025-04-28)"),
        ("this weekend", "this weekend (2025-05-03 to 2025-05-04)"),
        ("next week", "next week (2025-05-05 to 2025-05-11)"),
        ("next March", "next March (2026-03)"),
        ("last May", "last May (2024-05)"),
        ("tomorrow (2025-05-02)", "tomorrow (2025-05-02)"),
        ("on 3 May 2025", "on 3 May 2025"),
        ("in 999 years", "in 999 years (3024)"),
        ("todays news", "todays news"),
        ("a week from tomorrow", "a week from tomorrow (2025-05-09)"),
        ("I leave in two weeks from today.", "I leave in two weeks from today (2025-05-15)."),
        ("2 days before tomorrow", "2 days before tomorrow (2025-04-30)"),
        ("a day after tomorrow", "a day after tomorrow (2025-05-03)"),
        ("a month from now", "a month from now (2025-06)"),
        ("a week from next Friday", "a week from next Friday (2025-05-16)"),
        ("a couple of weeks from tomorrow", "a couple of weeks from tomorrow"),
        ("away from tomorrow on", "away from tomorrow (2025-05-02) on"),
        ("not now", "not now"),
    ],
)
def test_dates_are_made_absolute(text: str, expected: str) -> None:
    assert grounded(text, NOON) == expected


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["tomorrow", "last year", "in 3 days", "100 years ago"]))
def test_any_moment_and_twice(moment: datetime, text: str) -> None:
    once = grounded(f"I go {text}", moment)
    assert grounded(once, moment) == once


def test_a_named_day() -> None:
    assert named_day("We leave in two weeks", NOON) == datetime(2025, 5, 15, tzinfo=UTC)
    assert named_day("We left on 2024-02-03", NOON) == datetime(2024, 2, 3, tzinfo=UTC)
    assert named_day("We leave some day", NOON) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2025-06-01", datetime(2025, 6, 1, tzinfo=UTC)),
        ("2025-06", datetime(2025, 6, 1, tzinfo=UTC)),
        ("2025", datetime(2025, 1, 1, tzinfo=UTC)),
        ("2025-06-01T10:00:00+02:00", datetime(2025, 6, 1, 10, tzinfo=timezone(timedelta(hours=2)))),
        ("1900-01-01", datetime(1900, 1, 1, tzinfo=UTC)),
        ("soon", None),
        ("0001-01-01T00:00:00+01:00", None),
        ("0001-01-01", None),
        ("0001", None),
        ("1899-12-31", None),
        ("9999-12-31T23:59:59-12:00", None),
        ("2025-13-45", None),
        ("", None),
        (None, None),
    ],
)
def test_a_time_as_models_write_it(text: str | None, expected: datetime | None) -> None:
    assert read_time(text, NOON) == expected
