"""Facts: the exact, versioned state of a scope. What is true is looked up by name, not searched for."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from langchain_agentmem.errors import CorruptDataError, VersionConflictError
from langchain_agentmem.longterm import checks, items
from langchain_agentmem.longterm.heard import Heard, words_of
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.operations import guard
from langchain_agentmem.longterm.record import Scope, Source, check_source, dump_source, path_of
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape, unescape
from langchain_agentmem.wire.scripts import Script

HISTORY_TTL = timedelta(days=90).total_seconds()
"""Seconds that what facts and memories were is kept, by default."""

_SET = Script("fact_set")
_UNREADABLE: tuple[type[Exception], ...] = (ValueError, TypeError, AttributeError, ArithmeticError, RecursionError)


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact, or what it was.

    Attributes:
        name: Its name, such as `diet`.
        value: Its value, a JSON value.
        version: Counts its changes, from 1.
        since: From when it is so.
        until: Until when it was so; None while it is.
        memory_id: The memory that it comes from, if one stands for it.
        source: Where it was said, as far as that is known.
    """

    name: str
    value: Any
    version: int
    since: datetime
    until: datetime | None = None
    memory_id: str | None = None
    source: Source | None = None


class Facts:
    """The facts of each scope, in one hash that one command reads whole.

    A memory that stands for a fact (`Memory.state`) and the fact change together: remembering sets the fact; setting or
    deleting the fact takes the memory out of every recall of the present.

    Args:
        store: The store whose namespaces the facts belong to.
        history_ttl: Seconds that former values are kept.
    """

    def __init__(self, store: AgentMemoryStore, *, history_ttl: float = HISTORY_TTL) -> None:
        self._store = store
        self._history = round(history_ttl * 1000)

    async def aset(
        self,
        scope: Scope,
        name: str,
        value: Any,
        *,
        source: Source | None = None,
        expected_version: int | None = None,
        operation: str | None = None,
    ) -> int:
        """Set a fact. One round trip.

        Args:
            scope: Whose fact.
            name: Its name.
            value: Its value; anything JSON can hold, but no NaN or infinity, and no deep nesting.
            source: Where it was said; kept with the fact and in its history.
            expected_version: The version it must have now, 0 for none yet.
            operation: A name for this change: the same again, within a day, changes nothing and returns the same.

        Returns:
            Its version: a new one, unless it had this value already.

        Raises:
            VersionConflictError: It has another version than the expected one.
            InvalidInputError: JSON has no form for the value, or it is nested too deep.
        """
        text = checks.plain("value", value)
        check_source(source)
        return await self._write(scope, name, text, dump_source(source), expected_version, operation)

    async def adelete(
        self,
        scope: Scope,
        name: str,
        *,
        expected_version: int | None = None,
        operation: str | None = None,
        heard: Heard | None = None,
    ) -> bool:
        """Delete a fact; its former values stay in `history` until they expire.

        Args:
            scope: Whose fact.
            name: Its name.
            expected_version: The version it must have now, 0 for none.
            operation: As for `aset`.
            heard: When it was said that it is no longer so, and in which thread, as a promotion tells it: a fact that
                was last said after that, in another thread or by hand, stays. By default, now.

        Returns:
            Whether there was one to delete. Also of one that is not there it is kept that it is not so: what was said
            before that and is promoted after it does not make it so.

        Raises:
            VersionConflictError: It has another version than the expected one.
        """
        return await self._write(scope, name, "", "", expected_version, operation, heard) > 0

    async def aget(self, scope: Scope, name: str) -> Fact | None:
        """A fact as it is now, or None.

        Raises:
            CorruptDataError: Another program wrote it.
        """
        checks.text("name", name)
        key = self._key(scope)
        text = (await self._store.connection.send(("HGET", key, escape(name))))[0]
        return None if text is None else _read(name, text, key)

    async def aall(self, scope: Scope) -> dict[str, Fact]:
        """All facts of a scope by name, sorted. One HGETALL.

        Raises:
            CorruptDataError: Another program wrote one.
        """
        key = self._key(scope)
        return read_all((await self._store.connection.send(("HGETALL", key)))[0], key)

    async def ahistory(self, scope: Scope, name: str) -> list[Fact]:
        """What a fact is and was, newest first."""
        checks.text("name", name)
        path, member = path_of(scope, self._store.keys), escape(name)
        facts, known = self._store.keys.facts(path), self._store.keys.known(path)
        last, now = await self._store.connection.send(("HGET", known, f"!{member}"), ("HGET", facts, member))
        keys = [f"{facts}:{member}:{version}" for version in range(last_version(last or b"0"), 0, -1)]
        past = await self._store.connection.send(*(("GET", key) for key in keys))
        found = [read_past(name, text, key) for key, text in zip(keys, past, strict=True) if text]
        return found if now is None else [_read(name, now, facts), *found]

    set = sync_of(aset)
    delete = sync_of(adelete)
    get = sync_of(aget)
    all = sync_of(aall)
    history = sync_of(ahistory)

    def command(self, path: Namespace) -> Command:
        """What reads all facts of a namespace, for `read_all`."""
        return ("HGETALL", self._store.keys.facts(path))

    def _key(self, scope: Scope) -> str:
        return self._store.keys.facts(path_of(scope, self._store.keys))

    async def _write(
        self,
        scope: Scope,
        name: str,
        text: str,
        source: str,
        expected: int | None,
        operation: str | None,
        heard: Heard | None = None,
    ) -> int:
        checks.name("name", name)
        if expected is not None:
            checks.whole("expected_version", expected)
        path = path_of(scope, self._store.keys)
        wanted = "" if expected is None else expected
        guards = *guard(self._store.keys, path, operation, _SET.name, name), *words_of(heard)
        call = self._store.item_command(_SET, path, "", escape(name), text, wanted, self._history, source, *guards)
        version = int((await self._store.connection.send(call))[0][0])
        self._store.changes.note(path)
        if version < 0:
            raise VersionConflictError(
                f"expected_version: {name!r} is at version {-1 - version}, not {expected}; read it and decide anew"
            )
        return version


def read_all(reply: Any, key: str = "the facts of a scope") -> dict[str, Fact]:
    """The facts in a reply to `Facts.command`.

    Args:
        reply: The reply.
        key: What an error calls the hash.

    Raises:
        CorruptDataError: Another program wrote one.
    """
    found = [_read(_named(name, key), text, key) for name, text in items.mapping(reply).items()]
    return {fact.name: fact for fact in sorted(found, key=_by_name)}


def last_version(noted: bytes) -> int:
    """The last version of a fact that is past, from what `memory.lua` notes of it; 0: there is none."""
    return int(noted.partition(b" ")[0])


def write_fact(fact: Fact) -> str:
    """A fact as it is kept: see `memory.lua`. One that is past has its end before that."""
    member = "-" if fact.memory_id is None else escape(fact.memory_id)
    text = f"{fact.version} {items.from_time(fact.since)} {member} {json.dumps(fact.value)}"
    text += f"\n{dump_source(fact.source)}" if fact.source else ""
    return text if fact.until is None else f"{items.from_time(fact.until)} {text}"


def _by_name(fact: Fact) -> str:
    return fact.name


def _named(field: bytes, key: str) -> str:
    try:
        return unescape(field)
    except UnicodeDecodeError as error:
        raise _corrupt(repr(field), key) from error


def _read(name: str, text: bytes, key: str) -> Fact:
    try:
        version, since, member, said = text.split(b" ", 3)
        value, _, source = said.partition(b"\n")  # JSON has no line breaks
        memory_id = None if member == b"-" else unescape(member)
        said_in = Source.load(json.loads(source)) if source else None
        return Fact(name, json.loads(value), int(version), items.to_time(since), None, memory_id, said_in)
    except _UNREADABLE as error:
        raise _corrupt(repr(name), key) from error


def read_past(name: str, text: bytes, key: str) -> Fact:
    """A fact as it was, from what is kept of it in a key.

    Raises:
        CorruptDataError: Another program wrote it.
    """
    until, _, rest = text.partition(b" ")
    fact = _read(name, rest, key)
    try:
        return replace(fact, until=items.to_time(until))
    except _UNREADABLE as error:
        raise _corrupt(repr(name), key) from error


def _corrupt(name: str, key: str) -> CorruptDataError:
    return CorruptDataError(f"{key}: what lies there as {name} is no fact; another program wrote it: delete it there")
