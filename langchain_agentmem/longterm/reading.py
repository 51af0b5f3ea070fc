"""MemoryReader: memories recalled, looked up, listed and exported. The half of a memory bank that changes nothing."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from datetime import datetime
from itertools import islice
from typing import Any, Self

from langchain_agentmem.longterm import checks, record
from langchain_agentmem.longterm.access import AccessLog
from langchain_agentmem.longterm.browsing import Browser, Order
from langchain_agentmem.longterm.exporting import Exporter
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.journal import Journal, MemoryEvents
from langchain_agentmem.longterm.recalling import Heard, Ranked, Recalled, Recaller, Wish, within_budget
from langchain_agentmem.longterm.record import Memory, Scope
from langchain_agentmem.longterm.remembering import Progress
from langchain_agentmem.longterm.scoring import RecallWeights
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.tracing import documents, traced
from langchain_agentmem.longterm.transfer import Entry, write_entry
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import escape

_SPARE = 0.5  # of the limit: how many more are shown to a caller who may refuse some


class MemoryReader:
    """Reads the long-term memories of a store.

    Args:
        store: The store that holds the memories; its embedder serves recalling.
        weights: What each term of a recall's ranking counts; tuned defaults.
        access_interval: Seconds within which recalling a memory again does not count.
        events: An event log that is told what was recalled, in the background.
    """

    def __init__(
        self,
        store: AgentMemoryStore,
        *,
        weights: RecallWeights | None = None,
        access_interval: float = 60.0,
        events: MemoryEvents | None = None,
    ) -> None:
        self.store = store
        self._journal = Journal(events, store.changes)
        self._recaller = Recaller(store, weights)
        self._browser = Browser(store)
        self._exporter = Exporter(store)
        self._accesses = AccessLog(store, access_interval, events)
        self._carried: Sequence[Command] = ()
        self._heard: Heard | None = None

    def carrying(self, commands: Sequence[Command], heard: Heard) -> Self:
        """The same reader, whose recalls take other commands along: what they read costs no round trip of its own.

        Args:
            commands: The commands, such as may be sent twice.
            heard: Is told the replies to them, before any memory is ranked.
        """
        carrier = copy(self)
        carrier._carried, carrier._heard = commands, heard  # noqa: SLF001 - this class's own
        return carrier

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
        accept: Callable[[Memory], bool] | None = None,
        explain: bool = False,
        pool: int = 100,
    ) -> list[Recalled]:
        """Recall what answers a query: one embedding, one round trip (in scopes of over 60 memories a few), no model.

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
            count_tokens: Counts the tokens of a text. Default: about one for four characters, more outside of ASCII.
            accept: Asked for each memory, best first, whether it is wanted; what it refuses was not recalled. It sees
                half as many again as `limit`.
            explain: Show what each score is the sum of.
            pool: How many candidates each way of looking contributes.

        Returns:
            The memories, best first.

        Raises:
            InvalidInputError: An argument is of another type.
            UnsupportedServerError: The server has no search module and the scope is over `exact_search_limit`.
        """
        path = self._path(scope)
        looked_at = limit if accept is None else limit + math.ceil(_SPARE * limit)
        checks.whole("pool", pool, least=1)
        if token_budget is not None:
            checks.whole("token_budget", token_budget)
        wish = Wish(query, path, looked_at, kinds, topics, since, until, as_of, include_history, pool).checked()
        found = await self._find(wish)
        recalled = (self._recalled(each, explain) for each in found)
        wanted = islice((each for each in recalled if accept is None or accept(each.memory)), limit)
        kept = within_budget(wanted, token_budget, count_tokens)
        self._accesses.note(each.memory for each in kept)
        self._journal.recalled(query, {each.memory.id: each.score for each in kept}, scope.path)
        return kept

    async def aget(self, id: str, scope: Scope, *, version: int | None = None) -> Memory | None:
        """A memory by its id, as it is or as it was in a version; None when there is none."""
        checks.text("id", id)
        key = self.store.keys.item(self._path(scope), id)
        asked: list[Command] = [("HMGET", key, *record.READ)]
        if version is not None:
            checks.whole("version", version, least=1)
            asked = [("HMGET", each, *record.READ_VERSION) for each in (key, f"{key}:v{version}")]
        replies = await self.store.connection.send(*self._accesses.take(), *asked)
        found = (record.read_values(values, id=id, namespace=scope.path) for values in replies[-len(asked) :])
        return next((each for each in found if each and version in (None, each.version)), None)

    async def ahistory(self, id: str, scope: Scope) -> list[Memory]:
        """A memory as it is and as it was, newest first, as far as its past has not expired.

        Each names, as `id@version`, the one that it took the place of and the one that took its place: `supersedes` and
        `superseded_by`. What was retired has no successor.
        """
        checks.text("id", id)
        path, key = self._path(scope), self.store.keys.item(self._path(scope), id)
        last, now = await self.store.connection.send(
            ("HGET", self.store.keys.known(path), f"#{escape(id)}"), ("HMGET", key, *record.READ_VERSION)
        )
        before = (f"{key}:v{version}" for version in range(int(last or 0), 0, -1))
        past = await self.store.connection.send(*(("HMGET", each, *record.READ_VERSION) for each in before))
        return [
            memory for values in (now, *past) if (memory := record.read_values(values, id=id, namespace=scope.path))
        ]

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
        """All that a scope and those below it hold, as lines of JSON: memories and facts, each with all it was.

        A line is a memory, with the fact that it stands for, or a fact that no memory stands for; or it only tells when
        it was last said of a fact that it is not so. What was forgotten is not in it.

        Args:
            scope: Whose memories.
            on_progress: Called with the number of lines done and of all.
        """
        return _counted(await self._exporter.entries(self._path(scope)), on_progress)

    async def aflush(self) -> None:
        """Write what was noted about accesses.

        With an event log that goes on in the background by itself; else each recall writes what the one before noted.
        """
        await self._accesses.flush()

    def unlearn(self) -> None:
        """Forget what this process has read of memories, to recall them faster: none of it is kept after an erasure."""
        self._recaller.forget()

    recall = sync_of(arecall)
    get = sync_of(aget)
    history = sync_of(ahistory)
    list = sync_of(alist)
    count = sync_of(acount)
    export = sync_of(aexport)
    flush = sync_of(aflush)

    async def _find(self, wish: Wish) -> Sequence[Ranked]:
        notes, heard = self._accesses.take(), self._heard
        if heard is None:
            return await self._recaller.find(wish, notes)
        return await self._recaller.find(wish, [*notes, *self._carried], lambda replies: heard(replies[len(notes) :]))

    def _recalled(self, found: Ranked, explain: bool) -> Recalled:
        namespace, key, _ = self.store.keys.read_item(found.row.key)
        memory, scored = record.read(found.row.fields, id=key, namespace=namespace), found.scored
        return Recalled(memory, scored.score, scored.candidate.similarity, scored.terms if explain else None)

    def _path(self, scope: Scope) -> Namespace:
        return record.path_of(scope, self.store.keys)


def _counted(entries: Sequence[Entry], on_progress: Progress | None) -> Iterator[str]:
    for done, entry in enumerate(entries, 1):
        yield write_entry(entry)
        if on_progress:
            on_progress(done, len(entries))
