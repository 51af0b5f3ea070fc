"""Copies of loaded messages: two thirds of the cost of loading the same bytes once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_agentmem.thread.codec import make_message

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_COPIED = frozenset({HumanMessage, SystemMessage, AIMessage, ToolMessage})


class _NotPlainError(Exception):
    """Something that is not surely copied when its parts are."""


def copy_messages(messages: Iterable[Any]) -> list[BaseMessage] | None:
    """Messages equal to these that share nothing mutable with them; None where one holds more than plain values."""
    try:
        return [_copy_message(message) for message in messages]
    except _NotPlainError:
        return None


def _copy_message(message: Any) -> BaseMessage:
    cls: type[BaseMessage] = type(message)
    fields = message.__dict__ if cls in _COPIED else {}
    # `make_message` gives back what a constructor makes that was given every field, and no others.
    if not fields or message.__pydantic_extra__ != {} or len(message.__pydantic_fields_set__) != len(fields):
        raise _NotPlainError
    # Every field: loading does not validate, so that even a name or an id may be a list.
    return make_message(
        cls, {name: value if type(value) in _PLAIN else _copy_value(value) for name, value in fields.items()}
    )


def _copy_value(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copy_value(part) for key, part in value.items()} if value else {}
    if kind is list:
        return [_copy_value(part) for part in value] if value else []
    if kind in _PLAIN:
        return value
    raise _NotPlainError
