"""What of an agent's turn is handed over to promotion, when, and under which names."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Sequence
from itertools import dropwhile
from threading import Lock
from typing import Any, NamedTuple

from langchain_core.messages import BaseMessage

from langchain_agentmem.agent.context import Along
from langchain_agentmem.agent.turns import TurnKey, Turns
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Turn
from langchain_agentmem.promotion.current import aturn, awords
from langchain_agentmem.promotion.extraction import ExtractionNode
from langchain_agentmem.promotion.given import given
from langchain_agentmem.promotion.naming import Place
from langchain_agentmem.promotion.origin import Mine
from langchain_agentmem.promotion.taking import by_human, with_ids
from langchain_agentmem.wire.connection import REDIS_ERRORS

HANDING_OVER = "handing the turn over to promotion"

_MOST_WAITING = 256  # threads whose turns wait in one process for the server to come back
_MOST_TURNS = 64  # of each; the oldest are given up


class HandOver:
    """Hands an agent's turns over: what the user says when the model is asked first, the rest when it has answered.

    Only the current turn is handed over, and of what the user says only what came with the run, or with the one that it
    goes on with. What stands before it was said at another time, and perhaps by somebody else, in a run that failed or
    that nobody signed.

    Args:
        promotion: Takes the turns.
    """

    def __init__(self, promotion: ExtractionNode) -> None:
        self._promotion = promotion
        self._begun: Turns[_Begun] = Turns()
        self._waiting = _Waiting()

    async def abegin(
        self, messages: Sequence[BaseMessage], scope: Scope, mine: Mine, turn: TurnKey, run: Any
    ) -> Along | None:
        """What the user said, once for each run: in front of the first call of its model.

        Args:
            messages: The conversation, as the model will be shown it.
            scope: Whose memories it becomes.
            mine: Tells the user's runs from others.
            turn: The turn.
            run: The run.

        Returns:
            What hands it over; None where there is nothing to hand over.
        """
        if self._begun.get(turn, run) is not None:
            return None
        place = Place.of(scope)
        messages = with_ids(messages, place.thread_id)
        said = await awords(messages, mine)
        turns = place.turns(said, _before(messages, said))
        before = frozenset(each.id for each in messages[: _start_of_answer(messages)])
        self._begun.put(turn, run, _Begun(turns[-1].id if turns else "", before))
        due = [*self._waiting.of(place), *turns]
        command = self._promotion.taking(place.thread_id, due, scope) if due else None  # or it cannot be written
        self._waiting.add(place, turns)
        return command and Along(HANDING_OVER, [command], lambda: self._waiting.done(place, due))

    async def afinish(self, messages: Sequence[BaseMessage], scope: Scope, mine: Mine, turn: TurnKey, run: Any) -> None:
        """The rest of the turn. One round trip.

        Args:
            messages: The conversation, as the run leaves it.
            scope: Whose memories it becomes.
            mine: Tells the user's runs from others.
            turn: The turn.
            run: The run.
        """
        place, begun = Place.of(scope), self._begun.get(turn, run)
        messages = with_ids(messages, place.thread_id)
        rest = await _rest(messages, begun, mine)
        turns = place.turns(rest, begun.said if begun else _before(messages, rest))
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


class _Waiting:
    """Turns that this process has to hand over, until the server has taken them."""

    def __init__(self) -> None:
        self._held: OrderedDict[Place, dict[str, Turn]] = OrderedDict()
        self._lock = Lock()

    def of(self, place: Place) -> list[Turn]:
        """What waits there, oldest first."""
        with self._lock:
            return [*self._held.get(place, {}).values()]

    def add(self, place: Place, turns: Sequence[Turn]) -> None:
        """Keep turns."""
        with self._lock:
            held = self._held.setdefault(place, {}) if turns else {}
            held.update((turn.id, turn) for turn in turns)
            for name in [*held][:-_MOST_TURNS]:
                del held[name]
            while len(self._held) > _MOST_WAITING:
                self._held.popitem(last=False)

    def done(self, place: Place, turns: Iterable[Turn]) -> None:
        """These were taken."""
        with self._lock:
            held = self._held.get(place, {})
            for turn in turns:
                held.pop(turn.id, None)
            if not held:
                self._held.pop(place, None)


async def _rest(messages: Sequence[BaseMessage], begun: _Begun | None, mine: Mine) -> list[BaseMessage]:
    """What was not handed over yet; where no model was asked in this run, with what the user said."""
    if begun is None:
        start = _start_of_answer(messages)
        rest = [*await awords(messages[:start], mine), *messages[start:]]
    else:
        rest = [each for each in messages if not by_human(each) and each.id not in begun.before]
    if given() or (begun and begun.said):
        return rest
    own = {
        each.id for each in await aturn(messages, mine)
    }  # who goes on with another's run did not ask what it answers
    return [each for each in rest if each.id in own]


def _start_of_answer(messages: Sequence[BaseMessage]) -> int:
    return max((i for i, each in enumerate(messages) if by_human(each)), default=-1) + 1


def _before(messages: Sequence[BaseMessage], said: Sequence[BaseMessage]) -> BaseMessage | None:
    """What stands right before some messages of a conversation."""
    ids = {each.id for each in said}
    earlier = dropwhile(lambda each: each.id not in ids, reversed(messages))
    return next((each for each in earlier if each.id not in ids), None)
