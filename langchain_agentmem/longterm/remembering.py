"""How a memory is taken in: known, near, new, or taking the place of another.

One script looks and writes, so two workers that remember the same thing at once leave one record. Whether two texts
that nearly share a vector say the same (see `identity`) only the client can tell. So a script that finds such a
neighbour writes nothing and hands it over; the client's verdict goes along with the next try, which again looks and
writes in one step.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Literal, TypeAlias
from uuid import uuid4

from langchain_agentmem.errors import InvalidInputError, UnsupportedServerError
from langchain_agentmem.longterm import checks, items
from langchain_agentmem.longterm.embeddings import calibrated_threshold, related_threshold
from langchain_agentmem.longterm.exact import similarities
from langchain_agentmem.longterm.heard import NOW, Heard, words_of
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.likeness import identity, says_less, unlike
from langchain_agentmem.longterm.operations import UNGUARDED, answer_of, guard, named
from langchain_agentmem.longterm.record import Memory, dump, dump_source, load
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.text import embedded_text, lexical_text
from langchain_agentmem.wire import search
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape, unescape
from langchain_agentmem.wire.scripts import Script
from langchain_agentmem.wire.search import Query

_PUT = Script("memory_put")
_CHUNK = 200  # memories in a round trip
_NEIGHBOURS = 8
_COMPARED = (items.VALUE, items.SINCE, items.VERSION)  # of a neighbour

Outcome: TypeAlias = Literal["added", "reinforced", "superseded", "retired", "kept"]
Progress: TypeAlias = Callable[[int, int], object]


@dataclass(frozen=True, slots=True)
class Remembered:
    """What became of a memory.

    Attributes:
        id: The memory that holds it now.
        outcome: `added` as a new one; `reinforced`, because one said the same; `superseded`: it took another's place;
            `retired`: it is no longer so; `kept`: what is there stays as it is, of an import, or because it was said
            after this.
        reason: Why, in words.
        version: The version of the memory.
        related: Ids of memories that resemble it.
    """

    id: str
    outcome: Outcome
    reason: str
    version: int = 1
    related: tuple[str, ...] = ()


@dataclass(slots=True)
class _Call:
    """One memory on its way in, over as many tries as it needs."""

    memory: Memory
    id: str
    vector: bytes | None
    version: int | None = None
    used: dict[str, Any] = field(default_factory=dict)
    token: str = field(default_factory=lambda: uuid4().hex)
    same: str = ""
    outdone: int | None = None  # the version of `same` that says less than this
    differing: dict[str, str] = field(default_factory=dict)
    related: list[str] = field(default_factory=list)
    near: float | None = None
    done: tuple[str, int] = UNGUARDED
    heard: tuple[int | str, str] = NOW

    def replaces(self) -> str:
        """What it takes the place of, as the script reads it."""
        memory = self.memory
        if memory.supersedes in (None, "", f"{memory.id}@{memory.version - 1}"):  # the last: read as a version
            return ""
        wanted = escape(memory.supersedes)
        return wanted if self.version is None else f"{wanted} {self.version}"

    def repeats(self) -> str:
        """What says the same, as the script reads it."""
        return self.same if self.outdone is None else f"{self.same} {self.outdone}"

    def names(self) -> set[tuple[str, str]]:
        """What it shares with those that must not overtake it."""
        memory = self.memory
        named = (("state", memory.state), ("id", memory.id), ("id", memory.supersedes))
        return {(what, name) for what, name in named if name}

    def judge(self, member: str, other: Memory, similarity: float) -> None:
        """Decide whether a neighbour says the same."""
        reason = unlike(self.memory, other)
        if reason:
            self.differing[member] = reason
        elif not self.same:
            self.same, self.near = member, similarity
            self.outdone = other.version if says_less(other, self.memory) else None


class Intake:
    """Takes memories in.

    Args:
        store: Where they go.
        duplicate: Cosine from which a neighbour is a duplicate if nothing in the words speaks against it; by default
            what suits the family of the store's embedder.
        related: Cosine from which a neighbour is linked as related.
        ttls: Seconds to live, by kind; None or not named: for ever.
        history_ttl: Seconds that a superseded version is kept.
        confirm: Share by which confidence grows towards 1 each time a memory is confirmed.
    """

    def __init__(
        self,
        store: AgentMemoryStore,
        *,
        duplicate: float | None,
        related: float | None,
        ttls: dict[str, float | None],
        history_ttl: float,
        confirm: float,
    ) -> None:
        self._store = store
        self._duplicate = calibrated_threshold(store.embeddings) if duplicate is None else duplicate
        self._related = min(related_threshold(store.embeddings), self._duplicate) if related is None else related
        self._ttls = ttls
        self._history = round(history_ttl * 1000)
        self._confirm = confirm

    async def take(
        self,
        memories: Sequence[Memory],
        path: Namespace,
        progress: Progress | None,
        *,
        used: bool = False,
        operation: str | None = None,
        heard: Sequence[Heard | None] = (),
    ) -> list[Remembered]:
        """Take memories in, in order; each sees those before it. With `used`, a new one brings its past use along."""
        if operation is not None:
            checks.name("operation", operation)
        for each in memories:
            _check(each, restored=used)
        taken: list[Remembered] = []
        for start in range(0, len(memories), _CHUNK):
            chunk = memories[start : start + _CHUNK]
            vectors = await self.embed([embedded_text(each.text, each.speaker) for each in chunk])
            calls = [
                _Call(memory, memory.id or uuid4().hex, vector, used=use(memory) if used else {})
                for memory, vector in zip(chunk, vectors, strict=True)
            ]
            for place, call in enumerate(calls if operation is not None else [], start):
                call.done = guard(self._store.keys, path, f"{operation}:{place}")
            for call, said in zip(calls, heard[start:], strict=False):
                call.heard = words_of(said)
            taken += await self._settle(calls, path)
            if progress:
                progress(len(taken), len(memories))
        return taken

    async def replace(self, memory: Memory, path: Namespace, version: int, operation: str | None) -> Remembered | None:
        """Let a memory take the place of the one that it names, if that is still the version; None if it is not."""
        _check(memory)
        vector = (await self.embed([embedded_text(memory.text, memory.speaker)]))[0]
        call = _Call(memory, uuid4().hex, vector, version=version)
        if operation is not None:
            call.done = guard(self._store.keys, path, operation)
        command = self.command(call, path, on_server=False)
        reply = (await self._store.connection.send(command, *self._store.registration(path)))[0]
        return None if reply[0] == b"changed" else _result(call, reply)

    async def done(self, path: Namespace, operation: str) -> Remembered | None:
        """What an operation on one memory returned, if it was made within a day."""
        kept = (await self._store.connection.send(("GET", named(self._store.keys, path, operation))))[0]
        answer = answer_of(kept)
        return None if answer is None else Remembered(unescape(answer[1]), answer[0], "done before", answer[2])

    async def embed(self, texts: Sequence[str]) -> list[bytes | None]:
        """The vectors of texts; None for each where the store has no embedder."""
        if self._store.encoder is None:
            return [None] * len(texts)
        made = await self._store.encoder.vectors(texts, ())
        return [made[False, text] for text in texts]

    async def _settle(self, calls: list[_Call], path: Namespace) -> list[Remembered]:
        on_server = await self._store.index.usable() and not self._store.connection.clustered
        if not on_server:
            await self._look(calls, path)
        results: dict[str, Remembered] = {}
        taken: set[tuple[str, str]] = set()
        waiting = calls
        while waiting:
            sent = _in_order(waiting, taken) if on_server else waiting
            commands = [self.command(call, path, on_server) for call in sent]
            replies = (await self._store.index.ask([*commands, *self._store.registration(path)]))[: len(sent)]
            for call, reply in zip(sent, replies, strict=True):
                if reply[0] == b"judge":
                    _judge(call, reply[1:])
                    continue
                results[call.token] = done = _result(call, reply)
                taken |= {name for name in call.names() if name[0] == "state" or name[1] == done.id}
            waiting = [call for call in waiting if call.token not in results]
        return [results[call.token] for call in calls]

    async def _look(self, calls: Sequence[_Call], path: Namespace) -> None:
        """Find neighbours in the client, where the server cannot: among what is there, and among the calls themselves.

        Only exact duplicates are then safe from a race. What is not true any more is nobody's neighbour.
        """
        field_ = self._store.encoder.field if self._store.encoder else None
        if field_ is None:
            return
        now = items.from_time(datetime.now(UTC))
        try:
            rows = await self._store.exact.everything([path], (*_COMPARED, items.VECTOR, items.UNTIL), past=False)
        except UnsupportedServerError:  # comparing them here is out of reach
            return
        own = self._store.keys.item(path, "")[: -len(escape(""))]
        there = [
            (row.key[len(own) :], _neighbour(*(fields.get(name, b"") for name in _COMPARED)), fields["x"])
            for row in rows
            if items.VECTOR in (fields := row.fields) and int(fields.get(items.UNTIL, now + 1)) > now
        ]
        for call in calls:
            if call.vector is None:
                continue
            for (member, other, _), cosine in zip(
                there, similarities(field_, call.vector, [vector for *_, vector in there]), strict=True
            ):
                if other.kind == call.memory.kind and cosine >= self._duplicate:
                    call.judge(member, other, cosine)
                if other.kind == call.memory.kind and cosine >= self._related:
                    call.related.append(member)
            if fuller := call.outdone is not None:
                there = [each for each in there if each[0] != call.same]
            if (fuller or not call.same) and not _is_over(call.memory, now):
                there.append((call.same or escape(call.id), call.memory, call.vector))

    def command(self, call: _Call, path: Namespace, on_server: bool) -> Command:
        """The script that takes a memory in."""
        memory = call.memory
        words = self.fields(memory, path, call.vector) | call.used
        if call.related:
            words["g"] = " ".join(call.related[:_NEIGHBOURS])
        look = on_server and call.vector is not None
        return self._store.item_command(
            _PUT,
            path,
            call.id,
            *(call.token, words["i"], words.get(items.TTL, ""), self._history, call.replaces()),
            *(words.get("s", ""), words.get("m", ""), call.repeats(), " ".join(call.differing), self._confirm),
            dump_source(memory.source),
            *(self._store.index.name if look else "", self._neighbours(memory, path), call.vector or b""),
            *(1 - self._duplicate, 1 - self._related, *call.done, "1" if call.used else "", *call.heard),
            *(part for pair in words.items() for part in pair),
        )

    def fields(self, memory: Memory, path: Namespace, vector: bytes | None) -> dict[str, Any]:
        """The hash of a memory, except what only the server knows."""
        ttl = self._ttls.get(memory.kind)
        when = memory.event_time or datetime.now(UTC)
        more: dict[str, Any] = {"i": identity(memory), "k": memory.confidence, "p": 1 if memory.pinned else None}
        if memory.event_time:
            more["w"] = items.from_time(memory.event_time)
        if memory.valid_from:
            more["a"] = items.from_time(memory.valid_from)
        if memory.valid_to:
            more["z"] = items.from_time(memory.valid_to)
        if memory.state:
            more |= {"s": escape(memory.state), "m": fact_value(memory)}
        return items.hashes(
            path,
            dump(memory),
            vectors=[vector] if vector else [],
            words=lexical_text(memory.text, memory.speaker, when),
            ttl=None if ttl is None else max(1, round(ttl * 1000)),
            more=more.items(),
        )[0]

    def _neighbours(self, memory: Memory, path: Namespace) -> str:
        query = Query().tagged(items.PLACE, items.place("e", path))
        kind = items.facet(("kind",), memory.kind)
        query = query.tagged(items.FACETS, kind) if kind else query
        query = query.outside(items.UNTIL, high=items.from_time(datetime.now(UTC)))
        return search.near(query, items.VECTOR, _NEIGHBOURS)


def _check(memory: Memory, *, restored: bool = False) -> None:
    """Refuse what cannot be kept; and, unless it was kept before, a state to come: a fact is what is so now."""
    memory.check()
    if memory.state and not restored:
        remedy = "remember the state when it is so, or now without `state`, as a plan with its `event_time`"
        checks.begun("valid_from", memory.valid_from, remedy)


def use(memory: Memory) -> dict[str, Any]:
    """The fields that say how a memory was used and changed, as an export tells them."""
    moments = {"c": memory.created, "u": memory.updated, "r": memory.last_accessed}
    told: dict[str, Any] = {name: items.from_time(moment) for name, moment in moments.items() if moment}
    if memory.accesses:
        told["y"] = " ".join(str(items.from_time(moment)) for moment in memory.accesses)
    if memory.access_count:
        told["q"] = memory.access_count
    if memory.sources:
        told["j"] = "\n".join(map(dump_source, memory.sources))
    if memory.version > 1:
        told["b"] = memory.version
    if memory.supersedes and memory.supersedes == f"{memory.id}@{memory.version - 1}":
        told["P"] = memory.version - 1
    return told | {"h": memory.hits}


def fact_value(memory: Memory) -> str:
    """The value of the fact that a memory stands for, as JSON."""
    return json.dumps(memory.text if memory.value is None else memory.value)


def _is_over(memory: Memory, now: int) -> bool:
    return memory.valid_to is not None and items.from_time(memory.valid_to) <= now


def _in_order(waiting: Sequence[_Call], taken: set[tuple[str, str]]) -> list[_Call]:
    """Those that can be sent now: what may need another try is not overtaken by what shares its state or id.

    Only the first of a state or an id may need one. The others meet the fact, or the memory, that is there by then;
    `taken` names those. What says the same as one that is held back is held back with it.
    """
    sent = []
    ahead: set[tuple[str, str]] = set()
    for call in waiting:
        names = call.names()
        if ahead and not ahead.isdisjoint(same := {*names, ("says", identity(call.memory))}):
            ahead |= same
            continue
        sent.append(call)
        if not (names & taken or call.used or call.replaces() or call.vector is None):
            ahead |= names
    return sent


def _judge(call: _Call, found: Sequence[bytes]) -> None:
    call.same, call.outdone = "", None  # what was found before is not there any more
    for member, value, since, version, distance in zip(*(found[place::5] for place in range(5)), strict=True):
        call.judge(member.decode(), _neighbour(value, since, version), 1 - float(distance))


def _neighbour(value: bytes, since: bytes, version: bytes) -> Memory:
    """A memory as far as it is compared: what it says, since when it is so, and which version that is."""
    begun = items.to_time(since) if since else None
    return replace(load(items.load_value(value)), valid_from=begun, version=int(version or 1))


def _result(call: _Call, reply: Sequence[Any]) -> Remembered:
    outcome, member = reply[0].decode(), reply[1].decode()
    if outcome == "missing":
        raise InvalidInputError(f"supersedes: there is no memory {unescape(member)!r} in this scope")
    related = tuple(map(unescape, reply[3].split() or call.related))
    return Remembered(unescape(member), outcome, _reason(call, outcome, member), int(reply[2]), related)


def _reason(call: _Call, outcome: str, member: str) -> str:
    memory = call.memory
    if outcome == "kept":
        return "it is there already" if call.used else "what is there was said later"
    if outcome == "superseded" and memory.supersedes:
        return f"it supersedes {memory.supersedes}"
    if outcome == "superseded":
        more = call.outdone is not None and member == call.same
        again = "its id was taken" if unescape(member) == memory.id else "it is so again"
        return f"state {memory.state}" if memory.state else "it holds data that was missing" if more else again
    if outcome == "reinforced":
        return (
            f"says the same (cosine {call.near:.3f})" if member == call.same and call.near else "says exactly the same"
        )
    kept = "; ".join(f"{unescape(name)} differs in {reason}" for name, reason in call.differing.items())
    return f"new ({kept})" if kept else "new"
