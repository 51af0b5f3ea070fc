"""Relative dates made absolute: "tomorrow" means nothing a year later, so the day is written behind it.

They count from when something was SAID, never from the server's clock: a promotion may run hours later.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, timedelta

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
_UNIT = "day|week|month|year"
_NOT_DATED = r"(?!\s*\(\d)"
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
    return moment if moment.tzinfo else moment.replace(tzinfo=said.tzinfo)


def _dated(match: re.Match[str], meaning: Callable[[re.Match[str], date], str | None], today: date) -> str:
    try:
        when = meaning(match, today)
    except (OverflowError, ValueError):
        return match[0]
    return match[0] if when is None else f"{match[0]} ({when})"


def _day(match: re.Match[str], today: date) -> str:
    return str(today + timedelta(days=_DAYS[match[1].lower()]))


def _weekday(match: re.Match[str], today: date) -> str | None:
    """The nearest such day on that side; "next Friday" is taken as that of the coming week, Monday to Sunday."""
    which, wanted = match[1].lower(), _WEEKDAYS.index(match[2].lower())
    if which == "last":
        return str(today - timedelta(days=(today.weekday() - wanted) % 7 or 7))
    if which == "next":
        return str(today + timedelta(days=7 - today.weekday() + wanted))
    return str(today + timedelta(days=(wanted - today.weekday()) % 7))


def _offset(match: re.Match[str], today: date) -> str | None:
    number, unit, ago = match[1] or match[3], (match[2] or match[4]).lower(), bool(match[4])
    count = (_COUNTS.get(number.lower()) or int(number)) * (-1 if ago else 1)
    return _moved(today, unit, count)


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
    (re.compile(rf"\b({'|'.join(_DAYS)})\b{_NOT_DATED}", re.I), _day),
    (re.compile(rf"\b(last|next|this|on|coming) ({'|'.join(_WEEKDAYS)})\b{_NOT_DATED}(?!,? \d)", re.I), _weekday),
    (re.compile(rf"\b(last|next) ({'|'.join(_MONTHS)})\b{_NOT_DATED}", re.I), _month),
    (
        re.compile(
            rf"\bin ({_COUNT}) ({_UNIT})s?\b{_NOT_DATED}|\b({_COUNT}) ({_UNIT})s? ago\b{_NOT_DATED}",
            re.I,
        ),
        _offset,
    ),
    (re.compile(rf"\b(next|coming|this|last|past|previous) (weekend|week|month|year)\b{_NOT_DATED}", re.I), _span),
]
