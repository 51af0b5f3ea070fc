"""Memories, and the scopes they belong to. A memory is a value of the store: `dump` and `load` are the whole bridge."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import lru_cache
from typing import Any, Self

from pydantic import BaseModel

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.longterm import checks, items
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.wire.keys import Keys, unescape

_LABEL_ESCAPES = str.maketrans({"%": "%25", ".": "%2E", "\0": "%00"})


def escape_label(text: str) -> str:
    """Any text as one label of a namespace, which no other text has: no label may hold a period or NUL."""
    return text.translate(_LABEL_ESCAPES)


@dataclass(frozen=True, slots=True)
class Scope:
    """Whose memories: set by the application, never by a model.

    Attributes:
        user: The user they are about; None for memories that are not one user's.
        namespace: What kind of collection, as a namespace of the store.
        tenant: The tenant, where the application wants it checked: it must be the one that the bank was made for.

    Raises:
        InvalidInputError: The user is no text, or an empty one, or the namespace is none that a store can hold.
    """

    user: str | None = None
    namespace: Namespace = ("memories",)
    tenant: str | None = None

    def __post_init__(self) -> None:
        if self.user is not None:
            checks.name("user", self.user)
        if self.tenant is not None:
            checks.name("tenant", self.tenant)
        checks.texts("namespace", self.namespace)
        object.__setattr__(self, "namespace", tuple(self.namespace))
        if not self.namespace or not all(self.namespace):
            raise InvalidInputError(f"namespace: labels that are not empty, not {self.namespace!r}")
        if any("." in label or "\0" in label for label in self.namespace):
            raise InvalidInputError(f"namespace: labels without period and NUL, not {self.namespace!r}")

    @property
    def path(self) -> Namespace:
        """The namespace of the store that holds the scope, the user's id as its last label."""
        return self.namespace if self.user is None else (*self.namespace, escape_label(self.user))


def path_of(scope: Scope, keys: Keys) -> Namespace:
    """The namespace of a scope in a store with these keys.

    Raises:
        InvalidInputError: It is no scope, or one of another tenant.
    """
    checks.instance("scope", scope, Scope, "Scope('ada')")
    if scope.tenant not in (None, keys.tenant):
        raise InvalidInputError(f"scope: its tenant {scope.tenant!r} is not the one that this bank was made for")
    return scope.path


@dataclass(frozen=True, slots=True)
class Source:
    """Where a memory comes from.

    Attributes:
        thread_id: The thread in which it was said.
        message_ids: The messages that say it.
        checkpoint_id: The checkpoint at that time.
        session: The conversation it is a turn of, if it is one; together with `sequence`, so that a recall can take
            the turns on either side as evidence. By default the thread.
        sequence: The turn's place in the conversation, counting by one. By default, of episodic memories, the number
            that its message's id, or its own, ends in.
    """

    thread_id: str | None = None
    message_ids: tuple[str, ...] = ()
    checkpoint_id: str | None = None
    session: str | None = None
    sequence: int | None = None

    def dump(self) -> dict[str, Any]:
        """As JSON values, without what is not known."""
        return {name: value for name in _SOURCE if (value := getattr(self, name)) not in (None, ())}

    @classmethod
    def load(cls, value: Mapping[str, Any]) -> Self:
        """Undo `dump`."""
        known = {name: value[name] for name in _SOURCE if name in value}
        known["message_ids"] = tuple(known.get("message_ids", ()))
        return cls(**known)


_SOURCE = tuple(each.name for each in fields(Source))


def check_source(source: Source | None) -> None:
    """Refuse what is no source.

    Raises:
        InvalidInputError: It is of another type, or JSON cannot hold it.
    """
    if source is not None:
        checks.instance("source", source, Source, "Source(thread_id='t')")
        checks.texts("source", source.message_ids)
        checks.plain("source", source.dump())


@dataclass(frozen=True, kw_only=True)
class Memory:
    """Something that was learned.

    What is set by the bank is marked so, and ignored when a memory is remembered.

    Attributes:
        text: What it says, so that it can be understood alone.
        kind: `semantic` (what is so), `episodic` (what happened), `procedural` (how to do), `summary`, or your own.
        id: Its id; made by the bank when empty.
        speaker: Who said it, or whom it is about; `metadata["speaker"]` where it is not given, and a leading "Anna: "
            of the text does as well. Worth a lot to a recall.
        topics: What it is about.
        entities: Who and what it names.
        importance: 0 to 1.
        confidence: 0 to 1; grows when it is remembered again.
        pinned: Never forgotten by a policy.
        event_time: When it happened, as far as that is not when it was said.
        valid_from: From when it is true; by default from when it is remembered. Of a state, not in the future.
        valid_to: Until when it is true; None: until something supersedes it.
        state: The fact it stands for, such as `diet` or `anna.home`. A new memory of the same state supersedes the old
            one, however little they resemble each other. One that has ended, by its `valid_to`, sets no fact.
        value: The fact's value; the text by default.
        supersedes: Id of the memory that it takes the place of. Of a version, `id@version` of the one before it.
        source: Where it comes from.
        data: What your own schema holds, see `of`.
        metadata: Anything else, as JSON values; never indexed.
        namespace: Where it lies. Set by the bank.
        version: Counts the changes of its content, from 1. Set by the bank.
        created: When it was first remembered. Set by the bank.
        updated: When it was last remembered or changed. Set by the bank.
        last_accessed: When it was last recalled. Set by the bank.
        access_count: How often it was recalled. Set by the bank.
        accesses: When it was recalled the last few times. Set by the bank.
        hits: How often it was remembered. Set by the bank.
        related: Ids of memories that resemble it. Set by the bank.
        sources: Where else it was said. Set by the bank.
        superseded: Whether it is past: it was retired, or another version took its place. Set by the bank.
        superseded_by: What took its place, as `id@version`. Set by the bank, in `history` and `get(version=...)`.
    """

    text: str
    kind: str = "semantic"
    id: str = ""
    speaker: str | None = None
    topics: Sequence[str] = ()
    entities: Sequence[str] = ()
    importance: float = 0.5
    confidence: float = 0.5
    pinned: bool = False
    event_time: datetime | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    state: str | None = None
    value: Any = None
    supersedes: str | None = None
    source: Source | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    namespace: Namespace = ()
    version: int = 1
    created: datetime | None = None
    updated: datetime | None = None
    last_accessed: datetime | None = None
    access_count: int = 0
    accesses: Sequence[datetime] = ()
    hits: int = 1
    related: Sequence[str] = ()
    sources: Sequence[Source] = ()
    superseded: bool = False
    superseded_by: str | None = None

    def __post_init__(self) -> None:
        text: Any = self.text
        for name in ("data", "metadata"):
            checks.instance(name, getattr(self, name), Mapping, "{}")
        if self.speaker is None and isinstance(named := self.metadata.get("speaker"), str):
            object.__setattr__(self, "speaker", named)
        if not isinstance(text, str) or not text.strip():
            raise InvalidInputError("text: a memory needs a text that says something")
        for name in ("importance", "confidence"):
            checks.share(name, getattr(self, name))

    @classmethod
    def of(cls, model: BaseModel, *, text: str | None = None, **more: Any) -> Self:
        """A memory of your own schema: its kind is the class's name, its data the fields.

        Args:
            model: The object to remember.
            text: What it says in words; by default its fields, as `name: value`.
            **more: Further attributes of the memory.
        """
        data = model.model_dump(mode="json")
        said = text or "; ".join(f"{name}: {value}" for name, value in data.items() if value not in (None, "", []))
        return cls(text=said, kind=more.pop("kind", type(model).__name__), data=data, **more)

    def check(self) -> None:
        """Refuse what cannot be kept, before any of it is.

        Raises:
            InvalidInputError: An attribute is of another type than it must be, or JSON cannot hold it.
        """
        checks.name("kind", self.kind)
        for name in ("id", "speaker", "state", "supersedes"):
            if getattr(self, name) is not None:
                checks.text(name, getattr(self, name))
        for name in ("topics", "entities"):
            checks.texts(name, getattr(self, name))
        for name in ("event_time", "valid_from", "valid_to"):
            checks.moment(name, getattr(self, name))
        for name in ("data", "metadata"):
            if given := getattr(self, name):
                checks.plain(name, dict(given))
        if self.value is not None:
            checks.plain("value", self.value)
        check_source(self.source)

    def as_model(self, schema: type[BaseModel]) -> BaseModel:
        """The object of your own schema that `of` was given."""
        return schema.model_validate(self.data)


_SAID = ("speaker", "topics", "entities", "data", "metadata", "state", "value")
_DEFAULTS = Memory(text="-")


def dump(memory: Memory) -> dict[str, Any]:
    """A memory as a value of the store: what it says. How it is used lies in fields of its own."""
    value: dict[str, Any] = {"text": memory.text, "kind": memory.kind, "importance": memory.importance}
    for name in _SAID:
        entry = getattr(memory, name)
        if entry != getattr(_DEFAULTS, name):
            value[name] = list(entry) if isinstance(entry, tuple) else dict(entry) if _is_object(entry) else entry
    if memory.event_time is not None:
        value["event_time"] = memory.event_time.isoformat()
    if memory.source is not None:
        value["source"] = memory.source.dump()
    return value


def dump_source(source: Source | None) -> str:
    """A source as one line of JSON; "" for none."""
    return json.dumps(source.dump(), sort_keys=True) if source else ""


def load(value: Mapping[str, Any], *, id: str = "", namespace: Namespace = ()) -> Memory:
    """A value of the store as a memory; one that no bank wrote too, as far as it says something."""
    return Memory(id=id, namespace=namespace, **_content(value))


def _content(value: Mapping[str, Any]) -> dict[str, Any]:
    """The attributes of a memory that its value holds."""
    known = {name: value[name] for name, fits in _FORMS.items() if name in value and fits(value[name])}
    for name in items.LISTS:
        if name in known:
            known[name] = tuple(known[name])
    if "event_time" in known:
        known["event_time"] = _moment(known["event_time"])
    if "source" in known:
        known["source"] = Source.load(known["source"])
    text = value.get("text")
    known["text"] = text if isinstance(text, str) and text.strip() else _words_in(value)
    return known


def said(value: Mapping[str, Any], name: str) -> Any:
    """An entry of a value, or the default of a memory where it has none or another program's, of another form."""
    entry = value.get(name)
    return entry if name in value and _FORMS[name](entry) else getattr(_DEFAULTS, name)


def _words_in(value: Mapping[str, Any]) -> str:
    content = value.get("content")  # where langmem keeps what it says
    words = content if isinstance(content, str) else " ".join(items.words_of(value))
    return words if words.strip() else json.dumps(value)


def _is_text(entry: Any) -> bool:
    return isinstance(entry, str)


def _is_texts(entry: Any) -> bool:
    return isinstance(entry, list) and all(isinstance(each, str) for each in entry)


def _is_share(entry: Any) -> bool:
    return isinstance(entry, int | float) and 0 <= entry <= 1


def _is_object(entry: Any) -> bool:
    return isinstance(entry, dict)


def _is_time(entry: Any) -> bool:
    try:
        return isinstance(entry, str) and bool(_moment(entry))
    except ValueError:
        return False


@lru_cache(maxsize=1024)
def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_source(entry: Any) -> bool:
    if not isinstance(entry, dict) or not _is_texts(entry.get("message_ids", [])):
        return False
    named = isinstance(entry.get("session", ""), str) and isinstance(entry.get("thread_id", ""), str | int)
    return named and isinstance(entry.get("sequence", 0), int)


_FORMS: Mapping[str, Callable[[Any], bool]] = {
    "kind": _is_text,
    "speaker": _is_text,
    "topics": _is_texts,
    "entities": _is_texts,
    "importance": _is_share,
    "data": _is_object,
    "metadata": _is_object,
    "state": _is_text,
    "value": lambda _: True,
    "event_time": _is_time,
    "source": _is_source,
}


def _names(escaped: bytes) -> tuple[str, ...]:
    return tuple(map(unescape, escaped.split()))


@lru_cache(maxsize=1024)
def _sources(lines: bytes) -> tuple[Source, ...]:
    return tuple(Source.load(json.loads(line)) for line in lines.split(b"\n") if line)


# What the bank keeps of a memory in fields of its hash: the attribute, and how it is read.
_KEPT: Mapping[str, tuple[str, Callable[[bytes], Any]]] = {
    "c": ("created", items.to_time),
    "u": ("updated", items.to_time),
    "a": ("valid_from", items.to_time),
    "z": ("valid_to", items.to_time),
    "p": ("pinned", b"1".__eq__),
    "k": ("confidence", lambda share: min(1.0, float(share))),
    "q": ("access_count", int),
    "r": ("last_accessed", items.to_time),
    "y": ("accesses", lambda moments: tuple(map(items.to_time, moments.split()))),
    "h": ("hits", int),
    "b": ("version", int),
    "g": ("related", _names),
    "j": ("sources", _sources),
    "n": ("superseded", lambda place: place.startswith(b"h")),
}
READ = ("v", *_KEPT)
READ_VERSION = (*READ, "P", "D")


def read(fields_: Mapping[str, bytes], *, id: str, namespace: Namespace) -> Memory:
    """A memory with all that the bank knows of it, from the fields `READ` of its hash, or `READ_VERSION`."""
    known = _content(items.load_value(fields_["v"]))
    for name, (attribute, load_field) in _KEPT.items():
        if name in fields_:
            known[attribute] = load_field(fields_[name])
    if "P" in fields_:
        known["supersedes"] = f"{id}@{int(fields_['P'])}"
    if successor := fields_.get("D", b"").split():
        known["superseded_by"] = f"{unescape(successor[0])}@{int(successor[1])}"
    return Memory(id=id, namespace=namespace, **known)


def read_values(values: Sequence[bytes | None], *, id: str, namespace: Namespace) -> Memory | None:
    """A memory from the values of `READ` or `READ_VERSION`; None where there is none."""
    found = {name: value for name, value in zip(READ_VERSION, values, strict=False) if value is not None}
    return read(found, id=id, namespace=namespace) if "v" in found else None
