"""What lies in Redis behind each panel of the page, and what one key holds."""

from __future__ import annotations

from typing import Any

from langchain_agentmem.errors import InvalidInputError
from langchain_agentmem.serve.demo.inventory import stored_keys
from langchain_agentmem.wire.connection import Command, Connection
from langchain_agentmem.wire.keys import Keys

_PANELS = {
    "thread": "conversation",
    "threads": "conversation",
    "session": "working",
    "sessions": "working",
    "item": "memories",
    "items": "memories",
    "known": "memories",
    "namespaces": "memories",
    "facts": "facts",
    "events": "events",
    "feed": "events",
    "outbox": "promotion",
}
_ENTRIES = 40  # shown of one key
_LONGEST = 400  # characters shown of one entry
_READ: dict[bytes, tuple[Any, ...]] = {
    b"hash": ("HGETALL",),
    b"zset": ("ZRANGE", 0, _ENTRIES - 1, "WITHSCORES"),
    b"list": ("LRANGE", 0, _ENTRIES - 1),
    b"set": ("SMEMBERS",),
    b"stream": ("XREVRANGE", "+", "-", "COUNT", 8),
    b"string": ("GET",),
}


async def key_table(connection: Connection, keys: Keys) -> list[dict[str, Any]]:
    """Every key of a tenant: what it is called, its type, its bytes, and the panel it belongs to."""
    start = len(keys.base) + 1
    return [
        {**stored._asdict(), "panel": _PANELS.get(stored.key[start:].partition(":")[0], "other")}
        for stored in await stored_keys(connection, keys)
    ]


async def read_key(connection: Connection, keys: Keys, name: str) -> dict[str, Any]:
    """What a key of the tenant holds, to be looked at: the first entries, each cut.

    Raises:
        InvalidInputError: It is no key of the tenant.
    """
    if not name.startswith(f"{keys.base}:"):
        raise InvalidInputError(f"name: a key that begins with {keys.base}: and not {name!r}")
    kind, ttl = await connection.send(("TYPE", name), ("PTTL", name))
    return {
        "key": name,
        "type": kind.decode(),
        "ttl": ttl if ttl > 0 else None,
        "entries": await _entries(connection, name, kind),
    }


async def _entries(connection: Connection, name: str, kind: bytes) -> list[list[str]]:
    if (form := _READ.get(kind)) is None:
        return []
    verb, *rest = form
    command: Command = (verb, name, *rest)
    reply = (await connection.send(command))[0]
    if isinstance(reply, dict):
        reply = list(reply.items())
    elif not isinstance(reply, list):
        reply = [reply]
    return [[_shown(part) for part in _parts(entry)] for entry in reply[:_ENTRIES]]


def _parts(entry: Any) -> list[Any]:
    return list(entry) if isinstance(entry, tuple | list) else [entry]


def _shown(part: Any) -> str:
    if isinstance(part, dict):
        return ", ".join(f"{_shown(name)}: {_shown(value)}" for name, value in part.items())[:_LONGEST]
    if not isinstance(part, bytes):
        return str(part)
    try:
        text = part.decode("utf-8")
    except UnicodeDecodeError:
        text = "\0"
    readable = text.replace("\n", " ").replace("\t", " ").isprintable()
    return text[:_LONGEST] if readable else f"{len(part):,} bytes, binary"


async def empty(connection: Connection, keys: Keys) -> None:
    """Delete every key of the tenant."""
    stored = await stored_keys(connection, keys)
    await connection.send(*(("UNLINK", each.key) for each in stored))
