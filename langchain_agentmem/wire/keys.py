"""Every key this package writes, built in one place.

| key | type | what it holds |
|---|---|---|
| `P:T:threads` | ZSET | every thread of the tenant, by last activity |
| `P:T:threads:U` | ZSET | the threads of user U, by last activity |
| `P:T:thread:{I}` | HASH | a thread's registry: its namespaces, runs, expiry, pin |
| `P:T:thread:{I}:N:head` | HASH | namespace N's current checkpoint, channel values and pending writes |
| `P:T:thread:{I}:N:past` | HASH | superseded checkpoints, the values only they name, their writes |
| `P:T:thread:{I}:N:ids` | ZSET | ids of the superseded checkpoints, lexicographic |

P is the prefix and T the tenant, so that one ACL pattern `P:T:*` fences a tenant. What must change together shares
the hash tag `{I}`, and with it a cluster slot. Every id is escaped by allow-list and round-trips for any text, so no
two different ids make one key, and only the tag's own braces appear in a key.
"""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

_UNSAFE = re.compile(rb"[^A-Za-z0-9_.~@-]")
_EMPTY = "%"  # never the result of escaping anything else, and keeps a hash tag from being empty


def escape(text: str) -> str:
    """Escape any text for use as one segment of a key: letters, digits and `_.~@-` stay, every other byte is `%XX`."""
    if not text:
        return _EMPTY
    raw = text.encode("utf-8", "surrogatepass")
    return _UNSAFE.sub(lambda byte: b"%%%02X" % byte[0][0], raw).decode("ascii")


def unescape(segment: str | bytes) -> str:
    """Undo `escape`."""
    text = segment.decode("ascii") if isinstance(segment, bytes) else segment
    return "" if text == _EMPTY else unquote_to_bytes(text).decode("utf-8", "surrogatepass")


class Keys:
    """Key names of one tenant.

    Args:
        prefix: First segment of every key; applications that share one server use different prefixes.
        tenant: Second segment; tenants never see each other's keys.
    """

    __slots__ = ("base",)

    def __init__(self, prefix: str = "agentmem", tenant: str = "default") -> None:
        self.base = f"{escape(prefix)}:{escape(tenant)}"

    def threads(self, user: str | None = None) -> str:
        """The ZSET of the tenant's threads, or of one user's, by last activity."""
        return f"{self.base}:threads" if user is None else f"{self.base}:threads:{escape(user)}"

    def thread(self, thread_id: str) -> str:
        """A thread's registry HASH; the keys of its namespaces start with this."""
        return f"{self.base}:thread:{{{escape(thread_id)}}}"

    def head(self, thread_id: str, ns: str) -> str:
        """The HASH of a namespace's current checkpoint."""
        return f"{self.thread(thread_id)}:{escape(ns)}:head"
