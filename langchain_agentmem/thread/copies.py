"""Copies of loaded messages: two thirds of the cost of loading the same bytes once more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage

from langchain_agentmem.thread.codec import make_message

_PLAIN = frozenset({str, int, float, bool, bytes, type(None)})
_SOMETIMES_MUTABLE = ("content", "additional_kwargs", "response_metadata", "id")
# The fields that may hold something mutable; validation leaves all others text or None. Ids are assigned without it.
_MUTABLE: dict[type, tuple[str, ...]] = {
    HumanMessage: _SOMETIMES_MUTABLE,
    SystemMessage: _SOMETIMES_MUTABLE,
    AIMessage: (*_SOMETIMES_MUTABLE, "tool_calls", "invalid_tool_calls", "usage_metadata"),
    ToolMessage: (*_SOMETIMES_MUTABLE, "artifact"),
}


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
    fields = message.__dict__ if cls in _MUTABLE else {}
    # `make_message` gives back what a constructor makes that was given every field, and no others.
    if not fields or message.__pydantic_extra__ != {} or len(message.__pydantic_fields_set__) != len(fields):
        raise _NotPlainError
    copied = fields.copy()
    for name in _MUTABLE[cls]:
        if type(value := copied.get(name)) not in _PLAIN:
            copied[name] = _copy_value(value)
    return make_message(cls, copied)


def _copy_value(value: Any) -> Any:
    kind = type(value)
    if kind is dict:
        return {key: _copy_value(part) for key, part in value.items()} if value else {}
    if kind is list:
        return [_copy_value(part) for part in value] if value else []
    if kind in _PLAIN:
        return value
    raise _NotPlainError
