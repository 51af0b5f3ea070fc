"""What running workers note of themselves on the server, so that a probe in another process can ask for it."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from langchain_agentmem.errors import CorruptDataError
from langchain_agentmem.promotion.health import Health
from langchain_agentmem.wire.bridge import sync_of
from langchain_agentmem.wire.connection import Connection
from langchain_agentmem.wire.keys import Keys
from langchain_agentmem.wire.scripts import Script

_NOTE = Script("worker_note")
_SILENT = 15.0  # seconds: a worker notes itself every two
_DROPPED = 86_400_000  # ms of silence after which nobody asks any more

_FORMS = {"str": (str,), "bool": (bool,), "int": (int,), "float": (float, int), "str | None": (str, type(None))}
_KNOWN: dict[str, tuple[type, ...]] = {each.name: _FORMS[str(each.type)] for each in fields(Health)}

# What a worker of another version may have left unsaid.
_UNSAID: dict[str, Any] = asdict(Health("", False, 0, 0, 0, 0, 0, 0, 0.0, 0, 0, 0.0, None))


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What a worker said last.

    Attributes:
        name: Its name.
        host: The host that it runs on; empty where it did not say so.
        seconds: How long ago, by the server's clock.
        health: The fields of its `Health`; of a worker of another version those that are known here, as far as it
            said them.
    """

    name: str
    host: str
    seconds: float
    health: dict[str, Any]

    @property
    def is_here(self) -> bool:
        """Whether it runs on this host."""
        return self.host == socket.gethostname()

    @property
    def well(self) -> bool:
        """Whether it has said lately that it is well."""
        return self.seconds < _SILENT and self.health["alive"]

    def __str__(self) -> str:
        if self.well:
            return str(Health(**self.health))
        return f"worker={self.name} is {'stuck' if self.seconds < _SILENT else f'silent for {self.seconds:.0f}s'}"


class Heartbeats:
    """Of a tenant's workers.

    Args:
        redis: The connection.
        keys: The tenant's keys.
    """

    def __init__(self, redis: Connection, keys: Keys) -> None:
        self._redis, self._key = redis, keys.outbox_workers()

    async def anote(self, health: Health) -> None:
        """Note how a worker of this host is doing."""
        said = json.dumps(asdict(health) | {"host": socket.gethostname()})
        await self._redis.send(_NOTE([self._key], [health.name, said, _DROPPED]))

    async def aleave(self, name: str) -> None:
        """A worker has ended."""
        await self._redis.send(_NOTE([self._key], [name, "", _DROPPED]))

    async def aall(self) -> Sequence[Heartbeat]:
        """What each worker said last, by name.

        Raises:
            CorruptDataError: Another program wrote into it.
        """
        said, (seconds, micros) = await self._redis.send(("HGETALL", self._key), ("TIME",))
        now = int(seconds) * 1000 + int(micros) // 1000
        pairs = said.items() if isinstance(said, dict) else zip(said[::2], said[1::2], strict=True)
        return sorted((self._read(name, text, now) for name, text in pairs), key=lambda each: each.name)

    all = sync_of(aall)

    def _read(self, field: bytes, text: bytes, now: int) -> Heartbeat:
        at, _, health = text.partition(b" ")
        try:
            name, seconds, said = field.decode(), max(0.0, (now - int(at)) / 1000), json.loads(health)
            known = {key: value for key, value in said.items() if type(value) in _KNOWN.get(key, ())}
            return Heartbeat(name, str(said.get("host", "")), seconds, _UNSAID | {"name": name} | known)
        except (ValueError, AttributeError, ArithmeticError, RecursionError) as error:
            raise CorruptDataError(
                f"{self._key}: what lies there as {field.decode(errors='replace')!r} was said by no worker;"
                " another program wrote it: delete it there"
            ) from error
