"""The two ways in which a recall looks, by vectors and by words, and the word counts that rank what they find.

All of it is one pipeline. What a good part of a scope holds, such as a speaker's name, is no reason to look at a
memory, so which words find depends on the counts that come back along with what was found. The words are guessed from
the counts seen last, and looked for again where the guess was wrong: what is found does not depend on it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.counts import Counts
from langchain_agentmem.longterm.features import Corpus
from langchain_agentmem.longterm.index import ItemIndex
from langchain_agentmem.wire import search
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.search import Query

EVERYTHING = Query()
# What a greater share of a scope's memories holds, or more of them, finds nothing by itself. That leaves room in the
# pool, for .3 to .7 points of recall@10 on the test part in scopes of 600, .5 among 7,700 and .8 among 22,600; and the
# search by words takes no longer in a larger scope.
_COMMON, _MANY = 0.3, 500
# Of an index of which a scope is a greater share, a server compares all vectors at once, for .15 us each; those of a
# small scope one by one, for .5 us.
_DENSE = 0.3


Hit: TypeAlias = tuple[str, Sequence[bytes | None], bytes | None, bytes | None]
"""A memory that was found: the key of its hash; what it has in the fields that were asked for; how far its vector is,
as the server says, where it was found by that; else its vector. A plain tuple: hundreds are made."""


class Found(NamedTuple):
    """What a recall found.

    Attributes:
        heard: The replies to the commands that were sent along.
        hits: Each memory once, nearest first, then those that only words found.
        corpus: How many memories the scope holds, and how many of them hold each word.
    """

    heard: Sequence[Any]
    hits: Sequence[Hit]
    corpus: Corpus


@dataclass(frozen=True, slots=True)
class Legs:
    """What to look for.

    Attributes:
        index: The search index.
        counts: What is known of counts.
        query: What a memory must be.
        scope: Among which memories words are counted.
        words: The stems to look for.
        vector: What to find the nearest to; None: only words find, however common.
        pool: How many to find in either way.
        fields: What to read of each.
        measured: Read the vectors of those that words found, too: their true cosine is worth .7 to 1 point of recall@10
            with a sentence encoder.
    """

    index: ItemIndex
    counts: Counts
    query: Query
    scope: Query
    words: Sequence[str]
    vector: bytes | None
    pool: int
    fields: tuple[str, ...]
    measured: bool

    async def look(self, before: Sequence[Command] = ()) -> Found:
        """One round trip, and another one where the words that find had been guessed wrong.

        Args:
            before: Commands to send along.
        """
        counted = [self.scope, *(self.scope.worded(items.WORDS, word) for word in self.words)]
        guess = self._finding([self.counts.last(each) for each in counted])
        known = {each: self.counts.known(each) for each in (EVERYTHING, *counted)}
        unknown = [each for each, total in known.items() if total is None]
        counting = [search.count(self.index.name, each) for each in unknown]
        nearest, worded = self._nearest(), self._worded(guess)
        heard, made, near, by_words = _parts(
            await self.index.ask([*before, *counting, *nearest, *worded]), (before, counting, nearest, worded)
        )
        fresh = dict(zip(unknown, map(search.total, made), strict=True))
        totals = [fresh[each] if each in fresh else known[each] or 0 for each in counted]
        for each, total in fresh.items():
            self.counts.note(each, total)
        finding = self._finding(totals)
        if finding != [word for word, total in zip(self.words, totals[1:], strict=True) if total and word in guess]:
            by_words = await self.index.ask(self._worded(finding))
        return Found(
            heard, self._hits(near, by_words), Corpus(totals[0], dict(zip(self.words, totals[1:], strict=True)))
        )

    def _hits(self, near: Sequence[Any], by_words: Sequence[Any]) -> list[Hit]:
        found: dict[str, Hit] = {}
        for reply in near:
            for key, values in search.records(reply, (search.DISTANCE, *self.fields)):
                found[key] = (key, values[1:], values[0], None)
        asked = self._worded_fields()
        last = len(self.fields)
        for reply in by_words:
            for key, values in search.records(reply, asked):
                if key not in found:
                    found[key] = (key, values[:last], None, values[last] if len(asked) > last else None)
        return [*found.values()]

    def _finding(self, totals: Sequence[int | None]) -> list[str]:
        """The words that find: those that few hold, or if there are none, the one that the fewest do."""
        documents, *held = totals
        most = math.inf  # all that a few memories hold fits into the pool
        if self.vector is not None and documents is not None and documents > self.pool:
            most = min(_COMMON * documents, _MANY)
        told = [(word, total) for word, total in zip(self.words, held, strict=True) if total != 0]
        few = [word for word, total in told if total is None or total <= most]
        return few or [word for word, _ in sorted(told, key=lambda each: each[1] or 0)[:1]]

    def _nearest(self) -> list[Command]:
        if self.vector is None:
            return []
        name, fields, dense = self.index.name, self.fields, self._is_dense()
        return [
            search.nearest(name, self.query, fields, vector=self.vector, name=items.VECTOR, k=self.pool, dense=dense)
        ]

    def _worded(self, finding: Sequence[str]) -> list[Command]:
        if not finding:
            return []
        query = self.query.favouring(items.WORDS, self.words, finding)
        return [search.ranked(self.index.name, query, self._worded_fields(), limit=self.pool)]

    def _worded_fields(self) -> tuple[str, ...]:
        return (*self.fields, items.VECTOR) if self.vector is not None and self.measured else self.fields

    def _is_dense(self) -> bool:
        """Whether so much of the index is in the scope that to compare all its vectors is quicker; if that is known.

        Only of a FLAT index, which is exact either way.
        """
        total = self.counts.last(EVERYTHING) if self.index.flat else None
        return total is not None and (self.counts.last(self.scope) or 0) > _DENSE * total


def _parts(replies: Sequence[Any], commands: Sequence[Sequence[Command]]) -> Iterator[Sequence[Any]]:
    """The replies to each of several runs of commands."""
    start = 0
    for run in commands:
        yield replies[start : start + len(run)]
        start += len(run)
