"""Memories and facts as lines of JSON, each with all it was: out of one bank and into another."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks
from langchain_agentmem.longterm.facts import Fact
from langchain_agentmem.longterm.heard import Heard
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Memory, Scope, Source

T = TypeVar("T")

_TIMES = ("event_time", "valid_from", "valid_to", "created", "updated", "last_accessed")
_SPAN = ("since", "until")
_FREE = ("value", "data", "metadata")  # JSON values already


class LastSaid(NamedTuple):
    """When it was last said what a fact is, or that it is not: an import must not take it for older or newer.

    Attributes:
        fact: The fact's name.
        heard: When, and in which thread.
    """

    fact: str
    heard: Heard

    def dump(self) -> dict[str, Any]:
        """As JSON values."""
        thread = {"thread": self.heard.thread} if self.heard.thread else {}
        return {"fact": self.fact, "at": self.heard.at.isoformat(), **thread}

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> LastSaid:
        """Undo `dump`."""
        thread = value.get("thread")
        checks.name("fact", value["fact"])
        checks.text("thread", thread or "")
        return cls(value["fact"], Heard(datetime.fromisoformat(value["at"]), thread))


class Entry(NamedTuple):
    """What one line holds: a memory and the fact that it stands for, or either alone.

    Attributes:
        below: The labels by which it lies below the scope that was exported.
        memory: As it is; or, of one that was retired, as it was at last, and then `superseded`.
        history: What it was before, newest first.
        facts: The fact as it is and was, newest first.
        said: When it was last said what the fact is, or that it is not. Alone, of one of which nothing else is left.
    """

    below: Namespace = ()
    memory: Memory | None = None
    history: Sequence[Memory] = ()
    facts: Sequence[Fact] = ()
    said: LastSaid | None = None


def to_line(memory: Memory) -> str:
    """A memory as one line of JSON, without what is as by default."""
    return write_json(_dump(memory))


def write_entry(entry: Entry) -> str:
    """An entry as one line of JSON."""
    value = _dump(entry.memory) if entry.memory else {}
    more = {"below": entry.below, "history": map(_dump, entry.history), "facts": map(_dump, entry.facts)}
    value |= {"said": entry.said.dump()} if entry.said else {}
    return write_json(value | {name: kept for name, each in more.items() if (kept := list(each))})


def write_json(value: Any, *, default: Callable[[Any], Any] | None = None, indent: int | None = None) -> str:
    """A value as JSON that everybody can read, whatever was once stored.

    A number that is not finite becomes its name, as text. Half a surrogate pair, which UTF-8 cannot hold, is escaped.
    What is nested too deep to be indented is not.

    Args:
        value: The value.
        default: Makes JSON values of what is none.
        indent: How far to indent; None: all in one line.
    """
    more: dict[str, Any] = {"default": default, "indent": indent}
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, **more)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value, **more)
    except RecursionError:
        if indent is None:
            raise
        return write_json(value, default=default)
    except ValueError:
        plain = json.loads(json.dumps(value, default=default), parse_constant=str)
        return write_json(plain, indent=indent)
    return text


def from_lines(lines: Iterable[str]) -> Iterator[Entry]:
    """The entries of a file; empty lines are skipped.

    Raises:
        InvalidInputError: A line is not an exported memory or fact; the message names its number.
    """
    given: Any = lines
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise InvalidInputError(f"lines: an open file or a list of lines, not a {type(given).__name__}")
    return (_read(line, number) for number, line in enumerate(lines, 1) if _holds(line))


def _holds(line: Any) -> bool:
    return not isinstance(line, str) or bool(line.strip())


def _read(line: str, number: int) -> Entry:
    try:
        value = json.loads(line, parse_constant=str)
        checks.texts("below", value.get("below", []))
        below = Scope(None, ("root", *value.get("below", ()))).namespace[1:]  # refuses what is no label
        memory = _load(value) if "text" in value or not {"facts", "said"} & value.keys() else None
        said = LastSaid.load(value["said"]) if "said" in value else None
        return Entry(below, memory, _each(_load, value, "history"), _each(_load_fact, value, "facts"), said)
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError) as error:
        raise InvalidInputError(f"line {number}: it is not an exported memory ({error})") from error


def _each(load: Callable[[Mapping[str, Any]], T], value: Mapping[str, Any], name: str) -> tuple[T, ...]:
    return tuple(map(load, value.get(name, ())))


def _load(value: Mapping[str, Any]) -> Memory:
    known = {each.name: value[each.name] for each in fields(Memory) if each.name in value}
    known |= {name: datetime.fromisoformat(known[name]) for name in _TIMES if name in known}
    known |= {"accesses": tuple(map(datetime.fromisoformat, known.get("accesses", ())))}
    known |= {name: tuple(known.get(name, ())) for name in ("topics", "entities", "related", "namespace")}
    known |= {"sources": tuple(map(Source.load, known.get("sources", ())))}
    if "source" in known:
        known["source"] = Source.load(known["source"])
    return Memory(**known)


def _load_fact(value: Mapping[str, Any]) -> Fact:
    known = {each.name: value[each.name] for each in fields(Fact) if each.name in value}
    known |= {name: datetime.fromisoformat(known[name]) for name in _SPAN if name in known}
    if "source" in known:
        known["source"] = Source.load(known["source"])
    return Fact(**{"value": None} | known)


def _dump(record: Memory | Fact) -> dict[str, Any]:
    values = {each.name: getattr(record, each.name) for each in fields(record)}
    return {name: value if name in _FREE else _plain(value) for name, value in values.items() if _says(name, value)}


def _says(name: str, value: Any) -> bool:
    return value is not None and (name == "value" or value not in ((), [], {}, ""))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Source):
        return value.dump()
    return [_plain(each) for each in value] if isinstance(value, tuple | list) else value
