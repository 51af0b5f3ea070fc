"""Dead letters: turns that could not be promoted, with the error, until somebody replays or discards them."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.events.streams import position
from langchain_agentmem.longterm.record import Scope
from langchain_agentmem.promotion.batch import Turn
from langchain_agentmem.promotion.jobs import Recipe
from langchain_agentmem.thread.codec import Codec
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys, unescape, write_namespace
from langchain_agentmem.wire.scripts import Script

_REPLAY = Script("outbox_replay")
_DISCARD = Script("outbox_discard")
_PAGE = 100
_ID = re.compile(r"\d+-\d+")


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """Turns that were given up.

    Attributes:
        id: By which it is replayed or discarded.
        time: When it was given up.
        thread_id: The thread that the turns are from.
        scope: Whose memories they would have become.
        strategies: Names of the strategies.
        turns: The turns.
        error_type: Class of the last error.
        error: Its message, without secrets.
        attempts: How often it was tried.
    """

    id: str
    time: datetime
    thread_id: str
    scope: Scope
    strategies: Sequence[str]
    turns: Sequence[Turn]
    error_type: str
    error: str
    attempts: int


class DeadLetters:
    """The stream of dead letters.

    Args:
        redis: The connection.
        keys: The tenant's keys.
        settings: What every script of the outbox is told.
        codec: Reads the turns.
    """

    def __init__(self, redis: Connection, keys: Keys, settings: str, codec: Codec) -> None:
        self._redis, self._settings, self._codec = redis, settings, codec
        self._stem, self._stream = keys.outbox(), keys.outbox_dead()

    async def anewest(self, n: int, thread: str | None) -> list[DeadLetter]:
        """The last `n` letters, oldest first; of one thread, as keys have it, or of all."""
        found: list[DeadLetter] = []
        if n <= 0:
            return found
        async for id_, letter in self._pages():
            if thread is None or letter[b"thread"].decode() == thread:
                found.append(self._read(id_, letter))
            if len(found) == n:
                break
        return found[::-1]

    async def areplay(self, ids: Sequence[str] | None) -> int:
        """Let letters wait again, oldest first; all of them if no ids are given. Returns the number of their turns."""
        if ids is None:
            chosen = [letter async for letter in self._pages()]
        else:
            replies = await self._redis.send(*(("XRANGE", self._stream, name, name) for name in _checked(ids)))
            chosen = [(id_.decode(), letter) for reply in replies for id_, letter in reply]
        chosen.sort(key=lambda letter: position(letter[0]))
        recipes = [replace(Recipe.loads(letter[b"recipe"]), replay=id_).dumps() for id_, letter in chosen]
        calls = [
            _REPLAY([self._stem], [self._settings, letter[b"thread"], id_, recipe])
            for (id_, letter), recipe in zip(chosen, recipes, strict=True)
        ]
        return sum(await self._redis.send(*calls))

    async def adiscard(self, ids: Sequence[str]) -> int:
        """Delete letters. Returns how many there were."""
        call = _DISCARD([self._stem], [self._settings, *_checked(ids)])
        return int((await self._redis.send(call))[0]) if ids else 0

    async def aforget(self, threads: Collection[str], path: str | None) -> int:
        """Delete the letters of threads, as keys have them, and of a scope. Returns how many there were."""
        gone = [
            id_ async for id_, letter in self._pages() if letter[b"thread"].decode() in threads or _path(letter) == path
        ]
        return await self.adiscard(gone)

    async def _pages(self) -> AsyncGenerator[tuple[str, Mapping[bytes, bytes]]]:
        """Every letter, newest first, read page by page."""
        last = "+"
        while True:
            reply = (await self._redis.send(("XREVRANGE", self._stream, last, "-", "COUNT", _PAGE)))[0]
            for id_, letter in reply:
                yield id_.decode(), letter
            if len(reply) < _PAGE:
                return
            last = f"({reply[-1][0].decode()}"

    def _read(self, id_: str, letter: Mapping[bytes, bytes]) -> DeadLetter:
        recipe = Recipe.loads(letter[b"recipe"])
        return DeadLetter(
            id=id_,
            time=datetime.fromtimestamp(position(id_)[0] / 1000, UTC),
            thread_id=unescape(letter[b"thread"]),
            scope=recipe.scope,
            strategies=recipe.strategies,
            turns=[
                Turn.loads(letter[b"turn%d" % number], self._codec) for number in range(1, int(letter[b"turns"]) + 1)
            ],
            error_type=letter[b"error_type"].decode(),
            error=letter[b"error"].decode(),
            attempts=int(letter[b"attempts"]),
        )


def _checked(ids: Sequence[str]) -> Sequence[str]:
    for name in ids:
        if not _ID.fullmatch(name):
            raise InvalidInputError(f"ids: {name!r} is no id of a dead letter; the list of dead letters has them")
    return ids


def _path(letter: Mapping[bytes, bytes]) -> str:
    return write_namespace(Recipe.loads(letter[b"recipe"]).scope.path)
