"""What lies in Redis: the keys of one tenant, with type and size."""

from __future__ import annotations

from typing import NamedTuple

from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys


class StoredKey(NamedTuple):
    """One key; `bytes` is what it takes in the server's RAM."""

    key: str
    type: str
    bytes: int


async def stored_keys(connection: Connection, keys: Keys) -> list[StoredKey]:
    """Every key of a tenant, by name. Passes over the whole server (SCAN), so it is for small ones."""
    ordered = sorted({name async for page in connection.scan(f"{keys.base}:*") for name in page})
    asked = [question for name in ordered for question in (("TYPE", name), ("MEMORY", "USAGE", name, "SAMPLES", 0))]
    told = await connection.send(*asked)
    rows = zip(ordered, told[::2], told[1::2], strict=True)
    return [StoredKey(name.decode(), kind.decode(), size) for name, kind, size in rows if size is not None]
