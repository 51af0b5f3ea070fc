"""A context in the making: which lines of state, memories and events find room in the block."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from langchain_core.messages import BaseMessage

from langchain_agentmem.agent.overlap import Overlap, fact_words
from langchain_agentmem.agent.rendering import (
    Budget,
    CountTokens,
    Section,
    event_line,
    fact_line,
    fact_text,
    memory_line,
    one_line,
    render,
    short_id,
    short_ids,
)
from langchain_agentmem.agent.state import State
from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.text import terms


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


class Draft:
    """A block in the making.

    Args:
        budget: The tokens that are left.
        query: What was asked.
        messages: The conversation that the model will see.
        halve: Whether half of the budget is kept for memories while the state is filled in.

    Attributes:
        state: What is known without searching; None before `begin`.
    """

    def __init__(self, budget: Budget, query: str, messages: Sequence[BaseMessage], *, halve: bool) -> None:
        self.state: State | None = None
        self._budget, self._query, self._messages, self._halve = budget, query, messages, halve
        self._facts, self._goal = Section("Facts"), Section("Goal", inline=True)
        self._pad, self._summary = Section("Scratchpad"), Section("Summary of earlier turns", inline=True)
        self._memories, self._events = Section("Memories, best first"), Section("Recent events")
        self._shown: dict[str, Fact] = {}
        self._taken: dict[tuple[Namespace, str], str] = {}
        self._waiting: list[_Line] = []

    def begin(self, state: State) -> None:
        """Add what is known without searching."""
        self.state, self._waiting = state, list(self._lines(state))
        if self._halve:
            self.fill(keep=self._budget.left // 2)

    def _lines(self, state: State) -> Iterator[_Line]:
        """The state, most needed first."""
        session = state.session
        if session and session.goal:
            yield _Line(self._goal, 0, one_line(session.goal), cut=True)
        asked = frozenset(terms(self._query))
        for place, fact in sorted(enumerate(state.facts.values()), key=lambda each: _need(asked, each[1])):
            yield _Line(self._facts, place, fact_line(fact), fact=fact)
        notes = [note for note in (session.scratchpad or "").splitlines() if note.strip()] if session else []
        for place, note in reversed(list(enumerate(notes))):
            yield _Line(self._pad, place, one_line(note))
        if session and session.summary:
            yield _Line(self._summary, 0, one_line(session.summary, len(session.summary)), cut=True)

    def fill(self, *, keep: int | None = None) -> None:
        """Add what fits of the state. While tokens are kept for others no line is cut."""
        left = []
        for line in self._waiting:
            cut = line.cut and keep is None
            if not self._budget.add(line.section, line.place, line.text, keep=keep or 0, cut=cut):
                left.append(line)
            elif line.fact:
                self._shown[line.fact.name] = line.fact
        self._waiting = left

    @cached_property
    def _overlap(self) -> Overlap:
        return Overlap(self._shown.values(), self._messages)

    def takes_memory(self, memory: Memory) -> bool:
        """Whether a memory is worth its tokens, and there are as many left. Asked for each, best first."""
        if self._overlap.tells(memory):
            return False
        line = memory_line(memory, short_id(memory.id))
        if not self._budget.takes(self._memories, line, first=not self._taken):
            return False
        self._taken[memory.namespace, memory.id] = line
        return True

    def finish(self, found: Sequence[Recalled], count: CountTokens) -> Context:
        """The block, with these memories of those that were taken."""
        ids = short_ids(each.memory.id for each in found)
        short = {name: beginning for beginning, name in ids.items()}
        self._memories.lines = list(enumerate(self._line(each.memory, short[each.memory.id]) for each in found))
        happened = self.state.events if self.state else ()
        events = [each for at, each in enumerate(happened) if self._budget.add(self._events, -at, event_line(each))]
        text = render([self._facts, self._goal, self._pad, self._summary, self._memories, self._events])
        return Context(text, found, self._shown, events, count(text) if text else 0, ids)

    def _line(self, memory: Memory, shown: str) -> str:
        """The line that was taken, unless it needs more of the memory's id to tell it apart."""
        same = shown == short_id(memory.id)
        return self._taken[memory.namespace, memory.id] if same else memory_line(memory, shown)


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
    return asked.isdisjoint(fact_words(fact_text(fact))), -fact.since.timestamp()
