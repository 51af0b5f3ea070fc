"""Relative dates made absolute: "tomorrow" means nothing a year later, so the day is written behind it.

They count from when something was SAID, and in the zone of who said it, never from the server's clock: a promotion may
run hours later, and elsewhere.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import MAXYEAR, date, datetime, timedelta

__all__ = ["grounded", "named_day", "read_time"]

_WEEKDAYS = "monday tuesday wednesday thursday friday saturday sunday".split()
_MONTHS = "january february march april may june july august september october november december".split()
_COUNTS = {"a": 1, "an": 1} | {
    word: n for n, word in enumerate("one two three four five six seven eight nine ten".split(), 1)
}
_DAYS = {
    "day before yesterday": -2,
    "yesterday": -1,
    "last night": -1,
    "today": 0,
    "tonight": 0,
    "this morning": 0,
    "this afternoon": 0,
    "this evening": 0,
    "day after tomorrow": 2,
    "tomorrow": 1,
}
_COUNT = rf"\d{{1,3}}|{'|'.join(_COUNTS)}"
_FIRST_YEAR = 1900  # what happened before it did not happen to a user
_UNIT = "day|week|month|year"
_NOT_DATED = r"(?!\s*\(\d)"
_AWAY = rf"(?:\b(?:(?P<count>{_COUNT})|couple of|few|several) (?P<unit>{_UNIT})s? (?P<way>from|after|before) )?\b"
"""What may stand before a day: "two weeks from tomorrow" is not tomorrow."""
_PATTERNS: list[tuple[re.Pattern[str], Callable[[re.Match[str], date], str | None]]]


def grounded(text: str, said: datetime) -> str:
    """A text with the date behind each relative one: `tomorrow` becomes `tomorrow (2025-05-02)`.

    Args:
        text: What was said; a date that is already there is left alone.
        said: When.
    """
    for pattern, meaning in _PATTERNS:
        text = pattern.sub(lambda match, meaning=meaning: _dated(match, meaning, said.date()), text)  # type: ignore[misc]
    return text


def named_day(text: str, said: datetime) -> datetime | None:
    """The first day that a text names, relative or as an ISO date, at midnight in the zone of `said`."""
    found = re.search(r"\((\d{4}(?:-\d\d){0,2})", grounded(text, said)) or re.search(r"\b(\d{4}-\d\d-\d\d)\b", text)
    return read_time(found[1], said) if found else None


def read_time(text: str | None, said: datetime) -> datetime | None:
    """A date or time as a model writes it: ISO 8601, also only a year or a month; None if it is neither.

    The first and the last years of the calendar are what is written where a date is not known.

    Args:
        text: What it wrote.
        said: Its zone is taken where the text names none.
    """
    if not text:
        return None
    filled = text.strip()
    if re.fullmatch(r"\d{4}(?:-\d\d)?", filled):
        filled = (filled + "-01-01")[:10]
    try:
        moment = datetime.fromisoformat(filled)
    except ValueError:
        return None
    known = _FIRST_YEAR <= moment.year < MAXYEAR
    return (moment if moment.tzinfo else moment.replace(tzinfo=said.tzinfo)) if known else None


def _dated(match: re.Match[str], meaning: Callable[[re.Match[str], date], str | None], today: date) -> str:
    try:
        when = meaning(match, today)
    except (OverflowError, ValueError):
        return match[0]
    return match[0] if when is None else f"{match[0]} ({when})"


def _day(match: re.Match[str], today: date) -> str | None:
    name = match["day"].lower()
    if name == "now" and match["way"] is None:
        return None
    return _away(match, today + timedelta(days=_DAYS.get(name, 0)))


def _weekday(match: re.Match[str], today: date) -> str | None:
    """The nearest such day on that side; "next Friday" is taken as that of the coming week, Monday to Sunday."""
    which, wanted = match["which"].lower(), _WEEKDAYS.index(match["day"].lower())
    if which == "last":
        days = -((today.weekday() - wanted) % 7 or 7)
    elif which == "next":
        days = 7 - today.weekday() + wanted
    else:
        days = (wanted - today.weekday()) % 7
    return _away(match, today + timedelta(days=days))


def _away(match: re.Match[str], day: date) -> str | None:
    """A day, or one that is some time away from it; None where that is not said in numbers."""
    if match["way"] is None:
        return str(day)
    if match["count"] is None:
        return None
    count = _number(match["count"])
    return _moved(day, match["unit"].lower(), -count if match["way"].lower() == "before" else count)


def _offset(match: re.Match[str], today: date) -> str | None:
    number, unit, ago = match[1] or match[3], (match[2] or match[4]).lower(), bool(match[4])
    return _moved(today, unit, -_number(number) if ago else _number(number))


def _number(text: str) -> int:
    return _COUNTS.get(text.lower()) or int(text)


def _span(match: re.Match[str], today: date) -> str | None:
    count = {"next": 1, "coming": 1, "this": 0, "last": -1, "past": -1, "previous": -1}[match[1].lower()]
    unit = match[2].lower()
    if unit == "weekend":
        saturday = today + timedelta(days=5 - today.weekday() + 7 * count)
        return f"{saturday} to {saturday + timedelta(days=1)}"
    if unit == "week":
        monday = today + timedelta(days=7 * count - today.weekday())
        return f"{monday} to {monday + timedelta(days=6)}"
    return _moved(today, unit, count)


def _month(match: re.Match[str], today: date) -> str | None:
    """The next such month, or the last one."""
    month = _MONTHS.index(match[2].lower()) + 1
    year = today.year + (month <= today.month) if match[1].lower() == "next" else today.year - (month >= today.month)
    return f"{year}-{month:02}"


def _moved(today: date, unit: str, count: int) -> str | None:
    if unit == "year":
        return f"{today.year + count:04}" if 1 <= today.year + count <= 9999 else None
    if unit == "month":
        year, month = divmod(today.year * 12 + today.month - 1 + count, 12)
        return f"{year:04}-{month + 1:02}" if 1 <= year <= 9999 else None
    return str(today + timedelta(days=count * (7 if unit == "week" else 1)))


_PATTERNS = [
    (re.compile(rf"{_AWAY}(?P<day>{'|'.join(_DAYS)}|now)\b{_NOT_DATED}", re.I), _day),
    (
        re.compile(
            rf"{_AWAY}(?P<which>last|next|this|on|coming) (?P<day>{'|'.join(_WEEKDAYS)})\b{_NOT_DATED}(?!,? \d)", re.I
        ),
        _weekday,
    ),
    (re.compile(rf"\b(last|next) ({'|'.join(_MONTHS)})\b{_NOT_DATED}", re.I), _month),
    (
        re.compile(
            rf"\bin ({_COUNT}) ({_UNIT})s?\b(?! (?:from|after|before)\b){_NOT_DATED}"
            rf"|\b({_COUNT}) ({_UNIT})s? ago\b{_NOT_DATED}",
            re.I,
        ),
        _offset,
    ),
    (re.compile(rf"\b(next|coming|this|last|past|previous) (weekend|week|month|year)\b{_NOT_DATED}", re.I), _span),
]
