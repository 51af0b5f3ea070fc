"""MemoryBank: what an agent learned, remembered once, found again, corrected and forgotten."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from langchain_agentmem.errors import InvalidInputError, VersionConflictError
from langchain_agentmem.longterm import checks, items, record
from langchain_agentmem.longterm.facts import HISTORY_TTL, Facts
from langchain_agentmem.longterm.forgetting import Forgetter
from langchain_agentmem.longterm.heard import Heard, words_of
from langchain_agentmem.longterm.importing import Importer
from langchain_agentmem.longterm.journal import MemoryEvents
from langchain_agentmem.longterm.operations import guard
from langchain_agentmem.longterm.reading import MemoryReader
from langchain_agentmem.longterm.record import Memory, Scope, Source
from langchain_agentmem.longterm.remembering import Intake, Progress, Remembered
from langchain_agentmem.longterm.scoring import RecallWeights
from langchain_agentmem.longterm.store import AgentMemoryStore
from langchain_agentmem.longterm.tracing import ids, outcome, outcomes, traced
from langchain_agentmem.longterm.transfer import from_lines
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.keys import unescape
from langchain_agentmem.wire.scripts import Script

_UNDO = Script("memory_undo")
_PIN = Script("memory_pin")
_RETIRE = Script("memory_retire")
_REINFORCE = Script("memory_reinforce")
_CARRIED_OVER = "kind speaker topics entities importance pinned event_time valid_to source data metadata state".split()
_WEEK = timedelta(days=7).total_seconds()
_PIPELINE = 500  # commands in a round trip
_MOMENT = 0.001  # seconds: the shortest time to live that a server takes
_DAY = timedelta(days=1).total_seconds()


class MemoryBank(MemoryReader):
    """Long-term memories on a store. A memory is an item of the store: `store.search` sees what the bank remembers.

    Reading them is the part that `MemoryReader` has. A change may have a name, `operation`: the same operation again,
    within a day, changes nothing and returns what it returned at first, whatever happened to the memory in between.

    Args:
        store: The store that holds the memories; its embedder serves remembering and recalling.
        weights: What each term of a recall's ranking counts; tuned defaults.
        duplicate_threshold: Cosine from which two memories are the same, unless their numbers, dates, names,
            negations or tense differ. By default what suits the family of the store's embedder, .95 for small encoders.
        related_threshold: Cosine from which memories are linked as related; .10 below the other by default.
        ttls: Seconds to live by kind; None: for ever. By default episodic memories live for 7 days.
        history_ttl: Seconds that superseded versions and former facts are kept; 0: they are not.
        undo_ttl: Seconds in which `undo` can bring back what was forgotten; 0: it is deleted at once.
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
        history_ttl: float = HISTORY_TTL,
        undo_ttl: float = _DAY,
        access_interval: float = 60.0,
        confirm: float = 0.25,
        events: MemoryEvents | None = None,
    ) -> None:
        checks.seconds("history_ttl", history_ttl)
        checks.seconds("undo_ttl", undo_ttl)
        for kind, ttl in (ttls or {}).items():
            if ttl is not None:
                checks.seconds(f"ttls[{kind!r}]", ttl)
        history_ttl = max(history_ttl, _MOMENT)
        super().__init__(store, weights=weights, access_interval=access_interval, events=events)
        self.facts = Facts(store, history_ttl=history_ttl)
        self._history = round(history_ttl * 1000)
        self._forgetter = Forgetter(store, self._browser, undo_ttl=round(undo_ttl * 1000))
        self._confirm = confirm
        self._intake = Intake(
            store,
            duplicate=duplicate_threshold,
            related=related_threshold,
            ttls=dict({"episodic": _WEEK} if ttls is None else ttls),
            history_ttl=history_ttl,
            confirm=confirm,
        )
        self._importer = Importer(store, self._intake, history_ttl=history_ttl)

    @traced("chain", outputs=outcomes)
    async def aremember(
        self,
        memories: str | Memory | Iterable[str | Memory],
        scope: Scope,
        *,
        on_progress: Progress | None = None,
        operation: str | None = None,
        heard: Sequence[Heard] = (),
    ) -> list[Remembered]:
        """Remember: what is known is confirmed, what takes the place of another supersedes it, the rest is added.

        Looking for what is known and writing are one step of the server, so that workers who remember the same thing at
        once leave one record. One round trip for 200 memories, one more where a neighbour had to be judged.

        Args:
            memories: What to remember; a text is a semantic memory.
            scope: Whose memories.
            on_progress: Called with the number done and the number of all, after each round trip.
            operation: A name for this change; see the class. It covers each memory by its place in the call.
            heard: When each was said and in which thread, as a promotion tells it. What was last said of a fact after
                that, in another thread or by hand, stays, be it that it ended; the memory is one of the past then. By
                default, what is remembered is so now.

        Returns:
            What became of each, in order, and why.

        Raises:
            InvalidInputError: `supersedes` names a memory that is not there, or a state begins in the future.
        """
        taken = _memories(memories)
        done = await self._intake.take(taken, self._path(scope), on_progress, operation=operation, heard=heard)
        self._journal.note("remembered", [each.id for each in done], scope.path)
        return done

    @traced("chain", "id", outputs=outcome)
    async def acorrect(
        self, id: str, text: str, scope: Scope, *, value: Any = None, operation: str | None = None
    ) -> Remembered:
        """Give a memory another text. The old one leaves every recall in the same step and stays in `history`.

        Args:
            id: The memory.
            text: What it says now.
            scope: Whose memory.
            value: The new value of the fact that it stands for; the text by default.
            operation: A name for this change; see the class.

        Raises:
            InvalidInputError: There is no such memory.
        """
        checks.text("id", id)
        path = self._path(scope)
        if operation is not None and (done := await self._intake.done(path, operation)):
            return done
        while (old := await self.aget(id, scope)) is not None:
            new = Memory(text=text, supersedes=id, value=value, **{name: getattr(old, name) for name in _CARRIED_OVER})
            if done := await self._intake.replace(new, path, old.version, operation):
                self._journal.note("corrected", [id], scope.path)
                return done  # else somebody else changed it in between: theirs is the version to correct
        raise InvalidInputError(f"id: there is no memory {id!r} in this scope")

    @traced("chain", "id", outputs=outcome)
    async def aretire(
        self,
        id: str,
        scope: Scope,
        *,
        at: datetime | None = None,
        expected_version: int | None = None,
        operation: str | None = None,
        heard: Heard | None = None,
    ) -> Remembered:
        """Say that a memory is no longer so. It leaves recalls of the present, and the fact it stands for goes with it.

        It stays in `history`, and in recalls as of a time when it was so.

        Args:
            id: The memory.
            scope: Whose memory.
            at: Until when it was so; by default now.
            expected_version: The version that its fact must have now.
            operation: A name for this change; see the class.
            heard: When this was said and in which thread, as a promotion tells it: a memory whose fact was last said
                after that, in another thread or by hand, is `kept`.

        Raises:
            InvalidInputError: There is no such memory, or `at` lies in the future.
            VersionConflictError: Its fact has another version than the expected one.
        """
        checks.moment("at", at)
        checks.begun("at", at, "retire it when it is no longer so")
        until = "" if at is None else items.from_time(at)
        done = await self._change(_RETIRE, id, scope, operation, heard, self._history, until, expected=expected_version)
        self._journal.note("corrected", [id], scope.path)
        return done

    @traced("chain", "id", outputs=outcome)
    async def areinforce(
        self,
        id: str,
        scope: Scope,
        *,
        source: Source | None = None,
        expected_version: int | None = None,
        operation: str | None = None,
        heard: Heard | None = None,
    ) -> Remembered:
        """Confirm a memory, as remembering it again does: its hits and its confidence grow, it lives on.

        Args:
            id: The memory.
            scope: Whose memory.
            source: Where it was said again; one of its `sources` from now on.
            expected_version: The version that its fact must have now.
            operation: A name for this change; see the class.
            heard: When this was said and in which thread, as a promotion tells it: its fact was said then, too.

        Raises:
            InvalidInputError: There is no such memory.
            VersionConflictError: Its fact has another version than the expected one.
        """
        record.check_source(source)
        again = self._confirm, record.dump_source(source)
        done = await self._change(_REINFORCE, id, scope, operation, heard, *again, expected=expected_version)
        self._journal.note("remembered", [id], scope.path)
        return done

    async def _change(
        self,
        script: Script,
        id: str,
        scope: Scope,
        operation: str | None,
        heard: Heard | None,
        *args: Any,
        expected: int | None = None,
    ) -> Remembered:
        checks.text("id", id)
        if expected is not None:
            checks.whole("expected_version", expected)
        path = self._path(scope)
        done = guard(self.store.keys, path, operation, script.name, id)
        wanted = "" if expected is None else expected
        call = self.store.item_command(script, path, id, *args, *done, *words_of(heard), wanted)
        what, member, version = (await self.store.connection.send(call))[0]
        if what == b"missing":
            raise InvalidInputError(f"id: there is no memory {id!r} in this scope")
        if what == b"changed":
            raise VersionConflictError(f"expected_version: the fact of {id!r} is at version {version}, not {expected}")
        return Remembered(unescape(member), what.decode(), "by its id", int(version))

    async def aundo(self, id: str, scope: Scope, *, operation: str | None = None) -> Memory | None:
        """Take back the last change of a memory; again, the one before it. One round trip.

        What can be taken back, as long as its past has not expired: that it was corrected or superseded (what it said
        before becomes its next version, and comes back with its fact and with other memories that the change put out of
        place), that it was reinforced (the last 8 times), retired, or forgotten. That it was added cannot: forget it.

        Args:
            id: The memory.
            scope: Whose memory.
            operation: A name for this change; see the class.

        Returns:
            The memory as it is now, or None when there was nothing to take back.
        """
        checks.text("id", id)
        path = self._path(scope)
        done = guard(self.store.keys, path, operation, _UNDO.name, id)
        call = self.store.item_command(_UNDO, path, id, self._history, *done, *record.READ)
        what, _, version, now = (await self.store.connection.send(call, *self.store.registration(path)))[0]
        if what == b"nothing":
            return None
        self._journal.note("corrected", [id], scope.path)
        return record.read_values(now, id=id, namespace=path) or await self.aget(id, scope, version=int(version))

    async def apin(self, id: str, scope: Scope, pinned: bool = True) -> bool:
        """Pin a memory, so that it never expires and forgetting by filter spares it; says whether it is there.

        Unpinned, its time to live starts anew.
        """
        checks.text("id", id)
        path = self._path(scope)
        there = (await self.store.connection.send(self.store.item_command(_PIN, path, id, "1" if pinned else "")))[0]
        self.store.changes.note(path)
        return bool(there)

    @traced("chain", "ids", "dry_run", outputs=ids)
    async def aforget(
        self,
        scope: Scope,
        ids: Sequence[str] | None = None,
        *,
        filter: Mapping[str, Any] | None = None,
        before: datetime | None = None,
        dry_run: bool = False,
        erase: bool = False,
    ) -> list[str]:
        """Forget memories, with all their versions and the facts they stand for. No read finds them any more.

        For a day (`undo_ttl`), `undo` brings them back. What must be gone at once, and for good, is erased: with
        `erase=True` nothing stays, also of what was forgotten or retired before. `AgentMemory.forget_user` erases all
        that is kept of a user.

        Args:
            scope: Whose memories.
            ids: Which; or:
            filter: Those that a filter of the store lets pass, such as `{"kind": "episodic"}`, and
            before: that were last remembered before that time. Pinned memories are spared, and what is past; so is
                what is pinned, or changed, while they are looked up.
            dry_run: Forget nothing, only say what would be.
            erase: Delete for good.

        Returns:
            Ids of the memories forgotten.

        Raises:
            InvalidInputError: Neither ids nor a filter nor a time is given.
        """
        if ids is None and filter is None and before is None:
            raise InvalidInputError("ids: say what to forget: ids=, filter= or before=; filter={} is everything")
        if ids is not None:
            checks.texts("ids", ids)
        checks.moment("before", before)
        path = self._path(scope)
        if ids is None:
            chosen = await self._forgetter.like(path, filter, before)
        else:
            chosen = await self._forgetter.named(ids, path, forgotten=erase)
        if dry_run:
            return [each.id for each in chosen]
        forgotten: list[str] = []
        for start in range(0, len(chosen), _PIPELINE):
            gone = await self._forgetter.drop(chosen[start : start + _PIPELINE], erase=erase)
            self._journal.note("forgotten", gone, scope.path)
            forgotten += gone
        if erase:
            self.unlearn()
        return forgotten

    async def aimport(
        self, lines: Iterable[str], scope: Scope, *, on_progress: Progress | None = None
    ) -> list[Remembered]:
        """Take in what `export` wrote: memories with their ids, their use and what they were, and facts.

        What lay below the exported scope comes to lie below this one, by the same labels, so users stay apart. What is
        known here already stays as it is: a memory of the same id, or in the same words, a fact of the same name. So an
        old export never wins over what was learned since, or brings back what was retired since, and importing again
        changes nothing. What was forgotten it brings back, as a backup must.

        Args:
            lines: The lines, such as an open file.
            scope: Where they go; it need not be the one that they come from.
            on_progress: Called with the number of memories done and of all.

        Returns:
            What became of each memory, in order: `added`, `kept`, or `retired`, which only its history is left of.

        Raises:
            InvalidInputError: A line is not an exported memory or fact; none was taken in.
        """
        done = await self._importer.take(list(from_lines(lines)), self._path(scope), on_progress)
        self.unlearn()  # what it brings may say something else than it did at that time
        self._journal.note("remembered", [each.id for each in done], scope.path)
        return done

    remember = sync_of(aremember)
    correct = sync_of(acorrect)
    retire = sync_of(aretire)
    reinforce = sync_of(areinforce)
    undo = sync_of(aundo)
    pin = sync_of(apin)
    forget = sync_of(aforget)
    import_ = sync_of(aimport)


def _memories(given: str | Memory | Iterable[str | Memory]) -> list[Memory]:
    if isinstance(given, Mapping | bytes) or not isinstance(given, str | Memory | Iterable):
        raise InvalidInputError(f"memories: a text, a Memory, or a list of them, not a {type(given).__name__}")
    memories = [given] if isinstance(given, str | Memory) else list(given)
    for each in memories:
        if not isinstance(each, str | Memory):
            raise InvalidInputError(f"memories: texts and Memory objects only, a {type(each).__name__} is neither")
    return [Memory(text=each) if isinstance(each, str) else each for each in memories]
