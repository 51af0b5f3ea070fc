"""What of an agent's turn is handed over to promotion, when, and under which names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import dropwhile
from threading import Lock
from typing import Any, NamedTuple
from uuid import uuid4

from langchain_core.messages import BaseMessage
from langchain_core.runnables.config import var_child_runnable_config

from langchain_agentmem.agent.context import Along
from langchain_agentmem.agent.turns import TurnKey, Turns
from langchain_agentmem.events.here import here
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Turn, digest
from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.given import given, is_given, may_be_given
from langchain_agentmem.promotion.taking import by_human, dated, is_said, last_words
from langchain_agentmem.wire.connection import REDIS_ERRORS

HANDING_OVER = "handing the turn over to promotion"

_CHECKPOINTER = "__pregel_checkpointer"  # where LangGraph keeps the run's
_MOST_WAITING = 256  # threads whose turns wait in one process for the server to come back
_MOST_TURNS = 64  # of each; the oldest are given up


class HandOver:
    """Hands an agent's turns over: what the user says when the model is asked first, the rest when it has answered.

    Only the current turn is handed over, and of what the user says only what came with the run. What stands before
    it was said at another time, and perhaps by somebody else, in a run that failed or that nobody signed.

    Args:
        promotion: Takes the turns.
    """

    def __init__(self, promotion: ExtractionNode) -> None:
        self._promotion = promotion
        self._begun: Turns[_Begun] = Turns()
        self._waiting = _Waiting()

    async def abegin(self, messages: Sequence[BaseMessage], scope: Scope, turn: TurnKey, run: Any) -> Along | None:
        """What the user said, once for each run: in front of the first call of its model.

        Args:
            messages: The conversation, as the model will be shown it.
            scope: Whose memories it becomes.
            turn: The turn.
            run: The run.

        Returns:
            What hands it over; None where there is nothing to hand over.
        """
        if self._begun.get(turn, run) is not None:
            return None
        place, said = _Place.of(scope), _users(messages, given() or 1)
        turns = place.turns(said, _before(messages, said))
        self._begun.put(turn, run, _Begun(turns[-1].id if turns else "", _upto_user(messages)))
        due = [*self._waiting.of(place), *turns]
        command = self._promotion.taking(place.thread_id, due, scope) if due else None  # or it cannot be written
        self._waiting.add(place, turns)
        return command and Along(HANDING_OVER, [command], lambda: self._waiting.done(place, due))

    async def afinish(self, messages: Sequence[BaseMessage], scope: Scope, turn: TurnKey, run: Any) -> None:
        """The rest of the turn. One round trip.

        Args:
            messages: The conversation, as the run leaves it.
            scope: Whose memories it becomes.
            turn: The turn.
            run: The run.
        """
        place, begun = _Place.of(scope), self._begun.get(turn, run)
        if begun is None:  # no model was asked in this run
            rest = _current(messages, given())
            turns = place.turns(rest, _before(messages, rest))
        else:
            rest = [each for each in messages if is_said(each) and not by_human(each) and each.id not in begun.before]
            turns = place.turns(rest, begun.said)
        due = [*self._waiting.of(place), *turns]
        try:
            await self._promotion.atake(place.thread_id, due, scope)
        except REDIS_ERRORS:
            self._waiting.add(place, turns)
            raise
        self._waiting.done(place, due)


class _Begun(NamedTuple):
    """What a run's model was asked about first.

    Attributes:
        said: The user's last message, by the name under which it was handed over.
        before: Ids of the messages up to the user's last: none of these is the answer to it.
    """

    said: str
    before: frozenset[str | None]


class _Place(NamedTuple):
    """Where a turn is handed over.

    Attributes:
        thread_id: The thread; without one all that a user says is in one.
        path: Whose it is.
        keeps_ids: Whether messages keep their ids from run to run, as a checkpointer keeps them.
    """

    thread_id: str
    path: tuple[str, ...]
    keeps_ids: bool

    @classmethod
    def of(cls, scope: Scope) -> _Place:
        """That of the running code."""
        configurable = (var_child_runnable_config.get() or {}).get("configurable") or {}
        thread_id, keeps_ids = configurable.get("thread_id"), bool(configurable.get(_CHECKPOINTER))
        name = f"messages-{digest(scope.path)}" if thread_id in (None, "") else str(thread_id)
        return cls(name, scope.path, keeps_ids)

    def turns(self, messages: Sequence[BaseMessage], before: str) -> list[Turn]:
        """Messages as turns, each with a name.

        Without a checkpointer the client sends the whole conversation, or what it still has of it, and LangGraph gives
        new ids to all of it in each run. There a message is known by its day, by what it says, and by the one before
        it, so that what is sent again is not taken again. One that stands alone may be said again, and is taken again.
        """
        named, before = [], before or uuid4().hex
        for each in messages:
            if not (self.keeps_ids and each.id):
                before = digest([self.thread_id, datetime.now(UTC).date().isoformat(), before, *_words(each)])
                each = each.model_copy(update={"id": before})  # noqa: PLW2901 - the same under another name
            named.append(each)
        return dated(named, datetime.now(UTC), here().get("checkpoint_id"))


class _Waiting:
    """Turns that this process has to hand over, until the server has taken them."""

    def __init__(self) -> None:
        self._held: OrderedDict[_Place, dict[str, Turn]] = OrderedDict()
        self._lock = Lock()

    def of(self, place: _Place) -> list[Turn]:
        """What waits there, oldest first."""
        with self._lock:
            return [*self._held.get(place, {}).values()]

    def add(self, place: _Place, turns: Sequence[Turn]) -> None:
        """Keep turns."""
        with self._lock:
            held = self._held.setdefault(place, {}) if turns else {}
            held.update((turn.id, turn) for turn in turns)
            for name in [*held][:-_MOST_TURNS]:
                del held[name]
            while len(self._held) > _MOST_WAITING:
                self._held.popitem(last=False)

    def done(self, place: _Place, turns: Iterable[Turn]) -> None:
        """These were taken."""
        with self._lock:
            held = self._held.get(place, {})
            for turn in turns:
                held.pop(turn.id, None)
            if not held:
                self._held.pop(place, None)


def _users(messages: Sequence[BaseMessage], most: int) -> list[BaseMessage]:
    """What the user said last, as far as it came with this run: at most so many messages.

    An agent inside a graph may be told what a model wrote, such as the task of a worker.
    """
    said, inside = last_words(messages, is_given), here().get("namespace")
    said = [each for each in said if may_be_given(each)] if inside else said
    return said[max(0, len(said) - most) :]


def _current(messages: Sequence[BaseMessage], most: int | None) -> list[BaseMessage]:
    """What the user said last, as far as it came with this run, and what follows it."""
    said = [each for each in messages if is_said(each)]
    start = max((i for i, each in enumerate(said) if by_human(each)), default=-1) + 1
    return [*_users(said[:start], 1 if most is None else most), *said[start:]]


def _upto_user(messages: Sequence[BaseMessage]) -> frozenset[str | None]:
    last = max((i for i, each in enumerate(messages) if is_said(each) and by_human(each)), default=-1)
    return frozenset(each.id for each in messages[: last + 1])


def _before(messages: Sequence[BaseMessage], said: Sequence[BaseMessage]) -> str:
    """What stands right before some messages of a conversation, by what it says; "" where nothing does."""
    ids = {each.id for each in said}
    earlier = dropwhile(lambda each: each.id not in ids, reversed(messages))
    last = next((each for each in earlier if each.id not in ids and is_said(each)), None)
    return digest(_words(last)) if last else ""


def _words(message: BaseMessage) -> tuple[str, Any]:
    return message.type, message.content
