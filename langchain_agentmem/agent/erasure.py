"""forget_user(): everything of one user, in every tier, with a receipt and a proof that nothing is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Protocol

from langchain_agentmem.agent.belongings import Belongings, stage, tally, waiting_scope, waiting_thread
from langchain_agentmem.agent.gathering import PAGE, Finds, Found, Gatherer, Progress
from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.log import EventLog
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.outbox import Outbox
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, escape

_WALKS = 8  # a walk that finds nothing ends it; more than three happen only where somebody writes meanwhile

COUNTED = ("threads", "checkpoints", "sessions", "messages", "items", "versions", "facts", "events", "turns", "cached")


class Tiers(Protocol):
    """What `forget_user` works on: an `AgentMemory`, or anything that has these parts."""

    @property
    def connection(self) -> Connection:
        """The connection of all."""

    @property
    def keys(self) -> Keys:
        """The tenant's keys."""

    @property
    def events(self) -> EventLog:
        """The event log."""

    @property
    def outbox(self) -> Outbox:
        """What waits to be promoted."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was erased, and what was found to be left.

    Attributes:
        user: Whose data it was.
        scopes: The scopes that were erased, with all below them.
        threads: Ids of the threads that were erased.
        erased: How much of what: `threads`, `checkpoints`, `sessions`, `messages` (of chat histories), `items` (of the
            store: memories and what else it held), `versions` (what items and facts were), `facts`, `events` (entries
            of streams: most events are in a thread's and in the feed), `turns` (that waited for promotion, or were
            given up), `cached` (keys of caches, of all users), and `keys`.
        looked_at: How many keys of the tenant the last walk looked at: all of them.
        residue: What of the user's, or naming them, that walk found, in words.
        walks: How many walks there were.
        began: When it began.
        ended: When it ended.
    """

    user: str
    scopes: tuple[Scope, ...]
    threads: tuple[str, ...]
    erased: Mapping[str, int]
    looked_at: int
    residue: tuple[str, ...]
    walks: int
    began: datetime
    ended: datetime

    @property
    def clean(self) -> bool:
        """Whether nothing is left."""
        return not self.residue

    def __str__(self) -> str:
        gone = ", ".join(f"{number:,} {name}" for name, number in self.erased.items() if number) or "nothing"
        left = "nothing is left" if self.clean else "left: " + "; ".join(self.residue)
        return f"forgot {self.user!r}: {gone}. Looked at all {self.looked_at:,} keys of the tenant: {left}."


async def aforget_user(
    memory: Tiers,
    user: str | Scope,
    *,
    also: Sequence[Scope] = (),
    threads: Sequence[str] = (),
    on_progress: Progress | None = None,
) -> Receipt:
    """Erase everything of one user, and prove it: the last step looks at every key of the tenant and finds nothing.

    Erased are their threads (checkpoints, session, chat history of that id, events), their sessions, all items,
    memories and facts of the scope and the scopes below with what these were, their entries in the feed of events and
    its dead letters, their turns that wait for promotion, and the node and answer caches of the whole tenant, as
    nothing tells whose an entry of those is. Search indexes follow their keys.

    A thread is a user's if it named them last, as `user_id` in the run's config or context (or in a checkpoint's
    metadata) or as whom a LangGraph server authenticated; if
    it names nobody, also if their session is in it, or if it was promoted to their scope and to no other. What is
    neither, such as a group's thread in which their memories were used, stays and is named in the receipt.

    It takes two walks over the tenant's keys, a thousand to a round trip, however much there is to erase. Running it
    again is safe, also after it broke off. Stop the user's agents first: what runs meanwhile may write again. Another
    walk erases that too, as long as it is not written without end; what a process has not sent yet only comes later.

    Args:
        memory: An `AgentMemory`, or anything with its `connection`, `keys`, `events` and `outbox`.
        user: The user's id; their memories are then those of `Scope(user)`. Or a scope that names the user.
        also: Further scopes that are this user's, such as `Scope(user, ("profiles",))`.
        threads: Further threads, and chat histories, that are theirs, whatever their metadata say.
        on_progress: Called with what was done ("looked at" or "erased") and how many keys that is by now.

    Returns:
        The receipt. `clean` says whether nothing is left; if not, `residue` says what.

    Raises:
        InvalidInputError: The user is not named.
    """
    began = datetime.now(UTC)
    theirs = _theirs(user, also, threads)
    gatherer = Gatherer(memory.connection, memory.keys, theirs, on_progress)
    eraser = _Eraser(memory, theirs, on_progress)
    await memory.events.aflush()
    await gatherer.begin()
    walks, finds = 0, Finds(again=True)
    while (finds or finds.again) and walks < _WALKS:
        if finds and not finds.again:
            await eraser.erase(finds)
        finds = await gatherer.walk()
        walks += 1
    return Receipt(
        user=theirs.user,
        scopes=tuple(theirs.scopes),
        threads=tuple(sorted(theirs.threads)),
        erased={name: eraser.counts[name] for name in (*COUNTED, "keys")},
        looked_at=finds.looked_at,
        residue=(*finds.told(), *await _used_elsewhere(memory, theirs)),
        walks=walks,
        began=began,
        ended=datetime.now(UTC),
    )


def forget_user(
    memory: Tiers,
    user: str | Scope,
    *,
    also: Sequence[Scope] = (),
    threads: Sequence[str] = (),
    on_progress: Progress | None = None,
) -> Receipt:
    """Sync form of `aforget_user`."""
    return run(aforget_user(memory, user, also=also, threads=threads, on_progress=on_progress))


def _theirs(user: str | Scope, also: Sequence[Scope], threads: Sequence[str]) -> Belongings:
    scope = user if isinstance(user, Scope) else Scope(user)
    if not isinstance(scope.user, str):
        raise InvalidInputError("user: pass the user's id, or a Scope that names the user; other scopes go into also=")
    return Belongings(scope.user, [scope, *also], set(threads))


async def _used_elsewhere(memory: Tiers, theirs: Belongings) -> list[str]:
    """Threads that are there, are not theirs, and used their memories."""
    names = sorted(theirs.elsewhere - theirs.threads)
    there = await memory.connection.send(
        *(("EXISTS", key) for name in names for key in (memory.keys.thread(name), memory.keys.events(name)))
    )
    return [
        f"thread {name!r} used the user's memories, and is not known to be theirs; if it is, pass it as threads="
        for name, *found in zip(names, there[::2], there[1::2], strict=True)
        if any(found)
    ]


class _Eraser:
    """Erases what was found. What leads to the rest goes last, so that it can go on after it broke off."""

    def __init__(self, memory: Tiers, theirs: Belongings, progress: Progress | None) -> None:
        self._memory, self._theirs, self._progress = memory, theirs, progress
        self._redis, self._keys = memory.connection, memory.keys
        self.counts: Counter[str] = Counter()

    async def erase(self, finds: Finds) -> None:
        """Erase it."""
        await self._adopt()
        await self._empty_outbox(finds)
        await self._unlink("cached", finds.caches)
        for stream, ids in finds.entries.items():
            if self._keys.read(stream).kind != "outbox":
                self.counts["events"] += await self._remove("XDEL", stream, ids)
        for at in (0, 1):
            await self._drop([found for found in finds.keys if stage(found[1]) == at])
        for registry, members in finds.members.items():
            if self._keys.read(registry).kind != "outbox":
                await self._remove("ZREM", registry, members)
        user = self._theirs.user
        await self._unlink("", [self._keys.sessions(user).encode(), self._keys.threads(user).encode()])

    async def _adopt(self) -> None:
        """Enter all threads under their user: from here on that is what leads to them."""
        entries = [part for thread_id in sorted(self._theirs.threads) for part in (0, escape(thread_id))]
        registry = self._keys.threads(self._theirs.user)
        starts = range(0, len(entries), 2 * PAGE)
        await self._redis.send(*(("ZADD", registry, *entries[start : start + 2 * PAGE]) for start in starts))

    async def _empty_outbox(self, finds: Finds) -> None:
        """Have the outbox forget them; it waits until no worker is at one of their turns."""
        below = [namespace for _, name in finds.keys if (namespace := waiting_scope(name))]
        waiting = {thread_id for _, name in finds.keys if (thread_id := waiting_thread(name)) is not None}
        threads = sorted(waiting | self._theirs.threads)
        for path in dict.fromkeys([*(scope.path for scope in self._theirs.scopes), *below]):
            gone = await self._memory.outbox.aforget(threads, scope=Scope(None, path))
            self.counts["turns"] += gone.turns + gone.dead_letters
            threads = []

    async def _drop(self, found: Sequence[Found]) -> None:
        """Delete keys, counting what they hold."""
        for start in range(0, len(found), PAGE):
            page = found[start : start + PAGE]
            tallies = [tally(name) for _, name in page]
            questions = [(verb, key) for (_, verb), (key, _) in zip(tallies, page, strict=True)]
            replies = await self._redis.send(*questions, *(("UNLINK", key) for key, _ in page))
            for (kind, _), size in zip(tallies, replies, strict=False):
                self.counts[kind] += size
            self._count_keys(replies[len(page) :])

    async def _unlink(self, kind: str, keys: Sequence[bytes]) -> None:
        for start in range(0, len(keys), PAGE):
            replies = await self._redis.send(*(("UNLINK", key) for key in keys[start : start + PAGE]))
            self.counts[kind] += sum(replies)
            self._count_keys(replies)

    async def _remove(self, verb: str, key: bytes, entries: Sequence[bytes]) -> int:
        commands = [(verb, key, *entries[start : start + PAGE]) for start in range(0, len(entries), PAGE)]
        return sum(await self._redis.send(*commands))

    def _count_keys(self, unlinked: Sequence[int]) -> None:
        self.counts["keys"] += sum(unlinked)
        if self._progress:
            self._progress("erased", self.counts["keys"])
