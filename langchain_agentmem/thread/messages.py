"""What working memory and chat history have in common: messages as bytes, and how many are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias, cast
from uuid import uuid4

from langchain_core.messages import AnyMessage, BaseMessage, MessageLikeRepresentation, convert_to_messages

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import pack_typed, unpack_typed

_NO_MESSAGE = "what is stored here is no message: it was written by another program or with another serde"
_HEAD = pack_typed(("msgpack", b""))
_START = len(_HEAD)

Messages: TypeAlias = Iterable[MessageLikeRepresentation]


def read_messages(messages: Messages) -> list[BaseMessage]:
    """Messages in any form that LangChain takes, as message objects.

    Raises:
        InvalidInputError: One of them has no such form.
    """
    try:
        return [*convert_to_messages(list(messages))]
    except (ValueError, TypeError, NotImplementedError) as error:
        raise InvalidInputError(f"messages: pass messages, strings, (role, text) pairs or dicts: {error}") from error


def dump_messages(messages: Sequence[BaseMessage], codec: Codec) -> list[bytes]:
    """Their stored forms."""
    return [pack_typed(codec.dumps_typed(message)) for message in messages]


def load_messages(stored: Iterable[bytes], codec: Codec) -> list[AnyMessage]:
    """Undo `dump_messages`.

    Raises:
        CorruptDataError: Something else is stored there.
    """
    try:
        loaded = [
            codec.loads_message(body, _START) if body.startswith(_HEAD) else codec.loads_typed(unpack_typed(body))
            for body in stored
        ]
    except (IndexError, NotImplementedError, ValueError) as error:
        raise CorruptDataError(_NO_MESSAGE) from error
    if not all(isinstance(message, BaseMessage) for message in loaded):
        raise CorruptDataError(_NO_MESSAGE)
    return cast("list[AnyMessage]", loaded)


def new_operation() -> str:
    """An id for one operation, so that its replay is known as such."""
    return uuid4().hex


def at_least_one(name: str, count: int) -> int:
    """`count`, checked.

    Raises:
        InvalidInputError: It is below 1.
    """
    if count < 1:
        raise InvalidInputError(f"{name} is {count}; it must be at least 1")
    return count
