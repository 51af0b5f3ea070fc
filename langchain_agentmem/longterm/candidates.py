"""What the ranking asks of a memory, read from its hash.

Each recall reads hundreds, so this is no way round by a `Memory`: it looks at what it needs, and at that once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from langchain_agentmem.longterm import items, record
from langchain_agentmem.longterm.features import Candidate
from langchain_agentmem.longterm.text import lexical_terms
from langchain_agentmem.wire.search import Row

_LONGEST_NUMBER = 18  # digits: counts and times, and cheap to read


def candidate(row: Row, similarity: float | None) -> Candidate:
    """A memory of the pool; what another program wrote counts as far as it has the form that a bank gives it.

    Args:
        row: The fields of its hash.
        similarity: How similar its vector is to the query, if that is known.

    Raises:
        CorruptDataError: Its value is not a JSON object.
    """
    fields = row.fields
    said = items.load_value(fields[items.VALUE])
    text, kind, speaker, importance = said.get("text"), said.get("kind"), said.get("speaker"), said.get("importance")
    session, sequence = _turn(said.get("source"), kind, row.key)
    return Candidate(
        id=row.key,
        text=text if isinstance(text, str) else record.load(said).text,
        terms=lexical_terms(fields[items.WORDS].decode("utf-8", "replace")) if items.WORDS in fields else (),
        similarity=similarity,
        speaker=speaker if isinstance(speaker, str) else None,
        session=session,
        sequence=sequence,
        kind=kind if isinstance(kind, str) else "semantic",
        when=_seconds(fields.get(items.HAPPENED)),
        created=_seconds(fields.get(items.CREATED)),
        accesses=[int(moment) / 1e6 for moment in fields["y"].split()] if "y" in fields else (),
        access_count=int(fields["q"]) if "q" in fields else 0,
        importance=importance if isinstance(importance, int | float) and 0 <= importance <= 1 else 0.5,
        confidence=float(fields["k"]) if "k" in fields else 0.5,
    )


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


def _seconds(microseconds: bytes | None) -> float | None:
    return None if microseconds is None else int(microseconds) / 1e6
