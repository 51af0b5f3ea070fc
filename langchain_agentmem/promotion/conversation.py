"""A batch as the strategies see it: numbered lines, without what is never promoted and without secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

from langchain_core.messages import AIMessage, BaseMessage

from langchain_agentmem.longterm.record import Source
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.promotion.batch import Batch, Turn, is_recalled
from langchain_agentmem.promotion.guard import addresses_model, is_small_talk, withheld, without_recalled

Redact = Callable[[str], str]

_LONGEST = 12_000  # characters of a turn that a model is shown; what is longer was pasted, not said
_ROLES = {"human": "user", "user": "user", "ai": "assistant", "assistant": "assistant"}
_ROLES |= {"HumanMessageChunk": "user", "AIMessageChunk": "assistant"}  # what streaming leaves in a state


@dataclass(frozen=True, slots=True)
class Line:
    """One turn, as it is shown to a model.

    Attributes:
        number: By which it is cited, from 1; 0 for a turn that was promoted before and only helps to understand.
        turn: The turn.
        role: `user` or `assistant`.
        text: What was said: secrets and recalled memories are taken out.
    """

    number: int
    turn: Turn
    role: str
    text: str

    @property
    def by_user(self) -> bool:
        """Whether a user said it, so that memories can come from it."""
        return self.role == "user"

    @property
    def speaker(self) -> str:
        """Who said it: the message's name, or the role."""
        return self.turn.message.name or self.role

    @property
    def tells(self) -> bool:
        """Whether a user said something in it that is worth a look."""
        return self.by_user and not is_small_talk(self.text)

    @property
    def tainted(self) -> bool:
        """Whether it tells the model what to do: what comes from it is a claim, and no more."""
        return self.by_user and addresses_model(self.text)

    def shown(self) -> str:
        """The line for a prompt. As a JSON string, so that no text can pretend to be another line."""
        said = withheld(self.text) if self.by_user else self.text
        said = said if len(said) <= _LONGEST else f"{said[:_LONGEST]}… (cut)"
        head = f"turn {self.number}" if self.number else "earlier"
        when = self.turn.time.strftime("%Y-%m-%d (%A) %H:%M %Z").strip()
        return f"{head}, {when}, {self._who()}: {json.dumps(said, ensure_ascii=False)}"

    def _who(self) -> str:
        name = self.turn.message.name
        return f"{self.role} {json.dumps(_whole(name), ensure_ascii=False)}" if name else self.role


class Conversation:
    """The lines of a batch.

    Args:
        batch: The batch.
        redact: Takes secrets out of a text.
    """

    def __init__(self, batch: Batch, redact: Redact) -> None:
        self.thread_id = batch.thread_id
        self.scope = batch.scope
        self.lines = list(_lines(batch.turns, redact, numbered=True))
        self.earlier = list(_lines(batch.context, redact, numbered=False))
        self._now = datetime.now(UTC)

    @cached_property
    def told(self) -> list[Line]:
        """The lines in which a user says something."""
        return [line for line in self.lines if line.tells]

    @property
    def only(self) -> list[Line]:
        """The line in which a user says something, if there is just one."""
        return self.told if len(self.told) == 1 else []

    def cited(self, numbers: Iterable[int]) -> list[Line]:
        """The lines with these numbers, in order, as far as there are such."""
        wanted = set(numbers)
        return [line for line in self.lines if line.number in wanted]

    def nearest(self, text: str) -> list[Line]:
        """The line that shares most words with a text; none if none shares any."""
        words = set(terms(text))
        weight = {True: 2, False: 1}  # what both said, the user said
        shared = {line.number: weight[line.by_user] * len(words & set(terms(line.text))) for line in self.lines}
        best = max(shared, key=lambda number: shared[number], default=0)
        return self.cited([best]) if shared.get(best) else []

    def source(self, lines: Sequence[Line], *, sequence: int | None = None) -> Source:
        """Where lines stand: their thread, messages and newest checkpoint."""
        checkpoints = [line.turn.checkpoint_id for line in lines if line.turn.checkpoint_id]
        names = tuple(line.turn.id for line in lines)
        session = None if sequence is None else self.thread_id
        return Source(self.thread_id, names, checkpoints[-1] if checkpoints else None, session, sequence)

    def before(self, source: Source) -> datetime | None:
        """When something was said last before the turns of a source; None where that is not shown."""
        turns = [line.turn for line in (*self.earlier, *self.lines)]
        begun = min(turn.time for turn in turns if turn.id in source.message_ids)
        return max((turn.time for turn in turns if turn.time < begun), default=None)

    def time(self, lines: Sequence[Line]) -> datetime:
        """When the last of some lines was said, in its zone; never in the future, whatever its speaker's clock says."""
        said = max(line.turn.time for line in lines)
        return said if said <= self._now else self._now.astimezone(said.tzinfo)


def _lines(turns: Sequence[Turn], redact: Redact, *, numbered: bool) -> Iterator[Line]:
    number = 0
    for turn in turns:
        role = _ROLES.get(getattr(turn.message, "role", turn.message.type))
        if role is None or is_recalled(turn.message):
            continue  # tools' results and system prompts too: neither is said by anybody, and both may hold memories
        text = redact(without_recalled(_whole(_text(turn.message))))
        if text.strip():
            number += 1
            yield Line(number if numbered else 0, turn, role, text)


def _whole(text: str) -> str:
    """A text that UTF-8 can hold: half a character, left by a cut, would break every client on its way."""
    return text.encode("utf-8", "replace").decode()


def _text(message: BaseMessage) -> str:
    text = message.text.strip()
    if not text and isinstance(message, AIMessage) and message.tool_calls:
        return f"(calls {', '.join(call['name'] for call in message.tool_calls)})"
    return text
