"""`Outbox`: the turns that wait to become memories, kept by the server until they have."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import blake2b
from typing import Any, cast

from langchain_core.messages import MessageLikeRepresentation
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.redact import Redactor, redact_secrets
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion import stats
from langchain_agentmem.promotion.batch import Turn
from langchain_agentmem.promotion.given import is_given
from langchain_agentmem.promotion.jobs import Jobs, Recipe, Settings
from langchain_agentmem.promotion.letters import DeadLetter, DeadLetters
from langchain_agentmem.promotion.stats import OutboxStats
from langchain_agentmem.promotion.taking import Offer, current_turn, dated, everything
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.wire.bridge import sleep, sync_of
from langchain_agentmem.wire.closing import ClosingOwn
from langchain_agentmem.wire.connection import Connection, Source
from langchain_agentmem.wire.keys import Keys, escape, write_namespace
from langchain_agentmem.wire.scripts import Script, ScriptCall

_ADD = Script("outbox_add")
_FORGET = Script("outbox_forget")
_IDS_KEPT = 2_000  # of a thread, by which a message is known as taken
_LOOK_AGAIN = 0.05  # seconds between two looks whether a worker has let a forgotten thread go


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What left the outbox.

    Attributes:
        threads: Threads of which something was known.
        turns: Turns that waited.
        dead_letters: Letters that were given up before.
    """

    threads: int
    turns: int
    dead_letters: int


class Outbox(ClosingOwn):
    """The turns that wait to become memories: taken in one round trip, promoted by workers, never lost on the way.

    A turn leaves it when its memories are stored, and not before: a worker that dies, a model that fails, a restart of
    any part changes nothing about that. What cannot be promoted in the end is kept as a dead letter.

    Turns of one thread are promoted in order and by one worker at a time; threads are promoted in parallel. What is
    recalled memory (`RECALLED`) is never taken, and neither are system prompts and results of tools.

    All of a tenant's turns lie in one slot of a cluster: a batch costs a model call, so that slot is never the limit.

    Args:
        redis: A URL, a redis-py client of either colour, or a `Connection`.
        prefix: First segment of every key.
        tenant: Second segment.
        quiet: Seconds without a new turn after which a thread is due.
        max_turns: Turns that wait after which it is due at once.
        max_wait: Seconds after which it is due though turns keep coming.
        lease: Seconds without a sign of life after which a worker's thread is given to another.
        max_attempts: How often a batch is tried before it is given up. One of several turns is then tried turn by turn,
            so that only what really cannot be promoted becomes a dead letter.
        backoff: Seconds until the second attempt, at most; four times as much with each further one.
        max_backoff: Seconds between two attempts at most.
        batch_turns: Turns that are promoted together at most.
        batch_bytes: Bytes of these at most, as stored; one turn may have more.
        context: Turns before a batch, promoted already, that are shown with it.
        retention: Seconds for which a thread of which nothing waits is remembered: the turns kept as context, and which
            messages were taken.
        serde: Serializer of the messages; LangGraph's `JsonPlusSerializer` by default.
        redact: Removes secrets from error messages before these are stored.
        **options: For redis-py, with a URL.

    Attributes:
        jobs: The workers' side.

    Raises:
        InvalidInputError: A number is too small.
    """

    def __init__(
        self,
        redis: Source,
        *,
        prefix: str = "agentmem",
        tenant: str = "default",
        quiet: float = 30.0,
        max_turns: int = 10,
        max_wait: float = 300.0,
        lease: float = 30.0,
        max_attempts: int = 5,
        backoff: float = 5.0,
        max_backoff: float = 3_600.0,
        batch_turns: int = 50,
        batch_bytes: int = 65_536,
        context: int = 4,
        retention: float = 90 * 86_400.0,
        serde: SerializerProtocol | None = None,
        redact: Callable[[str], str] = redact_secrets,
        **options: Any,
    ) -> None:
        self._owned = not isinstance(redis, Connection)
        self._redis = Connection.of(redis, **options)
        self._keys = keys = Keys(prefix, tenant)
        self._codec = Codec(serde or JsonPlusSerializer())
        settings = Settings(
            quiet=quiet,
            max_turns=max_turns,
            max_wait=max_wait,
            lease=lease,
            max_attempts=max_attempts,
            backoff=backoff,
            max_backoff=max_backoff,
            batch_turns=batch_turns,
            batch_bytes=batch_bytes,
            context=context,
            retention=retention,
        )
        self._stem, self._common = keys.outbox(), settings.for_scripts()
        self.jobs = Jobs(self._redis, keys, settings, self._codec, Redactor(redact))
        self._letters = DeadLetters(self._redis, keys, self._common, self._codec)

    # --- taking turns

    async def aadd(
        self,
        thread_id: str,
        messages: Sequence[MessageLikeRepresentation],
        scope: Scope,
        strategies: str | Sequence[str],
        *,
        checkpoint_id: str | None = None,
        time: datetime | None = None,
        latest: datetime | None = None,
    ) -> int:
        """Take the turns of a thread that are not taken yet.

        One round trip, however long the thread is: only its current turn travels, the messages from the last one by a
        human on. Where the server does not know the message before them, some are missing in between, and then, in a
        second round trip, all messages are offered, and what follows the last one that is known is taken. Offering a
        message again to the same strategies changes nothing: it is known by its id. One without an id gets one made
        from what it says and what stands before it.

        What is older than the current turn is left alone where it is not sure to be new, or to be this user's: where
        the last turn that was taken is of another scope; and strategies that are new to a thread go on where others
        are.

        Args:
            thread_id: The thread.
            messages: All of its messages, or its latest ones, oldest first, in any form that LangChain takes.
            scope: Whose memories they become.
            strategies: Names of the strategies that find them.
            checkpoint_id: The checkpoint at that time.
            time: When they were said; by default what each tells itself, see `dated`.
            latest: When the last of them was said at the latest, where none tells it. Default: now.

        Returns:
            How many turns were new.

        Raises:
            InvalidInputError: The thread has no id, `messages` are none, or a time has no zone.
        """
        _check(thread_id, scope, time, latest)
        names = (strategies,) if isinstance(strategies, str) else tuple(strategies)
        latest = latest or datetime.now(UTC)

        async def take(offer: Offer) -> int:
            turns = dated(offer.messages, latest, checkpoint_id, time)
            return int((await self._redis.send(self._adding(thread_id, turns, scope, names, offer)))[0]) if turns else 0

        taken = await take(current_turn(messages, thread_id, is_given))
        return taken if taken >= 0 else await take(everything(messages, thread_id, is_given))

    add = sync_of(aadd)

    def taking(self, thread_id: str, turns: Sequence[Turn], scope: Scope, strategies: Sequence[str]) -> ScriptCall:
        """The command that takes these turns and no others, in whatever round trip. It may be sent twice.

        Args:
            thread_id: The thread.
            turns: The turns, at least one. Those that were taken before are passed by.
            scope: Whose memories they become.
            strategies: Names of the strategies that find them.
        """
        _check(thread_id, scope)
        return self._adding(thread_id, turns, scope, tuple(strategies), Offer(()))

    async def atake(self, thread_id: str, turns: Sequence[Turn], scope: Scope, strategies: Sequence[str]) -> None:
        """Take these turns and no others, as `taking` does, in a round trip of its own."""
        if turns:
            await self._redis.send(self.taking(thread_id, turns, scope, strategies))

    async def apass(
        self, thread_id: str, messages: Sequence[MessageLikeRepresentation], strategies: Sequence[str]
    ) -> None:
        """Pass the current turn by: it is nobody's, and not of whoever speaks next. One round trip.

        Args:
            thread_id: The thread.
            messages: As for `aadd`.
            strategies: Names of the strategies that will not take it.
        """
        _check(thread_id, Scope())
        offer = current_turn(messages, thread_id, is_given)
        turns = dated(offer.messages, datetime.now(UTC))
        if turns:
            await self._redis.send(self._adding(thread_id, turns, None, tuple(strategies), Offer(())))

    async def aown(
        self, thread_id: str, turns: Sequence[Turn], scope: Scope, strategies: Sequence[str], before: str, earlier: int
    ) -> int:
        """Take turns that are sure to be this scope's. One round trip.

        Args:
            thread_id: The thread.
            turns: The current turn, and before it what was missing.
            scope: Whose memories they become.
            strategies: Names of the strategies that find them.
            before: Id of the message before these; "" if it does not matter.
            earlier: How many of them stand before the current turn.

        Returns:
            How many were new; -1, with nothing taken, if some of this scope's may be missing before these.
        """
        offer = Offer((), before or None, earlier)
        adding = self._adding(thread_id, turns, scope, tuple(strategies), offer, own=True)
        return int((await self._redis.send(adding))[0])

    async def auntaken(
        self, thread_id: str, ids: Sequence[str], scope: Scope, strategies: Sequence[str]
    ) -> frozenset[str]:
        """Which messages these strategies have not taken since this scope's last turn, as far as that is remembered.

        One round trip.

        Args:
            thread_id: The thread.
            ids: Their ids, in the order in which they were said.
            scope: What was before its last turn was looked at then.
            strategies: Names of the strategies.
        """
        if not ids:
            return frozenset()
        seen, state, of = self._keys.outbox_seen(thread_id), self._keys.outbox_state(thread_id), _of(strategies)
        fields = b"mark:" + of, f"own:{write_namespace(scope.path)} ".encode() + of
        scores, kept, (mark, own) = await self._redis.send(
            ("ZMSCORE", seen, *map(_token, ids)), ("ZCARD", seen), ("HMGET", state, *fields)
        )
        numbers = [float(each or math.inf) for each in scores]
        taken = [number <= (int(mark.split()[0]) if mark else sys.maxsize) for number in numbers]
        start = taken.index(True) if kept >= _IDS_KEPT and True in taken else 0  # what was before that is forgotten
        start = max([start, *(i for i, number in enumerate(numbers, 1) if number <= int(own or 0))])
        return frozenset(name for name, done in zip(ids[start:], taken[start:], strict=True) if not done)

    def _adding(
        self,
        thread_id: str,
        turns: Sequence[Turn],
        scope: Scope | None,
        strategies: tuple[str, ...],
        offer: Offer,
        *,
        own: bool = False,
    ) -> ScriptCall:
        """The command that takes turns; those of nobody it only notes."""
        said: list[bytes] = []
        for turn in turns:
            said += (_token(turn.id), turn.dumps(self._codec) if scope else b"")
        recipe = _recipe(scope, strategies) if scope else ""
        before = _token(offer.before) if offer.before else ""
        args = [self._common, escape(thread_id), recipe, _IDS_KEPT, _of(strategies)]
        return _ADD([self._stem], [*args, before, offer.earlier, "1" if own else "", *said])

    # --- dead letters

    async def adead(self, n: int = 50, thread_id: str | None = None) -> list[DeadLetter]:
        """The last `n` dead letters, oldest first: turns that could not be promoted, each with its last error.

        Args:
            n: How many at most.
            thread_id: Only of this thread.
        """
        return await self._letters.anewest(n, None if thread_id is None else escape(thread_id))

    dead = sync_of(adead)

    async def areplay(self, ids: Sequence[str] | None = None) -> int:
        """Give dead letters another chance: their turns wait again, behind those of their thread that wait already.

        Args:
            ids: Which; None: all.

        Returns:
            The number of their turns.
        """
        return await self._letters.areplay(ids)

    replay = sync_of(areplay)

    async def adiscard(self, ids: Sequence[str]) -> int:
        """Delete dead letters. This cannot be undone.

        Returns:
            How many there were.
        """
        return await self._letters.adiscard(ids)

    discard = sync_of(adiscard)

    # --- keeping house

    async def astats(self) -> OutboxStats:
        """What waits, and what has become of all that was ever taken. One round trip."""
        return stats.read(await self._redis.send(*stats.ask(self._keys, self._common)))

    stats = sync_of(astats)

    async def aforget(self, thread_ids: Sequence[str] = (), *, scope: Scope | None = None) -> Forgotten:
        """Forget turns: those that wait, those kept as context, and dead letters.

        What a worker is promoting at this moment is taken from it, and this waits until it has let go, so that no
        memory is made of it afterwards. Call it before the memories themselves are deleted.

        Args:
            thread_ids: Everything of these threads.
            scope: And what was to become memories of this scope, in whatever thread.

        Returns:
            How much there was.
        """
        threads, path = {escape(thread_id) for thread_id in thread_ids}, None
        calls = [_FORGET([self._stem], [self._common, thread, ""]) for thread in threads]
        if scope is not None:
            path = write_namespace(scope.path)
            members = (await self._redis.send(("SMEMBERS", self._keys.outbox_scope(scope.path))))[0]
            calls += [_FORGET([self._stem], [self._common, thread, path]) for thread in members]
        forgotten = await self._redis.send(*calls)
        await self._released([job.decode() for _, job in forgotten if job])
        letters = await self._letters.aforget(threads, path)
        return Forgotten(len(forgotten), sum(turns for turns, _ in forgotten), letters)

    forget = sync_of(aforget)

    async def _released(self, jobs: Sequence[str]) -> None:
        """Wait until no worker is at these jobs; one that died is waited for as long as its lease."""
        patience = self.jobs.settings.lease
        for job in jobs:
            while patience > 0 and (await self._redis.send(self.jobs.whether_open(job)))[0]:
                await sleep(_LOOK_AGAIN)
                patience -= _LOOK_AGAIN


def _check(thread_id: str, scope: Scope, *times: datetime | None) -> None:
    if not (thread_id and isinstance(cast("Any", thread_id), str)):
        raise InvalidInputError(f"thread_id is {thread_id!r}; it must be text that is not empty")
    if not isinstance(scope, Scope):
        raise InvalidInputError(f"scope: pass a Scope, not {type(scope).__name__}; a template is resolved before")
    if any(time is not None and time.tzinfo is None for time in times):
        raise InvalidInputError("time: a time without a zone is ambiguous; use datetime.now(UTC) or .astimezone()")


@lru_cache(maxsize=4096)
def _recipe(scope: Scope, strategies: tuple[str, ...]) -> str:
    return Recipe(scope, strategies).dumps()


def _token(name: str) -> bytes:
    """What the outbox remembers of a message's id: short, because it remembers many."""
    return blake2b(name.encode("utf-8", "surrogatepass"), digest_size=9).digest()


def _of(strategies: Sequence[str]) -> bytes:
    """What the outbox remembers of a set of strategies."""
    return _token("\n".join(strategies))
