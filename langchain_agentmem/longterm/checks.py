"""What arguments must be. Said at the door, by their names, before anything is sent or changed."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from langchain_agentmem.errors import InvalidInputError

_MOST = 2**53  # what JSON and Lua hold exactly
_DEEPEST = 100  # lists and dicts in each other: what is read with recursion, by anybody, must not end at a value

_AHEAD = timedelta(seconds=10)  # that another machine's clock may be ahead


def text(name: str, given: Any) -> None:
    """A text, be it empty."""
    if not isinstance(given, str):
        raise InvalidInputError(f"{name}: a text, not {_told(given)}")


def name(what: str, given: Any) -> None:
    """A text that is not empty: an id, the name of a fact."""
    if not isinstance(given, str) or not given:
        raise InvalidInputError(f"{what}: a text that is not empty, not {_told(given)}")


def texts(name: str, given: Any) -> None:
    """Several texts, and not one, which would be taken for its letters."""
    if isinstance(given, str | bytes | Mapping) or not isinstance(given, Iterable):
        raise InvalidInputError(f"{name}: a list of texts, not {_told(given)}")
    if isinstance(given, list | tuple | set | frozenset):
        for each in given:
            if not isinstance(each, str):
                raise InvalidInputError(f"{name}: texts only, {_told(each)} is none")


def whole(name: str, given: Any, *, least: int = 0) -> None:
    """A whole number."""
    if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= _MOST:
        raise InvalidInputError(f"{name}: a whole number from {least} to {_MOST}, not {_told(given)}")


def share(name: str, given: Any) -> None:
    """A number from 0 to 1."""
    if not isinstance(given, int | float) or not 0 <= given <= 1:
        raise InvalidInputError(f"{name}: a number from 0 to 1, not {_told(given)}")


def seconds(name: str, given: Any) -> None:
    """A span of time."""
    if not isinstance(given, int | float) or isinstance(given, bool) or not 0 <= given < 1e11:
        raise InvalidInputError(f"{name}: seconds, as a number from 0, not {_told(given)}")


def moment(name: str, given: Any) -> None:
    """A time, or None."""
    if given is None:
        return
    if not isinstance(given, datetime):
        raise InvalidInputError(f"{name}: a datetime, not {_told(given)}")
    try:
        given.astimezone(UTC) if given.tzinfo else given.replace(tzinfo=UTC)
    except OverflowError as error:
        raise InvalidInputError(
            f"{name}: outside of the calendar once it is in UTC; leave it out for a time without end"
        ) from error


def is_to_come(given: datetime | None) -> bool:
    """Whether a time lies in the future, by more than clocks differ."""
    return given is not None and (given if given.tzinfo else given.replace(tzinfo=UTC)) > datetime.now(UTC) + _AHEAD


def begun(name: str, given: datetime | None, remedy: str) -> None:
    """A time that is not still to come, or None."""
    if is_to_come(given):
        raise InvalidInputError(f"{name}: it lies in the future; {remedy}")


def instance(name: str, given: Any, kind: type, example: str) -> None:
    """An object of a class of this package."""
    if not isinstance(given, kind):
        raise InvalidInputError(f"{name}: a {kind.__name__}, such as {example}, not {_told(given)}")


def mapping(name: str, given: Any) -> None:
    """Names and values, or None."""
    if given is not None and not isinstance(given, Mapping):
        raise InvalidInputError(f"{name}: a dict, not {_told(given)}")


def plain(name: str, given: Any) -> str:
    """What JSON can hold, in a form that everybody can read. Returns it as JSON."""
    try:
        written = json.dumps(given)
        if "NaN" in written or "Infinity" in written:  # most texts are not worth a second look
            json.dumps(given, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{name}: JSON cannot hold it ({error}); use plain dicts, lists, texts, finite numbers"
        ) from error
    level = [given]
    for _ in range(_DEEPEST + 1):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return written
    raise InvalidInputError(f"{name}: nested deeper than {_DEEPEST} lists or dicts; flatten it, or give it as a text")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list | tuple) else ()


def _told(given: Any) -> str:
    """What was given, short, and without what a user may have said in it."""
    if given is None or isinstance(given, int | float):
        return repr(given)
    return "an empty one" if isinstance(given, str) and not given else f"a {type(given).__name__}"
