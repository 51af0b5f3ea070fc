"""MemoryBank: what an agent learned, remembered once, found again, corrected and forgotten."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.access import AccessLog
from langchain_agentmem.longterm.browsing import Browser, Order
from langchain_agentmem.longterm.facts import Facts
from langchain_agentmem.longterm.journal import Journal, MemoryEvents
from langchain_agentmem.longterm.recalling import Recalled, Recaller, Wish, within_budget
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.remembering import Intake, Progress, Remembered
from langchain_agentmem.longterm.scoring import RecallWeights
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.tracing import documents, ids, outcome, outcomes, traced
from langchain_agentmem.longterm.transfer import from_lines, to_line
from langchain_agentmem.wire.bridge import run
from langchain_agentmem.wire.keys import escape
from langchain_agentmem.wire.scripts import Script

_DROP = Script("store_drop")
_UNDO = Script("memory_undo")
_PIN = Script("memory_pin")
_CARRIED_OVER = "kind speaker topics entities importance pinned event_time source data metadata state".split()
_WEEK = timedelta(days=7).total_seconds()
_PIPELINE = 500  # commands in a round trip
_QUARTER = timedelta(days=90).total_seconds()


class MemoryBank:
    """Long-term memories on a store. A memory is an item of the store: `store.search` sees what the bank remembers.

    Args:
        store: The store that holds the memories; its embedder serves remembering and recalling.
        weights: What each term of a recall's ranking counts; tuned defaults.
        duplicate_threshold: Cosine from which two memories are the same, unless their numbers, dates, names or
            negations differ. By default what suits the family of the store's embedder, .95 for small encoders.
        related_threshold: Cosine from which memories are linked as related; .10 below the other by default.
        ttls: Seconds to live by kind; None: for ever. By default episodic memories live for 7 days.
        history_ttl: Seconds that superseded versions and former facts are kept.
        access_interval: Seconds within which recalling a memory again does not count.
        confirm: Share by which confidence grows towards 1 each time a memory is remembered again.
        events: An event log that is told what was remembered, recalled, corrected and forgotten, in the background.
    """

    def __init__(
        self,
        store: AgentMemoryStore,
        *,
        weights: RecallWeights | None = None,
        duplicate_threshold: float | None = None,
        related_threshold: float | None = None,
        ttls: Mapping[str, float | None] | None = None,
        history_ttl: float = _QUARTER,
        access_interval: float = 60.0,
        confirm: float = 0.25,
        events: MemoryEvents | None = None,
    ) -> None:
        self.store = store
        self._journal = Journal(events)
        self.facts = Facts(store, history_ttl=history_ttl)
        self._history = round(history_ttl * 1000)
        self._recaller = Recaller(store, weights)
        self._browser = Browser(store)
        self._accesses = AccessLog(store, access_interval)
        self._intake = Intake(
            store,
            duplicate=duplicate_threshold,
            related=related_threshold,
            ttls=dict({"episodic": _WEEK} if ttls is None else ttls),
            history_ttl=history_ttl,
            confirm=confirm,
        )

    # --- remembering

    @traced("chain", outputs=outcomes)
    async def aremember(
        self,
        memories: str | Memory | Iterable[str | Memory],
        scope: Scope,
        *,
        on_progress: Progress | None = None,
    ) -> list[Remembered]:
        """Remember: what is known is confirmed, what takes the place of another supersedes it, the rest is added.

        Looking for what is known and writing are one step of the server, so that workers who remember the same thing at
        once leave one record. One round trip for 200 memories, one more where a neighbour had to be judged.

        Args:
            memories: What to remember; a text is a semantic memory.
            scope: Whose memories.
            on_progress: Called with the number done and the number of all, after each round trip.

        Returns:
            What became of each, in order, and why.

        Raises:
            InvalidInputError: `supersedes` names a memory that is not there.
        """
        given = [memories] if isinstance(memories, str | Memory) else list(memories)
        taken = [Memory(text=each) if isinstance(each, str) else each for each in given]
        done = await self._intake.take(taken, self._path(scope), on_progress)
        self._journal.note("remembered", [each.id for each in done])
        return done

    @traced("chain", "id", outputs=outcome)
    async def acorrect(self, id: str, text: str, scope: Scope, *, value: Any = None) -> Remembered:
        """Give a memory another text. The old one leaves every recall in the same step and stays in `history`.

        Args:
            id: The memory.
            text: What it says now.
            scope: Whose memory.
            value: The new value of the fact that it stands for; the text by default.

        Raises:
            InvalidInputError: There is no such memory.
        """
        while (old := await self.aget(id, scope)) is not None:
            new = Memory(text=text, supersedes=id, value=value, **{name: getattr(old, name) for name in _CARRIED_OVER})
            if done := await self._intake.replace(new, self._path(scope), old.version):
                self._journal.note("corrected", [id])
                return done  # else somebody else changed it in between: theirs is the version to correct
        raise InvalidInputError(f"id: there is no memory {id!r} in this scope")

    async def aundo(self, id: str, scope: Scope) -> Memory | None:
        """Take back the last change of a memory's text; what it said stays in `history`. Undoing again redoes.

        Returns:
            The memory as it is now, or None when there was nothing to take back.
        """
        versions = await self.ahistory(id, scope)
        if not versions:
            return None
        call = self.store.item_command(_UNDO, self._path(scope), id, self._history, versions[0].version)
        version = (await self.store.connection.send(call, *self.store.registration(scope.path)))[0]
        if not version:
            return None
        self._journal.note("corrected", [id])
        return await self.aget(id, scope)

    async def apin(self, id: str, scope: Scope, pinned: bool = True) -> bool:
        """Pin a memory, so that forgetting by filter spares it; says whether there is such a memory."""
        call = _PIN([self.store.keys.item(self._path(scope), id)], ["1" if pinned else ""])
        return bool((await self.store.connection.send(call))[0])

    @traced("chain", "ids", "dry_run", outputs=ids)
    async def aforget(
        self,
        scope: Scope,
        ids: Sequence[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,
        before: datetime | None = None,
        dry_run: bool = False,
    ) -> list[str]:
        """Delete memories, with all their versions and the facts they stand for. This cannot be undone.

        Args:
            scope: Whose memories.
            ids: Which; or:
            filter: Those that a filter of the store lets pass, such as `{"kind": "episodic"}`, and
            before: that were last remembered before that time. Pinned memories are spared.
            dry_run: Delete nothing, only say what would be.

        Returns:
            Ids of the memories deleted.

        Raises:
            InvalidInputError: Neither ids nor a filter nor a time is given.
        """
        if ids is None and filter is None and before is None:
            raise InvalidInputError("ids: say what to forget: ids=, filter= or before=; filter={} is everything")
        path = self._path(scope)
        if ids is None:
            found = await self._browser.all(path, filter=filter)
            chosen = [each for each in found if not each.pinned and (before is None or _older(each, before))]
        else:
            chosen = await self._existing(ids, scope)
        if not dry_run:
            for start in range(0, len(chosen), _PIPELINE):
                page = chosen[start : start + _PIPELINE]
                await self.store.connection.send(*(self.store.item_command(_DROP, m.namespace, m.id) for m in page))
                self._journal.note("forgotten", [each.id for each in page])
        return [each.id for each in chosen]

    async def _existing(self, ids: Sequence[str], scope: Scope) -> builtins.list[Memory]:
        asked = [("HMGET", self.store.keys.item(self._path(scope), name), *record.READ) for name in ids]
        replies = await self.store.connection.send(*asked)
        found = (_read(values, name, scope) for name, values in zip(ids, replies, strict=True))
        return [memory for memory in found if memory]

    # --- recalling

    @traced("retriever", "query", "limit", "kinds", "topics", outputs=documents)
    async def arecall(
        self,
        query: str,
        scope: Scope,
        *,
        limit: int = 10,
        kinds: Sequence[str] = (),
        topics: Sequence[str] = (),
        since: datetime | None = None,
        until: datetime | None = None,
        as_of: datetime | None = None,
        include_history: bool = False,
        token_budget: int | None = None,
        count_tokens: Callable[[str], int] | None = None,
        explain: bool = False,
        pool: int = 100,
    ) -> list[Recalled]:
        """Recall what answers a query: one embedding, one round trip, no model.

        Args:
            query: A question, keywords or a statement. Its words are data: nothing in it is read as query syntax.
            scope: Whose memories; those of the scopes below it too.
            limit: How many at most. Nothing is returned rather than noise.
            kinds: Only memories of these kinds.
            topics: Only memories with one of these topics.
            since: Only what happened, or was remembered, at that time or later.
            until: ... or earlier.
            as_of: What was known and held to be true at that time.
            include_history: Also what is superseded or no longer true.
            token_budget: How many tokens the texts may have together; the best that fit.
            count_tokens: Counts the tokens of a text; by default one for four characters.
            explain: Show what each score is the sum of.
            pool: How many candidates each way of looking contributes.

        Returns:
            The memories, best first.

        Raises:
            UnsupportedServerError: The server has no search module and the scope is over `exact_search_limit`.
        """
        path = self._path(scope)
        wish = Wish(query, path, limit, kinds, topics, since, until, as_of, include_history, pool)
        found = await self._recaller.find(wish, self._accesses.take())
        recalled = []
        for scored, row in found:
            namespace, key, _ = self.store.keys.read_item(row.key)
            memory = record.read(row.fields, id=key, namespace=namespace)
            terms = scored.terms if explain else None
            recalled.append(Recalled(memory, scored.score, scored.candidate.similarity, terms))
        kept = within_budget(recalled, token_budget, count_tokens)
        self._accesses.note(each.memory for each in kept)
        self._journal.recalled(query, {each.memory.id: each.score for each in kept})
        return kept

    async def aget(self, id: str, scope: Scope, *, version: int | None = None) -> Memory | None:
        """A memory by its id, as it is or as it was in a version; None when there is none."""
        key = self.store.keys.item(self._path(scope), id)
        at = key if version is None else f"{key}:v{version}"
        values = (await self.store.connection.send(*self._accesses.take(), ("HMGET", at, *record.READ)))[-1]
        return _read(values, id, scope)

    async def ahistory(self, id: str, scope: Scope) -> list[Memory]:
        """A memory as it is and as it was, newest first, as far as its past has not expired."""
        path, key = self._path(scope), self.store.keys.item(self._path(scope), id)
        last, now = await self.store.connection.send(
            ("HGET", self.store.keys.known(path), f"#{escape(id)}"), ("HMGET", key, *record.READ)
        )
        versions = range(int(last or 0), 0, -1)
        past = await self.store.connection.send(*(("HMGET", f"{key}:v{each}", *record.READ) for each in versions))
        return [memory for values in (now, *past) if (memory := _read(values, id, scope))]

    async def alist(
        self,
        scope: Scope,
        *,
        order_by: Order = "updated",
        filter: Mapping[str, Any] | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> list[Memory]:
        """A page of the memories of a scope and those below it.

        Args:
            scope: Whose memories.
            order_by: `updated`, `accessed` or `confidence`, highest first.
            filter: A filter of the store, such as `{"kind": "semantic"}`.
            limit: How many.
            offset: How many to skip.
        """
        return await self._browser.page(self._path(scope), order_by, filter, limit, offset)

    async def acount(self, scope: Scope, *, filter: Mapping[str, Any] | None = None) -> int:
        """How many memories a scope and those below it hold."""
        return await self._browser.count(self._path(scope), filter)

    async def aexport(self, scope: Scope, *, on_progress: Progress | None = None) -> Iterator[str]:
        """The memories of a scope and those below it as lines of JSON, oldest last; superseded versions stay behind."""
        found = await self._browser.all(self._path(scope), filter=None)
        return _counted(map(to_line, found), len(found), on_progress)

    async def aimport(
        self, lines: Iterable[str], scope: Scope, *, on_progress: Progress | None = None
    ) -> builtins.list[Remembered]:
        """Remember what `export` wrote, with its ids and its use: what is known is confirmed, never stored twice.

        Raises:
            InvalidInputError: A line is not an exported memory; none was taken in.
        """
        done = await self._intake.take(list(from_lines(lines)), self._path(scope), on_progress, used=True)
        self._journal.note("remembered", [each.id for each in done])
        return done

    async def aflush(self) -> None:
        """Write what was noted about accesses since the last call. Every recall writes that of the one before."""
        await self.store.connection.send(*self._accesses.take())

    # --- sync forms

    def remember(
        self, memories: str | Memory | Iterable[str | Memory], scope: Scope, *, on_progress: Progress | None = None
    ) -> list[Remembered]:
        """Sync form of `aremember`."""
        return run(self.aremember(memories, scope, on_progress=on_progress))

    def correct(self, id: str, text: str, scope: Scope, *, value: Any = None) -> Remembered:
        """Sync form of `acorrect`."""
        return run(self.acorrect(id, text, scope, value=value))

    def undo(self, id: str, scope: Scope) -> Memory | None:
        """Sync form of `aundo`."""
        return run(self.aundo(id, scope))

    def pin(self, id: str, scope: Scope, pinned: bool = True) -> bool:
        """Sync form of `apin`."""
        return run(self.apin(id, scope, pinned))

    def forget(self, scope: Scope, ids: Sequence[str] | None = None, **choice: Any) -> list[str]:
        """Sync form of `aforget`."""
        return run(self.aforget(scope, ids, **choice))

    def recall(self, query: str, scope: Scope, **wish: Any) -> list[Recalled]:
        """Sync form of `arecall`."""
        return run(self.arecall(query, scope, **wish))

    def get(self, id: str, scope: Scope, *, version: int | None = None) -> Memory | None:
        """Sync form of `aget`."""
        return run(self.aget(id, scope, version=version))

    def history(self, id: str, scope: Scope) -> list[Memory]:
        """Sync form of `ahistory`."""
        return run(self.ahistory(id, scope))

    def list(self, scope: Scope, **page: Any) -> list[Memory]:
        """Sync form of `alist`."""
        return run(self.alist(scope, **page))

    def count(self, scope: Scope, *, filter: Mapping[str, Any] | None = None) -> int:
        """Sync form of `acount`."""
        return run(self.acount(scope, filter=filter))

    def export(self, scope: Scope, *, on_progress: Progress | None = None) -> Iterator[str]:
        """Sync form of `aexport`."""
        return run(self.aexport(scope, on_progress=on_progress))

    def import_(
        self, lines: Iterable[str], scope: Scope, *, on_progress: Progress | None = None
    ) -> builtins.list[Remembered]:
        """Sync form of `aimport`."""
        return run(self.aimport(lines, scope, on_progress=on_progress))

    def flush(self) -> None:
        """Sync form of `aflush`."""
        return run(self.aflush())

    def _path(self, scope: Scope) -> items.Namespace:
        if scope.tenant is not None and escape(scope.tenant) != self.store.keys.base.rpartition(":")[2]:
            raise InvalidInputError(f"scope: its tenant {scope.tenant!r} is not the one that this bank was made for")
        return scope.path


def _counted(lines: Iterable[str], total: int, on_progress: Progress | None) -> Iterator[str]:
    for done, line in enumerate(lines, 1):
        yield line
        if on_progress:
            on_progress(done, total)


def _older(memory: Memory, before: datetime) -> bool:
    return memory.updated is not None and items.from_time(memory.updated) < items.from_time(before)


def _read(values: Sequence[bytes | None], id: str, scope: Scope) -> Memory | None:
    fields = {name: value for name, value in zip(record.READ, values, strict=True) if value is not None}
    return record.read(fields, id=id, namespace=scope.path) if "v" in fields else None
