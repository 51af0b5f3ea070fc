"""Strategies that read a conversation without a model: word for word, and by rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.changes import Change
from langchain_agentmem.promotion.conversation import Conversation, Line
from langchain_agentmem.promotion.finding import Found, singular
from langchain_agentmem.promotion.grounding import grounded, named_day
from langchain_agentmem.promotion.guard import quoted
from langchain_agentmem.promotion.known import CLAIM, Known, turn_id
from langchain_agentmem.promotion.rules import read_text

CLAIM_CONFIDENCE = 0.2
"""What a claim of someone who tells the assistant what to do is believed at most."""

_RULES = "rules@1"
_RULE_CONFIDENCE = 0.7


def claim(memory: Memory, said: datetime) -> Memory:
    """A memory as a claim: quoted, hardly believed, and standing for no fact."""
    return replace(
        memory,
        text=quoted(memory.text, said),
        kind="episodic",
        confidence=min(memory.confidence, CLAIM_CONFIDENCE),
        importance=min(memory.importance, CLAIM_CONFIDENCE),
        state=None,
        value=None,
        supersedes=None,
        data={},
        metadata={**memory.metadata, CLAIM: True},
    )


def read_verbatim(talk: Conversation, known: Known) -> Iterator[Change]:
    """Each turn of a user as an episodic memory of its own, with its place in the conversation."""
    for number, line in enumerate(talk.told, known.sequence + 1):
        source, name = talk.source([line], sequence=number), "verbatim@1"
        memory = Memory(
            text=line.text,
            kind="episodic",
            id=turn_id(talk.thread_id, line.turn.id),
            speaker=line.speaker,
            event_time=line.turn.time,
            valid_from=talk.time([line]),
            source=source,
            metadata={"strategy": name},
        )
        yield Change("add", name, source, talk.time([line]), claim(memory, line.turn.time) if line.tainted else memory)


def read_by_rules(talk: Conversation, known: Known) -> list[Change]:
    """What rules find: facts take the place of what they were, plans are memories.

    Where several speak by name, only what the user says is read: a rule's "I" is always the user.
    """
    reading, theirs = _Reading(talk, known), _users_own(talk, known)
    heard = [line.text for line in talk.earlier if not line.by_user]
    for line in talk.lines:
        if not line.by_user:
            heard.append(line.text)
        elif line.tells and not line.tainted and theirs(line):
            for found in read_text(line.text, heard):
                reading.take(_renamed(found, reading.now), line)
    return reading.changes


def _users_own(talk: Conversation, known: Known) -> Callable[[Line], bool]:
    """Tells the lines that the user says: in a conversation of several named people, those under the user's name."""
    spoke = {(line.turn.message.name or "").casefold() for line in (*talk.earlier, *talk.lines) if line.by_user}
    users = {name.casefold() for name in (talk.scope.user, known.user) if name}
    mine = users if len(spoke - {""}) > 1 else spoke
    return lambda line: (line.turn.message.name or "").casefold() in mine


class _Reading:
    """The changes found so far, and the facts as they are after them."""

    def __init__(self, talk: Conversation, known: Known) -> None:
        self.changes: list[Change] = []
        self._talk, self._known = talk, known.facts
        self.now: dict[str, Any] = {name: fact.value for name, fact in known.facts.items()}

    def take(self, found: Found, line: Line) -> None:
        """Add what a line says, unless what is known says more or is about something else."""
        state = found.state
        if state is None:
            self.changes.append(self._added(found, line))
        elif found.value is None:
            if found.ends(self.now[state]) if state in self.now else found.was is None:
                self._end(found, state, line)
        elif state not in self.now or found.changes(self.now[state]):
            self.changes = [each for each in self.changes if not self._ends(each, state)]
            self.changes.append(self._added(found, line))
            self.now[state] = found.value

    def _end(self, found: Found, state: str, line: Line) -> None:
        """What was said of it just before is taken back as well."""
        self.changes = [each for each in self.changes if each.memory is None or each.memory.state != state]
        self.now.pop(state, None)
        fact = self._known.get(state)
        ended = Change("retire", _RULES, self._talk.source([line]), self._talk.time([line]))
        if fact and not found.ends(fact.value):
            self.now[state] = fact.value  # what was taken back never took its place
        elif fact:
            self.changes.append(replace(ended, target=fact.memory_id, fact=state, version=fact.version))
        elif found.was is None:  # what was said of it before may come in later
            self.changes.append(replace(ended, fact=state))

    def _ends(self, change: Change, state: str) -> bool:
        """Whether a change says that a fact is no longer so."""
        return change.fact == state and state in self._known

    def _added(self, found: Found, line: Line) -> Change:
        source, at = self._talk.source([line]), self._talk.time([line])
        memory = Memory(
            text=grounded(found.text, at),
            kind="semantic" if found.state else "episodic",
            confidence=_RULE_CONFIDENCE,
            event_time=at if found.state else named_day(found.text, at) or at,
            valid_from=at,
            state=found.state,
            value=found.value,
            source=source,
            metadata={"strategy": _RULES},
        )
        return Change("add", _RULES, source, at, memory)


def _renamed(found: Found, now: Mapping[str, Any]) -> Found:
    """What was found under the name, and with the value, by which it is known: a peanut allergy is one to peanuts."""
    if found.state is None or found.state in now or "." not in found.state:
        return found
    name = next((each for each in now if singular(each) == singular(found.state)), None)
    if name is None:
        return found
    value = found.value
    if value and isinstance(now[name], str) and singular(value.casefold()) == singular(now[name].casefold()):
        value = now[name]
    return found._replace(state=name, value=value)
