"""Memories, facts, events and messages as JSON values for the page."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from langchain_core.messages import BaseMessage

from langchain_agentmem.events.event import Event
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.recalling import Recalled
from langchain_agentmem.longterm.record import Memory
from langchain_agentmem.longterm.remembering import Remembered
from langchain_agentmem.thread.session import Session

_PRECISION = 4  # digits of a score
_LONGEST = 300  # characters of what an event says of itself


def plain_memory(memory: Memory) -> dict[str, Any]:
    """A memory."""
    return {
        "id": memory.id,
        "text": memory.text,
        "kind": memory.kind,
        "state": memory.state,
        "version": memory.version,
        "hits": memory.hits,
        "accesses": memory.access_count,
        "confidence": round(memory.confidence, _PRECISION),
        "importance": memory.importance,
        "created": _time(memory.created),
        "updated": _time(memory.updated),
        "valid_to": _time(memory.valid_to),
        "past": memory.superseded,
        "thread": memory.source.thread_id if memory.source else None,
    }


def plain_recalled(recalled: Recalled) -> dict[str, Any]:
    """A memory that was recalled, with what its score is the sum of."""
    return plain_memory(recalled.memory) | {
        "score": round(recalled.score, _PRECISION),
        "similarity": None if recalled.similarity is None else round(recalled.similarity, _PRECISION),
        "terms": {name: round(value, _PRECISION) for name, value in (recalled.terms or {}).items()},
    }


def plain_outcome(text: str, done: Remembered) -> dict[str, Any]:
    """What became of a text that was to be remembered."""
    return {"text": text, "id": done.id, "outcome": done.outcome, "reason": done.reason, "version": done.version}


def plain_fact(fact: Fact) -> dict[str, Any]:
    """A fact, or what it was."""
    return {
        "name": fact.name,
        "value": fact.value if isinstance(fact.value, str) else repr(fact.value),
        "version": fact.version,
        "since": _time(fact.since),
        "until": _time(fact.until),
        "memory": fact.memory_id,
    }


def plain_session(session: Session) -> dict[str, Any]:
    """Working memory, entry by entry, as the page shows it."""
    entries = {"goal": session.goal, "scratchpad": session.scratchpad, "summary": session.summary}
    return {
        "entries": {name: text for name, text in entries.items() if text} | dict(_flat(session.data)),
        "turns": session.turn_count,
        "kept": len(session.turns),
        "tokens": session.tokens,
    }


def plain_message(message: BaseMessage) -> dict[str, Any]:
    """What was said."""
    return {"id": message.id, "role": message.type, "text": str(message.text)}


def plain_event(event: Event) -> dict[str, Any]:
    """An event, as a line of a log."""
    return {
        "id": event.id,
        "kind": event.kind,
        "time": _time(event.time),
        "thread": event.thread_id,
        "where": event.node or event.name,
        "ms": None if event.duration is None else round(event.duration * 1000, 1),
        "says": _says(event)[:_LONGEST],
    }


def _says(event: Event) -> str:
    data = event.data
    match event.kind:
        case "checkpoint":
            return f"step {event.step}, {data.get('size', 0):,} bytes: {', '.join(data.get('channels', ()))}"
        case "memory.recalled":
            return f"{_memories(data)} for “{data.get('query', '')}”"
        case kind if kind.startswith("memory."):
            return _memories(data)
    return event.error or ""


def _memories(data: Mapping[str, Any]) -> str:
    number = len(data.get("memories", ()))
    return f"{number} {'memory' if number == 1 else 'memories'}"


def _flat(data: Mapping[str, Any], above: str = "") -> list[tuple[str, str]]:
    flat: list[tuple[str, str]] = []
    for name, value in data.items():
        path = f"{above}{name}"
        flat += _flat(value, f"{path}.") if isinstance(value, Mapping) and value else [(path, str(value))]
    return flat


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()
