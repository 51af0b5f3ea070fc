"""What an export holds: the memories and facts of a scope and those below it, each with all it was."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.browsing import Browser
from langchain_agentmem.longterm.facts import Fact, last_version, read_all, read_past
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.transfer import Entry, LastSaid
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import unescape

_PIPELINE = 500  # commands in a round trip


class Exporter:
    """Reads everything of a scope.

    Args:
        store: The store that holds it.
    """

    def __init__(self, store: AgentMemoryStore) -> None:
        self._store = store
        self._browser = Browser(store)

    async def entries(self, path: Namespace) -> list[Entry]:
        """The memories, last remembered first, then those that were retired, then facts that no memory stands for."""
        present: dict[Namespace, list[Memory]] = {}
        for memory in await self._browser.all(path, filter=None):
            present.setdefault(memory.namespace, []).append(memory)
        spaces = sorted({path, *await self._store.namespaces_below(path), *present})
        return [
            entry for space in spaces for entry in await self._of(space, space[len(path) :], present.get(space, []))
        ]

    async def _of(self, space: Namespace, below: Namespace, present: Sequence[Memory]) -> list[Entry]:
        known, current = await self._store.connection.send(
            ("HGETALL", self._store.keys.known(space)), ("HGETALL", self._store.keys.facts(space))
        )
        counts = items.mapping(known)
        pasts = await self._pasts(space, counts)
        facts = await self._facts(space, counts, read_all(current, self._store.keys.facts(space)))
        said = _said(counts)
        entries = []
        for memory in present:
            stands_for = memory.state if memory.state and _comes_from(facts.get(memory.state, ()), memory) else ""
            own = facts.pop(stands_for, ()), said.pop(stands_for, None)
            entries.append(Entry(below, memory, pasts.pop(memory.id, ()), *own))
        entries += [Entry(below, versions[0], versions[1:]) for versions in pasts.values()]
        entries += [Entry(below, facts=each, said=said.pop(name, None)) for name, each in facts.items()]
        return entries + [Entry(below, said=each) for each in said.values()]

    async def _pasts(self, space: Namespace, counts: Mapping[bytes, bytes]) -> dict[str, list[Memory]]:
        """What memories were, by id, newest first."""
        wanted = [
            (unescape(field[1:]), version)
            for field, count in counts.items()
            if field.startswith(b"#")
            for version in range(int(count), 0, -1)
        ]
        stem = [(name, f"{self._store.keys.item(space, name)}:v{version}") for name, version in wanted]
        replies = await self._ask([("HMGET", key, *record.READ_VERSION) for _, key in stem])
        found: dict[str, list[Memory]] = {}
        for (name, _), values in zip(stem, replies, strict=True):
            if memory := record.read_values(values, id=name, namespace=space):
                found.setdefault(name, []).append(memory)
        return found

    async def _facts(
        self, space: Namespace, counts: Mapping[bytes, bytes], current: Mapping[str, Fact]
    ) -> dict[str, list[Fact]]:
        """Facts as they are and were, by name, newest first."""
        wanted = [
            (unescape(field[1:]), f"{self._store.keys.facts(space)}:{field[1:].decode()}:{version}")
            for field, count in counts.items()
            if field.startswith(b"!")
            for version in range(last_version(count), 0, -1)
        ]
        found = {name: [fact] for name, fact in current.items()}
        for (name, key), text in zip(wanted, await self._ask([("GET", key) for _, key in wanted]), strict=True):
            if text is not None:
                found.setdefault(name, []).append(read_past(name, text, key))
        return found

    async def _ask(self, commands: Sequence[Command]) -> list[Any]:
        replies: list[Any] = []
        for start in range(0, len(commands), _PIPELINE):
            replies += await self._store.connection.send(*commands[start : start + _PIPELINE])
        return replies


def _said(counts: Mapping[bytes, bytes]) -> dict[str, LastSaid]:
    """When it was last said what facts are, or that they are not, by name."""
    noted = {unescape(field[1:]): Heard.read(text) for field, text in counts.items() if field.startswith(b"!")}
    return {name: LastSaid(name, heard) for name, heard in noted.items() if heard}


def _comes_from(facts: Sequence[Fact], memory: Memory) -> bool:
    return bool(facts) and facts[0].until is None and facts[0].memory_id == memory.id
