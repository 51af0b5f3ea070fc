"""When two memories say the same: their texts (see `identity`), and what stands beside the texts."""

from __future__ import annotations

import json

from langchain_agentmem.longterm import items
from langchain_agentmem.longterm.identity import differs, normalise
from langchain_agentmem.longterm.record import Memory

_MINUTE = 60_000_000  # microseconds


def identity(memory: Memory) -> str:
    """Equal for what is the same but for case, spacing and punctuation.

    An event of another day or hour is another, and so is what holds other data.
    """
    said = (memory.kind, memory.speaker or "", normalise(memory.text))
    return items.digest("\0".join((*said, *_day(memory), *_minute(memory), *_data(memory))))


def unlike(one: Memory, other: Memory) -> str | None:
    """Says why a memory is never a duplicate of one that is known, or None when nothing speaks against it."""
    if one.state and other.state and one.state != other.state:
        return f"state: {one.state} / {other.state}"
    if _day(one) != _day(other):
        return f"day: {' '.join(_day(one)) or 'unknown'} / {' '.join(_day(other)) or 'unknown'}"
    if one.event_time and other.event_time and _both_differ(_minute(one), _minute(other)):
        return f"time: {one.event_time:%H:%M} / {other.event_time:%H:%M}"
    if one.speaker != other.speaker:
        return f"speaker: {one.speaker} / {other.speaker}"
    if _both_differ(_data(one), _data(other)) or (says_less(other, one) and other.state and not one.state):
        return "data"  # one that tells of no fact cannot take the place of one that stands for it
    return differs(one.text, other.text)


def says_less(one: Memory, other: Memory) -> bool:
    """Whether a memory that says the same as another one lacks the data that the other holds."""
    return bool(other.data and not one.data)


def _both_differ(one: tuple[str, ...], other: tuple[str, ...]) -> bool:
    return bool(one and other) and one != other


def _day(memory: Memory) -> tuple[str, ...]:
    """The day of an event, if it is known. What is of another kind says the same on any day."""
    if memory.kind != "episodic" or memory.event_time is None:
        return ()
    return (memory.event_time.date().isoformat(),)


def _minute(memory: Memory) -> tuple[str, ...]:
    """The minute of an event, if it is known: midnight is but a day, and when it was said is not when it happened."""
    when, said = memory.event_time, memory.valid_from
    if memory.kind != "episodic" or when is None or not any((when.hour, when.minute)):
        return ()
    moment = items.from_time(when)
    return () if said and items.from_time(said) == moment else (str(moment // _MINUTE),)


def _data(memory: Memory) -> tuple[str, ...]:
    """The data of a memory, if it holds any, as the JSON that it becomes."""
    return (json.dumps(json.loads(json.dumps(dict(memory.data))), sort_keys=True),) if memory.data else ()
