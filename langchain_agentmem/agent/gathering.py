"""Finding what of a tenant's data is one user's: a walk over all its keys, and into what users share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from langchain_agentmem.agent.belongings import (
    Belongings,
    is_cache,
    is_shared_registry,
    is_shared_stream,
    owner_in,
    question,
    waiting_scope,
)
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.keys import KeyName, Keys, unescape

Progress: TypeAlias = Callable[[str, int], object]
Found: TypeAlias = tuple[bytes, KeyName]

PAGE = 1000  # keys, or entries, of one round trip


@dataclass
class Finds:
    """What one walk found.

    Attributes:
        keys: Keys that hold nothing but the user's.
        entries: Ids of the user's entries in streams that users share.
        members: The user's entries in registries that users share.
        caches: Keys of caches.
        named: Keys that are not the user's and name them.
        again: Whether threads turned out to be theirs only now, so that another walk finds more.
        looked_at: How many keys there were.
    """

    keys: list[Found] = field(default_factory=list)
    entries: dict[bytes, list[bytes]] = field(default_factory=dict)
    members: dict[bytes, list[bytes]] = field(default_factory=dict)
    caches: list[bytes] = field(default_factory=list)
    named: list[bytes] = field(default_factory=list)
    again: bool = False
    looked_at: int = 0

    def __bool__(self) -> bool:
        return bool(self.keys or self.entries or self.members)

    def told(self) -> list[str]:
        """What is left, in words."""
        return [
            *(f"{key.decode()} is the user's" for key, _ in self.keys),
            *(f"{key.decode()} has {len(ids)} entries of the user's" for key, ids in self.entries.items()),
            *(f"{key.decode()} lists {len(members)} of the user's" for key, members in self.members.items()),
            *(f"{key.decode()} names the user" for key in self.named),
        ]


class Gatherer:
    """Finds what is a user's.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        theirs: What is known to be the user's. What a walk finds out is added to it.
        progress: Told how many keys were looked at, page by page.
    """

    def __init__(self, redis: Connection, keys: Keys, theirs: Belongings, progress: Progress | None) -> None:
        self._redis, self._keys, self._theirs, self._progress = redis, keys, theirs, progress
        self._waiting: set[str] = set()  # threads from which turns of the user's scopes came
        self._shared: set[str] = set()  # ... and of others'

    async def begin(self) -> None:
        """Ask the registries which threads and sessions are the user's."""
        user = self._theirs.user
        registries = self._keys.threads(user), self._keys.sessions(user)
        replies = await self._redis.send(*(("ZRANGE", registry, 0, -1) for registry in registries))
        await self._add({unescape(member) for reply in replies for member in reply})

    async def walk(self) -> Finds:
        """Look at every key of the tenant."""
        finds, shared = Finds(), dict[bytes, KeyName]()
        candidates: set[str] = set()
        async for page in self._redis.scan(f"{self._keys.base}:*", PAGE):
            names = [(key, self._keys.read(key)) for key in dict.fromkeys(page)]
            shared |= {key: name for key, name in names if is_shared_stream(name) or is_shared_registry(name)}
            candidates |= await self._look_at(names, finds)
            finds.looked_at += len(names)
            if self._progress:
                self._progress("looked at", finds.looked_at)
        for key, name in shared.items():
            await (self._read_stream(key, finds) if is_shared_stream(name) else self._read_registry(key, name, finds))
        finds.again = await self._add(candidates | (self._waiting - self._shared))
        return finds

    async def _look_at(self, names: Sequence[Found], finds: Finds) -> set[str]:
        """Sort a page of keys. Returns threads that say that they are the user's."""
        asked: list[tuple[bytes, KeyName, Command]] = []
        for key, name in names:
            theirs = self._theirs.hold(name)
            if theirs:
                finds.keys.append((key, name))
            elif is_cache(name):
                finds.caches.append(key)
            elif self._theirs.are_named_by(name):
                finds.named.append(key)
            command = question(key, name)
            if command and (waiting_scope(name) or not theirs):
                asked.append((key, name, command))
        replies = await self._redis.send(*(command for _, _, command in asked))
        found = set()
        for (key, name, _), reply in zip(asked, replies, strict=True):
            if waiting_scope(name):
                (self._waiting if self._theirs.hold(name) else self._shared).update(map(unescape, reply))
            elif isinstance(reply, list):
                self._note_members(key, name, reply, finds)
            elif owner_in(name, reply) == self._theirs.user:
                found.add(unescape(name.tag))
        return found

    def _note_members(self, key: bytes, name: KeyName, members: Iterable[bytes], finds: Finds) -> None:
        mine = [member for member in members if self._theirs.list_in(name.kind, member)]
        if mine:
            finds.members.setdefault(key, []).extend(mine)

    async def _read_registry(self, key: bytes, name: KeyName, finds: Finds) -> None:
        cursor: Any = 0
        while True:
            cursor, entries = (await self._redis.send(("ZSCAN", key, cursor, "COUNT", PAGE)))[0]
            members = [each if isinstance(each, bytes) else each[0] for each in entries]
            self._note_members(key, name, members, finds)
            if not int(cursor):
                return

    async def _read_stream(self, key: bytes, finds: Finds) -> None:
        start = b"-"
        while True:
            entries = (await self._redis.send(("XRANGE", key, start, "+", "COUNT", PAGE)))[0]
            if mine := [id_ for id_, entry in entries if entry and self._theirs.wrote(entry)]:
                finds.entries.setdefault(key, []).extend(mine)
            if len(entries) < PAGE:
                return
            start = b"(" + entries[-1][0]

    async def _add(self, candidates: set[str]) -> bool:
        """Take those of some threads that are nobody else's for the user's. Returns whether any was new."""
        new = sorted(candidates - self._theirs.threads - self._theirs.sessions)
        found = False
        for start in range(0, len(new), PAGE):
            page = new[start : start + PAGE]
            hashes = [key for each in page for key in (self._keys.thread(each), self._keys.session(each))]
            replies = await self._redis.send(*(("HGET", key, "user") for key in hashes))
            for thread_id, thread, session in zip(page, replies[::2], replies[1::2], strict=True):
                found |= self._judge(thread_id, thread, session)
        return found

    def _judge(self, thread_id: str, thread: bytes | None, session: bytes | None) -> bool:
        user = self._theirs.user
        owner = unescape(thread) if thread else None
        of_session = session.decode("utf-8", "surrogatepass") if session else None
        if owner == user or (owner is None and of_session in (None, user)):
            self._theirs.threads.add(thread_id)
            return True
        if of_session == user:
            self._theirs.sessions.add(thread_id)
        return of_session == user
