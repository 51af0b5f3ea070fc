"""Dates in a question become windows."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from langchain_agentmem.longterm.dates import DateWindow, date_windows

NOW = datetime(2024, 3, 6, 12, tzinfo=UTC)  # a Wednesday


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("What did she do in May 2023?", date(2023, 5, 1), date(2023, 5, 31)),
        ("in Feb 2024", date(2024, 2, 1), date(2024, 2, 29)),
        ("on 7 June 2023", date(2023, 6, 7), date(2023, 6, 7)),
        ("on the 7th of June, 2023", date(2023, 6, 7), date(2023, 6, 7)),
        ("June 7th, 2023", date(2023, 6, 7), date(2023, 6, 7)),
        ("2023-06-07", date(2023, 6, 7), date(2023, 6, 7)),
        ("2023-06", date(2023, 6, 1), date(2023, 6, 30)),
        ("back in 2022", date(2022, 1, 1), date(2022, 12, 31)),
        ("in the summer of 2022", date(2022, 6, 1), date(2022, 8, 31)),
        ("winter 2023", date(2022, 12, 1), date(2023, 2, 28)),
        ("yesterday", date(2024, 3, 5), date(2024, 3, 5)),
        ("last Tuesday", date(2024, 3, 5), date(2024, 3, 5)),
        ("on Wednesday", date(2024, 2, 28), date(2024, 2, 28)),
        ("last week", date(2024, 2, 26), date(2024, 3, 3)),
        ("this month", date(2024, 3, 1), date(2024, 3, 31)),
        ("last month", date(2024, 2, 1), date(2024, 2, 29)),
        ("last year", date(2023, 1, 1), date(2023, 12, 31)),
        ("last weekend", date(2024, 3, 2), date(2024, 3, 3)),
        ("two weeks ago", date(2024, 2, 18), date(2024, 2, 24)),
    ],
)
def test_a_span(text: str, start: date, end: date) -> None:
    (window,) = date_windows(text, NOW)
    assert (window.start, window.end) == (start, end)
    assert window.holds(start)
    assert window.holds(datetime.combine(end, datetime.max.time()))
    assert not window.holds(date(2021, 1, 1))


@pytest.mark.parametrize(
    "text", ["on fr\u0131day", "\u017funday", "in \u017fept 2021", "last w\u0131nter", "9" * 5000 + " days ago"]
)
def test_letters_that_only_look_like_ours_are_data(text: str) -> None:
    assert len(date_windows(text, NOW)) <= 1


def test_a_long_run_of_small_words_is_read_at_once() -> None:
    assert date_windows("the " * 25_000 + "in the summer", NOW)[0].months == (6, 7, 8)


def test_of_a_page_the_beginning_and_the_end_are_read() -> None:
    page = "Nothing of note happened then. " * 3_000
    windows = date_windows(f"What was in May 2023? {page} in March 1999 {page} And yesterday?", NOW)
    assert [window.phrase for window in windows] == ["May 2023", "yesterday"]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("in May", date(2019, 5, 3), date(2019, 6, 3)),
        ("on May 3rd", date(2019, 5, 3), date(2019, 5, 4)),
        ("on 3 march", date(2019, 3, 3), date(2019, 5, 3)),
        ("last summer", date(2019, 7, 1), date(2019, 9, 1)),
    ],
)
def test_without_a_year_it_recurs(text: str, inside: date, outside: date) -> None:
    (window,) = date_windows(text)
    assert window.holds(inside)
    assert not window.holds(outside)


@pytest.mark.parametrize(
    "text", ["may I ask", "they march on", "31 February 2023 ", "2023-13-01", "last week", "room 2023"]
)
def test_no_window(text: str) -> None:
    assert date_windows(text) == ()


def test_several_dates() -> None:
    assert date_windows("between May and July 2023") == (
        DateWindow("July 2023", date(2023, 7, 1), date(2023, 7, 31)),
        DateWindow("May", months=(5,)),
    )


@given(st.text())
def test_any_text_is_read(text: str) -> None:
    for window in date_windows(text, NOW):
        assert window.holds(NOW) in (True, False)
