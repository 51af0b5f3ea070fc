"""Which namespaces a listing asks for. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langgraph.store.base import ListNamespacesOp, MatchCondition

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks
from langchain_agentmem.longterm.items import Namespace


def read(name: str, given: Any) -> Namespace:
    """A namespace, which may be given as a list.

    Raises:
        InvalidInputError: It is one text, which would be taken for its letters, or no sequence.
    """
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInputError(f"{name}: a tuple of labels, such as ('memories', 'ada'), not a {type(given).__name__}")
    return tuple(given)


def check(op: ListNamespacesOp) -> None:
    """Refuse a listing that nothing could match.

    Raises:
        InvalidInputError: A condition is of an unknown type, or a number is none.
    """
    checks.whole("limit", op.limit)
    checks.whole("offset", op.offset)
    if op.max_depth is not None:
        checks.whole("max_depth", op.max_depth)
    for condition in op.match_conditions or ():
        if condition.match_type not in ("prefix", "suffix"):
            raise InvalidInputError(f"match_conditions: {condition.match_type!r} is neither 'prefix' nor 'suffix'")


def listed(op: ListNamespacesOp, namespaces: Iterable[Namespace]) -> list[Namespace]:
    """The page of a listing: what meets every condition, cut to the depth asked for, distinct, sorted."""
    found = (each for each in namespaces if all(_meets(each, condition) for condition in op.match_conditions or ()))
    cut = {each[: op.max_depth] for each in found}
    return sorted(cut)[op.offset : op.offset + op.limit]


def _meets(namespace: Namespace, condition: MatchCondition) -> bool:
    path = condition.path
    if len(namespace) < len(path):
        return False
    labels = namespace[: len(path)] if condition.match_type == "prefix" else namespace[len(namespace) - len(path) :]
    return all(step in ("*", label) for step, label in zip(path, labels, strict=True))
