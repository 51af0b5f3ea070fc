"""The JSON documents that the other packages left in Redis, found by key."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Sequence
from typing import Any

from langchain_agentmem.errors import UnsupportedServerError
from langchain_agentmem.wire.connection import REDIS_ERRORS, Connection

PAGE = 100
_WILD = re.compile(r"([*?\[\]\\])")


async def keys_with(redis: Connection, prefix: str) -> list[bytes]:
    """The keys of the JSON documents whose name begins with a prefix, sorted.

    Raises:
        UnsupportedServerError: The server has never held such a document: it has no JSON.
    """
    pattern = _WILD.sub(r"\\\1", prefix) + "*"
    try:
        return sorted({key async for page in redis.scan(pattern, kind="ReJSON-RL") for key in page})
    except REDIS_ERRORS as error:
        if "unknown type name" not in str(error):
            raise
        raise UnsupportedServerError(
            "source: this server has no JSON module, so those packages left nothing on it; name the one that they used"
            " (--source URL)"
        ) from None


async def fields_of(redis: Connection, keys: Sequence[bytes], *names: str) -> AsyncIterator[tuple[bytes, list[Any]]]:
    """Some fields of each document: None where it has no such field. Documents that have expired are left out."""
    paths = [f"$.{name}" for name in names]
    for start in range(0, len(keys), PAGE):
        page = keys[start : start + PAGE]
        replies = await redis.send(*(("JSON.GET", key, *paths) for key in page))
        for key, reply in zip(page, replies, strict=True):
            if reply is not None:
                told = json.loads(reply)
                found = told if isinstance(told, dict) else {paths[0]: told}  # a single path has no name
                yield key, [next(iter(found[path]), None) for path in paths]


def named(key: bytes) -> str:
    """A key as it is told."""
    return repr(key.decode("utf-8", "replace"))


async def read(redis: Connection, keys: Sequence[bytes]) -> list[tuple[bytes | None, float | None]]:
    """Documents as they lie there, each with the seconds that it has to live. None where one has expired."""
    replies = await redis.send(*(command for key in keys for command in (("JSON.GET", key), ("PTTL", key))))
    return [(text, left / 1000 if left > 0 else None) for text, left in zip(replies[::2], replies[1::2], strict=True)]
