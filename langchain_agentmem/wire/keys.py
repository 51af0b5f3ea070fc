"""Every key this package writes, built in one place.

| key | type | what it holds |
|---|---|---|
| `P:T:threads` | ZSET | every thread of the tenant, by last activity |
| `P:T:threads:U` | ZSET | the threads of user U, by last activity; lives as long as the last of them |
| `P:T:thread:{I}` | HASH | a thread's registry: its beginning, user, runs, expiry, pin |
| `P:T:thread:{I}:spaces` | SET | the thread's namespaces |
| `P:T:thread:{I}:N:head` | HASH | namespace N's current checkpoint, channel values and pending writes |
| `P:T:thread:{I}:N:past` | HASH | superseded checkpoints, the values only they name, their writes |
| `P:T:thread:{I}:N:ids` | ZSET | ids of the superseded checkpoints, lexicographic |
| `P:T:events:{I}` | STREAM | a thread's events |
| `P:T:events:{I}:seen` | ZSET | the batches written to it in the last minutes: a replay writes nothing |
| `P:T:feed:{P:T:n}` | STREAM | shard n of the feed of all the tenant's events; `:seen` as above |
| `P:T:feed:{P:T:n}:dead:G` | STREAM | what consumer group G failed on too often |
| `P:T:signals` | channel | Pub/Sub: what is happening now |
| `P:T:session:{I}` | HASH | a thread's working memory |
| `P:T:sessions` | ZSET | the tenant's sessions, by expiry |
| `P:T:sessions:U` | ZSET | the sessions of user U, by expiry |
| `P:T:history:{I}` | LIST | the messages of a chat history |
| `...:done:O` | STRING | what operation O there (session, history, `known`) answered, so that a replay does nothing |
| `P:T:cache:{L:L}` | ZSET | the cached keys of a namespace of nodes, by expiry |
| `P:T:cache:{L:L}:K` | STRING | what a node wrote for the input that has key K |
| `P:T:item:{L:L}:K` | HASH | item K of namespace L:L; beside it what it was (`:v3`), further vectors (`:x1`) |
| `P:T:gone:{L:L}:K` | HASH | what was forgotten as item K, its facts too, while that can be undone; also `:v3`, `:x1` |
| `P:T:items:{L:L}` | ZSET | the items of a namespace, by expiry |
| `P:T:namespaces` | ZSET | every namespace that has items, by expiry |
| `P:T:namespaces:names` | ZSET | the same by name; not on a cluster |
| `P:T:known:{L:L}` | HASH | a namespace's memories by what they say, none twice; when its facts were last said |
| `P:T:facts:{L:L}` | HASH | the exact facts of a namespace |
| `P:T:facts:{L:L}:A:3` | STRING | what fact A was, in version 3 |
| `P:T:outbox:{P:T}:turns:I` | STREAM | thread I's turns that wait to be promoted, and a few before them |
| `P:T:outbox:{P:T}:state:I` | HASH | how far thread I is promoted, and who is at it |
| `P:T:outbox:{P:T}:seen:I` | ZSET | which of its messages were taken, as digests |
| `P:T:outbox:{P:T}:scope:L:L` | SET | the threads that turns of scope L:L came from |
| `P:T:outbox:{P:T}:due` | ZSET | threads that wait, by the time at which they are due |
| `P:T:outbox:{P:T}:jobs` | STREAM | threads that are due, for the group of workers |
| `P:T:outbox:{P:T}:dead` | STREAM | turns that were given up |
| `P:T:outbox:{P:T}:stats` | HASH | counters |
| `P:T:outbox:{P:T}:workers` | HASH | how each worker that runs said last that it is doing, and when |
| `P:T:outbox:{P:T}:spent:D:L:L` | HASH | what promotions took on day D for scope L:L; `%%` is all scopes |

P is the prefix and T the tenant, so that one ACL pattern `P:T:*` fences a tenant. What must change together shares
the hash tag `{I}`, and with it a cluster slot. Every id is escaped by allow-list and round-trips for any text, so no
two different ids make one key, and only the tag's own braces appear in a key.

What langchain-redis writes for `semantic_cache()` and `vectorstore(NAME)` lies under `P:T:answers:` and
`P:T:documents:NAME:`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

_UNSAFE = re.compile(rb"[^A-Za-z0-9_.~@-]")
_SAFE = re.compile(r"[A-Za-z0-9_.~@-]+")
_EMPTY = "%"  # never the result of escaping anything else, and keeps a hash tag from being empty


@lru_cache(maxsize=4096)  # the same few ids again and again: a put names its thread in six keys and arguments
def escape(text: str) -> str:
    """Escape any text for use as one segment of a key: letters, digits and `_.~@-` stay, every other byte is `%XX`."""
    if _SAFE.fullmatch(text):
        return text
    if not text:
        return _EMPTY
    raw = text.encode("utf-8", "surrogatepass")
    return _UNSAFE.sub(lambda byte: b"%%%02X" % byte[0][0], raw).decode("ascii")


def unescape(segment: str | bytes) -> str:
    """Undo `escape`."""
    text = segment.decode("ascii") if isinstance(segment, bytes) else segment
    if "%" not in text:
        return text
    return "" if text == _EMPTY else unquote_to_bytes(text).decode("utf-8", "surrogatepass")


class KeyName(NamedTuple):
    """What the name of a key says.

    Attributes:
        kind: The word after the tenant.
        tag: What stands in braces, as it stands there; "" without any.
        rest: What comes after that.
    """

    kind: str
    tag: str
    rest: str


class Keys:
    """Key names of one tenant.

    Args:
        prefix: First segment of every key; applications that share one server use different prefixes.
        tenant: Second segment; tenants never see each other's keys.
    """

    __slots__ = ("base", "item_prefix", "prefix", "tenant")

    def __init__(self, prefix: str = "agentmem", tenant: str = "default") -> None:
        self.prefix, self.tenant = prefix, tenant
        self.base = f"{escape(prefix)}:{escape(tenant)}"
        self.item_prefix = f"{self.base}:item:"  # what the keys of all items begin with

    def threads(self, user: str | None = None) -> str:
        """The ZSET of the tenant's threads, or of one user's, by last activity."""
        return f"{self.base}:threads" if user is None else f"{self.base}:threads:{escape(user)}"

    def thread(self, thread_id: str) -> str:
        """A thread's registry HASH; the keys of its namespaces start with this."""
        return f"{self.base}:thread:{{{escape(thread_id)}}}"

    def head(self, thread_id: str, ns: str) -> str:
        """The HASH of a namespace's current checkpoint."""
        return f"{self.thread(thread_id)}:{escape(ns)}:head"

    def events(self, thread_id: str) -> str:
        """The STREAM of a thread's events."""
        return f"{self.base}:events:{{{escape(thread_id)}}}"

    def feed(self, shard: int) -> str:
        """One shard of the STREAM of all the tenant's events. Its tag names the tenant: a cluster spreads them."""
        return f"{self.base}:feed:{{{self.base}:{shard}}}"

    def seen(self, stream: str) -> str:
        """The ZSET of the batches that a stream of events has lately been given."""
        return f"{stream}:seen"

    def dead(self, stream: str, group: str) -> str:
        """The STREAM of what a consumer group of `stream` failed on too often."""
        return f"{stream}:dead:{escape(group)}"

    def signals(self) -> str:
        """The Pub/Sub channel of the tenant's signals."""
        return f"{self.base}:signals"

    def session(self, thread_id: str) -> str:
        """The HASH of a thread's working memory."""
        return f"{self.base}:session:{{{escape(thread_id)}}}"

    def sessions(self, user: str | None = None) -> str:
        """The ZSET of the tenant's sessions, or of one user's, by expiry."""
        return f"{self.base}:sessions" if user is None else f"{self.base}:sessions:{escape(user)}"

    def history(self, session_id: str) -> str:
        """The LIST of a chat history's messages."""
        return f"{self.base}:history:{{{escape(session_id)}}}"

    def done(self, owner: str, operation: str) -> str:
        """The STRING with the answer to one operation on the key `owner`."""
        return f"{owner}:done:{operation}"

    def caches(self) -> str:
        """The pattern of all that nodes have cached."""
        return f"{self.base}:cache:*"

    def cache(self, namespace: tuple[str, ...]) -> str:
        """The ZSET of a namespace's cached keys, by expiry."""
        return f"{self.base}:cache:{_tag(namespace)}"

    def cached(self, namespace: tuple[str, ...], key: str) -> str:
        """The STRING of what a node wrote."""
        return f"{self.cache(namespace)}:{escape(key)}"

    def item(self, namespace: tuple[str, ...], key: str) -> str:
        """The HASH of an item of the long-term store."""
        return f"{self.item_prefix}{_tag(namespace)}:{escape(key)}"

    def gone(self, namespace: tuple[str, ...], key: str) -> str:
        """The HASH of an item that was forgotten; the index does not reach it."""
        return f"{self.base}:gone:{_tag(namespace)}:{escape(key)}"

    def items_below(self, namespace: tuple[str, ...]) -> tuple[str, ...]:
        """What the keys of items in a namespace, or in one below it, begin with."""
        start = f"{self.item_prefix}{{{write_namespace(namespace)}"
        return (f"{start}}}", f"{start}:") if namespace else (self.item_prefix,)

    def read_item(self, key: str) -> tuple[tuple[str, ...], str, str]:
        """What `item` was given, and the part that stands behind it: "" for the item itself."""
        labels, _, rest = key[len(self.item_prefix) + 1 :].partition("}:")
        name, _, part = rest.partition(":")
        return read_namespace(labels), unescape(name), part

    def items(self, namespace: tuple[str, ...]) -> str:
        """The ZSET of a namespace's items, by expiry."""
        return f"{self.base}:items:{_tag(namespace)}"

    def namespaces(self) -> str:
        """The ZSET of the tenant's namespaces, by expiry."""
        return f"{self.base}:namespaces"

    def namespace_names(self) -> str:
        """The ZSET of the same by name, where one server holds all."""
        return f"{self.namespaces()}:names"

    def known(self, namespace: tuple[str, ...]) -> str:
        """The HASH of a namespace's memories, by what they say, and of when its facts were last said."""
        return f"{self.base}:known:{_tag(namespace)}"

    def facts(self, namespace: tuple[str, ...]) -> str:
        """The HASH of a namespace's exact facts; the keys of what they were start with this."""
        return f"{self.base}:facts:{_tag(namespace)}"

    def outbox(self) -> str:
        """What the keys of the outbox begin with; they lie in one slot, and its scripts make most of them."""
        return f"{self.base}:outbox:{{{self.base}}}"

    def outbox_state(self, thread_id: str) -> str:
        """The HASH of how far a thread is promoted, and who is at it."""
        return f"{self.outbox()}:state:{escape(thread_id)}"

    def outbox_seen(self, thread_id: str) -> str:
        """The ZSET of the messages of a thread that were taken."""
        return f"{self.outbox()}:seen:{escape(thread_id)}"

    def outbox_due(self) -> str:
        """The ZSET of the threads that wait to be promoted, by the time at which they are due."""
        return f"{self.outbox()}:due"

    def outbox_jobs(self) -> str:
        """The STREAM of the threads that are due, for the group of workers."""
        return f"{self.outbox()}:jobs"

    def outbox_dead(self) -> str:
        """The STREAM of the turns that were given up."""
        return f"{self.outbox()}:dead"

    def outbox_stats(self) -> str:
        """The HASH of the outbox' counters."""
        return f"{self.outbox()}:stats"

    def outbox_workers(self) -> str:
        """The HASH of what workers say of themselves, by name."""
        return f"{self.outbox()}:workers"

    def outbox_scope(self, namespace: tuple[str, ...]) -> str:
        """The SET of the threads from which turns of a scope came."""
        return f"{self.outbox()}:scope:{write_namespace(namespace)}"

    def spent(self, day: str, namespace: tuple[str, ...] = ()) -> str:
        """The HASH of what promotions took on a day, for one scope or, with no labels, for all."""
        return f"{self.outbox()}:spent:{escape(day)}:{write_namespace(namespace)}"

    def index(self) -> str:
        """The name of the search index over the items."""
        return f"{self.base}:index"

    def read(self, key: bytes) -> KeyName:
        """What the name of one of the tenant's keys says."""
        kind, _, rest = key.decode()[len(self.base) + 1 :].partition(":")
        if not rest.startswith("{"):
            return KeyName(kind, "", rest)
        tag, _, rest = rest[1:].partition("}")
        return KeyName(kind, tag, rest[1:])


def item_of(key: str) -> str:
    """The key of the item that a hash belongs to: the item's own, or one that lies beside it."""
    end = key.find(":", key.index("}:") + 2)
    return key if end < 0 else key[:end]


@lru_cache(maxsize=4096)
def write_namespace(namespace: tuple[str, ...]) -> str:
    """A namespace as one text, which no other namespace has."""
    return ":".join(map(escape, namespace)) or "%%"


@lru_cache(maxsize=4096)
def read_namespace(text: str | bytes) -> tuple[str, ...]:
    """Undo `write_namespace`."""
    joined = text.decode("ascii") if isinstance(text, bytes) else text
    return () if joined == "%%" else tuple(map(unescape, joined.split(":")))


def _tag(namespace: tuple[str, ...]) -> str:
    return f"{{{write_namespace(namespace)}}}"
