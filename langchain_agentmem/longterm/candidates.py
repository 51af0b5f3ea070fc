"""What the ranking asks of a memory, read from its hash.

Each recall reads hundreds, so this is no way round by a `Memory`: it looks at what it needs, and at that once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.features import Candidate, Said
from langchain_agentmem.longterm.legs import Hit
from langchain_agentmem.longterm.text import lexical_terms, split_speaker

_LONGEST_NUMBER = 18  # digits: counts and times, and cheap to read
_REMEMBERED = 16_384  # memories: 1.5 kB each or so
_LONGEST_VALUE = 4096  # bytes of a value; a longer one is read anew each time


RELEVANT = (items.VALUE, items.WORDS, items.HAPPENED)
"""The fields that a candidate is read from."""


def candidates(hits: Sequence[Hit], similarities: Sequence[float | None], below: tuple[str, ...]) -> list[Candidate]:
    """The memories of a pool; what another program wrote counts as far as it has the form that a bank gives it.

    Args:
        hits: What was found, with the fields `RELEVANT` ahead of all others. Those whose value is gone are left out.
        similarities: How similar the vector of each is to the query, as far as that is known.
        below: What their keys must begin with.

    Raises:
        CorruptDataError: A value is not a JSON object.
    """
    return [
        Candidate(_said(key, fields[: len(RELEVANT)]), similarity)
        for (key, fields, _, _), similarity in zip(hits, similarities, strict=True)
        if fields[0] and key.startswith(below)
    ]


def add_history(candidate: Candidate, fields: Mapping[str, bytes]) -> bool:
    """Note what the fields of its hash say of a memory's history. False: it is gone."""
    if items.VALUE not in fields:
        return False
    candidate.created = int(fields.get(items.CREATED, 0)) / 1e6 or None
    candidate.accesses = [int(moment) / 1e6 for moment in fields.get("y", b"").split()]
    candidate.access_count = int(fields.get("q", 0))
    candidate.confidence = float(fields.get("k", 0.5))
    return True


# What memories said when they were read last, and the fields that said it. The memories of a user come into question
# again and again, and to compare their bytes takes a twentieth of reading them.
_read_last: dict[str, tuple[Sequence[bytes | None], Said]] = {}


def _said(key: str, fields: Sequence[bytes | None]) -> Said:
    last = _read_last.get(key)
    if last is not None and last[0] == fields:
        return last[1]
    said = _read(key, *fields)
    if len(fields[0] or b"") > _LONGEST_VALUE:
        return said
    if len(_read_last) >= _REMEMBERED:
        _read_last.clear()
    _read_last[key] = fields, said
    return said


def _read(key: str, value: bytes | None, words: bytes | None, happened: bytes | None) -> Said:
    said, terms = _load(value or b""), lexical_terms((words or b"").decode("utf-8", "replace"))
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
