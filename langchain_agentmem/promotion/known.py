"""What the memory knows already of what a conversation is about, under small numbers that a model can name.

Ids that are long get garbled and made up; a number from 1 to 30 is either in the list or it is not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from langgraph.store.base import Op, SearchItem, SearchOp

from langchain_agentmem.errors import UnsupportedServerError
from langchain_agentmem.longterm import record
from langchain_agentmem.longterm.bank import MemoryBank
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.identity import normalise
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.promotion.batch import digest
from langchain_agentmem.promotion.conversation import Conversation, Redact

_NEAREST = 8  # memories looked up for each turn
_MOST = 30  # memories shown in all
_FACTS = 60
_QUERY = 2_000  # characters of a turn that are looked up
CLAIM = "claim"
"""Entry in a memory's metadata: it was claimed by someone who told the assistant what to do."""


@dataclass(frozen=True, slots=True)
class KnownMemory:
    """A memory that a change may be about.

    Attributes:
        id: Its id.
        text: What it says; empty where only its fact is known.
        kind: Its kind.
        state: The fact it stands for.
        value: The fact's value.
        event_time: When it happened, or was said.
    """

    id: str
    text: str
    kind: str = "semantic"
    state: str | None = None
    value: Any = None
    event_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known.

    Attributes:
        memories: The memories, in the order of their numbers, from 1.
        facts: The facts of the scope.
        summary: The thread's summary so far.
        sequence: How many turns of the thread were remembered verbatim.
    """

    memories: Sequence[KnownMemory] = ()
    facts: Mapping[str, Fact] = field(default_factory=dict)
    summary: str | None = None
    sequence: int = 0

    def numbered(self, number: int | None) -> KnownMemory | None:
        """The memory of that number."""
        return self.memories[number - 1] if number and 1 <= number <= len(self.memories) else None

    def standing_for(self, state: str | None) -> KnownMemory | None:
        """The memory that stands for a fact."""
        return next((memory for memory in self.memories if state and memory.state == state), None)

    def loose(self, state: str | None) -> Fact | None:
        """A fact that no memory stands for, as when it was set by hand."""
        fact = self.facts.get(state or "")
        return fact if fact and fact.memory_id is None else None

    def version_of(self, memory: KnownMemory) -> int:
        """The version of the fact that a memory stands for; 0: it stands for none."""
        fact = self.facts.get(memory.state or "")
        return fact.version if fact and fact.memory_id == memory.id else 0

    def standing(self) -> list[KnownMemory]:
        """The facts, each as the memory that stands for it; without an id, where none does."""
        held = [memory for memory in self.memories if memory.state]
        loose = [fact for fact in self.facts.values() if self.loose(fact.name)]
        return [*held, *(KnownMemory("", "", state=fact.name, value=fact.value) for fact in loose)]

    def saying(self, text: str) -> list[KnownMemory]:
        """The memories that say just this."""
        wanted = normalise(text)
        return [memory for memory in self.memories if memory.text and normalise(memory.text) == wanted]

    def twin(self, memory: Memory) -> KnownMemory | None:
        """The memory that is known and says just what another does. An event of another day is another.

        What holds data is compared where it is remembered: data is not shown here.
        """
        if memory.data:
            return None
        return next((each for each in self.saying(memory.text) if _is_of_same_time(each, memory)), None)

    @property
    def user(self) -> str | None:
        """The user's name."""
        fact = self.facts.get("name")
        return fact.value if fact and isinstance(fact.value, str) else None

    def shown(self) -> str:
        """The memories for a prompt."""
        lines = [f"memory {number}: {_shown(memory)}" for number, memory in enumerate(self.memories, 1)]
        others = [fact for name, fact in self.facts.items() if not self.standing_for(name)]
        return "\n".join([*lines, *(f"(fact {fact.name} = {_plain(fact.value)})" for fact in others[:_FACTS])])


def _is_of_same_time(one: KnownMemory, other: Memory) -> bool:
    days = [each.event_time and each.event_time.date() for each in (one, other)]
    return one.kind == other.kind and (one.kind != "episodic" or days[0] == days[1])


def _shown(memory: KnownMemory) -> str:
    fact = f"[{memory.state} = {_plain(memory.value)}] " if memory.state else ""
    return f"{fact}{json.dumps(memory.text, ensure_ascii=False)}" if memory.text else fact.strip()


def _plain(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


async def look_up(bank: MemoryBank, talk: Conversation, redact: Redact, *, memories: bool = True) -> Known:
    """The facts of the scope and, with `memories`, those nearest to each turn of a user. Counts as no recall."""
    facts = await bank.facts.aall(talk.scope)
    if not memories:
        return Known(facts=facts)
    found = {item.key: item for item in await _nearest(bank, talk)}
    nearest = [_known(item, redact) for item in found.values() if _is_learned(item, talk)]
    held = {memory.id for memory in nearest[:_MOST]}
    others = [
        KnownMemory(fact.memory_id, "", state=fact.name, value=fact.value)
        for fact in facts.values()
        if fact.memory_id and fact.memory_id not in held
    ]
    summary = await bank.aget(summary_id(talk.thread_id), talk.scope)
    return Known([*nearest[:_MOST], *others[:_FACTS]], facts, redact(summary.text) if summary else None)


async def _nearest(bank: MemoryBank, talk: Conversation) -> Iterable[SearchItem]:
    """All turns' nearest in one round trip, by rank: the nearest of each turn first."""
    queries = dict.fromkeys(line.text[:_QUERY] for line in talk.told)
    searches: list[Op] = [SearchOp(talk.scope.path, query=query, limit=_NEAREST) for query in queries]
    try:
        results = await bank.store.abatch(searches)
    except UnsupportedServerError:
        return []  # too many memories for a server without search: facts are still known, and duplicates still met
    pages = [page for page in results if isinstance(page, list)]
    ranked = [(rank, item) for page in pages for rank, item in enumerate(page) if isinstance(item, SearchItem)]
    return [item for _, item in sorted(ranked, key=lambda each: each[0])]


def _is_learned(item: SearchItem, talk: Conversation) -> bool:
    """Whether it was learned, and is of this very scope: turns kept verbatim and mere claims are nothing known."""
    metadata = record.said(item.value, "metadata") or {}
    verbatim = str(metadata.get("strategy", "")).startswith("verbatim@")
    summary = item.value.get("kind") == "summary"
    return tuple(item.namespace) == talk.scope.path and not (summary or verbatim or metadata.get(CLAIM))


def _known(item: SearchItem, redact: Redact) -> KnownMemory:
    memory = record.load(item.value, id=item.key)
    text = redact(memory.text)
    return KnownMemory(memory.id, text, memory.kind, memory.state, memory.value, memory.event_time)


def summary_id(thread_id: str) -> str:
    """Id of the memory that holds a thread's summary."""
    return f"summary-{digest(thread_id)}"


def turn_id(thread_id: str, message_id: str) -> str:
    """Id of the memory that holds a turn verbatim."""
    return f"turn-{digest([thread_id, message_id])}"


async def count_turns(bank: MemoryBank, talk: Conversation) -> int:
    """The number of the thread's last turn that was remembered verbatim, as far as the turns before these tell."""
    for line in reversed(talk.earlier):
        if line.by_user and (memory := await bank.aget(turn_id(talk.thread_id, line.turn.id), talk.scope)):
            return (memory.source and memory.source.sequence) or 0
    return 0
