"""A context in the making: which lines of state, memories and events find room in the block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial

from langchain_core.messages import BaseMessage

from langchain_agentmem.agent.overlap import Overlap
from langchain_agentmem.agent.rendering import (
    SHORT,
    Budget,
    CountTokens,
    Section,
    event_line,
    fact_line,
    memory_line,
    one_line,
    render,
    short_ids,
    words_of,
)
from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import terms
from langchain_agentmem.promotion.batch import is_recalled
from langchain_agentmem.thread.session import Session


@dataclass(frozen=True, slots=True)
class Context:
    """What was put together for a model.

    Attributes:
        text: The block; empty when memory has nothing to say.
        memories: The memories in it, best first.
        facts: The facts in it, by name.
        events: The events in it, newest first.
        tokens: What the block takes, as `count_tokens` counts.
        ids: Full ids of the memories, by the short ones that the block shows.
    """

    text: str = ""
    memories: Sequence[Recalled] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    events: Sequence[Event] = ()
    tokens: int = 0
    ids: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class State:
    """What is known without searching."""

    facts: Mapping[str, Fact] = field(default_factory=dict)
    session: Session | None = None
    events: Sequence[Event] = ()


class Draft:
    """A block in the making."""

    def __init__(self, budget: Budget, state: State, query: str, messages: Sequence[BaseMessage]) -> None:
        self.budget, self._state = budget, state
        self._messages = messages
        self._facts, self._goal = Section("Facts"), Section("Goal", inline=True)
        self._pad, self._summary = Section("Scratchpad"), Section("Summary of earlier turns", inline=True)
        self._memories, self._events = Section("Memories, best first"), Section("Recent events")
        self._shown: dict[str, Fact] = {}
        self._taken = 0
        self._waiting = list(self._lines(query))

    def _lines(self, query: str) -> Iterator[_Line]:
        """The state, most needed first."""
        session = self._state.session
        if session and session.goal:
            yield _Line(self._goal, 0, one_line(session.goal), cut=True)
        places = {name: place for place, name in enumerate(sorted(self._state.facts))}
        for fact in sorted(self._state.facts.values(), key=partial(_need, frozenset(terms(query)))):
            yield _Line(self._facts, places[fact.name], fact_line(fact), fact=fact)
        notes = [note for note in (session.scratchpad or "").splitlines() if note.strip()] if session else []
        for place, note in reversed(list(enumerate(notes))):
            yield _Line(self._pad, place, one_line(note))
        if session and session.summary:
            yield _Line(self._summary, 0, one_line(session.summary, len(session.summary)), cut=True)

    def fill(self, *, keep: int | None = None) -> None:
        """Add what fits of the state. While tokens are kept for others no line is cut."""
        left = []
        for line in self._waiting:
            if not self.budget.add(line.section, line.place, line.text, keep=keep or 0, cut=line.cut and keep is None):
                left.append(line)
            elif line.fact:
                self._shown[line.fact.name] = line.fact
        self._waiting = left

    @cached_property
    def _overlap(self) -> Overlap:
        said = [message for message in self._messages if not is_recalled(message)]
        return Overlap(self._shown.values(), said)

    def takes_memory(self, memory: Memory) -> bool:
        """Whether a memory is worth its tokens, and there are as many left. Asked for each, best first."""
        if self._overlap.tells(memory):
            return False
        first, line = not self._taken, memory_line(memory, memory.id[:SHORT])
        taken = self.budget.takes(self._memories, line, first=first)
        self._taken += taken
        return taken

    def finish(self, found: Sequence[Recalled], count: CountTokens) -> Context:
        """The block, with these memories."""
        ids = short_ids(each.memory.id for each in found)
        lines = [memory_line(each.memory, short) for each, short in zip(found, ids, strict=True)]
        self._memories.lines = list(enumerate(lines))
        events = [e for at, e in enumerate(self._state.events) if self.budget.add(self._events, -at, event_line(e))]
        text = render([self._facts, self._goal, self._pad, self._summary, self._memories, self._events])
        return Context(text, found, self._shown, events, count(text) if text else 0, ids)


@dataclass(frozen=True, slots=True)
class _Line:
    """A line of state that waits for its place in the block."""

    section: Section
    place: int
    text: str
    cut: bool = False
    fact: Fact | None = None


def _need(asked: frozenset[str], fact: Fact) -> tuple[bool, float]:
    """Sorts facts by how much they are needed: those of the question first, then the latest."""
    return asked.isdisjoint(terms(f"{fact.name} {words_of(fact.value)}")), -fact.since.timestamp()
