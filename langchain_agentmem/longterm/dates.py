"""Dates that a question names, as windows of time: "in May", "on 7 June 2023", "last week", "yesterday".

A window may leave its year open ("in May"), so it is asked whether it holds a moment, not for its ends. Pure
functions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import TypeAlias

from langchain_agentmem.longterm.text import ends

__all__ = ["DateWindow", "date_windows"]

_MONTH = (
    "jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?"
    "|aug(?:ust)?|sept?(?:ember)?|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?"
)
_MONTH_NUMBER = {name: n for n, name in enumerate("jan feb mar apr may jun jul aug sep oct nov dec".split(), 1)}
_WEEKDAY = {name: n for n, name in enumerate("monday tuesday wednesday thursday friday saturday sunday".split())}
_SEASON = {"spring": (3, 4, 5), "summer": (6, 7, 8), "autumn": (9, 10, 11), "fall": (9, 10, 11), "winter": (12, 1, 2)}
_COUNT = {"a": 1, "an": 1} | {w: n for n, w in enumerate("one two three four five six seven eight nine ten".split(), 1)}
_FOLDED = str.maketrans("\u0131\u017f", "is")  # what IGNORECASE takes for "i" and "s", and no table here knows
_DAYS = {"day": 1, "week": 7, "month": 30, "year": 365}

_ISO = re.compile(r"\b((?:19|20)\d\d)-(\d\d)(?:-(\d\d))?\b")
_DAY_FIRST = re.compile(rf"\b(\d{{1,2}})(?:st|nd|rd|th)?(?: of)? ({_MONTH})\b\.?(?:,? ((?:19|20)\d\d))?", re.I)
_MONTH_FIRST = re.compile(rf"\b({_MONTH})\b\.? (\d{{1,2}})(?:st|nd|rd|th)?\b(?!\d)(?:,? ((?:19|20)\d\d))?", re.I)
_MONTH_YEAR = re.compile(rf"\b({_MONTH})\b\.?,? ?((?:19|20)\d\d)", re.I)
# Alone, "may" and "march" are months only when written so: "In May", not "may I" or "they march".
_MONTH_ALONE = re.compile(rf"\b(?!(?:may|march|mar)\b)((?i:{_MONTH}))\b|\b(May|March)\b")
_YEAR = re.compile(r"\b(?:in|of|during|since|back in|for) ((?:19|20)\d\d)\b", re.I)
_SEASON_YEAR = re.compile(r"\b(spring|summer|autumn|fall|winter) (?:of )?((?:19|20)\d\d)\b", re.I)
_SEASON_ALONE = re.compile(r"\b(?:(?:last|this|in|the|during|over) ){1,3}(spring|summer|autumn|fall|winter)\b", re.I)
_AGO = re.compile(
    r"\b(\d{1,5}|an?|one|two|three|four|five|six|seven|eight|nine|ten) (day|week|month|year)s? ago\b", re.I
)
_SPAN = re.compile(r"\b(last|past|this|previous) (week|month|year|weekend)\b", re.I)
_DAY_WORD = re.compile(r"\b(today|tonight|yesterday|last night|day before yesterday)\b", re.I)
_LAST_WEEKDAY = re.compile(
    r"\b(?:last|on|this|past) (monday|tuesday|wednesday|thursday|friday|saturday|sunday)\b", re.I
)


@dataclass(frozen=True, slots=True)
class DateWindow:
    """A span of days that a phrase names.

    Attributes:
        phrase: The words of the question.
        start: First day, or None when the window recurs every year.
        end: Last day, inclusive.
        months: Without start and end: the months meant, in any year.
        day: With months: the day of the month, or None for all of it.
    """

    phrase: str
    start: date | None = None
    end: date | None = None
    months: tuple[int, ...] = ()
    day: int | None = None

    def holds(self, moment: datetime | date) -> bool:
        """Says whether a moment lies inside the window."""
        day = moment.date() if isinstance(moment, datetime) else moment
        if self.start is not None and self.end is not None:
            return self.start <= day <= self.end
        return day.month in self.months and self.day in (None, day.day)


_Read: TypeAlias = Callable[[re.Match[str]], DateWindow | None]


def date_windows(text: str, now: datetime | None = None) -> tuple[DateWindow, ...]:
    """Finds the dates that a text names.

    Args:
        text: A question, for instance "What did Anna do in May 2023?".
        now: The moment from which "last week" and "yesterday" count; without it such phrases are skipped.

    Returns:
        One window a phrase, absolute dates first. Impossible dates such as 31 February are skipped, and of a long text
        all that stands neither at its beginning nor at its end.
    """
    found: list[DateWindow] = []
    rest = ends(text, " ; ").translate(_FOLDED)
    for pattern, read in _ABSOLUTE:
        rest = _without(rest, pattern, read, found)
    if now is not None:
        found += _relative(rest, now.date())
    return tuple(found)


def _without(text: str, pattern: re.Pattern[str], read: _Read, found: list[DateWindow]) -> str:
    """A text without the dates of one form, which are added to those found. One pass."""

    def take(match: re.Match[str]) -> str:
        if (window := read(match)) is not None:
            found.append(window)
        return " ; "

    return pattern.sub(take, text)


def _number(month: str) -> int:
    return _MONTH_NUMBER[month[:3].lower()]


def _dated(phrase: str, year: str | None, month: int, day: int | None) -> DateWindow | None:
    """A window of one day or one month; of every year when the year is open."""
    if day is not None and not 1 <= day <= 31:
        return None
    if year is None:
        return DateWindow(phrase, months=(month,), day=day)
    try:
        start = date(int(year), month, day or 1)
    except ValueError:
        return None
    return DateWindow(phrase, start, start if day else _month_end(start))


def _month_end(first: date) -> date:
    return (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)


def _read_iso(match: re.Match[str]) -> DateWindow | None:
    year, month, day = match[1], int(match[2]), match[3]
    return _dated(match[0], year, month, int(day) if day else None) if 1 <= month <= 12 else None


def _read_season(match: re.Match[str]) -> DateWindow:
    months = _SEASON[match[1].lower()]
    first = date(int(match[2]) - (months[0] == 12), months[0], 1)
    return DateWindow(match[0], first, _month_end(date(int(match[2]), months[-1], 1)))


_ABSOLUTE = (
    (_ISO, _read_iso),
    (_DAY_FIRST, lambda m: _dated(m[0], m[3], _number(m[2]), int(m[1]))),
    (_MONTH_YEAR, lambda m: _dated(m[0], m[2], _number(m[1]), None)),
    (_MONTH_FIRST, lambda m: _dated(m[0], m[3], _number(m[1]), int(m[2]))),
    (_SEASON_YEAR, _read_season),
    (_SEASON_ALONE, lambda m: DateWindow(m[0], months=_SEASON[m[1].lower()])),
    (_MONTH_ALONE, lambda m: _dated(m[0], None, _number(m[1] or m[2]), None)),
    (_YEAR, lambda m: DateWindow(m[0], date(int(m[1]), 1, 1), date(int(m[1]), 12, 31))),
)


def _relative(text: str, today: date) -> Iterator[DateWindow]:
    """Windows that count back from today; "ago" is meant loosely, so it spans half a unit on either side."""
    for match in _DAY_WORD.finditer(text):
        back = {"yesterday": 1, "last night": 1, "day before yesterday": 2}.get(match[1].lower(), 0)
        yield _days(match[0], today - timedelta(days=back), 0)
    for match in _LAST_WEEKDAY.finditer(text):
        back = (today.weekday() - _WEEKDAY[match[1].lower()]) % 7 or 7
        yield _days(match[0], today - timedelta(days=back), 0)
    for match in _AGO.finditer(text):
        unit = _DAYS[match[2].lower()]
        count = _COUNT.get(match[1].lower()) or int(match[1])
        if count * unit < 36_500:
            yield _days(match[0], today - timedelta(days=count * unit), unit // 2)
    for match in _SPAN.finditer(text):
        yield _span(match[0], match[1].lower(), match[2].lower(), today)


def _days(phrase: str, middle: date, slack: int) -> DateWindow:
    return DateWindow(phrase, middle - timedelta(days=slack), middle + timedelta(days=slack))


def _span(phrase: str, which: str, unit: str, today: date) -> DateWindow:
    """Spans such as "this month" and "last week", by the calendar."""
    monday = today - timedelta(days=today.weekday())
    this = which == "this"
    if unit == "year":
        year = today.year - (not this)
        return DateWindow(phrase, date(year, 1, 1), date(year, 12, 31))
    if unit == "month":
        first = today.replace(day=1) if this else (today.replace(day=1) - timedelta(days=1)).replace(day=1)
        return DateWindow(phrase, first, _month_end(first))
    if unit == "weekend":
        saturday = monday + timedelta(days=5 if this or today.weekday() > 5 else -2)
        return DateWindow(phrase, saturday, saturday + timedelta(days=1))
    start = monday if this else monday - timedelta(days=7)
    return DateWindow(phrase, start, start + timedelta(days=6))
