"""What is promoted: turns of a conversation, in batches; and what the worker asks of an extractor."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from hashlib import blake2b
from typing import Any, Protocol, TypeVar

import ormsgpack
from langchain_core.messages import AnyMessage, BaseMessage

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.messages import dump_messages, load_messages

RECALLED = "agentmem_recalled"
"""Key in a message's `additional_kwargs`: it holds recalled memories, so it is never promoted."""

_TIMES = ("timestamp", "created_at", "time", "date")
_LATEST_SECONDS = 1e11  # a number above it can only be milliseconds: as seconds it would be the year 5138


@dataclass(frozen=True, slots=True)
class Turn:
    """One message of a conversation.

    Attributes:
        message: What was said. It has an id.
        time: When it was said, in the zone in which "tomorrow" was said.
        checkpoint_id: The checkpoint at that time, where there is one.
    """

    message: AnyMessage
    time: datetime
    checkpoint_id: str | None = None

    @property
    def id(self) -> str:
        """The message's id."""
        return self.message.id or ""

    def dumps(self, codec: Codec) -> bytes:
        """The turn as the outbox holds it; of a time that is not in UTC, with its seconds from it."""
        body = dump_messages([self.message], codec)[0]
        offset = round((self.time.utcoffset() or timedelta()).total_seconds())
        zone = (offset,) if offset else ()
        ms = self.time.timestamp() * 1000
        return ormsgpack.packb((body, int(ms) if ms.is_integer() else ms, self.checkpoint_id, *zone))

    @classmethod
    def loads(cls, data: bytes, codec: Codec) -> Turn:
        """Undo `dumps`.

        Raises:
            CorruptDataError: Something else is stored there.
        """
        try:
            body, ms, checkpoint_id, *offset = ormsgpack.unpackb(data)
            zone = timezone(timedelta(seconds=offset[0])) if offset else UTC
            return cls(load_messages([body], codec)[0], datetime.fromtimestamp(ms / 1000, zone), checkpoint_id)
        except (TypeError, ValueError, AttributeError) as error:
            raise CorruptDataError("what waits in the outbox is no turn: another program wrote it") from error


@dataclass(frozen=True, slots=True)
class Batch:
    """Turns of one thread that are promoted together.

    Attributes:
        thread_id: The thread they are from.
        scope: Whose memories they become.
        turns: What is promoted, in the order in which it was said.
        strategies: Names of the strategies, with their versions: `discrete@1`.
        context: Turns just before these, promoted already: to understand by, never to extract from.
        replay: Id of the dead letter that the turns come from, if they do.
    """

    thread_id: str
    scope: Scope
    turns: Sequence[Turn]
    strategies: Sequence[str]
    context: Sequence[Turn] = ()
    replay: str = ""

    @property
    def key(self) -> str:
        """What identifies this promotion: a digest of thread, scope, message ids and strategies.

        A replay has one of its own: it finds its changes anew, and what was found before it was given up is void.
        """
        identity = [self.thread_id, self.scope.path, [turn.id for turn in self.turns], list(self.strategies)]
        return digest([*identity, self.replay] if self.replay else identity)


@dataclass(frozen=True, slots=True)
class Usage:
    """What a promotion took.

    Attributes:
        calls: Model calls.
        input_tokens: Tokens that the model read.
        output_tokens: Tokens that it wrote.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.calls + other.calls,
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
        )


class Planned(Protocol):
    """The changes that a batch makes, found but not made."""

    @property
    def usage(self) -> Usage:
        """What it took to find them."""

    def dumps(self) -> bytes:
        """The plan as the outbox keeps it until all its changes are made."""


class Changed(Protocol):
    """One change that was made."""

    @property
    def id(self) -> str:
        """Id of the memory; empty where no memory was touched."""


Plan = TypeVar("Plan", bound=Planned)


class Extracts(Protocol[Plan]):
    """What turns a batch into memories."""

    async def aplan(self, batch: Batch) -> Plan:
        """Find out what the batch changes, and change nothing yet."""

    def loads(self, data: bytes) -> Plan:
        """A plan that was kept."""

    async def aapply(self, plan: Plan) -> Sequence[Changed]:
        """Make the changes of a plan. Those that were made already, by a worker that died, are not made again."""


def is_recalled(message: BaseMessage) -> bool:
    """Whether a message holds recalled memories: what is extracted from these would confirm itself."""
    return bool(message.additional_kwargs.get(RECALLED))


def said_at(message: BaseMessage) -> datetime | None:
    """When a message says that it was said: `timestamp`, `created_at`, `time` or `date` in its metadata.

    An ISO 8601 text (UTC where it names no zone), or a number of seconds or milliseconds since 1970.
    """
    for metadata in (message.additional_kwargs, message.response_metadata):
        for name in _TIMES if metadata else ():
            if (moment := _moment(metadata.get(name))) is not None:
                return moment
    return None


def _moment(value: Any) -> datetime | None:
    try:
        match value:
            case datetime():
                moment = value
            case str():
                moment = datetime.fromisoformat(value)
            case int() | float() if not isinstance(value, bool):
                moment = datetime.fromtimestamp(value / 1000 if value > _LATEST_SECONDS else value, UTC)
            case _:
                return None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def digest(identity: Any) -> str:
    """A short name for a JSON value that no other value has."""
    text = json.dumps(identity, ensure_ascii=False, separators=(",", ":"))
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
