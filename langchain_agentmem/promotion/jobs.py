"""`Jobs`: the workers' side of the outbox. Each step of a promotion is one script, so that it happens or does not."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias

from langchain_agentmem.errors import CorruptDataError, InvalidInputError
from langchain_agentmem.events.redact import Redactor
from langchain_agentmem.events.streams import per_stream, position
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Batch, Turn
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.wire.connection import REDIS_ERRORS, Command, Connection
from langchain_agentmem.wire.keys import Keys, escape, unescape, write_namespace
from langchain_agentmem.wire.scripts import Script, ScriptCall

GROUP = "workers"

Outcome: TypeAlias = Literal["done", "retry", "deferred", "released", "alone", "dead", "lost"]
"""How a job ended: stored; to be tried again; later, without counting as an attempt; its turns one by one; given up; or
the thread is somebody else's now, or its turns are gone."""

_MAY_BE_ZERO = ("quiet", "max_wait", "backoff", "max_backoff", "context")
_MOST_TURNS = 1_000  # of a batch: a dead letter has a field for each, and Lua a limit on the arguments of a call
_NOTHING = Batch("", Scope(), (), ())

_SCHEDULE = Script("outbox_schedule")
_LEASE = Script("outbox_lease")
_RENEW = Script("outbox_renew")
_PLAN = Script("outbox_plan")
_FINISH = Script("outbox_finish")
_FAIL = Script("outbox_fail")
_LEAVE = Script("outbox_leave")


@dataclass(frozen=True, slots=True)
class Settings:
    """How an outbox works, see `Outbox`. Times are in seconds."""

    quiet: float
    max_turns: int
    max_wait: float
    lease: float
    max_attempts: int
    backoff: float
    max_backoff: float
    batch_turns: int
    batch_bytes: int
    context: int
    retention: float

    def __post_init__(self) -> None:
        for name, number in asdict(self).items():
            lowest = 0 if name in _MAY_BE_ZERO else 1e-3
            if not number >= lowest:
                raise InvalidInputError(f"{name} is {number}; it must be at least {lowest:g}")
        if self.batch_turns > _MOST_TURNS:
            raise InvalidInputError(f"batch_turns is {self.batch_turns}; it must be at most {_MOST_TURNS}")

    def for_scripts(self) -> str:
        """The part that every script is told, see outbox.lua."""
        quiet, longest, kept = (round(seconds * 1000) for seconds in (self.quiet, self.max_wait, self.retention))
        return f"{quiet} {self.max_turns} {longest} {kept} {self.context} {self.max_attempts}"


@dataclass(frozen=True, slots=True)
class Recipe:
    """Whose memories some turns become, and how they are found.

    Attributes:
        scope: Whose.
        strategies: Names of the strategies.
        replay: Id of the dead letter that the turns come from, if they do.
    """

    scope: Scope
    strategies: Sequence[str]
    replay: str = ""

    def dumps(self) -> str:
        """The recipe as the outbox holds it: equal ones have equal texts. `outbox.lua` reads the path in front."""
        scope = self.scope
        value = {"path": write_namespace(scope.path), "namespace": scope.namespace, "user": scope.user}
        return json.dumps(value | {"tenant": scope.tenant, "strategies": [*self.strategies], "replay": self.replay})

    @classmethod
    def loads(cls, data: bytes) -> Recipe:
        """Undo `dumps`.

        Raises:
            CorruptDataError: It is none.
        """
        try:
            value = json.loads(data)
            scope = Scope(value["user"], tuple(value["namespace"]), value["tenant"])
            return cls(scope, tuple(value["strategies"]), value["replay"])
        except (ValueError, TypeError, KeyError) as error:
            raise CorruptDataError("what waits in the outbox names no scope: another program wrote it") from error


@dataclass(frozen=True, slots=True)
class Scheduled:
    """Threads that were handed to the workers.

    Attributes:
        threads: How many.
        next_due: Seconds until another is due; None if none waits.
        now: The server's time, in milliseconds.
    """

    threads: int
    next_due: float | None
    now: int


@dataclass(frozen=True, slots=True)
class Job:
    """A thread that is due, given to a worker.

    Attributes:
        id: Its entry in the stream of jobs.
        thread: The thread, as keys have it.
    """

    id: str
    thread: str


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's hold of a thread: nobody else promotes it meanwhile.

    Attributes:
        job: The job that it is held for.
        fence: A number that only grows. What a worker writes with one that is not the newest is refused.
        attempt: How often these turns were tried, with this time.
        batch: What is to be promoted.
        plan: The changes that a worker before found and perhaps did not finish.
        upto: Where the batch ends.
    """

    job: Job
    fence: str
    attempt: int
    batch: Batch
    plan: bytes | None
    upto: str

    @property
    def newest(self) -> int:
        """When the batch's last turn was taken, by the server's clock in milliseconds."""
        return position(self.upto)[0]


class Jobs:
    """The steps of a worker: schedule, claim, lease, keep the plan, finish or fail; and renew, as long as it takes.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        settings: How the outbox works.
        codec: Reads the turns.
        redactor: What error messages pass before they are stored.
    """

    def __init__(self, redis: Connection, keys: Keys, settings: Settings, codec: Codec, redactor: Redactor) -> None:
        self.settings = settings
        self._redis, self._keys, self._codec, self._redactor = redis, keys, codec, redactor
        self._stem, self._stream = keys.outbox(), keys.outbox_jobs()
        self._common = settings.for_scripts()
        self._looked_upto: str | bytes = "0-0"  # where the next look for jobs of the dead goes on

    async def aschedule(
        self, n: int = 100, *, which: Literal["due", "all"] = "due", threads: Sequence[str] = ()
    ) -> Scheduled:
        """Hand threads to the workers.

        Args:
            n: How many at most.
            which: Those that are due, or all that wait.
            threads: Only these, if they wait.
        """
        call = self._call(_SCHEDULE, n, "these" if threads else which, *threads)
        number, ms, now = (await self._redis.send(call))[0]
        return Scheduled(number, None if ms < 0 else ms / 1000, now)

    async def ajob(self, thread_id: str) -> Job | None:
        """The job of a thread that has turns waiting, due or not; for whoever does it at once, past the others.

        Nothing is taken from the workers: the lease decides who promotes it.
        """
        thread = escape(thread_id)
        await self.aschedule(threads=[thread])
        job = (await self._redis.send(("HGET", self._keys.outbox_state(thread_id), "job")))[0]
        return None if job is None else Job(job.decode(), thread)

    async def aclaim(self, worker: str, n: int, wait: float = 0.0) -> list[Job]:
        """Take up to `n` jobs: those of workers that died first, then new ones.

        Args:
            worker: The worker's name.
            n: How many at most.
            wait: Seconds to wait for one if there is none. Well under the client's socket timeout.
        """
        try:
            return await self._take_over(worker, n) or await self._take_new(worker, n, wait)
        except REDIS_ERRORS as error:
            if "NOGROUP" not in str(error):
                raise
            return []  # there was never a job

    async def alease(self, job: Job, worker: str) -> Lease | None:
        """Take hold of a job's thread and read what is to be promoted; None if there is nothing to do."""
        settings = self.settings
        ms = round(settings.lease * 1000)
        call = self._call(_LEASE, job.thread, job.id, worker, ms, settings.batch_turns, settings.batch_bytes)
        answer = (await self._redis.send(call))[0]
        if not isinstance(answer, list):
            return None
        fence, attempt, plan, recipe, upto, context, *stored = answer
        lease = Lease(job, fence.decode(), attempt, _NOTHING, plan or None, upto.decode())
        try:
            turns, whose = [Turn.loads(turn, self._codec) for turn in stored], Recipe.loads(recipe)
        except CorruptDataError as error:
            await self.afail(lease, error)
            return None
        told, new = turns[:context], turns[context:]
        again = {turn.id for turn in new}  # other strategies had these turns before
        told = [turn for turn in told if turn.id not in again]
        return replace(lease, batch=Batch(unescape(job.thread), whose.scope, new, whose.strategies, told, whose.replay))

    async def arenew(self, lease: Lease) -> bool:
        """Go on holding a thread; False if it was taken away."""
        ms = round(self.settings.lease * 1000)
        return bool((await self._redis.send(self._held(_RENEW, lease, ms)))[0])

    async def akeep(self, lease: Lease, plan: bytes) -> bool:
        """Keep the changes that were found, before the first is made; False if the thread was taken away."""
        return bool((await self._redis.send(self._held(_PLAN, lease, lease.upto, plan)))[0])

    async def afinish(self, lease: Lease) -> Outcome:
        """The batch is stored."""
        return await self._end(self._held(_FINISH, lease, lease.upto))

    async def afail(self, lease: Lease, error: Exception) -> Outcome:
        """The batch is not stored: try again after a while, or give it up."""
        text = self._redactor.text(str(error)).encode("utf-8", "replace")
        return await self._end(
            self._held(_FAIL, lease, lease.upto, "retry", self._backoff(lease.attempt), type(error).__name__, text)
        )

    async def adefer(self, lease: Lease, until: datetime) -> Outcome:
        """The batch has to wait until then, which is not its fault."""
        ms = max(0, round((until - datetime.now(UTC)).total_seconds() * 1000))
        return await self._end(self._held(_FAIL, lease, lease.upto, "deferred", ms, "", ""))

    async def arelease(self, lease: Lease) -> Outcome:
        """Give a thread back untouched: the next worker takes it up at once."""
        return await self._end(self._held(_FAIL, lease, lease.upto, "released", 0, "", ""))

    async def aleave(self, worker: str) -> None:
        """A worker ends: its name leaves the group, unless it still has jobs that another must take over."""
        await self._redis.send(self._call(_LEAVE, worker))

    def whether_open(self, job: str) -> Command:
        """The command that finds out whether a job is not over: something, or nothing."""
        return ("XRANGE", self._stream, job, job)

    def _backoff(self, attempt: int) -> int:
        """Milliseconds until the next attempt. By its jitter, those that failed together do not come back together."""
        longest = min(self.settings.max_backoff, self.settings.backoff * 4.0 ** (attempt - 1))
        return round(1000 * longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads load, keeps no secret

    def _call(self, script: Script, *args: Any) -> ScriptCall:
        return script([self._stem], [self._common, *args])

    def _held(self, script: Script, lease: Lease, *args: Any) -> ScriptCall:
        return self._call(script, lease.job.thread, lease.job.id, lease.fence, *args)

    async def _end(self, call: ScriptCall) -> Outcome:
        return (await self._redis.send(call))[0].decode() or "lost"

    async def _take_over(self, worker: str, n: int) -> list[Job]:
        ms = round(self.settings.lease * 1000)
        look = ("XAUTOCLAIM", self._stream, GROUP, worker, ms, self._looked_upto, "COUNT", n)
        reply = (await self._redis.send(look))[0]
        self._looked_upto = reply[0]
        return [_job(entry) for entry in reply[1] if entry and entry[1]]

    async def _take_new(self, worker: str, n: int, wait: float) -> list[Job]:
        read = ("XREADGROUP", "GROUP", GROUP, worker, "COUNT", n)
        if wait:
            reply = await self._redis.block(*read, "BLOCK", max(1, round(wait * 1000)), "STREAMS", self._stream, ">")
        else:
            reply = (await self._redis.send((*read, "STREAMS", self._stream, ">")))[0]
        return [_job(entry) for _, entries in per_stream(reply) for entry in entries]


def _job(entry: tuple[bytes, dict[bytes, bytes]]) -> Job:
    return Job(entry[0].decode(), entry[1][b"thread"].decode())
