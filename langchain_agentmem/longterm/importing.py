"""How an export is taken in: what is not there is added as it was, what is there stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.facts import Fact, write_fact
from langchain_agentmem.longterm.heard import Heard, words_of
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.remembering import Intake, Outcome, Progress, Remembered, use
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.text import embedded_text
from langchain_agentmem.longterm.transfer import Entry, LastSaid
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape
from langchain_agentmem.wire.scripts import Script

_PAST = Script("memory_past")
_FACT = Script("fact_restore")
_CHUNK = 200  # memories in a round trip


class Importer:
    """Takes entries of an export in.

    First the facts, then what memories were, then what they are: an import that broke off half-way is completed by
    another run of it.

    Args:
        store: Where they go.
        intake: What takes memories in.
        history_ttl: Seconds that what is past is kept.
    """

    def __init__(self, store: AgentMemoryStore, intake: Intake, *, history_ttl: float) -> None:
        self._store = store
        self._intake = intake
        self._history = round(history_ttl * 1000)

    async def take(self, entries: Sequence[Entry], path: Namespace, progress: Progress | None) -> list[Remembered]:
        """Take entries in. Returns what became of each memory among them, in order."""
        spaces: dict[Namespace, list[int]] = {}
        for place, entry in enumerate(entries):
            spaces.setdefault((*path, *entry.below), []).append(place)
        results: dict[int, Remembered] = {}
        total = sum(entry.memory is not None for entry in entries)
        for space, places in spaces.items():
            own = {place: entries[place] for place in places}
            await self._facts([entry for entry in own.values() if entry.facts or entry.said], space)
            results |= await self._pasts(own, space)
            present = {place: memory for place, entry in own.items() if (memory := _now(entry))}
            heard = [_heard(entries[place]) for place in present]
            done = await self._intake.take(
                list(present.values()), space, _after(len(results), total, progress), used=True, heard=heard
            )
            results |= dict(zip(present, done, strict=True))
        return [results[place] for place in sorted(results)]

    async def _facts(self, entries: Iterable[Entry], space: Namespace) -> None:
        commands = [self._fact(entry.facts, entry.said, space) for entry in entries]
        for start in range(0, len(commands), _CHUNK):
            await self._store.connection.send(*commands[start : start + _CHUNK])

    def _fact(self, versions: Sequence[Fact], said: LastSaid | None, space: Namespace) -> Command:
        name = said.fact if said else versions[0].name
        last = words_of(said and said.heard)
        now = next((write_fact(fact) for fact in versions if fact.until is None), "")
        past = [part for fact in versions if fact.until for part in (fact.version, write_fact(fact))]
        return self._store.item_command(_FACT, space, "", escape(name), now, self._history, *last, *past)

    async def _pasts(self, entries: Mapping[int, Entry], space: Namespace) -> dict[int, Remembered]:
        """Take in what memories were. Returns what became of those that are nothing any more."""
        retired: dict[int, Remembered] = {}
        pasts = [(place, past) for place, entry in entries.items() for past in _pasts(entry)]
        for start in range(0, len(pasts), _CHUNK):
            chunk = pasts[start : start + _CHUNK]
            vectors = await self._intake.embed([embedded_text(past.text, past.speaker) for _, past in chunk])
            commands = [self._past(past, space, vector) for (_, past), vector in zip(chunk, vectors, strict=True)]
            replies = await self._store.connection.send(*commands)
            for (place, past), taken in zip(chunk, replies, strict=True):
                if past is entries[place].memory:
                    outcome: Outcome = "retired" if taken else "kept"
                    retired[place] = Remembered(past.id, outcome, "it is past", past.version)
        return retired

    def _past(self, memory: Memory, space: Namespace, vector: bytes | None) -> Command:
        own = self._intake.fields(memory, space, vector) | use(memory) | {"b": memory.version, "Z": ""}
        if memory.created and not memory.event_time:
            own["w"] = items.from_time(memory.created)
        if memory.superseded_by:
            name, _, version = memory.superseded_by.rpartition("@")
            own["D"] = f"{escape(name)} {int(version)}"
        pairs = (part for pair in own.items() for part in pair)
        return self._store.item_command(_PAST, space, memory.id, memory.version, self._history, *pairs)


def _pasts(entry: Entry) -> list[Memory]:
    """What the memory of an entry was; all of it, where it is nothing any more."""
    gone = [entry.memory] if entry.memory and entry.memory.superseded else []
    return [*gone, *entry.history]


def _now(entry: Entry) -> Memory | None:
    """What the memory of an entry is, with what it took the place of."""
    memory = entry.memory
    if memory is None or memory.superseded:
        return None
    before = next((past.version for past in entry.history if past.superseded_by == f"{memory.id}@{memory.version}"), 0)
    return replace(memory, supersedes=f"{memory.id}@{before}" if before else None)


def _heard(entry: Entry) -> Heard | None:
    """When what the memory of an entry says was last said; else when its fact came to be so, or it was last remembered.

    In no thread: what any thread said here since is later.
    """
    if entry.said:
        return Heard(entry.said.heard.at)
    began = next((fact.since for fact in entry.facts if fact.until is None), entry.memory and entry.memory.updated)
    return Heard(began) if began else None


def _after(before: int, total: int, progress: Progress | None) -> Progress | None:
    """Tells `progress` of a part as of the whole."""
    return None if progress is None else lambda done, _: progress(before + done, total)
