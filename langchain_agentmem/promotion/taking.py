"""Which messages of a conversation are offered to the outbox, and under which ids. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from langchain_core.messages import AIMessage, BaseMessage, ChatMessage, HumanMessage, MessageLikeRepresentation

from langchain_agentmem.promotion.batch import digest, is_recalled
from langchain_agentmem.thread.messages import read_messages


@dataclass(frozen=True, slots=True)
class Offer:
    """Messages in a row.

    Attributes:
        messages: Those that can be promoted. Each has an id.
        before: Id of the one before them; None if they are all there are.
    """

    messages: Sequence[BaseMessage]
    before: str | None = None


def current_turn(messages: Sequence[MessageLikeRepresentation], thread_id: str) -> Offer:
    """The messages from the last one by a human on. However long the conversation is, only these are looked at."""
    turn: list[BaseMessage] = []
    for message in _backwards(messages):
        if not message.id:  # its id depends on all before it
            return _current_turn_of(everything(messages, thread_id).messages)
        if turn and by_human(turn[-1]):
            return Offer(turn[::-1], message.id)
        turn.append(message)
    return Offer(turn[::-1])


def everything(messages: Iterable[MessageLikeRepresentation], thread_id: str) -> Offer:
    """All messages that can be promoted."""
    return Offer(list(_with_ids(filter(is_said, read_messages(messages)), thread_id)))


def _current_turn_of(messages: Sequence[BaseMessage]) -> Offer:
    start = max((i for i, message in enumerate(messages) if by_human(message)), default=0)
    return Offer(messages[start:], messages[start - 1].id if start else None)


def _backwards(messages: Sequence[MessageLikeRepresentation]) -> Iterator[BaseMessage]:
    for message in reversed(messages):
        read = message if isinstance(message, BaseMessage) else read_messages([message])[0]
        if is_said(read):
            yield read


def is_said(message: BaseMessage) -> bool:
    """Whether somebody said it. System prompts and the results of tools may hold recalled memories, too.

    `SummarizationMiddleware` puts its summary into a user's mouth, and says so in `lc_source`.
    """
    if not isinstance(message, HumanMessage | AIMessage | ChatMessage) or is_recalled(message):
        return False
    return message.additional_kwargs.get("lc_source") != "summarization"


def by_human(message: BaseMessage) -> bool:
    """Whether it is a user's."""
    return isinstance(message, HumanMessage) or (isinstance(message, ChatMessage) and message.role in ("user", "human"))


def _with_ids(messages: Iterable[BaseMessage], thread_id: str) -> Iterator[BaseMessage]:
    """Messages without an id get one made from what they say and what stands before them: the same one each time."""
    before = ""
    for message in messages:
        name = message.id or digest([thread_id, before, message.type, message.content])
        yield message if message.id else message.model_copy(update={"id": name})
        before = name
