"""Whole threads: list, delete, copy, prune, pin."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from langchain_agentmem.errors import InvalidInputError, InvalidTypeError
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.thread.layout import Record
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.keys import Keys, escape, unescape
from langchain_agentmem.wire.scripts import Script

_DROP = Script("thread_drop")
_DROP_CHECKPOINTS = Script("checkpoint_drop")
_DUMP = Script("thread_dump")
_RESTORE = Script("thread_restore")
_TOUCH = Script("thread_touch")
_UNREGISTER = Script("thread_unregister")
_PAGE = 100


@dataclass(frozen=True, slots=True)
class ThreadInfo:
    """One thread in a listing.

    Attributes:
        thread_id: Its id.
        updated_at: When it was last written to.
        checkpoint_id: Its newest checkpoint in the root namespace; None when it has only subgraph checkpoints.
        metadata: That checkpoint's metadata.
    """

    thread_id: str
    updated_at: datetime
    checkpoint_id: str | None
    metadata: Mapping[str, Any]

    @property
    def score(self) -> int:
        """`updated_at` in milliseconds since 1970, as the registry holds it."""
        return round(self.updated_at.timestamp() * 1000)


class Threads:
    """The threads of one tenant.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        codec: Gives the serializer of the moment.
    """

    def __init__(self, redis: Connection, keys: Keys, codec: Callable[[], Codec]) -> None:
        self._redis, self._keys, self._codec = redis, keys, codec

    def keys_of(self, thread_id: str) -> list[str]:
        """The keys of a script that changes a thread, or moves its expiry."""
        return keys_of_thread(self._redis, self._keys, thread_id)

    def registering(self, thread_id: str, user: str) -> list[Command]:
        """On a cluster, where no script reaches the registries, the commands that note a thread in them."""
        if not self._redis.clustered:
            return []
        now = int(time.time() * 1000)
        return [("ZADD", registry, now, escape(thread_id)) for registry in self._registries(user)]

    def _registries(self, user: str) -> list[str]:
        return [self._keys.threads(), *([self._keys.threads(user)] if user else [])]

    async def alist(
        self,
        *,
        user: str | None = None,
        filter: Mapping[str, Any] | None = None,
        limit: int = 50,
        after: ThreadInfo | None = None,
    ) -> Sequence[ThreadInfo]:
        """A page of threads, last active first. Two round trips for each hundred threads looked at.

        Args:
            user: Only threads that belong to this user: the `user_id` in the metadata that named one last.
            filter: Only threads whose newest root checkpoint has these metadata values.
            limit: The most to return.
            after: The last thread of the page before.

        Raises:
            InvalidInputError: `user` is no text.
        """
        if user is not None and not isinstance(user, str):
            raise InvalidInputError(f"user: pass the user's id as text, not {type(user).__name__}")
        found: list[ThreadInfo] = []
        if limit <= 0:
            return found
        async for thread in self._walk(user, after):
            if all(thread.metadata.get(key) == value for key, value in (filter or {}).items()):
                found.append(thread)
                if len(found) == limit:
                    break
        return found

    list = sync_of(alist)

    async def _walk(self, user: str | None, after: ThreadInfo | None) -> AsyncIterator[ThreadInfo]:
        async for members in self._pages(self._keys.threads(user), after):
            for thread in await self._look_at(user, members):
                yield thread

    async def _pages(self, registry: str, after: ThreadInfo | None) -> AsyncIterator[Sequence[tuple[bytes, int]]]:
        """Entries of a registry, newest first: (member, score in ms)."""
        # Redis orders equal scores by member, descending too, so (score, member) is an exact place to go on from.
        place = (after.score, escape(after.thread_id).encode()) if after else None
        count = _PAGE
        while True:
            top = place[0] if place else "+inf"
            command = ("ZREVRANGEBYSCORE", registry, top, "-inf", "WITHSCORES", "LIMIT", 0, count)
            entries = _pairs((await self._redis.send(command))[0])
            fresh = [entry for entry in entries if place is None or entry[::-1] < place]
            yield fresh
            if len(entries) < count:
                return
            last = entries[-1][::-1]
            place = min(place, last) if place else last
            count = _PAGE + sum(score == place[0] for _, score in entries)

    async def _look_at(self, user: str | None, members: Sequence[tuple[bytes, int]]) -> Sequence[ThreadInfo]:
        ids = [unescape(member) for member, _ in members]
        commands: list[Command] = [("HMGET", self._keys.head(thread_id, ""), "id", "@") for thread_id in ids]
        commands += [("HMGET", self._keys.thread(thread_id), "created", "orphan", "user") for thread_id in ids]
        replies = await self._redis.send(*commands)
        heads, states = replies[: len(ids)], replies[len(ids) :]
        listed = [_belongs(state, user) for state in states]
        strays = [entry for entry, stays in zip(members, listed, strict=True) if not stays]
        await self._drop(self._keys.threads(user), strays)
        return [
            self._info(thread_id, score, head)
            for thread_id, (_, score), head, stays in zip(ids, members, heads, listed, strict=True)
            if stays
        ]

    def _info(self, thread_id: str, score: int, head: Sequence[bytes | None]) -> ThreadInfo:
        checkpoint_id, record = head
        metadata = self._codec().loads_typed(Record.unpack(record).metadata) if record else {}
        updated_at = datetime.fromtimestamp(score / 1000, UTC)
        return ThreadInfo(thread_id, updated_at, checkpoint_id.decode() if checkpoint_id else None, metadata)

    async def _drop(self, registry: str, entries: Sequence[tuple[bytes, int]]) -> None:
        if entries:  # only with the score that was seen: the thread may have come back meanwhile
            flat = [part for entry in entries for part in entry]
            await self._redis.send(_UNREGISTER([registry], flat))

    async def all_ids(self) -> AsyncIterator[str]:
        """The id of every thread, last active first. One round trip for each hundred."""
        async for members in self._pages(self._keys.threads(), None):
            for member, _ in members:
                yield unescape(member)

    async def delete(self, thread_id: str) -> None:
        """Remove a thread: every namespace, checkpoint and write. One round trip (on a cluster, two)."""
        await self._send_drops([thread_id], _DROP)

    async def prune(self, thread_ids: Sequence[str], strategy: str) -> None:
        """Remove checkpoints of threads, by the strategies of `BaseCheckpointSaver.prune`. One round trip for all.

        Raises:
            InvalidInputError: The strategy is unknown, or (`InvalidTypeError`) `thread_ids` is one text.
        """
        _refuse_text("thread_ids", thread_ids)
        names = [str(thread_id) for thread_id in thread_ids]
        match strategy:
            case "keep_latest":
                await self._send_drops(names, _DROP_CHECKPOINTS, "latest")
            case "delete" | "delete_all":  # the latter is what a LangGraph server says
                await self._send_drops(names, _DROP)
            case _:
                raise InvalidInputError(f"strategy: {strategy!r} is unknown; use keep_latest or delete")

    async def drop_runs(self, run_ids: Sequence[str]) -> None:
        """Remove what some runs made, in every thread. Looks at each thread once: one round trip for each hundred.

        Raises:
            InvalidTypeError: `run_ids` is one text.
            redis.exceptions.RedisError: The server failed for a thread; all others are done then.
        """
        _refuse_text("run_ids", run_ids)
        if not run_ids:
            return
        failed: list[Exception] = []
        async for members in self._pages(self._keys.threads(), None):
            names = [unescape(member) for member, _ in members]
            failed += await self._try_drops(names, _DROP_CHECKPOINTS, "runs", *map(str, run_ids))
        _raise_first(failed)

    async def _send_drops(self, thread_ids: Sequence[str], script: Script, *args: str) -> None:
        _raise_first(await self._try_drops(thread_ids, script, *args))

    async def _try_drops(self, thread_ids: Sequence[str], script: Script, *args: str) -> Sequence[Exception]:
        """Run a script for each thread. Returns what the server said of those where it failed."""
        commands = [script(self.keys_of(name), [escape(name), *args]) for name in thread_ids]
        replies = await self._redis.send(*commands, return_errors=True)
        done = [(name, reply) for name, reply in zip(thread_ids, replies, strict=True) if isinstance(reply, list)]
        if self._redis.clustered:
            gone = [(name, unescape(user)) for name, (lost, user) in done if lost]
            await self._redis.send(
                *[("ZREM", registry, escape(name)) for name, user in gone for registry in self._registries(user)]
            )
        return [reply for reply in replies if isinstance(reply, Exception)]

    async def copy(self, source_id: str, target_id: str) -> None:
        """Make a thread a copy of another: every checkpoint and write. Two round trips; a replay changes nothing.

        What the target held before is replaced. A source that does not exist leaves the target as it is.
        """
        [parts] = await self._redis.send(_DUMP([self._keys.thread(source_id)]))
        if not parts or source_id == target_id:
            return
        [user] = await self._redis.send(_RESTORE(self.keys_of(target_id), [escape(target_id), *parts]))
        await self._redis.send(*self.registering(target_id, unescape(user)))

    async def touch(self, thread_id: str, how: str) -> bool:
        """`pin`, `unpin` or `read` a thread. Returns whether it exists."""
        [existed] = await self._redis.send(_TOUCH(self.keys_of(thread_id), [how]))
        return bool(existed)


def keys_of_thread(redis: Connection, keys: Keys, thread_id: str) -> list[str]:
    """A thread's own key and, where one server holds all, the registry."""
    own = keys.thread(thread_id)
    return [own] if redis.clustered else [own, keys.threads()]


def _refuse_text(name: str, ids: object) -> None:
    """One text in the place of a list of ids: its letters would be taken for ids."""
    if isinstance(ids, str):
        raise InvalidTypeError(f"{name}: pass a list of ids, not a str: [{ids!r}]")


def _raise_first(errors: Sequence[Exception]) -> None:
    for error in errors:
        raise error


def _belongs(state: Sequence[bytes | None], user: str | None) -> bool:
    """Whether a thread, by its creation, orphanhood and user, exists and is that user's (None: anybody's)."""
    created, orphan, owner = state
    return bool(created or orphan) and (user is None or owner == escape(user).encode())


def _pairs(reply: Sequence[Any]) -> list[tuple[bytes, int]]:
    """Members with scores, which redis-py gives as pairs or as a flat list."""
    flat = [part for entry in reply for part in (entry if isinstance(entry, list | tuple) else [entry])]
    return [(member, int(float(score))) for member, score in zip(flat[::2], flat[1::2], strict=True)]
