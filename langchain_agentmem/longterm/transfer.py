"""Memories as JSON lines: out of one bank and into another."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import datetime
from typing import Any

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm.record import Memory, Source

_TIMES = ("event_time", "valid_from", "valid_to", "created", "updated", "last_accessed")


def to_line(memory: Memory) -> str:
    """A memory as one line of JSON, without what is as by default."""
    kept: dict[str, Any] = {}
    for each in fields(memory):
        value = getattr(memory, each.name)
        if value is None or value in ((), [], {}, ""):
            continue
        kept[each.name] = _plain(value)
    return json.dumps(kept, ensure_ascii=False)


def from_line(line: str, number: int = 1) -> Memory:
    """Undo `to_line`.

    Raises:
        InvalidInputError: The line is not a memory; the message names its number.
    """
    try:
        value = json.loads(line)
        known = {each.name: value[each.name] for each in fields(Memory) if each.name in value}
        known |= {name: datetime.fromisoformat(known[name]) for name in _TIMES if name in known}
        known |= {"accesses": tuple(map(datetime.fromisoformat, known.get("accesses", ())))}
        known |= {name: tuple(known.get(name, ())) for name in ("topics", "entities", "related", "namespace")}
        known |= {"sources": tuple(map(Source.load, known.get("sources", ())))}
        if "source" in known:
            known["source"] = Source.load(known["source"])
        return Memory(**known)
    except (ValueError, TypeError, AttributeError) as error:
        raise InvalidInputError(f"line {number}: it is not an exported memory ({error})") from error


def from_lines(lines: Iterable[str]) -> Iterator[Memory]:
    """The memories of a file; empty lines are skipped."""
    return (from_line(line, number) for number, line in enumerate(lines, 1) if line.strip())


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Source):
        return value.dump()
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
