"""Session: working memory as it was at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from langchain_core.messages import AnyMessage, SystemMessage
from langchain_core.messages.utils import count_tokens_approximately

from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.data import load_data
from langchain_agentmem.thread.messages import load_messages


@dataclass(frozen=True)
class Session:
    """A session as it was at one moment. Nothing is decoded before it is asked for.

    Attributes:
        thread_id: The thread it belongs to.
        fields: The fields of its hash, as stored; empty when there is no such session.
    """

    thread_id: str
    fields: Mapping[bytes, bytes] = field(repr=False)
    _codec: Codec = field(repr=False, compare=False)

    @property
    def exists(self) -> bool:
        """Whether anything was stored, and has not expired."""
        return bool(self.fields)

    @property
    def goal(self) -> str | None:
        """What the thread is to achieve."""
        return self._text(b"goal")

    @property
    def scratchpad(self) -> str | None:
        """Working notes."""
        return self._text(b"scratchpad")

    @property
    def summary(self) -> str | None:
        """What the turns before the recent ones said."""
        return self._text(b"summary")

    @property
    def user(self) -> str | None:
        """The user it belongs to."""
        return self._text(b"user")

    @property
    def created_at(self) -> datetime | None:
        """When it was first written to, by the server's clock."""
        return self._time(b"created")

    @property
    def updated_at(self) -> datetime | None:
        """When it was last written to, by the server's clock."""
        return self._time(b"updated")

    @property
    def data(self) -> dict[str, Any]:
        """The data: a dict of JSON values, made anew at each access."""
        return load_data(self.fields)

    @property
    def turn_count(self) -> int:
        """How many turns there ever were, those outside the window included."""
        return int(self.fields.get(b"last", 0))

    @cached_property
    def turns(self) -> tuple[AnyMessage, ...]:
        """The recent turns, oldest first."""
        numbers = range(int(self.fields.get(b"first", 1)), self.turn_count + 1)
        return tuple(load_messages([self.fields[b"t:%d" % number] for number in numbers], self._codec))

    @cached_property
    def tokens(self) -> int:
        """About how many tokens the summary and the recent turns are, by LangChain's `count_tokens_approximately`."""
        told = [SystemMessage(self.summary)] if self.summary else []
        return count_tokens_approximately([*told, *self.turns])

    def needs_summary(self, max_tokens: int) -> bool:
        """Whether the summary and the recent turns are more than `max_tokens`."""
        return self.tokens > max_tokens

    def _text(self, name: bytes) -> str | None:
        stored = self.fields.get(name)
        return None if stored is None else stored.decode("utf-8", "surrogatepass")

    def _time(self, name: bytes) -> datetime | None:
        stored = self.fields.get(name)
        return None if stored is None else datetime.fromtimestamp(int(stored) / 1000, UTC)
