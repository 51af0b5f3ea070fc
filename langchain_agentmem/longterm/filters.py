"""Filters of a store search: what they mean, and which part of them the server can check by tag.

A filter is `{name: value}` for equality or `{name: {operator: value}}`, any number of names and operators, all
required. Numbers compare as numbers and texts as texts; a missing entry, or one of another type, matches only `$ne`.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeGuard

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks
from langchain_agentmem.longterm.items import facet

_MISSING = object()
_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "$gt": operator.gt,
    "$gte": operator.ge,
    "$lt": operator.lt,
    "$lte": operator.le,
}
_PLAIN = frozenset((str, int, float, bool))  # what most filters ask for: it is no test, and has no parts
_OPERATORS = ("$eq", "$ne", *_ORDER)


def check(wanted: Mapping[str, Any] | None) -> None:
    """Refuse a filter that nothing could be compared with.

    Raises:
        InvalidInputError: It is no dict, an operator is unknown, or a name is no text.
    """
    checks.mapping("filter", wanted)
    for name, each in (wanted or {}).items():
        if not isinstance(name, str):
            raise InvalidInputError(f"filter: the names in it are texts, {name!r} is none")
        if isinstance(each, Mapping):
            unknown = [test for test in each if test not in _OPERATORS] if _is_test(each) else []
            if unknown:
                raise InvalidInputError(f"filter: unknown operator {unknown[0]!r}; use one of {', '.join(_OPERATORS)}")
            if not _is_test(each):
                check(each)


def matches(value: Mapping[str, Any], wanted: Mapping[str, Any] | None) -> bool:
    """Whether a value passes a filter."""
    return not wanted or all(_passes(value.get(name, _MISSING), each) for name, each in wanted.items())


def facets_of(wanted: Mapping[str, Any] | None) -> Iterator[str]:
    """Tags that every value which passes has: what the server can check. What passes them must still pass `matches`."""
    for name, each in (wanted or {}).items():
        if _is_mapping(each) and not _is_test(each):
            asked: list[tuple[tuple[str, ...], Any]] = [((name, inner), value) for inner, value in each.items()]
        else:
            asked = [((name,), each)]
        for path, value in asked:
            equal = value.get("$eq", _MISSING) if _is_test(value) else value
            tag = None if equal is _MISSING else facet(path, equal)
            if tag:
                yield tag


def is_covered(wanted: Mapping[str, Any] | None) -> bool:
    """Whether the tags alone decide, so that the server's LIMIT counts what passes."""
    if not wanted:
        return True
    simple = all(not _is_mapping(each) or list(each) == ["$eq"] for each in wanted.values())
    return simple and sum(1 for _ in facets_of(wanted)) == len(wanted)


def _is_mapping(wanted: Any) -> TypeGuard[Mapping[Any, Any]]:
    """Whether it has parts by name. To ask plain values for their type is much quicker than to ask the class."""
    return type(wanted) not in _PLAIN and isinstance(wanted, Mapping)


def _is_test(wanted: Any) -> bool:
    return _is_mapping(wanted) and any(isinstance(name, str) and name.startswith("$") for name in wanted)


def _passes(value: Any, wanted: Any) -> bool:
    if type(wanted) in _PLAIN:
        return bool(value == wanted)
    if _is_test(wanted):
        return all(_holds(value, name, each) for name, each in wanted.items())
    if value is _MISSING:
        return False
    if isinstance(wanted, Mapping):
        return isinstance(value, Mapping) and all(
            _passes(value.get(name, _MISSING), each) for name, each in wanted.items()
        )
    if isinstance(wanted, list | tuple):
        same = isinstance(value, list | tuple) and len(value) == len(wanted)
        return same and all(_passes(one, other) for one, other in zip(value, wanted, strict=True))
    return bool(value == wanted)


def _holds(value: Any, name: str, wanted: Any) -> bool:
    if name == "$ne":
        return bool(value is _MISSING or value != wanted)
    if name == "$eq":
        return bool(value is not _MISSING and value == wanted)
    comparable = isinstance(value, int | float) and isinstance(wanted, int | float)
    if comparable or (isinstance(value, str) and isinstance(wanted, str)):
        return _ORDER[name](value, wanted)
    return False
