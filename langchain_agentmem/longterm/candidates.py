"""What the ranking asks of a memory, read from its hash.

Each recall reads hundreds, so this is no way round by a `Memory`: it looks at what it needs, and at that once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import orjson

from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.features import Candidate, Said
from langchain_agentmem.longterm.text import lexical_terms, split_speaker

_LONGEST_NUMBER = 18  # digits: counts and times, and cheap to read
_LONGEST_VALUE = 4096  # bytes of a value; a longer one is read anew each time
_ROOM = 48 << 20  # bytes of the process for all of them: 15,000 turns of talk with vectors of 256 dimensions
_EACH, _STEM = 1000, 70  # bytes that one takes, and each of its stems, besides its text and vector


def add_history(candidate: Candidate, fields: Mapping[str, bytes]) -> None:
    """Note what the fields of its hash say of a memory's history."""
    candidate.created = int(fields.get(items.CREATED, 0)) / 1e6 or None
    candidate.accesses = [int(moment) / 1e6 for moment in fields.get("y", b"").split()]
    candidate.access_count = int(fields.get("q", 0))
    candidate.confidence = float(fields.get("k", 0.5))


class Saying(NamedTuple):
    """What a memory said when it was read last.

    Attributes:
        stamp: When it had been updated.
        content: A hash of the fields that it was read from.
        said: What it says.
        vector: Its vector, packed; empty: it has none; None: it was not read.
    """

    stamp: bytes | None
    content: int
    said: Said
    vector: bytes | None


class Sayings:
    """What memories said when they were read last; as long as they are not updated they say the same.

    The memories of a user come into question again and again, and reading one takes twenty times as long as to see
    that it is known. They are some megabytes of the process: when there is no room all are forgotten.
    """

    def __init__(self) -> None:
        self._read: dict[str, Saying] = {}
        self._taken = 0

    def known(self, key: str, fields: Sequence[bytes | None], vector: bytes | None = None) -> Saying | None:
        """What a memory says, if it was read since it was updated.

        Args:
            key: Its hash.
            fields: When it was updated, and perhaps its value, words and when it happened: then these must be the same,
                too. Without the time, as another program may have left it, it is not known.
            vector: Its vector, if it was just read: it is remembered.
        """
        saying = self._read.get(key)
        if saying is None or fields[0] is None or saying.stamp != fields[0]:
            return None
        if len(fields) > 1 and saying.content != _content(fields):
            return None
        if vector is not None and saying.vector is None:
            saying = self._keep(key, saying._replace(vector=vector), len(vector))
        return saying

    def read(self, key: str, fields: Sequence[bytes | None], vector: bytes | None) -> Saying | None:
        """Reads what a memory says; None: it is gone.

        Args:
            key: Its hash.
            fields: Its time, value, words and when it happened, and whatever comes after them.
            vector: Its vector, as in `Saying`.

        Raises:
            CorruptDataError: The value is not a JSON object.
        """
        stamp, value, words, happened = fields[:4]
        if not value:
            return None
        saying = Saying(stamp, _content(fields), _said(key, value, words, happened), vector)
        if len(value) <= _LONGEST_VALUE:
            self._keep(key, saying, _EACH + _STEM * len(saying.said.terms) + 2 * len(value) + len(vector or b""))
        return saying

    def forget(self) -> None:
        """Forget what all of them said: some may be erased."""
        self._read.clear()
        self._taken = 0

    def _keep(self, key: str, saying: Saying, room: int) -> Saying:
        if self._taken + room > _ROOM:
            self.forget()
        self._taken += room
        self._read[key] = saying
        return saying


def _content(fields: Sequence[bytes | None]) -> int:
    return hash((*fields[1:4],))


def _said(key: str, value: bytes, words: bytes | None, happened: bytes | None) -> Said:
    said, terms = _load(value), lexical_terms((words or b"").decode("utf-8", "replace"))
    text, kind, speaker, importance = said.get("text"), said.get("kind"), said.get("speaker"), said.get("importance")
    text = text if isinstance(text, str) else record.load(said).text
    session, sequence = _turn(said.get("source"), kind, key)
    return Said.read(
        key,
        text,
        terms,
        speaker=speaker if speaker and isinstance(speaker, str) else split_speaker(text)[0],
        session=session,
        sequence=sequence,
        kind=kind if isinstance(kind, str) else "semantic",
        when=int(happened) / 1e6 if happened else None,
        importance=importance if isinstance(importance, int | float) and 0 <= importance <= 1 else 0.5,
    )


def _load(value: bytes) -> dict[str, Any]:
    """A value, where a number may lose digits: ranking reads none that has so many."""
    try:
        said = orjson.loads(value)
    except orjson.JSONDecodeError:  # halves of surrogate pairs, numbers that are none
        return items.load_value(value)
    return said if isinstance(said, dict) else items.load_value(value)


def _turn(source: Any, kind: Any, key: str) -> tuple[str | None, int | None]:
    """The conversation of a turn and its place there: as its source says, else by the number its id ends in ("D1:3").

    Only what happened is read so. Ids that are alike up to that number stand in one row; random ones never are.
    """
    told: Mapping[str, Any] = source if isinstance(source, dict) else {}
    session, sequence = told.get("session") or told.get("thread_id") or "", told.get("sequence")
    if isinstance(sequence, int):
        return str(session), sequence
    if kind != "episodic":
        return str(session), None
    names = told.get("message_ids")
    name = str(names[0]) if names and isinstance(names, list) else key
    row = name.rstrip("0123456789")
    number = name[len(row) :]
    return (f"{session}\0{row}", int(number)) if 0 < len(number) <= _LONGEST_NUMBER else (str(session), None)
