"""Which messages of a conversation are offered to the outbox, under which ids and with which times. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import dropwhile, takewhile
from typing import Any, TypeAlias

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    BaseMessage,
    ChatMessage,
    HumanMessage,
    MessageLikeRepresentation,
)

from langchain_agentmem.promotion.batch import Turn, digest, is_recalled, said_at
from langchain_agentmem.thread.messages import read_messages

_TIMED = re.compile(
    r"(?<![0-9a-f])([0-9a-f]{8})-([0-9a-f]{4})-([67][0-9a-f]{3})-[89ab][0-9a-f]{3}-[0-9a-f]{12}(?![0-9a-f])"
)
_EPOCH, _GREGORIAN = datetime(1970, 1, 1, tzinfo=UTC), datetime(1582, 10, 15, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Offer:
    """Messages in a row.

    Attributes:
        messages: Those that can be promoted. Each has an id.
        before: Id of the one before them; None if they are all there are.
        earlier: How many of them stand before the current turn.
    """

    messages: Sequence[BaseMessage]
    before: str | None = None
    earlier: int = 0


Given: TypeAlias = Callable[[BaseMessage], bool]
"""Whether a message is known to be the user's who runs the graph, however it is signed."""


def _is_nobodys(_: BaseMessage) -> bool:
    return False


def current_turn(messages: Sequence[MessageLikeRepresentation], thread_id: str, given: Given = _is_nobodys) -> Offer:
    """The messages from the last one by a human on. However long the conversation is, only these are looked at."""
    turn: list[BaseMessage] = []
    for message in _backwards(messages, given):
        if not message.id:  # its id depends on all before it
            return _current_turn_of(everything(messages, thread_id, given).messages)
        if turn and by_human(turn[-1]):
            return Offer(turn[::-1], message.id)
        turn.append(message)
    return Offer(turn[::-1])


def last_words(
    messages: Sequence[MessageLikeRepresentation], given: Given = _is_nobodys, *, answered: bool = False
) -> list[BaseMessage]:
    """What users said last, with no answer of a model between, nor behind, unless it may be `answered`."""
    said = _backwards(messages, given)
    behind = dropwhile(lambda each: not by_human(each), said) if answered else said
    return [*takewhile(by_human, behind)][::-1]


def last_turn(messages: Sequence[BaseMessage]) -> list[BaseMessage]:
    """What users said last, and what follows it; all, where no user said anything."""
    start = _start_of_turn(messages)
    while start and by_human(messages[start - 1]):
        start -= 1
    return [*messages[start:]]


def all_said(messages: Sequence[MessageLikeRepresentation], given: Given = _is_nobodys) -> list[BaseMessage]:
    """What was said, oldest first."""
    return [*_backwards(messages, given)][::-1]


def everything(messages: Iterable[MessageLikeRepresentation], thread_id: str, given: Given = _is_nobodys) -> Offer:
    """All messages that can be promoted."""
    said = with_ids(all_said(read_messages(messages), given), thread_id)
    return Offer(said, earlier=_start_of_turn(said))


def _current_turn_of(messages: Sequence[BaseMessage]) -> Offer:
    start = _start_of_turn(messages)
    return Offer(messages[start:], messages[start - 1].id if start else None)


def _start_of_turn(messages: Sequence[BaseMessage]) -> int:
    return max((i for i, message in enumerate(messages) if by_human(message)), default=0)


def dated(
    messages: Sequence[BaseMessage],
    latest: datetime,
    checkpoint_id: str | None = None,
    time: datetime | None = None,
) -> list[Turn]:
    """Messages as turns, each with the time at which it was said.

    A message tells it in its metadata (`said_at`), or in its id: models of LangChain 1 make theirs from the time of the
    call. One that does not was said no later than the next one that does.

    Args:
        messages: Messages with ids, in order.
        latest: When the last of them was said at the latest.
        checkpoint_id: The checkpoint that holds them.
        time: When they were said, all of them, whatever they tell.
    """
    turns: list[Turn] = []
    for message in reversed(messages):
        own = said_at(message)
        latest = min(latest, own or _made_at(message.id or "") or latest)
        turns.append(Turn(_lean(message), time or own or latest, checkpoint_id))
    return turns[::-1]


def _made_at(name: str) -> datetime | None:
    """The time in an id that holds a UUID of version 6 or 7, which both begin with it."""
    found = _TIMED.search(name)
    if found is None:
        return None
    high, low, last = found.groups()
    if last[0] == "7":
        return _EPOCH + timedelta(milliseconds=int(high + low, 16))
    return _GREGORIAN + timedelta(microseconds=int(high + low + last[1:], 16) // 10)


def _lean(message: BaseMessage) -> AnyMessage:
    """A message without its images and files: memories are made of texts, and these would outlive the thread."""
    content = message.content
    if isinstance(content, str) or all(map(_is_text, content)):
        return message  # type: ignore[return-value]
    return message.model_copy(update={"content": [*map(_without_data, content)]})  # type: ignore[return-value]


def _is_text(block: str | dict[Any, Any]) -> bool:
    return isinstance(block, str) or block.get("type") == "text"


def _without_data(block: str | dict[Any, Any]) -> str | dict[Any, Any]:
    return block if isinstance(block, str) or _is_text(block) else {"type": block.get("type")}


def _backwards(messages: Sequence[MessageLikeRepresentation], given: Given) -> Iterator[BaseMessage]:
    """What was said, newest first, without what other agents said in a user's place.

    These sign it with their name, as a worker's report is signed for its supervisor. Where the user's messages are
    unsigned, no signed one is a user's, unless it is known to be; where all are signed, as in a channel of many, all
    are users'.
    """
    unsigned: bool | None = None
    for each in reversed(messages):
        message = _read(each)
        if not is_said(message):
            continue
        if by_human(message) and message.name and not given(message):
            if unsigned is None:
                unsigned = any(by_human(other) and not other.name and is_said(other) for other in map(_read, messages))
            if unsigned:
                continue
        yield message


def _read(message: MessageLikeRepresentation) -> BaseMessage:
    return message if isinstance(message, BaseMessage) else read_messages([message])[0]


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


def with_ids(messages: Iterable[BaseMessage], thread_id: str) -> list[BaseMessage]:
    """What was said. A message without an id gets one made from what it says and all before it: the same each time."""
    before, named = "", list[BaseMessage]()
    for message in filter(is_said, messages):
        name = message.id or digest([thread_id, before, message.type, message.content])
        named.append(message if message.id else message.model_copy(update={"id": name}))
        before = name
    return named
