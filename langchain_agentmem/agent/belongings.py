"""What of a tenant's data is one user's, told from the names of keys and from entries. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from langchain_agentmem.events.event import loads
from langchain_agentmem.longterm.items import Namespace
from langchain_agentmem.longterm.record import Scope, escape_label
from langchain_agentmem.wire.connection import Command
from langchain_agentmem.wire.keys import KeyName, escape, read_namespace, unescape

_OF_A_THREAD = frozenset({"thread", "events", "session", "history"})
_BY_USER = frozenset({"threads", "sessions"})
_CACHES = frozenset({"cache", "answers"})
_OTHER = frozenset({"namespaces", "feed", "outbox", "documents"})
_OF_NO_NAMESPACE = _OF_A_THREAD | _BY_USER | _CACHES | _OTHER
_OF_A_WAITING_THREAD = frozenset({"turns", "state", "seen"})
_PAST = frozenset({"item", "gone", "facts"})  # kinds of keys beside which lies what they were
_TALLIES = {
    ("thread", ""): ("threads", "EXISTS"),
    ("thread", "head"): ("checkpoints", "EXISTS"),
    ("thread", "ids"): ("checkpoints", "ZCARD"),
    ("events", ""): ("events", "XLEN"),
    ("session", ""): ("sessions", "EXISTS"),
    ("history", ""): ("messages", "LLEN"),
    ("item", ""): ("items", "EXISTS"),
    ("facts", ""): ("facts", "HLEN"),
}


@dataclass
class Belongings:
    """What is known to be a user's, and what follows from it.

    Attributes:
        user: The user's id.
        scopes: The scopes whose memories are theirs, with all below them.
        threads: Their threads.
        sessions: Threads of somebody else in which a session is theirs.
        elsewhere: Threads that are not theirs in which their memories were used.
    """

    user: str
    scopes: Sequence[Scope]
    threads: set[str] = field(default_factory=set)
    sessions: set[str] = field(default_factory=set)
    elsewhere: set[str] = field(default_factory=set)

    def hold(self, name: KeyName) -> bool:
        """Whether all that a key holds is theirs."""
        if name.kind in _OF_A_THREAD:
            thread_id = unescape(name.tag)
            return thread_id in self.threads or (name.kind == "session" and thread_id in self.sessions)
        if name.kind in _BY_USER:
            return name.rest == escape(self.user)
        return waiting_thread(name) in self.threads or self.have(_namespace(name))

    def have(self, namespace: Namespace | None) -> bool:
        """Whether a namespace is one of their scopes, or below one."""
        return namespace is not None and any(namespace[: len(each.path)] == each.path for each in self.scopes)

    def are_named_by(self, name: KeyName) -> bool:
        """Whether a key names them: by a label, or as an item in a namespace of one label, such as ("users",)."""
        namespace = _namespace(name)
        if namespace is None:
            return False
        item = unescape(name.rest.partition(":")[0]) if name.kind == "item" and len(namespace) == 1 else None
        ids = (self.user, escape_label(self.user))
        return item == self.user or any(
            label in ids and not self._collect(at, label) for at, label in enumerate(namespace)
        )

    def _collect(self, at: int, label: str) -> bool:
        """Whether a label is that of a collection, so that it names nobody even if a user is called so."""
        return any(scope.namespace[at : at + 1] == (label,) for scope in self.scopes if scope.user is not None)

    def list_in(self, registry: str, member: bytes) -> bool:
        """Whether an entry of a registry is theirs: a namespace, or a thread."""
        if registry == "namespaces":
            return self.have(read_namespace(member))
        return unescape(member) in self.threads

    def wrote(self, entry: Mapping[bytes, bytes]) -> bool:
        """Whether an entry of a stream is theirs: an event, or turns that were to be promoted."""
        if b"event" in entry:
            return self._did(loads(entry[b"event"]))
        thread, recipe = entry.get(b"thread"), entry.get(b"recipe")
        if thread is not None and unescape(thread) in self.threads:
            return True
        return recipe is not None and self.have(read_namespace(json.loads(recipe)["path"]))

    def _did(self, event: Mapping[str, Any]) -> bool:
        """Whether an event is of their thread or their run, about their memories, or says that they are its user."""
        thread_id, data = event.get("thread_id"), event.get("data")
        if thread_id in self.threads:
            return True
        data = data if isinstance(data, dict) else {}
        scope = data.get("scope")
        theirs = event.get("user") == self.user or (isinstance(scope, list) and self.have(tuple(scope)))
        if theirs and thread_id is not None:
            self.elsewhere.add(thread_id)
        return theirs or self.user in (data.get("user_id"), data.get("user"))


def is_cache(name: KeyName) -> bool:
    """Whether a key is of a cache, where nothing tells whose an entry is."""
    return name.kind in _CACHES


def is_shared_stream(name: KeyName) -> bool:
    """Whether a key is a stream with entries of many users."""
    if name.kind == "feed":
        return not name.rest or name.rest.startswith("dead:")
    return name.kind == "outbox" and name.rest in ("jobs", "dead")


def is_shared_registry(name: KeyName) -> bool:
    """Whether a key is a sorted set that lists what many users have."""
    if name.kind == "outbox":
        return name.rest == "due"
    return name.kind == "namespaces" or (name.kind in _BY_USER and not name.rest)


def waiting_thread(name: KeyName) -> str | None:
    """The thread of which a key of the outbox keeps turns."""
    part, _, rest = name.rest.partition(":")
    return unescape(rest) if name.kind == "outbox" and part in _OF_A_WAITING_THREAD else None


def waiting_scope(name: KeyName) -> Namespace | None:
    """The scope whose threads a key of the outbox lists."""
    part, _, rest = name.rest.partition(":")
    return read_namespace(rest) if name.kind == "outbox" and part == "scope" else None


def stage(name: KeyName) -> int:
    """When a key of theirs goes: data first, then what says whose a thread is, then what lists their threads."""
    if name.kind in _BY_USER:
        return 2
    return 1 if name.kind in ("thread", "session") and not name.rest else 0


def question(key: bytes, name: KeyName) -> Command | None:
    """What to ask of a key that is not theirs by its name."""
    if name.kind in ("thread", "session") and not name.rest:
        return ("HGET", key, "user")
    if name.kind in _BY_USER and name.rest:
        return ("ZRANGE", key, 0, -1)
    return ("SMEMBERS", key) if waiting_scope(name) else None


def owner_in(name: KeyName, reply: bytes | None) -> str | None:
    """Whose a thread or session is, by the field `user` of its hash: a thread's is escaped."""
    if reply is None:
        return None
    return unescape(reply) if name.kind == "thread" else reply.decode("utf-8", "surrogatepass")


def tally(name: KeyName) -> tuple[str, str]:
    """As what a key counts in a receipt ("" = as nothing of its own), and the command that says how much it holds."""
    part = name.rest.rpartition(":")[2] if name.kind == "thread" else name.rest
    if name.kind in ("item", "gone"):
        part = name.rest.partition(":")[2]
    if name.kind in _PAST and (name.kind == "gone" or part) and not part.startswith("x"):
        return "versions", "EXISTS"
    return _TALLIES.get((name.kind, part), ("", "EXISTS"))


def _namespace(name: KeyName) -> Namespace | None:
    """The namespace that a key belongs to; a scope of the outbox is one too."""
    if name.kind == "outbox":
        part, _, rest = name.rest.partition(":")
        return read_namespace(rest.partition(":")[2]) if part == "spent" else waiting_scope(name)
    return read_namespace(name.tag) if name.tag and name.kind not in _OF_NO_NAMESPACE else None
